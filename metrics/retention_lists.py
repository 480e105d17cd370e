"""The customers behind figures that follow customers through time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, assert_never

import polars as pl

from metrics.cohort_lists import cell_customers
from metrics.frames import Marts
from metrics.lapse import silent_at
from metrics.lifecycle import states
from metrics.periods import Calendar, Window
from metrics.points import check_periods
from metrics.recurring import mrr_on
from metrics.retention import Cohorts
from metrics.retention_definitions import (
    CohortRetention,
    Followed,
    Lifecycle,
    RevenueRetention,
    Survival,
)
from metrics.retention_figures import (
    begun,
    closing_cells,
    cohort_lives,
    cohorts_of,
    compared_days,
    contracts_of,
    judged_by,
    panel_until,
)
from metrics.standings import order_rows


def followed_customers(definition: Followed, marts: Marts, window: Window) -> pl.DataFrame:
    """The customers behind such a figure: period, customer, and the quantities that it is made of.

    Of a quotient `numerator` and `denominator`, of a count or an amount `value`; of survival `met` and the
    `days` for which each was followed, of which Kaplan and Meier make the figure; of payback the `margin` so
    far and the `cost` of each. Raises Missing like the figure itself.
    """
    return pl.concat(
        _behind(definition, marts, window, code).with_columns(period=pl.lit(code, pl.Int32))
        for code in window.periods
    )


def _behind(definition: Followed, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    one = replace(window, last=code, count=1)
    match definition:
        case CohortRetention():
            return _of_cohorts(definition, marts, one)
        case Lifecycle():
            return _of_lifecycle(definition, marts, one)
        case Survival():
            rows = begun(definition, marts, one).filter(pl.col("period") == code)
            met = (pl.col("observed") & (pl.col("duration") <= definition.days)).cast(pl.Int64)
            return rows.select("customer", met.alias("met"), pl.col("duration").alias("days"))
        case RevenueRetention():
            return _of_contracts(definition, marts, one)
        case _:
            assert_never(definition)


def _of_cohorts(definition: CohortRetention, marts: Marts, window: Window) -> pl.DataFrame:
    """Every customer of the cohorts whose cell closes in the period; one row for each cohort she is in."""
    check_periods(window)
    cohorts = cohorts_of(definition, window)
    cells = closing_cells(definition, marts, window).filter(
        pl.col("period") == window.last, ~pl.col("young_history")
    )
    every = cohort_lives(marts, cohorts)
    now = marts.calendar.code(marts.as_of, cohorts.grain)
    none = _members(definition, every, cohorts, marts.calendar, {"cohort": now})
    parts = [
        _members(definition, every, cohorts, marts.calendar, cell) for cell in cells.iter_rows(named=True)
    ]
    rows = pl.concat([none.clear(), *parts], how="vertical_relaxed")
    return rows.group_by("customer").agg(pl.all().sum())


def _members(
    definition: CohortRetention,
    every: pl.DataFrame,
    cohorts: Cohorts,
    calendar: Calendar,
    cell: Mapping[str, Any],
) -> pl.DataFrame:
    """The customers of a cell with their part of the figure: `value`, or numerator and denominator."""
    rows = cell_customers(every, cohorts, calendar, cell["cohort"], definition.age)
    one, counted = pl.lit(1, pl.Int64), pl.col("counted").cast(pl.Int64)
    asked = one
    if definition.base == "previous":
        before = cell_customers(every, cohorts, calendar, cell["cohort"], definition.age - 1)
        rows = rows.join(before.select("customer", before="counted"), on="customer", how="left")
        asked = pl.col("before").cast(pl.Int64)
    if definition.mean == "simple":
        weight = 1 / cell.get("base", 1)
        counted, asked = counted * weight, asked * weight
    cost = pl.lit(float(cell.get("spent", 0)) / max(cell.get("size", 1), 1))
    if definition.value == "payback_age":
        return rows.select("customer", pl.col("so_far").alias("margin"), cost.alias("cost"))
    columns = {
        "rate": (counted, asked),
        "customers": (counted, None),
        "net_retention": (pl.col("net_amount"), pl.col("first_amount")),
        "revenue": (pl.col("net_amount"), None),
        "orders_per_customer": (pl.col("orders"), one),
        "margin": (pl.col("so_far"), None),
        "customer_value": (pl.col("so_far"), one),
        "paid_back": (pl.col("so_far"), cost),
    }
    above, below = columns[definition.value]
    if below is None:
        return rows.select("customer", above.alias("value"))
    return rows.select("customer", above.alias("numerator"), below.alias("denominator"))


_ACTIVE: Final = ("new", "retained", "reactivated")


def _of_lifecycle(definition: Lifecycle, marts: Marts, window: Window) -> pl.DataFrame:
    check_periods(window, all_time=False)
    calendar, code = marts.calendar, window.last
    orders, judged = order_rows(marts).lazy(), judged_by(definition, marts)
    gone = [
        silent_at(orders, judged, calendar.end(each, window.grain)).filter("lost")["customer"]
        for each in (code - 1, code)
    ]
    rows = states(panel_until(marts, window), code, lost=(gone[0], gone[1]))
    now, before = pl.col("now"), pl.col("before")
    left = before.is_in(_ACTIVE) & ~now.is_in(_ACTIVE)
    tests: dict[str, Callable[[], list[pl.Expr]]] = {
        "active": lambda: [now.is_in(_ACTIVE).alias("value")],
        "churned": lambda: [left.alias("value")],
        "quick_ratio": lambda: [
            now.is_in(("new", "reactivated")).alias("numerator"),
            left.alias("denominator"),
        ],
        "lost_share": lambda: [(now == "lost").alias("numerator"), pl.lit(value=True).alias("denominator")],
    }
    chosen = tests.get(definition.value, lambda: [(now == definition.value).alias("value")])()
    return rows.select("customer", *(column.cast(pl.Int64) for column in chosen))


def _of_contracts(definition: RevenueRetention, marts: Marts, window: Window) -> pl.DataFrame:
    check_periods(window, all_time=False)
    start, end = compared_days(definition, marts, window.last, window.grain)
    contracts = contracts_of(marts)
    at_end = mrr_on(contracts, end).collect()
    if definition.value == "mrr":
        return at_end.rename({"mrr": "value"})
    at_start = mrr_on(contracts, start).collect()
    both = at_start.join(at_end, on="customer", how="left", suffix="_end").with_columns(
        pl.col("mrr_end").fill_null(0)
    )
    kept = {
        "net_retention": [pl.col("mrr_end"), pl.col("mrr")],
        "gross_retention": [pl.min_horizontal("mrr", "mrr_end"), pl.col("mrr")],
        "logo_churn": [(pl.col("mrr_end") == 0).cast(pl.Int64), pl.lit(1, pl.Int64)],
        "logo_retention": [(pl.col("mrr_end") > 0).cast(pl.Int64), pl.lit(1, pl.Int64)],
    }
    above, below = kept[definition.value]
    return both.select("customer", above.alias("numerator"), below.alias("denominator"))
