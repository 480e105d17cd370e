"""Selections: which customers, categories and order lines a figure is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from config.errors import unknown
from config.expressions import Compiled, compile_expression
from metrics.relations import Columns

MOST_KNOWN = 10_000
"""Values of a column among which a near one is looked for."""

SEGMENT: Final = "{segment}"
"""The attribute of which a customer may have several values: the names of the segments that hold him.

No column can be called so: braces name what is not a column."""


class Missing(Exception):
    """Why there are no rows to count, in words for the place of the figure."""


@dataclass(frozen=True)
class Selection:
    """Which customers and lines count: all of them when nothing is said.

    Of one attribute any of the values will do, different attributes must all hold; a customer without a
    known value is left out, and so are lines without a customer. Segments are the attribute SEGMENT. `where`
    is a condition on columns of customers or of order lines.
    """

    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    where: str | None = None


def check(selection: Selection, values: Mapping[str, tuple[str, ...]], categories: tuple[str, ...]) -> None:
    """Raise Fault for an attribute, a value of one, or a category that nobody has."""
    for name, wanted in selection.attributes.items():
        if name not in values:
            what = "attribute"
            raise unknown(what, name, values)
        for value in wanted:
            if value not in values[name]:
                raise unknown(name.strip("{}"), value, values[name])
    for category in selection.categories:
        if category not in categories:
            what = "category"
            raise unknown(what, category, categories)


def check_values(condition: Compiled, lines: pl.LazyFrame, people: pl.LazyFrame) -> None:
    """Raise Fault for a text that no row of a column has: that of the lines, else of the customers."""
    own = lines.collect_schema().names()
    for column, text, offset in condition.compared:
        values = (lines if column in own else people).select(pl.col(column).cast(pl.String))
        if not values.select((pl.col(column) == text).any()).collect().item():
            known = values.drop_nulls().unique().sort(column).head(MOST_KNOWN).collect()[column].to_list()
            what = f"value of `{column}`"
            raise unknown(what, text, known, offset=offset)


def mask(
    people: pl.DataFrame,
    attributes: Mapping[str, tuple[str, ...]],
    member: Callable[[str], pl.Series] | None = None,
) -> pl.Series | None:
    """By customer number, who has the wanted attributes; None when none is wanted.

    `member` gives by customer number who belongs to a segment.
    """
    wanted = {name: values for name, values in attributes.items() if values}
    tests = [_is_one_of(people, name, values) for name, values in wanted.items() if name != SEGMENT]
    if SEGMENT in wanted and member is not None:
        inside = reduce(or_, [member(name) for name in wanted[SEGMENT]])
        tests.append(pl.lit(inside.alias("in")))
    return people.select(pl.all_horizontal(tests)).to_series() if tests else None


def _is_one_of(people: pl.DataFrame, name: str, wanted: tuple[str, ...]) -> pl.Expr:
    dtype = people.schema[name]
    values = [value == "true" for value in wanted] if dtype == pl.Boolean else list(wanted)
    return pl.col(name).is_in(pl.Series(values, dtype=dtype).implode()).fill_null(value=False)


def attribute_values(people: pl.DataFrame, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The values of each customer attribute, in alphabetical order."""
    return {name: _values(people[name]) for name in names}


def _values(column: pl.Series) -> tuple[str, ...]:
    return tuple(column.dtype.categories) if isinstance(column.dtype, pl.Enum) else ("false", "true")


def plain(schema: Mapping[str, pl.DataType]) -> Columns:
    """A schema as conditions see it: categories are text."""
    return {name: pl.String() if isinstance(t, pl.Enum) else t for name, t in schema.items()}


def line_condition(where: str, lines: pl.LazyFrame, people: pl.DataFrame) -> Compiled:
    """A condition on order lines and on the customers behind them. Raises ExpressionError."""
    return compile_expression(
        where, {**plain(people.schema), **plain(lines.collect_schema())}, where="where", kind="condition"
    )


def lines_where(lines: pl.LazyFrame, people: pl.DataFrame, condition: Compiled) -> pl.LazyFrame:
    """The order lines for which a condition holds, in their order."""
    own = lines.collect_schema().names()
    foreign = [name for name in condition.columns if name not in own]
    if foreign:
        theirs = people.lazy().select("customer_id", *foreign)
        lines = lines.join(theirs, on="customer_id", how="left", maintain_order="left")
    return lines.filter(condition.expr).select(own)
