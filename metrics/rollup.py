"""The heavy pass over order lines: one additive row an order, day and category, on any engine.

Written in narwhals with sums and counts alone, so that the same statement runs on Polars, DuckDB and a
Spark cluster; everything after it is small and plain Polars (`metrics.marts`).
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import narwhals.stable.v2 as nw
import polars as pl
from narwhals.stable.v2.typing import IntoLazyFrame

Lines: TypeAlias = nw.LazyFrame[Any]

KEYS: Final = ("customer_id", "order_id", "ordered_on", "category")
"""What one basket is: a customer's order, on one day, in one category."""

COUNTS: Final = ("lines", "purchases")
QUANTITIES: Final = ("quantity", "bought_quantity")
AMOUNTS: Final = ("gross_amount", "returned_amount", "cost", "costed_amount", "discount")


def baskets(lines: Lines, dimensions: Sequence[str] = ()) -> Lines:
    """Sums of order lines by `KEYS`: the columns of KEYS, COUNTS, QUANTITIES, AMOUNTS and the dimensions.

    `lines` counts all lines, `purchases` those that are no returns. `quantity` is net of returns,
    `bought_quantity` and `discount` are of purchases alone. `gross_amount` is paid for purchases,
    `returned_amount` taken back for returns (negative, as booked). `costed_amount` is the net amount of the
    lines whose cost is known, so that a margin compares like with like. A dimension (text) takes its first
    value in the alphabet within the basket. Sums of nothing are null or zero, as the engine has it; the order
    of the rows is the engine's.
    """
    bought = ~nw.col("is_return")
    net = nw.col("net_amount")
    return lines.group_by(*KEYS).agg(
        nw.len().cast(nw.Int64).alias("lines"),
        bought.cast(nw.Int64).sum().alias("purchases"),
        nw.col("quantity").sum(),
        nw.when(bought).then(nw.col("quantity")).sum().alias("bought_quantity"),
        nw.when(bought).then(net).sum().alias("gross_amount"),
        nw.when(~bought).then(net).sum().alias("returned_amount"),
        nw.col("cost").sum(),
        nw.when(~nw.col("cost").is_null()).then(net).sum().alias("costed_amount"),
        nw.when(bought).then(nw.col("discount")).sum().alias("discount"),
        *(nw.col(name).min() for name in dimensions),
    )


def opened(table: IntoLazyFrame) -> Lines:
    """A table of any engine, ready for the functions here."""
    return nw.from_native(table).lazy()


def collected(rows: Lines) -> pl.DataFrame:
    """The rows as a Polars frame."""
    native: pl.DataFrame = rows.collect(backend="polars").to_native()
    return native


def distinct_values(lines: Lines, column: str) -> pl.Series:
    """The different values of a column, null among them, in any order."""
    return collected(lines.select(column).unique()).to_series()
