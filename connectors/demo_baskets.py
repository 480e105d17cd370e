"""What the demonstration's orders hold: categories, affinities, products, money, deliveries and returns."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from connectors.demo_calendar import Floats, History, Ints
from connectors.demo_orders import Orders, counts_before
from connectors.demo_people import People, labels
from connectors.demo_truths import Catalogue, Truths

_MOST_LINES = 6


@dataclass(frozen=True)
class Deliveries:
    """Per order: channel, whether it is delivered, minutes since day 0 of promise and delivery."""

    channel: Ints
    shipped: NDArray[np.bool_]
    promised: Ints
    delivered: Ints

    @property
    def late(self) -> NDArray[np.bool_]:
        """Delivered after the promise."""
        return self.shipped & (self.delivered > self.promised)


@dataclass(frozen=True)
class Lines:
    """Order lines as parallel arrays, sorted by order. Money in whole cents."""

    order: Ints
    category: Ints
    product: Ints
    quantity: Ints
    net: Ints
    gross: Ints
    cost: Ints

    @property
    def size(self) -> int:
        """Number of lines."""
        return self.order.size


def products(catalogue: Catalogue) -> pl.DataFrame:
    """The products file, a product of a category cheaper than the next."""
    rows = [
        (name, department, f"{range_} {noun}")
        for department, group in catalogue.departments.items()
        for name, category in group.items()
        for noun in category.nouns
        for range_ in catalogue.ranges
    ]
    frame = pl.DataFrame(rows, schema=["category", "department", "product"], orient="row")
    return frame.select(
        sku=pl.format("P{}", (pl.int_range(pl.len()) + 1).cast(pl.String).str.zfill(4)),
        product="product",
        category="category",
        department="department",
    )


def deliveries(
    orders: Orders, people: People, history: History, truths: Truths, rng: np.random.Generator
) -> Deliveries:
    """The channel of every order and, outside stores, its promise and delivery."""
    channels = list(truths.segments)
    shares = np.array([[truths.order_channels[s].get(c, 0.0) for c in channels] for s in channels])
    drawn = rng.random(orders.size)
    channel = (drawn[:, None] > np.cumsum(shares, axis=1)[people.segment[orders.customer], :-1]).sum(axis=1)
    shipped = channel != channels.index("store")
    late = rng.random(orders.size) < lateness(orders, people, history, truths)
    days = np.where(late, truths.delivery.promised_days + 1 + rng.geometric(0.35, orders.size), 0)
    days = np.where(late, days, rng.integers(1, truths.delivery.promised_days + 1, orders.size))
    hour = rng.integers(9 * 60, 19 * 60, orders.size)
    promised = (orders.day + truths.delivery.promised_days) * 1440 + 20 * 60
    return Deliveries(channel, shipped, promised, (orders.day + days) * 1440 + hour)


def lateness(orders: Orders, people: People, history: History, truths: Truths) -> Floats:
    """Probability that an order comes late: higher in the East once its warehouse fails."""
    since = history.quarter_start(truths.calendar.failure_quarters_before_end)
    east = people.region[orders.customer] == list(truths.regions).index("East")
    return np.where(east & (orders.day >= since), truths.delivery.late_failure, truths.delivery.late)


def lines(
    orders: Orders,
    sent: Deliveries,
    people: People,
    history: History,
    truths: Truths,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> Lines:
    """The lines of all orders; the net amounts of an order sum to its gamma-gamma value."""
    order, category = _categories(orders, people, history, truths, catalogue, rng)
    net = _amounts(order, category, orders, people, truths, catalogue, rng)
    gross = _gross(net, history.months[orders.day[order]] % 12 == 10, truths, rng)
    product, quantity = _products(gross, category, catalogue, rng)
    rates = np.array([one.cost for one in catalogue.categories.values()])[category]
    opens = np.diff(order, prepend=-1) > 0
    handling = np.where(opens & sent.shipped[order], truths.baskets.handling_per_delivery * 100, 0)
    cost = gross * rates * rng.normal(1, 0.03, order.size) + handling
    return Lines(order, category, product, quantity, net, gross, np.rint(cost).astype(np.int64))


def _categories(
    orders: Orders,
    people: People,
    history: History,
    truths: Truths,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Order and category of every line: the home category or any, then what affinities add."""
    shares = np.array([one.share for one in catalogue.categories.values()])
    plan = truths.baskets
    home = rng.choice(shares.size, people.size, p=shares / shares.sum())[orders.customer]
    recent = np.minimum(counts_before(orders.customer, orders.day, history), 6)
    focus = plan.focus + plan.focus_per_recent_order * recent
    sizes = rng.choice(len(plan.lines), orders.size, p=plan.lines) + 1
    order = np.repeat(np.arange(orders.size), sizes)
    anywhere = rng.choice(shares.size, order.size, p=shares / shares.sum())
    category = np.where(rng.random(order.size) < focus[order], home[order], anywhere)
    return _with_affinities(order, category, orders.size, truths, list(catalogue.categories), rng)


def _with_affinities(
    order: Ints, category: Ints, size: int, truths: Truths, names: list[str], rng: np.random.Generator
) -> tuple[Ints, Ints]:
    held = np.zeros((size, len(names)), dtype=bool)
    held[order, category] = True
    added = [(order, category)]
    for pair in truths.affinities:
        rows = np.flatnonzero(held[:, names.index(pair.first)] & (rng.random(size) < pair.probability))
        added.append((rows, np.full(rows.size, names.index(pair.second))))
    order = np.concatenate([rows for rows, _ in added])
    category = np.concatenate([codes for _, codes in added])
    by_order = np.argsort(order, kind="stable")
    order, category = order[by_order], category[by_order]
    kept = places(order) < _MOST_LINES
    return order[kept], category[kept]


def places(order: Ints) -> Ints:
    """Position of every line within its order, from 0; lines are sorted by order."""
    opens = np.flatnonzero(np.diff(order, prepend=-1))
    return np.arange(order.size, dtype=np.int64) - np.repeat(opens, np.diff(np.append(opens, order.size)))


def _amounts(
    order: Ints,
    category: Ints,
    orders: Orders,
    people: People,
    truths: Truths,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> Ints:
    """Cents of every line: the order's value shared by price level; the first takes what rounding leaves."""
    shape = truths.of_segments("p")[people.segment[orders.customer]]
    value = np.maximum(np.rint(100 * rng.gamma(shape) / people.worth[orders.customer]), 100).astype(np.int64)
    levels = np.array([np.sqrt(one.low * one.high) for one in catalogue.categories.values()])
    weight = levels[category] * rng.lognormal(0, 0.4, order.size)
    totals = np.bincount(order, weight, minlength=orders.size)
    net = np.floor(value[order] * weight / totals[order]).astype(np.int64)
    opens = np.flatnonzero(np.diff(order, prepend=-1))
    net[opens] += value - np.bincount(order, net, minlength=orders.size).astype(np.int64)
    return net


def _gross(net: Ints, november: NDArray[np.bool_], truths: Truths, rng: np.random.Generator) -> Ints:
    plan = truths.baskets
    chance = np.where(november, plan.discounted_november, plan.discounted)
    rate = np.where(rng.random(net.size) < chance, rng.choice(plan.discounts, net.size), 0.0)
    return np.rint(net / (1 - rate)).astype(np.int64)


def _products(
    gross: Ints, category: Ints, catalogue: Catalogue, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Product and quantity: the product of the category whose price is nearest, give or take one step."""
    groups = catalogue.categories.values()
    low, high = (np.array([getattr(one, side) for one in groups])[category] * 100 for side in ("low", "high"))
    pairs = (rng.random(gross.size) < 0.12) & (gross > 2 * low)
    quantity = np.maximum(np.ceil(gross / high), np.where(pairs, 2, 1)).astype(np.int64)
    steps = catalogue.products_per_category
    place = np.log(np.maximum(gross / quantity, low) / low) / np.log(high / low) * (steps - 1)
    step = np.clip(np.rint(place + rng.normal(0, 0.7, gross.size)), 0, steps - 1).astype(np.int64)
    return category * steps + step, quantity


def returned(
    lines: Lines,
    orders: Orders,
    sent: Deliveries,
    history: History,
    truths: Truths,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Lines that come back, and the day on which they do: one day an order."""
    relative = np.array([one.returns for one in catalogue.categories.values()])[lines.category]
    back = (rng.random(lines.size) < truths.returns.rate * relative) & ~orders.cancelled[lines.order]
    arrived = np.where(sent.shipped, sent.delivered // 1440, orders.day)
    day = arrived + rng.integers(3, 26, orders.size)
    rows = np.flatnonzero(back & (day[lines.order] < history.days))
    return rows, day[lines.order[rows]]


def table(
    lines: Lines,
    orders: Orders,
    sent: Deliveries,
    people: People,
    history: History,
    truths: Truths,
    catalogue: Catalogue,
    first_number: int,
) -> pl.DataFrame:
    """The order lines file without returns, sorted by time."""
    order = lines.order
    status = _statuses(orders, sent, history)
    arrived = sent.shipped & ~orders.cancelled & (sent.delivered < history.days * 1440)
    return pl.DataFrame({
        "order_no": first_number + order,
        "line": places(order) + 1,
        "customer_no": _if(orders.known, people.numbers()[orders.customer]).gather(order),
        "order_time": pl.Series(moments(history, orders.day * 1440 + orders.minute)).gather(order),
        "channel": labels(truths.segments, sent.channel).gather(order),
        "status": status.gather(order),
        "promised": _if(sent.shipped, moments(history, sent.promised)).gather(order),
        "delivered": _if(arrived, moments(history, sent.delivered)).gather(order),
        "sku": lines.product,
        "category": labels(catalogue.categories, lines.category),
        "quantity": lines.quantity,
        "list_amount": lines.gross,
        "paid": lines.net,
        "cost": lines.cost,
        "returns_order": pl.repeat(None, lines.size, dtype=pl.Int64, eager=True),
    })  # fmt: skip


def moments(history: History, minutes: Ints) -> NDArray[np.datetime64]:
    """Local date-times of minutes since the start of day 0."""
    return np.datetime64(history.start, "us") + minutes.astype("timedelta64[m]")


def _if(condition: NDArray[np.bool_], values: NDArray[np.int64] | NDArray[np.datetime64]) -> pl.Series:
    return pl.Series(values).set(pl.Series(~condition), None)


def _statuses(orders: Orders, sent: Deliveries, history: History) -> pl.Series:
    names = ("sold", "delivered", "shipped", "cancelled")
    code = np.where(sent.shipped, np.where(sent.delivered < history.days * 1440, 1, 2), 0)
    return labels(names, np.where(orders.cancelled, 3, code))


def return_table(sold: pl.DataFrame, rows: Ints, day: Ints, history: History, truths: Truths) -> pl.DataFrame:
    """The return lines of sold lines: negative quantities and amounts, part of the cost recovered."""
    back = sold[rows]
    return back.with_columns(
        returns_order=pl.col("order_no"),
        order_time=pl.Series(moments(history, day * 1440 + 14 * 60)),
        status=pl.lit("returned"),
        promised=pl.lit(None, pl.Datetime("us")),
        delivered=pl.lit(None, pl.Datetime("us")),
        quantity=-pl.col("quantity"),
        list_amount=-pl.col("paid"),
        paid=-pl.col("paid"),
        cost=-(pl.col("cost") * truths.returns.recovered).round().cast(pl.Int64),
    )
