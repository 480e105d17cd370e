"""The questions of the pages on segments and customers; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlglot import exp

from config.terms import Node
from dashboard.desk import Desk
from dashboard.segment_words import Words
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.customer_facts import CUSTOMER, CustomerFacts
from metrics.segment_definitions import Segment
from metrics.segments import Rule, SegmentBook, draft_rule
from metrics.selection import SEGMENT


@dataclass(frozen=True)
class Size:
    """How many customers a segment holds, what share that is, and their revenue so far with its share."""

    customers: int
    share: float
    revenue: float
    revenue_share: float


def book(desk: Desk) -> SegmentBook:
    """The segments of the project on the as-of day."""
    return desk.segments.book


def groups(desk: Desk) -> dict[str, pl.Series]:
    """By customer number, who belongs to each segment; under the labels."""
    return {label: book(desk).members(name) for name, label in book(desk).labels.items()}


def facts(desk: Desk) -> CustomerFacts:
    """The facts of the customers on the as-of day."""
    return book(desk).facts


def words(desk: Desk) -> Words:
    """How rules read in this project."""
    return Words(desk.show, facts(desk).offered, book(desk).labels)


def without_segments(scope: Scope) -> Scope:
    """The scope with its filters on attributes alone."""
    kept = tuple(pair for pair in scope.attributes if pair[0] != SEGMENT)
    return Scope(scope.grain, scope.period, scope.comparison, kept)


def base(desk: Desk, scope: Scope) -> pl.Series | None:
    """By customer number, who is in the scope at all; None for everybody. Categories do not narrow it."""
    found = Scope(scope.grain, scope.period, scope.comparison, scope.attributes)
    return desk.marts(found).mask


def _revenue(desk: Desk) -> pl.Series:
    people = desk.whole.frame("customer_summary")
    if "net_amount" not in people.columns:
        return pl.repeat(0.0, len(people), dtype=pl.Float64, eager=True)
    return people["net_amount"].cast(pl.Float64).fill_null(0)


def size(desk: Desk, scope: Scope, inside: pl.Series) -> Size:
    """The size of a group of customers within the scope."""
    revenue, within = desk.kept("revenue by customer", lambda: _revenue(desk)), base(desk, scope)
    held = inside if within is None else inside & within
    total = len(inside) if within is None else int(within.sum())
    whole = float(revenue.sum()) if within is None else float(revenue.filter(within).sum())
    count, paid = int(held.sum()), float(revenue.filter(held).sum())
    return Size(count, count / total if total else 0.0, paid, paid / whole if whole > 0 else 0.0)


def sizes(desk: Desk, scope: Scope) -> dict[str, Size]:
    """The size of every segment within the scope's other filters."""
    other = without_segments(scope)
    return desk.kept(
        f"segment sizes {other.filters}",
        lambda: {name: size(desk, other, book(desk).members(name)) for name in book(desk).rules},
    )


def rule(desk: Desk, segment: Segment) -> Rule:
    """The rule of a segment that is being written. Raises Fault at the key that is wrong."""
    return draft_rule(book(desk), segment)


def held(desk: Desk, found: Rule) -> pl.Series:
    """By customer number, for whom a rule holds."""
    saved = book(desk).rules.get(found.segment.name)
    if saved is not None and saved.segment == found.segment:
        return book(desk).members(found.segment.name)
    question = f"rule {found.segment.where} {found.segment.facts}"
    return desk.kept(question, lambda: book(desk).holds(found))


def listed(desk: Desk, scope: Scope, found: Rule, day: date | None = None) -> pl.DataFrame:
    """The customers for whom a rule holds, the most valuable first, with the reason why and what is known.

    On the as-of day or on an earlier one; what is known besides is what is known now.
    """
    question = f"listed {found.segment.where} {found.segment.facts} {day} {scope.filters}"
    return desk.kept(question, lambda: _listed(desk, scope, found, day or desk.as_of))


def _listed(desk: Desk, scope: Scope, found: Rule, day: date) -> pl.DataFrame:
    then = book(desk).on(day)
    inside, within = held(desk, found) if day == desk.as_of else then.holds(found), base(desk, scope)
    kept = inside if within is None else inside & within
    numbers = desk.whole.frame("customer_summary")[CUSTOMER].filter(kept)
    return described(desk, valued(desk, pl.DataFrame([numbers, said(reasons(desk, found, numbers, then))])))


def said(reason: pl.Series) -> pl.Series:
    """Reasons as sentences, with a capital first."""
    return reason.str.slice(0, 1).str.to_uppercase() + reason.str.slice(1)


def valued(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by customer number with orders, revenue and last order, the most valuable first."""
    people = desk.whole.frame("customer_summary")
    shown = [name for name in ("orders", "net_amount", "last_order_on") if name in people.columns]
    told = rows.with_columns(people[name].gather(rows[CUSTOMER]) for name in shown)
    if "net_amount" not in shown:
        return told
    return told.sort("net_amount", CUSTOMER, descending=[True, False], nulls_last=True)


def described(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by customer number with ids ahead, attributes behind; names only where the project shows them."""
    people = desk.whole.frame("customer_summary")
    personal = [name for name in ("name", "email") if desk.role == "shown" and name in people.columns]
    ahead = [people[name].gather(rows[CUSTOMER]) for name in ("customer_id", *personal)]
    behind = [people[name].gather(rows[CUSTOMER]) for name in desk.attributes]
    own = rows.drop(CUSTOMER)
    return own.select(*ahead, *own.columns, *behind)


def reasons(desk: Desk, found: Rule, numbers: pl.Series, then: SegmentBook | None = None) -> pl.Series:
    """Why each customer is in a segment: the conditions that hold for him, with his own values.

    Conditions that hold for everybody in the segment are still said: they are the reason. So is what puts a
    customer into the other segments that the rule names. `then` is the book of another day.
    """
    day = then or book(desk)
    ours = words(desk).of(found.segment)
    written: list[pl.Series] = []
    for node, true in day.parts(found):
        rows = [_behind(desk, day, found, node, numbers).alias("why"), true.gather(numbers)]
        why = pl.when(pl.col("why") == "").then(pl.lit("")).otherwise(pl.format(" ({})", "why"))
        text = pl.when("in").then(pl.concat_str(pl.lit(ours.said(node)), why))
        written.append(pl.DataFrame(rows).select(text.alias(str(len(written)))).to_series())
    joined = pl.DataFrame(written).select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True))
    return joined.to_series().alias("reason")


def _behind(desk: Desk, day: SegmentBook, found: Rule, node: Node, numbers: pl.Series) -> pl.Series:
    """What stands behind a condition, by customer: values of facts, or why he is in another segment."""
    if isinstance(node, exp.Column) and node.name in found.nested:
        return reasons(desk, day.rule(node.name), numbers, day)
    offered, frame, texts = day.facts.offered, day.frame(found), []
    for name in _columns(node):
        because = [each for each in offered[name].because if each in offered] if name in offered else []
        if because:
            values = zip(because, day.facts.frame(because)[numbers].get_columns(), strict=True)
            texts += [_labelled(_(offered[each].label), column) for each, column in values]
        elif name in frame.columns and name not in found.nested and not _is_equation(node):
            texts.append(_text(frame[name].gather(numbers)))
    if not texts:
        return pl.repeat("", len(numbers), dtype=pl.String, eager=True)
    named = pl.DataFrame([text.alias(str(at)) for at, text in enumerate(texts)])
    return named.select(pl.concat_str(pl.all(), separator=", ", ignore_nulls=True)).to_series()


def _columns(node: Node) -> list[str]:
    return list(dict.fromkeys(column.name for column in node.find_all(exp.Column)))


def _is_equation(node: Node) -> bool:
    """Whether a condition says the value of a fact itself."""
    return isinstance(node, exp.EQ) and isinstance(node.expression, exp.Literal)


def _labelled(label: str, column: pl.Series) -> pl.Series:
    named = pl.format("{} {}", pl.lit(f"{label[:1].lower()}{label[1:]}"), pl.col("value"))
    return pl.DataFrame([_text(column).alias("value")]).select(named).to_series()


def _text(column: pl.Series) -> pl.Series:
    if column.dtype.is_float() or column.dtype.is_decimal():
        return column.cast(pl.Float64).round(2).cast(pl.String).str.strip_suffix(".0")
    return column.cast(pl.String)
