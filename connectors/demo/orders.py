"""The demonstration's orders: purchases with a time, a channel and a delivery, and who loses us money."""

from dataclasses import dataclass, fields

import numpy as np

from connectors.demo.calendar import Flags, Floats, History, Ints
from connectors.demo.people import People
from connectors.demo.purchases import Purchases
from connectors.demo.truths import Truths
from connectors.demo.world import World

DAY = 1440
"""Minutes of a day."""
_OPENS, _CLOSES = 8 * 60, 22 * 60

TRAITS = ("", "heavy_returner", "service", "returns", "discount", "limit")
"""What customers lose us money by; the last four are cross-buyers. Codes are positions, 0 is none."""
HEAVY, SERVICE, RETURNS, DISCOUNT, LIMIT = range(1, 6)


@dataclass(frozen=True)
class Orders:
    """Orders as parallel arrays, sorted by time; instants are minutes since the start of day 0.

    `known` is false for a sale to nobody known, whose `customer` only lends its habits; `shipped` is false in
    stores. `promised` and `delivered` have a meaning for shipped orders alone.
    """

    customer: Ints
    placed: Ints
    known: Flags
    cancelled: Flags
    channel: Ints
    shipped: Flags
    promised: Ints
    delivered: Ints

    @property
    def size(self) -> int:
        """Number of orders."""
        return self.placed.size

    @property
    def day(self) -> Ints:
        """Day of every order."""
        return self.placed // DAY

    @property
    def late(self) -> Flags:
        """Delivered after the promise."""
        return self.shipped & (self.delivered > self.promised)

    def only(self, kept: Flags) -> "Orders":
        """These orders alone."""
        return Orders(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})


def orders(bought: Purchases, people: People, world: World) -> Orders:
    """All orders: the purchases, sales to nobody known, and cancelled orders beside them."""
    rng, plan = world.rng("orders"), world.truths.baskets
    guests = _echoes(bought.day.size, plan.guests, rng)
    cancelled = _echoes(bought.day.size, plan.cancelled, rng)
    source = np.concatenate([np.arange(bought.day.size), guests, cancelled])
    placed = bought.day[source] * DAY + rng.integers(_OPENS, _CLOSES, source.size)
    order = np.lexsort((source, placed))
    kind = np.repeat([0, 1, 2], [bought.day.size, guests.size, cancelled.size])[order]
    return _sent(bought.customer[source][order], placed[order], kind, people, world)


def _echoes(size: int, share: float, rng: np.random.Generator) -> Ints:
    return rng.integers(0, max(size, 1), int(size * share)) if size else np.zeros(0, dtype=np.int64)


def _sent(customer: Ints, placed: Ints, kind: Ints, people: People, world: World) -> Orders:
    """Orders with their channel and, outside stores, promise and delivery."""
    rng, truths, size = world.rng("deliveries"), world.truths, placed.size
    channel = _channels(people.segment[customer], truths, rng)
    day, promised_days = placed // DAY, truths.delivery.promised_days
    late = rng.random(size) < _lateness(customer, day, people, world)
    wait = np.where(late, promised_days + rng.geometric(0.35, size), rng.integers(1, promised_days + 1, size))
    return Orders(
        customer=customer,
        placed=placed,
        known=kind != 1,
        cancelled=kind == 2,
        channel=channel,
        shipped=channel != list(truths.segments).index("store"),
        promised=(day + promised_days) * DAY + 20 * 60,
        delivered=(day + wait) * DAY + rng.integers(9 * 60, 19 * 60, size),
    )


def _channels(segment: Ints, truths: Truths, rng: np.random.Generator) -> Ints:
    names = list(truths.segments)
    shares = np.array([[truths.order_channels[ours].get(name, 0.0) for name in names] for ours in names])
    limits = np.cumsum(shares, axis=1)[:, :-1]
    return np.asarray((rng.random((segment.size, 1)) > limits[segment]).sum(axis=1), dtype=np.int64)


def _lateness(customer: Ints, day: Ints, people: People, world: World) -> Floats:
    failure = world.truths.failure
    inside = people.region[customer] == list(world.truths.regions).index(failure.region)
    return np.where(inside & (day >= world.failure_day), failure.late, world.truths.delivery.late)


def traits(people: People, world: World) -> Ints:
    """The trait of every customer, drawn without a look at what they buy."""
    truths, rng = world.truths, world.rng("traits")
    codes = rng.integers(SERVICE, LIMIT, people.size)
    codes = np.where(world.seasonal(people.segment) & (rng.random(people.size) < 0.6), LIMIT, codes)
    heavy, cross = truths.heavy_returners.share, truths.cross_buyers.share
    drawn = rng.random(people.size)
    codes = np.where(drawn < heavy, HEAVY, np.where(drawn < heavy + cross, codes, 0))
    return np.where(people.december | people.outage, 0, codes)


def recent(orders: Orders, history: History) -> Ints:
    """Orders of the same customer in the calendar quarter before, for every order."""
    quarter = history.quarters[orders.day]
    span = int(history.quarters[-1]) + 2
    keys, counts = np.unique(orders.customer * span + quarter, return_counts=True)
    wanted = orders.customer * span + quarter - 1
    found = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
    return np.where(keys[found] == wanted, counts[found], 0)
