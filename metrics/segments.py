"""Segments: named rules over customer facts, compiled, and who belongs to each.

    book = segment_book(documents, CustomerFacts.of(marts, FAMILIES))
    book.members("loyal")          by customer number, whether he belongs

A segment that is circular, or that names a fact no source gives any more, is broken with its problem; the
rest work. Whoever lacks the facts that a rule asks for is not in the segment.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from hashlib import blake2b
from typing import Final

import polars as pl

from config.errors import Fault, Problem, unknown
from config.expressions import Compiled, ExpressionError, compile_parts, compile_rule
from config.load import Located
from config.terms import Node
from metrics.customer_facts import CUSTOMER, CustomerFacts, aligned
from metrics.frames import Marts
from metrics.measures import Compute, compiled
from metrics.past import past
from metrics.periods import Grain, Window
from metrics.relations import RELATIONS
from metrics.segment_definitions import OwnFact, Segment
from metrics.selection import plain

EVENTS: Final = tuple(name for name, relation in RELATIONS.items() if relation.day and relation.of_customers)
"""The tables in which a customer's own rows are dated, for facts of a segment."""

MOST_DAYS: Final = 2
"""Of how many earlier days everything is held; each takes as much memory as the version itself."""

_COUNTED: Final = frozenset({"count", "count_distinct", "sum"})


@dataclass(frozen=True)
class Rule:
    """A compiled segment: its condition, and the measures of its own facts."""

    segment: Segment
    condition: Compiled
    own: Mapping[str, tuple[OwnFact, Compute]] = field(default_factory=dict)

    @property
    def nested(self) -> frozenset[str]:
        """The segments that it refers to."""
        return self.condition.references

    @property
    def facts(self) -> frozenset[str]:
        """The known facts that it reads."""
        return self.condition.columns - self.own.keys()


@dataclass(frozen=True)
class SegmentBook:
    """The segments of a project over some facts, in the order of their files; what is wrong with others."""

    facts: CustomerFacts
    rules: Mapping[str, Rule]
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    found: dict[str, pl.Series] = field(default_factory=dict, repr=False)
    earlier: dict[date, "SegmentBook"] = field(default_factory=dict, repr=False)

    @cached_property
    def digest(self) -> str:
        """A text that is the same for the same segments."""
        texts = "\n".join(rule.segment.model_dump_json() for rule in self.rules.values())
        return blake2b(texts.encode(), digest_size=8).hexdigest()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem of every segment."""
        return tuple(problem for problems in self.broken.values() for problem in problems)

    @property
    def labels(self) -> dict[str, str]:
        """The names of the segments that work, with labels that tell them apart."""
        labels = {name: rule.segment.label for name, rule in self.rules.items()}
        shared = Counter(labels.values())
        return {name: f"{label} ({name})" if shared[label] > 1 else label for name, label in labels.items()}

    def rule(self, name: str) -> Rule:
        """A segment. Raises Fault for one that is unknown or broken."""
        if name in self.broken:
            fault = f"the segment `{name}` is broken"
            raise Fault(fault, self.broken[name][0].render(), rule="broken")
        if name not in self.rules:
            what = "segment"
            raise unknown(what, name, self.rules)
        return self.rules[name]

    def members(self, name: str) -> pl.Series:
        """By customer number, who belongs to a segment; never null. Raises Fault like `rule`."""
        if name not in self.found:
            self.found[name] = self.holds(self.rule(name))
        return self.found[name]

    def holds(self, rule: Rule) -> pl.Series:
        """By customer number, for whom a rule holds that need not be one of the book's."""
        return _selected(self.frame(rule), rule.condition.expr, self.facts.size)

    def columns(self, rule: Rule) -> dict[str, pl.DataType]:
        """Every column that a rule may name, with its type: the known facts and its own ones."""
        own = {name: _dtype(measure) for name, (_fact, measure) in rule.own.items()}
        return {**self.facts.dtypes, **own}

    def frame(self, rule: Rule) -> pl.DataFrame:
        """What a rule reads, one row a customer: facts, its own facts, and membership of other segments."""
        inside = [self.members(name).alias(name) for name in sorted(rule.nested)]
        own = [own_fact(self.facts, *fact).alias(name) for name, fact in rule.own.items()]
        return pl.DataFrame([*self.facts.frame(sorted(rule.facts)).get_columns(), *inside, *own])

    def parts(self, rule: Rule) -> list[tuple[Node, pl.Series]]:
        """The conditions that AND and OR join in a rule, and by customer number for whom each holds."""
        groups = dict.fromkeys(rule.nested, pl.Boolean())
        frame = self.frame(rule)
        found = compile_parts(rule.segment.where, self.columns(rule), groups)
        return [(node, _selected(frame, part.expr, self.facts.size)) for node, part in found]

    def on(self, day: date) -> "SegmentBook":
        """The same segments on an earlier day, over the facts of that day."""
        if day >= self.facts.marts.as_of:
            return self
        if day not in self.earlier:
            for oldest in list(self.earlier)[: 1 - MOST_DAYS]:
                del self.earlier[oldest]
            facts = replace(self.facts, marts=past(self.facts.marts, day), known={})
            self.earlier[day] = replace(self, facts=facts, found={}, earlier={})
        return self.earlier[day]

    def members_on(self, name: str, day: date) -> pl.Series:
        """By customer number, who belonged to a segment at the end of a day."""
        return self.on(day).members(name)


def _selected(frame: pl.DataFrame, condition: pl.Expr, size: int) -> pl.Series:
    rows = frame if frame.width else pl.DataFrame({CUSTOMER: pl.int_range(size, eager=True)})
    true = condition.fill_null(value=False).alias("in")
    try:
        held = rows.lazy().select(true).collect(engine="in-memory").to_series()
    except pl.exceptions.InvalidOperationError:
        # Categories compare fast, but functions of text need text.
        texts = rows.with_columns(pl.col(n).cast(pl.String) for n, t in rows.schema.items() if t == pl.Enum)
        held = texts.select(true).to_series()
    return held if len(held) == size else held.new_from_index(0, size)


def own_fact(facts: CustomerFacts, fact: OwnFact, measure: Compute) -> pl.Series:
    """A fact of a segment's own, by customer number."""
    marts = facts.marts
    relation = measure.relation
    rows = marts.rows(relation, _window(fact, marts), measure.columns)
    counted = rows if measure.rows is None else rows.filter(measure.rows)
    table = counted.group_by(CUSTOMER).agg(_aggregate(measure).alias("value"))
    zero = ("value",) if measure.aggregate in _COUNTED else ()
    return aligned(table, facts.size, ("value",), zero)[0]


def _window(fact: OwnFact, marts: Marts) -> Window:
    if fact.days is None and fact.start is None and fact.end is None:
        return Window()
    end = min(fact.end or marts.as_of, marts.as_of)
    first = marts.calendar.start(0, Grain.DAY) if fact.start is None else min(fact.start, end)
    if fact.days is not None:
        first = marts.calendar.start(marts.calendar.code(end, Grain.DAY) - fact.days + 1, Grain.DAY)
    return Window.between(marts.calendar, first, end)


def _aggregate(measure: Compute) -> pl.Expr:
    value = measure.value
    match measure.aggregate:
        case "sum":
            return value.sum()
        case "count":
            return (value.count() if measure.counts_values else pl.len()).cast(pl.Int64)
        case "count_distinct":
            return value.drop_nulls().n_unique().cast(pl.Int64)
        case "min":
            return value.min()
        case "max":
            return value.max()
        case "average" | "share":
            return value.cast(pl.Float64).mean()
        case "median" | "percentile":
            return value.cast(pl.Float64).quantile(measure.at, "linear")


def segment_book(documents: Sequence[Located[Segment]], facts: CustomerFacts) -> SegmentBook:
    """The book of some segments; of two with one name the later counts, as a project's own."""
    named = {document.value.name: document for document in documents}
    builder = _Builder(named, facts)
    for name in named:
        builder.rule(name)
    rules = {name: builder.rules[name] for name in named if name in builder.rules}
    return SegmentBook(facts, rules, builder.broken)


def with_segments(marts: Marts, book: SegmentBook) -> Marts:
    """The marts with the segments of a book to select by, on the as-of day or an earlier one."""
    members = {name: partial(book.members_on, name) for name in book.rules}
    return replace(marts, segments=members, book=book.digest)


def draft_rule(book: SegmentBook, segment: Segment) -> Rule:
    """The rule of a segment that is still being written. Raises Fault at the key that is wrong.

    It may not refer to itself, directly or through others.
    """
    around = {name for name in book.rules if segment.name in _reached(book, name)} | {segment.name}
    rule = compiled_rule(segment, book.facts, book.rules)
    for name in sorted(rule.nested & around):
        raise _circle((segment.name, name, segment.name) if name != segment.name else (name, name))
    return rule


def _reached(book: SegmentBook, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        rule = book.rules.get(waiting.pop())
        new = set(rule.nested) - found if rule else set()
        found |= new
        waiting += new
    return found


def compiled_rule(segment: Segment, facts: CustomerFacts, segments: Iterable[str]) -> Rule:
    """A segment compiled over some facts, free to name the given segments. Raises Fault at the wrong key."""
    own = {fact.name: (fact, _own(segment, fact, facts, at)) for at, fact in enumerate(segment.facts)}
    columns = {**facts.dtypes, **{name: _dtype(measure) for name, (_fact, measure) in own.items()}}
    if segment.name in columns:
        fault = f"`{segment.name}` is the name of a customer fact"
        raise Fault(fault, "Give the segment another name", at=("name",), rule="name-taken")
    try:
        condition = compile_rule(segment.where, columns, dict.fromkeys(segments, pl.Boolean()))
    except ExpressionError as error:
        fault = error.fault.replace("unknown metric", "unknown segment").replace(
            "unknown column", "unknown fact"
        )
        remedy = error.remedy.replace("for the metric", "for the segment").replace("metrics", "segments")
        raise Fault(fault, remedy, at=("where",), offset=error.offset, rule=error.rule) from None
    return Rule(segment, condition, {name: own[name] for name in sorted(own.keys() & condition.columns)})


def _own(segment: Segment, fact: OwnFact, facts: CustomerFacts, at: int) -> Compute:
    """The measure of an own fact, whose table must be dated and given by a source."""
    if fact.name in facts.offered:
        fault = f"the fact `{fact.name}` exists already"
        raise Fault(fault, "Give it another name", at=("facts", at, "name"), rule="name-taken")
    if fact.table not in EVENTS:
        what = "table of dated rows"
        raise unknown(what, fact.table, EVENTS, at=("facts", at, "table"))
    mart = RELATIONS[fact.table].mart
    if mart not in facts.marts.frames:
        fault = f"no source gives `{fact.table if mart not in ('orders', 'baskets') else 'order_lines'}`"
        remedy = "Map one in `sources.yaml`, or take the fact out"
        raise Fault(fault, remedy, at=("facts", at, "table"), rule="missing-source")
    people = facts.marts.frame("customer_summary")
    attributes = plain({name: people.schema[name] for name in facts.marts.attributes})
    try:
        return compiled(fact, attributes)
    except Fault as found:
        raise Fault(
            found.fault, found.remedy, at=("facts", at, *found.at), offset=found.offset, rule=found.rule
        ) from None


def _dtype(measure: Compute) -> pl.DataType:
    match measure.aggregate:
        case "count" | "count_distinct":
            return pl.Int64()
        case "sum" | "min" | "max":
            return measure.dtype
        case _:
            return pl.Float64()


def _circle(names: Sequence[str]) -> Fault:
    fault = f"the segments refer to each other in a circle: {' -> '.join(names)}"
    return Fault(fault, "Take one of them out", at=("where",), rule="cycle")


@dataclass
class _Builder:
    """Rules under way: a segment that is asked for while it is being compiled is part of a circle."""

    named: Mapping[str, Located[Segment]]
    facts: CustomerFacts
    rules: dict[str, Rule] = field(default_factory=dict)
    broken: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def rule(self, name: str) -> Rule | None:
        """The rule of a segment, None when it is broken."""
        if name in self.rules or name in self.broken:
            return self.rules.get(name)
        self.under_way.append(name)
        document = self.named[name]
        try:
            self.rules[name] = self._compiled(document.value)
        except Fault as fault:
            self.broken[name] = (document.blame((), fault),)
        self.under_way.pop()
        return self.rules.get(name)

    def _compiled(self, segment: Segment) -> Rule:
        rule = compiled_rule(segment, self.facts, self.named)
        for name in sorted(rule.nested):
            self._refer(name)
        return rule

    def _refer(self, name: str) -> None:
        if name in self.under_way:
            raise _circle((*self.under_way[self.under_way.index(name) :], name))
        if self.rule(name) is None:
            fault = f"it refers to `{name}`, which is broken"
            raise Fault(fault, "Mend that one first", at=("where",), rule="broken-reference")
