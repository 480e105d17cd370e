"""From evaluated measures to a metric's value, uncertainty and reason, for a whole grid of cells at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics import intervals
from metrics.catalog import Plan
from metrics.definitions import (
    Change,
    Computed,
    Cumulative,
    Derived,
    NetPromoterScore,
    PeriodRetention,
    Ratio,
    Simple,
)
from metrics.evaluation import Floats, Grid
from metrics.measures import Compute
from metrics.relations import PANEL
from metrics.sums import ALONE, QUANTILES

AMOUNT: Final = pl.Decimal(38, 4)
NO_ROWS: Final = "no data in this period"
NO_VALUES: Final = "no row gives a value"
NO_ANSWERS: Final = "no answers in this period"
NOBODY_BEFORE: Final = "nobody was active in the period before"
NO_BEFORE: Final = "no earlier period to compare with"
NOTHING_BELOW: Final = "nothing to divide by in this period"
_OWN: Final = {"average": "t", "share": "wilson", "median": "order", "percentile": "order"}

Counts = NDArray[np.int64]
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Cells:
    """A metric in every cell of a grid. Where `value` is NaN there is none, and `reason` says why."""

    value: Floats
    n: Counts
    reason: Texts
    amount: pl.Series | None = None
    bounds: tuple[Floats, Floats] | None = None
    method: str = ""
    excluded: Counts | None = None


def cells_of(plan: Plan, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    """The cells of a metric; `done` holds those that it refers to, and its own if made elsewhere."""
    definition = plan.definition
    match definition:
        case Simple():
            cells = _simple(definition, _measure(plan, 0), grid)
        case Ratio():
            cells = _ratio(definition, plan, grid, done)
        case Derived():
            cells = _derived(plan, done)
        case PeriodRetention():
            cells = _retention(plan, grid)
        case NetPromoterScore():
            cells = _promoters(definition, plan, grid)
        case Computed() | Cumulative() | Change():
            cells = done[definition.name]
        case _:
            assert_never(definition)
    return _large_enough(cells, definition.min_n or 0)


def table(metrics: Mapping[str, Cells], cells: pl.DataFrame) -> pl.DataFrame:
    """The columns of figures beside the keys of their cells, metric by metric."""
    size = len(cells)
    every = list(metrics.values())
    value = np.concatenate([each.value for each in every])
    none = np.isnan(value)
    nothing = np.full(size, np.nan), np.full(size, np.nan)
    lower, upper = (np.concatenate([(each.bounds or nothing)[at] for each in every]) for at in (0, 1))
    bounded = ~(none | np.isnan(lower) | np.isnan(upper))
    methods = np.repeat(np.array([each.method for each in every], dtype=np.object_), size)
    zeros = np.zeros(size, dtype=np.int64)
    empty = pl.Series([None] * size, dtype=AMOUNT)
    amount = pl.concat([empty if each.amount is None else each.amount for each in every])
    columns = {
        "metric": np.repeat(np.array(list(metrics), dtype=np.object_), size),
        "value": value,
        "amount": amount,
        "n": np.concatenate([each.n for each in every]),
        "lower": np.where(bounded, lower, np.nan),
        "upper": np.where(bounded, upper, np.nan),
        "interval": np.where(bounded, methods, ""),
        "excluded": np.concatenate([zeros if each.excluded is None else each.excluded for each in every]),
        "reason": np.where(none, np.concatenate([each.reason for each in every]), ""),
    }
    figures = pl.DataFrame(columns).with_columns(
        pl.col("value", "lower", "upper").fill_nan(None),
        pl.when(~pl.Series(none)).then("amount").alias("amount"),
    )
    return pl.concat([pl.concat([cells] * len(every)), figures], how="horizontal")


def _simple(definition: Simple, measure: Compute, grid: Grid) -> Cells:
    cells = of_measure(measure, grid)
    method = definition.interval or _OWN.get(measure.aggregate, "none")
    if method == "t" and measure.aggregate == "average":
        found = intervals.mean(grid.floats(measure, "total"), grid.floats(measure, "squares"), cells.n)
    elif method == "wilson" and measure.aggregate == "share":
        found = intervals.wilson(grid.floats(measure, "hits"), cells.n)
    elif method == "order" and measure.aggregate in QUANTILES:
        found = grid.floats(measure, "lower"), grid.floats(measure, "upper")
    else:
        return cells
    return replace(cells, bounds=found, method=method)


def of_measure(measure: Compute, grid: Grid) -> Cells:
    """A measure as it is: counts and sums are 0 where the data run but no row counts, others have none."""
    if measure.key not in grid.found:
        grid.found[measure.key] = _of_measure(measure, grid)
    found: Cells = grid.found[measure.key]
    return found


def _of_measure(measure: Compute, grid: Grid) -> Cells:
    reason = grid.reasons.get(measure.key)
    size = len(grid.cells)
    if reason is not None:
        return Cells(np.full(size, np.nan), np.zeros(size, dtype=np.int64), _texts(reason, size))
    n = grid.floats(measure, "n")
    absent = np.isnan(n)
    value = grid.floats(measure, "value")
    amount = grid.column(measure).cast(AMOUNT) if measure.is_money else None
    if measure.aggregate in ("count", "count_distinct", "sum"):
        zero = (absent | _counts_nothing(measure, grid)) & grid.covered(measure)
        value = np.where(zero, 0.0, value)
        amount = None if amount is None else amount.set(pl.Series(zero), 0)
    return Cells(value, _whole(n), np.where(absent, NO_ROWS, NO_VALUES).astype(np.object_), amount)


def _counts_nothing(measure: Compute, grid: Grid) -> NDArray[np.bool_]:
    """Where a panel has rows and none of them counts: its sums are 0 there, since panels have no gaps."""
    if measure.relation.name != PANEL or measure.aggregate in ALONE:
        return np.zeros(len(grid.cells), dtype=np.bool_)
    found: NDArray[np.bool_] = grid.floats(measure, "given") == 0
    return found


def _ratio(definition: Ratio, plan: Plan, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    above, below = (_term(part, grid, done) for part in plan.parts)
    value = definition.scale * above.value / np.where(below.value == 0, np.nan, below.value)
    term = definition.denominator
    called = term if isinstance(term, str) else term.expression
    why = _first_reason((above, below), f"nothing to divide by: `{called}` is 0 in this period")
    counted = isinstance(plan.parts[1], str) or _is_count(plan.parts[1])
    n = _whole(np.rint(below.value)) if counted else below.n
    bounds = _ratio_bounds(definition, plan, grid, above.value, below.value)
    return Cells(value, n, why, bounds=bounds, method=definition.interval or "")


def _ratio_bounds(
    definition: Ratio, plan: Plan, grid: Grid, a: Floats, b: Floats
) -> tuple[Floats, Floats] | None:
    match definition.interval:
        case "wilson":
            found = intervals.wilson(a, b)
        case "poisson":
            found = intervals.poisson(a, b)
        case "delta" if all(isinstance(part, Compute) for part in plan.parts):
            found = _delta(plan, grid, a, b)
        case _:
            return None
    return found[0] * definition.scale, found[1] * definition.scale


def _delta(plan: Plan, grid: Grid, a: Floats, b: Floats) -> intervals.Bounds:
    """The interval over customers; none where sales to unknown customers are part of the figure."""
    above, below = _measure(plan, 0), _measure(plan, 1)
    moments = [grid.moment(*pair) for pair in ((above, above), (above, below), (below, below))]
    n = [grid.floats(measure, "n") for measure in (above, below)]
    unknown = [grid.floats(m, "given") > known for m, known in zip((above, below), n, strict=True)]
    customers = np.where(unknown[0] | unknown[1], np.nan, np.maximum(*n))
    return intervals.ratio((a, b), (moments[0], moments[1], moments[2]), customers)


def _derived(plan: Plan, done: Mapping[str, Cells]) -> Cells:
    assert plan.formula is not None
    read = [done[name] for name in plan.references]
    inputs = pl.DataFrame([_exact(done[name]).alias(name) for name in plan.references])
    result = inputs.select(plan.formula.expr.alias("value")).to_series()
    value = result.cast(pl.Float64).to_numpy()
    n = np.minimum.reduce([part.n for part in read])
    amount = result.cast(AMOUNT) if result.dtype.is_decimal() else None
    return Cells(np.where(np.isfinite(value), value, np.nan), n, _first_reason(read, NOTHING_BELOW), amount)


def _retention(plan: Plan, grid: Grid) -> Cells:
    active, again = (of_measure(_measure(plan, at), grid) for at in (0, 1))
    base = grid.previous(active.value)
    value = again.value / np.where(base == 0, np.nan, base)
    why = grid.reasons.get(_measure(plan, 0).key)
    reason = np.where(np.isnan(base), NO_BEFORE, NOBODY_BEFORE).astype(np.object_)
    texts = reason if why is None else _texts(why, len(reason))
    return Cells(value, _whole(base), texts, bounds=intervals.wilson(again.value, base), method="wilson")


def _promoters(definition: NetPromoterScore, plan: Plan, grid: Grid) -> Cells:
    promoting, detracting, counted, off = (of_measure(_measure(plan, at), grid) for at in range(4))
    n, strays = np.nan_to_num(counted.value), _whole(off.value)
    value = 100 * (promoting.value - detracting.value) / np.where(n == 0, np.nan, n)
    scale = f"{definition.lowest} to {definition.highest}"
    why = _first_reason((counted,), NO_ANSWERS)
    for at in np.flatnonzero(strays):
        why[at] = f"{strays[at]:,} answers lie off the scale {scale}: state the scale in the definition"
    if definition.off_scale == "refuse":
        value = np.where(strays > 0, np.nan, value)
    bounds = intervals.promoters(promoting.value, detracting.value, n)
    return Cells(value, _whole(n), why, bounds=bounds, method="adjusted wald", excluded=strays)


def _term(part: Compute | str, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    return of_measure(part, grid) if isinstance(part, Compute) else done[part]


def _measure(plan: Plan, at: int) -> Compute:
    part = plan.parts[at]
    assert isinstance(part, Compute)
    return part


def _is_count(part: Compute | str) -> bool:
    return isinstance(part, Compute) and (part.aggregate.startswith("count") or part.dtype.is_integer())


def _exact(cells: Cells) -> pl.Series:
    return pl.Series(cells.value).fill_nan(None) if cells.amount is None else cells.amount


def _first_reason(parts: Sequence[Cells], otherwise: str) -> Texts:
    """The reason of the first of the parts that has no value, else the other text."""
    texts: Any = _texts(otherwise, len(parts[0].value))
    for part in reversed(parts):
        texts = np.where(np.isnan(part.value), part.reason, texts)
    return np.asarray(texts, dtype=np.object_)


def _large_enough(cells: Cells, least: int) -> Cells:
    """The cells without the values that rest on too little."""
    small = (cells.n < least) & ~np.isnan(cells.value)
    if not small.any():
        return cells
    reason = np.where(small, f"fewer than {least}, too few to show", cells.reason).astype(np.object_)
    return replace(cells, value=np.where(small, np.nan, cells.value), reason=reason)


def _whole(values: Floats) -> Counts:
    return np.nan_to_num(values).astype(np.int64)


def _texts(text: str, size: int) -> Texts:
    return np.full(size, text, dtype=np.object_)
