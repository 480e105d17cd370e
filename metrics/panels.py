"""Customer x period panels: one row a customer and period with any order line, and its neighbours."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import polars as pl

from connectors.tables import MONEY
from metrics.money import amounts
from metrics.orders import MEASURES, MONEY_SUMS
from metrics.runs import stable_order, starts, sums

FOLLOWS: Final = {
    "customer": "customer_id",
    "quantity": "quantity",
    "bought_quantity": "quantity",
    "cost": "cost",
    "costed_amount": "cost",
    "margin": "cost",
    "discount": "discount",
    "cross_sell_amount": "category",
    "up_sell_amount": "category",
}
"""Which column of order lines a column of panels cannot be without."""

DERIVED: Final = ("net_amount", "margin")
EVERY_SUM: Final = (*MEASURES, *DERIVED)
NEIGHBOURS: Final = ("is_first", "active_before", "active_next", "net_before")
MONEY_COLUMNS: Final = (*MONEY_SUMS, *DERIVED, "net_before")
NEEDED: Final = ("orders", "first_orders", "net_amount")
"""The sums that the neighbours are made of."""


def panel(
    orders: pl.DataFrame,
    period: pl.Series,
    split: Sequence[str] = (),
    columns: Sequence[str] = EVERY_SUM,
    *,
    neighbours: bool = True,
) -> pl.DataFrame:
    """Sums of order rows by customer and period, with the neighbour columns; sorted as the orders are.

    `orders` are sorted by (split, customer, ordered_on), `period` is that of each row, money is in units. The
    rows of unknown customers make one row a period, its customer null. `columns` are summed, and whatever the
    neighbours need unless these are not asked for.

    `is_first`: the customer's first order ever falls into the period. `active_before` and `active_next`: the
    customer ordered in the period just before or after. `net_before`: the customer's net amount in the period
    just before, zero when there was none. With `split`, each value of these columns has a panel of its own.
    """
    at = starts(*(orders[name] for name in (*split, "customer")), period)
    keys = [*(orders[name].gather(at) for name in (*split, "customer")), period.gather(at).alias("period")]
    summed = [name for name in EVERY_SUM if name in columns or (neighbours and name in NEEDED)]
    rows = pl.DataFrame([*keys, *sums(orders, summed, at)])
    return with_neighbours(rows, split) if neighbours else rows


def summed_for(columns: Collection[str]) -> list[str]:
    """The sums that some columns of a panel are made of."""
    neighbours = not set(columns).isdisjoint(NEIGHBOURS)
    return [name for name in EVERY_SUM if name in columns or (neighbours and name in NEEDED)]


def by_period(rows: pl.DataFrame) -> pl.DataFrame:
    """A panel sorted by (period, customer), unknown customers last; takes the columns away from `rows`."""
    order = pl.Series(stable_order(rows["period"]).astype(np.uint32))  # what Polars picks rows by
    return pl.DataFrame([rows.drop_in_place(name).gather(order) for name in rows.columns])


def with_neighbours(rows: pl.DataFrame, split: Sequence[str] = ()) -> pl.DataFrame:
    """Rows sorted by (split, customer, period) with what the periods just before and after held."""
    active = pl.col("orders") > 0
    before, after = _is_neighbour(1, split), _is_neighbour(-1, split)
    return rows.with_columns(
        (pl.col("first_orders") > 0).alias("is_first"),
        (before & active.shift(1)).fill_null(value=False).alias("active_before"),
        (after & active.shift(-1)).fill_null(value=False).alias("active_next"),
        pl.when(before).then(pl.col("net_amount").shift(1)).otherwise(0).alias("net_before"),
    )


def _is_neighbour(step: int, split: Sequence[str]) -> pl.Expr:
    """Whether the row `step` above is the same customer's row of the period `step` before."""
    same = pl.col("customer") == pl.col("customer").shift(step)
    alike = (pl.col(name).eq_missing(pl.col(name).shift(step)) for name in split)
    return pl.all_horizontal(same, pl.col("period") - step == pl.col("period").shift(step), *alike)


def with_derived(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with `net_amount`, gross plus returned, and `margin`, of the lines whose cost is known."""
    return rows.with_columns(
        (pl.col("gross_amount") + pl.col("returned_amount")).alias("net_amount"),
        (pl.col("costed_amount") - pl.col("cost")).alias("margin"),
    )


def in_money(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with every amount as Decimal(18, 4), not in units."""
    schema = rows.collect_schema()
    return rows.with_columns(
        amounts(pl.col(name)) if schema[name] == pl.Int64 else pl.col(name).cast(MONEY)
        for name in MONEY_COLUMNS
        if name in schema
    )


def without(rows: pl.LazyFrame, missing: Sequence[str]) -> pl.LazyFrame:
    """Rows in which the sums that need columns which no source gives are null, not zero."""
    schema = rows.collect_schema()
    gone = [name for name in schema if FOLLOWS.get(name) in missing]
    return rows.with_columns(pl.lit(None, schema[name]).alias(name) for name in gone)
