"""Retention: who stays, who leaves, who comes back, and how sure we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from dashboard import data, state
from dashboard.desk import Desk
from dashboard.movement_data import busiest_windows, standings
from dashboard.parts import filter_bar, markup, sections
from dashboard.parts.details import open_details
from dashboard.parts.kpi_row import kpi_row
from dashboard.retention_choices import DEFINITIONS, defined
from dashboard.retention_data import cohort_cells, later_lines
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from dashboard.views import (
    retention_cohorts,
    retention_contracts,
    retention_lifecycle,
    retention_patterns,
    retention_survival,
)
from metrics.retention import Cohorts
from metrics.selection import Missing

METRICS: Final = (
    "retention_rate",
    "first_month_retention",
    "quick_ratio",
    "lost_share",
    "net_revenue_retention",
)
SECTION: Final = "retention.section"

Section = Callable[[Desk, Scope], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "cohorts": (later("Cohorts"), retention_cohorts.render),
    "lifecycle": (later("Lifecycle"), retention_lifecycle.render),
    "survival": (later("Survival"), retention_survival.render),
    "contracts": (later("Contracts"), retention_contracts.render),
    "movements": (later("Movements"), retention_patterns.render),
}


def prepare(desk: Desk, scope: Scope) -> None:
    """Ask what takes long, so that the answers are there when the page is opened or a definition changed."""
    plain = Cohorts(scope.grain, min_n=desk.project.min_n)
    with suppress(Missing):
        desk.tiles(METRICS, scope)
        for name in DEFINITIONS:
            cohort_cells(desk, scope, defined(plain, name))
        standings(desk, scope)
        busiest_windows(desk)


def render() -> None:
    """Draw the section that is chosen, for the scope that the filter bar holds."""
    desk, scope = data.desk(), state.scope()
    markup.head(_("Retention"), desk.read.chosen(scope))
    filter_bar.ignored_note()
    _uncounted(desk)
    _tiles(desk, scope)
    chosen = sections.chosen(SECTION, SECTIONS)
    with sections.reason_if_missing():
        SECTIONS[chosen][1](desk, scope)


def _uncounted(desk: Desk) -> None:
    """Orders after an as-of day that the project has set: how many, and where to set another."""
    found = later_lines(desk)
    if found.lines:
        text = ngettext(
            "{n} order line lies after the as-of day, {day}, and is not counted; it is of {first}. Change "
            "`as_of` in `rapport.yaml` and refresh to count it.",
            "{n} order lines lie after the as-of day, {day}, and are not counted; the first is of {first}. "
            "Change `as_of` in `rapport.yaml` and refresh to count them.",
            found.lines,
        )
        show = desk.show
        day, first = show.day(desk.as_of), show.day(found.first)
        markup.notice(text.format(n=show.decimal(found.lines, 0), day=day, first=first))


def _tiles(desk: Desk, scope: Scope) -> None:
    """The key figures; those for which the project has no source are left out."""
    tiles = [
        tile
        for tile in desk.tiles(METRICS, scope)
        if not (tile.figure.reason or "").startswith("no source gives")
    ]
    if tiles:
        kpi_row(tiles, partial(open_details, scope))
