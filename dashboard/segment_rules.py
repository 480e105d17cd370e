"""The rule of a segment as the builder holds it: groups of conditions, and the text that they make.

Every value that a person types becomes a quoted literal, every name a checked one, so that no text can step
out of its place in the rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from sqlglot import exp

from config.expressions import ExpressionError
from config.parsing import parse
from config.terms import Node
from dashboard.text import later
from metrics.segment_definitions import OwnFact, Segment

Join = Literal["all", "any", "none"]
Operator = Literal["=", "<>", ">=", "<=", ">", "<", "in", "not in", "known", "unknown", "like", "yes", "no"]
Value: TypeAlias = "str | int | float | Decimal | date | bool"

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_TYPES: Final[Mapping[type[Node], Operator]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GTE: ">=",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.LT: "<",
}


@dataclass(frozen=True)
class Event:
    """Something that a customer does: where its rows are, and what counts them."""

    label: str
    table: str
    expression: str
    where: str = ""
    by_category: bool = False


EVENTS: Final[Mapping[str, Event]] = {
    "ordered": Event(later("ordered"), "orders", "sum(orders)"),
    "bought": Event(
        later("bought from category"), "baskets", "count(order)", "purchases > 0", by_category=True
    ),
    "returned": Event(later("returned goods"), "orders", "count(order)", "returned_amount < 0"),
    "contacted": Event(later("contacted us"), "interactions", "count(*)"),
    "complained": Event(later("complained"), "interactions", "count(*)", "kind = 'complaint'"),
    "answered": Event(
        later("answered a survey"), "survey_answers", "count(distinct response_id)", "item <> 'invited'"
    ),
    "signed": Event(later("began a contract"), "subscriptions", "count(*)"),
}


@dataclass(frozen=True)
class Condition:
    """A fact compared with a value, or with several."""

    fact: str
    operator: Operator
    values: tuple[Value, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether it has the values that its operator needs."""
        return bool(self.values) or self.operator in ("known", "unknown", "yes", "no")


@dataclass(frozen=True)
class Did:
    """Did something at least `least` times within `days`, or ever; did not do it where `least` is 0."""

    event: str
    least: int = 1
    days: int | None = None
    category: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the category is named where one is needed."""
        return not EVENTS[self.event].by_category or self.category is not None


@dataclass(frozen=True)
class Inside:
    """In another segment, or not."""

    segment: str
    negated: bool = False
    is_complete: bool = True


Row: TypeAlias = Condition | Did | Inside


@dataclass(frozen=True)
class Group:
    """Conditions of which all, any or none must hold."""

    join: Join
    rows: tuple[Row, ...]


def rule_text(groups: Sequence[Group], join: Literal["all", "any"] = "all") -> str:
    """The rule that groups make; empty without a complete condition."""
    parts = [part for part in (_group(group) for group in groups) if part]
    word = " AND " if join == "all" else " OR "
    if len(parts) < 2:
        return parts[0][1] if parts else ""
    return word.join(f"({text})" if kind not in ("", word) else text for kind, text in parts)


def _group(group: Group) -> tuple[str, str] | None:
    """The text of a group, and the word that joins it at the top."""
    texts = [_row(row) for row in group.rows if row.is_complete]
    if not texts:
        return None
    word = " AND " if group.join == "all" else " OR "
    joined = word.join(texts)
    if group.join == "none":
        return "", f"NOT ({joined})"
    return (word if len(texts) > 1 else ""), joined


def own_facts(groups: Sequence[Group]) -> tuple[OwnFact, ...]:
    """The facts of its own that the rule of these groups uses."""
    made = [_own(row) for group in groups for row in group.rows if isinstance(row, Did) and row.is_complete]
    return tuple({fact.name: fact for fact in made}.values())


def _own(row: Did) -> OwnFact:
    event = EVENTS[row.event]
    where = [event.where] if event.where else []
    if event.by_category and row.category is not None:
        where.insert(0, f"category = {literal(row.category)}")
    return OwnFact(
        name=_own_name(row),
        table=event.table,
        expression=event.expression,
        where=" AND ".join(where) or None,
        days=row.days,
        start=None,
        end=None,
    )


def _own_name(row: Did) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", (row.category or "").lower()).strip("_")[:40]
    window = f"{row.days}d" if row.days else "ever"
    return "_".join(part for part in (row.event, slug, window) if part)


def _row(row: Row) -> str:
    match row:
        case Condition():
            return _condition(row)
        case Did():
            return f"{name(_own_name(row))} {'= 0' if row.least == 0 else f'>= {row.least}'}"
        case Inside():
            return f"{'NOT ' if row.negated else ''}{{{row.segment}}}"


def _condition(row: Condition) -> str:
    fact, values = name(row.fact), [literal(value) for value in row.values]
    match row.operator:
        case "known":
            return f"{fact} IS NOT NULL"
        case "unknown":
            return f"{fact} IS NULL"
        case "yes":
            return fact
        case "no":
            return f"NOT {fact}"
        case "in" | "not in" if len(values) == 1:
            return f"{fact} {'=' if row.operator == 'in' else '<>'} {values[0]}"
        case "in" | "not in":
            return f"{fact} {row.operator.upper()} ({', '.join(values)})"
        case "like":
            return f"contains(lower({fact}), {literal(str(row.values[0]).lower())})"
        case _:
            return f"{fact} {row.operator} {values[0]}"


def name(fact: str) -> str:
    """The name of a fact as a rule writes it: in double quotes where it is not plain."""
    if _PLAIN.fullmatch(fact):
        return fact
    quoted = fact.replace('"', '""')
    return f'"{quoted}"'


def literal(value: Value) -> str:
    """A value as a rule writes it.

    >>> literal("O'Brien"), literal(date(2026, 1, 31))
    ("'O''Brien'", "DATE '2026-01-31'")
    """
    match value:
        case bool():
            return str(value).upper()
        case date():
            return f"DATE '{value.isoformat()}'"
        case int() | float() | Decimal():
            return format(Decimal(str(value)).normalize(), "f")
        case _:
            quoted = value.replace("'", "''")
            return f"'{quoted}'"


def groups_of(segment: Segment, segments: Sequence[str]) -> tuple[list[Group], Literal["all", "any"]] | None:
    """The groups of a segment's rule; None where the builder has no form for it, and only the text serves."""
    try:
        root, _braces = parse(segment.where)
        return _groups(root, {fact.name: fact for fact in segment.facts}, frozenset(segments))
    except (ExpressionError, _NoForm):
        return None


class _NoForm(Exception):
    """A part of a rule that the builder cannot show."""


def _groups(
    root: Node, own: Mapping[str, OwnFact], segments: frozenset[str]
) -> tuple[list[Group], Literal["all", "any"]]:
    sides = _flat(root)
    outer = exp.Or if isinstance(root, exp.Or) else exp.And
    simple = [side for side in sides if not isinstance(_bare(side), exp.Connector | exp.Not) or _is_row(side)]
    if len(simple) == len(sides):
        rows = tuple(_read(side, own, segments) for side in sides)
        return [Group("any" if outer is exp.Or else "all", rows)], "all"
    groups = [_read_group(side, own, segments) for side in sides if side not in simple]
    if simple:
        inner: Join = "all" if outer is exp.And else "any"
        groups.insert(0, Group(inner, tuple(_read(side, own, segments) for side in simple)))
    return groups, "any" if outer is exp.Or else "all"


def _flat(root: Node) -> list[Node]:
    """The parts that the outermost connector joins."""
    bare = _bare(root)
    if not isinstance(bare, exp.And | exp.Or):
        return [bare]
    kind = type(bare)

    def walk(node: Node) -> list[Node]:
        return [*walk(node.left), *walk(node.right)] if type(node) is kind else [node]

    return walk(bare)


def _bare(node: Node) -> Node:
    return _bare(node.this) if isinstance(node, exp.Paren) else node


def _is_row(node: Node) -> bool:
    """Whether a NOT is a row of its own: not in a segment, not in a list, known, no."""
    return isinstance(node, exp.Not) and isinstance(_bare(node.this), exp.Column | exp.In | exp.Is)


def _read_group(node: Node, own: Mapping[str, OwnFact], segments: frozenset[str]) -> Group:
    bare = _bare(node)
    if isinstance(bare, exp.Not):
        inner = _bare(bare.this)
        if isinstance(inner, exp.And):
            raise _NoForm
        return Group("none", tuple(_read(side, own, segments) for side in _flat(inner)))
    join: Join = "any" if isinstance(bare, exp.Or) else "all"
    return Group(join, tuple(_read(side, own, segments) for side in _flat(bare)))


def _read(node: Node, own: Mapping[str, OwnFact], segments: frozenset[str]) -> Row:
    bare = _bare(node)
    negated = isinstance(bare, exp.Not)
    inner = _bare(bare.this) if negated else bare
    match inner:
        case exp.Column() if inner.name in segments:
            return Inside(inner.name, negated)
        case exp.Column():
            return Condition(inner.name, "no" if negated else "yes")
        case exp.In() if isinstance(inner.this, exp.Column):
            values = tuple(_value(each) for each in inner.expressions)
            return Condition(inner.this.name, "not in" if negated else "in", values)
        case exp.Is() if isinstance(inner.this, exp.Column) and isinstance(inner.expression, exp.Null):
            return Condition(inner.this.name, "known" if negated else "unknown")
        case exp.Binary() if type(inner) in _TYPES and not negated and isinstance(inner.left, exp.Column):
            return _compared(inner, own)
        case _:
            raise _NoForm


def _compared(node: exp.Binary, own: Mapping[str, OwnFact]) -> Row:
    fact, operator, value = node.left.name, _TYPES[type(node)], _value(node.expression)
    if fact in own:
        return _done(own[fact], operator, value)
    if isinstance(value, str) and operator in ("=", "<>"):
        return Condition(fact, "in" if operator == "=" else "not in", (value,))
    return Condition(fact, operator, (value,))


def _done(own: OwnFact, operator: Operator, value: Value) -> Did:
    """The event that a fact of the segment's own counts."""
    if not isinstance(value, int) or own.start or own.end:
        raise _NoForm
    if operator == ">=":
        least = value
    elif (operator, value) in (("=", 0), (">", 0)):
        least = 0 if operator == "=" else 1
    else:
        raise _NoForm
    for key in EVENTS:
        for category in (None, _category(own.where)):
            made = Did(key, least, own.days, category)
            if made.is_complete and _own(made).model_copy(update={"name": own.name}) == own:
                return made
    raise _NoForm


def _category(where: str | None) -> str | None:
    found = re.match(r"category = '((?:[^']|'')*)'", where or "")
    return found[1].replace("''", "'") if found else None


def _value(node: Node) -> Value:
    match node:
        case exp.Literal() if node.is_string:
            return str(node.this)
        case exp.Literal():
            number = Decimal(str(node.this))
            return int(number) if number == number.to_integral_value() else float(number)
        case exp.Neg() if isinstance(node.this, exp.Literal):
            return -float(str(node.this.this))
        case exp.Cast() if isinstance(node.this, exp.Literal):
            return date.fromisoformat(str(node.this.this))
        case _:
            raise _NoForm
