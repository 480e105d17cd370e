"""The years of customers that equity is measured on, out of the marts of a version."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from metrics.equity_drivers import Costs, Year, costs, customer_years, year_ends
from metrics.frames import Marts
from metrics.selection import Missing

CHANNEL: Final = "channel"
_EVERYBODY: Final = "all"


def equity_year(marts: Marts, at: date) -> Year:
    """The selected customers in the year to `at`, and what was spent on them.

    Money spent is that of the chosen channels where a selection names some and all spending is split by
    channel; else everybody's per customer. Raises Missing without order lines, and under a selection of
    categories or lines, since equity is that of whole customers.
    """
    if marts.selection.categories or marts.of_lines:
        fault = "customer equity cannot be split by category or order line"
        raise Missing(fault)
    everybody = _everybody(marts, at)
    people = everybody if marts.mask is None else everybody.filter(marts.mask.gather(everybody["customer"]))
    chosen = tuple(marts.selection.attributes.get(CHANNEL, ()))
    own = _channel_costs(marts, at, chosen) if chosen else None
    spent = costs(_spending(marts), everybody, at) if own is None else own
    first = marts.kept("first order", lambda: marts.columns("orders", "ordered_on")["ordered_on"].min())
    return Year(people, at, first if isinstance(first, date) else at, spent, _has_cost(marts))


def channel_costs(marts: Marts, at: date) -> Mapping[str, Costs]:
    """What each channel spent on its customers in the year to `at`; none where spending is not split so."""
    values = marts.attributes.get(CHANNEL, ())
    found = {value: _channel_costs(marts, at, (value,)) for value in values}
    return {value: each for value, each in found.items() if each is not None}


def segments(marts: Marts, attribute: str) -> pl.DataFrame:
    """`customer` and `segment`, the value of an attribute, of every customer who has one."""
    people = marts.frame("customer_summary")
    return people.select("customer", pl.col(attribute).cast(pl.String).alias("segment")).drop_nulls()


def contribution(marts: Marts, year: Year) -> pl.DataFrame:
    """What each customer who ordered in the year brought in it, the largest revenue first.

    `customer`, `orders`, `net_amount`, `margin`, `profit`: margin less what the customer's contacts cost.
    """
    cost = _contact_costs(marts, year.ends_on)
    return (
        year.active.select("customer", "orders", "net_amount", "margin")
        .join(cost, on="customer", how="left", maintain_order="left")
        .with_columns(profit=pl.col("margin") - pl.col("contact_cost").fill_null(0))
        .drop("contact_cost")
        .sort("net_amount", "customer", descending=[True, False])
    )


def _everybody(marts: Marts, at: date) -> pl.DataFrame:
    wanted = ("customer", "ordered_on", "orders", "first_orders", "net_amount", "margin")
    return marts.kept(("customer years", at), lambda: customer_years(marts.columns("orders", *wanted), at))


def _channel_costs(marts: Marts, at: date, channels: tuple[str, ...]) -> Costs | None:
    spending = _spending(marts)
    if spending is None or CHANNEL not in spending.columns or CHANNEL not in marts.attributes:
        return None
    spent_by = pl.col(CHANNEL).cast(pl.String)
    if spending.select((spent_by.is_null() | (spent_by == _EVERYBODY)).any()).item():
        return None
    people = _everybody(marts, at)
    members = segments(marts, CHANNEL).filter(pl.col("segment").is_in(channels))
    return costs(
        spending.filter(spent_by.is_in(channels)), people.join(members, on="customer", how="semi"), at
    )


def _spending(marts: Marts) -> pl.DataFrame | None:
    return marts.frame("spending") if "spending" in marts.frames else None


def _has_cost(marts: Marts) -> bool:
    people = marts.frame("customer_summary")
    return "cost" in people.columns and people["cost"].null_count() < len(people)


def _contact_costs(marts: Marts, at: date) -> pl.DataFrame:
    """What each customer's contacts cost in the year; no rows where that is not known."""
    rows = marts.frame("contacts") if "contacts" in marts.frames else pl.DataFrame()
    if "cost" not in rows.columns:
        return pl.DataFrame(schema={"customer": pl.UInt32, "contact_cost": pl.Decimal(38, 4)})
    end, start = year_ends(at, 1)
    recent = rows.filter(pl.col("occurred_on") > start, pl.col("occurred_on") <= end)
    return recent.group_by("customer").agg(contact_cost=pl.col("cost").sum())
