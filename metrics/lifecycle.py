"""Where customers stand: new, retained, reactivated, dormant, lost; and when silence means that one has left.

Nobody says goodbye outside a contract, so leaving is judged from each customer's own rhythm, not from one
number of days for all, and a back-test says how often the judgement was wrong.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import polars as pl

from metrics.survival import life_table

STATES: Final = ("new", "retained", "reactivated", "dormant")
_HALF: Final = 5
"""Gaps of one's own that weigh as much as the segment's rhythm."""
_SEASON_YEARS: Final = 2
_SEASON_SHARE: Final = 0.8
_HISTORY_MONTHS: Final = 25


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


def transitions(panel: pl.LazyFrame, period: int) -> pl.DataFrame:
    """From which state customers came into the states of a period, and how many.

    States are those of `flows`, dormant for those who were active once but are not in the period; `unborn` is
    where the new come from. One row a pair that occurs, sorted: before, now, customers.
    """
    seen = panel.filter(
        pl.col("customer").is_not_null(), pl.col("orders") > 0, pl.col("period") <= period
    ).select("customer", "period", "is_first", "active_before")
    now, before = (
        _states(seen, at).rename({"state": name}) for at, name in ((period, "now"), (period - 1, "before"))
    )
    both = now.join(before, on="customer", how="left").with_columns(pl.col("before").fill_null("unborn"))
    return (
        both.group_by("before", "now")
        .agg(pl.len().cast(pl.Int64).alias("customers"))
        .sort("before", "now")
        .collect()
    )


def _states(seen: pl.LazyFrame, period: int) -> pl.LazyFrame:
    here = pl.col("period") == period
    state = (
        pl.when(here & pl.col("is_first"))
        .then(pl.lit("new"))
        .when(here & pl.col("active_before"))
        .then(pl.lit("retained"))
        .when(here)
        .then(pl.lit("reactivated"))
        .otherwise(pl.lit("dormant"))
    )
    known = seen.filter(pl.col("period") <= period)
    last = known.filter(pl.col("period") == pl.col("period").max().over("customer"))
    return last.select("customer", state.alias("state"))


def gaps(orders: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Days between a customer's order days, and the open one from the last to the as-of day.

    Orders of one day are one. One row a gap: customer, gap (days), observed (False for the open one),
    sorted by customer and day. Unknown customers have none.
    """
    days = (
        orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null(), pl.col("ordered_on") <= as_of)
        .select("customer", "ordered_on")
        .unique()
        .sort("customer", "ordered_on")
    )
    same = pl.col("customer") == pl.col("customer").shift(-1)
    following = pl.when(same).then(pl.col("ordered_on").shift(-1))
    return days.select(
        "customer",
        (following.fill_null(as_of) - pl.col("ordered_on")).dt.total_days().alias("gap"),
        following.is_not_null().alias("observed"),
    )


def lapse_days(
    orders: pl.LazyFrame,
    as_of: date,
    *,
    quantile: float = 0.9,
    min_gaps: int = 3,
    segment: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """After how many silent days each customer counts as lapsed, and whether that has happened.

    A customer's own rhythm is the `quantile` of the gaps between order days, the open gap counted as censored
    (Kaplan-Meier; gaps that are over are too short a sample); where the curve does not fall that far, the
    longest gap. It is drawn towards the rhythm of the segment (all of its gaps that are over, the same
    quantile) on the scale of logarithms, by `own gaps / (own gaps + 5)`; with fewer than `min_gaps` gaps the
    segment's counts alone. `segment`: customer, segment (one for all when left out).

    One row a customer with an order, sorted: customer, gaps, silent_days, own_days, segment_days, lapse_days,
    lapsed. `lapse_days` is null where the segment has no gap at all.
    """
    every = gaps(orders, as_of).collect().lazy()
    people = every.group_by("customer").agg(
        pl.col("observed").sum().cast(pl.Int64).alias("gaps"),
        pl.col("gap").filter(~pl.col("observed")).first().alias("silent_days"),
    )
    labelled = (
        people.with_columns(segment=pl.lit("all"))
        if segment is None
        else people.join(segment.lazy().select("customer", "segment"), on="customer", how="left")
    )
    usual = _segment_rhythm(every.join(labelled.select("customer", "segment"), on="customer"), quantile)
    own = _own_rhythm(every, quantile)
    joined = labelled.join(own, on="customer", how="left").join(
        usual, on="segment", how="left", nulls_equal=True
    )
    trust = pl.col("gaps") / (pl.col("gaps") + _HALF)
    drawn = (trust * pl.col("own_days").log() + (1 - trust) * pl.col("segment_days").log()).exp()
    judged = pl.when(pl.col("gaps") >= min_gaps).then(drawn).otherwise("segment_days")
    table = joined.with_columns(lapse_days=judged)
    columns = ("customer", "gaps", "silent_days", "own_days", "segment_days", "lapse_days")
    return (
        table.select(*columns, lapsed=pl.col("silent_days") > pl.col("lapse_days")).sort("customer").collect()
    )


def _segment_rhythm(labelled: pl.LazyFrame, quantile: float) -> pl.LazyFrame:
    over = labelled.filter(pl.col("observed"))
    return over.group_by("segment").agg(
        pl.col("gap").quantile(quantile, "higher").cast(pl.Float64).alias("segment_days")
    )


def _own_rhythm(every: pl.LazyFrame, quantile: float) -> pl.LazyFrame:
    """The quantile of each customer's gaps by Kaplan-Meier with one censored life, in closed form.

    Of m gaps that are over, j are at most t. With the open gap not shorter than t, S(t) = 1 - j / (m + 1);
    once the open gap has left the risk set after its j0 shorter gaps, each further gap takes 1 / (m - j0)
    of what was left.
    """
    over = every.filter(pl.col("observed")).select("customer", "gap")
    open_ = every.filter(~pl.col("observed")).select("customer", pl.col("gap").alias("open"))
    ranked = (
        over.sort("customer", "gap")
        .join(open_, on="customer", maintain_order="left")
        .with_columns(
            m=pl.len().over("customer"),
            j=pl.int_range(1, pl.len() + 1).over("customer"),
            shorter=(pl.col("gap") <= pl.col("open")).sum().over("customer"),
        )
    )
    held = 1 - pl.col("shorter") / (pl.col("m") + 1)
    after = held * (pl.col("m") - pl.col("j")) / (pl.col("m") - pl.col("shorter"))
    survival = (
        pl.when(pl.col("j") <= pl.col("shorter")).then(1 - pl.col("j") / (pl.col("m") + 1)).otherwise(after)
    )
    reached = pl.col("gap").filter(survival <= 1 - quantile + 1e-12).min()
    return ranked.group_by("customer").agg(
        reached.fill_null(pl.col("gap").max()).cast(pl.Float64).alias("own_days")
    )


def false_lapses(
    orders: pl.LazyFrame,
    as_of: date,
    *,
    horizons: Sequence[int] = (90, 365),
    quantile: float = 0.9,
    min_gaps: int = 3,
) -> pl.DataFrame:
    """How often the judgement would have been wrong: the lapsed of a past day who bought after it.

    For each horizon the customers are judged as of `horizon` days before the as-of day, with the orders up to
    then, and followed for the horizon. One row a horizon: horizon_days, judged_on, customers, lapsed,
    came_back, false_lapse_rate (null when nobody was judged lapsed), missed (bought no more, not flagged).
    """
    rows = []
    for horizon in horizons:
        day = as_of - timedelta(days=horizon)
        judged = lapse_days(orders, day, quantile=quantile, min_gaps=min_gaps)
        later = orders.filter(pl.col("orders") > 0, pl.col("ordered_on") > day, pl.col("ordered_on") <= as_of)
        bought = later.select("customer", bought=pl.lit(value=True)).unique().collect()
        followed = judged.join(bought, on="customer", how="left").with_columns(
            pl.col("bought").fill_null(value=False)
        )
        flagged = followed.filter("lapsed")
        wrong = int(flagged["bought"].sum())
        rows.append(
            {
                "horizon_days": horizon,
                "judged_on": day,
                "customers": len(followed),
                "lapsed": len(flagged),
                "came_back": wrong,
                "false_lapse_rate": wrong / len(flagged) if len(flagged) else None,
                "missed": len(followed.filter(~pl.col("lapsed") & ~pl.col("bought"))),
            }
        )
    return pl.DataFrame(rows)


def seasonal(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Customers who buy in one season: 80 % of their orders around one month, in two years or more.

    Their clock ends with the next season: who buys every December is not lost in June, nor new next December.
    Needs 25 months of history; with less nobody is called seasonal. One row a seasonal customer, sorted:
    customer, season (month 1-12), years, share, clock_until (the last day of the month after the next season
    that follows the last order).
    """
    bought = orders.filter(
        pl.col("orders") > 0, pl.col("customer").is_not_null(), pl.col("ordered_on") <= as_of
    )
    span = bought.select(pl.col("ordered_on").min()).collect().item()
    day = pl.col("ordered_on")
    schema = {
        "customer": pl.UInt32,
        "season": pl.Int8,
        "years": pl.UInt32,
        "share": pl.Float64,
        "clock_until": pl.Date,
    }
    if span is None or _months_between(span, as_of) < _HISTORY_MONTHS:
        return pl.DataFrame(schema=schema)
    months = bought.group_by("customer", day.dt.month().alias("month")).agg(pl.len().alias("n")).collect()
    around = [
        months.with_columns(season=((pl.col("month") + shift - 1) % 12 + 1).cast(pl.Int8))
        for shift in (-1, 0, 1)
    ]
    central = months.select("customer", pl.col("month").alias("season"), pl.col("n").alias("peak"))
    share = (
        pl.concat(around)
        .group_by("customer", "season")
        .agg(pl.col("n").sum().alias("inside"))
        .join(central, on=["customer", "season"])
        .with_columns(pl.col("inside") / pl.col("peak").sum().over("customer"))
        .sort("customer", "inside", "peak", "season", descending=[False, True, True, False])
        .unique("customer", keep="first", maintain_order=True)
        .filter(pl.col("inside") >= _SEASON_SHARE)
        .select("customer", "season", pl.col("inside").alias("share"))
    )
    facts = (
        bought.join(share.lazy(), on="customer")
        .group_by("customer", "season", "share")
        .agg(_season_year().n_unique().alias("years"), _season_year().max().alias("latest"))
    )
    repeated = facts.filter(pl.col("years") >= _SEASON_YEARS)
    start = pl.date(pl.col("latest") + 1, pl.col("season"), 1)
    return (
        repeated.select(
            "customer", "season", "years", "share", clock_until=start.dt.offset_by("2mo").dt.offset_by("-1d")
        )
        .sort("customer")
        .collect()
    )


def _season_year() -> pl.Expr:
    """The year of the season that an order belongs to: January belongs to the December before it."""
    month, season = pl.col("ordered_on").dt.month(), pl.col("season")
    late = (season == 12) & (month == 1)
    early = (season == 1) & (month == 12)
    return pl.col("ordered_on").dt.year() - late.cast(pl.Int32) + early.cast(pl.Int32)


def _months_between(start: date, end: date) -> int:
    return (end.year - start.year) * 12 + end.month - start.month + (end.day >= start.day - 1)


def second_order_lives(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Days from the first order to the second, for a survival curve: customer, duration, observed."""
    first = (
        gaps(orders, as_of).with_columns(at=pl.int_range(pl.len()).over("customer")).filter(pl.col("at") == 0)
    )
    return first.select("customer", pl.col("gap").alias("duration"), "observed").collect()


def repurchase_curve(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Kaplan-Meier of the time to the second order: the share who have not come back yet (`life_table`)."""
    return life_table(second_order_lives(orders, as_of))
