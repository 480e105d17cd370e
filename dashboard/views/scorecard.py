"""Scorecard: which driver of customer equity is worth the next unit of money, in which segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from dashboard import data, state
from dashboard import scorecard_data as asked
from dashboard.desk import Desk
from dashboard.equity_data import ends_on
from dashboard.parts import filter_bar, markup, sections, states
from dashboard.parts.kpi_row import sentence
from dashboard.scorecard_data import Split
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import (
    scorecard_balance,
    scorecard_flow,
    scorecard_priorities,
    scorecard_segment,
    scorecard_what_if,
)
from dashboard.views.scorecard_words import Shown
from metrics.reasons import Reason
from metrics.scorecard import Impossible
from metrics.scorecard_plan import Plan
from metrics.selection import SEGMENT as GROUP

SECTION: Final = "scorecard.section"
BY: Final = "scorecard.by"
CHOSEN: Final = "scorecard.segments"

Section = Callable[[Desk, Scope, Shown], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "priorities": (later("Priorities"), scorecard_priorities.render),
    "segment": (later("One segment"), scorecard_segment.render),
    "balance": (later("Balanced view"), scorecard_balance.render),
    "flow": (later("Flow of revenue"), scorecard_flow.render),
    "what_if": (later("What if"), scorecard_what_if.render),
}


def render() -> None:
    """Draw the chosen section for the segments that are compared."""
    desk, scope = data.desk(), state.scope()
    day = desk.show.day(ends_on(desk, scope))
    who = ", ".join(desk.read.filters(scope)) if scope.attributes else _("all customers")
    caption = _("The twelve months to {day} \N{MIDDLE DOT} {who} \N{MIDDLE DOT} after Hansotia, layout ours")
    markup.head(_("Scorecard"), caption.format(day=day, who=who))
    filter_bar.ignored_note()
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: equity is that of whole customers."))
    found = asked.plan(desk)
    if found.problems:
        words = _("The shipped scorecard stands in until `scorecard.yaml` is mended.")
        states.problems(_("The scorecard of the project cannot be read"), words, found.problems)
    section, split = _controls(desk)
    if split is None:
        text = _("Map `region` or `channel` of the customers, or write segments into `segments.yaml`.")
        states.empty("scoreboard", _("No segments to compare"), text)
        return
    with sections.reason_if_missing():
        _draw(desk, scope, section, split, found.plan)


def _draw(desk: Desk, scope: Scope, section: str, split: Split, written: Plan) -> None:
    plan = scorecard_what_if.planned(written)
    with st.spinner(_("Measuring the drivers")):
        facts = asked.facts(desk, scope, split, plan)
    if isinstance(facts, Reason):
        states.empty("scoreboard", _("The scorecard cannot be computed yet"), sentence(facts.text))
        return
    try:
        table = asked.table(plan, facts)
    except Impossible as fault:
        states.empty("scoreboard", _("A target that nobody can reach"), sentence(str(fault)))
        return
    if not table["open"].any() and table.is_empty():
        text = _("No driver has both a value and a target. Write targets into `scorecard.yaml`.")
        states.empty("scoreboard", _("No targets yet"), text)
        return
    scorecard_what_if.changed_note(written, plan)
    SECTIONS[section][1](desk, scope, Shown(split, plan, written, facts, table))


def _controls(desk: Desk) -> tuple[str, Split | None]:
    section = sections.chosen(SECTION, SECTIONS)
    return section, _split(desk)


def _split(desk: Desk) -> Split | None:
    """An attribute, or segments of the book."""
    names = ["channel", "region", *(name for name in desk.attributes if name not in ("channel", "region"))]
    options = [name for name in names if name in desk.attributes]
    labels = desk.segments.book.labels
    if labels:
        options.append(GROUP)
    if not options:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        by = st.selectbox(
            _("Segments by"),
            options,
            format_func=lambda name: _("Segments") if name == GROUP else filter_bar.heading(name),
            key=BY,
            bind="query-params",
            width=200,
        )
        if by != GROUP:
            return Split(by)
        usual = [name for name in asked.USUAL if name in labels] or list(labels)[:4]
        chosen = st.multiselect(
            _("Which"),
            list(labels),
            default=usual,
            format_func=lambda name: labels[name],
            key=CHOSEN,
            bind="query-params",
            max_selections=asked.MOST_SEGMENTS,
            width=520,
        )
    return Split(GROUP, tuple(chosen)) if chosen else None
