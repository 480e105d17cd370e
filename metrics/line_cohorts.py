"""The cohort counts straight from order lines, where no marts have been made of them."""

from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.periods import Calendar, Grain

SCHEMA: Final = {"cohort": pl.Int32, "age": pl.Int32, "active": pl.Int64}


def line_cohorts(
    lines: pl.LazyFrame, calendar: Calendar, as_of: date, grain: Grain = Grain.MONTH
) -> pl.DataFrame:
    """Active customers by the period of their first order and periods since.

    `lines`: customer_id, ordered_on, is_return, in any order, the fastest by customer. One row a cohort and
    age up to the period of the as-of day, sorted: cohort, age, active (0 where nobody came back). Returned
    goods are no order, lines without a customer count for nobody; no lines give no rows.
    """
    rows = lines.select("customer_id", pl.col("ordered_on").to_physical(), "is_return").collect()
    days = rows["ordered_on"]
    if not days.count():
        return pl.DataFrame(schema=SCHEMA)
    start, periods = _periods(days, calendar, as_of, grain)
    size = calendar.code(as_of, grain) - start + 1
    periods[(rows["is_return"] | rows["customer_id"].is_null()).to_numpy()] = max(size, 0)
    return _counts(_seen(_numbered(rows["customer_id"]), periods, max(size, 0)), start)


def _periods(days: pl.Series, calendar: Calendar, as_of: date, grain: Grain) -> tuple[int, NDArray[np.int32]]:
    """The first period, and that of each day from it on; days after the as-of day are in none, the last + 1.

    Looked up by day: days are far fewer than lines.
    """
    least, most = int(days.min()), int(days.max())  # type: ignore[arg-type]  # numbers
    every = pl.Series("day", np.arange(least, most + 1, dtype=np.int32)).cast(pl.Date)
    codes = every.to_frame().select(calendar.codes(pl.col("day"), grain)).to_series().to_numpy()
    start, last = int(codes[0]), calendar.code(as_of, grain)
    known = (every <= as_of).to_numpy()
    found = np.where(known, codes - start, max(last - start + 1, 0)).astype(np.int32)
    return start, found[days.to_numpy() - least]


def _numbered(ids: pl.Series) -> NDArray[np.uint32]:
    """A number for each id. Equal ids that stand together are told by comparing neighbours alone."""
    numbers = ids.rle_id().to_numpy()
    heads = ids.gather(np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])))
    if heads.is_sorted() or heads.n_unique() == len(heads):
        return numbers
    return ids.cast(pl.Categorical).to_physical().fill_null(0).to_numpy()


def _seen(customers: NDArray[np.uint32], periods: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Whether a customer (row) ordered in a period (column); what lies in none goes into a column more."""
    width, count = size + 1, int(customers.max()) + 1
    narrow = np.dtype(np.uint32 if count * width < 2**32 else np.uint64)
    at = np.multiply(customers, width, dtype=narrow)
    np.add(at, periods.astype(narrow), out=at)
    seen = np.zeros(count * width, dtype=np.bool_)
    seen[at] = True
    return seen.reshape(-1, width)[:, :size]


def _counts(seen: NDArray[np.bool_], start: int) -> pl.DataFrame:
    """The rows of `seen` added up by their first true column."""
    size = seen.shape[1]
    customers, periods = np.nonzero(seen)
    firsts = np.diff(customers, prepend=-1) != 0
    cohort = periods[firsts][np.cumsum(firsts) - 1] if len(periods) else periods
    counts = np.bincount(cohort * size + periods - cohort, minlength=size * size)
    parts = [
        pl.DataFrame(
            {
                "cohort": np.full(size - code, start + code, dtype=np.int32),
                "age": np.arange(size - code, dtype=np.int32),
                "active": counts[code * size : code * size + size - code].astype(np.int64),
            }
        )
        for code in np.unique(cohort)
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
