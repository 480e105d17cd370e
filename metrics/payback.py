"""When a customer has paid back what it cost to win him, and the most that he may cost."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from metrics.equity import net_present_value
from metrics.reasons import Estimate, Reason

MONTH_DAYS: Final = 30.436875


def break_even_acquisition_cost(margins: Sequence[float], discount: float = 0.0) -> float:
    """The most that a customer may cost: his margins of periods 1, 2, ..., discounted."""
    return net_present_value([0.0, *margins], discount)


def payback_period(acquisition_cost: float, margins: Sequence[float], discount: float = 0.0) -> Estimate:
    """The first period in which discounted margins have paid the cost; margins of periods 1, 2, ..."""
    if acquisition_cost <= 0:
        return Estimate(0.0)
    paid = 0.0
    for period, margin in enumerate(margins, 1):
        paid += margin / (1 + discount) ** period
        if paid >= acquisition_cost:
            return Estimate(float(period))
    if not margins or max(margins) <= 0:
        text = "Margins never turn positive, so the cost is never paid back. Stop, or cut the cost to serve"
        return Estimate(None, Reason("never_positive", text))
    text = f"The cost is not paid back within {len(margins)} periods. Cut it, or look further ahead"
    return Estimate(None, Reason("not_paid_back", text))


def payback_by_channel(
    channels: pl.DataFrame, margins: pl.DataFrame, monthly_discount: float = 0.0
) -> pl.DataFrame:
    """Break-even acquisition cost and payback month of each channel, sorted by channel.

    `channels` has `channel`, `customers`, `acquisition_cost` (per customer); `margins` has `channel`, `month`
    (1, 2, ... after the first order) and `margin` per customer won. Returns those of `channels` and
    `break_even_cost`, `net_value` (per customer), `payback_month`, `reason` (null when paid back).
    """
    rows = []
    for row in channels.sort("channel").iter_rows(named=True):
        stream = margins.filter(pl.col("channel") == row["channel"]).sort("month")["margin"].to_list()
        most = break_even_acquisition_cost(stream, monthly_discount)
        paid = payback_period(row["acquisition_cost"], stream, monthly_discount)
        rows.append(
            {
                **row,
                "break_even_cost": most,
                "net_value": most - row["acquisition_cost"],
                "payback_month": None if paid.value is None else int(paid.value),
                "reason": paid.reason and paid.reason.text,
            }
        )
    added: dict[str, pl.DataType] = {
        "break_even_cost": pl.Float64(),
        "net_value": pl.Float64(),
        "payback_month": pl.Int64(),
        "reason": pl.String(),
    }
    return pl.DataFrame(rows, schema=pl.Schema({**channels.schema, **added}))


def margins_of_won(
    orders: pl.DataFrame, channels: pl.DataFrame, won_after: date, won_until: date, months: int = 12
) -> pl.DataFrame:
    """What the customers that each channel won in a span brought, by month after their first order.

    `orders` has `customer`, `ordered_on`, `first_orders`, `margin`; `channels` has `customer` and `channel`.
    `channel`, `month` (1 holds the first order), `customers` (won, all months alike), `margin` per customer
    won, sorted; a month without orders is 0.
    """
    firsts = (
        orders.filter(
            pl.col("first_orders") > 0, pl.col("ordered_on") > won_after, pl.col("ordered_on") <= won_until
        )
        .select("customer", first="ordered_on")
        .unique("customer")
        .join(channels, on="customer")
    )
    won = firsts.group_by("channel").agg(pl.len().cast(pl.Int64).alias("customers"))
    age = ((pl.col("ordered_on") - pl.col("first")).dt.total_days() / MONTH_DAYS).floor().cast(pl.Int64) + 1
    brought = (
        orders.select("customer", "ordered_on", "margin")
        .join(firsts, on="customer")
        .group_by("channel", age.alias("month"))
        .agg(pl.col("margin").sum().cast(pl.Float64))
    )
    grid = won.join(pl.DataFrame({"month": range(1, months + 1)}, schema={"month": pl.Int64}), how="cross")
    return (
        grid.join(brought, on=["channel", "month"], how="left")
        .with_columns(margin=pl.col("margin").fill_null(0.0) / pl.col("customers"))
        .sort("channel", "month")
        .select("channel", "month", "customers", "margin")
    )
