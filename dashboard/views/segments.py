"""Segments: the list of them, building one, comparing, overlap, migration, RFM and clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard import data, segment_data, state
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup, sections
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import (
    segments_builder,
    segments_clusters,
    segments_compare,
    segments_list,
    segments_moves,
    segments_overlap,
    segments_rfm,
)
from dashboard.views.segments_list import SECTION
from metrics.selection import SEGMENT

Section = Callable[[Desk, Scope], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "list": (later("Segments"), segments_list.render),
    "build": (later("Build"), segments_builder.render),
    "compare": (later("Compare"), segments_compare.render),
    "overlap": (later("Overlap"), segments_overlap.render),
    "moves": (later("Migration"), segments_moves.render),
    "rfm": (later("RFM"), segments_rfm.render),
    "clusters": (later("Clusters"), segments_clusters.render),
}


def prepare(desk: Desk, scope: Scope) -> None:
    """Work out who belongs to which segment, and cut the customers so that figures split by them."""
    segment_data.sizes(desk, scope)
    desk.whole.split_by(SEGMENT)


def render() -> None:
    """Draw the section that is chosen, for the scope that the filter bar holds."""
    desk, scope = data.desk(), state.scope()
    caption = _("{n} segments \N{MIDDLE DOT} who belongs as of {day} \N{MIDDLE DOT} {who}")
    who, day = ", ".join(desk.read.filters(scope)), desk.show.day(desk.as_of)
    markup.head(_("Segments"), caption.format(n=len(desk.segments.book.rules), day=day, who=who))
    filter_bar.ignored_note()
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: segments are of whole customers."))
    chosen = sections.chosen(SECTION, SECTIONS)
    with sections.reason_if_missing():
        SECTIONS[chosen][1](desk, scope)
