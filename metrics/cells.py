"""From evaluated measures to a metric's value, uncertainty and reason, for a whole grid of cells at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

import numpy as np
import polars as pl

from metrics import intervals
from metrics.catalog import Plan
from metrics.definitions import Derived, NetPromoterScore, PeriodRetention, Ratio, Simple
from metrics.evaluation import Grid
from metrics.measures import Compute

AMOUNT: Final = pl.Decimal(38, 4)
NO_ROWS: Final = "no data in this period"
NO_VALUES: Final = "no row gives a value"
NOBODY_BEFORE: Final = "nobody was active in the period before"
NO_BEFORE: Final = "no earlier period to compare with"
_OWN: Final = {"average": "t", "share": "wilson"}


@dataclass(frozen=True)
class Cells:
    """A metric in every cell of a grid. Where `value` is null, `reason` says why."""

    value: pl.Series
    n: pl.Series
    reason: pl.Series
    amount: pl.Series | None = None
    bounds: tuple[pl.Series, pl.Series] | None = None
    method: str = ""
    excluded: pl.Series | None = None

    def columns(self) -> list[pl.Series]:
        """The columns of figures, null where there is no value."""
        size = len(self.value)
        given = self.value.is_not_null()
        lower, upper = self.bounds or (_nulls(size), _nulls(size))
        bounded = given & lower.is_not_null()
        method = pl.Series([self.method if there else "" for there in bounded], dtype=pl.String)
        return [
            self.value.alias("value"),
            _where(given, self.amount if self.amount is not None else _nulls(size, AMOUNT)).alias("amount"),
            self.n.alias("n"),
            _where(given, lower).alias("lower"),
            _where(given, upper).alias("upper"),
            method.alias("interval"),
            (self.excluded if self.excluded is not None else _zeros(size)).alias("excluded"),
            _where(~given, self.reason).fill_null("").alias("reason"),
        ]


def cells_of(plan: Plan, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    """The cells of a metric; `done` holds those of the metrics that it refers to."""
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
        case _:
            assert_never(definition)
    return _large_enough(cells, definition.min_n or 0)


def _simple(definition: Simple, measure: Compute, grid: Grid) -> Cells:
    cells = of_measure(measure, grid)
    method = definition.interval or _OWN.get(measure.aggregate, "none")
    n = cells.n.to_numpy()
    if method == "t" and measure.aggregate == "average":
        total, squares = grid.floats(measure, "total"), grid.floats(measure, "squares")
        return replace(cells, bounds=_bounds(intervals.mean(total, squares, n)), method=method)
    if method == "wilson" and measure.aggregate == "share":
        return replace(
            cells, bounds=_bounds(intervals.wilson(grid.floats(measure, "hits"), n)), method=method
        )
    return cells


def of_measure(measure: Compute, grid: Grid) -> Cells:
    """A measure as it is: counts and sums are 0 where the data run but no row counts, others null."""
    if measure.key not in grid.found:
        grid.found[measure.key] = _of_measure(measure, grid)
    found: Cells = grid.found[measure.key]
    return found


def _of_measure(measure: Compute, grid: Grid) -> Cells:
    values, n = grid.column(measure), grid.column(measure, "n").cast(pl.Int64)
    reason = grid.reasons.get(measure.key)
    if reason is not None:
        return Cells(_nulls(len(n)), n.fill_null(0), _texts(reason, len(n)))
    if measure.aggregate in ("count", "count_distinct", "sum"):
        absent = grid.covered(measure) & n.is_null()
        values = values.zip_with(~absent, pl.zeros(len(n), values.dtype, eager=True))
    why = pl.Series([NO_VALUES if given else NO_ROWS for given in n.is_not_null()], dtype=pl.String)
    amount = values.cast(AMOUNT) if measure.is_money else None
    return Cells(values.cast(pl.Float64), n.fill_null(0), why, amount)


def _ratio(definition: Ratio, plan: Plan, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    above, below = (_term(part, grid, done) for part in plan.parts)
    base = below.value.set(below.value == 0, None)
    value = definition.scale * above.value / base
    why = _first_reason(
        (above, below), f"nothing to divide by: {_called(definition.denominator)} is 0 in this period"
    )
    counted = isinstance(plan.parts[1], str) or _is_count(plan.parts[1])
    n = below.value.fill_null(0).round().cast(pl.Int64) if counted else below.n
    cells = Cells(value, n, why)
    bounds = _ratio_bounds(definition, plan, grid, above, below)
    return replace(cells, bounds=bounds, method=definition.interval or "") if bounds else cells


def _ratio_bounds(
    definition: Ratio, plan: Plan, grid: Grid, above: Cells, below: Cells
) -> tuple[pl.Series, pl.Series] | None:
    a, b = above.value.to_numpy(), below.value.to_numpy()
    match definition.interval:
        case "wilson":
            found = intervals.wilson(a, b)
        case "poisson":
            found = intervals.poisson(a, b)
        case "delta" if all(isinstance(part, Compute) for part in plan.parts):
            delta = _delta(plan, grid, a, b)
            if delta is None:
                return None
            found = delta
        case _:
            return None
    return _bounds((found[0] * definition.scale, found[1] * definition.scale))


def _delta(plan: Plan, grid: Grid, a: intervals.Floats, b: intervals.Floats) -> intervals.Bounds | None:
    """The interval over customers; none where sales to unknown customers are part of the figure."""
    pair = (_measure(plan, 0), _measure(plan, 1))
    moments = [grid.moment(first, second) for first, second in ((pair[0], pair[0]), pair, (pair[1], pair[1]))]
    customers = np.maximum(*(grid.floats(measure, "n") for measure in pair))
    unknown = [grid.floats(measure, "given") > grid.floats(measure, "n") for measure in pair]
    n = np.where(unknown[0] | unknown[1], np.nan, customers)
    aa, ab, bb = moments
    return None if aa is None or ab is None or bb is None else intervals.ratio((a, b), (aa, ab, bb), n)


def _derived(plan: Plan, done: Mapping[str, Cells]) -> Cells:
    assert plan.formula is not None
    read = [done[name] for name in plan.references]
    inputs = pl.DataFrame([_exact(done[name]).alias(name) for name in plan.references])
    result = inputs.select(plan.formula.expr.alias("value")).to_series()
    value = result.cast(pl.Float64)
    value = value.set(~value.is_finite().fill_null(value=False), None)
    n = pl.DataFrame([part.n.alias(str(at)) for at, part in enumerate(read)]).min_horizontal()
    amount = result.cast(AMOUNT) if result.dtype.is_decimal() else None
    return Cells(value, n.cast(pl.Int64), _first_reason(read, "nothing to divide by in this period"), amount)


def _retention(plan: Plan, grid: Grid) -> Cells:
    active, again = (of_measure(_measure(plan, at), grid) for at in (0, 1))
    base = grid.previous(active.value)
    value = again.value / base.set(base == 0, None)
    bounds = _bounds(intervals.wilson(again.value.to_numpy(), base.to_numpy()))
    fallback = pl.Series([NO_BEFORE if empty else NOBODY_BEFORE for empty in base.is_null()], dtype=pl.String)
    why = grid.reasons.get(_measure(plan, 0).key)
    reason = fallback if why is None else _texts(why, len(fallback))
    return Cells(value, base.fill_null(0).cast(pl.Int64), reason, bounds=bounds, method="wilson")


def _promoters(definition: NetPromoterScore, plan: Plan, grid: Grid) -> Cells:
    promoting, detracting, counted, off = (of_measure(_measure(plan, at), grid) for at in range(4))
    n = counted.value.fill_null(0)
    value = 100 * (promoting.value - detracting.value) / n.set(n == 0, None)
    stray = off.value.fill_null(0).cast(pl.Int64)
    scale = f"{definition.lowest} to {definition.highest}"
    reasons = [
        f"{strays:,} answers lie off the scale {scale}: state the scale in the definition" if strays else why
        for strays, why in zip(stray, _first_reason((counted,), "no answers in this period"), strict=True)
    ]
    if definition.off_scale == "refuse":
        value = value.set(stray > 0, None)
    bounds = _bounds(
        intervals.promoters(promoting.value.to_numpy(), detracting.value.to_numpy(), n.to_numpy())
    )
    texts = pl.Series(reasons, dtype=pl.String)
    return Cells(value, n.cast(pl.Int64), texts, bounds=bounds, method="adjusted wald", excluded=stray)


def _term(part: Compute | str, grid: Grid, done: Mapping[str, Cells]) -> Cells:
    return of_measure(part, grid) if isinstance(part, Compute) else done[part]


def _measure(plan: Plan, at: int) -> Compute:
    part = plan.parts[at]
    assert isinstance(part, Compute)
    return part


def _is_count(part: Compute | str) -> bool:
    return isinstance(part, Compute) and (part.aggregate.startswith("count") or part.dtype.is_integer())


def _called(term: object) -> str:
    return f"`{term}`" if isinstance(term, str) else f"`{getattr(term, 'expression', term)}`"


def _exact(cells: Cells) -> pl.Series:
    return cells.value if cells.amount is None else cells.amount


def _first_reason(parts: Sequence[Cells], otherwise: str) -> pl.Series:
    """The reason of the first of the parts that has no value, else the other text."""
    texts = _texts(otherwise, len(parts[0].value))
    for part in reversed(parts):
        texts = part.reason.zip_with(part.value.is_null(), texts)
    return texts


def _large_enough(cells: Cells, least: int) -> Cells:
    """The cells without the values that rest on too little."""
    small = (cells.n < least) & cells.value.is_not_null()
    if not small.any():
        return cells
    why = _texts(f"fewer than {least}, too few to show", len(small)).zip_with(small, cells.reason)
    return replace(cells, value=cells.value.set(small, None), reason=why)


def _bounds(found: intervals.Bounds) -> tuple[pl.Series, pl.Series]:
    return pl.Series(found[0]).fill_nan(None), pl.Series(found[1]).fill_nan(None)


def _where(keep: pl.Series, values: pl.Series) -> pl.Series:
    return values.zip_with(keep, _nulls(len(values), values.dtype))


def _nulls(size: int, dtype: pl.DataType | None = None) -> pl.Series:
    return pl.Series([None] * size, dtype=dtype or pl.Float64())


def _zeros(size: int) -> pl.Series:
    return pl.Series([0] * size, dtype=pl.Int64)


def _texts(text: str, size: int) -> pl.Series:
    return pl.Series([text] * size, dtype=pl.String)
