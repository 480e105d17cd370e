"""The cohort counts straight from order lines, where no marts have been made of them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.periods import Calendar, Grain


def line_cohorts(
    lines: pl.LazyFrame, calendar: Calendar, as_of: date, grain: Grain = Grain.MONTH
) -> pl.DataFrame:
    """Active customers by the period of their first order and periods since.

    `lines`: customer_id, ordered_on, is_return, in any order, the fastest by customer. One row a cohort and
    age up to the period of the as-of day, sorted: cohort, age, active (0 where nobody came back). Returned
    goods are no order, lines without a customer count for nobody; no lines give no rows.
    """
    rows = lines.select("customer_id", pl.col("ordered_on").to_physical(), "is_return").collect()
    days, last_day = rows["ordered_on"], (as_of - date(1970, 1, 1)).days
    counts = (days <= last_day) & ~rows["is_return"] & rows["customer_id"].is_not_null()
    keep = counts.fill_null(value=False).to_numpy()
    if not keep.any():
        return pl.DataFrame(schema={"cohort": pl.Int32, "age": pl.Int32, "active": pl.Int64})
    at = days.to_numpy()[keep]
    start = calendar.code(date(1970, 1, 1) + timedelta(days=int(at.min())), grain)
    periods = _periods(at, calendar, grain) - start
    size = calendar.code(as_of, grain) - start + 1
    return _counts(_seen(_numbered(rows["customer_id"])[keep], periods, size), start)


def _periods(days: NDArray[np.int32], calendar: Calendar, grain: Grain) -> NDArray[np.int32]:
    """The period of each day, looked up: days are far fewer than lines."""
    least, most = int(days.min()), int(days.max())
    every = pl.Series("day", np.arange(least, most + 1, dtype=np.int32)).cast(pl.Date)
    codes = every.to_frame().select(calendar.codes(pl.col("day"), grain)).to_series()
    return np.asarray(codes.to_numpy()[days - least], dtype=np.int32)


def _numbered(ids: pl.Series) -> NDArray[np.uint32]:
    """A number for each id. Equal ids that stand together are told by comparing neighbours alone."""
    runs = ids.rle_id()
    numbers = runs.to_numpy()
    heads = ids.gather(np.flatnonzero(np.diff(numbers, prepend=np.uint32(2**32 - 1))))
    if heads.is_sorted() or heads.n_unique() == len(heads):
        return numbers
    return ids.cast(pl.Categorical).to_physical().to_numpy()


def _seen(customers: NDArray[np.uint32], periods: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Whether a customer (row) ordered in a period (column)."""
    seen = np.zeros((int(customers.max()) + 1) * size, dtype=np.bool_)
    seen[customers.astype(np.int64) * size + periods] = True
    return seen.reshape(-1, size)


def _counts(seen: NDArray[np.bool_], start: int) -> pl.DataFrame:
    """The rows of `seen` added up by their first true column."""
    size = seen.shape[1]
    first = seen.argmax(axis=1)
    first[~seen[np.arange(len(seen)), first]] = -1
    parts = [
        pl.DataFrame(
            {
                "cohort": np.full(size - cohort, start + cohort, dtype=np.int32),
                "age": np.arange(size - cohort, dtype=np.int32),
                "active": seen[first == cohort, cohort:].sum(axis=0, dtype=np.int64),
            }
        )
        for cohort in np.unique(first[first >= 0])
    ]
    return pl.concat(parts)
