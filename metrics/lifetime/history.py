"""Customers' order histories: what every purchase model needs to know of a customer, and no more.

A history is a frame with one row a customer, sorted by customer:
`customer`, `frequency` (days with an order after the first), `recency_days` (from the first to the last day
with an order), `age_days` (from the first to the as-of day), `mean_spend` (per day counted, null when none).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl

from metrics.lifetime.quadrature import Array, array
from metrics.reasons import FrameProblem, Reason

YEAR_DAYS: Final = 365.2425
Unit = Literal["day", "week", "month", "year"]
UNIT_DAYS: Final = {"day": 1.0, "week": 7.0, "month": YEAR_DAYS / 12, "year": YEAR_DAYS}
"""Days in a model's unit of time. Parameters depend on it, predictions do not: those run on real dates."""


def history(
    orders: pl.DataFrame | pl.LazyFrame,
    as_of: date,
    *,
    customer: str = "customer",
    ordered_on: str = "ordered_on",
    amount: str = "net_amount",
    first_order_counts: bool = False,
) -> pl.DataFrame:
    """Order histories to the end of the day `as_of`; orders of one customer on one day are one order.

    `mean_spend` is the mean of what was spent per counted day; the first order counts only on request,
    since the purchase models take it as given (Fader, Hardie & Lee 2005). Orders without a customer and
    orders after `as_of` are not looked at. Raises FrameProblem when `ordered_on` is not a date.
    """
    rows = orders.lazy()
    _require_dates(rows.collect_schema()[ordered_on], ordered_on)
    days = (
        rows.select(
            pl.col(customer).alias("customer"),
            pl.col(ordered_on).cast(pl.Date).alias("day"),
            pl.col(amount).alias("amount"),
        )
        .filter(pl.col("customer").is_not_null() & (pl.col("day") <= as_of))
        .group_by("customer", "day")
        .agg(pl.col("amount").sum())
    )
    first = pl.col("day").min()
    counted = pl.col("amount").sum().cast(pl.Float64)
    if not first_order_counts:
        counted -= pl.col("amount").get(pl.col("day").arg_min()).cast(pl.Float64)
    frequency = pl.len().cast(pl.Int64) - 1
    spend_days = frequency + int(first_order_counts)
    return (
        days.group_by("customer")
        .agg(
            frequency=frequency,
            recency_days=(pl.col("day").max() - first).dt.total_days(),
            age_days=(pl.lit(as_of) - first).dt.total_days(),
            mean_spend=pl.when(spend_days > 0).then(counted / spend_days),
        )
        .sort("customer")
        .collect()
    )


def history_of_customers(customers: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Order histories from a customer summary that ends on `as_of`, customers without an order left out.

    Takes `customer`, `first_order_on`, `last_order_on`, `order_days`, `net_amount`; here `mean_spend` is
    per day with an order, the first included, returns deducted.
    """
    first = pl.col("first_order_on")
    _require_dates(customers.schema["first_order_on"], "first_order_on")
    return (
        customers.filter(pl.col("order_days") > 0)
        .select(
            "customer",
            frequency=pl.col("order_days").cast(pl.Int64) - 1,
            recency_days=(pl.col("last_order_on") - first).dt.total_days(),
            age_days=(pl.lit(as_of) - first).dt.total_days(),
            mean_spend=pl.col("net_amount").cast(pl.Float64) / pl.col("order_days"),
        )
        .sort("customer")
    )


UNTIL: Final = ("customer", "ordered_on", "orders", "order_days", "net_amount", "margin")
"""What `summary_until` takes of orders."""


def summary_until(orders: pl.DataFrame, day: date) -> pl.DataFrame:
    """What `history_of_customers` takes, out of rows of orders until the end of a day; sorted by customer.

    Takes `customer`, `ordered_on`, `orders` (0 for a return), `order_days`, `net_amount`, `margin`, and gives
    `customer`, `first_order_on`, `last_order_on`, `order_days`, `net_amount`, `margin`. Rows without a
    customer are not looked at; customers without an order have 0 order days, `margin` is null where no row
    has one.
    """
    bought = pl.col("ordered_on").filter(pl.col("orders") > 0)
    return (
        orders.lazy()
        .filter(pl.col("customer").is_not_null(), pl.col("ordered_on") <= day)
        .group_by("customer")
        .agg(
            bought.min().alias("first_order_on"),
            bought.max().alias("last_order_on"),
            pl.col("order_days", "net_amount").sum(),
            pl.when(pl.col("margin").count() > 0).then(pl.col("margin").sum()).alias("margin"),
        )
        .sort("customer")
        .collect()
    )


def period_history(
    orders: pl.DataFrame | pl.LazyFrame,
    as_of: date,
    every: Literal["month", "year"],
    *,
    customer: str = "customer",
    ordered_on: str = "ordered_on",
    amount: str = "net_amount",
) -> pl.DataFrame:
    """Histories for BG/BB: calendar periods instead of days, complete ones only; fit with `unit=every`.

    `frequency` counts periods with an order after the customer's first period; times are whole periods, in
    days of their mean length so that `unit` makes them whole again. Customers of the running period are not
    there yet.
    """
    rows = orders.lazy()
    _require_dates(rows.collect_schema()[ordered_on], ordered_on)
    last = _period(pl.lit(as_of + timedelta(days=1)), every) - 1
    periods = (
        rows.select(
            pl.col(customer).alias("customer"),
            _period(pl.col(ordered_on), every).alias("period"),
            pl.col(amount).alias("amount"),
        )
        .filter(pl.col("customer").is_not_null() & (pl.col("period") <= last))
        .group_by("customer", "period")
        .agg(pl.col("amount").sum())
        .sort("customer", "period")
    )
    first, later = pl.col("period").first(), pl.col("amount").slice(1).cast(pl.Float64)
    return (
        periods.group_by("customer", maintain_order=True)
        .agg(
            frequency=pl.len().cast(pl.Int64) - 1,
            recency_days=(pl.col("period").last() - first) * UNIT_DAYS[every],
            age_days=(last - first) * UNIT_DAYS[every],
            mean_spend=later.mean(),
        )
        .collect()
    )


def _period(day: pl.Expr, every: Literal["month", "year"]) -> pl.Expr:
    year = day.dt.year().cast(pl.Int64)
    return year if every == "year" else year * 12 + day.dt.month() - 1


def _require_dates(dtype: pl.DataType, name: str) -> None:
    if not isinstance(dtype, pl.Date | pl.Datetime):
        text = f"Column `{name}` holds {dtype}, not dates. Convert it first: text does not sort by time"
        raise FrameProblem(Reason("not_dates", text))


@dataclass(frozen=True, eq=False)
class Rows:
    """Distinct histories (x, t_x, T) with the number of customers that share each; sorted by (x, t_x, T).

    x repeat orders, t_x time from the first to the last order, T time from the first order to the end.
    """

    x: Array
    t_x: Array
    T: Array
    weight: Array

    def __post_init__(self) -> None:
        if (self.x[1:] < self.x[:-1]).any():
            fault = "Rows must be sorted by x. Make them with `compress` or `rows_of`"
            raise ValueError(fault)

    def scaled(self, factor: float) -> "Rows":
        """The same rows with every time multiplied by `factor`."""
        return Rows(self.x, self.t_x * factor, self.T * factor, self.weight)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def customers(self) -> float:
        """The number of customers."""
        return float(self.weight.sum())


def compress(histories: pl.DataFrame, unit: Unit = "week") -> Rows:
    """The distinct histories of a frame of histories, with their counts."""
    keys = ["frequency", "recency_days", "age_days"]
    distinct = histories.lazy().group_by(keys).agg(pl.len().alias("customers")).sort(keys).collect()
    x, t_x, age = times(distinct, unit)
    return Rows(x, t_x, age, array(distinct["customers"].to_numpy()))


def times(histories: pl.DataFrame, unit: Unit = "week") -> tuple[Array, Array, Array]:
    """x, t_x and T of each row of a frame of histories."""
    days = UNIT_DAYS[unit]
    return (
        array(histories["frequency"].to_numpy()),
        array(histories["recency_days"].to_numpy()) / days,
        array(histories["age_days"].to_numpy()) / days,
    )


def rows_of(x: Array, t_x: Array, age: Array, weight: Array | None = None) -> Rows:
    """Rows from arrays, sorted, zero weights left out; equal rows are not merged."""
    counts = np.ones(len(x)) if weight is None else array(weight)
    order = np.lexsort((age, t_x, x))
    order = order[counts[order] > 0]
    return Rows(array(x)[order], array(t_x)[order], array(age)[order], counts[order])


def unusable(rows: Rows) -> Reason | None:
    """Why no purchase model can be fitted to these rows, if so."""
    if not len(rows):
        return Reason("no_customers", "No customer has ordered. Check the filters and the as-of date")
    parts = (rows.x, rows.t_x, rows.T, rows.weight)
    if not all(np.isfinite(part).all() for part in parts) or min(part.min() for part in parts) < 0:
        text = "A count of orders or a time is missing or negative. Rebuild the histories from orders"
        return Reason("impossible_history", text)
    late = int(rows.weight[rows.t_x > rows.T].sum())
    if late:
        text = f"{late:,} customers ordered after the as-of date. Move the date or leave those orders out"
        return Reason("recency_after_end", text)
    if rows.T.max() == 0:
        text = "All first orders are on the as-of date. A lifetime needs time after the first order"
        return Reason("no_time", text)
    if rows.x.max() == 0:
        text = "No customer has ordered on a second day. There is no repeat buying to learn from yet"
        return Reason("no_repeat_buyers", text)
    if len(rows) == 1 or (np.ptp(rows.x) == np.ptp(rows.t_x) == np.ptp(rows.T) == 0):
        text = "All customers have the same history. Without differences no model can tell rates from chance"
        return Reason("identical_customers", text)
    return None
