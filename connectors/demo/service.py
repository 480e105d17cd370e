"""The demonstration's contacts and complaints, whom they lose, and the money spent on customers."""

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl

from connectors.demo.calendar import Flags, Floats, History, Ints, whole
from connectors.demo.orders import DAY, SERVICE, Orders
from connectors.demo.people import People
from connectors.demo.purchases import CAUSES, Story
from connectors.demo.truths import Truths
from connectors.demo.world import World, labels

_KINDS = ("contact", "complaint", "visit")
_TOPICS = (
    "late delivery",
    "return",
    "damaged goods",
    "product question",
    "order change",
    "billing",
    "assembly",
)
_LATE, _RETURN, _ASSEMBLY = 0, 1, 6
_COMPLAINING = np.array([0.72, 0.18, 0.85, 0.02, 0.06, 0.40, 0.0])
_OUTCOMES = ("satisfied quickly", "satisfied", "unsatisfied", "open")
_QUICK, _SATISFIED, _UNSATISFIED, _OPEN = range(4)
_PURPOSES = ("acquisition", "retention", "service")


@dataclass(frozen=True)
class Contacts:
    """Contacts as parallel arrays; instants are minutes since the start of day 0, cost is in cents."""

    order: Ints
    customer: Ints
    minute: Ints
    settled: Ints
    kind: Ints
    topic: Ints
    channel: Ints
    outcome: Ints
    cost: Ints

    def only(self, kept: Flags) -> "Contacts":
        """These contacts alone."""
        return Contacts(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})

    def plus(self, other: "Contacts") -> "Contacts":
        """These contacts and others."""
        names = [field.name for field in fields(self)]
        return Contacts(
            **{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        )


def about_orders(orders: Orders, world: World) -> Contacts:
    """Contacts about late deliveries and other matters of orders, with those that ask again."""
    rng, plan = world.rng("contacts"), world.truths.contacts
    real = orders.known & ~orders.cancelled
    late = np.flatnonzero(real & orders.late & (rng.random(orders.size) < plan.per_late_order))
    plain = np.flatnonzero(real & (rng.random(orders.size) < plan.per_order))
    order = np.concatenate([late, plain])
    topic = np.concatenate([np.full(late.size, _LATE), rng.integers(2, _ASSEMBLY, plain.size)])
    start = np.where(topic == _LATE, orders.promised[order], orders.placed[order])
    return _with_repeats(_contacts(orders, order, topic, start, rng, world), rng, world)


def about_returns(orders: Orders, returned: Ints, world: World) -> Contacts:
    """Contacts about returns of these orders."""
    rng = world.rng("return contacts")
    order = returned[(rng.random(returned.size) < world.truths.contacts.per_return) & orders.known[returned]]
    start = np.where(orders.shipped, orders.delivered, orders.placed)[order] + 2 * DAY
    return _contacts(orders, order, np.full(order.size, _RETURN), start, rng, world)


def visits(orders: Orders, trait: Ints, world: World) -> Contacts:
    """Visits to customers who use service far beyond what they buy."""
    rng, plan = world.rng("visits"), world.truths.cross_buyers.traits.service
    heavy = (trait[orders.customer] == SERVICE) & orders.known & ~orders.cancelled
    order = np.repeat(np.arange(orders.size), np.where(heavy, rng.poisson(plan.visits, orders.size), 0))
    usual = _contacts(orders, order, np.full(order.size, _ASSEMBLY), orders.placed[order], rng, world)
    cost = whole(100 * plan.cost * rng.lognormal(0, 0.2, order.size))
    visit, home = np.full(order.size, _KINDS.index("visit")), np.full(order.size, -1)
    return replace(usual, kind=visit, cost=cost, channel=home)


def _contacts(
    orders: Orders, order: Ints, topic: Ints, start: Ints, rng: np.random.Generator, world: World
) -> Contacts:
    """Contacts within a few days after `start`, with their handling."""
    size, costs = order.size, np.array(list(world.truths.contacts.costs.values()))
    complaint = rng.random(size) < _COMPLAINING[topic]
    channel = rng.choice(costs.size, size, p=(0.34, 0.30, 0.26, 0.10))
    hours = rng.lognormal(np.where(complaint, 3.0, 1.2), 1.0)
    minute = (start // DAY + rng.integers(1, 6, size)) * DAY + rng.integers(8 * 60, 19 * 60, size)
    happy = rng.random(size) < np.where(complaint, np.where(hours < 24, 0.80, 0.50), 0.92)
    cost = 100 * costs[channel] * np.where(complaint, 2.2, 1.0) * rng.lognormal(0, 0.25, size)
    return Contacts(
        order=order,
        customer=orders.customer[order],
        minute=minute,
        settled=minute + whole(hours * 60) + 1,
        kind=complaint.astype(np.int64),
        topic=topic,
        channel=channel,
        outcome=np.where(happy, np.where(hours < 24, _QUICK, _SATISFIED), _UNSATISFIED),
        cost=whole(cost),
    )


def _with_repeats(contacts: Contacts, rng: np.random.Generator, world: World) -> Contacts:
    again = contacts.only(rng.random(contacts.minute.size) < world.truths.contacts.again)
    wait = rng.integers(2, 20, again.minute.size) * DAY
    return contacts.plus(replace(again, minute=again.minute + wait, settled=again.settled + wait))


def lost(tale: Story, contacts: Contacts, people: People, world: World) -> Story:
    """The story in which some complainers who were left unsatisfied never order again."""
    rng = world.rng("lost")
    bad = (contacts.kind == _KINDS.index("complaint")) & (contacts.outcome == _UNSATISFIED)
    open_ = world.seasonal(people.segment) & ~people.panel & ~people.december & ~people.outage
    bad &= open_[contacts.customer] & (rng.random(bad.size) < world.truths.contacts.lost_unsatisfied)
    day = np.full(people.size, np.iinfo(np.int64).max)
    np.minimum.at(day, contacts.customer[bad], contacts.minute[bad] // DAY + 1)
    leaver = np.flatnonzero(day < world.history.days)
    return tale.leaving(leaver, day[leaver], CAUSES.index("complaint"))


def kept_orders(orders: Orders, tale: Story) -> Flags:
    """Orders placed before their customer left."""
    left = tale.left[orders.customer]
    return (left < 0) | (orders.day < left)


def of_orders(contacts: Contacts, kept: Flags) -> Contacts:
    """The contacts about the kept orders, with the orders' new positions."""
    still = contacts.only(kept[contacts.order])
    return replace(still, order=(np.cumsum(kept) - 1)[still.order])


def table(contacts: Contacts, people: People, world: World, first: int) -> pl.DataFrame:
    """The contacts file, in the order of time; what is not settled by the end is open."""
    ends = world.history.days * DAY
    contacts = contacts.only(contacts.minute < ends)
    order = np.lexsort((contacts.cost, contacts.topic, contacts.customer, contacts.minute))
    pending = contacts.settled >= ends
    settled = pl.Series(world.history.moments(contacts.settled)).set(pl.Series(pending), None)
    return pl.DataFrame({
        "customer_no": people.numbers[contacts.customer],
        "time": world.history.moments(contacts.minute),
        "kind": labels(_KINDS, contacts.kind),
        "channel": labels((*world.truths.contacts.costs, "home"), contacts.channel % 5),
        "topic": labels(_TOPICS, contacts.topic),
        "cost": contacts.cost,
        "solved": settled,
        "outcome": labels(_OUTCOMES, np.where(pending, _OPEN, contacts.outcome)),
    })[order].with_row_index("contact_no", offset=first)  # fmt: skip


@dataclass(frozen=True)
class Activity:
    """New and buying customers, month by segment."""

    newcomers: Floats
    active: Floats


def activity(orders: Orders, people: People, world: World) -> Activity:
    """Counts of new and of buying customers."""
    history, truths = world.history, world.truths
    seen = np.unique(np.stack([history.months[orders.day], orders.customer]), axis=1)
    _, first = np.unique(orders.customer, return_index=True)
    new = _by_month(
        history.months[orders.day[first]], people.segment[orders.customer[first]], history, truths
    )
    return Activity(new, _by_month(seen[0], people.segment[seen[1]], history, truths))


def _by_month(month: Ints, segment: Ints, history: History, truths: Truths) -> Floats:
    counts = np.zeros((int(history.months[-1] - history.months[0]) + 1, len(truths.segments)))
    np.add.at(counts, (month - history.months[0], segment), 1)
    return counts


def spend(blocks: list[Activity], world: World) -> pl.DataFrame:
    """The spend file: cents by month, acquisition channel and purpose."""
    newcomers = np.sum([block.newcomers for block in blocks], axis=0)
    active = np.sum([block.active for block in blocks], axis=0)
    wobble = 1 + 0.08 * np.sin(np.arange(active.shape[0]))[:, None]
    winning = newcomers * world.truths.of_segments("acquisition_cost") * wobble
    amounts = np.stack([winning, active * 1.1, active * 0.45 + 250], axis=2)
    month, segment, purpose = (grid.ravel() for grid in np.indices(amounts.shape))
    firsts = np.datetime64(world.history.start, "M") + np.arange(amounts.shape[0])
    return pl.DataFrame({
        "month": firsts[month].astype("datetime64[D]"),
        "channel": labels(world.truths.segments, segment),
        "purpose": labels(_PURPOSES, purpose),
        "amount": whole(amounts.ravel() * 100),
    })  # fmt: skip
