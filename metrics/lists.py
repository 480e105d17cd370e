"""The customers behind a figure: one row each, with the quantities of which the figure is made."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Final

import polars as pl

from metrics.catalog import Catalog, Plan
from metrics.definitions import Change, Computed, Cumulative, Derived, PeriodRetention
from metrics.families import customers
from metrics.frames import Marts
from metrics.measures import Compute
from metrics.moving import steps_back, stretch
from metrics.periods import Window
from metrics.points import check_periods
from metrics.selection import Missing

KEYS: Final = ("period", "customer")
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "simple": ("value",),
    "ratio": ("numerator", "denominator"),
    "period_retention": ("denominator", "numerator"),
    "nps": ("promoters", "detractors", "answers", "off_scale"),
}


def customers_behind(catalog: Catalog, name: str, marts: Marts, window: Window) -> pl.DataFrame:
    """One row a customer and period that a figure counts, the largest quantity first.

    Columns: `period`, `customer_id` (null for sales to nobody known), `customer`, and the quantities, whose
    sums over the rows of a period give the figure exactly:

    | kind | quantities |
    |---|---|
    | simple | `value`; a mean or a share is the sum of `value` over that of `value_n` |
    | ratio, period_retention | `numerator`, `denominator` |
    | nps | `promoters`, `detractors`, `answers`, `off_scale` |
    | derived | those of the metrics in its formula, each name ahead: `orders.value` |
    | cumulative | those of its metric, over the whole stretch |
    | change | those of its metric, `now.` and `before.` ahead |
    | computed kinds | see `metrics.families.customers` |

    Of a quantile, a minimum or a maximum there are no sums: `value` is the customer's own median there. What
    is counted once over all is counted once a customer. What
    is not recorded by customer has no column. Raises Fault for an unknown metric, Missing when nothing
    of it is recorded by customer.
    """
    plan = catalog.plan(name)
    found = _quantities(catalog, plan, marts, window, "")
    if not found:
        fault = f"`{name}` is not recorded by customer"
        raise Missing(fault)
    rows = reduce(_joined, found)
    return _listed(rows, marts)


def _quantities(
    catalog: Catalog, plan: Plan, marts: Marts, window: Window, prefix: str
) -> list[pl.DataFrame]:
    """A table of each quantity by period and customer."""
    definition = plan.definition
    if isinstance(definition, Computed):
        found = customers(definition, marts, window)
        named = {name: f"{prefix}{name}" for name in found.columns if name not in KEYS}
        return [found.rename(named)]
    if isinstance(definition, Cumulative | Change):
        return _moved(catalog, definition, marts, window, prefix)
    if isinstance(definition, Derived):
        parts = [(f"{prefix}{part}.", catalog.plan(part)) for part in plan.references]
        return [table for ahead, part in parts for table in _quantities(catalog, part, marts, window, ahead)]
    tables = []
    for label, part in zip(_PARTS[definition.kind], plan.parts, strict=True):
        if isinstance(part, str):
            tables += _quantities(catalog, catalog.plan(part), marts, window, f"{prefix}{label}.")
        elif part.relation.of_customers:
            late = isinstance(definition, PeriodRetention) and label == "denominator"
            tables.append(_by_customer(part, marts, window, prefix + label, late=late))
    return tables


def _moved(
    catalog: Catalog, definition: Cumulative | Change, marts: Marts, window: Window, prefix: str
) -> list[pl.DataFrame]:
    """The quantities of another metric over the stretch of each period, or in two periods side by side."""
    plan, calendar = catalog.plan(definition.metric), marts.calendar
    if isinstance(definition, Change):
        check_periods(window, all_time=False)
        back = steps_back(definition, window, calendar)
        earlier = replace(window, last=window.last - back)
        now = _quantities(catalog, plan, marts, window, f"{prefix}now.")
        before = _quantities(catalog, plan, marts, earlier, f"{prefix}before.")
        return [*now, *(table.with_columns(pl.col("period") + back) for table in before)]
    found: list[list[pl.DataFrame]] = []
    for code in window.periods:
        part = stretch(definition, window, code, calendar, marts.as_of)
        tables = _quantities(catalog, plan, marts, part, prefix)
        found.append([table.with_columns(period=pl.lit(code, pl.Int32)) for table in tables])
    return [pl.concat(tables) for tables in zip(*found, strict=True)]


def _by_customer(measure: Compute, marts: Marts, window: Window, label: str, *, late: bool) -> pl.DataFrame:
    """What each customer adds to a measure; `late` counts the period before for the period."""
    rows = marts.rows(measure.relation, window, measure.columns, before=int(late))
    counted = rows if measure.rows is None else rows.filter(measure.rows)
    if late:
        counted = counted.with_columns(pl.col("period") + 1).filter(pl.col("period") <= window.last)
    return counted.group_by(KEYS).agg(_sums(measure, label))


def _sums(measure: Compute, label: str) -> list[pl.Expr]:
    value, rows = measure.value, measure.value.count().cast(pl.Int64).alias(f"{label}_n")
    match measure.aggregate:
        case "sum":
            return [value.sum().alias(label)]
        case "count":
            counted = value.count() if measure.counts_values else pl.len()
            return [counted.cast(pl.Int64).alias(label)]
        case "count_distinct":
            return [value.drop_nulls().n_unique().cast(pl.Int64).alias(label)]
        case "average" | "share":
            return [value.cast(pl.Float64).sum().alias(label), rows]
        case _:
            return [value.cast(pl.Float64).median().alias(label), rows]


def _joined(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return left.join(right, on=KEYS, how="full", coalesce=True, nulls_equal=True)


def _listed(rows: pl.DataFrame, marts: Marts) -> pl.DataFrame:
    """The rows that add something, with the customers' ids, the largest first."""
    quantities = [name for name in rows.columns if name not in KEYS]
    filled = rows.with_columns(pl.col(quantities).fill_null(0))
    ids = marts.frame("customer_summary")["customer_id"]
    named = filled.with_columns(ids.gather(filled["customer"]).alias("customer_id"))
    adds = pl.any_horizontal(pl.col(name) != 0 for name in quantities)
    order = [pl.col("period"), *(-pl.col(name) for name in quantities), pl.col("customer")]
    kept = named.filter(adds).sort(order, nulls_last=True)
    return kept.select("period", "customer_id", "customer", *quantities)
