"""What the demonstration's orders hold: categories, planted affinities, products and money."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from connectors.demo.calendar import Flags, Floats, Ints, whole
from connectors.demo.orders import DISCOUNT, LIMIT, SERVICE, Orders, recent
from connectors.demo.people import People
from connectors.demo.truths import Catalogue
from connectors.demo.world import World

_MOST_LINES = 6


@dataclass(frozen=True)
class Lines:
    """Order lines as parallel arrays, sorted by order; money in whole cents.

    `place` counts the lines of an order from 0. `gross` is the amount before discount, `goods` what the goods
    cost, `handling` what picking and sending does.
    """

    order: Ints
    place: Ints
    category: Ints
    product: Ints
    quantity: Ints
    net: Ints
    gross: Ints
    goods: Ints
    handling: Ints

    @property
    def size(self) -> int:
        """Number of lines."""
        return self.order.size


def products(catalogue: Catalogue) -> pl.DataFrame:
    """The products file: within a category each product is dearer than the one before."""
    rows = [
        (f"{series} {noun}", name, department)
        for department, group in catalogue.departments.items()
        for name, category in group.items()
        for noun in category.nouns
        for series in catalogue.ranges
    ]
    frame = pl.DataFrame(rows, schema=["product", "category", "department"], orient="row")
    return frame.with_row_index("sku").with_columns(sku=sku("sku"))


def sku(column: str) -> pl.Expr:
    """Product codes from the numbers of products."""
    return pl.format("P{}", (pl.col(column) + 1).cast(pl.String).str.zfill(4))


def lines(orders: Orders, trait: Ints, people: People, world: World) -> Lines:
    """The lines of all orders; the net amounts of an order sum to its gamma-gamma value."""
    rng = world.rng("lines")
    order, category = _categories(orders, trait, people, world, rng)
    place = _places(order)
    net = _net(order, category, _values(orders, trait, people, world, rng), world, rng)
    gross = whole(net / (1 - _discounts(orders, order, trait, world, rng)))
    product, quantity = _products(gross, category, world.catalogue, rng)
    goods = gross * world.catalogue.of_categories("cost")[category] * rng.normal(1, 0.03, order.size)
    plan = world.truths.baskets
    sending = np.where((place == 0) & orders.shipped[order], plan.cost_per_delivery, 0)
    handling = whole(100 * (sending + plan.cost_per_line))
    return Lines(order, place, category, product, quantity, net, gross, whole(goods), handling)


def _categories(
    orders: Orders, trait: Ints, people: People, world: World, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Order and category of every line: the home category or any, then what affinities add."""
    plan, shares = world.truths.baskets, world.catalogue.of_categories("share")
    shares = shares / shares.sum()
    home = rng.choice(shares.size, people.size, p=shares)[orders.customer]
    focus = plan.focus + plan.focus_per_recent_order * np.minimum(recent(orders, world.history), 6)
    focus = np.where(trait[orders.customer] >= SERVICE, world.truths.cross_buyers.focus, focus)
    sizes = rng.choice(len(plan.lines), orders.size, p=plan.lines) + 1
    sizes = np.where(trait[orders.customer] == LIMIT, np.maximum(sizes, 3), sizes)
    order = np.repeat(np.arange(orders.size), sizes)
    anywhere = rng.choice(shares.size, order.size, p=shares)
    category = np.where(rng.random(order.size) < focus[order], home[order], anywhere)
    return _with_affinities(order, category, orders.size, world, rng)


def _with_affinities(
    order: Ints, category: Ints, size: int, world: World, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    names = list(world.catalogue.categories)
    held = np.zeros((size, len(names)), dtype=bool)
    held[order, category] = True
    for pair in world.truths.affinities:
        rows = np.flatnonzero(held[:, names.index(pair.first)] & (rng.random(size) < pair.probability))
        order = np.concatenate([order, rows])
        category = np.concatenate([category, np.full(rows.size, names.index(pair.second))])
    by_order = np.argsort(order, kind="stable")
    order, category = order[by_order], category[by_order]
    kept = _places(order) < _MOST_LINES
    return order[kept], category[kept]


def _opens(order: Ints) -> Ints:
    """Positions of the first line of every order."""
    return np.flatnonzero(np.diff(order, prepend=-1))


def _places(order: Ints) -> Ints:
    opens = _opens(order)
    return np.arange(order.size, dtype=np.int64) - np.repeat(opens, np.diff(np.append(opens, order.size)))


def _values(orders: Orders, trait: Ints, people: People, world: World, rng: np.random.Generator) -> Ints:
    """Cents of every order: gamma with the segment's shape and the customer's rate."""
    shape = world.truths.of_segments("p")[people.segment[orders.customer]]
    value = rng.gamma(shape) / people.worth[orders.customer]
    limited = trait[orders.customer] == LIMIT
    value = np.where(limited, value * world.truths.cross_buyers.traits.limit.value, value)
    return whole(np.maximum(100 * value, 100))


def _net(order: Ints, category: Ints, value: Ints, world: World, rng: np.random.Generator) -> Ints:
    """Cents of every line: the order's value shared by price level; the first takes what rounding leaves."""
    levels = np.sqrt(world.catalogue.of_categories("low") * world.catalogue.of_categories("high"))
    weight = levels[category] * rng.lognormal(0, 0.4, order.size)
    totals = np.bincount(order, weight, minlength=value.size)
    net = np.floor(value[order] * weight / totals[order]).astype(np.int64)
    net[_opens(order)] += value - np.bincount(order, net, minlength=value.size).astype(np.int64)
    return np.asarray(net, dtype=np.int64)


def _discounts(orders: Orders, order: Ints, trait: Ints, world: World, rng: np.random.Generator) -> Floats:
    """Discount of every line, as a share of the list price."""
    plan, only = world.truths.baskets, world.truths.cross_buyers.traits.discount
    november: Flags = world.history.months[orders.day] % 12 == 10
    chance = np.where(november, plan.discounted_november, plan.discounted)[order]
    rate = np.where(rng.random(order.size) < chance, rng.choice(plan.discounts, order.size), 0.0)
    hunting = trait[orders.customer[order]] == DISCOUNT
    return np.where(hunting, rng.uniform(only.least, only.most, order.size), rate)


def _products(
    gross: Ints, category: Ints, catalogue: Catalogue, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Product and quantity: the product of the category whose price is nearest, give or take one step."""
    low, high = (catalogue.of_categories(side)[category] * 100 for side in ("low", "high"))
    pairs = (rng.random(gross.size) < 0.12) & (gross > 2 * low)
    quantity = np.maximum(np.ceil(gross / high), np.where(pairs, 2, 1)).astype(np.int64)
    steps = catalogue.products_per_category
    place = np.log(np.maximum(gross / quantity, low) / low) / np.log(high / low) * (steps - 1)
    step = whole(np.clip(place + rng.normal(0, 0.7, gross.size), 0, steps - 1))
    return category * steps + step, quantity
