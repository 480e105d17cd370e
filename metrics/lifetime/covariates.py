"""Pareto/NBD with static covariates: facts of a customer shift how often he orders and when he leaves.

Fader & Hardie (2007), note 019. A customer with covariates z has alpha_i = alpha exp(-gamma'z) and
beta_i = beta exp(-delta'z): a positive coefficient means more orders, or leaving sooner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl

from metrics.lifetime.fitting import Coordinates, Fit, Likelihood, concluded, maximise, no_fit
from metrics.lifetime.history import Rows, Unit, compress, times, unusable
from metrics.lifetime.paretonbd import ParetoNBD, blocks, bracket
from metrics.lifetime.quadrature import Array, array, log_rising
from metrics.reasons import Reason

LEVELS: Final = 8
"""So many values of an attribute are compared, the most usual ones."""
RARE: Final = 50
"""Values with fewer customers are left out."""
_Z: Final = 1.959964
_KEYS = ("frequency", "recency_days", "age_days")


@dataclass(frozen=True)
class ParetoNBDCovariates:
    """Pareto/NBD of a customer whose covariates are all zero, and the coefficients by covariate name."""

    base: ParetoNBD
    buying: dict[str, float]
    leaving: dict[str, float]

    title: ClassVar[str] = "Pareto/NBD with covariates"

    @classmethod
    def fit(
        cls,
        histories: pl.DataFrame,
        *,
        buying: Sequence[str] = (),
        leaving: Sequence[str] = (),
        unit: Unit = "week",
    ) -> Fit["ParetoNBDCovariates"]:
        """Maximum likelihood from a frame of histories with numeric columns for the covariates.

        Covariates should be of the order of one (0/1, or standardised). Parameters are named
        `r`, `alpha`, `s`, `beta`, `buying.<column>`, `leaving.<column>`. Missing values: no fit.
        """
        used = list(dict.fromkeys([*buying, *leaving]))
        distinct = histories.group_by(*_KEYS, *used).agg(pl.len().alias("customers")).sort(*_KEYS, *used)
        rows = Rows(*times(distinct, unit), array(distinct["customers"].to_numpy()))
        reason = unusable(rows) or _unusable(distinct, used)
        if reason:
            return no_fit(reason, rows.customers)
        scale = 10.0 / rows.T.max()
        names = (
            "r",
            "alpha",
            "s",
            "beta",
            *(f"buying.{c}" for c in buying),
            *(f"leaving.{c}" for c in leaving),
        )
        shift = np.where(np.isin(names, ("alpha", "beta")), np.log(scale), 0.0)
        likelihood = _likelihood(rows.scaled(scale), _matrix(distinct, buying), _matrix(distinct, leaving))
        optimum = maximise(likelihood, np.zeros(len(names)), rows.customers)
        coordinates = Coordinates(names, _meanings(names), _builder(tuple(buying), tuple(leaving)), names[4:])
        offset = float((rows.weight * rows.x).sum() * np.log(scale))
        return concluded(optimum, coordinates, rows.customers, shift=shift, offset=offset)

    def of(self, customers: pl.DataFrame) -> ParetoNBD:
        """The Pareto/NBD of each row of a frame with the covariates, as one model with an entry a row."""
        base, ones = self.base, np.ones(len(customers))
        orders = sum((c * array(customers[name].to_numpy()) for name, c in self.buying.items()), 0.0 * ones)
        ends = sum((c * array(customers[name].to_numpy()) for name, c in self.leaving.items()), 0.0 * ones)
        return ParetoNBD(
            base.r * ones, base.alpha * np.exp(-orders), base.s * ones, base.beta * np.exp(-ends)
        )


@dataclass(frozen=True, eq=False)
class Effects:
    """How the values of an attribute shift the rates of ordering and of leaving, against the value `base`.

    `table`, the most usual value first: `value`, `customers`, `orders` and `leaving` (the rate over that of
    `base`: 1.2 is 20 % more), each with `_lower` and `_upper` (95 %, null where the data do not say).
    `gain`: by how much the AIC falls against one Pareto/NBD for all of them; above 0 the values differ.
    """

    base: str
    table: pl.DataFrame
    fit: Fit[ParetoNBDCovariates]
    gain: float


def attribute_effects(histories: pl.DataFrame, attribute: str) -> Effects | Reason:
    """The effects of a column of text in a frame of histories; nulls and rare values are left out."""
    counts = histories[attribute].drop_nulls().value_counts(sort=True).filter(pl.col("count") >= RARE)
    values = counts.sort("count", attribute, descending=[True, False])[attribute].head(LEVELS).to_list()
    if len(values) < 2:
        text = f"A comparison needs two values of `{attribute}` with {RARE} customers each. Choose another"
        return Reason("few_values", text)
    rows = histories.filter(pl.col(attribute).is_in(values))
    names = {value: f"{attribute} {value}" for value in values[1:]}
    marked = rows.select(
        *_KEYS, *((pl.col(attribute) == value).cast(pl.Float64).alias(name) for value, name in names.items())
    )
    fit = ParetoNBDCovariates.fit(marked, buying=list(names.values()), leaving=list(names.values()))
    plain = ParetoNBD.fit(compress(rows))
    if fit.aic is None or plain.aic is None:
        return Reason("no_fit", fit.message)
    table = pl.DataFrame(
        [
            {
                "value": value,
                "customers": int((rows[attribute] == value).sum()),
                **_ratio(fit, "orders", f"buying.{attribute} {value}"),
                **_ratio(fit, "leaving", f"leaving.{attribute} {value}"),
            }
            for value in values
        ],
        infer_schema_length=None,
    )
    return Effects(values[0], table, fit, plain.aic - fit.aic)


def _ratio(fit: Fit[ParetoNBDCovariates], what: str, name: str) -> dict[str, float | None]:
    """A coefficient as a ratio with its Wald interval; exactly one for the base, which has none."""
    if name not in fit.estimates:
        return {what: 1.0, f"{what}_lower": None, f"{what}_upper": None}
    value, error = fit.estimates[name], fit.standard_errors[name]
    lower, upper = (
        (None, None) if error is None else (float(np.exp(value + sign * _Z * error)) for sign in (-1, 1))
    )
    return {what: float(np.exp(value)), f"{what}_lower": lower, f"{what}_upper": upper}


def _likelihood(rows: Rows, buying: Array, leaving: Array) -> Likelihood:
    """The log-likelihood as a function of (log r, log alpha, log s, log beta, gamma, delta)."""
    count, w = rows.x.astype(np.intp), rows.weight
    by_count = np.bincount(count, w)
    split = 4 + buying.shape[1]

    def likelihood(point: Array) -> tuple[float, Array]:
        r, s = np.exp(point[[0, 2]]).tolist()
        log_alpha, log_beta = point[1] - buying @ point[4:split], point[3] - leaving @ point[split:]
        alpha, beta = np.exp(log_alpha), np.exp(log_beta)
        rate, d_rate = log_rising(r, len(by_count) - 1)
        value = by_count @ rate + w @ (r * log_alpha + s * log_beta)
        slopes = np.empty((4, len(rows)))
        for at in blocks(len(rows)):
            log_l, slopes[:, at], _ = bracket(r, alpha[at], s, beta[at], rows.x[at], rows.t_x[at], rows.T[at])
            value += w[at] @ log_l
        slopes = w * (slopes + np.stack([log_alpha, r / alpha, log_beta, s / beta]))
        slopes *= np.stack([np.full(len(rows), r), alpha, np.full(len(rows), s), beta])
        common = slopes.sum(axis=1)
        common[0] += r * (by_count @ d_rate)
        return float(value), np.concatenate([common, -slopes[1] @ buying, -slopes[3] @ leaving])

    return likelihood


def _matrix(frame: pl.DataFrame, columns: Sequence[str]) -> Array:
    return array(frame.select(columns).to_numpy()).reshape(len(frame), len(columns))


def _meanings(names: Sequence[str]) -> dict[str, str]:
    own = {name: f"what `{name.split('.', 1)[1]}` changes" for name in names[4:]}
    return {**ParetoNBD.meanings, **own}


def _builder(buying: tuple[str, ...], leaving: tuple[str, ...]) -> Callable[[Array], ParetoNBDCovariates]:
    def build(point: Array) -> ParetoNBDCovariates:
        coefficients = point[4:].tolist()
        ordering, ending = coefficients[: len(buying)], coefficients[len(buying) :]
        return ParetoNBDCovariates(
            ParetoNBD.at(point[:4]),
            dict(zip(buying, ordering, strict=True)),
            dict(zip(leaving, ending, strict=True)),
        )

    return build


def _unusable(rows: pl.DataFrame, columns: Sequence[str]) -> Reason | None:
    missing = [
        name for name in columns if not rows[name].cast(pl.Float64).is_finite().fill_null(value=False).all()
    ]
    if missing:
        text = f"Covariate `{missing[0]}` has missing values. Fill them, or leave the covariate out"
        return Reason("missing_covariate", text)
    matrix = np.column_stack([np.ones(len(rows)), _matrix(rows, columns)])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        text = "A covariate is constant, or follows from the others. Leave it out"
        return Reason("collinear_covariates", text)
    return None
