"""Lifetime value when customers move between states: the Markov chain of Pfeifer & Carraway.

Pfeifer & Carraway (2000), Modeling customer relationships as Markov chains, Journal of Interactive Marketing
14(2). The right simple model for customers who come and go: a state is how long ago the last order was, or
a segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.reasons import FrameProblem, Reason

Matrix = NDArray[np.float64]


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
