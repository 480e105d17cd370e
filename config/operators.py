"""The operators of the expression language: each node of the syntax tree to a checked Polars expression.

The meaning is that of SQL: a comparison with null is null, AND and OR know three values, and division by
zero is null.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, reduce
from math import isfinite
from operator import add, and_, eq, ge, gt, le, lt, ne, or_, sub

import polars as pl
from sqlglot import exp

from config.errors import suggestion
from config.terms import LARGEST_SCALE, Builder, Node, Scope, Term, cast, common, scale, together

_DIGITS = 38
_NEXT = "Write INTERVAL 7 DAY"


def column(scope: Scope, node: exp.Column) -> Term:
    """A column of the table, or a `{name}` reference to a metric."""
    if node.args.get("table"):
        raise scope.fail(
            node, f"`{scope.words(node)}` has a dot", 'Write the column alone, or "a.b" for a name with a dot'
        )
    start = node.this.meta.get("start")
    if start in scope.braces:
        return _reference(scope, node, scope.braces[start])
    return _column(scope, node, node.name)


def _column(scope: Scope, node: exp.Column, name: str) -> Term:
    if name not in scope.columns:
        raise scope.fail(node, f"unknown column `{name}`", _column_remedy(scope, name))
    if scope.aggregates and not scope.inside:
        raise scope.fail(
            node,
            f"the column `{name}` stands outside an aggregate",
            f"Write sum({name}), or another aggregate of it",
        )
    scope.used.add(name)
    return _entered(pl.col(name), scope.columns[name], node)


def _column_remedy(scope: Scope, name: str) -> str:
    if name in scope.references:
        return f"Write {{{name}}} for the metric"
    return suggestion(name, scope.columns) or "There are no columns here"


def _reference(scope: Scope, node: exp.Column, name: str) -> Term:
    if name not in scope.references:
        remedy = suggestion(name, scope.references) or "References to metrics are not used here"
        raise scope.fail(node, f"unknown metric `{name}`", remedy)
    scope.referenced.add(name)
    return _entered(pl.col(name), scope.references[name], node)


def _entered(expr: pl.Expr, dtype: pl.DataType, node: Node) -> Term:
    wide = _wide(dtype if isinstance(dtype, pl.DataType) else dtype())
    return Term(expr if wide == dtype else expr.cast(wide), wide, node)


@lru_cache(maxsize=256)
def _wide(dtype: pl.DataType) -> pl.DataType:
    """The type to compute a column in: small integers overflow silently, categories compare by code."""
    if dtype.is_integer():
        return pl.Int128() if dtype in (pl.UInt64, pl.Int128, pl.UInt128) else pl.Int64()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    return pl.Float64() if dtype == pl.Float32 else dtype


def literal(scope: Scope, node: exp.Literal) -> Term:
    """A text or a number; a number with a point is exact."""
    if node.is_string:
        return Term(pl.lit(node.this), pl.String(), node, node.this)
    return number(scope, node, node.this)


def number(scope: Scope, node: Node, text: str) -> Term:
    """The term of a written number: whole, exact with its digits, or a float when it has an exponent."""
    whole, point, fraction = text.lstrip("-").partition(".")
    if len(whole) + len(fraction) > _DIGITS or not isfinite(float(text)):
        raise scope.fail(node, f"the number `{text}` is too long", f"Write at most {_DIGITS} digits")
    if "e" in text.casefold():
        return Term(pl.lit(float(text)), pl.Float64(), node, float(text))
    value = Decimal(text)
    if not point and abs(value) < 2**63:
        return Term(pl.lit(int(value), dtype=pl.Int64), pl.Int64(), node, int(value))
    dtype = pl.Decimal(_DIGITS, len(fraction))
    return Term(pl.lit(value, dtype=dtype), dtype, node, value)


def truth(_scope: Scope, node: exp.Boolean) -> Term:
    """`true` or `false`."""
    return Term(pl.lit(bool(node.this)), pl.Boolean(), node, bool(node.this))


def null(_scope: Scope, node: exp.Null) -> Term:
    """`null`."""
    return Term(pl.lit(None), pl.Null(), node)


def paren(scope: Scope, node: exp.Paren) -> Term:
    """What stands in brackets."""
    return scope.term(node.this)


def negative(scope: Scope, node: exp.Neg) -> Term:
    """Minus a number."""
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return number(scope, node.this, f"-{node.this.this}")
    term = scope.of_kind(node.this, "number")
    return Term(-term.expr, term.dtype, node)


def sum_or_difference(scope: Scope, node: exp.Binary) -> Term:
    """Plus and minus: of numbers, of a date and an interval, and the days between two dates."""
    if isinstance(node.expression, exp.Interval):
        return _shifted(scope, node)
    left, right = scope.term(node.left), scope.term(node.right)
    if isinstance(node, exp.Sub) and left.kind == right.kind == "date":
        return Term((left.expr - right.expr).dt.total_days(), pl.Int64(), node)
    if {"date", "time"} & {left.kind, right.kind}:
        remedy = f"Write {scope.words(node.left)} + INTERVAL 7 DAY"
        raise scope.fail(node, "only an interval can be added to a date", remedy)
    left, right = _numbers(scope, left, right)
    operator = add if isinstance(node, exp.Add) else sub
    return Term(operator(left.expr, right.expr), common(left.dtype, right.dtype), node)


def _numbers(scope: Scope, left: Term, right: Term) -> tuple[Term, Term]:
    left, right = scope.expect(left, "number"), scope.expect(right, "number")
    if common(left.dtype, right.dtype) == pl.Float64:
        return cast(left, pl.Float64()), cast(right, pl.Float64())
    return left, right


def _shifted(scope: Scope, node: exp.Binary) -> Term:
    start = scope.of_kind(node.left, "date", "time")
    unit, amount = _interval(scope, node.expression)
    sign = "-" if isinstance(node, exp.Sub) else ""
    offset = f"{sign}{amount}{unit}".replace("--", "")
    return Term(start.expr.dt.offset_by(offset), start.dtype, node)


_UNITS = {"DAY": "d", "WEEK": "w", "MONTH": "mo", "QUARTER": "q", "YEAR": "y"}


def _interval(scope: Scope, node: exp.Interval) -> tuple[str, str]:
    name = node.args["unit"].name.upper().removesuffix("S") if node.args.get("unit") else ""
    amount = node.this.name if isinstance(node.this, exp.Literal) else ""
    if name not in _UNITS or not re.fullmatch(r"-?[0-9]{1,5}", amount):
        raise scope.fail(
            node, "an interval is a whole number of days, weeks, months, quarters or years", _NEXT
        )
    return _UNITS[name], amount


def lone_interval(scope: Scope, node: exp.Interval) -> Term:
    """An interval that is not added to a date: refused."""
    raise scope.fail(node, "an interval stands alone", "Write it after a date: ordered_on + INTERVAL 7 DAY")


def product(scope: Scope, node: exp.Mul) -> Term:
    """Product of two numbers; exact numbers keep all their digits (up to 12 after the point)."""
    left, right = _numbers(scope, scope.term(node.left), scope.term(node.right))
    dtype = common(left.dtype, right.dtype)
    if isinstance(dtype, pl.Decimal):
        dtype = pl.Decimal(_DIGITS, min(LARGEST_SCALE, scale(left.dtype) + scale(right.dtype)))
        left = cast(left, dtype)
    return Term(left.expr * right.expr, dtype, node)


def quotient(scope: Scope, node: exp.Div) -> Term:
    """Quotient as a float; null when the divisor is zero."""
    over, under = scope.of_kind(node.left, "number"), scope.of_kind(node.right, "number")
    divisor = cast(under, pl.Float64())
    return Term(cast(over, pl.Float64()).expr / _not_zero(divisor), pl.Float64(), node)


def _not_zero(term: Term) -> pl.Expr:
    if term.literal:
        return term.expr
    return pl.when(term.expr != 0).then(term.expr)


def remainder(scope: Scope, node: exp.Mod) -> Term:
    """Remainder with the sign of the first number, as in SQL; null when the divisor is zero."""
    left, right = _numbers(scope, scope.term(node.left), scope.term(node.right))
    size = left.expr.abs() % _not_zero(right).abs()
    expr = pl.when(left.expr < 0).then(-size).otherwise(size)
    return Term(expr, common(left.dtype, right.dtype), node)


_COMPARE: Mapping[type[Node], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    exp.EQ: eq,
    exp.NEQ: ne,
    exp.GT: gt,
    exp.GTE: ge,
    exp.LT: lt,
    exp.LTE: le,
    exp.NullSafeEQ: pl.Expr.eq_missing,
    exp.NullSafeNEQ: pl.Expr.ne_missing,
}


def comparison(scope: Scope, node: exp.Binary) -> Term:
    """Comparison of two values of one kind; null when one of them is null."""
    left, right = together(scope, [scope.term(node.left), scope.term(node.right)], "compare")
    for term in (left, right):
        if isinstance(term.node, exp.Null):
            raise scope.fail(term.node, "nothing equals null", "Write IS NULL or IS NOT NULL")
    if isinstance(node, exp.EQ | exp.NEQ):
        scope.compare([left, right])
    return Term(_COMPARE[type(node)](left.expr, right.expr), pl.Boolean(), node)


def between(scope: Scope, node: exp.Between) -> Term:
    """Whether a value lies between two others, both included."""
    nodes = [node.this, node.args["low"], node.args["high"]]
    value, low, high = together(scope, scope.terms(nodes), "compare")
    return Term((value.expr >= low.expr) & (value.expr <= high.expr), pl.Boolean(), node)


def membership(scope: Scope, node: exp.In) -> Term:
    """Whether a value is in a list; null when it is not and the list holds a null."""
    if not node.expressions:
        raise scope.fail(node, "IN needs a list of values", "Write IN ('a', 'b')")
    value, *items = together(scope, scope.terms([node.this, *node.expressions]), "compare")
    scope.compare([value, *items])
    known = _written(value, items)
    found = (
        reduce(or_, [value.expr == item.expr for item in items]) if known is None else value.expr.is_in(known)
    )
    return Term(found, pl.Boolean(), node)


def _written(value: Term, items: list[Term]) -> list[object] | None:
    """The items as plain values of the type of the value; none when they must be computed."""
    known = [item.literal for item in items if item.literal is not None]
    if len(known) < len(items) or value.kind == "time":
        return None
    if value.dtype == pl.Float64:
        return [float(str(literal)) for literal in known]
    return [Decimal(str(literal)) for literal in known] if value.dtype.is_decimal() else known


def conjunction(scope: Scope, node: exp.Connector) -> Term:
    """AND and OR."""
    left, right = scope.of_kind(node.left, "condition"), scope.of_kind(node.right, "condition")
    operator = and_ if isinstance(node, exp.And) else or_
    return Term(operator(left.expr, right.expr), pl.Boolean(), node)


def negation(scope: Scope, node: exp.Not) -> Term:
    """NOT."""
    return Term(~scope.of_kind(node.this, "condition").expr, pl.Boolean(), node)


def identity(scope: Scope, node: exp.Is) -> Term:
    """IS NULL, IS TRUE, IS FALSE: never null."""
    term = scope.term(node.this)
    if isinstance(node.expression, exp.Null):
        return Term(term.expr.is_null(), pl.Boolean(), node)
    if not isinstance(node.expression, exp.Boolean):
        raise scope.fail(node, "IS is followed by NULL, TRUE or FALSE", "Use = to compare")
    wanted = scope.expect(term, "condition").expr.eq_missing(pl.lit(bool(node.expression.this)))
    return Term(wanted, pl.Boolean(), node)


def case(scope: Scope, node: exp.Case) -> Term:
    """CASE: the result of the first branch whose condition is true, else ELSE, else null."""
    branches, default = node.args["ifs"], node.args.get("default")
    results = [branch.args["true"] for branch in branches]
    terms = together(scope, scope.terms([*results, default] if default else results), "give in one CASE")
    conditions = [_branch(scope, node.this, branch.this) for branch in branches]
    return Term(_chain(conditions, terms), common(*(term.dtype for term in terms)), node)


def _branch(scope: Scope, operand: Node | None, node: Node) -> pl.Expr:
    if operand is None:
        return scope.of_kind(node, "condition").expr
    left, right = together(scope, scope.terms([operand, node]), "compare")
    return left.expr == right.expr


def _chain(conditions: list[pl.Expr], results: list[Term]) -> pl.Expr:
    default = results[len(conditions)].expr if len(results) > len(conditions) else pl.lit(None)
    pairs = reversed(list(zip(conditions, results, strict=False)))
    return reduce(lambda rest, pair: pl.when(pair[0]).then(pair[1].expr).otherwise(rest), pairs, default)


def choice(scope: Scope, node: exp.If) -> Term:
    """`if(condition, a, b)`."""
    condition = scope.of_kind(node.this, "condition").expr
    given = [part for part in (node.args["true"], node.args.get("false")) if part]
    terms = together(scope, scope.terms(given), "give in one if()")
    return Term(_chain([condition], terms), common(*(term.dtype for term in terms)), node)


def like(scope: Scope, node: exp.Like | exp.ILike) -> Term:
    """LIKE and ILIKE: `%` any characters, `_` one character."""
    return _like(scope, node, "")


def escaped_like(scope: Scope, node: exp.Escape) -> Term:
    """LIKE with ESCAPE."""
    escape = node.expression
    if not isinstance(node.this, exp.Like | exp.ILike) or not escape.is_string or len(escape.name) != 1:
        raise scope.fail(node, "ESCAPE is one character after LIKE", "Write LIKE '10!%' ESCAPE '!'")
    return _like(scope, node.this, escape.name)


def _like(scope: Scope, node: exp.Like | exp.ILike, escape: str) -> Term:
    term, pattern = scope.of_kind(node.this, "text"), node.expression
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        raise scope.fail(pattern, "the pattern of LIKE must be a text", "Write LIKE 'C%'")
    folded = "(?i)" if isinstance(node, exp.ILike) else ""
    matched = term.expr.str.contains(f"(?s){folded}^{_regex(scope, pattern, escape)}$")
    return Term(~matched if node.args.get("negate") else matched, pl.Boolean(), node)


def _regex(scope: Scope, node: exp.Literal, escape: str) -> str:
    parts: list[str] = []
    characters = iter(node.name)
    for character in characters:
        if escape and character == escape:
            parts.append(re.escape(_escaped(scope, node, next(characters, None))))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return "".join(parts)


def _escaped(scope: Scope, node: exp.Literal, character: str | None) -> str:
    if character is None:
        raise scope.fail(node, "the pattern ends with the escape character", "Write a character after it")
    return character


def joined(scope: Scope, node: exp.DPipe) -> Term:
    """Two texts in one; null when one of them is null."""
    left, right = scope.of_kind(node.left, "text"), scope.of_kind(node.right, "text")
    return Term(left.expr + right.expr, pl.String(), node)


OPERATORS: Mapping[type[Node], Builder] = {
    exp.Column: column,
    exp.Literal: literal,
    exp.Boolean: truth,
    exp.Null: null,
    exp.Paren: paren,
    exp.Neg: negative,
    exp.Add: sum_or_difference,
    exp.Sub: sum_or_difference,
    exp.Interval: lone_interval,
    exp.Mul: product,
    exp.Div: quotient,
    exp.Mod: remainder,
    **dict.fromkeys(_COMPARE, comparison),
    exp.Between: between,
    exp.In: membership,
    exp.And: conjunction,
    exp.Or: conjunction,
    exp.Not: negation,
    exp.Is: identity,
    exp.Case: case,
    exp.If: choice,
    exp.Like: like,
    exp.ILike: like,
    exp.Escape: escaped_like,
    exp.DPipe: joined,
}
