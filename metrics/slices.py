"""Parts of sorted marts: the rows of some periods, of some categories, of a window of days."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from metrics.orders import flagged
from metrics.periods import Calendar, Grain, Window
from metrics.runs import in_order, starts, sums


def is_empty(rows: pl.LazyFrame, column: str) -> bool:
    """Whether there are rows, but none has a value in the column."""
    counts = rows.select(pl.len().alias("rows"), pl.col(column).count().alias("values")).collect()
    return bool(counts["rows"].item()) and not counts["values"].item()


def between(frame: pl.DataFrame, column: str, first: int, last: int) -> pl.DataFrame:
    """The contiguous rows whose sorted column lies between two values."""
    start = int(frame[column].search_sorted(first, side="left"))
    return frame.slice(start, int(frame[column].search_sorted(last, side="right")) - start)


def places(categories: pl.Series) -> dict[str | None, tuple[int, int]]:
    """Where each category's baskets begin, and how many they are."""
    at = starts(categories)
    ends = [*at[1:].tolist(), len(categories)]
    return {categories[first]: (first, last - first) for first, last in zip(at.tolist(), ends, strict=True)}


def merged(baskets: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The baskets of several categories as the order rows of all of them together, with some sums."""
    keys = ("customer", "ordered_on", "order")
    rows = in_order(baskets, keys)
    at = starts(*(rows[name] for name in keys))
    return flagged(pl.DataFrame([*(rows[name].gather(at) for name in keys), *sums(rows, columns, at)]))


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
