"""Lifetime value when customers move between states: the Markov chain of Pfeifer & Carraway.

Pfeifer & Carraway (2000), Modeling customer relationships as Markov chains, Journal of Interactive Marketing
14(2). The right simple model for customers who come and go: a state is how long ago the last order was, or
a segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.equity import per_period
from metrics.reasons import FrameProblem, Reason

Matrix = NDArray[np.float64]
QUARTER_DAYS: Final = 91


def migration_value(
    transitions: Matrix, rewards: Sequence[float] | Matrix, discount: float, periods: int | None = None
) -> Matrix:
    """Value of a customer in each state: V = (I - P/(1+d))^-1 R; with `periods`, of so many more periods.

    `rewards` come at the beginning of each period, the first undiscounted. Rows of `transitions` sum to at
    most 1 (the rest is gone for good). Raises FrameProblem for other matrices, or without end (d = 0 and
    nobody leaves).
    """
    P, R = np.asarray(transitions, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    _check(P, R, discount)
    step = P / (1 + discount)
    if periods is None:
        if np.abs(np.linalg.eigvals(step)).max() >= 1 - 1e-12:
            text = "Customers never leave and nothing is discounted: no end. Set a discount rate or a horizon"
            raise FrameProblem(Reason("no_end", text))
        return np.asarray(np.linalg.solve(np.eye(len(R)) - step, R), dtype=np.float64)
    value = R.copy()
    for _ in range(periods):
        value = R + step @ value
    return value


def _check(P: Matrix, R: Matrix, discount: float) -> None:
    square = P.ndim == 2 and P.shape == (len(R), len(R))
    if not square or P.min() < 0 or P.sum(axis=1).max() > 1 + 1e-9 or discount < 0:
        text = "Transitions must be a square table of shares, one reward a state. Correct the table"
        raise FrameProblem(Reason("impossible_transitions", text))


def recency_chain(order_rates: Sequence[float]) -> Matrix:
    """Transitions by recency: an order leads to state 1, none to the next, and the last is gone for good.

    `order_rates` are the chances of an order 1, 2, ... periods after the last one.
    """
    n = len(order_rates)
    P = np.zeros((n + 1, n + 1))
    P[:n, 0] = order_rates
    P[np.arange(n), np.arange(1, n + 1)] = 1 - np.asarray(order_rates)
    return P  # row n stays empty: what is gone brings nothing, and costs nothing


def mailing_rewards(states: int, contribution: float, mailing_cost: float) -> Matrix:
    """Rewards by recency: an order's contribution in state 1, a mailing's cost in all but the last."""
    rewards = np.full(states + 1, -mailing_cost)
    rewards[0] += contribution
    rewards[-1] = 0.0
    return rewards


@dataclass(frozen=True, eq=False)
class MailingPolicy:
    """Mail customers up to this recency and no further; what a customer of each recency is then worth."""

    mail_until: int
    values: Matrix


def best_policy(
    order_rates: Sequence[float], contribution: float, mailing_cost: float, discount: float
) -> MailingPolicy:
    """The recency at which to stop mailing, so that a customer who has just ordered is worth most.

    Customers no longer mailed order no more. With every recency mailed a negative value says: stop there.
    """
    policies = [
        MailingPolicy(
            last,
            migration_value(
                recency_chain(order_rates[:last]), mailing_rewards(last, contribution, mailing_cost), discount
            ),
        )
        for last in range(1, len(order_rates) + 1)
    ]
    return max(policies, key=lambda policy: float(policy.values[0]))


def transition_rates(moves: pl.DataFrame) -> pl.DataFrame:
    """Shares of customers moving from each state to each, from `before`, `after` and `customers` (a count).

    `before`, `after`, `customers`, `rate`, sorted; null `after` (gone) counts in the base of its row.
    """
    rate = pl.col("customers") / pl.col("customers").sum().over("before")
    return (
        moves.group_by("before", "after")
        .agg(pl.col("customers").sum())
        .with_columns(rate=rate)
        .sort("before", "after")
    )


def recency_rates(orders: pl.DataFrame, at: date, states: int = 8, quarters: int = 4) -> pl.DataFrame:
    """How many ordered again by how many quarters ago their last order was, over the last quarters to `at`.

    `orders` has `customer`, `ordered_on`, `margin`. A quarter is 91 days. `recency` (1 ordered in the quarter
    before), `customers` (at the beginning of each quarter, added up), `ordered` in it, `rate`, and `margin`
    per customer who ordered, sorted by recency; recencies that nobody had are left out.
    """
    ago = ((pl.lit(at) - pl.col("ordered_on")).dt.total_days() // QUARTER_DAYS).alias("ago")
    active = (
        orders.lazy()
        .filter(pl.col("ordered_on") <= at, pl.col("customer").is_not_null())
        .group_by("customer", ago)
        .agg(pl.col("margin").sum().cast(pl.Float64))
        .collect()
    )
    seen = [_seen(active, quarter) for quarter in range(quarters)]
    return (
        pl.concat(seen)
        .filter(pl.col("recency") <= states)
        .group_by("recency")
        .agg(
            pl.len().cast(pl.Int64).alias("customers"),
            pl.col("margin").is_not_null().sum().cast(pl.Int64).alias("ordered"),
            pl.col("margin").mean(),
        )
        .with_columns(rate=pl.col("ordered") / pl.col("customers"))
        .sort("recency")
        .select("recency", "customers", "ordered", "rate", "margin")
    )


def _seen(active: pl.DataFrame, quarter: int) -> pl.DataFrame:
    """Customers known before a quarter: how long ago they last ordered, and what they brought in it."""
    before = active.filter(pl.col("ago") > quarter).group_by("customer").agg(pl.col("ago").min())
    now = active.filter(pl.col("ago") == quarter).select("customer", "margin")
    return before.join(now, on="customer", how="left").select(
        recency=(pl.col("ago") - quarter).cast(pl.Int64), margin="margin"
    )


@dataclass(frozen=True, eq=False)
class Mailing:
    """What a customer of each recency is worth from here on when mailed in every quarter; when to stop.

    `contribution` is the margin of a customer who orders, per quarter.
    """

    contribution: float
    worth: Matrix
    mail_until: int


def mailing(rates: pl.DataFrame, cost: float, yearly_discount: float) -> Mailing:
    """The mailing of customers with these `recency_rates` at a cost a quarter, without an end.

    Recencies count up to the first that nobody had. Raises FrameProblem without any.
    """
    known = rates.with_row_index("at").filter(pl.col("recency") == pl.col("at").cast(pl.Int64) + 1)
    ordered = known["ordered"].cast(pl.Float64)
    if not ordered.sum():
        text = "Nobody ordered again in the last four quarters. Widen the filters, or choose a later period"
        raise FrameProblem(Reason("no_repeat_buyers", text))
    contribution = float((known["margin"].fill_null(0.0) * ordered).sum()) / float(ordered.sum())
    discount, again = per_period(yearly_discount, 4, "discount"), known["rate"].to_list()
    value = migration_value(recency_chain(again), mailing_rewards(len(again), contribution, cost), discount)
    coming = (value - mailing_rewards(len(again), contribution, 0.0))[:-1]
    return Mailing(contribution, coming, best_policy(again, contribution, cost, discount).mail_until)
