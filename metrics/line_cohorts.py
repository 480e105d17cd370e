"""The cohort counts straight from order lines, where no marts have been made of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.periods import Calendar, Grain

SCHEMA: Final = {"cohort": pl.Int32, "age": pl.Int32, "active": pl.Int64}
_WORD: Final = 64
_PART: Final = 16_384
"""Customers whose lines are read at a time: so few that the processor holds them all."""

Bits = NDArray[np.uint64]


def line_cohorts(
    lines: pl.LazyFrame, calendar: Calendar, as_of: date, grain: Grain = Grain.MONTH
) -> pl.DataFrame:
    """Active customers by the period of their first order and periods since.

    `lines`: customer_id, ordered_on, is_return, in any order, the fastest by customer. One row a cohort and
    age up to the period of the as-of day, sorted: cohort, age, active (0 where nobody came back). Returned
    goods are no order, lines without a customer count for nobody; no lines give no rows.

    The periods of a customer are the bits of a number: a line sets one of them, and customers with the same
    number are counted together.
    """
    returned = pl.col("is_return").fill_null(value=False)
    queries = pl.col("customer_id").rle(), (pl.col("ordered_on").to_physical(), returned)
    customers, rows = pl.collect_all([lines.select(query) for query in queries])
    runs, days = customers.unnest("customer_id"), rows["ordered_on"]
    if not days.count():
        return pl.DataFrame(schema=SCHEMA)
    least, most = int(days.min()), int(days.max())  # type: ignore[arg-type]  # numbers
    start, periods = _periods(least, most, calendar, as_of, grain)
    size = max(calendar.code(as_of, grain) - start + 1, 0)
    words = [
        pl.Series(str(word), _seen(rows, runs["len"], least, _bits(periods, word)))
        for word in range(0, max(size, 1), _WORD)
    ]
    names = [word.name for word in words]
    seen = runs.select("value").with_columns(words).drop_nulls()
    if not seen["value"].is_sorted():  # a customer may have several runs
        seen = seen.group_by("value").agg(pl.col(names).bitwise_or())
    return _table(seen.group_by(names).len(), start, size)


def _periods(
    least: int, most: int, calendar: Calendar, as_of: date, grain: Grain
) -> tuple[int, NDArray[np.int64]]:
    """The first period, and that of each day from the least on, counted from it; -1 after the as-of day.

    Days are far fewer than lines.
    """
    every = pl.Series("day", np.arange(least, most + 1, dtype=np.int32)).cast(pl.Date)
    codes = every.to_frame().select(calendar.codes(pl.col("day"), grain)).to_series().to_numpy()
    return int(codes[0]), np.where((every <= as_of).to_numpy(), codes - codes[0], -1).astype(np.int64)


def _bits(periods: NDArray[np.int64], word: int) -> Bits:
    """By day, the bit of its period in the word of 64 periods that begins with `word`; none outside of it."""
    inside = (periods >= word) & (periods < word + _WORD)
    bits = np.left_shift(np.uint64(1), np.where(inside, periods - word, 0).astype(np.uint64))
    return np.where(inside, bits, np.uint64(0))


def _seen(rows: pl.DataFrame, lengths: pl.Series, least: int, bits: Bits) -> Bits:
    """By run of lines of one customer, the bits of the days of all of its orders."""
    days, returned = rows["ordered_on"].to_numpy(), rows["is_return"].to_numpy()
    ends = np.append(0, np.cumsum(lengths.to_numpy(), dtype=np.int64))
    seen = np.empty(len(lengths), dtype=np.uint64)

    def see(at: int) -> None:
        until = min(at + _PART, len(lengths))
        starts, part = ends[at:until], slice(ends[at], ends[until])
        own = bits[days[part] - least]
        own[returned[part]] = 0
        seen[at:until] = np.bitwise_or.reduceat(own, starts - starts[0])

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        for _done in pool.map(see, range(0, len(lengths), _PART)):
            pass
    return seen


def _table(seen: pl.DataFrame, start: int, size: int) -> pl.DataFrame:
    """Counts by cohort and age of how many customers (`len`) have which bits."""

    def came(period: int) -> NDArray[np.bool_]:
        word = seen[str(period // _WORD * _WORD)].to_numpy()
        return np.asarray(word & np.uint64(1 << period % _WORD), dtype=np.bool_)

    first = np.full(len(seen), size)
    for period in reversed(range(size)):
        first[came(period)] = period
    many = seen["len"].to_numpy().astype(np.float64)
    counts = [np.bincount(first, many * came(period), minlength=size + 1) for period in range(size)]
    parts = [
        pl.DataFrame(
            {
                "cohort": np.full(size - cohort, start + cohort, dtype=np.int32),
                "age": np.arange(size - cohort, dtype=np.int32),
                "active": np.array([each[cohort] for each in counts[cohort:]], dtype=np.int64),
            }
        )
        for cohort in np.unique(first[first < size])
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
