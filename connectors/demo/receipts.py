"""The demonstration's order lines as a file: what was sold and what came back."""

import numpy as np
import polars as pl

from connectors.demo.baskets import Lines, sku
from connectors.demo.calendar import Flags, Floats, Ints, whole
from connectors.demo.files import code, money
from connectors.demo.orders import DAY, HEAVY, RETURNS, Orders
from connectors.demo.people import People
from connectors.demo.world import World, labels


def receipts(
    lines: Lines, orders: Orders, trait: Ints, people: People, world: World, first: int
) -> pl.DataFrame:
    """All lines, sold and returned, in the order of time; orders are numbered from `first`."""
    sold = _sold(lines, orders, people, world, first)
    return pl.concat([sold, _returned(sold, lines, orders, trait, world)]).sort(
        "order_time", "order_no", "line", maintain_order=True
    )


def returned_orders(frame: pl.DataFrame, first: int) -> Ints:
    """Positions of the orders of which something came back, in order, each once."""
    back = frame["returns_order"].drop_nulls().unique().sort()
    return back.to_numpy().astype(np.int64) - first


def _sold(lines: Lines, orders: Orders, people: People, world: World, first: int) -> pl.DataFrame:
    ends = world.history.days * DAY
    arrived = orders.shipped & ~orders.cancelled & (orders.delivered < ends)
    head = pl.DataFrame({
        "order_no": np.arange(orders.size) + first,
        "customer_no": _if(orders.known, people.numbers[orders.customer]),
        "order_time": world.history.moments(orders.placed),
        "channel": labels(world.truths.segments, orders.channel),
        "status": _statuses(orders, arrived),
        "promised": _if(orders.shipped, world.history.moments(orders.promised)),
        "delivered": _if(arrived, world.history.moments(orders.delivered)),
    })  # fmt: skip
    return head[lines.order].with_columns(
        pl.Series("line", lines.place + 1),
        pl.Series("sku", lines.product),
        labels(world.catalogue.categories, lines.category).alias("category"),
        pl.Series("quantity", lines.quantity),
        pl.Series("list_amount", lines.gross),
        pl.Series("paid", lines.net),
        pl.Series("cost", lines.goods + lines.handling),
        pl.lit(None, pl.Int64).alias("returns_order"),
    )


def _if(condition: Flags, values: Ints | np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> pl.Series:
    return pl.Series(values).set(pl.Series(~condition), None)


def _statuses(orders: Orders, arrived: Flags) -> pl.Series:
    code = np.where(orders.shipped, np.where(arrived, 1, 2), 0)
    return labels(("sold", "delivered", "shipped", "cancelled"), np.where(orders.cancelled, 3, code))


def _returned(sold: pl.DataFrame, lines: Lines, orders: Orders, trait: Ints, world: World) -> pl.DataFrame:
    """The lines that come back, on one day an order: negative amounts, part of the goods' cost recovered."""
    rng = world.rng("returns")
    who = trait[orders.customer[lines.order]]
    rate, recovered = _rates(who, lines, world)
    after = np.where(orders.shipped, orders.delivered, orders.placed) // DAY + rng.integers(
        3, 26, orders.size
    )
    back = (rng.random(lines.size) < rate) & ~orders.cancelled[lines.order]
    rows = np.flatnonzero(back & (after[lines.order] < world.history.days))
    minute = after * DAY + rng.integers(9 * 60, 20 * 60, orders.size)
    at = world.history.moments(minute[lines.order[rows]])
    cost = -whole(recovered[rows] * lines.goods[rows])
    nowhen = pl.lit(None, pl.Datetime("us"))
    return sold[rows].with_columns(
        -pl.col("quantity", "paid"),
        returns_order="order_no",
        order_time=pl.Series(at),
        status=pl.lit("returned"),
        promised=nowhen,
        delivered=nowhen,
        list_amount=-pl.col("paid"),
        cost=pl.Series(cost),
    )


def _rates(who: Ints, lines: Lines, world: World) -> tuple[Floats, Floats]:
    """Chance that each line comes back, and the share of its cost that is recovered then."""
    truths = world.truths
    usual = truths.returns.rate * world.catalogue.of_categories("returns")[lines.category]
    heavy, cross = truths.heavy_returners, truths.cross_buyers.traits.returns
    kinds = [who == HEAVY, who == RETURNS]
    return (
        np.select(kinds, [heavy.rate, cross.rate], usual),
        np.select(kinds, [heavy.recovered, cross.recovered], truths.returns.recovered),
    )


def coded(frame: pl.DataFrame) -> pl.DataFrame:
    """Lines with ids for numbers and decimals for cents."""
    number = (
        pl.when(pl.col("returns_order").is_null())
        .then(code("A", "order_no"))
        .otherwise(code("R", "order_no"))
    )
    return money(frame, "list_amount", "paid", "cost").select(
        order_no=number,
        line="line",
        customer_no=code("C", "customer_no"),
        order_time="order_time",
        channel="channel",
        status="status",
        promised="promised",
        delivered="delivered",
        sku=sku("sku"),
        category="category",
        quantity="quantity",
        list_amount="list_amount",
        paid="paid",
        cost="cost",
        returns_order=code("A", "returns_order"),
    )
