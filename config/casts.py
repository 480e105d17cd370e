"""CAST and written dates of the expression language. A value that cannot be cast is null, never an error."""

import datetime as dt
from collections.abc import Callable, Mapping

import polars as pl
from sqlglot import exp

from config.terms import Kind, Node, Scope, Term

_TYPES: Mapping[str, Kind] = {
    "TEXT": "text",
    "VARCHAR": "text",
    "BOOLEAN": "condition",
    "DATE": "date",
    "TIMESTAMP": "time",
    "TIMESTAMPNTZ": "time",
    "DATETIME": "time",
    **dict.fromkeys(("INT", "BIGINT", "SMALLINT", "DOUBLE", "FLOAT", "DECIMAL"), "number"),
}
_WRITTEN = "TEXT, INTEGER, DOUBLE, DECIMAL(18, 4), BOOLEAN, DATE, TIMESTAMP"
_FORMATS = {"date": "%Y-%m-%d", "time": "%Y-%m-%d %H:%M:%S"}


def casting(scope: Scope, node: exp.Cast) -> Term:
    """`CAST(x AS type)`, `x::type`, `DATE '2024-01-31'`, `TIMESTAMP '2024-01-31 12:00:00'`."""
    name = str(node.to.this.value)
    if name not in _TYPES:
        raise scope.fail(node, f"unknown type `{name.lower()}`", f"Known: {_WRITTEN}")
    term, kind = scope.term(node.this), _TYPES[name]
    if kind in _FORMATS and isinstance(term.literal, str):
        return _written(scope, node, term.literal, kind)
    if kind == "number":
        return _as_number(scope, term, _number_type(scope, node, name), node)
    return _CASTS[kind](scope, term, node)


def _written(scope: Scope, node: exp.Cast, text: str, kind: Kind) -> Term:
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        example = "DATE '2024-01-31'" if kind == "date" else "TIMESTAMP '2024-01-31 12:00:00'"
        raise scope.fail(node, f"`{text}` is no {kind}", f"Write {example}") from None
    if kind == "date":
        return Term(pl.lit(value.date()), pl.Date(), node, value.date())
    return Term(pl.lit(value, dtype=pl.Datetime("us")), pl.Datetime("us"), node, value)


def _number_type(scope: Scope, node: exp.Cast, name: str) -> pl.DataType:
    if name in ("DOUBLE", "FLOAT"):
        return pl.Float64()
    if name != "DECIMAL":
        return pl.Int64()
    sizes = [int(part.name) for part in node.to.expressions] or [18, 4]
    precision, scale = [*sizes, 0][:2]
    if not 0 <= scale <= precision <= 38 or not precision:
        raise scope.fail(node, "a decimal has up to 38 digits in all", "Write DECIMAL(18, 4)")
    return pl.Decimal(precision, scale)


def _as_number(scope: Scope, term: Term, dtype: pl.DataType, node: exp.Cast) -> Term:
    term = (
        scope.expect(term, "number", "text", "condition")
        if term.kind != "open"
        else scope.settle(term, "text")
    )
    expr = term.expr.str.strip_chars() if term.kind == "text" else term.expr
    if dtype == pl.Int64 and term.dtype.is_numeric() and not term.dtype.is_integer():
        expr = expr.round(0, mode="half_away_from_zero")
    return Term(expr.cast(dtype, strict=False), dtype, node)


def _as_text(_scope: Scope, term: Term, node: exp.Cast) -> Term:
    if term.kind in _FORMATS:
        return Term(term.expr.dt.strftime(_FORMATS[term.kind]), pl.String(), node)
    return Term(term.expr.cast(pl.String), pl.String(), node)


def _as_condition(scope: Scope, term: Term, node: exp.Cast) -> Term:
    term = scope.expect(term, "condition", "number", "text")
    if term.kind != "text":
        return Term(term.expr.cast(pl.Boolean), pl.Boolean(), node)
    word = term.expr.str.strip_chars().str.to_lowercase()
    known = pl.when(word == "true").then(True).when(word == "false").then(False)
    return Term(known.otherwise(None), pl.Boolean(), node)


def _as_date(scope: Scope, term: Term, node: exp.Cast) -> Term:
    term = scope.expect(term, "date", "time", "text")
    if term.kind == "text":
        return Term(term.expr.str.to_date(_FORMATS["date"], strict=False), pl.Date(), node)
    return Term(term.expr.dt.date(), pl.Date(), node)


def _as_time(scope: Scope, term: Term, node: exp.Cast) -> Term:
    term = scope.expect(term, "time", "date", "text")
    if term.kind == "text":
        time = term.expr.str.to_datetime(_FORMATS["time"], strict=False, time_unit="us")
        return Term(time, pl.Datetime("us"), node)
    return Term(term.expr, term.dtype, node) if term.kind == "time" else _midnight(term, node)


def _midnight(term: Term, node: Node) -> Term:
    return Term(term.expr.cast(pl.Datetime("us")), pl.Datetime("us"), node)


_CASTS: Mapping[Kind, Callable[[Scope, Term, exp.Cast], Term]] = {
    "text": _as_text,
    "condition": _as_condition,
    "date": _as_date,
    "time": _as_time,
}
