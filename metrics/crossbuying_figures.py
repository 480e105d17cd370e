"""The figures of cross-buying and affinity definitions, and the customers behind them.

Every figure of cross-buying is a quotient of sums over customers, so figure and list are the same rows.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, assert_never

import numpy as np
import polars as pl

from config.errors import unknown
from metrics.affinity import association, pair_counts
from metrics.cross_buyers import accounts
from metrics.crossbuying import (
    ALL,
    basket_rows,
    cross_buyers,
    expected_categories,
    holdings,
    order_counts,
)
from metrics.crossbuying_definitions import Affinity, CrossBuying, Crossed
from metrics.frames import CATEGORY, Marts
from metrics.intervals import ratio, wilson
from metrics.periods import Grain, Window
from metrics.points import Point, check_periods
from metrics.selection import Missing

NOBODY: Final = "nobody to divide by in this period"
NO_PAIR: Final = "one of the two was not bought in this period"


@dataclass(frozen=True)
class Bought:
    """The baskets of a selection and what its customers hold by the as-of day."""

    rows: pl.DataFrame
    held: pl.DataFrame


def bought_of(marts: Marts) -> Bought:
    """The baskets of a selection, kept. Raises Missing where no order line has a category."""

    def made() -> Bought:
        rows = basket_rows(marts)
        if rows.is_empty():
            fault = "no order line has a category"
            raise Missing(fault)
        return Bought(rows, holdings(rows))

    chosen = marts.selection
    about = (str(sorted(chosen.attributes.items())), chosen.categories, chosen.where)
    return marts.kept(("cross-buying", about), made)


def crossed(definition: Crossed, marts: Marts, window: Window) -> dict[int, Point]:
    """The figures of a definition by period. Raises Missing where no order line has a category."""
    _check(definition, window)
    match definition:
        case CrossBuying():
            return {code: _quotient(_customers(definition, marts, window, code)) for code in window.periods}
        case Affinity():
            return {code: _together(definition, marts, window, code) for code in window.periods}
        case _:
            assert_never(definition)


def _check(definition: Crossed, window: Window) -> None:
    """Raise Missing for windows that are no periods, and where a rate of adding has nothing before it."""
    rate = isinstance(definition, CrossBuying) and definition.value == "cross_buy_rate"
    check_periods(window, all_time=not rate)


def crossed_customers(definition: Crossed, marts: Marts, window: Window) -> pl.DataFrame:
    """The customers behind the figures: period, customer, numerator, denominator.

    Behind an affinity by customer: who holds the first and who holds both. Raises Missing like the figure,
    and for affinities by order, which are no figures of customers.
    """
    _check(definition, window)
    parts = [_listed(definition, marts, window, code) for code in window.periods]
    return pl.concat(parts)


def _listed(definition: Crossed, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    match definition:
        case CrossBuying():
            rows = _customers(definition, marts, window, code)
        case Affinity():
            rows = _holders(definition, marts, window, code)
        case _:
            assert_never(definition)
    return rows.with_columns(period=pl.lit(code, pl.Int32))


def _end(marts: Marts, window: Window, code: int) -> date:
    return (
        marts.as_of if window.grain is Grain.ALL else min(marts.calendar.end(code, window.grain), marts.as_of)
    )


def _customers(definition: CrossBuying, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    """What each customer adds to the figure of one period: customer, numerator, denominator."""
    bought, end = bought_of(marts), _end(marts, window, code)
    one = pl.lit(1.0)
    match definition.value:
        case "cross_buy_rate":
            rows = cross_buyers(bought.rows, bought.held, marts.calendar, Window(window.grain, code))
            above, below = (pl.col("added") > 0), one
        case "losing_share" | "loss_share":
            rows = accounts(marts, bought.rows.lazy().filter(pl.col("ordered_on") <= end), Window(end=end))
            above, below = _lost(definition.value)
            rows = rows.filter(below > 0)
        case "categories_in_orders":
            rows = _expected(bought, end, definition.orders or 1)
            above, below = pl.col("expected"), one
        case "categories" | "multi_category_share":
            until = bought.held.filter(pl.col("first_on") <= end)
            rows = until.group_by("customer").agg(pl.len().alias("categories"))
            wide = pl.col("categories")
            above, below = (wide if definition.value == "categories" else wide >= 2), one
        case _:
            assert_never(definition.value)
    return rows.select(
        "customer", above.cast(pl.Float64).alias("numerator"), below.cast(pl.Float64).alias("denominator")
    ).sort("customer")


def _lost(value: str) -> tuple[pl.Expr, pl.Expr]:
    """Numerator and denominator of what cross-buyers lose, of customers with accounts."""
    cross, loses = pl.col("categories") >= 2, pl.col("contribution") < 0
    if value == "losing_share":
        return (cross & loses).cast(pl.Float64), cross.cast(pl.Float64)
    loss = -pl.col("contribution")
    return pl.when(cross).then(loss).otherwise(0.0), pl.when(loses).then(loss).otherwise(0.0)


def _expected(bought: Bought, end: date, k: int) -> pl.DataFrame:
    rows = bought.rows.lazy().filter(pl.col("ordered_on") <= end)
    held = holdings(rows)
    each = expected_categories(held, order_counts(rows, held), k)
    return each.select("customer", "expected")


def _quotient(rows: pl.DataFrame) -> Point:
    above, below = (rows[name].to_numpy() for name in ("numerator", "denominator"))
    n, bottom = len(rows), float(below.sum())
    if bottom <= 0:
        return Point(None, n, reason=NOBODY)
    value = float(above.sum()) / bottom
    if (below == 1).all() and np.isin(above, (0.0, 1.0)).all():
        lower, upper = wilson([above.sum()], [n])
        return Point(value, n, float(lower[0]), float(upper[0]), "wilson")
    moments = ((above**2).sum(), (above * below).sum(), (below**2).sum())
    lower, upper = ratio((above.sum(), bottom), moments, n)
    if np.isnan(lower) or np.isnan(upper):
        return Point(value, n)
    return Point(value, n, float(lower), float(upper), "delta")


def _in_period(definition: Affinity, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    """The baskets of one period. Raises Fault for a category that no order line has."""
    for name in (definition.first, definition.second):
        if marts.categories and name not in marts.categories:
            what = "category"
            raise unknown(what, name, marts.categories)
    rows = bought_of(marts).rows.filter(pl.col("purchases") > 0)
    if window.grain is Grain.ALL:
        return rows
    start, end = (bound(code, window.grain) for bound in (marts.calendar.start, marts.calendar.end))
    return rows.filter(pl.col("ordered_on").is_between(start, end))


def _together(definition: Affinity, marts: Marts, window: Window, code: int) -> Point:
    rows = _in_period(definition, marts, window, code)
    x, y = sorted((definition.first, definition.second))
    two = rows.with_columns(
        pl.when(pl.col(CATEGORY).is_in([x, y])).then(CATEGORY).cast(pl.String).fill_null(ALL).alias("item")
    )
    pairs, n = pair_counts(two.lazy(), definition.per, "item")
    found = pairs.filter(pl.col("x") == x, pl.col("y") == y)
    if found.is_empty():
        return Point(None, n, reason=NO_PAIR)
    row = association(found, n).row(0, named=True)
    name = (
        "confidence_back" if definition.value == "confidence" and definition.first == y else definition.value
    )
    value = float(row[name])
    if definition.value == "support":
        lower, upper = wilson([row["n_xy"]], [n])
    elif definition.value == "confidence":
        lower, upper = wilson([row["n_xy"]], [row["n_y"] if definition.first == y else row["n_x"]])
    else:
        return Point(value, n)
    return Point(value, n, float(lower[0]), float(upper[0]), "wilson")


def _holders(definition: Affinity, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    if definition.per == "order":
        fault = f"`{definition.name}` counts orders, not customers"
        raise Missing(fault)
    rows = _in_period(definition, marts, window, code)
    name = pl.col(CATEGORY).cast(pl.String)
    has = rows.group_by("customer").agg(
        (name == definition.first).any().alias("first"), (name == definition.second).any().alias("second")
    )
    return (
        has.filter("first")
        .select(
            "customer",
            pl.col("second").cast(pl.Float64).alias("numerator"),
            pl.lit(1.0).alias("denominator"),
        )
        .sort("customer")
    )
