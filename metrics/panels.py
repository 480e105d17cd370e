"""Customer x period panels: one row a customer and period with any order line, and its neighbours."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.money import amounts
from metrics.orders import MEASURES, MONEY_SUMS

FOLLOWS: Final = {
    "quantity": "quantity",
    "bought_quantity": "quantity",
    "cost": "cost",
    "costed_amount": "cost",
    "margin": "cost",
    "discount": "discount",
    "cross_sell_amount": "category",
    "up_sell_amount": "category",
}
"""Which column of order lines a sum cannot be without."""

_MONEY: Final = (*MONEY_SUMS, "net_amount", "margin", "net_before")


def panel(orders: pl.LazyFrame, period: pl.Expr, split: Sequence[str] = ()) -> pl.LazyFrame:
    """Sums of order rows by customer and period, with the neighbour columns; sorted by (period, customer).

    The rows of unknown customers make one row a period, its customer null and last. `orders` may come in any
    order, money in units or decimal. `is_first`: the customer's first order ever falls into the period.
    `active_before` and `active_next`: the customer ordered in the period just before or after. `net_before`:
    the customer's net amount in the period just before, zero when there was none. With `split`, each value of
    these columns has a panel of its own.
    """
    keys = [*split, "customer", "period"]
    sums = [pl.col(name).sum() for name in MEASURES]
    rows = orders.with_columns(period.alias("period")).group_by(keys).agg(sums).sort(keys, nulls_last=True)
    sorted_by_customer = with_neighbours(with_derived(rows), split)
    return in_money(sorted_by_customer.sort("period", maintain_order=True))


def with_derived(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with `net_amount`, gross plus returned, and `margin`, of the lines whose cost is known."""
    return rows.with_columns(
        (pl.col("gross_amount") + pl.col("returned_amount")).alias("net_amount"),
        (pl.col("costed_amount") - pl.col("cost")).alias("margin"),
    )


def in_money(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with every amount as Decimal(18, 4)."""
    schema = rows.collect_schema()
    return rows.with_columns(
        amounts(pl.col(name)) if schema[name] == pl.Int64 else pl.col(name).cast(MONEY)
        for name in _MONEY
        if name in schema
    )


def with_neighbours(rows: pl.LazyFrame, split: Sequence[str] = ()) -> pl.LazyFrame:
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


def without(rows: pl.LazyFrame, missing: Sequence[str]) -> pl.LazyFrame:
    """Rows in which the sums that need columns which no source gives are null, not zero."""
    schema = rows.collect_schema()
    gone = [name for name in schema if FOLLOWS.get(name) in missing]
    return rows.with_columns(pl.lit(None, schema[name]).alias(name) for name in gone)


def missing_from(rows: pl.DataFrame) -> list[str]:
    """The columns of order lines that no source gives, told from rows in which they are null."""
    return sorted({line for name, line in FOLLOWS.items() if rows[name].null_count() == len(rows) > 0})
