"""Parts of sorted marts: the rows of some periods, of some categories, of a window of days."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from metrics.orders import flagged
from metrics.periods import Calendar, Grain, Window
from metrics.runs import Whole, in_order, starts, sums
from metrics.selection import Missing

_FIRST_ROWS: Final = 1_000
EVERYBODY: Final = "all"
"""The value of a column of money spent that is not split by it."""
ORDER_KEYS: Final = ("customer", "ordered_on", "order")
"""By what order rows are sorted."""


def is_empty(rows: pl.LazyFrame, column: str) -> bool:
    """Whether there are rows, but none has a value in the column."""
    first = rows.select(column).head(_FIRST_ROWS).collect()[column]
    if first.count():
        return False  # mostly so, and told without reading the column
    counts = rows.select(pl.len().alias("rows"), pl.col(column).count().alias("values")).collect()
    return bool(counts["rows"].item()) and not counts["values"].item()


def between(frame: pl.DataFrame, column: str, first: int, last: int) -> pl.DataFrame:
    """The contiguous rows whose sorted column lies between two values."""
    start = int(frame[column].search_sorted(first, side="left"))
    return frame.slice(start, int(frame[column].search_sorted(last, side="right")) - start)


def fully_split(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """The rows, all of which are about one value of the column. Raises Missing when some are about all."""
    if (rows[column].cast(pl.String) == EVERYBODY).any():
        fault = f"part of the money spent is not split by {column}"
        raise Missing(fault)
    return rows


def places(categories: pl.Series) -> dict[str | None, tuple[int, int]]:
    """Where each category's baskets begin, and how many they are."""
    at = starts(categories)
    ends = [*at[1:].tolist(), len(categories)]
    return {categories[first]: (first, last - first) for first, last in zip(at.tolist(), ends, strict=True)}


@dataclass(frozen=True)
class Merged:
    """The baskets of several categories as the order rows of all of them together; empty at first.

    Sums are added when they are asked for: `order` puts baskets in the order of the rows, whose first ones
    stand at `at` there.
    """

    categories: tuple[str, ...] = ()
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    order: pl.Series = field(default_factory=pl.Series)
    at: Whole = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, categories: tuple[str, ...], baskets: pl.DataFrame) -> "Merged":
        """The order rows of the baskets of some categories, with flags but no sums beside `purchases`."""
        rows = in_order(baskets.with_row_index("basket"), ORDER_KEYS)
        at = starts(*(rows[name] for name in ORDER_KEYS))
        keys = (rows[name].gather(at) for name in ORDER_KEYS)
        orders = flagged(pl.DataFrame([*keys, *sums(rows, ["purchases"], at)]))
        return cls(categories, orders, rows["basket"], at)

    def with_sums(self, baskets: pl.DataFrame, names: Sequence[str]) -> "Merged":
        """The same with sums of further columns of the same baskets."""
        if not names:
            return self
        ordered = baskets.select(names).rechunk()[self.order]
        return replace(self, rows=self.rows.with_columns(sums(ordered, names, self.at)))


def reached(orders: pl.DataFrame, window: Window, calendar: Calendar) -> tuple[pl.DataFrame, pl.Series]:
    """The order rows of a window and of the periods beside it, and their periods.

    Beside a cut window without a grain lie as many days just before it.
    """
    day = pl.col("ordered_on")
    first, last = window.day_range(calendar)
    if window == Window():
        return orders, pl.zeros(len(orders), pl.Int32, eager=True)
    if window.grain is Grain.ALL:
        period = pl.when(day >= first).then(0).otherwise(-1).cast(pl.Int32)
        earliest = first - min(last - first + timedelta(days=1), first - date.min)
        rows = orders.filter(day.is_between(earliest, last))
    else:
        period = calendar.codes(day, window.grain)
        reach = calendar.start(window.first - 1, window.grain), calendar.end(window.last + 1, window.grain)
        rows = orders.filter(day.is_between(*reach))
        if window.is_cut:
            rows = rows.filter(~period.is_between(window.first, window.last) | day.is_between(first, last))
    return rows, rows.select(period.alias("period")).to_series()
