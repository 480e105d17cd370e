"""The questions of the page on customer equity; every answer is kept by the desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics.equity import Convention
from metrics.equity_drivers import (
    DISCOUNT,
    Measured,
    Year,
    YearStatement,
    drivers,
    drivers_by,
    year_ends,
    year_statement,
)
from metrics.equity_years import CHANNEL, channel_costs, contribution, equity_year, segments
from metrics.frames import Marts
from metrics.migration import recency_rates
from metrics.payback import margins_of_won, payback_by_channel
from metrics.reasons import Reason
from metrics.selection import Missing


@dataclass(frozen=True)
class Terms:
    """The yearly discount rate, and when the first margin is taken to come."""

    discount: float = DISCOUNT
    convention: Convention = "end"

    @classmethod
    def of(cls, found: Measured) -> Terms:
        """Those under which drivers were measured."""
        return cls(found.drivers.discount, found.drivers.convention)


def marts(desk: Desk, scope: Scope) -> Marts:
    """The marts under the filters on customers; equity is that of whole customers, so categories stay out."""
    return desk.marts(replace(scope, categories=()))


def ends_on(desk: Desk, scope: Scope) -> date:
    """The last day of the year that the page is about: that of the period, or of the data in it."""
    return min(desk.calendar.end(scope.period, scope.grain), desk.as_of)


def year(desk: Desk, scope: Scope, back: int = 0) -> Year:
    """The year of customers that ends with the scope's period, or so many years before it."""
    at = year_ends(ends_on(desk, scope), back)[back] if back else ends_on(desk, scope)
    question = f"equity year {at} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: equity_year(marts(desk, scope), at))


def measured(
    desk: Desk, scope: Scope, terms: Terms, segment: tuple[str, str] | None = None
) -> Measured | Reason:
    """The drivers of the chosen customers, or of those of them with one value of an attribute."""
    if segment is None:
        return drivers(year(desk, scope), terms.discount, terms.convention)
    attribute, value = segment
    found = by(desk, scope, attribute, terms).get(value)
    text = f"No customer of `{value}` ordered in these two years. Choose another segment"
    return found or Reason("no_customers", text)


def by(desk: Desk, scope: Scope, attribute: str, terms: Terms) -> Mapping[str, Measured | Reason]:
    """The drivers of each value of an attribute; channels with what was spent on each of them."""
    found = year(desk, scope)

    def made() -> Mapping[str, Measured | Reason]:
        whole = marts(desk, scope)
        own = channel_costs(whole, found.ends_on) if attribute == CHANNEL else None
        return drivers_by(found, segments(whole, attribute), own, terms.discount, terms.convention)

    return desk.kept(f"equity by {attribute} {found.ends_on} {terms} {sorted(scope.attributes)}", made)


def statement(desk: Desk, scope: Scope, terms: Terms) -> YearStatement | Reason:
    """The Customer Equity Statement of the year."""
    return year_statement(year(desk, scope), year(desk, scope, 1), terms.discount, terms.convention)


def contributions(desk: Desk, scope: Scope) -> pl.DataFrame:
    """What each customer who ordered in the year brought in it; see `contribution`."""
    found = year(desk, scope)
    question = f"equity customers {found.ends_on} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: contribution(marts(desk, scope), found))


def lists(
    desk: Desk, scope: Scope, line: str, segment: tuple[str, str] | None = None, back: int = 0
) -> pl.DataFrame:
    """The customers behind a line of the statement of a year, the largest revenue of all time first.

    `segment`: only those with one value of an attribute; `back`: so many years earlier.
    """
    kinds = {
        "opening": pl.col("before"),
        "lost": pl.col("before") & ~pl.col("now"),
        "new": pl.col("now") & pl.col("is_new"),
        "returned": pl.col("now") & ~pl.col("before") & ~pl.col("is_new"),
        "closing": pl.col("now"),
    }
    in_the_year = () if line == "lost" else ("orders", "net_amount", "margin")
    chosen = year(desk, scope, back) if segment is None else _of(desk, year(desk, scope, back), segment)
    found = chosen.people.filter(kinds[line]).select("customer", *in_the_year)
    people = desk.whole.frame("customer_summary").select(
        "customer", "last_order_on", net_ever="net_amount", orders_ever="orders"
    )
    joined = found.join(people, on="customer", how="left", maintain_order="left")
    return with_ids(desk, joined.sort("net_ever", "customer", descending=[True, False], nulls_last=True))


def _of(desk: Desk, found: Year, segment: tuple[str, str]) -> Year:
    attribute, value = segment
    return found.of(segments(desk.whole, attribute).filter(pl.col("segment") == value)["customer"])


def channels(desk: Desk, scope: Scope, discount: float) -> pl.DataFrame:
    """Payback of the customers won in the year before last, by channel, over the twelve months after.

    See `payback_by_channel`; Raises Missing without channels, or without money spent on acquisition.
    """
    found = year(desk, scope, 1)
    question = f"equity channels {found.ends_on} {discount} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _channels(marts(desk, scope), found, discount))


def _channels(chosen: Marts, found: Year, discount: float) -> pl.DataFrame:
    if CHANNEL not in chosen.attributes:
        fault = "customers have no channel: map `channel` of the customers"
        raise Missing(fault)
    spent = channel_costs(chosen, found.ends_on)
    if not spent:
        fault = "no source gives `spend` split by channel"
        raise Missing(fault)
    end, start = year_ends(found.ends_on, 1)
    named = segments(chosen, CHANNEL).rename({"segment": CHANNEL})
    members = named.join(found.people.select("customer"), on="customer", how="semi")
    orders = chosen.columns("orders", "customer", "ordered_on", "first_orders", "margin")
    margins = margins_of_won(orders, members, start, end)
    won = margins.unique(CHANNEL).select(
        CHANNEL,
        "customers",
        acquisition_cost=pl.col(CHANNEL).replace_strict(
            {name: each.per_new for name, each in spent.items()}, return_dtype=pl.Float64
        ),
    )
    return payback_by_channel(won, margins, (1 + discount) ** (1 / 12) - 1)


def recency(desk: Desk, scope: Scope) -> pl.DataFrame:
    """How many ordered again by how long ago their last order was; see `recency_rates`."""
    at, whole = ends_on(desk, scope), marts(desk, scope)

    def made() -> pl.DataFrame:
        rows = whole.columns("orders", "customer", "ordered_on", "orders", "margin")
        orders = rows.filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
        if whole.mask is not None:
            orders = orders.filter(whole.mask.gather(orders["customer"]))
        return recency_rates(orders, at)

    return desk.kept(f"equity recency {at} {sorted(scope.attributes)}", made)
