"""Figures: metrics with their uncertainty, by period and by the values of one column.

    marts = Marts(frames, calendar, as_of).select(Selection({"region": ("North",)}))
    compute(metrics, ["net_revenue"], marts, Window("month", last=24316, count=13))

Where there is nothing to show the value is null and `reason` says why, in words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from metrics.bootstrap import bootstrapped, can_draw
from metrics.catalog import Catalog, Definition, Plan
from metrics.cells import AMOUNT, Cells, cells_of, table
from metrics.definitions import Change, Computed, Cumulative, PeriodRetention, Ratio
from metrics.evaluation import Asked, evaluated
from metrics.families import split_points
from metrics.frames import CATEGORY, NEVER, Marts
from metrics.measures import Compute
from metrics.moving import (
    added_up,
    adds_over_time,
    change,
    counted_once,
    counts_active,
    cumulative,
    points_of,
)
from metrics.periods import Calendar, Grain, Window
from metrics.points import Points, cells_of_points
from metrics.relations import PANEL, RELATIONS
from metrics.selection import SEGMENT, Missing
from metrics.sums import Pair

FIGURE: Final = {
    "metric": pl.String(),
    "period": pl.Int32(),
    "value": pl.Float64(),
    "amount": AMOUNT,
    "n": pl.Int64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "interval": pl.String(),
    "complete": pl.Boolean(),
    "excluded": pl.Int64(),
    "reason": pl.String(),
}
"""The columns of figures; `by` stands after `metric` where a column was asked for."""

_ORDER: Final = list(Grain)
"""Grains from short to long after the first, which is all of history."""


def compute(
    catalog: Catalog, names: Sequence[str], marts: Marts, window: Window, *, by: str | None = None
) -> pl.DataFrame:
    """Figures, one row a metric, value of `by` and period, sorted by (metric, by, period).

    `value` is a float and `amount`, for sums of money, its exact form. `n` counts what the figure rests on:
    the rows of a simple metric, the denominator of a ratio of counts, answers, the customers of the period
    before. `lower` and `upper` bound the value at 95 % by the method in `interval`, which is empty for a full
    count. `complete` is False while the period still runs. `excluded` counts rows left out for a fault, such
    as answers off the scale. `by` names a customer attribute or `category`, where null stands for no value;
    SEGMENT gives each group of `Marts.beside`, else each segment, and they may overlap. No metrics give no
    rows. Raises Fault for an unknown metric or column.
    """
    marts = marts.split_by(by)
    if not names:
        return pl.DataFrame(schema=FIGURE)
    cells, keys = _cells(catalog, names, marts, window, by)
    return _finished(table({name: cells[name] for name in names}, keys), marts, window, by)


def _cells(
    catalog: Catalog, names: Iterable[str], marts: Marts, window: Window, by: str | None
) -> tuple[dict[str, Cells], pl.DataFrame]:
    """The cells of metrics, every measure taken in one pass, and the keys of the cells."""
    plans = catalog.needed(names)
    points = {
        name: found
        for name, plan in plans.items()
        if (found := _points(catalog, plan.definition, marts, window, by)) is not None
    }
    values = {value for each in points.values() for value, _ in each} | {*_sides(marts, by)}
    grid = evaluated(_asked(plans.values()), marts, window, by, values)
    keys = grid.cells.select("period", *(["by"] if by else []))
    done = {name: cells_of_points(each, keys) for name, each in points.items()}
    for name, plan in plans.items():
        cells = _drawn(cells_of(plan, grid, done), plan, marts, window, by, keys)
        done[name] = _not_shorter(cells, plan.definition.grain, window)
    return done, keys


def _drawn(
    cells: Cells, plan: Plan, marts: Marts, window: Window, by: str | None, keys: pl.DataFrame
) -> Cells:
    """The cells with bootstrap bounds, where the definition asks for them and its measures can be drawn."""
    definition, parts = plan.definition, [part for part in plan.parts if isinstance(part, Compute)]
    if definition.interval != "bootstrap" or not can_draw(plan.parts):
        return cells
    try:
        found = bootstrapped(parts, marts, window, by)
    except Missing:
        return cells
    placed = keys.join(found, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
    scale = getattr(definition, "scale", 1.0)
    lower, upper = (scale * placed[end].fill_null(np.nan).to_numpy() for end in ("lower", "upper"))
    return replace(cells, bounds=(lower, upper), method="bootstrap")


def _points(
    catalog: Catalog, definition: Definition, marts: Marts, window: Window, by: str | None
) -> Points | None:
    """The figures of a kind that is not made of measures in the periods asked for; None for the others."""

    def ask(part: Window) -> Points:
        cells, keys = _cells(catalog, [name], marts, part, by)
        return points_of(cells[name], keys)

    calendar, as_of = marts.calendar, marts.as_of
    match definition:
        case Computed():
            return split_points(definition, marts, window, by)
        case Cumulative(metric=name):
            since = _since(catalog, name, marts)
            plan = catalog.plan(name)
            found: Points | None = None
            if adds_over_time(plan):
                found = added_up(definition, ask, window, calendar, as_of, since)
            elif counts_active(plan) and by != CATEGORY:
                ask_panel, more = partial(_panel, marts, by), _sides(marts, by)
                found = counted_once(definition, ask_panel, window, calendar, as_of, since, more)
            return found or cumulative(definition, ask, window, calendar, as_of, since)
        case Change(metric=name):
            return change(definition, ask, window, calendar, as_of)
        case _:
            return None


def _sides(marts: Marts, by: str | None) -> Sequence[str]:
    """The groups side by side that figures are split by; those without a row have figures too."""
    return tuple(marts.sides.members) if by == SEGMENT and marts.sides else ()


def _panel(marts: Marts, by: str | None, window: Window) -> pl.DataFrame:
    """Who ordered in which period of a window."""
    return marts.rows(RELATIONS[PANEL], window, frozenset({"customer", "orders"}), by)


def _since(catalog: Catalog, name: str, marts: Marts) -> date | None:
    """The first day from which on there is data of everything that a metric reads."""
    plans = catalog.needed([name]).values()
    relations = {
        part.relation.name: part.relation
        for plan in plans
        for part in plan.parts
        if isinstance(part, Compute)
    }
    try:
        first = max((marts.since(relation, Grain.DAY) for relation in relations.values()), default=0)
    except Missing:
        return None
    return marts.calendar.start(first, Grain.DAY) if first < NEVER else None


def _not_shorter(cells: Cells, grain: str | None, window: Window) -> Cells:
    """The cells; no figures for periods that are shorter than the definition allows."""
    if grain is None or window.grain is Grain.ALL or _ORDER.index(window.grain) >= _ORDER.index(Grain(grain)):
        return cells
    size = len(cells.value)
    reason = np.full(size, f"it is counted by {grain} or longer periods", dtype=np.object_)
    return replace(cells, value=np.full(size, np.nan), reason=reason, bounds=None)


def _asked(plans: Iterable[Plan]) -> Asked:
    """What has to be evaluated for some metrics, every measure once."""
    measures: dict[tuple[str, str, str], Compute] = {}
    pairs: list[Pair] = []
    before = 0
    for plan in plans:
        computes = [part for part in plan.parts if isinstance(part, Compute)]
        measures |= {compute.key: compute for compute in computes}
        before = max(before, int(isinstance(plan.definition, PeriodRetention)))
        if isinstance(plan.definition, Ratio) and plan.definition.interval == "delta" and len(computes) == 2:
            pairs.append((computes[0], computes[1]))
    joint = [pair for pair in pairs if {measure.relation.name for measure in pair} == {PANEL}]
    return Asked(tuple(measures.values()), tuple(joint), before)


def _finished(figures: pl.DataFrame, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """The figures of the window alone, in order, with what is known about their periods."""
    order = ["metric", "by"] if by else ["metric"]
    over = {code: _is_complete(code, window, marts.calendar, marts.as_of) for code in window.periods}
    complete = pl.col("period").replace_strict(over, return_dtype=pl.Boolean).alias("complete")
    return (
        figures.lazy()
        .filter(pl.col("period") >= window.first)
        .with_columns(complete)
        .sort(*order, "period", nulls_last=True, maintain_order=True)
        .select(*order, *(pl.col(name).cast(dtype) for name, dtype in FIGURE.items() if name != "metric"))
        .collect(engine="in-memory")
    )


def _is_complete(code: int, window: Window, calendar: Calendar, as_of: date) -> bool:
    """Whether the days of a period that the window holds are over."""
    end = calendar.end(code, window.grain) if window.end is None else window.day_range(calendar)[1]
    return window == Window() or end <= as_of or calendar.is_complete(code, window.grain, as_of)
