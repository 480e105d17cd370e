"""The functions of the expression language, each to a checked Polars expression."""

from collections.abc import Callable, Mapping

import polars as pl
from sqlglot import exp

from config.terms import Builder, Kind, Node, Scope, Term, cast, common, together

_PLACES = 12


def _map(kind: Kind, result: pl.DataType | None, change: Callable[[pl.Expr], pl.Expr]) -> Builder:
    """Builder of a function of one value; without a result type, it keeps the type of the value."""

    def build(scope: Scope, node: Node) -> Term:
        term = scope.of_kind(node.this, kind)
        return Term(change(term.expr), result or term.dtype, node)

    return build


def _part(change: Callable[[pl.Expr], pl.Expr]) -> Builder:
    """Builder of a part of a date."""

    def build(scope: Scope, node: Node) -> Term:
        inner = node.this.this if isinstance(node.this, exp.TsOrDsToDate) else node.this
        return Term(change(scope.of_kind(inner, "date", "time").expr).cast(pl.Int64), pl.Int64(), node)

    return build


_PARTS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "YEAR": lambda date: date.dt.year(),
    "QUARTER": lambda date: date.dt.quarter(),
    "MONTH": lambda date: date.dt.month(),
    "WEEK": lambda date: date.dt.week(),
    "DAY": lambda date: date.dt.day(),
    "ISODOW": lambda date: date.dt.weekday(),
    "HOUR": lambda time: time.dt.hour(),
}
_TRUNCATE = {"YEAR": "1y", "QUARTER": "1q", "MONTH": "1mo", "WEEK": "1w", "DAY": "1d"}


def extract(scope: Scope, node: exp.Extract) -> Term:
    """`EXTRACT(month FROM date)`: a part of a date as a whole number; ISO weeks, isodow 1 is Monday."""
    unit = node.this.name.upper()
    if unit not in _PARTS:
        raise scope.fail(node, f"unknown part of a date `{unit.lower()}`", _known(_PARTS))
    return Term(
        _PARTS[unit](scope.of_kind(node.expression, "date", "time").expr).cast(pl.Int64), pl.Int64(), node
    )


def _known(units: Mapping[str, object]) -> str:
    return f"Known: {', '.join(unit.lower() for unit in units)}"


def truncated(scope: Scope, node: exp.TimestampTrunc | exp.DateTrunc) -> Term:
    """`date_trunc('month', date)`: the first day of the period; weeks start on Monday."""
    unit = scope.part(node, "unit").name.upper()
    if unit not in _TRUNCATE:
        raise scope.fail(node, f"unknown period `{unit.lower()}`", _known(_TRUNCATE))
    term = scope.of_kind(node.this, "date", "time")
    return Term(term.expr.dt.truncate(_TRUNCATE[unit]), term.dtype, node)


def between_dates(scope: Scope, node: exp.DateDiff) -> Term:
    """`date_diff('day', first, last)`: the days, months or years whose boundary lies between two dates."""
    unit = node.args["unit"].name.upper() if node.args.get("unit") else "DAY"
    if unit not in _DISTANCES:
        raise scope.fail(node, f"unknown unit `{unit.lower()}`", _known(_DISTANCES))
    last, first = (
        scope.of_kind(part, "date", "time").expr.dt.date() for part in (node.this, node.expression)
    )
    return Term(_DISTANCES[unit](first, last).cast(pl.Int64), pl.Int64(), node)


def _months(date: pl.Expr) -> pl.Expr:
    return date.dt.year() * 12 + date.dt.month()


_DISTANCES: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "DAY": lambda first, last: (last - first).dt.total_days(),
    "MONTH": lambda first, last: _months(last) - _months(first),
    "YEAR": lambda first, last: last.dt.year() - first.dt.year(),
}


def first_known(scope: Scope, node: exp.Coalesce) -> Term:
    """`coalesce(a, b)`: the first value that is not null."""
    terms = together(scope, scope.terms([node.this, *node.expressions]), "coalesce")
    return Term(pl.coalesce(term.expr for term in terms), common(*(term.dtype for term in terms)), node)


def null_if(scope: Scope, node: exp.Nullif) -> Term:
    """`nullif(a, b)`: null when both are equal, else a."""
    term = scope.term(node.this)
    left, right = together(scope, [term, scope.term(node.expression)], "compare")
    return Term(
        pl.when((left.expr == right.expr).fill_null(False)).then(None).otherwise(term.expr), term.dtype, node
    )


def extreme(scope: Scope, node: exp.Greatest | exp.Least) -> Term:
    """`greatest(a, b)` and `least(a, b)`: nulls are passed over."""
    terms = together(scope, scope.terms([node.this, *node.expressions]), "compare")
    choose = pl.max_horizontal if isinstance(node, exp.Greatest) else pl.min_horizontal
    return Term(choose(*(term.expr for term in terms)), common(*(term.dtype for term in terms)), node)


def rounded(scope: Scope, node: exp.Round) -> Term:
    """`round(x, digits)`: halves away from zero."""
    term = scope.of_kind(node.this, "number")
    places = whole(scope, node.args.get("decimals"), least=0, most=_PLACES, default=0)
    if term.dtype.is_integer():
        return Term(term.expr, term.dtype, node)
    return _same_digits(term, term.expr.round(places, mode="half_away_from_zero"), node)


def _same_digits(term: Term, expr: pl.Expr, node: Node) -> Term:
    """A rounded number with the digits of the number it was; rounding up may need one more in front."""
    if not isinstance(term.dtype, pl.Decimal):
        return Term(expr, term.dtype, node)
    dtype = pl.Decimal(38, term.dtype.scale)
    return Term(expr.cast(dtype), dtype, node)


def whole(scope: Scope, node: Node | None, *, least: int, most: int, default: int | None = None) -> int:
    """A whole number that is written in the expression itself."""
    if node is None and default is not None:
        return default
    value = scope.term(node).literal if node is not None else None
    if node is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most
    ):
        raise scope.fail(
            node,
            f"`{scope.words(node)}` must be a whole number from {least} to {most}",
            "Write the number itself",
        )
    return int(str(value))


def written(scope: Scope, node: Node) -> str:
    """A text that is written in the expression itself and is not empty."""
    value = scope.term(node).literal
    if not isinstance(value, str) or not value:
        raise scope.fail(
            node, f"`{scope.words(node)}` must be a text", "Write the text itself in single quotes"
        )
    return value


_FAR = 10_000


def part_of_text(scope: Scope, node: exp.Substring) -> Term:
    """`substring(text, start, length)`: characters count from 1."""
    term, start = (
        scope.of_kind(node.this, "text"),
        whole(scope, node.args.get("start"), least=1, most=_FAR, default=1),
    )
    length = node.args.get("length")
    size = None if length is None else whole(scope, length, least=0, most=_FAR)
    return Term(term.expr.str.slice(start - 1, size), pl.String(), node)


def end_of_text(scope: Scope, node: exp.Left | exp.Right) -> Term:
    """`left(text, n)` and `right(text, n)`: the first or last n characters."""
    term, size = scope.of_kind(node.this, "text"), whole(scope, node.expression, least=0, most=_FAR)
    cut = term.expr.str.head(size) if isinstance(node, exp.Left) else term.expr.str.tail(size)
    return Term(cut, pl.String(), node)


def replaced(scope: Scope, node: exp.Replace) -> Term:
    """`replace(text, old, new)`: every occurrence; old and new are written texts."""
    term, old = scope.of_kind(node.this, "text"), written(scope, node.expression)
    new = scope.of_kind(scope.part(node, "replacement"), "text").literal
    if not isinstance(new, str):
        raise scope.fail(
            node, "replace() needs its new text written out", "Write the text itself in single quotes"
        )
    return Term(term.expr.str.replace_all(old, new, literal=True), pl.String(), node)


def split_part(scope: Scope, node: exp.SplitPart) -> Term:
    """`split_part(text, separator, n)`: the n-th part, from 1; empty when there are fewer."""
    term, separator = scope.of_kind(node.this, "text"), written(scope, scope.part(node, "delimiter"))
    at = whole(scope, scope.part(node, "part_index"), least=1, most=_FAR)
    part = term.expr.str.split(separator).list.get(at - 1, null_on_oob=True)
    return Term(pl.when(term.expr.is_not_null()).then(part.fill_null("")), pl.String(), node)


def trimmed(scope: Scope, node: exp.Trim) -> Term:
    """`trim(text)`, `ltrim(text)`, `rtrim(text)`: without the spaces around it."""
    if node.expression:
        raise scope.fail(node, "trim() takes one text and cuts spaces", "Use replace() for other characters")
    text = scope.of_kind(node.this, "text").expr.str
    cuts = {"LEADING": text.strip_chars_start, "TRAILING": text.strip_chars_end}
    return Term(cuts.get(str(node.args.get("position")).upper(), text.strip_chars)(" "), pl.String(), node)


def concatenated(scope: Scope, node: exp.Concat) -> Term:
    """`concat(a, b)`: texts in one; a null counts as an empty text (use || to keep it null)."""
    terms = [scope.of_kind(part, "text") for part in node.expressions]
    return Term(pl.concat_str([term.expr for term in terms], ignore_nulls=True), pl.String(), node)


def holds(scope: Scope, node: exp.Contains | exp.StartsWith | exp.EndsWith) -> Term:
    """`contains(text, part)`, `starts_with(text, part)`, `ends_with(text, part)`."""
    text, part = scope.of_kind(node.this, "text").expr.str, scope.of_kind(node.expression, "text").expr
    if isinstance(node, exp.Contains):
        return Term(text.contains(part, literal=True), pl.Boolean(), node)
    found = text.starts_with(part) if isinstance(node, exp.StartsWith) else text.ends_with(part)
    return Term(found, pl.Boolean(), node)


def _float(change: Callable[[pl.Expr], pl.Expr], valid: Callable[[pl.Expr], pl.Expr]) -> Builder:
    """Builder of a function of a float, null outside its domain."""

    def build(scope: Scope, node: Node) -> Term:
        term = cast(scope.of_kind(node.this, "number"), pl.Float64()).expr
        return Term(pl.when(valid(term)).then(change(term)), pl.Float64(), node)

    return build


def power(scope: Scope, node: exp.Pow) -> Term:
    """`power(x, y)` as a float; null where it is not a real number."""
    base, exponent = (
        cast(scope.of_kind(part, "number"), pl.Float64()).expr for part in (node.this, node.expression)
    )
    result = base**exponent
    return Term(pl.when(result.is_finite()).then(result), pl.Float64(), node)


def _to_whole(change: Callable[[pl.Expr], pl.Expr]) -> Builder:
    def build(scope: Scope, node: Node) -> Term:
        term = scope.of_kind(node.this, "number")
        expr = term.expr if term.dtype.is_integer() else change(term.expr)
        return _same_digits(term, expr, node)

    return build


FUNCTIONS: Mapping[type[Node], Builder] = {
    exp.Abs: _map("number", None, pl.Expr.abs),
    exp.Ceil: _to_whole(pl.Expr.ceil),
    exp.Coalesce: first_known,
    exp.Concat: concatenated,
    exp.Contains: holds,
    exp.DateDiff: between_dates,
    exp.DateTrunc: truncated,
    exp.Day: _part(_PARTS["DAY"]),
    exp.DayOfWeekIso: _part(_PARTS["ISODOW"]),
    exp.EndsWith: holds,
    exp.Exp: _float(pl.Expr.exp, lambda value: value.is_not_null()),
    exp.Extract: extract,
    exp.Floor: _to_whole(pl.Expr.floor),
    exp.Greatest: extreme,
    exp.Hour: _part(_PARTS["HOUR"]),
    exp.Least: extreme,
    exp.Left: end_of_text,
    exp.Length: _map("text", pl.Int64(), lambda text: text.str.len_chars().cast(pl.Int64)),
    exp.Ln: _float(pl.Expr.log, lambda value: value > 0),
    exp.Lower: _map("text", None, lambda text: text.str.to_lowercase()),
    exp.Month: _part(_PARTS["MONTH"]),
    exp.Nullif: null_if,
    exp.Pow: power,
    exp.Quarter: _part(_PARTS["QUARTER"]),
    exp.Replace: replaced,
    exp.Right: end_of_text,
    exp.Round: rounded,
    exp.SplitPart: split_part,
    exp.Sqrt: _float(pl.Expr.sqrt, lambda value: value >= 0),
    exp.StartsWith: holds,
    exp.Substring: part_of_text,
    exp.TimestampTrunc: truncated,
    exp.Trim: trimmed,
    exp.Upper: _map("text", None, lambda text: text.str.to_uppercase()),
    exp.Week: _part(_PARTS["WEEK"]),
    exp.WeekOfYear: _part(_PARTS["WEEK"]),
    exp.Year: _part(_PARTS["YEAR"]),
}
