"""The controls of the cohort section: definitions, cells, events, brackets, mean, two segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast

import streamlit as st

from config.errors import Fault
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.filter_bar import heading
from dashboard.retention_choices import (
    BACKS,
    BRACKETS,
    DEFINITIONS,
    MEANS,
    STARTS,
    VALUES,
    brackets_of,
    defined,
    written,
)
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.cohort_values import CellValue
from metrics.lives import Events
from metrics.retention import Bracket, Cohorts
from metrics.selection import SEGMENT

T = TypeVar("T")
Mean = Literal["weighted", "simple"]

KEY: Final = "retention"
MANY: Final = (24, 36, 12)
"""How many cohorts a grid shows; the first at first."""


@dataclass(frozen=True)
class Split:
    """Two segments to compare: the values `a` and `b` of an attribute, with their names."""

    attribute: str
    a: str
    b: str
    names: tuple[str, str]


@dataclass(frozen=True)
class Chosen:
    """What the controls say."""

    definition: str
    beside: str
    value: CellValue
    plain: Cohorts
    brackets: tuple[Bracket, ...] = ()
    mean: Mean = "weighted"
    many: int = MANY[0]
    split: Split | None = None

    @property
    def cohorts(self) -> Cohorts:
        """The cohorts under the chosen definition."""
        return self.under(self.definition)

    def under(self, name: str) -> Cohorts:
        """The cohorts under a definition."""
        return defined(self.plain, name, self.brackets)


def controls(desk: Desk, scope: Scope) -> Chosen:
    """Draw the controls; what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = list(DEFINITIONS)
        definition = choice(_("Definition"), names, "definition", lambda name: _(DEFINITIONS[name][0]))
        beside = choice(_("Beside it"), names, "beside", lambda name: _(DEFINITIONS[name][0]), index=1)
        value = choice(_("In the cells"), list(VALUES), "value", lambda name: _(VALUES[name][0]))
        with st.popover(_("Events and cohorts"), icon=":material/tune:"):
            events, brackets = _events(desk), _brackets(scope)
            mean = choice(_("Mean"), list(MEANS), "mean", lambda name: _(MEANS[name][0]))
            many = choice(_("Cohorts shown"), MANY, "many")
        with st.popover(_("Compare two segments"), icon=":material/compare_arrows:"):
            split = _split(desk)
    plain = Cohorts(scope.grain, events, min_n=desk.project.min_n)
    return Chosen(definition, beside, value, plain, brackets, cast(Mean, mean), many, split)


def choice(label: str, options: Sequence[T], name: str, text: Callable[[T], str] = str, index: int = 0) -> T:
    """A select box of the section, bound to the URL."""
    found = st.selectbox(
        label, options, index, format_func=text, key=f"{KEY}.{name}", bind="query-params", width=190
    )
    return options[index] if found is None else found


def _events(desk: Desk) -> Events:
    start = choice(_("A life begins with"), list(STARTS), "start", lambda name: _(STARTS[name]))
    back = choice(_("It goes on with"), list(BACKS), "back", lambda name: _(BACKS[name]))
    every = _("any category")
    categories = [every, *desk.categories]
    starts_in = choice(_("First order in"), categories, "start_category")
    back_in = choice(_("Orders in"), categories, "back_category")
    return Events(
        start,
        back,
        starts_in if starts_in != every and start.endswith("order") else None,
        back_in if back_in != every and back == "order" else None,
    )


def _brackets(scope: Scope) -> tuple[Bracket, ...]:
    """The brackets as they are written; the usual ones where they cannot be read."""
    usual = BRACKETS[scope.grain]
    text = st.text_input(
        _("Brackets of periods"),
        written(usual),
        key=f"{KEY}.brackets-{scope.grain}",
        help=_("For the definition of this name: first and last period, such as `1-3, 4-7`."),
    )
    try:
        return brackets_of(text)
    except Fault as fault:
        markup.notice(str(fault))
        return usual


def _split(desk: Desk) -> Split | None:
    none, labels = _("no comparison"), desk.segments.book.labels
    known = {none: none, **({SEGMENT: _("Segment")} if len(labels) > 1 else {})}
    attribute = choice(
        _("By"),
        [*known, *desk.attributes],
        "by",
        lambda name: known[name] if name in known else heading(name),
    )
    if attribute == none:
        return None
    names = labels if attribute == SEGMENT else {value: value for value in desk.attributes[attribute]}
    a, b = (
        choice(side, list(names), side.lower(), lambda value: names[value], index=at)
        for at, side in enumerate(("A", "B"))
    )
    return Split(attribute, a, b, (names[a], names[b]))
