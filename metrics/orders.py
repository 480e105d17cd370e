"""Orders from baskets: which row counts as an order, a first order, a day of buying; what was cross-sold.

Works on whole customers, so that a part of the customers gives the same rows as all of them together. Money
is in units of 0.0001 or decimal, whichever the baskets hold.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from metrics.rollup import AMOUNTS, COUNTS, QUANTITIES
from metrics.runs import Flags, Whole, codes, first_in_run, first_of_each, in_order, runs

FLAGS: Final = ("orders", "order_days", "first_orders")
"""0 or 1 a row of `orders`; their sums count orders, days with an order, customers' first orders."""

SELLING: Final = ("cross_sell_amount", "up_sell_amount")
MONEY_SUMS: Final = (*AMOUNTS, *SELLING)
LINE_SUMS: Final = (*COUNTS, *QUANTITIES, *MONEY_SUMS)
MEASURES: Final = (*FLAGS, *LINE_SUMS)
"""What adds up over orders, customers and periods."""


def with_selling(baskets: pl.DataFrame, home: pl.DataFrame | None = None) -> pl.DataFrame:
    """Baskets, money in units, with what was cross-sold and up-sold, and the flags within each category.

    Sorted by (category, customer, ordered_on, order). A customer's first order is that of the earliest day
    with a purchase, of several that of the smallest order id. `cross_sell_amount` is the net amount of
    baskets in a category that the first order did not hold. `up_sell_amount` compares a basket's paid unit
    price (`gross_amount / bought_quantity`) with that of the customer's previous basket in the same category:
    a rise times the quantity bought, rounded to the 0.0001, never negative. Both are zero for unknown
    customers and baskets without a category. `home` gives the (customer, category) pairs of first orders
    where the baskets are not all that there are.
    """
    rows = in_order(baskets, ("category", "customer", "ordered_on", "order"))
    known = (rows["customer"].is_not_null() & rows["category"].is_not_null()).to_numpy()
    bought = (rows["purchases"] > 0).to_numpy() & known
    pairs = runs(rows, "category", "customer")
    at_home = _bought_first(rows, pairs, bought) if home is None else _is_among(rows, home)
    net = (rows["gross_amount"] + rows["returned_amount"]).to_numpy()
    sold = rows.with_columns(
        pl.Series("cross_sell_amount", np.where(known & ~at_home, net, 0)),
        pl.Series("up_sell_amount", _up_sold(rows, pairs, bought)),
    )
    return flagged(sold, ("category",))


def _bought_first(rows: pl.DataFrame, pairs: Whole, bought: Flags) -> Flags:
    """Whether the first order of the row's customer holds the row's category."""
    customer, order = codes(rows["customer"]), codes(rows["order"])
    when = codes(rows["ordered_on"]) * (order.max(initial=0) + 1) + order
    never = np.iinfo(np.int64).max
    first = np.full(customer.max(initial=0) + 1, never)
    every = (rows["purchases"] > 0).to_numpy()
    np.minimum.at(first, customer[every], when[every])
    first_order = first % (order.max(initial=0) + 1)
    in_first = bought & (first[customer] != never) & (order == first_order[customer])
    held = np.zeros(pairs.max(initial=0) + 1, dtype=np.bool_)
    held[pairs[in_first]] = True
    return held[pairs]


def _is_among(rows: pl.DataFrame, pairs: pl.DataFrame) -> Flags:
    """Whether the customer and category of each row are among the pairs."""
    keys = ["customer", "category"]
    marked = pairs.unique().with_columns(pl.lit(value=True).alias("found"))
    found = rows.select(keys).join(marked, on=keys, how="left", maintain_order="left")["found"]
    return found.fill_null(value=False).to_numpy()


def _up_sold(rows: pl.DataFrame, pairs: Whole, bought: Flags) -> Whole:
    """The rise of the unit price against the customer's previous basket of the category, times quantity."""
    quantity = rows["bought_quantity"].to_numpy()
    at = np.flatnonzero(bought & (quantity > 0))
    price = rows["gross_amount"].to_numpy()[at] / quantity[at]
    again = np.flatnonzero(pairs[at][1:] == pairs[at][:-1]) + 1
    rise = np.zeros(len(rows))
    rise[at[again]] = (price[again] - price[again - 1]) * quantity[at[again]]
    return np.rint(np.maximum(rise, 0.0)).astype(np.int64)


def orders_of(baskets: pl.DataFrame, dimensions: Sequence[str] = ()) -> pl.DataFrame:
    """One row an order and day, sorted by (customer, ordered_on, order): sums of its baskets, and flags."""
    keys = ("customer", "order", "ordered_on")
    sums = [pl.col(name).sum() for name in LINE_SUMS]
    rows = baskets.lazy().group_by(keys).agg(*sums, *(pl.col(name).min() for name in dimensions))
    return flagged(in_order(rows.collect(), ("customer", "ordered_on", "order")))


def flagged(rows: pl.DataFrame, split: Sequence[str] = ()) -> pl.DataFrame:
    """Order rows, sorted by (split, customer, ordered_on, order), with the flags of FLAGS.

    An order counts once, on its first day with a purchase; a day counts once a customer; the first order
    counts for known customers only. With `split`, each value of these columns is a business of its own.
    """
    bought = np.flatnonzero((rows["purchases"] > 0).to_numpy())
    customers = runs(rows, *split, "customer")
    days = runs(rows, *split, "customer", "ordered_on")
    known = rows["customer"].is_not_null().to_numpy()
    order = codes(rows["order"])
    flags = {
        "orders": first_of_each(customers * (order.max(initial=0) + 1) + order, bought),
        "order_days": first_in_run(days, bought),
        "first_orders": first_in_run(customers, bought) & known,
    }
    return rows.with_columns(pl.Series(name, flag.astype(np.int32)) for name, flag in flags.items())
