"""One pass over each relation: every measure that is asked for, by period and by the values of one column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.frames import Marts
from metrics.measures import Compute
from metrics.panels import FOLLOWS
from metrics.periods import Window
from metrics.relations import PANEL, Relation
from metrics.selection import Missing

KEYS: Final = ("period", "by")
Key = tuple[str, str, str]
Pair = tuple[Compute, Compute]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """The measures to compute, and the pairs of which the joint moments over customers are needed."""

    measures: tuple[Compute, ...]
    pairs: tuple[Pair, ...] = ()
    before: int = 0


@dataclass(frozen=True)
class Grid:
    """Measures by period and value of `by`: one row a cell, sorted by (by, period), every period in each.

    `cells` has the columns `name(measure, part)`; `reasons` says why a measure has none at all; `since` is
    the period in which the rows of each relation begin.
    """

    cells: pl.DataFrame
    reasons: Mapping[Key, str] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)

    def column(self, measure: Compute, part: str = "value") -> pl.Series:
        """A column of a measure: `value`, `n`, or what its aggregate needs for an interval."""
        label = name(measure, part)
        return self.cells[label] if label in self.cells.columns else pl.Series([None] * len(self.cells))

    def floats(self, measure: Compute, part: str) -> Floats:
        """The same as floats, NaN for null."""
        return self.column(measure, part).cast(pl.Float64).to_numpy()

    def covered(self, measure: Compute) -> pl.Series:
        """Whether the data of a measure had begun in the period of each cell."""
        return self.cells["period"] >= self.since[measure.relation.name]

    def previous(self, values: pl.Series) -> pl.Series:
        """The values of the period before, null in the first period."""
        before = self.cells.select(*(key for key in KEYS if key in self.cells.columns), values.alias("v"))
        shifted = pl.col("v").shift(1)
        return before.select(shifted.over("by") if "by" in before.columns else shifted).to_series()


def name(measure: Compute, part: str) -> str:
    """The name of a column of cells."""
    return "|".join((*measure.key, part))


def evaluated(asked: Asked, marts: Marts, window: Window, by: str | None) -> Grid:
    """Every measure in every period of the window and of `before` periods ahead of it."""
    tables: list[pl.DataFrame] = []
    reasons: dict[Key, str] = {}
    since: dict[str, int] = {}
    for relation in {measure.relation.name: measure.relation for measure in asked.measures}.values():
        measures = [measure for measure in asked.measures if measure.relation.name == relation.name]
        pairs = [pair for pair in asked.pairs if pair[0].relation.name == relation.name]
        try:
            empty = marts.empty_columns(relation)
            since[relation.name] = marts.since(relation, window.grain)
            reasons |= {m.key: _not_given(m.columns & empty) for m in measures if m.columns & empty}
            tables += _aggregated(relation, measures, pairs, marts, window, by, asked.before)
        except Missing as missing:
            reasons |= dict.fromkeys((measure.key for measure in measures), str(missing))
    return Grid(_joined(tables, window, by, asked.before), reasons, since)


def _not_given(columns: frozenset[str]) -> str:
    return f"no source gives {' and '.join(f'`{FOLLOWS.get(name, name)}`' for name in sorted(columns))}"


def _aggregated(
    relation: Relation,
    measures: list[Compute],
    pairs: list[Pair],
    marts: Marts,
    window: Window,
    by: str | None,
    before: int,
) -> list[pl.DataFrame]:
    """One table of sums for each condition that measures share, and one for the joint moments."""
    columns = frozenset[str]().union(*(measure.columns for measure in measures))
    rows = marts.rows(relation, window, columns, by, before).lazy()
    keys = [key for key in KEYS if key == "period" or by]
    queries = [
        (rows if shared[0].rows is None else rows.filter(shared[0].rows))
        .group_by(keys)
        .agg(expr for measure in shared for expr in _aggregates(measure))
        for shared in _by_condition(measures)
    ]
    if pairs:
        known = rows.filter(pl.col("customer").is_not_null())
        queries.append(known.group_by(keys).agg(expr for pair in pairs for expr in _moments(pair)))
    return pl.collect_all(queries)


_UNIT: Final = {True: pl.col("customer").is_not_null(), False: pl.lit(value=True)}
"""What n counts: customers in a panel, whose last row stands for the unknown ones, else rows."""


def _by_condition(measures: Iterable[Compute]) -> list[list[Compute]]:
    shared: dict[str, list[Compute]] = {}
    for measure in measures:
        shared.setdefault(measure.key[2], []).append(measure)
    return list(shared.values())


def _aggregates(measure: Compute) -> list[pl.Expr]:
    value = measure.value
    given = value.is_not_null() & _UNIT[measure.relation.name == PANEL]
    parts = {"value": _value(measure), "n": given.cast(pl.Int64).sum()}
    if measure.aggregate == "average":
        number = value.cast(pl.Float64)
        parts |= {"total": number.sum(), "squares": (number * number).sum()}
    if measure.aggregate == "share":
        parts |= {"hits": value.cast(pl.Int64).sum()}
    return [expr.alias(name(measure, part)) for part, expr in parts.items()]


def _value(measure: Compute) -> pl.Expr:
    value = measure.value
    match measure.aggregate:
        case "sum":
            return pl.when(value.count() > 0).then(value.sum())
        case "count":
            return (value.count() if measure.counts_values else pl.len()).cast(pl.Int64)
        case "count_distinct":
            return value.drop_nulls().n_unique().cast(pl.Int64)
        case "average":
            return value.cast(pl.Float64).mean()
        case "median":
            return value.cast(pl.Float64).median()
        case "percentile":
            return value.cast(pl.Float64).quantile(measure.at, interpolation="linear")
        case "share":
            return value.cast(pl.Float64).mean()
        case "min":
            return value.min()
        case "max":
            return value.max()


def _moments(pair: Pair) -> list[pl.Expr]:
    """Sums of squares and products over customers, and how many customers either measure counts."""
    a, b = (per_row(measure) for measure in pair)
    parts = {"aa": (a * a).sum(), "ab": (a * b).sum(), "bb": (b * b).sum(), "a": a.sum(), "b": b.sum()}
    parts["customers"] = ((a != 0) | (b != 0)).cast(pl.Int64).sum()
    return [expr.alias(moment(pair, part)) for part, expr in parts.items()]


def moment(pair: Pair, part: str) -> str:
    """The name of a column of joint moments."""
    return "|".join((*pair[0].key, *pair[1].key, part))


def per_row(measure: Compute) -> pl.Expr:
    """What a row contributes to a sum or a count, as a float; 0 where it does not count."""
    number = measure.value.is_not_null() if measure.aggregate == "count" else measure.value
    counted = number if measure.rows is None else pl.when(measure.rows).then(number)
    return counted.cast(pl.Float64).fill_null(0.0)


def _joined(tables: list[pl.DataFrame], window: Window, by: str | None, before: int) -> pl.DataFrame:
    periods = pl.DataFrame(
        {"period": pl.int_range(window.first - before, window.last + 1, dtype=pl.Int32, eager=True)}
    )
    keys = ["period"]
    cells = periods
    if by:
        keys = ["by", "period"]
        values = [table["by"] for table in tables]
        groups = (
            pl.concat(values).unique().sort(nulls_last=True) if values else pl.Series("by", [], pl.String)
        )
        cells = groups.to_frame().join(periods, how="cross")
    for table in tables:
        cells = cells.join(table, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return cells
