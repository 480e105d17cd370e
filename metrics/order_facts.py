"""Facts from the customer table and from orders: who a customer is, what, when and how much he bought."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from connectors.tables import MONEY, facts
from metrics.customer_facts import CUSTOMER, Fact, Family
from metrics.frames import Marts
from metrics.orders import MEASURES
from metrics.panels import DERIVED
from metrics.runs import starts, sums

YEAR: Final = timedelta(days=365)
PERSONAL: Final = frozenset(name for name in ("name", "email") if facts("customers", name).get("personal"))
"""Columns that name a person: no rule may read them."""

_COUNT, _DAY, _FLOAT, _TEXT = pl.Int32(), pl.Date(), pl.Float64(), pl.String()
_SUMS: Final[Mapping[str, Fact]] = {
    "first_order_on": Fact(_DAY, "First order", about="The day of the first order."),
    "last_order_on": Fact(_DAY, "Last order", about="The day of the last order."),
    "orders": Fact(_COUNT, "Orders", "count", "Orders ever."),
    "order_days": Fact(_COUNT, "Days with an order", "count", "Different days with an order."),
    "lines": Fact(_COUNT, "Order lines", "count", "Lines ever, returns among them."),
    "categories": Fact(_COUNT, "Categories", "count", "Different categories ever bought from."),
    "quantity": Fact(_FLOAT, "Units", "ratio", "Units bought less those returned."),
    "gross_amount": Fact(MONEY, "Gross revenue", "money", "Paid for goods, before returns."),
    "returned_amount": Fact(MONEY, "Returned", "money", "Value of returned goods, negative."),
    "net_amount": Fact(MONEY, "Revenue", "money", "Paid for goods less returns, ever."),
    "margin": Fact(MONEY, "Margin", "money", "Net revenue less the cost of goods, ever."),
    "discount": Fact(MONEY, "Discount", "money", "Taken off list prices, ever."),
}
_MADE: Final[Mapping[str, Fact]] = {
    "recency_days": Fact(_COUNT, "Days since order", "count", "Days from the last order to the as-of day."),
    "age_days": Fact(_COUNT, "Days a customer", "count", "Days from the first order to the as-of day."),
    "average_order": Fact(_FLOAT, "Average order", "money", "Net revenue over orders."),
    "return_rate": Fact(_FLOAT, "Return rate", "rate", "Value returned over gross revenue."),
}
_YEAR: Final[Mapping[str, Fact]] = {
    "orders_365d": Fact(pl.Int64(), "Orders, last year", "count", "Orders in the last 365 days."),
    "net_amount_365d": Fact(MONEY, "Revenue, last year", "money", "Net revenue of the last 365 days."),
}
_CATEGORY: Final[Mapping[str, Fact]] = {
    "top_category": Fact(
        _TEXT, "Main category", about="Where most was paid; of equal ones the first by name."
    )
}


def _profile(marts: Marts) -> dict[str, Fact]:
    """Every column of the customers that is neither personal nor a sum."""
    taken = {CUSTOMER, *PERSONAL, *_SUMS, *MEASURES, *DERIVED}
    given = {name: dtype for name, dtype in _people(marts).schema.items() if name not in taken}
    known = {"customer_id": "Customer", "joined_on": "Joined"}
    return {
        name: Fact(dtype, known.get(name, name.replace("_", " ").strip().capitalize()))
        for name, dtype in given.items()
        if _given(marts, name)
    }


def _people(marts: Marts) -> pl.DataFrame:
    return marts.frame("customer_summary")


def _given(marts: Marts, name: str) -> bool:
    """Whether a column has any value; one that is null throughout is given by no source."""
    people = _people(marts)
    return name in people.columns and (people.is_empty() or people[name].null_count() < len(people))


def _sums(marts: Marts) -> dict[str, Fact]:
    there = {name: fact for name, fact in _SUMS.items() if _given(marts, name)}
    if "last_order_on" not in there:
        return {}
    needs = {"return_rate": "gross_amount", "average_order": "net_amount"}
    return there | {name: fact for name, fact in _MADE.items() if needs.get(name, "orders") in there}


def _of_summary(marts: Marts, names: frozenset[str]) -> pl.DataFrame:
    """Facts that the customer summary holds, or that follow from its row."""
    day = pl.lit(marts.as_of)
    net, gross, back = (
        pl.col(name).cast(pl.Float64) for name in ("net_amount", "gross_amount", "returned_amount")
    )
    made = {
        "recency_days": (day - pl.col("last_order_on")).dt.total_days().cast(pl.Int32),
        "age_days": (day - pl.col("first_order_on")).dt.total_days().cast(pl.Int32),
        "average_order": pl.when(pl.col("orders") > 0).then(net / pl.col("orders")),
        "return_rate": pl.when(gross > 0).then(back.abs() / gross),
    }
    wanted = (made[name].alias(name) if name in made else pl.col(name) for name in sorted(names))
    return _people(marts).select(CUSTOMER, *wanted)


def _last_year(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    """Orders and net revenue of the last 365 days."""
    rows = marts.in_units("orders", (CUSTOMER, "ordered_on", "orders", "net_amount"))
    recent = rows.filter(pl.col("ordered_on") > marts.as_of - YEAR, pl.col("ordered_on") <= marts.as_of)
    money = (pl.col("net_amount").sum().cast(pl.Decimal(38, 4)) / 10_000).cast(MONEY)
    return recent.group_by(CUSTOMER).agg(
        pl.col("orders").sum().cast(pl.Int64).alias("orders_365d"), money.alias("net_amount_365d")
    )


def _main_category(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    """The category in which each customer paid most; baskets stand by category and customer."""
    rows = marts.in_units("baskets", (CUSTOMER, "category", "gross_amount"))
    known = rows.filter(pl.col(CUSTOMER).is_not_null(), pl.col("category").is_not_null())
    at = starts(known["category"], known[CUSTOMER])
    paid = known.select(CUSTOMER, "category")[at].with_columns(sums(known, ["gross_amount"], at))
    most = pl.col("gross_amount") == pl.col("gross_amount").max().over(CUSTOMER)
    return paid.filter(most).group_by(CUSTOMER).agg(pl.col("category").min().alias("top_category"))


PROFILE: Final = Family("profile", "Attributes", _profile, _of_summary)
ORDERS: Final = Family("orders", "Orders and value", _sums, _of_summary)
LAST_YEAR: Final = Family(
    "last_year",
    "Orders and value",
    lambda marts: _YEAR if "orders" in marts.frames else {},
    _last_year,
    frozenset(_YEAR),
)
CATEGORIES: Final = Family(
    "categories",
    "Categories",
    lambda marts: _CATEGORY if marts.categories else {},
    _main_category,
)
