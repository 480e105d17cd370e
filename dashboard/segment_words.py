"""A rule as a sentence: `Orders at least 3 and Days since order at most 180`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl
from sqlglot import exp

from config.parsing import parse
from config.terms import Node
from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.customer_facts import Fact
from metrics.segment_definitions import OwnFact, Segment

NOUNS: Final[Mapping[str, str]] = {
    "orders": later("orders"),
    "baskets": later("purchases"),
    "interactions": later("contacts"),
    "survey_answers": later("survey answers"),
    "subscriptions": later("contracts"),
}
_COUNTS: Final = ("count(*)", "sum(orders)", "count(order)", "count(distinct response_id)")
_NUMBERS: Final[Mapping[type[Node], str]] = {
    exp.EQ: later("{what} is {value}"),
    exp.NEQ: later("{what} is not {value}"),
    exp.GT: later("{what} more than {value}"),
    exp.GTE: later("{what} at least {value}"),
    exp.LT: later("{what} less than {value}"),
    exp.LTE: later("{what} at most {value}"),
}
_DAYS: Final[Mapping[type[Node], str]] = {
    **_NUMBERS,
    exp.GT: later("{what} after {value}"),
    exp.GTE: later("{what} on or after {value}"),
    exp.LT: later("{what} before {value}"),
    exp.LTE: later("{what} on or before {value}"),
}


@dataclass(frozen=True)
class Words:
    """What facts and segments are called, and how values are written."""

    show: Formatter
    facts: Mapping[str, Fact]
    segments: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, OwnFact] = field(default_factory=dict)

    def of(self, segment: Segment) -> Words:
        """The same with the facts of a segment's own."""
        return Words(self.show, self.facts, self.segments, {fact.name: fact for fact in segment.facts})

    def sentence(self, segment: Segment) -> str:
        """The rule of a segment as a sentence. Raises ExpressionError for a text that is none."""
        root, _braces = parse(segment.where)
        said = self.of(segment).said(root)
        return f"{said[:1].upper()}{said[1:]}"

    def said(self, node: Node) -> str:
        """A condition in words; what has none is shown as it was written."""
        match node:
            case exp.Paren():
                return self.said(node.this)
            case exp.And():
                return self._joined(node, _(" and "))
            case exp.Or():
                return self._joined(node, _(" or "))
            case exp.Not():
                return self._denied(node.this)
            case exp.In():
                return self._listed(node, _("{what} is one of {value}"), _("{what} is {value}"))
            case exp.Is():
                return self._known(node, _("{what} is not known"), _("{what} is no"))
            case exp.Binary() if type(node) in _NUMBERS:
                return self._compared(node)
            case _:
                return self._otherwise(node)

    def _otherwise(self, node: Node) -> str:
        match node:
            case exp.Between():
                low, high = (self.value(node.args[end], node.this) for end in ("low", "high"))
                return _("{what} from {low} to {high}").format(what=self.name(node.this), low=low, high=high)
            case exp.Like() | exp.ILike():
                value = self.value(node.expression, node.this)
                return _("{what} looks like {value}").format(what=self.name(node.this), value=value)
            case exp.Contains():
                value = self.value(node.expression, node.this)
                return _("{what} contains {value}").format(what=self.name(_inner(node.this)), value=value)
            case exp.Column():
                return self._flag(node, _("in {segment}"), "{what}")
            case exp.Boolean():
                return _("everybody") if node.this else _("nobody")
            case _:
                return _code(node)

    def _joined(self, node: exp.Connector, word: str) -> str:
        sides = []
        for side in (node.left, node.right):
            inner = side.this if isinstance(side, exp.Paren) else side
            other = isinstance(inner, exp.Connector) and type(inner) is not type(node)
            sides.append(_("either {what}").format(what=self.said(inner)) if other else self.said(inner))
        return word.join(sides)

    def _denied(self, node: Node) -> str:
        inner = node.this if isinstance(node, exp.Paren) else node
        if isinstance(inner, exp.Column):
            return self._flag(inner, _("not in {segment}"), _("not {what}"))
        if isinstance(inner, exp.In):
            return self._listed(inner, _("{what} is none of {value}"), _("{what} is not {value}"))
        if isinstance(inner, exp.Is):
            return self._known(inner, _("{what} is known"), _("{what} is not {value}"))
        return _("not ({what})").format(what=self.said(inner))

    def _flag(self, node: exp.Column, inside: str, plain: str) -> str:
        if node.name in self.segments and node.name not in self.facts:
            return inside.format(segment=self.segments[node.name])
        return plain.format(what=self.name(node))

    def _listed(self, node: exp.In, many: str, one: str) -> str:
        values = [self.value(each, node.this) for each in node.expressions]
        pattern = one if len(values) == 1 else many
        return pattern.format(what=self.name(node.this), value=", ".join(values))

    def _known(self, node: exp.Is, unknown: str, otherwise: str) -> str:
        if isinstance(node.expression, exp.Null):
            return unknown.format(what=self.name(node.this))
        return otherwise.format(what=self.name(node.this), value=_code(node.expression))

    def _compared(self, node: exp.Binary) -> str:
        own = self.own.get(node.left.name) if isinstance(node.left, exp.Column) else None
        if own is not None and _is_count(own) and isinstance(node.expression, exp.Literal):
            return self._did(own, node)
        patterns = _DAYS if self._is_day(node.left) else _NUMBERS
        value = self.value(node.expression, node.left)
        return _(patterns[type(node)]).format(what=self.name(node.left), value=value)

    def _did(self, own: OwnFact, node: exp.Binary) -> str:
        """`no orders in the last 90 days`, `at least 2 contacts ...`."""
        value, what = str(node.expression.this), self.own_name(own)
        if isinstance(node, exp.EQ) and value == "0":
            return _("no {what}").format(what=what)
        if (isinstance(node, exp.GT) and value == "0") or (isinstance(node, exp.GTE) and value == "1"):
            return _("at least one of the {what}").format(what=what)
        return _(_NUMBERS[type(node)]).format(what=what, value=value)

    def _is_day(self, node: Node) -> bool:
        fact = self.facts.get(node.name) if isinstance(node, exp.Column) else None
        return fact is not None and fact.dtype == pl.Date

    def name(self, node: Node) -> str:
        """A fact by its label; anything else as it was written."""
        if not isinstance(node, exp.Column):
            return _code(node)
        if node.name in self.own:
            return self.own_name(self.own[node.name])
        fact = self.facts.get(node.name)
        return _(fact.label) if fact else node.name.replace("_", " ")

    def own_name(self, own: OwnFact) -> str:
        """A fact of the segment's own: `contacts where kind is complaint in the last 90 days`."""
        what = _(NOUNS.get(own.table, own.table))
        if not _is_count(own):
            what = _("{aggregate} of {what}").format(aggregate=own.expression, what=what)
        if own.where:
            what = _("{what} where {where}").format(what=what, where=self.said(parse(own.where)[0]))
        return f"{what} {self._window(own)}"

    def _window(self, own: OwnFact) -> str:
        if own.days is not None:
            return _("in the last {n} days").format(n=own.days)
        if own.start and own.end:
            return _("from {start} to {end}").format(
                start=self.show.day(own.start), end=self.show.day(own.end)
            )
        if own.start:
            return _("since {day}").format(day=self.show.day(own.start))
        return _("up to {day}").format(day=self.show.day(own.end)) if own.end else _("ever")

    def value(self, node: Node, of: Node) -> str:
        """A literal as people write it: money with its sign, days with their month."""
        fact = self.facts.get(of.name) if isinstance(of, exp.Column) else None
        if isinstance(node, exp.Literal) and not node.is_string and fact is not None and fact.unit:
            number = Decimal(node.this)
            plain = fact.unit in ("score", "ratio") and number == number.to_integral_value()
            return self.show.value(number, "count" if plain else fact.unit)
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
            return _day(node.this.this, self.show)
        if isinstance(node, exp.Literal):
            return str(node.this)
        return _code(node)


def _inner(node: Node) -> Node:
    return node.this if isinstance(node, exp.Lower) else node


def _day(text: str, show: Formatter) -> str:
    try:
        return show.day(date.fromisoformat(text))
    except ValueError:
        return text


def _is_count(own: OwnFact) -> bool:
    return own.expression.replace(" ", "").lower() in {each.replace(" ", "") for each in _COUNTS}


def _code(node: Node) -> str:
    return f"`{node.sql(dialect='duckdb')}`"
