"""Who orders on which day: a Pareto/NBD process on whole days, and what is planted into it."""

from dataclasses import dataclass, replace

import numpy as np

from connectors.demo.calendar import Clock, Flags, Floats, Ints
from connectors.demo.people import People
from connectors.demo.world import World


@dataclass(frozen=True)
class Purchases:
    """Customer (position in the block) and day of every order, sorted by both."""

    customer: Ints
    day: Ints

    @classmethod
    def of(cls, customer: Ints, day: Ints) -> "Purchases":
        """Purchases in the order of customer, then day."""
        order = np.lexsort((day, customer))
        return cls(customer[order], day[order])

    def only(self, kept: Flags) -> "Purchases":
        """These purchases alone."""
        return Purchases(self.customer[kept], self.day[kept])

    def plus(self, customer: Ints, day: Ints) -> "Purchases":
        """These purchases and others."""
        return Purchases.of(np.concatenate([self.customer, customer]), np.concatenate([self.day, day]))

    def before(self, customer: Ints, day: Ints) -> Ints:
        """For each pair the number of rows before the customer's first order on or after that day."""
        return np.searchsorted(self._keys(self.customer, self.day), self._keys(customer, day))

    def counted(self, customer: Ints, since: Ints, until: Ints) -> Ints:
        """Orders of each customer from the day `since` up to, not on, the day `until`."""
        return self.before(customer, until) - self.before(customer, since)

    @staticmethod
    def _keys(customer: Ints, day: Ints) -> Ints:
        return customer * 100_000 + np.clip(day, 0, 99_999)


@dataclass(frozen=True)
class Story:
    """Purchases, and per customer the days of the offer, of enrolling and of leaving (-1: none)."""

    purchases: Purchases
    offered: Ints
    enrolled: Ints
    left: Ints
    cause: Ints

    def leaving(self, customer: Ints, day: Ints, cause: int) -> "Story":
        """The story in which these customers (each once) order nothing from these days on."""
        left, causes = self.left.copy(), self.cause.copy()
        sooner = (left[customer] < 0) | (day < left[customer])
        left[customer[sooner]], causes[customer[sooner]] = day[sooner], cause
        gone = left[self.purchases.customer]
        kept = (gone < 0) | (self.purchases.day < gone)
        return replace(self, purchases=self.purchases.only(kept), left=left, cause=causes)


CAUSES = ("answer", "failure", "complaint")


def story(people: People, world: World) -> Story:
    """The purchases of all customers: their own process, the programme's lift, and the planted groups."""
    own = people.ordered & ~people.december & ~people.outage
    bought = _own(people, own, world)
    offered, enrolled = _offered(people, bought, world)
    bought = _distinct(bought, *_lifted(people, enrolled, world), world.clock, world.rng("lift"))
    for extra in (_december(people, world), _outage(people, world)):
        bought = bought.plus(*extra)
    nobody = np.full(people.size, -1)
    return _failed(Story(bought, offered, enrolled, nobody, nobody), people, world)


def _own(people: People, own: Flags, world: World) -> Purchases:
    """The first order on the day of joining, then Pareto/NBD.

    A customer with rate l who lives t days orders Poisson(l * m) times within m = min(t, days left), at even
    times of the segment's clock and on distinct days, so that the number of order days is the model's own.
    """
    rng, days = world.rng("purchases"), world.history.days
    seasonal = world.seasonal(people.segment)
    buyers = np.flatnonzero(own)
    bought = Purchases(buyers, people.joined[buyers])
    for clock, kind in ((Clock.even(days), ~seasonal), (world.clock, seasonal)):
        who = np.flatnonzero(own & kind)
        first = people.joined[who].astype(np.float64)
        low = clock.operational(first)
        high = clock.operational(np.minimum(first + people.lives[who], days - 1.0))
        event = np.repeat(np.arange(who.size), rng.poisson(people.rate[who] * (high - low)))
        bought = _distinct(bought, who[event], low[event], high[event], clock, rng)
    return bought


def _distinct(
    bought: Purchases, customer: Ints, low: Floats, high: Floats, clock: Clock, rng: np.random.Generator
) -> Purchases:
    """The purchases with one more for every event, even between `low` and `high` and on a day of its own.

    An event falls on a day after that of `low`. Events on a day that is taken are drawn again, thirty times
    at most: those of customers without a free day stay.
    """
    day = _drawn(low, high, clock, rng)
    for _ in range(30):
        again = _taken(bought, customer, day)
        if not again.size:
            break
        day[again] = _drawn(low[again], high[again], clock, rng)
    return bought.plus(customer, day)


def _drawn(low: Floats, high: Floats, clock: Clock, rng: np.random.Generator) -> Ints:
    when = clock.calendar(low + rng.random(low.size) * (high - low))
    return np.floor(when).astype(np.int64) + 1


def _taken(bought: Purchases, customer: Ints, day: Ints) -> Ints:
    """Positions of events on a day that the customer has already, in `bought` or by an earlier event."""
    held = bought.counted(customer, day, day + 1) > 0
    order = np.lexsort((day, customer))
    same = (np.diff(customer[order]) == 0) & (np.diff(day[order]) == 0)
    held[order[1:][same]] = True
    return np.flatnonzero(held)


def _offered(people: People, bought: Purchases, world: World) -> tuple[Ints, Ints]:
    """Days on which the programme was offered to each customer and on which they enrolled; -1: never.

    It is offered once, at the first order after the launch that has another in the 180 days before. Those
    with many accept more often.
    """
    plan, rng = world.truths.loyalty, world.rng("loyalty")
    inside = np.isin(people.segment, world.segments(plan.segments))[bought.customer]
    prior = bought.counted(bought.customer, bought.day - 180, bought.day)
    rows = np.flatnonzero(inside & (bought.day >= plan.launch_days) & (prior > 0))
    customer, first = np.unique(bought.customer[rows], return_index=True)
    chance = 1 / (1 + np.exp(-(plan.intercept + plan.slope * np.log(prior[rows][first]))))
    accepts = rng.random(customer.size) < chance
    offered, enrolled = np.full(people.size, -1), np.full(people.size, -1)
    offered[customer] = bought.day[rows][first]
    enrolled[customer[accepts]] = offered[customer[accepts]]
    return offered, enrolled


def _lifted(people: People, enrolled: Ints, world: World) -> tuple[Ints, Floats, Floats]:
    """The further orders that the programme brings: customer and bounds in operational time of each."""
    who = np.flatnonzero(enrolled >= 0)
    last = np.minimum(people.joined[who] + people.lives[who], world.history.days - 1.0)
    low, high = world.clock.operational(enrolled[who].astype(np.float64)), world.clock.operational(last)
    expected = people.rate[who] * world.truths.loyalty.lift * np.maximum(high - low, 0)
    event = np.repeat(np.arange(who.size), world.rng("lifted").poisson(expected))
    return who[event], low[event], high[event]


def _december(people: People, world: World) -> tuple[Ints, Ints]:
    """Customer and day of the orders of those who buy in December alone: one or two every December."""
    rng, who = world.rng("december"), np.flatnonzero(people.december)
    opens = world.history.decembers()
    season = np.searchsorted(opens, people.joined[who], side="right") - 1
    back = rng.random((who.size, opens.size)) < world.truths.december.back
    shopper, year = np.nonzero(back & (np.arange(opens.size) > season[:, None]))
    first = np.arange(who.size)
    shopper = np.concatenate([first, shopper])
    day = np.concatenate([people.joined[who], opens[year] + rng.integers(0, 16, year.size)])
    twice = np.flatnonzero(rng.random(shopper.size) < 0.35)
    later = day[twice] + rng.integers(1, 4, twice.size)
    return who[np.concatenate([shopper, shopper[twice]])], np.concatenate([day, later])


def _outage(people: People, world: World) -> tuple[Ints, Ints]:
    """Customer and day of the orders of those who come while a rival cannot deliver: they never drop out."""
    rng, plan, days = world.rng("outage"), world.truths.outage, world.history.days
    who = np.flatnonzero(people.outage)
    opens = max(days - plan.days_before_end, 0)
    pace = np.full(days, plan.rate / 7)
    pace[opens : opens + plan.days] *= plan.during
    pace[opens + plan.days :] *= plan.after
    joined = people.joined[who][:, None]
    shopper, day = np.nonzero((rng.random((who.size, days)) < pace) & (np.arange(days) > joined))
    return np.concatenate([who, who[shopper]]), np.concatenate([people.joined[who], day])


def _failed(tale: Story, people: People, world: World) -> Story:
    """Customers whom the failure drives away, quarter by quarter; the panel follows its answers instead.

    The logit of their quarterly retention moves by the slopes of the link times the change of perceptions; of
    those lost in a quarter, a share never comes back.
    """
    plan, link, rng = world.truths.failure, world.truths.link, world.rng("failure")
    moved = sum(link.slopes[dimension] * change for dimension, change in plan.perception.items())
    if not moved:
        return tale
    odds = plan.retention / (1 - plan.retention) * np.exp(moved)
    lost = 1 - odds / (1 + odds) / plan.retention
    touched = served(people, world) & ~people.panel
    quarter = world.history.quarters
    for q in range(int(quarter[world.failure_day]) + plan.lag_quarters, int(quarter[-1]) + 1):
        opens, closes = np.searchsorted(quarter, (q, q + 1))
        leaves = touched & (rng.random(people.size) < lost)
        forever = np.flatnonzero(leaves & (rng.random(people.size) < link.gone) & (people.joined < opens))
        bought = tale.purchases
        skips = leaves[bought.customer] & (people.joined[bought.customer] < opens)
        skips &= (bought.day >= opens) & (bought.day < closes)
        tale = replace(tale, purchases=bought.only(~skips))
        tale = tale.leaving(forever, np.full(forever.size, opens), CAUSES.index("failure"))
    return tale


def served(people: People, world: World) -> Flags:
    """Customers whom the failing warehouse serves."""
    plan = world.truths.failure
    region = list(world.truths.regions).index(plan.region)
    inside: Flags = np.isin(people.segment, world.segments(plan.segments)) & (people.region == region)
    return inside
