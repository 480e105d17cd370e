"""The questions of the cross-buying page; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics import crossbuying
from metrics.affinity import Unit, association, pair_counts
from metrics.cross_buyers import accounts, with_traits
from metrics.direction import Lead, Loyalty, directions, panel, periods_until
from metrics.event_times import lives_until
from metrics.frames import CATEGORY, Marts
from metrics.itemsets import itemsets
from metrics.next_category import Trained, trained
from metrics.next_category_offers import first_margins, offers
from metrics.next_category_quality import comparison, scores
from metrics.reasons import Reason
from metrics.selection import Missing

ORDERS: Final = 8
"""Up to how many orders customers are compared."""
PRODUCTS: Final = 40
"""Products shown of those that are bought together, the most frequent."""
_SET_SHARE: Final = 0.001


@dataclass(frozen=True, eq=False)
class Bought:
    """The baskets of the chosen customers, what they hold, and how broadly each of them buys.

    `customers` carry the attributes that groups are made by.
    """

    rows: pl.DataFrame
    held: pl.DataFrame
    customers: pl.DataFrame


def bought(desk: Desk, scope: Scope) -> Bought:
    """What was bought under the filters. Raises Missing where no order line has a category."""
    return desk.kept(f"cross-buying {scope.filters}", lambda: _bought(desk, desk.marts(scope)))


def _bought(desk: Desk, marts: Marts) -> Bought:
    rows = crossbuying.basket_rows(marts)
    if rows.is_empty():
        fault = "no order line of these customers has a category"
        raise Missing(fault)
    held = crossbuying.holdings(rows)
    people = desk.whole.frame("customer_summary")
    broad = crossbuying.breadth(rows, held)
    grouped = broad.with_columns(people[name].gather(broad["customer"]) for name in desk.attributes)
    return Bought(rows, held, grouped)


def summary(desk: Desk, scope: Scope, by: str | None = None) -> pl.DataFrame:
    """How broadly customers buy, all or by an attribute."""
    found = bought(desk, scope)
    return desk.kept(
        f"cross-buying summary {by} {scope.filters}", lambda: crossbuying.summary(found.customers, by)
    )


def rarefied(desk: Desk, scope: Scope, by: str | None = None) -> pl.DataFrame:
    """Categories to expect in so many orders, all or by an attribute."""
    found = bought(desk, scope)
    return desk.kept(
        f"cross-buying rarefied {by} {scope.filters}",
        lambda: crossbuying.rarefaction(found.held, found.customers, ORDERS, by),
    )


def penetration(desk: Desk, scope: Scope, by: str) -> pl.DataFrame:
    """The share of each group that holds each category, all of them together ahead."""
    found = bought(desk, scope)

    def made() -> pl.DataFrame:
        tables = (crossbuying.penetration(found.held, found.customers, each) for each in (None, by))
        return pl.concat(tables)

    return desk.kept(f"cross-buying penetration {by} {scope.filters}", made)


def beginnings(desk: Desk, scope: Scope) -> pl.DataFrame:
    """What became of those who began in each category."""
    found = bought(desk, scope)
    return desk.kept(
        f"cross-buying beginnings {scope.filters}",
        lambda: crossbuying.first_categories(found.held, lives(desk, scope)),
    )


def lives(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Times until a second category."""
    return desk.kept(
        f"cross-buying lives {scope.filters}", lambda: lives_until(desk.marts(scope), "second_category")
    )


@dataclass(frozen=True, eq=False)
class Together:
    """Pairs with their measures, best leverage first, over `n` orders or customers."""

    pairs: pl.DataFrame
    n: int


def together(desk: Desk, scope: Scope, unit: Unit, item: str) -> Together:
    """What goes together by order or customer: categories, or the most frequent products."""
    return desk.kept(f"affinity {unit} {item} {scope.filters}", lambda: _together(desk, scope, unit, item))


def _together(desk: Desk, scope: Scope, unit: Unit, item: str) -> Together:
    pairs, n = pair_counts(_units(desk, scope, item).lazy(), unit, "item")
    return Together(association(pairs, n), n)


def _units(desk: Desk, scope: Scope, item: str) -> pl.DataFrame:
    """What was bought: customer, order, item."""
    rows = bought(desk, scope).rows.filter(pl.col("purchases") > 0)
    if item == CATEGORY:
        return rows.select("customer", "order", pl.col(CATEGORY).cast(pl.String).alias("item"))
    return desk.kept(f"products {scope.filters}", lambda: _products(desk, rows))


def _products(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    """The lines of the most frequent products in the orders of `rows`. Raises Missing without any."""
    lines = desk.whole.frames["order_lines"].lazy()
    if "product_id" not in lines.collect_schema():
        fault = "no source gives `product_id` of `order_lines`"
        raise Missing(fault)
    ids = desk.whole.frame("orders").select("order", "order_id").unique()
    orders = rows.select("customer", "order").unique().join(ids, on="order").lazy()
    sold = lines.filter(~pl.col("is_return"), pl.col("product_id").is_not_null())
    kept = sold.select("order_id", "product_id").join(orders, on="order_id").collect()
    counts = kept.group_by("product_id").agg(pl.len().alias("n"))
    most = counts.sort("n", "product_id", descending=[True, False]).head(PRODUCTS)
    named = kept.join(most, on="product_id", how="semi").with_columns(item=pl.col("product_id"))
    if "products" in desk.whole.frames:
        names = desk.whole.frames["products"].lazy().select("product_id", "name").collect()
        named = named.join(names, on="product_id", how="left").with_columns(
            item=pl.coalesce("name", "product_id")
        )
    return named.select("customer", "order", "item")


def sets(desk: Desk, scope: Scope, unit: Unit, item: str) -> pl.DataFrame:
    """Itemsets of three and more that at least a thousandth of the units hold, ten of them at least."""

    def made() -> pl.DataFrame:
        least = max(10, round(_SET_SHARE * together(desk, scope, unit, item).n))
        found = itemsets(_units(desk, scope, item).lazy(), least, unit, "item")
        return found.filter(pl.col("size") > 2)

    return desk.kept(f"itemsets {unit} {item} {scope.filters}", made)


def losing(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Every customer's account with its traits. Raises Missing where cost is not known."""
    found = bought(desk, scope)
    return desk.kept(
        f"cross-buyers {scope.filters}", lambda: with_traits(accounts(desk.marts(scope), found.rows))
    )


def losing_list(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The cross-buyers who lose money, the greatest loss first, with what is known of them."""
    columns = (
        "customer",
        "contribution",
        "categories",
        "orders",
        "net_amount",
        "margin",
        "contact_cost",
        "service",
        "returns",
        "discount_rate",
        "limit",
        "traits",
    )
    rows = losing(desk, scope).filter("loses").sort("contribution", "customer").select(columns)
    return with_ids(desk, rows)


def direction(desk: Desk, scope: Scope, loyalty: Loyalty) -> tuple[Lead, Lead] | Reason:
    """Whether loyalty leads breadth, or breadth loyalty, over whole quarters."""
    found = bought(desk, scope)
    last = periods_until(desk.whole)
    panel_ = desk.kept(f"direction panel {scope.filters}", lambda: panel(found.rows, desk.calendar, last))
    return desk.kept(f"direction {loyalty} {scope.filters}", lambda: directions(panel_, loyalty))


def following(desk: Desk, scope: Scope, horizon: int) -> Trained | Reason:
    """The model of the next category, and the one by which it is judged."""
    found = bought(desk, scope)
    return desk.kept(
        f"next category {horizon} {scope.filters}",
        lambda: trained(found.rows, _contacts(desk), desk.as_of, horizon),
    )


def _contacts(desk: Desk) -> pl.DataFrame:
    """When customers were in contact; no rows where no source says."""
    if "contacts" not in desk.whole.frames:
        return pl.DataFrame(schema={"customer": pl.UInt32, "occurred_on": pl.Date})
    return desk.whole.frame("contacts").select("customer", "occurred_on").drop_nulls()


def quality(desk: Desk, scope: Scope, horizon: int, found: Trained) -> pl.DataFrame:
    """The model beside rules of thumb on the last window; groups are those of the acquisition channel."""

    def made() -> pl.DataFrame:
        people = desk.whole.frame("customer_summary")
        name = next((each for each in ("channel", "region") if each in people.columns), None)
        codes = pl.zeros(len(found.before.customers), pl.Int64, eager=True)
        if name is not None:
            codes = people[name].gather(found.before.customers).rank("dense").fill_null(0).cast(pl.Int64)
        return comparison(found, scores(found, codes.to_numpy()))

    return desk.kept(f"next category quality {horizon} {scope.filters}", made)


def targets(desk: Desk, scope: Scope, found: Trained) -> pl.DataFrame:
    """What to offer to whom, the most valuable first; cross-buyers who lose money are left out."""

    def made() -> pl.DataFrame:
        worth = first_margins(bought(desk, scope).rows, found.horizon)
        return with_ids(desk, offers(found, worth, _left_out(desk, scope)))

    return desk.kept(f"next category offers {found.horizon} {scope.filters}", made)


def _left_out(desk: Desk, scope: Scope) -> pl.DataFrame:
    try:
        return losing(desk, scope).filter("loses")
    except Missing:
        return pl.DataFrame(schema={"customer": pl.UInt32})
