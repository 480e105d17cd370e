"""The demonstration's panel: SERVQUAL answers in quarterly waves, and the orders that follow from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from connectors.demo.calendar import Flags, Floats, Ints, whole
from connectors.demo.people import BANDS, People
from connectors.demo.purchases import CAUSES, Purchases, Story, served
from connectors.demo.world import World

DIMENSIONS: Mapping[str, tuple[int, ...]] = {
    "T": (1, 2, 3, 4),
    "REL": (5, 6, 7, 8, 9),
    "RES": (10, 11, 12, 13),
    "ASS": (14, 15, 16, 17),
    "EMP": (18, 19, 20, 21, 22),
}
"""Dimensions of SERVQUAL (1991) and the numbers of their items: T1 to T4, REL5 to REL9 and so on."""

ITEMS = tuple(f"{name}{number}" for name, numbers in DIMENSIONS.items() for number in numbers)
OF_ITEM = np.repeat(np.arange(len(DIMENSIONS)), [len(numbers) for numbers in DIMENSIONS.values()])
"""Position of the dimension of every item."""


@dataclass(frozen=True)
class Answers:
    """Filled-in questionnaires, one a row; 0 stands for an item left out.

    `gaps` is the mean of perception less expectation over the items of a dimension that have both, `chance`
    what the link makes of it, `returned` whether an order follows within the days of the link.
    """

    customer: Ints
    day: Ints
    wave: Ints
    prior: Ints
    expectation: Ints
    perception: Ints
    points: Ints
    gaps: Floats
    chance: Floats
    returned: Flags


@dataclass(frozen=True)
class Invitations:
    """Who was asked on which day and in which wave, answering or not."""

    customer: Ints
    day: Ints
    wave: Ints


Rows = TypeVar("Rows", Answers, Invitations)


def surveyed(tale: Story, people: People, world: World) -> tuple[Story, Answers, Invitations]:
    """The story after the waves of the survey, the answers, and the invitations."""
    inside = people.panel[tale.purchases.customer]
    others, tale = tale.purchases.only(~inside), replace(tale, purchases=tale.purchases.only(inside))
    last = np.full(people.size, -9)
    mood = world.rng("mood").standard_normal((people.size, 2))
    asked = [Invitations(*(np.zeros(0, dtype=np.int64) for _ in range(3)))]
    answers = [_answers(tale, people, asked[0], mood, world.rng("nobody"), world)]
    for wave, opens in waves(world):
        rng = world.rng(f"wave {wave}")
        invited = _invited(tale, people, last, wave, opens, rng, world)
        asked.append(invited)
        given = _answers(tale, people, invited, mood, rng, world)
        answers.append(given)
        tale = _moved(tale, given, rng, world)
        last[given.customer] = wave
    every = tale.purchases.plus(others.customer, others.day)
    return replace(tale, purchases=every), _stacked(Answers, answers), _stacked(Invitations, asked)


def waves(world: World) -> Iterator[tuple[int, int]]:
    """Quarter and first day of every wave: the middle month of each full quarter after the opening."""
    history = world.history
    months = np.unique(history.months)
    for month in months[(months % 3 == 1) & (months > history.months[0] + 1) & (months < history.months[-1])]:
        yield int(month) // 3, int(np.searchsorted(history.months, month))


def _stacked(kind: type[Rows], parts: list[Rows]) -> Rows:
    names = [field.name for field in fields(kind)]
    return kind(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _invited(
    tale: Story, people: People, last: Ints, wave: int, opens: int, rng: np.random.Generator, world: World
) -> Invitations:
    """Members of the panel with a recent order, who have not answered in the wave before."""
    plan = world.truths.survey
    day = opens + rng.integers(0, 28, people.size)
    member = np.flatnonzero(people.panel & (tale.left < 0) & (wave - last > 1))
    recent = tale.purchases.counted(member, day[member] - plan.active_days, day[member])
    chosen = member[(recent > 0) & (rng.random(member.size) < plan.invited)]
    return Invitations(chosen, day[chosen], np.full(chosen.size, wave))


def _answers(
    tale: Story, people: People, asked: Invitations, mood: Floats, rng: np.random.Generator, world: World
) -> Answers:
    plan, link = world.truths.survey, world.truths.link
    willing = np.array([plan.response[band] for band in BANDS])[people.band[asked.customer]]
    responds = rng.random(asked.customer.size) < willing
    customer, day = asked.customer[responds], asked.day[responds]
    expectation, perception = _ticked(customer, day, people, mood, rng, world)
    gaps = _gaps(expectation, perception)
    prior = tale.purchases.counted(customer, day - 180, day)
    slopes = np.array([link.slopes[name] for name in DIMENSIONS])
    chance = _logistic(link.intercept + link.per_log_order * np.log(prior) + gaps @ slopes)
    return Answers(
        customer=customer,
        day=day,
        wave=asked.wave[responds],
        prior=prior,
        expectation=expectation,
        perception=perception,
        points=_points(customer.size, rng, world),
        gaps=gaps,
        chance=chance,
        returned=rng.random(customer.size) < chance,
    )


def _ticked(
    customer: Ints, day: Ints, people: People, mood: Floats, rng: np.random.Generator, world: World
) -> tuple[Ints, Ints]:
    """Expectations and perceptions of 22 items on 1 to 7; some left out, some ticked straight through."""
    plan, failure, size = world.truths.survey, world.truths.failure, customer.size
    expected = np.array([plan.expectations[name] for name in DIMENSIONS]) + 0.5 * mood[customer, :1]
    gap = np.array([plan.gaps[name] for name in DIMENSIONS]) + 0.40 * rng.standard_normal((size, 5))
    gap = gap + 0.25 * mood[customer, 1:] + 0.35 * rng.standard_normal((size, 1))
    failing = served(people, world)[customer] & (day >= world.failure_day)
    gap += np.outer(failing, [failure.perception.get(name, 0.0) for name in DIMENSIONS])
    means = np.stack([expected, expected + gap])[:, :, OF_ITEM]
    ticked = whole(np.clip(means + 0.65 * rng.standard_normal(means.shape), 1, 7))
    straight = np.flatnonzero(rng.random(size) < plan.straight)
    ticked[:, straight] = rng.integers(4, 8, straight.size)[:, None]
    ticked[rng.random(ticked.shape) < plan.unanswered] = 0
    return ticked[0], ticked[1]


def _gaps(expectation: Ints, perception: Ints) -> Floats:
    """Mean gap of each dimension over the items that have both answers; 0 where none has."""
    both = (expectation > 0) & (perception > 0)
    member = (OF_ITEM[:, None] == np.arange(len(DIMENSIONS))).astype(np.float64)
    gap = np.where(both, perception - expectation, 0) @ member
    return np.asarray(gap / np.maximum(both @ member, 1), dtype=np.float64)


def _points(size: int, rng: np.random.Generator, world: World) -> Ints:
    """A hundred points over the dimensions; a few respondents cannot add."""
    mean = np.array([world.truths.survey.points[name] for name in DIMENSIONS])
    shares = rng.gamma(mean / 2.5, size=(size, mean.size))
    points = whole(np.floor(100 * shares / shares.sum(axis=1, keepdims=True)))
    wrong = rng.random(size) < 0.03
    points[:, 1] += np.where(wrong, 0, 100 - points.sum(axis=1))
    return points


def _logistic(score: Floats) -> Floats:
    return 1 / (1 + np.exp(-score))


def _moved(tale: Story, given: Answers, rng: np.random.Generator, world: World) -> Story:
    """The story in which exactly those who return order within the days of the link after their answer."""
    days = world.truths.link.days
    forever = ~given.returned & (rng.random(given.day.size) < world.truths.link.gone)
    silent = tale.purchases.only(~_within(tale.purchases, given, ~given.returned, 0, days + 2))
    comes = given.returned & (silent.counted(given.customer, given.day + 2, given.day + days - 2) == 0)
    when = given.day[comes] + 2 + rng.integers(0, days - 4, int(comes.sum()))
    inside = when < world.history.days
    bought = silent.plus(given.customer[comes][inside], when[inside])
    tale = replace(tale, purchases=bought)
    return tale.leaving(given.customer[forever], given.day[forever], CAUSES.index("answer"))


def _within(bought: Purchases, given: Answers, chosen: Flags, after: int, until: int) -> Flags:
    """Purchases of the chosen respondents from `after` up to, not on, `until` days after their answer."""
    customer, day = given.customer[chosen], given.day[chosen]
    low, high = bought.before(customer, day + after), bought.before(customer, day + until)
    marks = np.zeros(bought.day.size + 1, dtype=np.int64)
    np.add.at(marks, low, 1)
    np.add.at(marks, high, -1)
    return np.cumsum(marks[:-1]) > 0
