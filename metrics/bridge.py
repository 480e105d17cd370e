"""The revenue bridge: from the net revenue of one period to that of the next, by what customers did."""

from dataclasses import replace
from typing import Final

import polars as pl

from metrics.frames import Marts
from metrics.periods import Window
from metrics.relations import PANEL, RELATIONS

AMOUNT: Final = pl.Decimal(38, 4)
STEPS: Final = ("new", "reactivated", "expansion", "contraction", "lost", "late_returns", "unidentified")
"""What makes the change, in the order of the bridge; `before` stands ahead of it, `after` at its end."""

_COLUMNS: Final = frozenset({"customer", "orders", "net_amount", "is_first"})


def bridge(marts: Marts, window: Window) -> pl.DataFrame:
    """How net revenue came from the period before the window's last one to the last one.

    One row an item, in the order `before`, STEPS, `after`: `item`, the signed `amount` and how many
    `customers` made it. The amounts of the steps add up to `after` less `before` exactly:

    | item | customers | amount |
    |---|---|---|
    | new | first order of all in the period | net revenue less that of the period before |
    | reactivated | active, not in the period before, but earlier | the same |
    | expansion | active in both, more net revenue than before | the rise |
    | contraction | active in both, less or as much | the fall, negative |
    | lost | active before, not in the period | minus what they brought before, and their late returns |
    | late_returns | active in neither, but with returns in one of them | the difference of the two |
    | unidentified | sales to nobody known | the difference of the two |

    Active means with an order. Where nothing happened the amounts are 0. Raises Missing without order lines.
    """
    single = replace(window, count=1)
    rows = marts.rows(RELATIONS[PANEL], single, _COLUMNS, before=1)
    joined = _side_by_side(rows, single)
    now, before = pl.col("net_amount"), pl.col("net_amount_before")
    steps = joined.group_by(_step().alias("item")).agg(_amount(now - before), _people(pl.lit(value=True)))
    ends = [
        joined.select(pl.lit(item).alias("item"), _amount(amount), _people(pl.col(orders) > 0))
        for item, amount, orders in (("before", before, "orders_before"), ("after", now, "orders"))
    ]
    order = pl.DataFrame({"item": ["before", *STEPS, "after"]})
    found = order.join(pl.concat([steps, *ends]), on="item", how="left", maintain_order="left")
    return found.with_columns(pl.col("amount", "customers").fill_null(0))


def _amount(amount: pl.Expr) -> pl.Expr:
    return amount.sum().cast(AMOUNT).alias("amount")


def _people(who: pl.Expr) -> pl.Expr:
    return (who & pl.col("customer").is_not_null()).sum().cast(pl.Int64).alias("customers")


def _side_by_side(rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Every customer of either period, with what is missing in one of them as zero."""
    now = rows.filter(pl.col("period") == window.last).drop("period")
    before = rows.filter(pl.col("period") < window.last).select("customer", "orders", "net_amount")
    both = now.join(before, on="customer", how="full", coalesce=True, suffix="_before", nulls_equal=True)
    return both.with_columns(
        pl.col("orders", "orders_before").fill_null(0),
        pl.col("net_amount", "net_amount_before").cast(AMOUNT).fill_null(0),
        pl.col("is_first").fill_null(value=False),
    )


def _step() -> pl.Expr:
    active, active_before = pl.col("orders") > 0, pl.col("orders_before") > 0
    rise = pl.col("net_amount") > pl.col("net_amount_before")
    return (
        pl.when(pl.col("customer").is_null())
        .then(pl.lit("unidentified"))
        .when(active & active_before)
        .then(pl.when(rise).then(pl.lit("expansion")).otherwise(pl.lit("contraction")))
        .when(active)
        .then(pl.when("is_first").then(pl.lit("new")).otherwise(pl.lit("reactivated")))
        .when(active_before)
        .then(pl.lit("lost"))
        .otherwise(pl.lit("late_returns"))
    )
