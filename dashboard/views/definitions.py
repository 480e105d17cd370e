"""Definitions: what every figure means; a glossary of all metrics, and one metric opened and edited."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from dashboard import data
from dashboard.desk import Desk
from dashboard.editing import workbench
from dashboard.lineage import own_reads
from dashboard.parts import markup
from dashboard.parts.glossary import Entry, glossary
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.tiles import Figure, figures_of
from dashboard.views import definition_about, definition_editor, definition_history
from metrics.catalog import Catalog, Definition
from metrics.periods import Grain, Window

METRIC: Final = "metric"
PART: Final = "part"


def render() -> None:
    """Draw the glossary, or the metric that the address names."""
    desk, named = data.desk(), st.query_params.get(METRIC)
    if named and named in desk.definitions.located:
        _one(desk, named)
    else:
        _all(desk, named)


def _last_month(desk: Desk) -> Scope:
    """The last complete month, of everybody."""
    return Scope(Grain.MONTH, desk.calendar.last_complete(Grain.MONTH, desk.as_of))


def _all(desk: Desk, unknown: str | None) -> None:
    located = desk.definitions.located
    own = sum(workbench.is_own(desk, each.document) for each in located.values())
    caption = _("{n} metrics \N{MIDDLE DOT} {own} defined by this project \N{MIDDLE DOT} as of {day}")
    markup.head(_("Definitions"), caption.format(n=len(located), own=own, day=desk.show.day(desk.as_of)))
    if unknown:
        markup.notice(_("No metric is named `{name}`; these are all.").format(name=unknown))
    month = desk.read.period(_last_month(desk).period, Grain.MONTH)
    if opened := glossary(_entries(desk), month, key="definitions.glossary"):
        st.query_params[METRIC] = opened
        st.rerun()


def _one(desk: Desk, name: str) -> None:
    if st.button(_("All definitions"), icon=":material/arrow_back:", type="tertiary", key="definitions.back"):
        st.query_params.clear()
        st.rerun()
    markup.head(desk.definitions.located[name].value.label, definition_about.caption(desk, name))
    parts = {"about": _("Definition"), "edit": _("Edit"), "history": _("History")}
    part = st.segmented_control(
        _("Part"),
        list(parts),
        default="about",
        required=True,
        format_func=lambda key: parts[key],
        key=PART,
        bind="query-params",
        label_visibility="collapsed",
    )
    match part:
        case "edit":
            definition_editor.draw(name)
        case "history":
            definition_history.draw(desk, name)
        case _:
            definition_about.draw(desk, name, _last_month(desk))


def _entries(desk: Desk) -> list[Entry]:
    """Every metric with its current figures, by family in the order of the files."""
    scope, names = _last_month(desk), list(desk.catalog.plans)
    month = desk.figures(names, Window(Grain.MONTH, scope.period), scope)
    whole = desk.figures(names, Window(), scope)
    entries = [_entry(desk, name, month, whole) for name in desk.definitions.located]
    return sorted(entries, key=lambda entry: entry.family)


def _entry(desk: Desk, name: str, month: pl.DataFrame, whole: pl.DataFrame) -> Entry:
    definition, show = desk.definitions.located[name].value, desk.show
    now, ever = (next(iter(figures_of(rows, name).values()), Figure(None)) for rows in (month, whole))
    mark, tone = _mark(desk, name)
    return Entry(
        name,
        definition.label,
        definition_about.family(desk, name),
        definition_about.kind(definition),
        show.value(now.shown, definition.style),
        show.value(ever.shown, definition.style),
        definition.owner,
        definition.description,
        _search(definition, desk.catalog),
        mark,
        tone,
    )


def _search(definition: Definition, catalog: Catalog) -> str:
    """Every word that a metric is found by."""
    known = definition.name in catalog.plans
    reads = own_reads(catalog, definition.name) if known else []
    read = [word for relation, columns in reads for word in (relation.name, *columns)]
    words = (definition.name, definition.label, definition.kind, definition.owner, *definition.tags, *read)
    return " ".join((*words, definition.description)).lower()


def _mark(desk: Desk, name: str) -> tuple[str, str]:
    """What sets a metric apart, and whether that is bad."""
    if name in desk.catalog.broken:
        return _("broken"), "bad"
    if name in desk.definitions.kept:
        return _("last good one served"), "bad"
    own = workbench.is_own(desk, desk.definitions.located[name].document)
    return (_("this project"), "own") if own else ("", "")
