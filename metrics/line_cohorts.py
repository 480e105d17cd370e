"""The cohort counts straight from order lines, where no marts have been made of them."""

from collections.abc import Sequence
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

    The periods of a customer are the bits of a number, of which each line sets one.
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
    return _table([seen[name].to_numpy() for name in names], start, size)


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
        own = bits.take(np.subtract(days[part], least, dtype=np.intp))
        own *= ~returned[part]
        seen[at:until] = np.bitwise_or.reduceat(own, starts - starts[0])

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        for _done in pool.map(see, range(0, len(lengths), _PART)):
            pass
    return seen


def _first(words: Sequence[Bits], none: int) -> NDArray[np.uint16]:
    """The period of the lowest bit of each customer; `none` where there is no bit at all."""
    first = np.full(len(words[0]), none, dtype=np.uint16)
    for at, word in reversed(list(enumerate(words))):
        below = np.bitwise_count((word & (~word + np.uint64(1))) - np.uint64(1))  # zeros below the lowest bit
        np.copyto(first, below + np.uint16(at * _WORD), where=word != 0)
    return first


def _table(words: Sequence[Bits], start: int, size: int) -> pl.DataFrame:
    """Customers by cohort and age, from their words of 64 periods each."""
    first = _first(words, size)
    order = np.argsort(first, kind="stable")
    edges = np.searchsorted(first[order], np.arange(size + 1))
    by_cohort = [word[order] for word in words]
    parts = []
    for cohort in np.flatnonzero(np.diff(edges)).tolist():
        ours = slice(edges[cohort], edges[cohort + 1])
        active = [
            np.count_nonzero(by_cohort[period // _WORD][ours] & np.uint64(1 << period % _WORD))
            for period in range(cohort, size)
        ]
        rows = pl.DataFrame({"age": range(size - cohort), "active": active}, schema_overrides=SCHEMA)
        parts.append(rows.select(pl.lit(start + cohort, pl.Int32).alias("cohort"), "age", "active"))
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
