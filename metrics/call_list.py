"""Whom to call first when only so many calls can be made: value that slips, complaints, second categories.

Three reasons compete for a budget of calls. Each has a share of it and is ranked by what its customers bring
in a year; places that a reason cannot fill go to the others. Nobody is listed twice: all reasons of a
customer stand beside the one call. What a call achieves is not known from orders; call a part of the list at
random and compare.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, Literal

import polars as pl

from metrics.customer_facts import CUSTOMER

CallReason = Literal["slipping", "unhappy", "second_category"]
REASONS: Final[tuple[CallReason, ...]] = ("slipping", "unhappy", "second_category")
SHARES: Final[Mapping[CallReason, float]] = {"slipping": 0.5, "unhappy": 0.3, "second_category": 0.2}
NEEDS: Final[Mapping[CallReason, frozenset[str]]] = {
    "slipping": frozenset({"lifecycle", "silent_days", "lapse_days"}),
    "unhappy": frozenset({"last_complaint_on", "open_complaints", "unhappy_complaints"}),
    "second_category": frozenset({"lifecycle", "categories", "orders", "return_rate"}),
}
"""The facts that each reason needs; without them it finds nobody."""

BASE: Final = frozenset({"contribution", "age_days"})
COMPLAINT_DAYS: Final = 90
READY_ORDERS: Final = 3
MOST_RETURNED: Final = 0.33
STILL_WITHIN: Final = 2.0
"""Who has been silent for longer than so many times the silence allowed is taken for gone, not slipping."""


def call_list(
    facts: pl.DataFrame, as_of: date, budget: int, shares: Mapping[CallReason, float] = SHARES
) -> pl.DataFrame:
    """At most `budget` customers to call, in the order in which to call them.

    `facts` has `customer`, the columns of BASE and of NEEDS as far as there are sources. Slipping: due, or
    lost but silent for at most twice what the own rhythm allows. Unhappy: a complaint in the last 90 days,
    and one that is open or was left unsatisfied. Second category: three orders or more in one category, still
    active, returns at most a third of it. All of them bring something: contribution a year above zero.

    Columns: customer, called_for (the reason that won the place), one flag for each reason, value_year
    (contribution over the years since the first order, one at least), the largest first. Shares need not add
    up to one: they are weights.
    """
    year = pl.col("contribution").cast(pl.Float64) / (pl.col("age_days").cast(pl.Float64) / 365).clip(1.0)
    flags = [
        (_TESTS[reason](as_of) if NEEDS[reason] <= set(facts.columns) else pl.lit(value=False))
        .fill_null(value=False)
        .alias(reason)
        for reason in REASONS
    ]
    rows = facts.with_columns(year.alias("value_year")).with_columns(flags)
    able = rows.filter(pl.col("value_year") > 0, pl.any_horizontal(REASONS))
    ranked = able.sort("value_year", CUSTOMER, descending=[True, False])
    chosen = _placed(ranked, budget, shares)
    return chosen.select(CUSTOMER, "called_for", *REASONS, "value_year")


def _slipping(_as_of: date) -> pl.Expr:
    state = pl.col("lifecycle").cast(pl.String)
    near = pl.col("silent_days") <= STILL_WITHIN * pl.col("lapse_days")
    return (state == "due") | ((state == "lost") & near)


def _unhappy(as_of: date) -> pl.Expr:
    recent = pl.col("last_complaint_on") > as_of - timedelta(days=COMPLAINT_DAYS)
    return recent & ((pl.col("open_complaints") > 0) | (pl.col("unhappy_complaints") > 0))


def _ready(_as_of: date) -> pl.Expr:
    there = pl.col("lifecycle").cast(pl.String).is_in(["new", "active", "returning"])
    few = pl.col("return_rate").fill_null(0) <= MOST_RETURNED
    return there & (pl.col("categories") == 1) & (pl.col("orders") >= READY_ORDERS) & few


_TESTS: Final = {"slipping": _slipping, "unhappy": _unhappy, "second_category": _ready}


def _placed(ranked: pl.DataFrame, budget: int, shares: Mapping[CallReason, float]) -> pl.DataFrame:
    """The customers who win a place: each reason its share, what is left over by value."""
    weights = {reason: max(shares.get(reason, 0.0), 0.0) for reason in REASONS}
    total = sum(weights.values())
    left, parts = ranked.with_columns(called_for=pl.lit("")), []
    for reason in REASONS:
        places = int(budget * weights[reason] / total) if total > 0 else 0
        won = left.filter(reason).head(places).with_columns(called_for=pl.lit(reason))
        parts.append(won)
        left = left.join(won, on=CUSTOMER, how="anti", maintain_order="left")
    wanted = [reason for reason in REASONS if weights[reason] > 0]
    if wanted:
        free = budget - sum(len(part) for part in parts)
        first = pl.coalesce(pl.when(reason).then(pl.lit(reason)) for reason in wanted)
        parts.append(left.with_columns(called_for=first).drop_nulls("called_for").head(max(free, 0)))
    return pl.concat(parts).sort("value_year", CUSTOMER, descending=[True, False])
