"""Sorted rows as runs of equal keys: sorting by packed keys, and sums and firsts in one linear pass."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

_WIDEST: Final = 2**62
_FEW_STRETCHES: Final = 64

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


def codes(column: pl.Series) -> Whole:
    """A column of whole numbers, days or categories as integers from 0 in its order, null the largest."""
    whole = column.to_physical().cast(pl.Int64)
    least, most = whole.min(), whole.max()
    if not isinstance(least, int) or not isinstance(most, int):
        return np.zeros(len(column), dtype=np.int64)
    return (whole - least).fill_null(most - least + 1).to_numpy()


def in_order(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The rows sorted by some columns as `codes` has them; by one packed number where that fits.

    A few sorted stretches one after the other, such as categories, are merged and not sorted anew.
    """
    keys = [codes(rows[name]) for name in names]
    widths = [int(key.max(initial=0)) + 1 for key in keys]
    if np.prod(widths, dtype=np.float64) >= _WIDEST:
        return rows.sort(names, nulls_last=True)
    packed = np.zeros(len(rows), dtype=np.int64)
    for key, width in zip(keys, widths, strict=True):
        packed = packed * width + key
    few = np.count_nonzero(packed[1:] < packed[:-1]) < _FEW_STRETCHES
    order = pl.Series(np.argsort(packed, kind="stable")) if few else pl.Series(packed).arg_sort()
    return rows.rechunk()[order]


def starts(*columns: pl.Series) -> Whole:
    """Where the runs of equal keys begin; the rows are sorted by these columns."""
    keys = [_told_apart(column) for column in columns]
    changes = np.zeros(len(keys[0]), dtype=np.bool_)
    changes[:1] = True
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changes)


def _told_apart(column: pl.Series) -> NDArray[np.generic]:
    """Numbers that are equal where the values are, as narrow as the column has them."""
    plain = column.to_physical()
    return codes(column) if plain.null_count() or plain.dtype == pl.String else plain.to_numpy()


def runs(rows: pl.DataFrame, *names: str) -> Whole:
    """The number of the run of equal keys that each row of sorted rows belongs to."""
    marks = np.zeros(len(rows), dtype=np.int64)
    marks[starts(*(rows[name] for name in names))[1:]] = 1
    return np.cumsum(marks)


def sums(rows: pl.DataFrame, names: Sequence[str], at: Whole) -> list[pl.Series]:
    """The sums of number columns over the runs that begin at `at`; null for a column without values."""
    return [_sum(rows[name], at) for name in names]


def _sum(column: pl.Series, at: Whole) -> pl.Series:
    if column.null_count():
        if column.null_count() == len(column):
            return pl.Series(column.name, [None], dtype=column.dtype).new_from_index(0, len(at))
        column = column.fill_null(0)
    values = column.to_numpy()
    if values.dtype.itemsize < 4:
        values = values.astype(np.int32)
    return pl.Series(column.name, np.add.reduceat(values, at, dtype=values.dtype) if len(at) else values[:0])


def first_in_run(run: Whole, rows: Whole) -> Flags:
    """Whether a row is the first of the given rows in its run; the runs stand in order."""
    flags = np.zeros(len(run), dtype=np.bool_)
    flags[rows[np.flatnonzero(np.diff(run[rows], prepend=-1))]] = True
    return flags


def first_of_each(keys: Whole, rows: Whole) -> Flags:
    """Whether a row is the first of the given rows with its key; the keys stand in any order."""
    flags = np.zeros(len(keys), dtype=np.bool_)
    given = keys[rows]
    rising = (given[1:] > given[:-1]).all()  # then all are different
    flags[rows if rising else rows[pl.Series(given).arg_unique().to_numpy()]] = True
    return flags


def stable_order(values: pl.Series) -> Whole:
    """The rows by a column of few different whole numbers, equal ones as they stand."""
    key = codes(values)
    narrow = key.astype(np.uint16) if key.max(initial=0) < 2**16 else key
    return np.argsort(narrow, kind="stable")
