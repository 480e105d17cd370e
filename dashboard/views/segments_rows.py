"""The groups and rows of the builder: every row is a condition, and each has widgets of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, cast

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import segment_data as asked
from dashboard.desk import Desk
from dashboard.segment_rules import (
    EVENTS,
    Condition,
    Did,
    Group,
    Inside,
    Join,
    Operator,
    Row,
    Value,
)
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.customer_facts import Fact
from metrics.relations import RELATIONS

GROUPS: Final = "segments.build.groups"
NEXT: Final = "segments.build.next"
MOST_LISTED: Final = 60
"""A text of more values than this is searched, not listed."""

_JOINS: Final[Mapping[Join, str]] = {
    "all": later("all of these"),
    "any": later("any of these"),
    "none": later("none of these"),
}
_OPERATORS: Final[Mapping[Operator, str]] = {
    ">=": later("at least"),
    "<=": later("at most"),
    "=": later("exactly"),
    "<>": later("not"),
    ">": later("more than"),
    "<": later("less than"),
    "in": later("is"),
    "not in": later("is not"),
    "like": later("contains"),
    "yes": later("yes"),
    "no": later("no"),
    "known": later("is known"),
    "unknown": later("is not known"),
}
_DAYS: Final[Mapping[Operator, str]] = {
    ">=": later("on or after"),
    "<=": later("on or before"),
    ">": later("after"),
    "<": later("before"),
}
_EVENT, _SEGMENT, _FACT = "event:", "segment:", "fact:"
_WINDOWS: Final = (30, 60, 90, 180, 365, 730)


@dataclass
class _Row:
    """A row on the page: its number, and what it said when it was put there."""

    id: int
    said: Row | None = None


@dataclass
class _Group:
    """A group on the page."""

    id: int
    join: Join = "all"
    rows: list[_Row] = field(default_factory=list)


def begin(groups: Sequence[Group]) -> None:
    """Show these groups in place of whatever stood there."""
    shown = []
    for group in groups:
        made = [_Row(_next(), row) for row in group.rows] or [_Row(_next())]
        shown.append(_Group(_next(), group.join, made))
    st.session_state[GROUPS] = shown


def count() -> int:
    """How many groups there are."""
    return len(_groups())


def add_group() -> None:
    """Add an empty group."""
    _groups().append(_Group(_next(), "all", [_Row(_next())]))


def _groups() -> list[_Group]:
    return cast(list[_Group], st.session_state.setdefault(GROUPS, []))


def _next() -> int:
    number = int(st.session_state.get(NEXT, 0)) + 1
    st.session_state[NEXT] = number
    return number


def draw(desk: Desk) -> list[Group]:
    """Draw the groups and return what they say now."""
    return [_group(desk, group) for group in list(_groups())]


def _group(desk: Desk, group: _Group) -> Group:
    with st.container(border=True, key=f"group-{group.id}"):
        join = st.segmented_control(
            _("Customers for whom"),
            list(_JOINS),
            default=group.join,
            required=True,
            format_func=lambda key: _(_JOINS[key]),
            key=f"segments.group.{group.id}.join",
            label_visibility="collapsed",
        )
        said = [_row(desk, group, row) for row in list(group.rows)]
        with st.container(horizontal=True):
            if st.button(
                _("Add a condition"),
                icon=":material/add:",
                key=f"segments.group.{group.id}.add",
                type="tertiary",
            ):
                group.rows.append(_Row(_next()))
                st.rerun()
            if count() > 1 and st.button(
                _("Remove group"),
                icon=":material/close:",
                key=f"segments.group.{group.id}.remove",
                type="tertiary",
            ):
                _groups().remove(group)
                st.rerun()
    return Group(join or "all", tuple(row for row in said if row is not None))


def _row(desk: Desk, group: _Group, row: _Row) -> Row | None:
    key = f"segments.row.{row.id}"
    empty = row.said is None and st.session_state.get(f"{key}.what") is None
    widths = [10.5, 0.7] if empty else [4.2, 2.3, 4, 0.7]
    columns = st.columns(widths, vertical_alignment="bottom", gap="small")
    with columns[0]:
        what = _what(desk, row, key)
    if columns[-1].button(
        "", icon=":material/close:", key=f"{key}.remove", type="tertiary", help=_("Remove this condition")
    ):
        group.rows.remove(row)
        if not group.rows:
            group.rows.append(_Row(_next()))
        st.rerun()
    if what is None:
        return None
    kind, _colon, name = what.partition(":")
    match f"{kind}:":
        case "event:":
            return _event(desk, row, key, name, columns[1], columns[2])
        case "segment:":
            return _inside(row, key, name, columns[1])
        case _:
            return _fact(desk, row, key, name, columns[1], columns[2])


def _what(desk: Desk, row: _Row, key: str) -> str | None:
    options = _options(desk)
    start = _option_of(row.said)
    return st.selectbox(
        _("What"),
        list(options),
        index=list(options).index(start) if start in options else None,
        format_func=lambda option: options[option],
        placeholder=_("Choose what it is about"),
        key=f"{key}.what",
        label_visibility="collapsed",
    )


def _option_of(said: Row | None) -> str:
    match said:
        case Condition():
            return f"{_FACT}{said.fact}"
        case Did():
            return f"{_EVENT}{said.event}"
        case Inside():
            return f"{_SEGMENT}{said.segment}"
        case _:
            return ""


def _options(desk: Desk) -> dict[str, str]:
    """What a condition may be about, with its name."""
    book = desk.segments.book
    frames, dot = desk.whole.frames, "\N{MIDDLE DOT}"
    facts = {
        f"{_FACT}{name}": f"{_(book.facts.family_of[name].label)} {dot} {_(fact.label)}"
        for name, fact in book.facts.offered.items()
    }
    events = {
        f"{_EVENT}{name}": f"{_('Did or did not')} {dot} {_(event.label)}"
        for name, event in EVENTS.items()
        if RELATIONS[event.table].mart in frames
    }
    segments = {f"{_SEGMENT}{name}": f"{_('Segment')} {dot} {label}" for name, label in book.labels.items()}
    return {**events, **facts, **segments}


def _inside(row: _Row, key: str, name: str, place: DeltaGenerator) -> Inside:
    negated = isinstance(row.said, Inside) and row.said.negated
    chosen = place.selectbox(
        _("Belongs"),
        [False, True],
        index=int(negated),
        format_func=lambda no: _("does not belong") if no else _("belongs"),
        key=f"{key}.negated",
        label_visibility="collapsed",
    )
    return Inside(name, bool(chosen))


def _event(
    desk: Desk,
    row: _Row,
    key: str,
    name: str,
    left: DeltaGenerator,
    right: DeltaGenerator,
) -> Did:
    said = row.said if isinstance(row.said, Did) and row.said.event == name else Did(name)
    least = left.number_input(
        _("At least so often; 0 for never"),
        min_value=0,
        value=said.least,
        key=f"{key}.least",
        help=_("At least so often; 0 for never"),
        label_visibility="collapsed",
    )
    with right:
        windows = sorted({*_WINDOWS, *([said.days] if said.days else [])})
        days = st.selectbox(
            _("Within"),
            [0, *windows],
            index=[0, *windows].index(said.days or 0),
            format_func=lambda n: _("times in the last {n} days").format(n=n) if n else _("times ever"),
            key=f"{key}.days",
            label_visibility="collapsed",
        )
        category = None
        if EVENTS[name].by_category:
            known = list(desk.categories)
            category = st.selectbox(
                _("Category"),
                known,
                index=known.index(said.category) if said.category in known else None,
                placeholder=_("Which category"),
                key=f"{key}.category",
                label_visibility="collapsed",
            )
    return Did(name, int(least), int(days) or None, category)


def _fact(
    desk: Desk,
    row: _Row,
    key: str,
    name: str,
    left: DeltaGenerator,
    right: DeltaGenerator,
) -> Condition:
    fact = asked.facts(desk).offered[name]
    said = row.said if isinstance(row.said, Condition) and row.said.fact == name else None
    operators = _operators(fact)
    names = _DAYS if fact.dtype == pl.Date else _OPERATORS
    start = said.operator if said and said.operator in operators else operators[0]
    chosen = left.selectbox(
        _("How"),
        operators,
        index=operators.index(start),
        format_func=lambda operator: _(names.get(operator) or _OPERATORS[operator]),
        key=f"{key}.{name}.operator",
        label_visibility="collapsed",
    )
    if chosen in ("known", "unknown", "yes", "no"):
        return Condition(name, chosen)
    with right:
        values = _values(desk, name, fact, f"{key}.{name}", said.values if said else (), chosen)
    return Condition(name, chosen, values)


def _operators(fact: Fact) -> list[Operator]:
    known: list[Operator] = ["known", "unknown"]
    if fact.dtype == pl.Boolean:
        return ["yes", "no", *known]
    if fact.dtype == pl.Date:
        return [">=", "<=", ">", "<", *known]
    if fact.dtype.is_numeric():
        return [">=", "<=", "=", ">", "<", "<>", *known]
    return ["in", "not in", "like", *known]


def _values(
    desk: Desk, name: str, fact: Fact, key: str, said: tuple[Value, ...], operator: Operator
) -> tuple[Value, ...]:
    """The widget for the values of a fact; no value while none is given."""
    label, first = _("Value"), said[0] if said else None
    if fact.dtype == pl.Date:
        day = st.date_input(
            label,
            value=first if isinstance(first, date) else None,
            key=f"{key}.day",
            label_visibility="collapsed",
        )
        return (day,) if isinstance(day, date) else ()
    if fact.dtype.is_numeric():
        return _number(fact, key, first)
    if operator == "like":
        text = st.text_input(
            label, value=str(first or ""), key=f"{key}.like", label_visibility="collapsed", max_chars=200
        )
        return (text,) if text.strip() else ()
    return _texts(desk, name, fact, key, tuple(str(value) for value in said))


def _number(fact: Fact, key: str, first: Value | None) -> tuple[Value, ...]:
    whole = fact.dtype.is_integer()
    start = first if isinstance(first, int | float | Decimal) else None
    number = st.number_input(
        _("Value"),
        value=None if start is None else int(start) if whole else float(start),
        step=1 if whole else None,
        key=f"{key}.number",
        placeholder=_("share from 0 to 1") if fact.unit == "rate" else _("number"),
        label_visibility="collapsed",
    )
    return () if number is None else (number,)


def _texts(desk: Desk, name: str, fact: Fact, key: str, said: tuple[str, ...]) -> tuple[Value, ...]:
    """Texts to choose from; where there are too many to list they are searched for."""
    known = _known(desk, name, fact)
    if len(known) > MOST_LISTED:
        term = st.text_input(
            _("Search"),
            key=f"{key}.search",
            placeholder=_("Search {n} values").format(n=desk.show.count(len(known))),
            icon=":material/search:",
            label_visibility="collapsed",
        )
        needle = term.strip().lower()
        found = known.filter(known.str.to_lowercase().str.contains(needle, literal=True)) if needle else known
        chosen = [str(value) for value in st.session_state.get(f"{key}.texts", said)]
        options = list(dict.fromkeys([*chosen, *(found.head(MOST_LISTED).to_list() if needle else [])]))
    else:
        options = list(dict.fromkeys([*known.to_list(), *said]))
    return tuple(
        st.multiselect(
            _("Values"),
            options,
            default=[value for value in said if value in options],
            key=f"{key}.texts",
            placeholder=_("Any of"),
            label_visibility="collapsed",
        )
    )


def _known(desk: Desk, name: str, fact: Fact) -> pl.Series:
    """The values of a text fact in alphabetical order."""
    if isinstance(fact.dtype, pl.Enum):
        return fact.dtype.categories
    return desk.kept(
        f"values of {name}",
        lambda: asked.facts(desk).frame([name]).to_series().cast(pl.String).drop_nulls().unique().sort(),
    )
