"""Rows that stand more than once: equal in every column, or alike in their key.

Ten million keys are compared by their hashes, eight bytes each; only rows whose hashes meet are compared in
full, so that a chance collision of two hashes is not taken for a duplicate.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from connectors.raw import ROW

PART: Final = "(part)"
_HASH: Final = "(hash)"


def repeated_rows(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.Series:
    """Numbers of the rows that are equal to an earlier one in every one of the columns, in their order."""
    found = _alike(frame.select(ROW, pl.struct(columns).hash().alias(_HASH)))
    if not found.height:
        return pl.Series(ROW, [], pl.UInt32)
    rows = frame.filter(pl.col(ROW).is_in(found[ROW].implode())).select(ROW, *columns).collect().sort(ROW)
    first = rows.unique(columns, keep="first")
    return rows.join(first, on=ROW, how="anti")[ROW].sort()


def repeated_keys(parts: Sequence[pl.LazyFrame], keys: Sequence[str]) -> pl.DataFrame:
    """The rows with the key of another one: PART, ROW, and whether they are the `same` as the one that stays.

    The row that stays is one of the first part that has the key, and there the one that sorts first by its
    values, so that the order of the rows decides nothing. Sorted by part and row; empty when every key stands
    once.
    """
    hashes = [
        part.select(pl.lit(at, pl.UInt16).alias(PART), ROW, pl.struct(keys).hash().alias(_HASH))
        for at, part in enumerate(parts)
    ]
    found = _alike(pl.concat(hashes))
    if not found.height:
        return pl.DataFrame(schema={PART: pl.UInt16, ROW: pl.UInt32, "same": pl.Boolean})
    return _judged(_candidates(parts, found), keys)


def _alike(hashed: pl.LazyFrame) -> pl.DataFrame:
    hashes = hashed.collect()
    ordered = hashes[_HASH].sort()
    twice = ordered.filter(ordered == ordered.shift()).unique()
    return hashes.filter(pl.col(_HASH).is_in(twice.implode())) if twice.len() else hashes.clear()


def _candidates(parts: Sequence[pl.LazyFrame], found: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for at, part in enumerate(parts):
        mine = found.filter(pl.col(PART) == at)[ROW]
        here = part.filter(pl.col(ROW).is_in(mine.implode()))
        rows.append(here.with_columns(pl.lit(at, pl.UInt16).alias(PART)))
    return pl.concat(rows, how="diagonal_relaxed").collect()


def _judged(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    values = [name for name in rows.columns if name not in (PART, ROW, *keys)]
    ordered = rows.sort(*keys, PART, *values, ROW, nulls_last=True)
    place = pl.int_range(pl.len()).over(keys)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).first().over(keys)) for name in values)
    judged = ordered.select(
        PART, ROW, place.alias("place"), (same if values else pl.lit(value=True)).alias("same")
    )
    return judged.filter(pl.col("place") > 0).select(PART, ROW, "same").sort(PART, ROW)
