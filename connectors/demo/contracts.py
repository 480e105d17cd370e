"""The demonstration's subscription box: contracts of beta-geometric life, with changes of plan."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from connectors.demo.calendar import Flags, Ints, whole
from connectors.demo.people import People
from connectors.demo.world import World, labels

_PERIODS = ("month", "year")


@dataclass(frozen=True)
class Contracts:
    """Contracts as parallel arrays: customer, first day, months until the end, plan, whether by the year."""

    customer: Ints
    started: Ints
    months: Ints
    plan: Ints
    yearly: Ints


def contracts(people: People, world: World, first: int) -> pl.DataFrame:
    """The subscriptions file: one row a stretch of a contract with one plan, sorted by contract and start."""
    rng = world.rng("contracts")
    earlier = _first(people, world, rng)
    every = _joined(earlier, _second(earlier, world, rng))
    return _stretches(every, people, world, rng).with_columns(pl.col("contract") + first)


def _first(people: People, world: World, rng: np.random.Generator) -> Contracts:
    plan = world.truths.subscriptions
    who = np.flatnonzero(people.ordered & (rng.random(people.size) < plan.share))
    started = people.joined[who] + whole(rng.exponential(120, who.size))
    inside = started < world.history.days
    who, started = who[inside], started[inside]
    yearly = (rng.random(who.size) < plan.yearly).astype(np.int64)
    months = _lives(who.size, world, rng) * np.where(yearly, 12, 1)
    return Contracts(who, started, months, rng.choice(len(plan.plans), who.size, p=plan.shares), yearly)


def _lives(size: int, world: World, rng: np.random.Generator) -> Ints:
    """Billing periods until churn: geometric with a churn rate of the contract's own."""
    plan = world.truths.subscriptions
    return rng.geometric(np.clip(rng.beta(plan.a, plan.b, size), 1e-4, 1))


def _second(first: Contracts, world: World, rng: np.random.Generator) -> Contracts:
    """New contracts of some who had ended theirs, two to five months later."""
    ended = _after(first.started, first.months, world)
    again = (ended < world.history.days) & (rng.random(ended.size) < world.truths.subscriptions.back)
    started = ended[again] + rng.integers(60, 150, int(again.sum()))
    inside = started < world.history.days
    months = _lives(int(inside.sum()), world, rng)
    customer, plan = first.customer[again][inside], first.plan[again][inside]
    return Contracts(customer, started[inside], months, plan, np.zeros(months.size, dtype=np.int64))


def _joined(first: Contracts, second: Contracts) -> Contracts:
    names = ("customer", "started", "months", "plan", "yearly")
    return Contracts(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


def _after(started: Ints, months: Ints, world: World) -> Ints:
    """Day number of the same day of the month so many months later (or the month's last day)."""
    dates = np.datetime64(world.history.start, "D") + started
    month = dates.astype("datetime64[M]")
    target = month + np.minimum(months, 1_200)
    last = (target + 1).astype("datetime64[D]") - 1
    same = target.astype("datetime64[D]") + (dates - month.astype("datetime64[D]"))
    return np.asarray(np.minimum(same, last) - np.datetime64(world.history.start, "D"), dtype=np.int64)


def _stretches(all_: Contracts, people: People, world: World, rng: np.random.Generator) -> pl.DataFrame:
    """Contracts cut where their plan changes: once at most, up or down, never in a yearly one."""
    plan = world.truths.subscriptions
    changed = rng.geometric(max(plan.changed, 1e-9), all_.months.size)
    to = all_.plan + np.where(rng.random(changed.size) < plan.up, 1, -1)
    cut = _after(all_.started, changed, world)
    ends = _after(all_.started, all_.months, world)
    moves = (changed < all_.months) & (cut < world.history.days) & (all_.yearly == 0)
    moves &= (to >= 0) & (to < len(plan.plans))
    number = np.arange(ends.size)
    return (
        pl.DataFrame({
            "contract": np.concatenate([number, number[moves]]),
            "customer_no": people.numbers[np.concatenate([all_.customer, all_.customer[moves]])],
            "plan": labels(plan.plans, np.concatenate([all_.plan, to[moves]])),
            "start": np.concatenate([all_.started, cut[moves]]),
            "stop": np.concatenate([np.where(moves, cut, ends), ends[moves]]),
            "amount": _prices(np.concatenate([all_.plan, to[moves]]), _twice(all_.yearly, moves), world),
            "billed": labels(_PERIODS, _twice(all_.yearly, moves)),
        })
        .sort("contract", "start")
        .pipe(_dated, world)
    )  # fmt: skip


def _twice(values: Ints, again: Flags) -> Ints:
    return np.concatenate([values, values[again]])


def _prices(plan: Ints, yearly: Ints, world: World) -> Ints:
    monthly = np.array(list(world.truths.subscriptions.plans.values())) * 100
    return whole(monthly[plan] * np.where(yearly, 10, 1))


def _dated(frame: pl.DataFrame, world: World) -> pl.DataFrame:
    """Dates for day numbers; a contract that runs on has no end."""
    start = np.datetime64(world.history.start, "D")
    stop = frame["stop"].to_numpy()
    return frame.with_columns(
        start=pl.Series(start + frame["start"].to_numpy()),
        stop=pl.Series(start + np.minimum(stop, world.history.days)).set(
            pl.Series(stop >= world.history.days), None
        ),
    )
