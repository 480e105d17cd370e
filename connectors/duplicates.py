"""Rows that stand more than once: equal in every column, or alike in their key.

Ten million keys are compared by their hashes, eight bytes each; only rows whose hashes meet are compared in
full, some at a time, so that a chance collision of two hashes is never taken for a duplicate.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from connectors.raw import ROW

PART: Final = "(part)"
MOST: Final = 3_000_000
"""Rows that are compared at a time."""

_HASH: Final = "(hash)"
_REPEATED: Final = {PART: pl.UInt16, ROW: pl.UInt32, "same": pl.Boolean}


def repeated_rows(frame: pl.LazyFrame, columns: Sequence[str], *, most: int = MOST) -> pl.Series:
    """Numbers of the rows that are equal to an earlier one in every one of the columns, in their order."""
    hashed = frame.select(ROW, pl.struct(columns).hash().alias(_HASH))
    again = [_later(frame, columns, some) for some in _alike(hashed, most)]
    return pl.concat([pl.Series(ROW, [], pl.UInt32), *again]).sort()


def count_repeated(
    accepted: pl.LazyFrame, frame: pl.LazyFrame, columns: Sequence[str], *, most: int = MOST
) -> int:
    """How many accepted rows equal an earlier one in every column of the frame that they came from.

    `accepted` holds their values under ROW: rows that differ there are not looked at in full.
    """
    values = [name for name in accepted.collect_schema() if name != ROW]
    hashed = accepted.select(ROW, pl.struct(values).hash().alias(_HASH))
    return sum(_later(frame, columns, some).len() for some in _alike(hashed, most))


def _later(frame: pl.LazyFrame, columns: Sequence[str], some: pl.DataFrame) -> pl.Series:
    rows = frame.filter(pl.col(ROW).is_in(some[ROW].implode())).select(ROW, *columns).collect().sort(ROW)
    return rows.join(rows.unique(columns, keep="first"), on=ROW, how="anti")[ROW]


def repeated_keys(parts: Sequence[pl.LazyFrame], keys: Sequence[str], *, most: int = MOST) -> pl.DataFrame:
    """The rows with the key of another one: PART, ROW, and whether they are the `same` as the one that stays.

    The row that stays is one of the first part that has the key, and there the one that sorts first by its
    values, so that the order of the rows decides nothing. Sorted by part and row; empty when every key stands
    once.
    """
    hashes = [
        part.select(pl.lit(at, pl.UInt16).alias(PART), ROW, pl.struct(keys).hash().alias(_HASH))
        for at, part in enumerate(parts)
    ]
    found = [_judged(_rows(parts, some), keys) for some in _alike(pl.concat(hashes), most)]
    return pl.concat([pl.DataFrame(schema=_REPEATED), *found]).sort(PART, ROW)


def _alike(hashed: pl.LazyFrame, most: int) -> Iterator[pl.DataFrame]:
    """The rows whose hash stands more than once, about `most` at a time; rows of one hash stay together."""
    hashes = hashed.collect()
    ordered = hashes[_HASH].sort()
    twice = ordered.filter(ordered == ordered.shift()).unique()
    if not twice.len():
        return
    alike = hashes.filter(pl.col(_HASH).is_in(twice.implode()))
    times = alike.height // most + 1
    for at in range(times):
        yield alike.filter(pl.col(_HASH) % times == at)


def _rows(parts: Sequence[pl.LazyFrame], some: pl.DataFrame) -> pl.DataFrame:
    """The whole rows of some row numbers."""
    rows = []
    for at, part in enumerate(parts):
        mine = some.filter(pl.col(PART) == at)[ROW]
        here = part.filter(pl.col(ROW).is_in(mine.implode()))
        rows.append(here.with_columns(pl.lit(at, pl.UInt16).alias(PART)))
    return pl.concat(rows, how="diagonal_relaxed").collect()


def _judged(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    values = [name for name in rows.columns if name not in (PART, ROW, *keys)]
    ordered = rows.sort(*keys, PART, *values, ROW, nulls_last=True)
    place = pl.int_range(pl.len()).over(keys)
    equal = [pl.col(name).eq_missing(pl.col(name).first().over(keys)) for name in values]
    same = pl.all_horizontal(pl.lit(value=True), *equal).alias("same")
    return ordered.select(PART, ROW, same, place.alias("place")).filter(pl.col("place") > 0).drop("place")
