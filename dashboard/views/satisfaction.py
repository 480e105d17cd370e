"""Satisfaction: what customers feel, item by item, with its uncertainty, and what it goes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard import data, state
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup, sections, states
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from dashboard.views import (
    satisfaction_comments,
    satisfaction_complaints,
    satisfaction_gaps,
    satisfaction_linkage,
    satisfaction_priorities,
    satisfaction_reliability,
    satisfaction_scores,
)

METRICS: Final = ("satisfaction", "nps")
SECTION: Final = "satisfaction.section"

Section = Callable[[Desk, Scope], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "gaps": (later("Service quality"), satisfaction_gaps.render),
    "scores": (later("Scores"), satisfaction_scores.render),
    "priorities": (later("Priorities"), satisfaction_priorities.render),
    "linkage": (later("Feeling and orders"), satisfaction_linkage.render),
    "complaints": (later("Complaints"), satisfaction_complaints.render),
    "comments": (later("Comments"), satisfaction_comments.render),
    "reliability": (later("Reliability"), satisfaction_reliability.render),
}


def render() -> None:
    """Draw the section that is chosen, for the scope that the filter bar holds."""
    desk, scope = data.desk(), state.scope()
    who = ", ".join(desk.read.filters(scope)) if scope.attributes else _("all customers who answered")
    period = desk.read.period(scope.period, scope.grain, long=True)
    markup.head(
        _("Satisfaction"), _("Answers up to {period} \N{MIDDLE DOT} {who}").format(period=period, who=who)
    )
    filter_bar.ignored_note()
    _told(desk, scope)
    chosen = sections.chosen(SECTION, SECTIONS)
    with sections.reason_if_missing("sentiment_satisfied"):
        SECTIONS[chosen][1](desk, scope)


def _told(desk: Desk, scope: Scope) -> None:
    """Broken instruments, and filters that do not apply."""
    broken = desk.instruments.problems
    if broken:
        title = ngettext("{n} problem in the instruments", "{n} problems in the instruments", len(broken))
        words = _("What is broken is left out. Mend the file; this page follows at once.")
        states.problems(title.format(n=len(broken)), words, broken)
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: an answer is about no category."))
