"""Customer x period panels: one row a customer and period with any order line, and what its neighbours were."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.orders import DERIVED, MEASURES, SELLING
from metrics.rollup import AMOUNTS

NEIGHBOURS: Final = ("is_first", "active_before", "active_next", "net_before")
MONEY_COLUMNS: Final = (*AMOUNTS, *SELLING)


def panel(orders: pl.LazyFrame, period: pl.Expr) -> pl.LazyFrame:
    """Sums of order rows by customer and period, with the neighbour columns; sorted by (period, customer).

    The rows of unknown customers make one row a period, its customer null and last. `orders` may come in any
    order. `is_first`: the customer's first order ever falls into the period. `active_before` and
    `active_next`: the customer ordered in the period just before or after. `net_before`: the customer's net
    amount in the period just before, zero when there was none.
    """
    sums = [pl.col(name).sum() for name in MEASURES]
    rows = orders.with_columns(period.alias("period")).group_by("customer", "period").agg(sums)
    return with_neighbours(with_derived(rows.sort("customer", "period", nulls_last=True))).sort(
        "period", maintain_order=True
    )


def coarser(rows: pl.LazyFrame, period: pl.Expr) -> pl.LazyFrame:
    """The panel of longer periods from one of shorter periods that they are made of."""
    return panel(rows.drop(*NEIGHBOURS, *DERIVED), period)


def with_derived(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with money as Decimal(18, 4), with `net_amount` (gross plus returned) and `margin` (of costed lines)."""
    money = [pl.col(name).cast(MONEY) for name in MONEY_COLUMNS]
    return rows.with_columns(money).with_columns(
        (pl.col("gross_amount") + pl.col("returned_amount")).cast(MONEY).alias("net_amount"),
        (pl.col("costed_amount") - pl.col("cost")).cast(MONEY).alias("margin"),
    )


def with_neighbours(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows sorted by (customer, period) with what the periods just before and after held."""
    active = pl.col("orders") > 0
    before, after = _is_neighbour(1), _is_neighbour(-1)
    return rows.with_columns(
        (pl.col("first_orders") > 0).alias("is_first"),
        (before & active.shift(1)).fill_null(value=False).alias("active_before"),
        (after & active.shift(-1)).fill_null(value=False).alias("active_next"),
        pl.when(before).then(pl.col("net_amount").shift(1)).otherwise(0).cast(MONEY).alias("net_before"),
    )


def _is_neighbour(step: int) -> pl.Expr:
    """Whether the row `step` above is the same customer's row of the period `step` before."""
    same = pl.col("customer") == pl.col("customer").shift(step)
    return same & (pl.col("period") - step == pl.col("period").shift(step))


def without(rows: pl.LazyFrame, missing: Sequence[str]) -> pl.LazyFrame:
    """Rows in which what follows from columns that no source gives is null, not zero."""
    schema = rows.collect_schema()
    gone = [name for name in schema if FOLLOWS.get(name, name) in missing or name in missing]
    return rows.with_columns(pl.lit(None, schema[name]).alias(name) for name in gone)


FOLLOWS: Final = {
    "bought_quantity": "quantity",
    "costed_amount": "cost",
    "margin": "cost",
    "cross_sell_amount": "category",
    "up_sell_amount": "category",
}
"""Which column of order lines a measure cannot be without."""
