"""Cross-buyers who lose money: customers of several categories whose contribution is below zero, and why.

After Shah, Kumar, Qu and Chen (2012): the average cross-buyer earns more, yet a few lose most of what is
lost, and every further category deepens their loss. Four traits set them apart; each is judged against the
cross-buyers who earn money, so that no threshold is invented.
"""

from typing import Final

import polars as pl

from metrics.crossbuying import EVER
from metrics.frames import CATEGORY, Marts
from metrics.periods import Window
from metrics.relations import RELATIONS
from metrics.selection import Missing

TRAITS: Final = ("service", "returns", "discount", "limit")
"""Contacts and visits that cost much; goods sent back; bought at a discount only; spends very little."""
EXTREME: Final = 0.95
_UNITS: Final = 10_000
_SUMS: Final = frozenset({"orders", "gross_amount", "returned_amount", "discount", "margin", "net_amount"})


def accounts(marts: Marts, baskets: pl.DataFrame | pl.LazyFrame, window: Window = EVER) -> pl.DataFrame:
    """What each customer brought and cost, one row a customer who bought anything, sorted.

    `baskets` are the rows of `metrics.crossbuying.basket_rows`. `customer`, `categories` (bought, returned or
    not: whoever sends back five categories is a cross-buyer who costs money), `orders`, `gross_amount`,
    `returned_amount`, `discount`, `net_amount`, `margin`, `contact_cost`, `contribution` (margin less contact
    cost), in whole currency. Raises Missing where no cost of goods is known.
    """
    rows = marts.rows(RELATIONS["orders"], window, _SUMS, exact=frozenset())
    if rows["margin"].null_count() == len(rows):
        fault = "contribution needs the cost of goods, which no source gives"
        raise Missing(fault)
    known = rows.filter(pl.col("customer").is_not_null())
    money = sorted(_SUMS - {"orders"})
    sums = known.group_by("customer").agg(
        pl.col("orders").sum().cast(pl.Int64),
        *(pl.col(name).fill_null(0).sum().cast(pl.Float64) / _UNITS for name in money),
    )
    bought = baskets.lazy().filter(pl.col("purchases") > 0).select("customer", CATEGORY).unique()
    width = bought.group_by("customer").agg(pl.len().cast(pl.Int64).alias("categories")).collect()
    joined = width.join(sums, on="customer").join(_contact_costs(marts, window), on="customer", how="left")
    cost = pl.col("contact_cost").fill_null(0.0)
    return joined.with_columns(contact_cost=cost, contribution=pl.col("margin") - cost).sort("customer")


def _contact_costs(marts: Marts, window: Window) -> pl.DataFrame:
    """What contacts with each customer cost; no rows where that is not recorded."""
    try:
        rows = marts.rows(RELATIONS["interactions"], window, frozenset({"cost"}))
    except Missing:
        return pl.DataFrame(schema={"customer": pl.UInt32, "contact_cost": pl.Float64})
    cost = pl.col("cost").cast(pl.Float64).fill_null(0.0).sum().alias("contact_cost")
    return rows.filter(pl.col("customer").is_not_null()).group_by("customer").agg(cost)


def with_traits(customers: pl.DataFrame, extreme: float = EXTREME) -> pl.DataFrame:
    """The customers of `accounts` with how far each goes in the four ways of losing money.

    `service`: contact cost over gross revenue; `returns`: returned over gross revenue; `discount`: discount
    over the list price; `limit`: gross revenue an order. Further `loses` (two categories or more and a
    contribution below zero), `traits` (the names of those that reach beyond what all but 5 % of the
    cross-buyers who earn money do, the most extreme first) and `trait` (the first of them, null without).
    Extremes are measured in steps from the median to that limit.
    """
    gross = pl.col("gross_amount")
    list_price = gross + pl.col("discount")
    shown = customers.with_columns(
        service=pl.when(gross > 0).then(pl.col("contact_cost") / gross),
        returns=pl.when(gross > 0).then(pl.col("returned_amount").abs() / gross),
        discount_rate=pl.when(list_price > 0).then(pl.col("discount") / list_price),
        limit=pl.when(pl.col("orders") > 0).then(gross / pl.col("orders")),
        loses=(pl.col("categories") >= 2) & (pl.col("contribution") < 0),
    )
    peers = shown.filter(pl.col("categories") >= 2, pl.col("contribution") >= 0)
    depths = [_depth(peers, name, extreme) for name in TRAITS]
    ranked = pl.concat_list(
        pl.struct(depth.alias("depth"), pl.lit(name).alias("name"))
        for name, depth in zip(TRAITS, depths, strict=True)
    ).list.sort(descending=True)
    reached = ranked.list.filter(pl.element().struct.field("depth") > 1)
    names = reached.list.eval(pl.element().struct.field("name"))
    return shown.with_columns(traits=names, trait=names.list.first())


def _depth(peers: pl.DataFrame, name: str, extreme: float) -> pl.Expr:
    """Steps from the median of the peers to their extreme; spending counts in logs, downwards."""
    column = {"discount": "discount_rate"}.get(name, name)
    value = -pl.col(column).log() if name == "limit" else pl.col(column)
    facts = peers.select(middle=value.median(), edge=value.quantile(extreme, "linear")).row(0)
    middle, edge = (0.0 if fact is None else float(fact) for fact in facts)
    step = edge - middle
    if step <= 0:
        return pl.lit(0.0)
    return ((value - middle) / step).fill_null(0.0)


def losses(customers: pl.DataFrame) -> dict[str, float]:
    """How much of all losses the cross-buyers make, from the rows of `with_traits`.

    `cross_buyers`, `losing` (of them), `loss` (theirs, negative), `total_loss` (of all customers who lose
    money, negative), `share` (loss / total loss), `losing_share` (losing / cross-buyers), `mean_earning` and
    `mean_losing` (contribution a customer); a share of nothing is not a number.
    """
    cross = customers.filter(pl.col("categories") >= 2)
    losing = cross.filter("loses")["contribution"]
    earning = cross.filter(~pl.col("loses"))["contribution"]
    loss = float(losing.sum())
    total = float(customers.filter(pl.col("contribution") < 0)["contribution"].sum())
    nan = float("nan")
    return {
        "cross_buyers": len(cross),
        "losing": len(losing),
        "loss": loss,
        "total_loss": total,
        "share": loss / total if total else nan,
        "losing_share": len(losing) / len(cross) if len(cross) else nan,
        "mean_earning": float(earning.sum()) / len(earning) if len(earning) else nan,
        "mean_losing": loss / len(losing) if len(losing) else nan,
    }


def by_trait(customers: pl.DataFrame) -> pl.DataFrame:
    """The losing cross-buyers by what sets them apart most: `trait` (null: none), `customers`, `loss`."""
    rows = (
        customers.filter("loses")
        .group_by("trait")
        .agg(pl.len().cast(pl.Int64).alias("customers"), pl.col("contribution").sum().alias("loss"))
    )
    return rows.sort("loss", "trait", nulls_last=True)
