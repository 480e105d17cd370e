"""Where the history begins: whether the first cohorts hold customers who were there before the data.

A customer who bought before the data begin looks new at the first order in them. Such cohorts are large and
loyal, and not to be compared with later ones.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
import polars as pl

from metrics.frames import Marts
from metrics.lives import ROLLING_DAYS
from metrics.periods import Grain

Basis = Literal["joined", "counts", "none"]

OLD_SHARE: Final = 0.05
"""Of the first period's customers, the share that must have joined earlier for the data to begin midway."""
USUAL: Final = 1.5
"""How many times the later periods' median the first one's new customers must be."""
QUANTILE: Final = 0.9


@dataclass(frozen=True)
class Beginning:
    """Whether the data begin in mid-business, judged by `basis`; `until` is the first period to trust.

    `none`: too short a history to say. `joined_before` counts customers whose first order lies before the
    day on which they joined.
    """

    until: int | None
    basis: Basis
    joined_before: int = 0


def beginning(marts: Marts, grain: Grain) -> Beginning:
    """Judged by the days on which customers joined where these are known, else by the count of new customers.

    By join dates: the data begin midway when over 5 % of the first period's customers joined before the first
    day of the data. By counts: when the first period has over 1.5 times the new customers of the later ones
    (their median). Then the periods are pale within which nine in ten of the gaps between orders end.
    """
    people = marts.frame("customer_summary")
    if "first_order_on" not in people.columns:
        return Beginning(None, "none")
    people = people.filter(pl.col("first_order_on").is_not_null())
    first_on = people["first_order_on"].min()
    if not isinstance(first_on, date):
        return Beginning(None, "none")
    first = marts.calendar.code(first_on, grain)
    ahead = _ordered_before_joining(people)
    usual = -(-typical_gap_days(marts) // ROLLING_DAYS[grain])
    joined = _joined_earlier(people, marts.calendar.end(first, grain), first_on)
    if joined is not None:
        return Beginning(first + usual if joined > OLD_SHARE else None, "joined", ahead)
    codes = people.select(marts.calendar.codes(pl.col("first_order_on"), grain)).to_series()
    whole = codes.filter(codes <= marts.calendar.last_complete(grain, marts.as_of))
    counts = np.bincount((whole - first).to_numpy())
    later = counts[usual + 1 :]
    if not len(later):
        return Beginning(None, "none", ahead)
    midway = counts[0] > USUAL * np.median(later)
    return Beginning(first + usual if midway else None, "counts", ahead)


def _joined_earlier(people: pl.DataFrame, until: date, first_on: date) -> float | None:
    """Of the first period's customers, the share who joined before the data begin; None where unknown."""
    if "joined_on" not in people.columns:
        return None
    joined = people.filter(pl.col("first_order_on") <= until)["joined_on"].drop_nulls()
    return float((joined < first_on).sum()) / len(joined) if len(joined) else None


def _ordered_before_joining(people: pl.DataFrame) -> int:
    if "joined_on" not in people.columns:
        return 0
    return int((people["first_order_on"] < people["joined_on"]).sum())


def typical_gap_days(marts: Marts, quantile: float = QUANTILE) -> int:
    """The quantile of the days between the order days of a customer; 0 where nobody ordered twice."""
    orders = marts.in_units("orders", ("customer", "ordered_on", "order_days"))
    bought = orders.filter(pl.col("order_days") > 0, pl.col("customer").is_not_null())
    customers, days = bought["customer"].to_numpy(), bought["ordered_on"].to_physical().to_numpy()
    gaps = np.diff(days)[customers[1:] == customers[:-1]]
    return int(np.quantile(gaps, quantile, method="higher")) if len(gaps) else 0
