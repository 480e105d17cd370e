"""How customers move from period to period: new, retained, reactivated, dormant, lost; and the balance."""

from collections.abc import Sequence
from typing import Final

import polars as pl

STATES: Final = ("unborn", "new", "retained", "reactivated", "dormant", "lost")
"""In the order in which a life goes through them."""


def flows(panel: pl.LazyFrame, periods: Sequence[int]) -> pl.DataFrame:
    """How many customers came, stayed, came back and went, period by period.

    `active(t) = active(t-1) + new + reactivated - churned`, exactly. New is active for the first time ever,
    retained was active in the period before, reactivated was active once but not in the period before,
    churned was active in the period before and is not now. One row a period in order: period, active, new,
    retained, reactivated, churned, quick_ratio (`(new + reactivated) / churned`, null when nobody churned).
    """
    wanted = [periods[0] - 1, *periods] if periods else []
    active = panel.filter(
        pl.col("customer").is_not_null(), pl.col("orders") > 0, pl.col("period").is_in(wanted)
    )
    first, before = pl.col("is_first"), pl.col("active_before")
    counts = active.group_by("period").agg(
        pl.len().cast(pl.Int64).alias("active"),
        first.sum().cast(pl.Int64).alias("new"),
        (before & ~first).sum().cast(pl.Int64).alias("retained"),
        (~before & ~first).sum().cast(pl.Int64).alias("reactivated"),
    )
    every = pl.LazyFrame({"period": wanted}, schema={"period": pl.Int32})
    filled = (
        every.join(counts, on="period", how="left")
        .sort("period")
        .with_columns(pl.col("active", "new", "retained", "reactivated").fill_null(0))
    )
    churned = pl.col("active").shift(1) - pl.col("retained")
    gained = pl.col("new") + pl.col("reactivated")
    ratio = pl.when(pl.col("churned") > 0).then(gained / pl.col("churned"))
    return filled.with_columns(churned=churned).with_columns(quick_ratio=ratio).collect().slice(1)


def transitions(
    panel: pl.LazyFrame,
    period: int,
    *,
    lost: tuple[pl.Series, pl.Series] | None = None,
) -> pl.DataFrame:
    """From which state customers came into the states of a period, and how many.

    States are those of `flows`, dormant for those who were active once but are not in the period; `unborn` is
    where the new come from. `lost`: the numbers of the customers whose silence was longer than their rhythm
    allows at the end of the period before, and at the end of this one (`metrics.lapse.silent_at`); of the
    dormant, these are lost. One row a pair that occurs, sorted: before, now, customers.
    """
    counts = states(panel, period, lost=lost).group_by("before", "now")
    return counts.agg(pl.len().cast(pl.Int64).alias("customers")).sort("before", "now")


def states(
    panel: pl.LazyFrame,
    period: int,
    *,
    lost: tuple[pl.Series, pl.Series] | None = None,
) -> pl.DataFrame:
    """The states of every customer seen by a period: customer, before, now (see `transitions`)."""
    seen = panel.filter(
        pl.col("customer").is_not_null(), pl.col("orders") > 0, pl.col("period") <= period
    ).select("customer", "period", "is_first", "active_before")
    gone = lost or (None, None)
    before, now = (
        _states(seen, at, which).rename({"state": name})
        for at, name, which in ((period - 1, "before", gone[0]), (period, "now", gone[1]))
    )
    both = now.join(before, on="customer", how="left").with_columns(pl.col("before").fill_null("unborn"))
    return both.select("customer", "before", "now").sort("customer").collect()


def _states(seen: pl.LazyFrame, period: int, lost: pl.Series | None) -> pl.LazyFrame:
    here = pl.col("period") == period
    gone = pl.lit(value=False) if lost is None else pl.col("customer").is_in(lost.implode())
    state = (
        pl.when(here & pl.col("is_first"))
        .then(pl.lit("new"))
        .when(here & pl.col("active_before"))
        .then(pl.lit("retained"))
        .when(here)
        .then(pl.lit("reactivated"))
        .when(gone)
        .then(pl.lit("lost"))
        .otherwise(pl.lit("dormant"))
    )
    known = seen.filter(pl.col("period") <= period)
    last = known.sort("period").unique("customer", keep="last")
    return last.select("customer", state.alias("state"))
