"""The cohort counts straight from order lines, where no marts have been made of them."""

from datetime import date

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
    bought = lines.filter(~pl.col("is_return"), pl.col("ordered_on") <= as_of)
    rows = bought.select("customer_id", calendar.codes(pl.col("ordered_on"), grain).alias("period")).collect()
    if rows["customer_id"].null_count():
        rows = rows.drop_nulls("customer_id")
    if rows.is_empty():
        return pl.DataFrame(schema={"cohort": pl.Int32, "age": pl.Int32, "active": pl.Int64})
    start, last = int(rows["period"].min()), calendar.code(as_of, grain)  # type: ignore[arg-type]  # a number
    seen = _seen(_numbered(rows["customer_id"]), rows["period"].to_numpy() - start, last - start + 1)
    return _counts(seen, start)


def _numbered(ids: pl.Series) -> NDArray[np.uint32]:
    """A number for each id. Equal ids that stand together are told by comparing neighbours alone."""
    runs = ids.rle_id()
    heads = ids.gather(np.flatnonzero(np.diff(runs.to_numpy(), prepend=np.uint32(2**32 - 1))))
    if heads.n_unique() == len(heads):
        return runs.to_numpy()
    return ids.cast(pl.Categorical).to_physical().to_numpy()


def _seen(customers: NDArray[np.uint32], periods: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Whether a customer (row) ordered in a period (column)."""
    seen = np.zeros((int(customers.max()) + 1) * size, dtype=np.bool_)
    seen[customers.astype(np.int64) * size + periods] = True
    return seen.reshape(-1, size)


def _counts(seen: NDArray[np.bool_], start: int) -> pl.DataFrame:
    """The rows of `seen` added up by their first true column."""
    size = seen.shape[1]
    anybody = seen.any(axis=1)
    first = np.where(anybody, seen.argmax(axis=1), -1)
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
