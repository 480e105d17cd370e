"""Contracts: recurring revenue, who joins, grows, shrinks and leaves, and what is kept of what there was.

A contract runs from its first day to the day before `ended_on`. Its monthly recurring revenue (MRR) is its
amount on a month: of a week times 365.25 / 7 / 12, of a quarter a third, of a year a twelfth, rounded once to
the 0.0001, so that every sum below is exact. Overlapping contracts of a customer add up.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.intervals import wilson

MOVEMENTS: Final = ("new", "reactivation", "expansion", "contraction", "churn")
_MONTHS: Final = {"week": 12 * 7 / 365.25, "month": 1.0, "quarter": 3.0, "year": 12.0}


def monthly(contracts: pl.LazyFrame) -> pl.LazyFrame:
    """Contracts with `mrr`, without those that end on or before their first day (see `impossible`)."""
    lasting = contracts.filter(pl.col("ended_on").is_null() | (pl.col("ended_on") > pl.col("started_on")))
    months = pl.col("billing_period").cast(pl.String).replace_strict(_MONTHS, return_dtype=pl.Float64)
    exact = pl.when(months == 1).then("amount")
    shared = (pl.col("amount").cast(pl.Float64) / months).round(4).cast(MONEY)
    return lasting.with_columns(mrr=exact.otherwise(shared))


def impossible(contracts: pl.LazyFrame) -> int:
    """How many contracts end on or before their first day: they are left out everywhere."""
    return int(contracts.filter(pl.col("ended_on") <= pl.col("started_on")).select(pl.len()).collect().item())


def overlapping(contracts: pl.LazyFrame) -> int:
    """How many customers have two contracts on the same day: their amounts add up."""
    lasting = monthly(contracts).sort("customer", "started_on")
    forever = pl.date(9999, 12, 31)
    reached = pl.col("ended_on").fill_null(forever).cum_max().shift(1).over("customer")
    twice = lasting.filter(pl.col("started_on") < reached)
    return int(twice.select(pl.col("customer").n_unique()).collect().item())


def mrr_on(contracts: pl.LazyFrame, day: date) -> pl.LazyFrame:
    """MRR by customer at the end of a day: one row a customer under contract."""
    runs = (pl.col("started_on") <= day) & (pl.col("ended_on").is_null() | (pl.col("ended_on") > day))
    return monthly(contracts).filter(runs).group_by("customer").agg(pl.col("mrr").sum())


def movements(contracts: pl.LazyFrame, days: Sequence[date]) -> pl.DataFrame:
    """What happened to MRR and to customers between each day and the next.

    `start + new + reactivation + expansion - contraction - churn = end`, to the last digit. New had never a
    contract before, reactivation had one once but none at the start; contraction and churn are shown
    positive. One row a stretch, in order: start_on, end_on; start, the MOVEMENTS and end in MRR; the same
    with `_n` in customers; grr, nrr (see `revenue_kept`), logo_churn with lower and upper (Wilson; churned
    customers of those at the start), all null when nobody was there at the start.
    """
    rows = [_movement(contracts, start, end) for start, end in pairwise(days)]
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(("start_on", "end_on"), pl.Date))
    table = pl.concat(rows)
    lower, upper = wilson(table["churn_n"], table["start_n"])
    known = pl.col("start_n") > 0
    churned = pl.when(known).then(pl.col("churn_n") / pl.col("start_n"))
    return table.with_columns(
        logo_churn=churned,
        logo_churn_lower=pl.when(known).then(lower),
        logo_churn_upper=pl.when(known).then(upper),
    )


def _movement(contracts: pl.LazyFrame, start: date, end: date) -> pl.DataFrame:
    both = _both_ends(contracts, start, end)
    at_start, at_end = pl.col("start"), pl.col("end")
    returns = (at_start == 0) & (at_end > 0)
    kinds = {
        "new": (returns & ~pl.col("known"), at_end),
        "reactivation": (returns & pl.col("known"), at_end),
        "expansion": ((at_start > 0) & (at_end > at_start), at_end - at_start),
        "contraction": ((at_end > 0) & (at_end < at_start), at_start - at_end),
        "churn": ((at_start > 0) & (at_end == 0), at_start),
    }
    kept = pl.min_horizontal(at_start, at_end)
    ours = at_start > 0
    return both.select(
        pl.lit(start).alias("start_on"),
        pl.lit(end).alias("end_on"),
        at_start.sum(),
        *(amount.filter(when).sum().alias(name) for name, (when, amount) in kinds.items()),
        at_end.sum(),
        ours.sum().cast(pl.Int64).alias("start_n"),
        *(when.sum().cast(pl.Int64).alias(f"{name}_n") for name, (when, _) in kinds.items()),
        (at_end > 0).sum().cast(pl.Int64).alias("end_n"),
        _share(kept.filter(ours).sum(), at_start.sum()).alias("grr"),
        _share(at_end.filter(ours).sum(), at_start.sum()).alias("nrr"),
    ).collect()


def _both_ends(contracts: pl.LazyFrame, start: date, end: date) -> pl.LazyFrame:
    """MRR by customer at both ends, zero where there is none, and whether the customer was known before."""
    before = monthly(contracts).filter(pl.col("started_on") <= start).select("customer", known=True).unique()
    first, last = (mrr_on(contracts, day) for day in (start, end))
    joined = first.rename({"mrr": "start"}).join(
        last.rename({"mrr": "end"}), on="customer", how="full", coalesce=True
    )
    return joined.join(before, on="customer", how="left").with_columns(
        pl.col("start", "end").fill_null(Decimal(0)), pl.col("known").fill_null(value=False)
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part.cast(pl.Float64) / whole.cast(pl.Float64))


def revenue_kept(
    start: float, expansion: float, contraction: float, churn: float
) -> tuple[float, float] | None:
    """Gross and net revenue retention of those who were there at the start; null when there was nothing.

    `GRR = (S - contraction - churn) / S`, never above 1; `NRR = (S + expansion - contraction - churn) / S`.
    New and reactivated revenue counts in neither.

    >>> revenue_kept(200_000, 20_000, 4_000, 6_000)
    (0.95, 1.05)
    """
    if start <= 0:
        return None
    kept = start - contraction - churn
    return kept / start, (kept + expansion) / start


def renewals(contracts: pl.LazyFrame, as_of: date, until: date) -> pl.DataFrame:
    """Contracts whose time is up after the as-of day and by `until`: the calendar of renewals.

    A contract with a last day `ends` then, unless a later one of its customer is signed already. One without
    renews by itself each time its billing period has passed since its first day; it is listed at the first
    such day after the as-of day, where the period is a quarter or longer: a month renews all the time.

    One row a contract, sorted by day: due_on, what (ends, renews), customer, subscription_id, plan, mrr.
    """
    running = monthly(contracts).filter(
        pl.col("started_on") <= as_of, pl.col("ended_on").is_null() | (pl.col("ended_on") > as_of)
    )
    later = contracts.group_by("customer").agg(pl.col("started_on").max().alias("latest"))
    open_ = pl.col("ended_on").is_null()
    due = pl.when(open_).then(_anniversary(as_of)).otherwise("ended_on")
    listed = running.join(later, on="customer").with_columns(
        due_on=due, what=pl.when(open_).then(pl.lit("renews")).otherwise(pl.lit("ends"))
    )
    wanted = listed.filter(pl.col("due_on") <= until, open_ | (pl.col("latest") < pl.col("ended_on")))
    return (
        wanted.select("due_on", "what", "customer", "subscription_id", "plan", "mrr")
        .sort("due_on", "customer", "subscription_id")
        .collect()
    )


def _anniversary(as_of: date) -> pl.Expr:
    """The first day after the as-of day on which a whole number of billing periods has passed."""
    started, period = pl.col("started_on"), pl.col("billing_period").cast(pl.String)
    length = period.replace_strict({"quarter": 3, "year": 12}, default=None, return_dtype=pl.Int64)
    passed = (as_of.year - started.dt.year()) * 12 + as_of.month - started.dt.month()
    done = (passed.cast(pl.Int64) // length) * length
    tried = [started.dt.offset_by(pl.format("{}mo", done + more * length)) for more in (0, 1)]
    return pl.when(tried[0] > as_of).then(tried[0]).otherwise(tried[1])


def renewal_months(due: pl.DataFrame) -> pl.DataFrame:
    """The calendar by month: month (its first day), what, contracts, mrr (exact), sorted by both."""
    month = pl.col("due_on").dt.truncate("1mo").alias("month")
    counted = due.group_by(month, "what").agg(pl.len().cast(pl.Int64).alias("contracts"), pl.col("mrr").sum())
    return counted.sort("month", "what")
