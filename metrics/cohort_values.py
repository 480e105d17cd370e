"""What cohorts are worth: money by cell, running totals a customer, payback of what acquisition cost."""

from typing import Final, Literal

import polars as pl

from metrics.frames import Marts
from metrics.money import amounts
from metrics.periods import Grain, Window
from metrics.relations import RELATIONS
from metrics.selection import Missing
from metrics.tallies import Tally

CellValue = Literal[
    "rate", "customers", "revenue", "net_retention", "orders_per_customer", "margin", "customer_value"
]
VALUES: Final[tuple[CellValue, ...]] = (
    "rate",
    "customers",
    "revenue",
    "net_retention",
    "orders_per_customer",
    "margin",
    "customer_value",
)
_MONEY: Final = pl.Decimal(38, 4)


def valued(table: pl.DataFrame, min_n: int = 1) -> pl.DataFrame:
    """A cohort table (`metrics.retention.cohort_table`) with every value that a cell can show.

    `customers` (active), `revenue` (net amount of the cell, exact), `net_retention` (revenue over that of age
    0; null where that is not above 0), `orders_per_customer` (orders of the cell over the cohort's size),
    `margin` (of all ages so far, exact), `customer_value` (that margin over the size; net amount where no
    source gives a cost). All are null while the period runs, for cohorts of fewer than `min_n`, and the
    totals after a cell that is null.
    """
    over = pl.col("complete") & (pl.col("size") >= min_n)
    first = pl.col("revenue").filter(pl.col("age") == 0).first().over("cohort").cast(pl.Float64)
    known = table.with_columns(
        customers=pl.when(pl.col("size") >= min_n).then("active"),
        revenue=pl.when(over).then("net_amount").cast(_MONEY),
        orders_per_customer=pl.when(over).then(pl.col("orders") / pl.col("size")),
        gained=pl.when(over).then("margin" if _has_cost(table) else "net_amount").cast(_MONEY),
    )
    return (
        known.with_columns(
            net_retention=pl.when(first > 0).then(pl.col("revenue").cast(pl.Float64) / first),
            margin=pl.col("gained").cum_sum().over("cohort", order_by="age"),
        )
        .with_columns(customer_value=pl.col("margin").cast(pl.Float64) / pl.col("size"))
        .drop("gained")
    )


def _has_cost(table: pl.DataFrame) -> bool:
    return table["margin"].null_count() < len(table)


def layer_cake(tally: Tally) -> pl.DataFrame:
    """Net amount by calendar period and cohort, exact: period, cohort, net_amount, sorted by both.

    Periods that still run are among them. What customers brought before their life began is in no layer.
    """
    layers = tally.sums.group_by(period=pl.col("cohort") + pl.col("age"), cohort="cohort").agg(
        pl.col("net_amount").sum()
    )
    return layers.with_columns(amounts(pl.col("net_amount"))).sort("period", "cohort")


def acquisition_costs(marts: Marts, grain: Grain) -> pl.DataFrame:
    """What was spent on acquisition by period: period, spent (exact).

    Raises Missing without such spend, and where it is not recorded for the selected customers alone.
    """
    rows = marts.rows(RELATIONS["spend"], Window(), frozenset({"spent_on", "purpose", "amount"}))
    bought = rows.filter(pl.col("purpose").cast(pl.String) == "acquisition")
    if bought.is_empty():
        fault = "no source gives `spend` on acquisition"
        raise Missing(fault)
    period = marts.calendar.codes(pl.col("spent_on"), grain)
    return bought.group_by(period.alias("period")).agg(pl.col("amount").sum().alias("spent")).sort("period")


def payback(table: pl.DataFrame, costs: pl.DataFrame) -> pl.DataFrame:
    """When a cohort's margin has paid back what was spent to win it.

    One row a cohort, sorted: cohort, size, spent, cost_per_customer, margin (so far), paid_back (of the
    cost, a share), payback_age (the first age at whose end the margin covers the cost; null while it does
    not). Cohorts without spend are left out. `table`: see `valued`; `costs`: see `acquisition_costs`.
    """
    reached = pl.col("age").filter(pl.col("margin") >= pl.col("spent")).min()
    joined = table.join(costs.rename({"period": "cohort"}), on="cohort")
    return (
        joined.group_by("cohort")
        .agg(
            pl.col("size", "spent").first(),
            pl.col("margin").drop_nulls().last(),
            reached.alias("payback_age"),
        )
        .with_columns(
            cost_per_customer=pl.col("spent").cast(pl.Float64) / pl.col("size"),
            paid_back=pl.col("margin").cast(pl.Float64) / pl.col("spent").cast(pl.Float64),
        )
        .sort("cohort")
        .select("cohort", "size", "spent", "cost_per_customer", "margin", "paid_back", "payback_age")
    )


def payback_curve(table: pl.DataFrame, costs: pl.DataFrame, until: int = 12) -> pl.DataFrame:
    """What customers have earned age after age against what winning them cost, each of the same cohorts.

    The cohorts that are over for `until` ages, or for the most that any is. One row an age: age, cohorts, n
    (customers), value (margin to date over customers), cost (spent over customers). Empty without spend.
    """
    known = table.join(costs.rename({"period": "cohort"}), on="cohort").filter(
        pl.col("complete"), pl.col("margin").is_not_null()
    )
    oldest = known.group_by("cohort").agg(pl.col("age").max().alias("last"))
    horizon = min(until, int(oldest["last"].max() or 0)) if len(oldest) else 0  # type: ignore[arg-type]  # a number
    ours = known.join(oldest.filter(pl.col("last") >= horizon), on="cohort").filter(pl.col("age") <= horizon)
    people = pl.col("size").sum()
    return (
        ours.group_by("age")
        .agg(
            pl.len().alias("cohorts"),
            people.alias("n"),
            (pl.col("margin").sum().cast(pl.Float64) / people).alias("value"),
            (pl.col("spent").sum().cast(pl.Float64) / people).alias("cost"),
        )
        .sort("age")
    )
