"""The purchase models by name, fitted side by side: which describes these customers best."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from metrics.lifetime.bgbb import BGBB
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.fitting import Fit
from metrics.lifetime.history import Rows
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.paretonbd import ParetoNBD

MODELS: Final[Mapping[str, type[PurchaseModel]]] = {
    "bg_nbd": BGNBD,
    "mbg_nbd": MBGNBD,
    "pareto_nbd": ParetoNBD,
    "bg_bb": BGBB,
}
CONTINUOUS: Final = ("bg_nbd", "mbg_nbd", "pareto_nbd")
"""Models of the same data, whose likelihoods compare; BG/BB counts periods, not orders."""


def fits(rows: Rows, names: Sequence[str] = CONTINUOUS) -> dict[str, Fit[PurchaseModel]]:
    """Each model fitted to the same rows."""
    return {name: MODELS[name].fit(rows) for name in names}


def fit_table(fitted: Mapping[str, Fit[PurchaseModel]]) -> pl.DataFrame:
    """One row a fit, lowest AIC first.

    `name`, `status`, `message`, `log_likelihood`, `aic`, `aic_gap` (to the best), `bic`. A model that could
    not be fitted comes last, with nulls.
    """
    rows = [
        {
            "name": name,
            "status": fit.status,
            "message": fit.message,
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic,
            "bic": fit.bic,
        }
        for name, fit in fitted.items()
    ]
    floats = dict.fromkeys(("log_likelihood", "aic", "bic"), pl.Float64())
    texts = dict.fromkeys(("name", "status", "message"), pl.String())
    table = pl.DataFrame(rows, schema=pl.Schema({**texts, **floats}))
    return (
        table.with_columns(aic_gap=pl.col("aic") - pl.col("aic").min())
        .sort("aic", "name", nulls_last=True)
        .select("name", "status", "message", "log_likelihood", "aic", "aic_gap", "bic")
    )


def best_of(fitted: Mapping[str, Fit[PurchaseModel]]) -> str:
    """The name of the fit with the lowest AIC of those that converged, else of any; empty without a fit."""
    usable = fit_table(fitted).filter(pl.col("status") != "no fit")
    sound = usable.filter(pl.col("status") == "converged")
    return next(iter((sound if len(sound) else usable)["name"]), "")
