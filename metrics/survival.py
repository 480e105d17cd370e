"""Time until something happens, counting those to whom it has not happened yet for as long as they were seen.

A life is a duration and whether the event was observed at its end (else the life is censored there). Lives
may carry a weight, so that a table of equal lives gives the same answer as its rows.
"""

from typing import Final

import numpy as np
import polars as pl
from scipy.special import chdtrc, ndtri

_TABLE: Final = ("duration", "at_risk", "events", "censored", "survival", "lower", "upper", "hazard")


def life_table(
    lives: pl.DataFrame,
    *,
    duration: str = "duration",
    observed: str = "observed",
    by: str | None = None,
    weight: str | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """The Kaplan-Meier curve: the share to whom the event has not happened, at each duration that occurs.

    `S(t) = prod over t_i <= t of (1 - d_i / n_i)` (Kaplan and Meier 1958), `d_i` events among `n_i` at risk.
    The interval is Greenwood's variance on the log(-log S) scale, so that it stays within 0..1.

    One row a duration (and a value of `by`), sorted by both: duration, at_risk, events, censored, survival,
    lower, upper, hazard (`d / n`). Lives without a duration, or with a negative one, are left out: count them
    before. The interval is null while S is 1 and once it is 0. No lives give no rows.
    """
    group = [by] if by else []
    happened = pl.col(observed).cast(pl.Int64)
    counted = (
        lives.lazy()
        .filter(pl.col(duration) >= 0)
        .group_by(*group, duration)
        .agg(
            events=(happened * pl.col(weight) if weight else happened).sum(),
            left=pl.col(weight).sum() if weight else pl.len().cast(pl.Int64),
        )
        .sort(*group, duration)
        .with_columns(at_risk=_within(pl.col("left").cum_sum(reverse=True), by))
        .with_columns(hazard=pl.col("events") / pl.col("at_risk"))
        .with_columns(
            survival=_within((1 - pl.col("hazard")).cum_prod(), by),
            greenwood=_within((pl.col("events") / (pl.col("at_risk") * _survivors())).cum_sum(), by),
        )
    )
    bounded = _bounds(counted, float(ndtri(0.5 + level / 2)))
    columns = [pl.col(duration).alias("duration"), *(pl.col(name) for name in _TABLE[1:])]
    return bounded.select(*group, *columns).collect()


def _survivors() -> pl.Expr:
    return pl.col("at_risk") - pl.col("events")


def _within(expression: pl.Expr, by: str | None) -> pl.Expr:
    return expression.over(by) if by else expression


def _bounds(table: pl.LazyFrame, z: float) -> pl.LazyFrame:
    survival = pl.col("survival")
    spread = z * pl.col("greenwood").sqrt() / survival.log().abs()
    known = survival.is_between(0, 1, closed="none")
    return table.with_columns(
        censored=pl.col("left") - pl.col("events"),
        lower=pl.when(known).then(survival ** spread.exp()),
        upper=pl.when(known).then(survival ** (-spread).exp()),
    )


def survival_at(table: pl.DataFrame, duration: float) -> float | None:
    """S(t) read off a life table: the last step at or before `t`, 1 before the first, null without lives."""
    if table.is_empty():
        return None
    steps = table.filter(pl.col("duration") <= duration)["survival"]
    return float(steps[-1]) if len(steps) else 1.0


def median_survival(table: pl.DataFrame) -> float | None:
    """The first duration by which half have met the event; null where fewer have."""
    reached = table.filter(pl.col("survival") <= 0.5)["duration"]
    return float(reached[0]) if len(reached) else None


def restricted_mean(table: pl.DataFrame, horizon: float) -> float:
    """The mean time without the event within a horizon: the area under S(t) from 0 to `horizon`."""
    steps = table.filter(pl.col("duration") < horizon)
    edges = np.concatenate([[0.0], steps["duration"].to_numpy(), [horizon]])
    heights = np.concatenate([[1.0], steps["survival"].to_numpy()])
    return float(np.diff(edges) @ heights)


def log_rank(
    lives: pl.DataFrame, by: str, *, duration: str = "duration", observed: str = "observed"
) -> dict[str, float | int | None]:
    """Whether two or more groups share one curve: the log-rank test of Mantel (1966).

    Observed less expected events of each group, summed over the durations at which events occur, against
    their hypergeometric covariance; chi-square with groups - 1 degrees of freedom. Returns statistic, degrees
    and p_value; the last is null with fewer than two groups or no event.
    """
    at_risk, events = _risk_matrix(lives, by, duration, observed)
    groups = at_risk.shape[1]
    total, happened = at_risk.sum(axis=1), events.sum(axis=1)
    if groups < 2 or not happened.sum():
        return {"statistic": None, "degrees": max(groups - 1, 0), "p_value": None}
    share = at_risk / total[:, None]
    excess = (events - happened[:, None] * share).sum(axis=0)[:-1]
    factor = happened * (total - happened) / np.maximum(total - 1, 1)
    spread = np.diag(factor @ share) - np.einsum("t,ti,tj->ij", factor, share, share)
    statistic = float(excess @ np.linalg.pinv(spread[:-1, :-1]) @ excess)
    p_value = float(chdtrc(groups - 1, statistic))
    return {"statistic": statistic, "degrees": groups - 1, "p_value": p_value}


def _risk_matrix(lives: pl.DataFrame, by: str, duration: str, observed: str) -> tuple[np.ndarray, np.ndarray]:
    """Lives at risk and events: a row a duration with events, a column a group."""
    counts = (
        lives.filter(pl.col(duration) >= 0, pl.col(by).is_not_null())
        .group_by(duration, by)
        .agg(events=pl.col(observed).sum(), left=pl.len())
        .sort(duration, by)
    )
    wide = {name: _spread(counts, duration, by, name) for name in ("events", "left")}
    at_risk = wide["left"][::-1].cumsum(axis=0)[::-1]
    happened = wide["events"].sum(axis=1) > 0
    return at_risk[happened], wide["events"][happened]


def _spread(counts: pl.DataFrame, duration: str, by: str, values: str) -> np.ndarray:
    wide = counts.pivot(on=by, index=duration, values=values).sort(duration).drop(duration)
    return wide.fill_null(0).to_numpy().astype(float)
