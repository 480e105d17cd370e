"""Orders from baskets: which basket counts as an order, a first order, a day of buying; what was cross-sold.

Works on whole customers: every row of a customer lies in the same frame, so that a part of the customers
gives the same rows as all of them together.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.rollup import AMOUNTS, COUNTS, QUANTITIES

FLAGS: Final = ("orders", "order_days", "first_orders")
"""0 or 1 a row of `orders`; their sums count orders, days with an order, customers' first orders."""

SELLING: Final = ("cross_sell_amount", "up_sell_amount")
DERIVED: Final = ("net_amount", "margin")
LINE_SUMS: Final = (*COUNTS, *QUANTITIES, *AMOUNTS, *SELLING)
MEASURES: Final = (*FLAGS, *LINE_SUMS)
"""What adds up over orders, customers and periods; `DERIVED` follow from them."""


def with_selling(baskets: pl.DataFrame, home: pl.DataFrame | None = None) -> pl.DataFrame:
    """Baskets with what was cross-sold and up-sold, sorted by (customer, category, ordered_on, order).

    A customer's first order is that of the earliest day with a purchase, of several that of the smallest
    order id. `cross_sell_amount` is the net amount of baskets in a category that the first order did not
    hold. `up_sell_amount` compares a basket's paid unit price (`gross_amount / bought_quantity`) with that of
    the customer's previous basket in the same category: a rise times the quantity bought, rounded to the
    0.0001, never negative. Both are zero for unknown customers and baskets without a category. `home` gives
    the (customer, category) pairs of first orders where the baskets are not all that there are.
    """
    known = pl.col("customer").is_not_null() & pl.col("category").is_not_null()
    rows = baskets.sort("customer", "category", "ordered_on", "order", nulls_last=True)
    net = pl.col("gross_amount") + pl.col("returned_amount")
    at_home = _is_among(rows, _first_categories(rows) if home is None else home)
    crossed = pl.when(known & ~at_home).then(net).otherwise(0)
    return rows.with_columns(crossed.cast(MONEY).alias("cross_sell_amount"), _up_sell(rows, known))


def _first_categories(rows: pl.DataFrame) -> pl.DataFrame:
    """The categories of each customer's first order: `customer`, `category`."""
    bought = rows.select("customer", "category", "ordered_on", "order").filter(rows["purchases"] > 0)
    in_order = bought.sort("customer", "ordered_on", "order")
    first = in_order.unique("customer", keep="first", maintain_order=True).select("customer", "order")
    return bought.join(first, on=["customer", "order"], how="semi").select("customer", "category")


def _is_among(rows: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """Whether the customer and category of each row are among the pairs."""
    keys = ["customer", "category"]
    marked = pairs.unique().with_columns(pl.lit(value=True).alias("found"))
    found = rows.select(keys).join(marked, on=keys, how="left", maintain_order="left")["found"]
    return found.fill_null(value=False)


def _up_sell(rows: pl.DataFrame, known: pl.Expr) -> pl.Series:
    """The rise of the unit price against the customer's previous basket of the category, times quantity."""
    buys = rows.with_row_index("row").filter(
        known & (pl.col("purchases") > 0) & (pl.col("bought_quantity") > 0)
    )
    price = pl.col("gross_amount").cast(pl.Float64) / pl.col("bought_quantity")
    again = (pl.col("customer") == pl.col("customer").shift(1)) & (
        pl.col("category") == pl.col("category").shift(1)
    )
    rise = pl.when(again).then((price - price.shift(1)) * pl.col("bought_quantity")).otherwise(0.0)
    amounts = buys.select("row", up_sell_amount=rise.clip(lower_bound=0.0).round(4).cast(MONEY))
    whole = pl.DataFrame({"row": pl.int_range(len(rows), dtype=pl.UInt32, eager=True)})
    return whole.join(amounts, on="row", how="left", maintain_order="left")["up_sell_amount"].fill_null(0)


def orders_of(baskets: pl.DataFrame, dimensions: Sequence[str] = ()) -> pl.DataFrame:
    """One row an order and day, sorted by (customer, ordered_on, order): sums of its baskets, and flags."""
    keys = ("customer", "order", "ordered_on")
    sums = [pl.col(name).sum() for name in LINE_SUMS if name in baskets.columns]
    rows = baskets.lazy().group_by(keys).agg(*sums, *(pl.col(name).min() for name in dimensions))
    return flagged(rows.sort("customer", "ordered_on", "order", nulls_last=True).collect())


def flagged(rows: pl.DataFrame, split: Sequence[str] = ()) -> pl.DataFrame:
    """Order rows, sorted by (split, customer, ordered_on, order), with the flags of FLAGS.

    An order counts once, on its first day with a purchase; a day counts once a customer; the first order
    counts for known customers only. With `split`, each value of these columns is a business of its own.
    """
    bought = pl.col("purchases") > 0
    return rows.with_columns(
        _first_time(bought, *split, "customer", "order").alias("orders"),
        _first_time(bought, *split, "customer", "ordered_on").alias("order_days"),
        (_first_time(bought, *split, "customer") * pl.col("customer").is_not_null()).alias("first_orders"),
    )


def _first_time(true: pl.Expr, *keys: str) -> pl.Expr:
    """1 in the first row of each key in which the condition holds, else 0."""
    return (true & (true.cast(pl.Int32).cum_sum().over(*keys) == 1)).cast(pl.Int32)
