"""Who comes back: customers by the period in which their life began, followed period after period.

Tools differ in what they call retention, so every choice is a field of `Cohorts` and stands beside the
figures: what begins a life and what continues it, which return counts (`on` the period, or on it or any later
one, or within a bracket of periods), how periods are cut (by the calendar, or from each customer's own first
day), and what a rate is a share of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import polars as pl

from metrics.intervals import wilson
from metrics.lives import MEASURES, ROLLING_DAYS, Events
from metrics.money import amounts
from metrics.periods import Calendar, Grain
from metrics.tallies import Tally

Returns = Literal["on", "on_or_after"]
Base = Literal["first", "previous"]
Cut = Literal["calendar", "rolling"]
Bracket = tuple[int, int]

AMOUNTS: Final = ("net_amount", "margin")
NOT_OVER: Final = "the period is not over"
NO_PERIOD_BEFORE: Final = "no period before"
NOBODY: Final = "nobody to come back"


@dataclass(frozen=True)
class Cohorts:
    """What a cohort table counts.

    `returns`: `on` counts those active in the very period, `on_or_after` those active in it or any later one
    (unbounded: it falls by construction, and the last periods are too young to say). `brackets`: first and
    last ages that count as one, such as (1, 3), (4, 7); a customer counts once in each. `base`: a share of
    the cohort (`first`), or the active over those of the period before (`previous`; who was away may come
    back, so it may pass 1 and has no interval). `min_n`: a smaller base gives no rate.
    """

    grain: Grain = Grain.MONTH
    events: Events = field(default_factory=Events)
    window: Cut = "calendar"
    returns: Returns = "on"
    brackets: tuple[Bracket, ...] = ()
    base: Base = "first"
    min_n: int = 1

    @property
    def is_rolling(self) -> bool:
        """Whether periods are counted from each customer's own first day."""
        return self.window == "rolling"


def cohort_table(
    tally: Tally,
    cohorts: Cohorts,
    calendar: Calendar,
    as_of: date,
    *,
    history_from: int | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """The cohort grid: one row a cohort and age that has begun, sorted by both. `tally`: `metrics.tallies`.

    cohort, age, until_age (the last age of a bracket, else the age), size (customers of the cohort),
    eligible (of them, those whose period is over), active, orders, net_amount, margin (exact, of the active),
    closes_on (last day of the period of the youngest member), complete, rate, lower, upper (Wilson), base
    (what the rate is a share of), young_history (the cohort began before `history_from`:
    see `metrics.beginnings`), reason.

    A rate is null with its reason while the period runs, below `min_n`, or where its base is empty; a period
    in which nobody came back is 0. Only eligible customers count in rate and active. No lives give no rows.
    """
    grid = _grid(tally, cohorts, calendar, as_of)
    counted = _active(tally, cohorts)
    table = grid.join(counted, on=["cohort", "age"], how="left").sort("cohort", "age")
    filled = table.with_columns(pl.col("active", *MEASURES).fill_null(0))
    if not tally.sums["margin"].count():
        filled = filled.with_columns(margin=pl.lit(None, filled.schema["margin"]))
    base = pl.col("eligible")
    if cohorts.base == "previous":
        base = pl.col("active").shift(1).over("cohort", order_by="age")
    rated = _rated(filled.with_columns(base=base), cohorts, level)
    young = pl.lit(value=False) if history_from is None else pl.col("cohort") < history_from
    return rated.with_columns(young_history=young)


def _grid(tally: Tally, cohorts: Cohorts, calendar: Calendar, as_of: date) -> pl.DataFrame:
    """Every cohort and age that has begun by the as-of day, with its size and how many it is over for."""
    people = tally.sums.filter(pl.col("age") == 0)
    now = calendar.code(as_of, cohorts.grain)
    ages = _spans(people.group_by("cohort").agg(size=pl.col("lives").sum()), cohorts, now)
    if cohorts.is_rolling:
        return _rolling_eligible(ages, people, cohorts.grain, as_of)
    ends = ages.select(pl.col("cohort") + pl.col("until_age")).to_series()
    last_days = {code: calendar.end(code, cohorts.grain) for code in ends.unique()}
    closes = ends.replace_strict(last_days, return_dtype=pl.Date).cast(pl.Date)  # nothing to map
    over = pl.col("closes_on") <= as_of
    return ages.with_columns(closes_on=closes).with_columns(
        complete=over, eligible=pl.when(over).then("size").otherwise(0)
    )


def _spans(sizes: pl.DataFrame, cohorts: Cohorts, now: int) -> pl.DataFrame:
    """The ages, or the brackets, that have begun for each cohort."""
    if cohorts.brackets:
        spans = pl.DataFrame(cohorts.brackets, schema={"age": pl.Int32, "until_age": pl.Int32}, orient="row")
        return sizes.join(spans, how="cross").filter(pl.col("cohort") + pl.col("age") <= now)
    begun = pl.int_ranges(0, now - pl.col("cohort") + 1, dtype=pl.Int32)
    return sizes.with_columns(age=begun).explode("age").with_columns(until_age=pl.col("age"))


def _rolling_eligible(ages: pl.DataFrame, people: pl.DataFrame, grain: Grain, as_of: date) -> pl.DataFrame:
    """A customer counts at an age once that many whole periods have passed since the first day."""
    eligible = (
        ages.join(people.select("cohort", "lives", "whole"), on="cohort")
        .group_by("cohort", "age")
        .agg(pl.col("lives").filter(pl.col("whole") > pl.col("until_age")).sum().alias("eligible"))
    )
    latest = people.group_by("cohort").agg(pl.col("first_on").max())
    days = (pl.col("until_age").cast(pl.Int64) + 1) * ROLLING_DAYS[grain] - 1
    return (
        ages.join(eligible, on=["cohort", "age"])
        .join(latest, on="cohort")
        .with_columns(closes_on=pl.col("first_on") + pl.duration(days=days))
        .with_columns(complete=pl.col("closes_on") <= as_of)
        .drop("first_on")
    )


def _active(tally: Tally, cohorts: Cohorts) -> pl.DataFrame:
    """Customers active at each age, and what they bought; rolling periods count once they are over."""

    def placed(rows: pl.DataFrame) -> pl.DataFrame:
        found = in_spans(rows, cohorts.brackets)
        return found.filter(pl.col("whole") > pl.col("until_age")) if cohorts.is_rolling else found

    by = (pl.col("cohort"), pl.col("head").alias("age"))
    sums = placed(tally.sums).group_by(by).agg(pl.col(name).sum() for name in MEASURES)
    exact = sums.with_columns(amounts(pl.col(name)) for name in AMOUNTS)
    once = placed(tally.returns).filter(pl.col("before") < pl.col("head"))
    active = once.group_by(by).agg(pl.col("counted").sum().alias("active"))
    if cohorts.returns == "on_or_after" and not cohorts.brackets:
        active = _still_to_come(tally.returns)
    return exact.join(active, on=["cohort", "age"], how="full", coalesce=True)


def in_spans(rows: pl.DataFrame, brackets: Sequence[Bracket]) -> pl.DataFrame:
    """The rows with the first age, `head`, and the last, `until_age`, of the bracket that each lies in."""
    if not brackets:
        return rows.with_columns(head=pl.col("age"), until_age=pl.col("age"))
    ages = [(age, *span) for span in brackets for age in range(span[0], span[1] + 1)]
    spans = pl.DataFrame(ages, dict.fromkeys(("age", "head", "until_age"), pl.Int32), orient="row")
    return rows.join(spans, on="age")


def _still_to_come(returns: pl.DataFrame) -> pl.DataFrame:
    """By cohort and age, the lives that were active at that age or at a later one.

    Each return adds its lives at the ages after the return before it, up to its own; of rolling periods as
    far as they are over for the customer.
    """
    over = pl.min_horizontal("age", pl.col("whole") - 1) if "whole" in returns.columns else pl.col("age")
    spans = returns.with_columns(until=over).filter(pl.col("until") > pl.col("before"))
    ends = [
        spans.select("cohort", age=pl.col("before") + 1, steps="counted"),
        spans.select("cohort", age=pl.col("until") + 1, steps=-pl.col("counted")),
    ]
    steps = pl.concat(ends).group_by("cohort", "age").agg(pl.col("steps").sum())
    oldest = spans.group_by("cohort").agg(pl.col("until").max())
    every = oldest.select("cohort", age=pl.int_ranges(0, pl.col("until") + 1, dtype=pl.Int32)).explode("age")
    filled = every.join(steps, on=["cohort", "age"], how="left").with_columns(pl.col("steps").fill_null(0))
    return filled.select("cohort", "age", active=pl.col("steps").cum_sum().over("cohort", order_by="age"))


def _rated(table: pl.DataFrame, cohorts: Cohorts, level: float) -> pl.DataFrame:
    over = pl.col("eligible") > 0
    reason = (
        pl.when(~over)
        .then(pl.lit(NOT_OVER))
        .when(pl.col("base").is_null())
        .then(pl.lit(NO_PERIOD_BEFORE))
        .when(pl.col("base") == 0)
        .then(pl.lit(NOBODY))
        .when(pl.col("base") < cohorts.min_n)
        .then(pl.lit(f"fewer than {cohorts.min_n} customers"))
    )
    known = table.with_columns(reason=reason, active=pl.when(over).then("active"))
    rate = pl.when(pl.col("reason").is_null()).then(pl.col("active") / pl.col("base"))
    rated = known.with_columns(rate=rate)
    if cohorts.base == "previous":
        blank = pl.lit(None, pl.Float64)
        return rated.with_columns(lower=blank, upper=blank)
    lower, upper = wilson(rated["active"], rated["base"], level)
    shown = pl.col("rate").is_not_null()
    return rated.with_columns(lower=pl.when(shown).then(lower), upper=pl.when(shown).then(upper))


def mean_curve(
    table: pl.DataFrame, *, weighted: bool = True, exclude: Sequence[int] = (), level: float = 0.95
) -> pl.DataFrame:
    """One curve over all cohorts: at each age the cohorts for which it is over.

    `weighted`: all customers of these cohorts together, with Wilson's interval where rates are shares of the
    cohort; else the plain mean of the cohorts' rates. One row an age: age, cohorts, n, active, rate, lower,
    upper.
    """
    mature = table.filter(pl.col("rate").is_not_null(), ~pl.col("cohort").is_in(list(exclude)))
    curve = mature.group_by("age").agg(
        pl.len().alias("cohorts"),
        pl.col("base").sum().cast(pl.Int64).alias("n"),
        pl.col("active").sum(),
        pl.col("rate").mean().alias("plain"),
    )
    blank = pl.lit(None, pl.Float64)
    ordered = curve.sort("age").with_columns(lower=blank, upper=blank)
    if not weighted:
        return ordered.rename({"plain": "rate"})
    pooled = ordered.with_columns(rate=pl.col("active") / pl.col("n")).drop("plain")
    if not mature["lower"].count():
        return pooled
    lower, upper = wilson(pooled["active"], pooled["n"], level)
    return pooled.with_columns(lower=lower, upper=upper)
