"""The expression language of definitions: a small subset of SQL (DuckDB's dialect), compiled to Polars.

    compile_expression("quantity * unit_price", columns)          one value a row
    compile_aggregate("sum(net_amount) / count(*)", columns)      one value a group
    compile_derived("{net_revenue} / {orders}", metrics)          arithmetic on other metrics
    compile_rule("orders >= 3 AND NOT {loyal}", columns, groups)  a condition that may name other groups

Text is parsed by sqlglot and checked node by node against a list of what is known; everything else is
refused, and no string is ever executed. Names with spaces or other signs stand in double quotes or backticks.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl
from sqlglot import exp

from config.aggregates import AGGREGATES
from config.casts import casting
from config.functions import FUNCTIONS
from config.operators import OPERATORS
from config.parsing import KNOWN_AGGREGATES, KNOWN_FUNCTIONS, conditions, parse, refusal
from config.terms import Builder, Compared, ExpressionError, Kind, Node, Scope

__all__ = [
    "KNOWN_AGGREGATES",
    "KNOWN_FUNCTIONS",
    "Compared",
    "Compiled",
    "ExpressionError",
    "Kind",
    "column_kinds",
    "compile_aggregate",
    "compile_derived",
    "compile_expression",
    "compile_parts",
    "compile_rule",
]

_BUILDERS: Mapping[type[Node], Builder] = {
    **OPERATORS,
    **FUNCTIONS,
    **AGGREGATES,
    exp.Cast: casting,
    exp.TryCast: casting,
}


@dataclass(frozen=True)
class Compiled:
    """A checked expression: values of `dtype` from `columns` and the metrics in `references`.

    `compared` are the texts that columns must or must not equal.
    """

    expr: pl.Expr
    columns: frozenset[str]
    references: frozenset[str]
    text: str
    dtype: pl.DataType
    kind: Kind
    compared: tuple[Compared, ...] = ()


def compile_expression(
    text: str, columns: Mapping[str, pl.DataType], *, where: str = "", kind: Kind | None = None
) -> Compiled:
    """One value a row, from columns of the given types.

    `kind` says what the values must be, such as "condition". Raises ExpressionError.

    >>> compile_expression("quantity * 2", {"quantity": pl.Int64()}).columns
    frozenset({'quantity'})
    """
    return _compile(text, _scope(text, columns), where, kind)


def compile_aggregate(
    text: str, columns: Mapping[str, pl.DataType], *, where: str = "", kind: Kind | None = None
) -> Compiled:
    """One value a group: every column stands inside an aggregate. Raises ExpressionError."""
    return _compile(text, _scope(text, columns, aggregates=True), where, kind)


def compile_derived(
    text: str, metrics: Mapping[str, pl.DataType], *, where: str = "", kind: Kind | None = None
) -> Compiled:
    """Arithmetic on other metrics, each written as `{name}`; `expr` reads columns of these names.

    Raises ExpressionError.
    """
    return _compile(text, _scope(text, {}, metrics), where, kind)


def compile_rule(
    text: str, columns: Mapping[str, pl.DataType], groups: Mapping[str, pl.DataType], *, where: str = ""
) -> Compiled:
    """A condition on columns and on membership of groups, each written as `{name}`. Raises ExpressionError.

    >>> rule = compile_rule("n >= 3 AND NOT {loyal}", {"n": pl.Int64()}, {"loyal": pl.Boolean()})
    >>> rule.references
    frozenset({'loyal'})
    """
    return _compile(text, _scope(text, columns, groups), where, "condition")


def compile_parts(
    text: str, columns: Mapping[str, pl.DataType], groups: Mapping[str, pl.DataType]
) -> list[tuple[Node, Compiled]]:
    """The conditions that AND and OR join in a rule, each compiled by itself, with its node of the tree.

    Raises ExpressionError.

    >>> [part.columns for _, part in compile_parts("a > 1 OR b", {"a": pl.Int64(), "b": pl.Boolean()}, {})]
    [frozenset({'a'}), frozenset({'b'})]
    """
    root, braces = parse(text)
    found = []
    for node in conditions(root):
        scope = replace(_scope(text, columns, groups), braces=braces)
        term = scope.of_kind(node, "condition")
        used, referenced = frozenset(scope.used), frozenset(scope.referenced)
        found.append((node, Compiled(term.expr, used, referenced, scope.words(node), term.dtype, term.kind)))
    return found


def column_kinds(text: str, columns: Collection[str], *, where: str = "") -> dict[str, Kind]:
    """What an expression asks its columns to be, for columns that are still plain text.

    A column that may be anything (`coalesce(a, b)`) is left out. Raises ExpressionError.

    >>> column_kinds("CASE WHEN code LIKE 'C%' THEN -price ELSE price END", ["code", "price"])
    {'price': 'number', 'code': 'text'}
    """
    scope = _scope(text, dict.fromkeys(columns, pl.Unknown()))
    _compile(text, scope, where, None)
    return scope.kinds


def _scope(
    text: str,
    columns: Mapping[str, pl.DataType],
    metrics: Mapping[str, pl.DataType] | None = None,
    *,
    aggregates: bool = False,
) -> Scope:
    return Scope(text, _BUILDERS, columns, metrics or {}, refusal, aggregates=aggregates)


def _compile(text: str, scope: Scope, where: str, kind: Kind | None) -> Compiled:
    try:
        root, braces = parse(text)
        scope = replace(scope, braces=braces)
        term = scope.of_kind(root, kind) if kind else scope.term(root)
    except ExpressionError as error:
        raise ExpressionError(error.fault, error.remedy, offset=error.offset, where=where) from None
    used, referenced = frozenset(scope.used), frozenset(scope.referenced)
    compared = tuple(scope.compared)
    return Compiled(term.expr, used, referenced, text, term.dtype, term.kind, compared)
