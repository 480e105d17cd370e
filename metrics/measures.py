"""Measures: one aggregate of the rows of one table, checked and compiled.

An aggregate is written as in SQL, `sum(net_amount)`: one call around one value a row. Call and value are told
apart, because intervals, customer lists and contributions need the values themselves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from config.errors import Fault, suggestion, unknown
from config.expressions import Compiled, ExpressionError, compile_expression
from connectors.tables import MONEY
from metrics.definitions import Measure
from metrics.relations import PANEL, RELATIONS, Columns, Relation

Aggregate = Literal[
    "sum", "count", "count_distinct", "average", "median", "percentile", "share", "min", "max"
]

AGGREGATES: Final[Mapping[str, Aggregate]] = {
    "sum": "sum",
    "count": "count",
    "avg": "average",
    "average": "average",
    "mean": "average",
    "median": "median",
    "percentile": "percentile",
    "share": "share",
    "min": "min",
    "max": "max",
}
ADDITIVE: Final = frozenset({"sum", "count"})
"""Aggregates whose parts add up to the whole."""

_CALL: Final = re.compile(r"\s*(?P<name>[A-Za-z_]+)\s*\((?P<inside>.*)\)\s*", re.DOTALL)
_TERM: Final = re.compile(r"([+-]?)\s*([A-Za-z_]\w*)")
_SUM: Final = re.compile(r"\s*-?\s*[A-Za-z_]\w*(\s*[+-]\s*[A-Za-z_]\w*)*\s*")
_DISTINCT: Final = re.compile(r"\s*distinct\b", re.IGNORECASE)


@dataclass(frozen=True)
class Compute:
    """A compiled measure.

    `value` is what a row contributes: a number, for `share` a condition, for `count` whether it is there.
    `rows` says which rows count, None for all. `key` is the same for equal measures.
    """

    relation: Relation
    aggregate: Aggregate
    value: pl.Expr
    rows: pl.Expr | None
    dtype: pl.DataType
    value_columns: frozenset[str]
    condition_columns: frozenset[str]
    key: tuple[str, str, str]
    at: float = 0.5
    counts_values: bool = True
    """False for `count(*)`, which counts rows."""
    plain: str = ""
    """The column that is the value, where that is a column as it stands."""
    signs: Mapping[str, int] = field(default_factory=dict)
    """The columns of money that the value adds up, each with its sign, where that is all it does."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        return self.value_columns | self.condition_columns

    @property
    def where(self) -> str:
        """Its condition as it was written, the same for equal conditions; empty for none."""
        return self.key[2]

    @property
    def is_money(self) -> bool:
        """Whether the figure is an exact amount."""
        return self.aggregate == "sum" and self.dtype.is_decimal()


def compiled(measure: Measure, attributes: Columns) -> Compute:
    """The compiled form of a measure; `attributes` are the customers' columns beside those of its table.

    Equal measures are compiled once, so that an edit costs what it changes. Raises Fault, its `at` naming the
    key that is wrong.
    """
    relation = RELATIONS.get(measure.table)
    if relation is None:
        what = "table"
        raise unknown(what, measure.table, RELATIONS, at=("table",))
    given = tuple(attributes.items()) if relation.of_customers else ()
    return _compiled(relation.name, measure.expression, measure.where or "", given)


@lru_cache(maxsize=4_096)
def _compiled(
    table: str, expression: str, condition_text: str, attributes: tuple[tuple[str, pl.DataType], ...]
) -> Compute:
    relation = RELATIONS[table]
    columns = {**dict(attributes), **relation.columns}
    aggregate, value, at = _aggregate(expression, columns)
    if table == PANEL and aggregate == "count_distinct" and _plain(value) == "customer":
        aggregate = "count"  # a customer has one row a period, and sums of counts are kept
    where = condition(condition_text, columns, "where") if condition_text else None
    return Compute(
        relation,
        aggregate,
        value.expr if value else pl.col("period").is_not_null(),
        where.expr if where else None,
        value.dtype if value else pl.Boolean(),
        value.columns if value else frozenset(),
        where.columns if where else frozenset(),
        (table, expression, condition_text),
        at,
        value is not None,
        _plain(value),
        _signs(value, columns),
    )


def _plain(value: Compiled | None) -> str:
    text = value.text.strip() if value else ""
    return text if value and value.columns == {text} else ""


def _signs(value: Compiled | None, columns: Columns) -> dict[str, int]:
    """The signs of a sum of money columns such as `gross_amount - cost`; none of anything else."""
    if (
        value is None
        or not _SUM.fullmatch(value.text)
        or any(columns[name] != MONEY for name in value.columns)
    ):
        return {}
    terms = _TERM.findall(value.text)
    return (
        {name: -1 if sign == "-" else 1 for sign, name in terms} if len(terms) == len(value.columns) else {}
    )


def condition(text: str, columns: Columns, key: str) -> Compiled:
    """A compiled condition. Raises Fault at the key that holds it."""
    return _at(key, 0, text, columns, "condition")


_KINDS: Final[Mapping[Aggregate, Literal["number", "condition"]]] = {
    "sum": "number",
    "average": "number",
    "median": "number",
    "percentile": "number",
    "share": "condition",
}


def _aggregate(text: str, columns: Columns) -> tuple[Aggregate, Compiled | None, float]:
    """The aggregate, the value a row (None for all rows), and the place of a percentile."""
    call = _CALL.fullmatch(text)
    if call is None or not _is_one_call(call["inside"]):
        fault = f"`{text.strip()}` is not one aggregate around one value"
        raise _fault(fault, "Write sum(net_amount), count(*) or the like; a quotient is `kind: ratio`")
    name, inside, offset, at = call["name"].lower(), call["inside"], call.start("inside"), 0.5
    if name not in AGGREGATES:
        fault = f"unknown aggregate `{name}`"
        raise _fault(fault, suggestion(name, AGGREGATES))
    aggregate = AGGREGATES[name]
    if aggregate == "count" and inside.strip() == "*":
        return aggregate, None, at
    if distinct := _DISTINCT.match(inside):
        inside, offset = inside[distinct.end() :], offset + distinct.end()
        aggregate = _distinct(aggregate)
    if aggregate == "percentile":
        inside, at = _percentile(inside)
    return aggregate, _at("expression", offset, inside, columns, _KINDS.get(aggregate)), at


def _distinct(aggregate: Aggregate) -> Aggregate:
    if aggregate != "count":
        fault = "DISTINCT is for count() only"
        raise _fault(fault, "Remove it")
    return "count_distinct"


def _percentile(inside: str) -> tuple[str, float]:
    value, comma, part = inside.rpartition(",")
    try:
        at = float(part)
    except ValueError:
        at = -1.0
    if not comma or not 0 <= at <= 1:
        fault = "a percentile needs its place between 0 and 1"
        raise _fault(fault, "Write percentile(net_amount, 0.9)")
    return value, at


def _fault(fault: str, remedy: str) -> Fault:
    return Fault(fault, remedy, at=("expression",), rule="expression")


def _is_one_call(inside: str) -> bool:
    """Whether the brackets around a text are a pair, so that nothing follows the call."""
    depth = 0
    for sign in re.sub(r"'[^']*'|\"[^\"]*\"", "", inside):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0


def _at(
    key: str, offset: int, text: str, columns: Columns, kind: Literal["number", "condition"] | None
) -> Compiled:
    try:
        return compile_expression(text, columns, kind=kind)
    except ExpressionError as error:
        raise Fault(
            error.fault, error.remedy, at=(key,), offset=error.offset + offset, rule="expression"
        ) from None
