"""The package `lifetimes` on the same histories, in an interpreter of its own: it needs an older pandas.

Weeks are days over seven, as `metrics.lifetime.history.times` has them.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray


def _times(source: str) -> tuple[NDArray[np.float64], ...]:
    rows = pl.read_parquet(source)
    return (
        rows["frequency"].to_numpy().astype(float),
        rows["recency_days"].to_numpy() / 7.0,
        rows["age_days"].to_numpy() / 7.0,
    )


def bgnbd(source: str) -> None:
    """BetaGeoFitter."""
    from lifetimes import BetaGeoFitter

    BetaGeoFitter().fit(*_times(source))


def gammagamma(source: str) -> None:
    """GammaGammaFitter, of those who came back."""
    from lifetimes import GammaGammaFitter

    rows = pl.read_parquet(source).filter(pl.col("frequency") > 0)
    GammaGammaFitter().fit(rows["frequency"].to_numpy(), rows["mean_spend"].to_numpy())


def paretonbd(source: str) -> None:
    """ParetoNBDFitter."""
    from lifetimes import ParetoNBDFitter

    ParetoNBDFitter().fit(*_times(source))
