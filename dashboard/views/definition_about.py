"""One metric: what it says, its figure, its formula, where it comes from and where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from html import escape
from pathlib import Path

import streamlit as st

from dashboard import wording
from dashboard.desk import Desk
from dashboard.editing import workbench
from dashboard.lineage import Step, above, below, lineage
from dashboard.pages import PAGES
from dashboard.parts import markup
from dashboard.parts.chart_card import chart_card
from dashboard.parts.markup import Column, facts
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.tiles import Figure, figures_of
from dashboard.views.overview_cards import trend_card
from metrics.catalog import Definition
from metrics.periods import Grain, Window


def caption(desk: Desk, name: str) -> str:
    """Name, kind and place of a definition, and whether it is the project's own."""
    located = desk.definitions.located[name]
    line = located.document.place((*located.at, "name")).line
    origin = _("of this project") if workbench.is_own(desk, located.document) else _("as shipped")
    parts = [name, kind(located.value), f"{desk.place(located.document.path)}:{line}", origin]
    return " \N{MIDDLE DOT} ".join(parts)


def kind(definition: Definition) -> str:
    """The kind of a metric in words."""
    return definition.kind.replace("_", " ")


def family(desk: Desk, name: str) -> str:
    """The file of a definition as a heading: `Customers`."""
    return Path(desk.definitions.located[name].document.path).stem.replace("_", " ").capitalize()


def draw(desk: Desk, name: str, scope: Scope) -> None:
    """Draw what there is to read about a metric."""
    definition = desk.definitions.located[name].value
    st.html(f'<p class="meaning">{escape(definition.description)}</p>')
    if name in desk.catalog.broken:
        return
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(border=True, key=f"card-figure-{name}", height="stretch"):
        _figure(desk, name, scope)
    with right:
        chart_card(*trend_card(desk, name, scope))
    markup.section(_("Formula"), _("In words, and as written"))
    st.html(f'<p class="formula">{escape(wording.formula(definition, partial(_label, desk)))}</p>')
    with st.expander(_("As written")):
        st.code(workbench.draft(desk, name).text, language="yaml")
    _lineage(desk, name)
    _used(desk, name)


def _figure(desk: Desk, name: str, scope: Scope) -> None:
    definition, show, read = desk.metric(name), desk.show, desk.read
    whole = figures_of(desk.figures([name], Window(), scope), name).get(0, Figure(None))
    month = desk.figure(name, scope.period, scope)
    lead = month if whole.shown is None else whole
    when = read.period(scope.period, Grain.MONTH) if lead is month else _("All history")
    st.html(
        f'<div class="against"><span class="name">{escape(when)}</span>'
        f'<span class="new">{escape(show.value(lead.shown, definition.style))}</span></div>'
    )
    pairs = {
        _("Value"): show.full(lead.shown, definition.style),
        _("Interval"): wording.interval(lead, definition.style, show),
        _("n"): show.decimal(lead.n, 0),
        read.period(scope.period, Grain.MONTH): show.full(month.shown, definition.style),
        _("As of"): show.day(desk.as_of),
        _("Why empty"): lead.reason or "",
        _("Direction"): wording.direction(definition),
        _("Target"): wording.targets(definition, show),
        _("Thresholds"): wording.thresholds(definition, show),
        _("Owner"): definition.owner or _("nobody named"),
        _("Approved by"): definition.approved_by,
        _("Version"): wording.version(definition, show),
        _("Basis"): definition.source,
        _("Examples"): " ".join(definition.examples),
        _("Tags"): ", ".join(definition.tags),
    }
    st.html(facts({title: text for title, text in pairs.items() if text}))


def _label(desk: Desk, name: str) -> str:
    return desk.definitions.located[name].value.label


def _lineage(desk: Desk, name: str) -> None:
    markup.section(_("Where it comes from"), _("Metrics, tables, columns and sources, read from the formula"))
    catalog = desk.catalog
    found = workbench.sources(desk)
    steps = lineage(catalog, name, found) if found else []
    given = [step for step in steps if step.origin.source]
    stages = {
        _("Metric"): {_label(desk, name): name},
        _("Metrics that it reads"): {_label(desk, other): other for other in below(catalog, name)},
        _("Tables"): _grouped((step.relation, step.column) for step in steps),
        _("Columns"): _grouped((step.table, step.table_column) for step in steps),
        _("Sources"): _grouped((step.origin.source, step.origin.text) for step in given),
    }
    arrow = '<span class="to" aria-hidden="true">\N{RIGHTWARDS ARROW}</span>'
    filled = [_stage(title, found) for title, found in stages.items() if found]
    st.html(f'<div class="flow">{arrow.join(filled)}</div>')
    if steps:
        with st.expander(_("Column by column")):
            markup.show_table(_columns(), [_row(desk, step) for step in steps], _("Lineage"))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names of the first with all of the second: `customer_periods: customer, orders`."""
    found: dict[str, dict[str, None]] = {}
    for name, part in pairs:
        found.setdefault(name, {})[part] = None
    return {name: ", ".join(part for part in parts if part) for name, parts in found.items()}


def _stage(title: str, found: dict[str, str]) -> str:
    boxes = "".join(
        f"<span>{escape(name)}<small>{escape(text)}</small></span>" for name, text in found.items()
    )
    return f'<div class="stage"><b>{escape(title)}</b>{boxes}</div>'


def _columns() -> list[Column]:
    titles = (_("Metric"), _("Reads"), _("Made of"), _("Source"), _("Theirs"))
    return [Column(title, "" if at in (0, 3) else "code") for at, title in enumerate(titles)]


def _row(desk: Desk, step: Step) -> list[str]:
    return [
        _label(desk, step.metric),
        f"{step.relation}.{step.column}",
        f"{step.table}.{step.table_column}",
        step.origin.source or _("no source gives it"),
        step.origin.text,
    ]


def _used(desk: Desk, name: str) -> None:
    markup.section(_("Where it is used"))
    readers = above(desk.catalog, name)
    pages = [_(page.title) for page in PAGES if name in page.metrics]
    if not readers and not pages:
        markup.note(_("No page and no other metric reads it; it can be asked for with `rapport query`."))
        return
    pairs = {
        _("Pages"): ", ".join(pages),
        _("Metrics"): ", ".join(f"{_label(desk, other)} ({other})" for other in readers),
    }
    st.html(facts({title: text for title, text in pairs.items() if text}))
