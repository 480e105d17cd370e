"""Facts about where a customer stands: lifecycle state and rhythm, value tier, prediction, movement."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.customer_facts import CUSTOMER, Fact, Family
from metrics.frames import Marts
from metrics.lifetime.outlook import outlook
from metrics.lifetime.values import Terms
from metrics.patterns import PATTERNS, busiest, movements
from metrics.runs import starts
from metrics.standings import order_rows, standings

STATES: Final = ("prospect", "new", "active", "returning", "due", "lost")
"""The states of a customer on a day, in the order of a life; see `_state`."""

NEW_DAYS: Final = 30
DUE_DAYS: Final = 30
BACK_DAYS: Final = 90
MONTHS: Final = 12
DISCOUNT: Final = 0.10
TIERS: Final = {"A": 0.8, "B": 0.95, "C": 1.0}
"""Value tiers: A are the customers who together bring the first 80 % of all contribution, B up to 95 %."""

_TEXT, _DAY, _FLOAT = pl.String(), pl.Date(), pl.Float64()
_LIFECYCLE: Final[Mapping[str, Fact]] = {
    "lifecycle": Fact(
        pl.Enum(STATES),
        "Lifecycle",
        about="prospect: never ordered; new: first order in the last 30 days; returning: back in the last 90 "
        "days after a silence beyond the own rhythm; due: silent for more than half of what the rhythm "
        "allows, and lost within 30 days unless an order comes; lost: silent for longer than the own rhythm "
        "or season allows; active: everybody else.",
        because=("silent_days", "lapse_days"),
    ),
    "silent_days": Fact(pl.Int64(), "Silent days", "count", "Days since the last order day."),
    "lapse_days": Fact(
        _FLOAT, "Silence allowed", "count", "How long a silence the own rhythm allows, in days."
    ),
    "lapses_on": Fact(_DAY, "Lost from", about="When the customer counts as lost if silent until then."),
    "season": Fact(pl.Int8(), "Season (month)", "count", "The month around which a seasonal customer buys."),
}
_VALUE: Final[Mapping[str, Fact]] = {
    "contribution": Fact(
        MONEY,
        "Contribution",
        "money",
        "Margin less the cost of contacts, ever; revenue where no cost is known.",
    ),
    "value_tier": Fact(
        pl.Enum(list(TIERS)),
        "Value tier",
        about="A: the customers who bring the first 80 % of all contribution; B: up to 95 %; C: the rest.",
        because=("contribution",),
    ),
    "value_percentile": Fact(
        _FLOAT, "Value percentile", "rate", "Share of customers with no more contribution; 1 is the best."
    ),
}
_PREDICTED: Final[Mapping[str, Fact]] = {
    "p_alive": Fact(_FLOAT, "P(alive)", "rate", "The chance that the customer still buys at all."),
    "lifetime_value": Fact(
        _FLOAT,
        "Value, next 12 months",
        "money",
        "Predicted margin of the next 12 months, discounted at 10 %.",
    ),
    "expected_orders": Fact(
        _FLOAT, "Orders, next 12 months", "ratio", "Predicted orders of the next 12 months."
    ),
    "next_order_on": Fact(
        _DAY, "Next order", about="By when an order is likelier than not, if still a customer."
    ),
}
_MOVEMENT: Final[Mapping[str, Fact]] = {
    "movement": Fact(
        pl.Enum(PATTERNS),
        "Movement",
        about="How the rate of ordering moved around the busiest stretch of the last year.",
    )
}


def _lifecycle(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    people = marts.frame("customer_summary").select(CUSTOMER, "first_order_on")
    judged = people.join(standings(marts), on=CUSTOMER, how="left", maintain_order="left")
    back = judged.join(_came_back(marts), on=CUSTOMER, how="left", maintain_order="left")
    return back.with_columns(_state(marts).cast(pl.Enum(STATES)).alias("lifecycle"))


def _came_back(marts: Marts) -> pl.DataFrame:
    """The silence before each customer's last order day within BACK_DAYS that ended the longest one."""
    first = marts.as_of - timedelta(days=BACK_DAYS)
    lately = marts.frame("customer_summary").select((pl.col("last_order_on") > first).fill_null(value=False))
    rows = order_rows(marts)
    theirs = lately.to_series().gather(rows[CUSTOMER]).fill_null(value=False)
    orders = rows.filter(theirs, pl.col("orders") > 0)
    days = orders.select(CUSTOMER, "ordered_on")[starts(orders[CUSTOMER], orders["ordered_on"])]
    gap = (pl.col("ordered_on") - pl.col("ordered_on").shift(1)).dt.total_days()
    same = pl.col(CUSTOMER) == pl.col(CUSTOMER).shift(1)
    recent = days.with_columns(gap=pl.when(same).then(gap)).filter(pl.col("ordered_on") > first)
    return recent.group_by(CUSTOMER).agg(pl.col("gap").max().alias("ended_gap"))


def _state(marts: Marts) -> pl.Expr:
    """One state of STATES for each customer, the first that fits."""
    soon = marts.as_of + timedelta(days=DUE_DAYS)
    young = pl.col("first_order_on") > marts.as_of - timedelta(days=NEW_DAYS)
    return (
        pl.when(pl.col("first_order_on").is_null())
        .then(pl.lit("prospect"))
        .when(young)
        .then(pl.lit("new"))
        .when(pl.col("lapsed").fill_null(value=False))
        .then(pl.lit("lost"))
        .when((pl.col("ended_gap") > pl.col("lapse_days")) & pl.col("season").is_null())
        .then(pl.lit("returning"))
        .when((pl.col("lapses_on") <= soon) & (pl.col("silent_days") > pl.col("lapse_days") / 2))
        .then(pl.lit("due"))
        .otherwise(pl.lit("active"))
    )


def _value(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    people = marts.frame("customer_summary")
    costed = "margin" in people.columns and people["margin"].count() > 0
    money = people["margin" if costed else "net_amount"].fill_null(0).cast(MONEY)
    rows = people.select(CUSTOMER, "orders").with_columns(money.alias("contribution"))
    if costed and "contacts" in marts.frames and marts.frame("contacts")["cost"].count():
        cost = marts.frame("contacts").group_by(CUSTOMER).agg(pl.col("cost").sum().alias("served"))
        joined = rows.join(cost, on=CUSTOMER, how="left", maintain_order="left")
        rows = joined.with_columns(pl.col("contribution") - pl.col("served").fill_null(0))
    return tiers(rows.filter(pl.col("orders") > 0).select(CUSTOMER, "contribution"))


def tiers(rows: pl.DataFrame) -> pl.DataFrame:
    """Customers with their value tier and percentile, from `customer` and `contribution`, in any order.

    Customers are ranked by contribution; equal ones are never split: all belong to the tier in which the
    first of them lies. A customer is in A while those ahead of her hold less than 80 % of the sum of all
    contributions above zero, in B while they hold less than 95 %. Who brings nothing is in C.
    """
    value = pl.col("contribution").cast(pl.Float64)
    ahead = value.clip(0).cum_sum() - value.clip(0)
    ranked = rows.sort("contribution", CUSTOMER, descending=[True, False]).with_columns(ahead=ahead)
    level = pl.col("ahead").min().over("contribution") / value.clip(0).sum()
    tier = (
        pl.when((value <= 0) | level.is_nan())
        .then(pl.lit("C"))
        .when(level < TIERS["A"])
        .then(pl.lit("A"))
        .when(level < TIERS["B"])
        .then(pl.lit("B"))
        .otherwise(pl.lit("C"))
    )
    percentile = pl.col("contribution").rank("max") / pl.len()
    return ranked.select(
        CUSTOMER,
        "contribution",
        tier.cast(pl.Enum(list(TIERS))).alias("value_tier"),
        percentile.alias("value_percentile"),
    )


def _has_orders(marts: Marts) -> bool:
    people = marts.frame("customer_summary")
    return "last_order_on" in people.columns and people["last_order_on"].count() > 0


def _can_predict(marts: Marts) -> bool:
    """Whether lifetime models may be fitted: orders without contracts, of enough customers and days."""
    if not _has_orders(marts):
        return False
    return not outlook(marts).against


def _predicted(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    found = outlook(marts)
    if not found.best:
        return pl.DataFrame(
            schema={CUSTOMER: pl.UInt32, **{name: fact.dtype for name, fact in _PREDICTED.items()}}
        )
    terms = Terms(marts.as_of, MONTHS, DISCOUNT, 1.0 if found.margin is None else found.margin)
    return found.values(terms).rename({"value": "lifetime_value"}).select(CUSTOMER, *_PREDICTED)


def _movement(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    empty = pl.DataFrame(schema={CUSTOMER: pl.UInt32, "movement": pl.Enum(PATTERNS)})
    by = "channel" if len(marts.attributes.get("channel", ())) > 1 else None
    windows = busiest(marts, by=by)
    if windows is None:
        return empty
    found = movements(marts, windows, by=by)
    return found.select(CUSTOMER, pl.col("pattern").cast(pl.Enum(PATTERNS)).alias("movement"))


LIFECYCLE: Final = Family(
    "lifecycle", "Lifecycle", lambda marts: _LIFECYCLE if _has_orders(marts) else {}, _lifecycle
)
VALUE: Final = Family("value", "Orders and value", lambda marts: _VALUE if _has_orders(marts) else {}, _value)
PREDICTED: Final = Family(
    "predicted", "Predictions", lambda marts: _PREDICTED if _can_predict(marts) else {}, _predicted
)
MOVEMENT: Final = Family(
    "movement",
    "Predictions",
    lambda marts: _MOVEMENT if _has_orders(marts) else {},
    _movement,
    slow=True,
)
