"""Typed parts of an expression: what a piece of it is, where it stands, and what it may be combined with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import polars as pl
from sqlglot import exp

from config.errors import Fault

Kind: TypeAlias = Literal[
    "text", "number", "condition", "date", "time", "nothing", "interval", "open", "other"
]
Node: TypeAlias = exp.Expr
Builder: TypeAlias = "Callable[[Scope, Any], Term]"  # each takes the node of the type that it is listed under
AnyNode = TypeVar("AnyNode", bound=Node)

LARGEST_SCALE = 12
NOUNS: Mapping[Kind, str] = {
    "text": "text",
    "number": "a number",
    "condition": "a condition",
    "date": "a date",
    "time": "a time",
    "nothing": "null",
    "interval": "an interval",
    "open": "a column",
    "other": "neither text, number, condition nor date",
}
_OPERANDS = frozenset({"this", "expression", "expressions"})
PARTS: Mapping[type[Node], frozenset[str]] = {
    exp.Between: _OPERANDS | {"low", "high"},
    exp.Case: _OPERANDS | {"ifs", "default"},
    exp.Cast: _OPERANDS | {"to"},
    exp.Column: _OPERANDS | {"table", "db"},
    exp.Concat: _OPERANDS | {"safe", "coalesce"},
    exp.Count: _OPERANDS | {"big_int"},
    exp.DPipe: _OPERANDS | {"safe"},
    exp.DateDiff: _OPERANDS | {"unit", "date_part_boundary"},
    exp.DateTrunc: _OPERANDS | {"unit"},
    exp.Greatest: _OPERANDS | {"ignore_nulls"},
    exp.If: _OPERANDS | {"true", "false"},
    exp.ILike: _OPERANDS | {"negate"},
    exp.Interval: _OPERANDS | {"unit"},
    exp.Least: _OPERANDS | {"ignore_nulls"},
    exp.Like: _OPERANDS | {"negate"},
    exp.Literal: _OPERANDS | {"is_string"},
    exp.Replace: _OPERANDS | {"replacement"},
    exp.Round: _OPERANDS | {"decimals"},
    exp.SplitPart: _OPERANDS | {"delimiter", "part_index"},
    exp.Substring: _OPERANDS | {"start", "length"},
    exp.TimestampTrunc: _OPERANDS | {"unit"},
    exp.Trim: _OPERANDS | {"position"},
    exp.TryCast: _OPERANDS | {"to", "safe"},
}
"""What may be said of a node beside its operands; anything else that sqlglot understands is refused."""

_DTYPES: Mapping[Kind, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Decimal(38, 4),
    "condition": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Datetime("us"),
}


class ExpressionError(Fault):
    """A fault of an expression, `offset` characters from its start; `where` names the expression."""

    def __init__(self, fault: str, remedy: str = "", *, offset: int = 0, where: str = "") -> None:
        self.where = where
        super().__init__(fault, remedy, offset=offset, rule="expression")


@dataclass(frozen=True)
class Term:
    """A checked part of an expression: its Polars expression and type, and the node it was made from."""

    expr: pl.Expr
    dtype: pl.DataType
    node: Node
    literal: object = None

    @property
    def kind(self) -> Kind:
        """What the values are, as a person would say it."""
        return kind_of(self.dtype)

    def with_expr(self, expr: pl.Expr, dtype: pl.DataType | None = None) -> "Term":
        """The term with another Polars expression for it."""
        return Term(expr, dtype or self.dtype, self.node, self.literal)


class Compared(NamedTuple):
    """A text that a column is compared with, `offset` characters from the start of the expression."""

    column: str
    text: str
    offset: int


@dataclass(frozen=True)
class Scope:
    """What an expression may use, and what it has used so far.

    `inside` says that an aggregate surrounds the node, `condition` is the FILTER of that aggregate,
    `kinds` collects what the uses of columns of open type ask them to be, and `compared` the texts that
    columns are compared with.
    """

    text: str
    builders: Mapping[type[Node], Builder]
    columns: Mapping[str, pl.DataType]
    references: Mapping[str, pl.DataType]
    refuse: "Callable[[Scope, Node], ExpressionError]"
    braces: Mapping[int, str] = field(default_factory=dict)
    aggregates: bool = False
    inside: bool = False
    condition: pl.Expr | None = None
    used: set[str] = field(default_factory=set)
    referenced: set[str] = field(default_factory=set)
    kinds: dict[str, Kind] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)

    def term(self, node: Node) -> Term:
        """The checked term of a node. Raises ExpressionError for whatever is not on the list."""
        builder = self.builders.get(type(node))
        if builder is None or self._unknown_parts(node):
            raise self.refuse(self, node)
        for part in (
            part for part, needed in node.arg_types.items() if needed and node.args.get(part) is None
        ):
            self.part(node, part)
        return builder(self, node)

    def _unknown_parts(self, node: Node) -> bool:
        known = PARTS.get(type(node), _OPERANDS)
        return any(value and part not in known for part, value in node.args.items())

    def terms(self, nodes: list[Node]) -> list[Term]:
        """The checked terms of several nodes."""
        return [self.term(node) for node in nodes]

    def part(self, node: Node, name: str) -> Node:
        """A part that a function needs."""
        found = node.args.get(name)
        if not isinstance(found, exp.Expr):
            raise self.fail(node, f"`{self.words(node)}` needs another value", "Add it before the `)`")
        return found

    def of_kind(self, node: Node, *kinds: Kind) -> Term:
        """The term of a node that must be of one of the kinds, or null."""
        return self.expect(self.term(node), *kinds)

    def expect(self, term: Term, *kinds: Kind) -> Term:
        """The term, which must be of one of the kinds; a null becomes a null of the first of them."""
        if term.kind == "open":
            return self.settle(term, kinds[0])
        if term.kind == "nothing":
            return term.with_expr(term.expr.cast(_DTYPES[kinds[0]]), _DTYPES[kinds[0]])
        if term.kind not in kinds:
            wanted = " or ".join(NOUNS[kind] for kind in kinds)
            raise self.fail(
                term.node,
                f"`{self.words(term.node)}` is {NOUNS[term.kind]}, not {wanted}",
                _way(self, term, kinds[0]),
            )
        return term

    def settle(self, term: Term, kind: Kind) -> Term:
        """A column of open type, taken to be of the kind that its use asks for."""
        if isinstance(term.node, exp.Column) and kind in _DTYPES:
            self.kinds[term.node.name] = kind
            return term.with_expr(term.expr, _DTYPES[kind])
        return term

    def compare(self, terms: list[Term]) -> None:
        """Keeps the texts of a comparison with a column for equality."""
        columns = [term.node.name for term in terms if isinstance(term.node, exp.Column)]
        texts = [term for term in terms if isinstance(term.literal, str) and term.kind == "text"]
        for term in texts if len(columns) == 1 else ():
            self.compared.append(Compared(columns[0], str(term.literal), span(term.node)[0]))

    def fail(self, node: Node, fault: str, remedy: str = "") -> ExpressionError:
        """An error at a node."""
        return ExpressionError(fault, remedy, offset=span(node)[0])

    def words(self, node: Node) -> str:
        """The node as it was written."""
        start, end = span(node)
        written = self.text[start : end + 1] or self.text
        return written + ")" * max(0, written.count("(") - written.count(")"))


def span(node: Node) -> tuple[int, int]:
    """First and last character of a node, as far as its parts know where they stand."""
    known = [part.meta for part in node.walk() if "start" in part.meta]
    if not known:
        return span(node.parent) if node.parent else (0, -1)
    return min(meta["start"] for meta in known), max(meta["end"] for meta in known)


@lru_cache(maxsize=256)
def kind_of(dtype: pl.DataType) -> Kind:
    """What a Polars type holds, as a person would say it."""
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    if dtype.is_numeric():
        return "number"
    return _KINDS.get(dtype.base_type(), "other")


_KINDS: Mapping[object, Kind] = {
    pl.Boolean: "condition",
    pl.Date: "date",
    pl.Datetime: "time",
    pl.Null: "nothing",
    pl.Unknown: "open",
    pl.Duration: "interval",
}


def together(scope: Scope, terms: list[Term], doing: str) -> list[Term]:
    """The terms in one common type. Raises ExpressionError when there is none."""
    known = next((term for term in terms if term.kind not in ("nothing", "open")), None)
    if known is None:
        return terms
    settled = [scope.settle(term, known.kind) if term.kind == "open" else term for term in terms]
    for term in settled:
        if not _alike(known, term):
            raise mismatch(scope, known, term, doing)
    dtype = common(*(term.dtype for term in settled))
    return [cast(term, dtype) for term in settled]


def _alike(left: Term, right: Term) -> bool:
    kinds = {left.kind, right.kind} - {"nothing"}
    return len(kinds) <= 1 or kinds == {"date", "time"}


@lru_cache(maxsize=256)
def common(*dtypes: pl.DataType) -> pl.DataType:
    """The type that holds the values of all the types; exact unless one of them is a float."""
    real = [dtype for dtype in dtypes if dtype != pl.Null]
    if all(dtype.is_numeric() for dtype in real):
        return _common_number(real)
    times = [dtype for dtype in real if isinstance(dtype, pl.Datetime)]
    return next((dtype for dtype in times if dtype.time_zone), (*times, *real)[0])


def _common_number(dtypes: list[pl.DataType]) -> pl.DataType:
    if any(dtype.is_float() for dtype in dtypes):
        return pl.Float64()
    if any(dtype.is_decimal() for dtype in dtypes):
        return pl.Decimal(38, max(scale(dtype) for dtype in dtypes))
    return pl.Int64()


def scale(dtype: pl.DataType) -> int:
    """Digits after the point of an exact number."""
    return dtype.scale if isinstance(dtype, pl.Decimal) else 0


def cast(term: Term, dtype: pl.DataType) -> Term:
    """The term in a type that holds its values."""
    if term.dtype == dtype:
        return term
    if isinstance(dtype, pl.Datetime) and dtype.time_zone and not getattr(term.dtype, "time_zone", None):
        return term.with_expr(
            term.expr.cast(pl.Datetime(dtype.time_unit)).dt.replace_time_zone(dtype.time_zone), dtype
        )
    return term.with_expr(term.expr.cast(dtype), dtype)


def mismatch(scope: Scope, left: Term, right: Term, doing: str) -> ExpressionError:
    """The error of two terms that do not go together."""
    words = [f"`{scope.words(term.node)}` is {NOUNS[term.kind]}" for term in (left, right)]
    return scope.fail(right.node, f"cannot {doing}: {words[0]}, {words[1]}", _bridge(scope, left, right))


def _bridge(scope: Scope, left: Term, right: Term) -> str:
    """How to make the two alike: a literal is changed rather than a column."""
    if left.literal is not None and right.literal is None:
        return _way(scope, left, right.kind)
    return _way(scope, right, left.kind)


def _way(scope: Scope, term: Term, wanted: Kind) -> str:
    """How to write a term so that it is what is asked for."""
    words, literal = scope.words(term.node), term.literal
    match wanted, term.kind:
        case "text", _:
            return f"Write '{literal}'" if literal is not None else f"Write CAST({words} AS TEXT)"
        case "number", "text":
            return f"Write {literal}" if _is_number(literal) else f"Write CAST({words} AS DECIMAL(18, 4))"
        case "date" | "time", "text":
            return f"Write {_DATE_WORDS[wanted]} '{literal or '2024-01-31'}'"
        case "condition", "number" if literal is not None:
            return "Write the condition alone, or with NOT before it"
        case "condition", _:
            return f"Compare it with a value, or write {words} IS NOT NULL"
    return "Compare it with a value of its own kind"


_DATE_WORDS = {"date": "DATE", "time": "TIMESTAMP"}


def _is_number(literal: object) -> bool:
    try:
        return bool(Decimal(str(literal)).is_finite())
    except ArithmeticError:
        return False
