"""The questions of the retention page; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from dashboard.desk import Desk
from dashboard.state import Scope
from metrics.beginnings import Beginning, beginning
from metrics.cohort_differences import bounded
from metrics.cohort_lists import cell_customers
from metrics.cohort_values import CellValue, acquisition_costs, layer_cake, payback, valued
from metrics.cohort_values import payback_curve as curve_of
from metrics.frames import Marts
from metrics.lives import kept_lives
from metrics.periods import Grain
from metrics.retention import Cohorts, cohort_table
from metrics.tallies import Tally, kept_tally


def segment(scope: Scope, attribute: str, value: str) -> Scope:
    """The scope narrowed to one value of an attribute."""
    others = tuple(pair for pair in scope.attributes if pair[0] != attribute)
    return replace(scope, attributes=(*others, (attribute, (value,))))


def _lives(marts: Marts, cohorts: Cohorts) -> pl.DataFrame:
    return kept_lives(marts, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)


def _tally(desk: Desk, scope: Scope, cohorts: Cohorts) -> Tally:
    """The lives added up, kept: another definition of the same events asks no marts."""
    events, rolling = cohorts.events, cohorts.is_rolling
    question = f"tally {events} {cohorts.grain} {cohorts.window} {scope.filters}"
    marts = desk.marts(scope)
    return desk.kept(question, lambda: kept_tally(marts, events, cohorts.grain, rolling=rolling))


@dataclass(frozen=True)
class Later:
    """Order lines after the as-of day, with the first of their days."""

    lines: int
    first: date


def later_lines(desk: Desk) -> Later:
    """How many order lines lie after the as-of day; none where it is the last day of the data."""

    def made() -> Later:
        frames = desk.whole.frames
        if "order_lines" not in frames or desk.project.as_of == "last_day":
            return Later(0, desk.as_of)
        day = pl.col("ordered_on")
        after = frames["order_lines"].lazy().filter(day > desk.as_of)
        lines, first = after.select(pl.len(), day.min().alias("first")).collect().row(0)
        return Later(lines, first or desk.as_of)

    return desk.kept("lines after the as-of day", made)


def history(desk: Desk, grain: Grain) -> Beginning:
    """Whether the data begin in mid-business."""
    return desk.kept(f"beginning {grain}", lambda: beginning(desk.whole, grain))


def cohort_cells(desk: Desk, scope: Scope, cohorts: Cohorts) -> pl.DataFrame:
    """The cohort table with every value of its cells. Raises Missing where no source gives the events."""

    def made() -> pl.DataFrame:
        found = _tally(desk, scope, cohorts)
        until = history(desk, cohorts.grain).until if cohorts.events.start.endswith("order") else None
        table = cohort_table(found, cohorts, desk.calendar, desk.as_of, history_from=until)
        return valued(table, cohorts.min_n)

    return desk.kept(f"cohorts {cohorts} {scope.filters}", made)


def bounded_cells(desk: Desk, scope: Scope, cohorts: Cohorts, value: CellValue) -> pl.DataFrame:
    """The cohort table with the bounds of a value in place of those of the rate."""
    table = cohort_cells(desk, scope, cohorts)
    marts = desk.marts(scope)
    question = f"bounds {value} {cohorts} {scope.filters}"
    return desk.kept(question, lambda: bounded(table, _lives(marts, cohorts), cohorts, value))


def layers(desk: Desk, scope: Scope, cohorts: Cohorts) -> pl.DataFrame:
    """Net amount by period and cohort."""
    calendar_cohorts = replace(cohorts, window="calendar")
    question = f"layers {cohorts.grain} {cohorts.events} {scope.filters}"
    return desk.kept(question, lambda: layer_cake(_tally(desk, scope, calendar_cohorts)))


def paybacks(desk: Desk, scope: Scope, cohorts: Cohorts) -> pl.DataFrame:
    """When each cohort paid back what it cost. Raises Missing without spend, and under filters."""
    table = cohort_cells(desk, scope, cohorts).filter(pl.col("size") >= cohorts.min_n)
    return payback(table, acquisition_costs(desk.marts(scope), cohorts.grain))


def payback_curve(desk: Desk, scope: Scope, cohorts: Cohorts) -> pl.DataFrame:
    """What customers earned age after age against what they cost. Raises Missing as `paybacks` does."""
    table = cohort_cells(desk, scope, cohorts)
    known = table.filter(~pl.col("young_history"), pl.col("cohort") <= scope.period)
    return curve_of(known, acquisition_costs(desk.marts(scope), cohorts.grain))


def cell(desk: Desk, scope: Scope, cohorts: Cohorts, cohort: int, age: int) -> pl.DataFrame:
    """The customers of one cell with what is known of them."""
    marts = desk.marts(scope)

    def made() -> pl.DataFrame:
        rows = cell_customers(_lives(marts, cohorts), cohorts, desk.calendar, cohort, age)
        return with_ids(desk, rows)

    return desk.kept(f"cell {cohorts} {cohort}.{age} {scope.filters}", made)


def with_ids(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by customer number with ids ahead, attributes behind; names only where the project shows them."""
    people = desk.whole.frame("customer_summary")
    personal = [name for name in ("name", "email") if desk.role == "shown" and name in people.columns]
    named = [people[name].gather(rows["customer"]) for name in ("customer_id", *personal)]
    attributes = [people[name].gather(rows["customer"]) for name in desk.attributes]
    own = rows.drop("customer")
    return own.select(*named, *own.columns, *attributes)
