"""One pass over each relation: every measure that is asked for, by period and by the values of one column.

Sums and counts are taken by groups of customers who are alike in every attribute, and kept: what adds up over
these groups then answers any selection of attributes and any split by one of them without another pass.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.frames import CATEGORY, Marts
from metrics.measures import Compute
from metrics.panels import FOLLOWS
from metrics.people import attribute_names
from metrics.periods import Grain, Window
from metrics.relations import PANEL, Relation
from metrics.runs import codes
from metrics.selection import SEGMENT, Missing, mask
from metrics.sides import Sides
from metrics.sums import (
    ALONE,
    QUANTILES,
    Pair,
    alone,
    label,
    product,
    quantile_bounds,
    summed,
    with_values,
    worked_with,
)

GROUP: Final = "group"
MOST_GROUPS: Final = 4_096
"""Attributes are grouped together as long as their values make no more combinations than this."""

Key = tuple[str, str, str]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """The measures to compute, and the pairs of which the joint moments over customers are needed."""

    measures: tuple[Compute, ...]
    pairs: tuple[Pair, ...] = ()
    before: int = 0

    @property
    def question(self) -> tuple[object, ...]:
        """What tells it from another, wherever it begins."""
        measures = sorted(measure.key for measure in self.measures)
        return tuple(measures), tuple(sorted((a.key, b.key) for a, b in self.pairs))


@dataclass(frozen=True)
class Grid:
    """Measures by period and value of `by`: one row a cell, sorted by (by, period), every period in each.

    `cells` has the columns of `metrics.sums`; `reasons` says why a measure has none at all; `since` is
    the period in which the rows of each relation begin.
    """

    cells: pl.DataFrame
    reasons: Mapping[Key, str] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)
    found: dict[Key, Any] = field(default_factory=dict, repr=False)
    """What was made of a measure already."""

    def column(self, measure: Compute, part: str = "value") -> pl.Series:
        """A column of a measure: `value`, `n`, or what its aggregate needs for an interval."""
        name = label(measure, part)
        return self.cells[name] if name in self.cells.columns else pl.Series([None] * len(self.cells))

    def floats(self, measure: Compute, part: str) -> Floats:
        """The same as floats, NaN for null."""
        return self.column(measure, part).cast(pl.Float64).to_numpy()

    def moment(self, measure: Compute, other: Compute) -> Floats:
        """The sum over known customers of the products of two measures; NaN where it was not asked for."""
        name = product(measure, other)
        known = name in self.cells.columns
        return self.cells[name].to_numpy() if known else np.full(len(self.cells), np.nan)

    def covered(self, measure: Compute) -> NDArray[np.bool_]:
        """Whether the data of a measure had begun in the period of each cell."""
        return self.cells["period"].to_numpy() >= self.since[measure.relation.name]

    def previous(self, values: Floats) -> Floats:
        """The values of the period before, NaN in the first period of each value of `by`."""
        periods = self.cells["period"].to_numpy()
        before = np.roll(values.astype(np.float64), 1)
        before[: len(periods)][periods == periods.min(initial=2**31 - 1)] = np.nan
        return before


def evaluated(
    asked: Asked, marts: Marts, window: Window, by: str | None, values: Iterable[str | None] = ()
) -> Grid:
    """Every measure in every period of the window and of `before` periods ahead of it.

    `values` are those of `by` that have cells even where no measure has a row.
    """
    tables: list[pl.DataFrame] = []
    reasons: dict[Key, str] = {}
    since: dict[str, int] = {}
    for relation in {measure.relation.name: measure.relation for measure in asked.measures}.values():
        ours = _about(relation, asked)
        try:
            empty = marts.empty_columns(relation, {name for m in ours.measures for name in m.columns})
            since[relation.name] = marts.since(relation, window.grain)
            reasons |= {m.key: _not_given(m.columns & empty) for m in ours.measures if m.columns & empty}
            tables += _aggregated(relation, ours, marts, window, by)
        except Missing as missing:
            reasons |= dict.fromkeys((measure.key for measure in ours.measures), str(missing))
    return Grid(_joined(tables, window, by, asked.before, values), reasons, since)


def _about(relation: Relation, asked: Asked) -> Asked:
    measures = tuple(measure for measure in asked.measures if measure.relation.name == relation.name)
    if relation.name == PANEL:
        return replace(asked, measures=measures)
    return Asked(measures)  # only panels are asked for the period before


def _not_given(columns: frozenset[str]) -> str:
    return f"no source gives {' and '.join(f'`{FOLLOWS.get(name, name)}`' for name in sorted(columns))}"


def _aggregated(
    relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None
) -> list[pl.DataFrame]:
    """The measures that add up in one table, each of the others in one of its own."""
    adding = tuple(measure for measure in asked.measures if measure.aggregate not in ALONE)
    tables = []
    if adding:
        totals = _totals(relation, replace(asked, measures=adding), marts, window, by)
        tables.append(with_values(totals, adding))
    for measure in asked.measures:
        if measure.aggregate in ALONE:
            rows = marts.rows(relation, window, measure.columns, by, asked.before)
            counted = rows if measure.rows is None else rows.filter(measure.rows)
            found = counted.group_by(_keys(by)).agg(alone(measure))
            tables.append(quantile_bounds(found, measure) if measure.aggregate in QUANTILES else found)
    return tables


def _keys(by: str | None) -> list[str]:
    return ["period", "by"] if by else ["period"]


def _totals(relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """Sums by period and `by`, from kept sums by groups of customers where these tell what is asked."""
    if relation.of_customers and by == SEGMENT and marts.sides:
        sums = _by_group(relation, asked, marts, window, marts.sides.part_of, marts.sides)
        return marts.sides.split(sums.drop(GROUP), sums[GROUP]).group_by(_keys(by)).sum()
    if relation.of_customers:
        groups = marts.kept("groups", lambda: Groups.of(marts.frame("customer_summary")))
        if groups.can_tell(marts, by):
            sums = _by_group(relation, asked, marts, window, groups.of_customer)
            return groups.gathered(sums, marts, by)
    return summed(_rows(relation, asked, marts, window, by), asked.measures, asked.pairs, _keys(by))


def _by_group(
    relation: Relation,
    asked: Asked,
    marts: Marts,
    window: Window,
    group_of: pl.Series,
    sides: Sides | None = None,
) -> pl.DataFrame:
    """Kept sums by group of at least the window's periods; another window adds only the periods it lacks.

    `group_of` says by customer number the group; `sides` are those whose groups they are.
    """
    everybody = replace(marts, mask=None, selection=replace(marts.selection, attributes={}))
    about = (relation.name, asked.question, marts.selection.categories, sides)

    def made(part: Window, before: int) -> pl.DataFrame:
        rows = _rows(relation, replace(asked, before=before), everybody, part, None)
        group = group_of.gather(rows["customer"]).alias(GROUP)
        return summed(rows.with_columns(group), asked.measures, asked.pairs, ["period", GROUP])

    if window.is_cut or window.grain is Grain.ALL:
        return marts.kept((*about, window, asked.before), lambda: made(window, asked.before))
    question = (*about, window.grain)
    held = marts.kept(question, lambda: _Stretch(window.grain))
    grown = held.reaching(window.first - asked.before, window.last, lambda part: made(part, 0))
    marts.keep(question, grown)
    return grown.sums


@dataclass(frozen=True)
class _Stretch:
    """Sums by period and group of neighbouring periods, from `first` to `last`; none at first."""

    grain: Grain
    first: int = 0
    last: int = -1
    sums: pl.DataFrame = field(default_factory=pl.DataFrame)

    def reaching(self, first: int, last: int, made: Callable[[Window], pl.DataFrame]) -> "_Stretch":
        """The stretch with the periods that it lacks up to `first` and `last`, and those between."""
        if self.first > self.last:
            return replace(
                self, first=first, last=last, sums=made(Window(self.grain, last, last - first + 1))
            )
        gaps = [(first, self.first - 1), (self.last + 1, last)]
        more = [made(Window(self.grain, end, end - start + 1)) for start, end in gaps if start <= end]
        if not more:
            return self
        # Equal questions may name their measures in another order, and so their columns.
        sums = pl.concat([self.sums, *more], how="diagonal")
        return replace(self, first=min(first, self.first), last=max(last, self.last), sums=sums)


def _rows(relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """The rows that measures read; amounts that are only added up stay in units."""
    columns = frozenset[str]().union(*(measure.columns for measure in asked.measures))
    return marts.rows(relation, window, columns, by, asked.before, exact=worked_with(asked.measures))


def _joined(
    tables: list[pl.DataFrame], window: Window, by: str | None, before: int, more: Iterable[str | None]
) -> pl.DataFrame:
    numbers = pl.int_range(window.first - before, window.last + 1, dtype=pl.Int32, eager=True)
    cells = pl.DataFrame({"period": numbers})
    keys = ["period"]
    if by:
        tables = [table.with_columns(pl.col("by").cast(pl.String)) for table in tables]
        keys = ["by", "period"]
        values = [table["by"] for table in tables]
        every = pl.concat([*values, pl.Series("by", list(more), pl.String)]).unique().sort(nulls_last=True)
        cells = every.to_frame().join(cells, how="cross")
    for table in tables:
        cells = cells.join(table, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return cells


@dataclass(frozen=True)
class Groups:
    """Customers who are alike in every attribute of few values, as one group each.

    `alike` has one row a group with its attributes, the last one for unknown customers without any;
    `of_customer` gives the group by customer number.
    """

    alike: pl.DataFrame
    of_customer: pl.Series

    @classmethod
    def of(cls, people: pl.DataFrame) -> "Groups":
        """The groups of the customers of a summary."""
        names = _few(people)
        kind = np.zeros(len(people), dtype=np.int64)
        for name in names:
            values = codes(people[name])
            kind = kind * (values.max(initial=0) + 1) + values
        first = np.full(kind.max(initial=0) + 1, -1)
        first[kind[::-1]] = np.arange(len(people))[::-1]
        has = first >= 0
        number = pl.Series((np.cumsum(has) - 1).astype(np.uint32))
        alike = people.select("customer", *names)[first[has]].drop("customer")
        return cls(alike.insert_column(0, pl.Series(GROUP, range(has.sum()), pl.UInt32)), number.gather(kind))

    def can_tell(self, marts: Marts, by: str | None) -> bool:
        """Whether the groups tell apart whom a selection wants, and the values of `by`."""
        wanted = {name for name, values in marts.selection.attributes.items() if values}
        masked = marts.mask is not None
        by_attributes = bool(wanted) and (marts.selection.where is None or marts.of_lines)
        known = (wanted | ({by} if by else set())) <= set(self.alike.columns)
        return known and by != CATEGORY and masked == by_attributes

    def gathered(self, sums: pl.DataFrame, marts: Marts, by: str | None) -> pl.DataFrame:
        """Sums by group added up over the groups that a selection wants, by period and `by`."""
        wanted = mask(self.alike, marts.selection.attributes)
        if wanted is not None:
            sums = sums.filter(wanted.gather(sums[GROUP]).fill_null(value=False))
        keys = ["period"]
        if by:
            sums = sums.with_columns(self.alike[by].gather(sums[GROUP]).alias("by"))
            keys = ["period", "by"]
        return sums.drop(GROUP).group_by(keys).sum()


def _few(people: pl.DataFrame) -> list[str]:
    """The attributes with the fewest values, as many as make no more than MOST_GROUPS combinations."""
    counts = {name: people[name].n_unique() for name in attribute_names(people)}
    names: list[str] = []
    groups = 1
    for attribute in sorted(counts, key=lambda each: counts[each]):
        groups *= counts[attribute]
        if groups > MOST_GROUPS:
            break
        names.append(attribute)
    return names
