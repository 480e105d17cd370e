"""Building a segment: groups of conditions, the rule as a sentence, how many it holds, saving it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import streamlit as st

from config.errors import Fault
from dashboard import segment_data as asked
from dashboard.desk import Desk
from dashboard.editing import segment_saving
from dashboard.parts import markup, states
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import figure_row
from dashboard.parts.yaml_editor import yaml_editor
from dashboard.segment_files import FILE
from dashboard.segment_rules import Group, groups_of, own_facts, rule_text
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import segments_rows as rows
from dashboard.views.segments_list import SECTION, UNITS, headings, sized
from metrics.segment_definitions import OwnFact, Segment
from metrics.segments import Rule

KEY: Final = "segments.build"
NEW: Final = "new_segment"
JOINS: Final = {"all": later("all of the groups"), "any": later("any of the groups")}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    start = _start(desk)
    left, right = st.columns([7, 5], gap="large")
    with left:
        where, facts = _rule(desk, start)
        segment = _described(desk, start, where, facts)
    with right:
        found = _outcome(desk, scope, segment)
        _save(desk, segment, found)
    if found is not None:
        _customers(desk, scope, found)


def _start(desk: Desk) -> Segment | None:
    """The segment to begin with; None for a new one. Another choice begins afresh."""
    labels = {name: rule.segment.label for name, rule in desk.segments.book.rules.items()}
    chosen = st.selectbox(
        _("Begin with"),
        list(labels),
        index=None,
        format_func=lambda name: labels[name],
        placeholder=_("A new segment"),
        key=f"{KEY}.from",
        bind="query-params",
        width=420,
    )
    if st.session_state.get(f"{KEY}.begun", "") != chosen:
        st.session_state[f"{KEY}.begun"] = chosen
        segment = desk.segments.book.rules[chosen].segment if chosen else None
        _begin(desk, segment)
    return desk.segments.book.rules[chosen].segment if chosen else None


def _begin(desk: Desk, segment: Segment | None) -> None:
    """Put the rule of a segment into the builder, or into the text where the builder has no form for it."""
    revision = int(st.session_state.get(f"{KEY}.revision", 0)) + 1
    st.session_state[f"{KEY}.revision"] = revision
    found = groups_of(segment, tuple(desk.segments.book.rules)) if segment else ([], "all")
    st.session_state[f"{KEY}.as_text"] = found is None
    groups, join = found or ([], "all")
    st.session_state[f"{KEY}.join"] = join
    rows.begin(groups or [Group("all", ())])
    st.session_state[f"{KEY}.name"] = segment.name if segment else NEW
    st.session_state[f"{KEY}.label"] = segment.label if segment else ""
    for part in ("owner", "description", "family"):
        st.session_state[f"{KEY}.{part}"] = getattr(segment, part) if segment else ""


def begin_with(desk: Desk, segment: Segment) -> None:
    """Go to the builder with the rule of a segment that is not saved yet."""
    _begin(desk, segment)
    st.session_state[SECTION] = "build"
    st.session_state[f"{KEY}.from"] = st.session_state[f"{KEY}.begun"] = None
    st.session_state[f"{KEY}.name"] = NEW


def _rule(desk: Desk, start: Segment | None) -> tuple[str, tuple[OwnFact, ...]]:
    """The rule as it is being built, by conditions or as text."""
    as_text = st.toggle(_("Write the rule as text"), key=f"{KEY}.as_text")
    if as_text:
        return _typed(desk, start)
    join: Literal["all", "any"] = "all"
    if rows.count() > 1:
        chosen = st.segmented_control(
            _("A customer must meet"),
            list(JOINS),
            required=True,
            format_func=lambda key: _(JOINS[key]),
            key=f"{KEY}.join",
        )
        join = "any" if chosen == "any" else "all"
    groups = rows.draw(desk)
    if st.button(_("Add a group"), icon=":material/add:", key=f"{KEY}.add", type="tertiary"):
        rows.add_group()
        st.rerun()
    return rule_text(groups, join), own_facts(groups)


def _typed(desk: Desk, start: Segment | None) -> tuple[str, tuple[OwnFact, ...]]:
    facts = start.facts if start else ()
    book = desk.segments.book
    names = [*book.facts.offered, *(fact.name for fact in facts), *(f"{{{name}}}" for name in book.rules)]
    text = yaml_editor(
        start.where if start else "",
        key=f"{KEY}.text",
        label=_("Rule"),
        names=names,
        revision=str(st.session_state.get(f"{KEY}.revision", 0)),
        height=120,
    )
    markup.note(
        _(
            "A condition on customer facts, such as `orders >= 3 AND recency_days <= 90`; other segments "
            "stand in braces: `NOT {loyal}`."
        )
    )
    return text.strip(), facts


def _described(desk: Desk, start: Segment | None, where: str, facts: tuple[OwnFact, ...]) -> Segment | None:
    """The segment with its name and what is said about it; None while something is missing or wrong."""
    with st.container(border=True, key="card-segment-about"):
        st.html(markup.card_head(_("Name and purpose"), _("What others see in filters, lists and exports")))
        label = st.text_input(_("Label"), key=f"{KEY}.label", max_chars=40, placeholder=_("Autumn buyers"))
        left, right = st.columns(2)
        name = left.text_input(
            _("Name"),
            key=f"{KEY}.name",
            max_chars=60,
            help=_("Small letters, digits and _: for links and files"),
        )
        owner = right.text_input(_("Owner"), key=f"{KEY}.owner", placeholder=_("CRM team"))
        about = st.text_area(_("Description"), key=f"{KEY}.description", height=80)
    if not where:
        return None
    try:
        return Segment(
            name=name,
            label=label.strip() or name,
            where=where,
            owner=owner.strip(),
            description=about.strip(),
            family=start.family if start else "",
            facts=facts,
        )
    except ValueError:
        markup.notice(_("The name may hold small letters, digits and `_`, and begins with a letter."))
        return None


def _outcome(desk: Desk, scope: Scope, segment: Segment | None) -> Rule | None:
    """The rule as a sentence, and how many customers it holds; or what is wrong with it."""
    if segment is None:
        text = _("Add a condition: the number of customers follows at once.")
        states.empty("filter_alt", _("No condition yet"), text)
        return None
    try:
        found = asked.rule(desk, segment)
    except Fault as fault:
        states.empty("rule", _("The rule does not work yet"), str(fault))
        return None
    said = asked.words(desk).sentence(segment)
    st.html(f'<p class="rule" role="status">{markup.marked(said)}.</p>')
    inside = asked.held(desk, found)
    figure_row(sized(desk, asked.size(desk, asked.without_segments(scope), inside)), "build")
    _effect(desk, segment, found)
    with st.expander(_("As it will stand in {file}").format(file=FILE)):
        st.code(segment_saving.segment_text(segment), language="yaml")
    return found


def _effect(desk: Desk, segment: Segment, found: Rule) -> None:
    """Who comes and who goes when the rule of a saved segment changes."""
    saved = desk.segments.book.rules.get(segment.name)
    ours = asked.words(desk)
    if saved is None or ours.sentence(saved.segment) == ours.sentence(segment):
        return
    before, after = desk.segments.book.members(segment.name), asked.held(desk, found)
    show = desk.show
    text = _("Against the saved rule {joined} customers join and {left} leave; {kept} stay.")
    markup.notice(
        text.format(
            joined=show.count(int((after & ~before).sum())),
            left=show.count(int((before & ~after).sum())),
            kept=show.count(int((before & after).sum())),
        )
    )


def _save(desk: Desk, segment: Segment | None, found: Rule | None) -> None:
    """The buttons: save, and remove what this project has saved."""
    if segment is None:
        return
    own, folder = segment.name in desk.segments.own, desk.workspace.folder
    with st.container(horizontal=True):
        save = st.button(
            _("Save segment"),
            type="primary",
            icon=":material/save:",
            key=f"{KEY}.save",
            disabled=found is None or segment.name == NEW,
            help=_("Give it a name of its own first") if segment.name == NEW else None,
        )
        remove = own and st.button(_("Remove"), icon=":material/delete:", key=f"{KEY}.remove")
    shipped = segment.name in desk.segments.book.rules and not own
    if shipped:
        markup.note(_("Saving writes `{file}` in this project; the shipped segment stays.").format(file=FILE))
    if not (save or remove):
        return
    try:
        if save:
            text = segment_saving.file_with(folder, segment)
        else:
            text = segment_saving.file_without(folder, segment.name)
        now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
        segment_saving.save(folder, text, now)
    except (Fault, OSError) as fault:
        markup.notice(_("Not saved: {fault}").format(fault=fault))
        return
    st.toast(_("Saved in {file}.").format(file=FILE), icon=":material/check:")
    st.rerun()


def _customers(desk: Desk, scope: Scope, found: Rule) -> None:
    markup.section(_("Customers"), _("Whom the rule holds for, and why; the most valuable first"))
    customer_list(
        desk,
        asked.listed(desk, asked.without_segments(scope), found),
        key=f"{KEY}.customers",
        file=f"segment-{found.segment.name}",
        label=_("Customers of the rule"),
        names=headings(),
        units=UNITS,
    )
