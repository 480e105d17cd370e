"""One pass over each relation: every measure that is asked for, by period and by the values of one column.

Sums and counts are taken by groups of customers who are alike in every attribute, and kept: what adds up over
these groups then answers any selection of attributes and any split by one of them without another pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.frames import CATEGORY, Marts
from metrics.measures import Compute
from metrics.money import amounts
from metrics.panels import FOLLOWS, MONEY_COLUMNS
from metrics.people import attribute_names
from metrics.periods import Window
from metrics.relations import PANEL, Relation
from metrics.selection import Missing, mask

KEYS: Final = ("period", "by")
GROUP: Final = "group"
MOST_GROUPS: Final = 4_096
"""Attributes are grouped together as long as their values make no more combinations than this."""

_UNIT: Final = 10_000
_ALONE: Final = frozenset({"count_distinct", "median", "percentile", "min", "max"})
"""Aggregates of a whole that do not follow from those of its parts."""

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

    def moment(self, measure: Compute, other: Compute) -> Floats | None:
        """The sum over known customers of the products of two measures; None where it was not asked for."""
        label = _product(measure, other)
        return self.cells[label].cast(pl.Float64).to_numpy() if label in self.cells.columns else None

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
        ours = _about(relation, asked)
        try:
            empty = marts.empty_columns(relation)
            since[relation.name] = marts.since(relation, window.grain)
            reasons |= {m.key: _not_given(m.columns & empty) for m in ours.measures if m.columns & empty}
            tables += _aggregated(relation, ours, marts, window, by)
        except Missing as missing:
            reasons |= dict.fromkeys((measure.key for measure in ours.measures), str(missing))
    return Grid(_joined(tables, window, by, asked.before), reasons, since)


def _about(relation: Relation, asked: Asked) -> Asked:
    measures = tuple(measure for measure in asked.measures if measure.relation.name == relation.name)
    return replace(asked, measures=measures, pairs=asked.pairs if relation.name == PANEL else ())


def _not_given(columns: frozenset[str]) -> str:
    return f"no source gives {' and '.join(f'`{FOLLOWS.get(name, name)}`' for name in sorted(columns))}"


def _aggregated(
    relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None
) -> list[pl.DataFrame]:
    """The measures that add up in one table, each of the others in one of its own."""
    adding = tuple(measure for measure in asked.measures if measure.aggregate not in _ALONE)
    tables = []
    if adding:
        totals = _totals(relation, replace(asked, measures=adding), marts, window, by)
        tables.append(totals.with_columns(value for m in adding for value in _values(m, totals.schema)))
    keys = [key for key in KEYS if key == "period" or by]
    for measure in asked.measures:
        if measure.aggregate in _ALONE:
            rows = marts.rows(relation, window, measure.columns, by, asked.before)
            counted = rows if measure.rows is None else rows.filter(measure.rows)
            tables.append(counted.group_by(keys).agg(_alone(measure)))
    return tables


def _totals(relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """Sums by period and `by`, from kept sums by groups of customers where these tell what is asked."""
    groups = marts.kept("groups", lambda: Groups.of(marts.frame("customer_summary")))
    if not (relation.of_customers and groups.can_tell(marts, by)):
        rows = _rows(relation, asked, marts, window, by)
        return _summed(rows, asked, [key for key in KEYS if key == "period" or by])
    whole = replace(marts, mask=None, selection=replace(marts.selection, attributes={}))
    question = (relation.name, asked_key(asked), window, marts.selection.categories)
    sums = marts.kept(question, lambda: _by_group(relation, asked, whole, window, groups))
    return groups.gathered(sums, marts, by)


def asked_key(asked: Asked) -> tuple[object, ...]:
    """What tells one set of measures from another."""
    measures = sorted(measure.key for measure in asked.measures)
    pairs = sorted((a.key, b.key) for a, b in asked.pairs)
    return tuple(measures), tuple(pairs), asked.before


def _by_group(
    relation: Relation, asked: Asked, marts: Marts, window: Window, groups: "Groups"
) -> pl.DataFrame:
    rows = _rows(relation, asked, marts, window, None)
    group = groups.of_customer.gather(rows["customer"]).alias(GROUP)
    return _summed(rows.with_columns(group), asked, ["period", GROUP])


def _rows(relation: Relation, asked: Asked, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """The rows that measures read; amounts that are only summed stay in units."""
    columns = frozenset[str]().union(*(measure.columns for measure in asked.measures))
    plain = {measure.plain for measure in asked.measures}
    worked = frozenset[str]().union(*(_worked_with(measure) for measure in asked.measures))
    return marts.rows(relation, window, columns, by, asked.before, exact=worked | (columns - plain))


def _worked_with(measure: Compute) -> frozenset[str]:
    """The columns that a measure does more with than sum them up."""
    return measure.columns - {measure.plain} if measure.aggregate == "sum" else measure.columns


def _summed(rows: pl.DataFrame, asked: Asked, keys: list[str]) -> pl.DataFrame:
    exprs = [expr for measure in asked.measures for expr in _parts(measure)]
    moments = {_product(a, b): (a, b) for pair in asked.pairs for a in pair for b in pair}
    lazy = rows.lazy()
    if moments:
        read = {measure.key: measure for pair in asked.pairs for measure in pair}
        lazy = lazy.with_columns(_per_row(m, rows.schema).alias(name(m, "row")) for m in read.values())
        exprs += [
            (pl.col(name(a, "row")) * pl.col(name(b, "row"))).sum().alias(label)
            for label, (a, b) in moments.items()
            if a.key <= b.key
        ]
    return lazy.group_by(keys).agg(exprs).collect()


def _product(a: Compute, b: Compute) -> str:
    first, second = sorted((a.key, b.key))
    return "|".join((*first, *second, "moment"))


def _parts(measure: Compute) -> list[pl.Expr]:
    """The sums of which a measure's value, its n and its interval are made."""
    value = measure.value if measure.rows is None else pl.when(measure.rows).then(measure.value)
    given = value.is_not_null()
    unit = given & pl.col("customer").is_not_null() if measure.relation.name == PANEL else given
    parts = {"n": unit.cast(pl.Int64).sum(), "given": given.cast(pl.Int64).sum()}
    match measure.aggregate:
        case "sum":
            parts["total"] = value.sum()
        case "average":
            number = value.cast(pl.Float64)
            parts |= {"total": number.sum(), "squares": (number * number).sum()}
        case "share":
            parts["hits"] = value.cast(pl.Int64).sum()
        case _:
            pass
    return [expr.alias(name(measure, part)) for part, expr in parts.items()]


def _values(measure: Compute, schema: pl.Schema) -> list[pl.Expr]:
    """The value of a measure from its sums."""
    given = pl.col(name(measure, "given"))
    some = pl.when(given > 0)
    match measure.aggregate:
        case "sum":
            label = name(measure, "total")
            in_units = measure.plain in MONEY_COLUMNS and schema[label].is_integer()
            total = amounts(pl.col(label)) if in_units else pl.col(label)
            value: pl.Expr = some.then(total)
        case "average":
            value = some.then(pl.col(name(measure, "total")) / given)
        case "share":
            value = some.then(pl.col(name(measure, "hits")) / given)
        case _:
            value = some.then(given).otherwise(0)
    return [value.alias(name(measure, "value"))]


def _alone(measure: Compute) -> list[pl.Expr]:
    value = measure.value
    number = value.cast(pl.Float64)
    found = {
        "count_distinct": lambda: value.drop_nulls().n_unique().cast(pl.Int64),
        "median": lambda: number.median(),
        "percentile": lambda: number.quantile(measure.at, interpolation="linear"),
        "min": lambda: value.min(),
        "max": lambda: value.max(),
    }[measure.aggregate]()
    count = value.count().cast(pl.Int64)
    return [found.alias(name(measure, "value")), count.alias(name(measure, "n"))]


def _per_row(measure: Compute, schema: pl.Schema) -> pl.Expr:
    """What a known customer adds to a sum or a count, as a float; 0 where it does not count."""
    number = measure.value.is_not_null() if measure.aggregate == "count" else measure.value
    counts = pl.col("customer").is_not_null()
    value = pl.when(counts if measure.rows is None else counts & measure.rows).then(number)
    in_units = measure.plain in MONEY_COLUMNS and schema[measure.plain] == pl.Int64
    return value.cast(pl.Float64).fill_null(0.0) / (_UNIT if in_units else 1)


def _joined(tables: list[pl.DataFrame], window: Window, by: str | None, before: int) -> pl.DataFrame:
    numbers = pl.int_range(window.first - before, window.last + 1, dtype=pl.Int32, eager=True)
    cells = pl.DataFrame({"period": numbers})
    keys = ["period"]
    if by:
        keys = ["by", "period"]
        values = [table["by"] for table in tables]
        every = pl.concat(values).unique().sort(nulls_last=True) if values else pl.Series("by", [], pl.String)
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
        coded = people.select(pl.lit(0, pl.UInt8).alias("everybody"), "customer", *names).drop("customer")
        alike = coded.unique(maintain_order=True).with_row_index(GROUP)
        found = coded.join(alike, on=coded.columns, how="left", nulls_equal=True, maintain_order="left")
        return cls(alike.drop("everybody"), found[GROUP])

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
