"""Lives added up: small, exact, and enough for every definition of retention, so that a change asks no marts.

Whoever came back at several ages within a bracket counts once in it. So returns are counted by their age and
that of the return before: within ages a to b as many lives came back as have a return there and none before
it from a on.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.frames import Marts
from metrics.lives import MEASURES, ROLLING_DAYS, Events, kept_lives
from metrics.periods import Grain
from metrics.runs import stable_order

NEVER: Final = -1
"""The age of the return before the first."""


@dataclass(frozen=True)
class Tally:
    """`metrics.lives` added up, in no order.

    `sums`: cohort, age, lives, orders, net_amount, margin (in units of 0.0001, margin null where no source
    gives a cost). `returns`: cohort, age, before (the age of the return before, `NEVER` for the first),
    counted (how many came back). Rolling lives are split by `whole` too, how many of their own periods are
    over, and `sums` has first_on, the latest first day. Every life is among those of age 0.
    """

    sums: pl.DataFrame
    returns: pl.DataFrame


def tally(lives: pl.DataFrame, grain: Grain, as_of: date) -> Tally:
    """Lives added up by cohort and age, their returns also by the age of the return before."""
    keys, sums = ["cohort", "age"], [pl.col(name).sum() for name in MEASURES]
    if "first_on" in lives.columns:
        lives = lives.with_columns(whole=_whole_periods(as_of, ROLLING_DAYS[grain]))
        keys.append("whole")
        sums.append(pl.col("first_on").max())
    summed = lives.lazy().group_by(keys).agg(pl.len().cast(pl.Int64).alias("lives"), *sums).collect()
    if not lives["margin"].count():
        summed = summed.with_columns(margin=pl.lit(None, summed.schema["margin"]))
    came = lives.select(*keys, "counts").with_columns(_ages_before(lives)).filter("counts")
    return Tally(summed, _counted(came.drop("counts")))


def kept_tally(marts: Marts, events: Events, grain: Grain, *, rolling: bool = False) -> Tally:
    """The tally of the selected customers' lives; that of all customers is kept."""

    def made() -> Tally:
        return tally(kept_lives(marts, events, grain, rolling=rolling), grain, marts.as_of)

    if marts.mask is not None:
        return made()
    return marts.kept(("tally", events, grain, rolling, marts.selection.categories), made)


def _whole_periods(as_of: date, length: int) -> pl.Expr:
    """How many periods of the customer's own are over."""
    return (((pl.lit(as_of) - pl.col("first_on")).dt.total_days() + 1) // length).cast(pl.Int32)


def _ages_before(lives: pl.DataFrame) -> pl.Series:
    """The age of the return before that of each row: period after period, each life with its last one."""
    moment = lives["cohort"] + lives["age"]  # no life has two rows of one moment
    order = None if moment.is_sorted() else stable_order(moment)
    life, age, counts = (lives[name].to_numpy() for name in ("life", "age", "counts"))
    last = np.full(int(life.max(initial=0)) + 1, NEVER, dtype=np.int32)
    before = np.empty(len(life), dtype=np.int32)
    for rows in _blocks(moment, order):
        whose, came = life[rows], counts[rows]
        before[rows] = last[whose]
        last[whose[came]] = age[rows][came]
    return pl.Series("before", before)


def _blocks(moment: pl.Series, order: NDArray[np.int64] | None) -> list[slice] | list[NDArray[np.int64]]:
    """The rows of each moment, in the order of time."""
    ordered = moment.to_numpy() if order is None else moment.to_numpy()[order]
    edges = [0, *(np.flatnonzero(np.diff(ordered)) + 1), len(ordered)]
    cuts = [slice(*edge) for edge in pairwise(edges)]
    return cuts if order is None else [order[cut] for cut in cuts]


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """How often each row of whole numbers stands there, by one packed number: several columns take longer."""
    packed, ranges = np.zeros(len(rows), dtype=np.int64), []
    for column in rows:
        values = column.to_numpy()
        low, high = int(values.min(initial=0)), int(values.max(initial=0))
        packed *= high - low + 1
        packed += values
        packed -= low
        ranges.append((column, low, high - low + 1))
    found = pl.Series("packed", packed).value_counts(name="counted")
    rest, columns = found["packed"], []
    for column, low, width in reversed(ranges):
        columns.append((rest % width + low).cast(column.dtype).alias(column.name))
        rest //= width
    return pl.DataFrame([*reversed(columns), found["counted"].cast(pl.Int64)])
