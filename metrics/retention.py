"""Who comes back: customers by the period in which they first bought, followed period after period.

Tools differ in what they call retention, so every choice is a field of `Cohorts` and stands beside the
figures: which return counts (`on` the period, or on it or any later one), how periods are cut (by the
calendar, or from each customer's own first day), and what a rate is a share of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import polars as pl

from metrics.intervals import wilson
from metrics.periods import Calendar, Grain

Returns = Literal["on", "on_or_after"]
Base = Literal["first", "previous"]
ROLLING_DAYS: Final = {Grain.WEEK: 7, Grain.MONTH: 30, Grain.QUARTER: 91, Grain.YEAR: 365}
"""Length of a period that is counted from a customer's own first day."""
_MEASURES: Final = ("orders", "net_amount", "margin")


@dataclass(frozen=True)
class Cohorts:
    """What a cohort table counts.

    `returns`: `on` counts those active in the very period, `on_or_after` those active in it or any later one
    (unbounded: it falls by construction, and the last periods are too young to say). `base`: a share of the
    cohort (`first`) or of those active in the period before (`previous`).
    """

    grain: Grain = Grain.MONTH
    returns: Returns = "on"
    base: Base = "first"
    min_n: int = 1


def calendar_lives(panel: pl.LazyFrame) -> pl.LazyFrame:
    """Activity by the calendar: the rows of a customer x period panel, with cohort and age in periods.

    The cohort is the period of the customer's first order; rows before it (a return without its order) and
    rows of unknown customers have none and are left out. Columns: customer, cohort, age, orders, net_amount,
    margin.
    """
    active = panel.filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    first = active.group_by("customer").agg(pl.col("period").min().alias("cohort"))
    return active.join(first, on="customer").select(
        "customer", "cohort", (pl.col("period") - pl.col("cohort")).alias("age"), *_MEASURES
    )


def rolling_lives(orders: pl.LazyFrame, calendar: Calendar, grain: Grain) -> pl.LazyFrame:
    """Activity in periods of equal length from each customer's own first day (age 0 begins on it).

    A month has 30 days here, a quarter 91, a year 365. The cohort is still the calendar period of the first
    day. Columns as of `calendar_lives`, and first_on.
    """
    bought = orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    first = bought.group_by("customer").agg(pl.col("ordered_on").min().alias("first_on"))
    days = (pl.col("ordered_on") - pl.col("first_on")).dt.total_days()
    aged = bought.join(first, on="customer").with_columns(
        (days // ROLLING_DAYS[grain]).cast(pl.Int32).alias("age"),
        calendar.codes(pl.col("first_on"), grain).alias("cohort"),
    )
    sums = [pl.col(name).sum() for name in _MEASURES]
    return aged.group_by("customer", "cohort", "first_on", "age").agg(sums)


def cohort_table(
    lives: pl.LazyFrame,
    cohorts: Cohorts,
    calendar: Calendar,
    as_of: date,
    *,
    history_from: int | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """The cohort grid: one row a cohort and age that has begun, sorted by both.

    cohort, age, size (customers of the cohort), eligible (of them, those whose period is over), active, rate,
    lower, upper (Wilson), orders, net_amount, margin, complete, closes_on (last day of the period of the
    youngest member), young_history (the cohort may hold old customers: see `old_customers_until`), reason.
    A rate is null with its reason while the period runs, below `min_n`, or where its base is empty; a period
    in which nobody came back is 0. Only eligible customers count in rate and active.
    """
    rolling = "first_on" in lives.collect_schema()
    grid = _grid(lives, cohorts.grain, calendar, as_of, rolling=rolling)
    counted = _active(lives, cohorts, as_of, rolling=rolling)
    table = grid.join(counted.collect(), on=["cohort", "age"], how="left").sort("cohort", "age")
    filled = table.with_columns(pl.col("active", "orders", "net_amount", "margin").fill_null(0))
    base = pl.col("eligible")
    if cohorts.base == "previous":
        base = pl.col("active").shift(1).over("cohort", order_by="age")
    rated = _rated(filled.with_columns(base=base), cohorts, level)
    young = pl.lit(value=False) if history_from is None else pl.col("cohort") <= history_from
    return rated.with_columns(young_history=young)


def _grid(
    lives: pl.LazyFrame, grain: Grain, calendar: Calendar, as_of: date, *, rolling: bool
) -> pl.DataFrame:
    """Every cohort and age that has begun by the as-of day, with its size and how many it is over for."""
    people = lives.filter(pl.col("age") == 0).select(pl.exclude("age", *_MEASURES)).collect()
    now = calendar.code(as_of, grain)
    sizes = people.group_by("cohort").agg(pl.len().cast(pl.Int64).alias("size"))
    ages = sizes.with_columns(age=pl.int_ranges(0, now - pl.col("cohort") + 1, dtype=pl.Int32)).explode("age")
    if rolling:
        return _rolling_eligible(ages, people, grain, as_of)
    codes = ages.select(pl.col("cohort") + pl.col("age")).to_series()
    ends = {code: calendar.end(code, grain) for code in codes.unique()}
    closes = codes.replace_strict(ends, return_dtype=pl.Date)
    over = pl.col("closes_on") <= as_of
    return ages.with_columns(closes_on=closes).with_columns(
        complete=over, eligible=pl.when(over).then("size").otherwise(0)
    )


def _rolling_eligible(ages: pl.DataFrame, people: pl.DataFrame, grain: Grain, as_of: date) -> pl.DataFrame:
    """A customer counts at an age once that many whole periods have passed since the first day."""
    length = ROLLING_DAYS[grain]
    seen = (pl.lit(as_of) - pl.col("first_on")).dt.total_days() + 1
    whole = people.with_columns(whole=(seen // length).cast(pl.Int32)).group_by("cohort", "whole").len()
    latest = people.group_by("cohort").agg(pl.col("first_on").max())
    eligible = (
        ages.join(whole, on="cohort")
        .group_by("cohort", "age")
        .agg(pl.col("len").filter(pl.col("whole") > pl.col("age")).sum().cast(pl.Int64).alias("eligible"))
    )
    days = (pl.col("age").cast(pl.Int64) + 1) * length - 1
    return (
        ages.join(eligible, on=["cohort", "age"])
        .join(latest, on="cohort")
        .with_columns(closes_on=pl.col("first_on") + pl.duration(days=days))
        .with_columns(complete=pl.col("closes_on") <= as_of)
        .drop("first_on")
    )


def _active(lives: pl.LazyFrame, cohorts: Cohorts, as_of: date, *, rolling: bool) -> pl.LazyFrame:
    """Customers active at each age, and what they bought; rolling periods count once they are over."""
    rows = lives
    if rolling:
        length = ROLLING_DAYS[cohorts.grain]
        end = pl.col("first_on") + pl.duration(days=(pl.col("age").cast(pl.Int64) + 1) * length - 1)
        rows = lives.filter(end <= as_of)
    sums = [pl.col(name).sum() for name in _MEASURES]
    on = rows.group_by("cohort", "age").agg(pl.len().cast(pl.Int64).alias("active"), *sums)
    if cohorts.returns == "on":
        return on
    last = _last_ages(lives, cohorts.grain, as_of, rolling=rolling).group_by("cohort", "age").len()
    later = pl.col("len").cum_sum(reverse=True).over("cohort", order_by="age")
    spread = _every_age(last).with_columns(later.alias("active")).drop("len")
    return spread.join(on.drop("active"), on=["cohort", "age"], how="left")


def _last_ages(lives: pl.LazyFrame, grain: Grain, as_of: date, *, rolling: bool) -> pl.LazyFrame:
    """The age at which each customer was last seen; at most the last whole rolling period of the customer."""
    if not rolling:
        return lives.group_by("customer", "cohort").agg(pl.col("age").max())
    whole = ((pl.lit(as_of) - pl.col("first_on")).dt.total_days() + 1) // ROLLING_DAYS[grain]
    last = lives.group_by("customer", "cohort", "first_on").agg(pl.col("age").max())
    capped = pl.min_horizontal("age", whole.cast(pl.Int32) - 1)
    return last.select("customer", "cohort", capped.alias("age")).filter(pl.col("age") >= 0)


def _every_age(last: pl.LazyFrame) -> pl.LazyFrame:
    """Counts by last age, with a row for the ages between at which nobody was seen last."""
    ages = (
        last.group_by("cohort")
        .agg(pl.col("age").max())
        .with_columns(age=pl.int_ranges(0, pl.col("age") + 1, dtype=pl.Int32))
    )
    filled = ages.explode("age").join(last, on=["cohort", "age"], how="left")
    return filled.with_columns(pl.col("len").fill_null(0).cast(pl.Int64))


def _rated(table: pl.DataFrame, cohorts: Cohorts, level: float) -> pl.DataFrame:
    over = pl.col("eligible") > 0
    reason = (
        pl.when(~over)
        .then(pl.lit("the period is not over"))
        .when(pl.col("base").is_null())
        .then(pl.lit("no period before"))
        .when(pl.col("base") == 0)
        .then(pl.lit("nobody to come back"))
        .when(pl.col("base") < cohorts.min_n)
        .then(pl.lit(f"fewer than {cohorts.min_n} customers"))
    )
    known = table.with_columns(reason=reason, active=pl.when(over).then("active"))
    rate = pl.when(pl.col("reason").is_null()).then(pl.col("active") / pl.col("base"))
    rated = known.with_columns(rate=rate)
    bounds = wilson(rated["active"], rated["base"], level)
    shown = pl.col("rate").is_not_null() & (cohorts.base == "first")
    return rated.with_columns(
        pl.when(shown).then(bound).alias(name) for name, bound in zip(("lower", "upper"), bounds, strict=True)
    ).drop("base")


def mean_curve(
    table: pl.DataFrame, *, weighted: bool = True, exclude: Sequence[int] = (), level: float = 0.95
) -> pl.DataFrame:
    """One curve over all cohorts: at each age the cohorts for which it is over.

    `weighted`: all customers of these cohorts together, with Wilson's interval; else the plain mean of the
    cohorts' rates. One row an age: age, cohorts, n, active, rate, lower, upper.
    """
    mature = table.filter(pl.col("rate").is_not_null(), ~pl.col("cohort").is_in(list(exclude)))
    curve = mature.group_by("age").agg(
        pl.len().alias("cohorts"),
        pl.col("eligible").sum().alias("n"),
        pl.col("active").sum(),
        pl.col("rate").mean().alias("plain"),
    )
    ordered = curve.sort("age")
    if not weighted:
        blank = pl.lit(None, pl.Float64)
        return ordered.rename({"plain": "rate"}).with_columns(lower=blank, upper=blank)
    lower, upper = wilson(ordered["active"], ordered["n"], level)
    rate = pl.col("active") / pl.col("n")
    return ordered.with_columns(rate.alias("rate"), lower=lower, upper=upper).drop("plain")


def old_customers_until(new_customers: Sequence[int], gap_quantile: int) -> int:
    """How many of the first periods may show old customers as new, for data that begin in mid-business.

    A customer who was there before the data begin looks new at the first order in them; most have shown up
    once `gap_quantile` periods (such as the 90th percentile of the gaps between orders) have passed. The
    history is cut only where the first period brings clearly more new customers than the later ones: over
    1.5 times their median.
    """
    later = sorted(new_customers[gap_quantile + 1 :])
    if not later:
        return 0
    usual = later[len(later) // 2]
    return gap_quantile if new_customers[0] > 1.5 * usual else 0
