"""When the demonstration's customers order: a Pareto/NBD process on whole days."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.demo_calendar import Clock, Floats, History, Ints
from connectors.demo_people import People
from connectors.demo_truths import Truths

_OPENS, _CLOSES = 8 * 60, 22 * 60


@dataclass(frozen=True)
class Orders:
    """Orders as parallel arrays, sorted by day and minute. `known` is false for a sale to nobody known."""

    customer: Ints
    day: Ints
    minute: Ints
    known: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of orders."""
        return self.day.size


def purchases(
    people: People, history: History, truths: Truths, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Customer and day of every order, sorted by both.

    The first order falls on the day of joining. Then a customer with rate l and lifetime t orders
    Poisson(l * m) times within m = min(t, days left), at even times of the segment's clock; on distinct days, so
    that the number of order days is the model's own.
    """
    buyers = np.flatnonzero(people.ordered)
    first = people.joined[buyers].astype(np.float64)
    last = np.minimum(first + people.lives[buyers], history.days - 1.0)
    customer, day = [buyers], [people.joined[buyers]]
    seasonal = truths.of_segments("seasonal").astype(bool)[people.segment[buyers]]
    for clock, rows in ((Clock.even(history.days), ~seasonal), (season(history, truths), seasonal)):
        low, high = clock.operational(first[rows]), clock.operational(last[rows])
        event = np.repeat(np.arange(low.size), rng.poisson(people.rate[buyers[rows]] * (high - low)))
        drawn = _distinct(event, low[event], high[event], clock, rng)
        customer.append(buyers[rows][event])
        day.append(drawn)
    return sorted_pairs(np.concatenate(customer), np.concatenate(day))


def season(history: History, truths: Truths) -> Clock:
    """The clock of the seasonal segments."""
    return Clock.at(history.seasonal(truths.seasonality.monthly))


def sorted_pairs(customer: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Both arrays in the order of customer, then day."""
    order = np.lexsort((day, customer))
    return customer[order], day[order]


def _distinct(owner: Ints, low: Floats, high: Floats, clock: Clock, rng: np.random.Generator) -> Ints:
    """A day for every event, after the day of `low`, even in operational time, no day twice for one owner.

    Events that share a day are drawn again, thirty times at most; those of owners without a free day stay.
    """
    day = _drawn(low, high, clock, rng)
    for _ in range(30):
        again = _repeated(owner, day)
        if not again.size:
            break
        day[again] = _drawn(low[again], high[again], clock, rng)
    return day


def _drawn(low: Floats, high: Floats, clock: Clock, rng: np.random.Generator) -> Ints:
    when = clock.calendar(low + rng.random(low.size) * (high - low))
    return np.floor(when).astype(np.int64) + 1


def _repeated(owner: Ints, day: Ints) -> Ints:
    """Positions of events on a day that the same owner has already."""
    order = np.lexsort((day, owner))
    same = (np.diff(owner[order]) == 0) & (np.diff(day[order]) == 0)
    return np.asarray(order[1:][same], dtype=np.int64)


def orders(customer: Ints, day: Ints, truths: Truths, rng: np.random.Generator) -> Orders:
    """All orders: those of the customers, sales to nobody known, and cancelled ones beside them."""
    guests = _echoes(customer.size, truths.baskets.guests, rng)
    cancelled = _echoes(customer.size, truths.baskets.cancelled, rng)
    source = np.concatenate([np.arange(customer.size), guests, cancelled])
    minute = rng.integers(_OPENS, _CLOSES, source.size)
    order = np.lexsort((source, minute, day[source]))
    kind = np.repeat([0, 1, 2], [customer.size, guests.size, cancelled.size])[order]
    return Orders(customer[source][order], day[source][order], minute[order], kind != 1, kind == 2)


def _echoes(size: int, share: float, rng: np.random.Generator) -> Ints:
    return rng.integers(0, max(size, 1), int(size * share)) if size else np.empty(0, dtype=np.int64)


def counts_before(customer: Ints, day: Ints, history: History) -> Ints:
    """Orders of the same customer in the calendar quarter before, for every order."""
    quarter = history.quarters[day]
    span = int(history.quarters[-1]) + 2
    keys, counts = np.unique(customer * span + quarter, return_counts=True)
    wanted = customer * span + quarter - 1
    found = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[found] == wanted, counts[found], 0)
