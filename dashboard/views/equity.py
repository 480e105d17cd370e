"""Customer equity: what the customer base is worth, what would change it, and how unevenly it earns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from dashboard import data, state
from dashboard import equity_data as asked
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup, sections, states
from dashboard.parts.kpi_row import sentence
from dashboard.parts.terms import terms_of
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import (
    equity_budgets,
    equity_concentration,
    equity_levers,
    equity_programmes,
    equity_statement,
    equity_what_if,
)
from metrics.equity import Convention
from metrics.equity_drivers import Measured
from metrics.reasons import Reason

SECTION: Final = "equity.section"
Section = Callable[[Desk, Scope, Measured], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "statement": (later("Statement"), equity_statement.render),
    "levers": (later("What moves it"), equity_levers.render),
    "what_if": (later("What if"), equity_what_if.render),
    "programmes": (later("Programmes"), equity_programmes.render),
    "budgets": (later("Budgets"), equity_budgets.render),
    "concentration": (later("Concentration"), equity_concentration.render),
}
CONVENTIONS: Final[Mapping[Convention, str]] = {
    "end": later("after a year, if the customer stays"),
    "begin": later("now, from those who are there"),
    "certain_end": later("after a year, from all for certain"),
}
_LACKING: Final = {"cost": later("cost of goods (revenue counts as margin)"), "spend": later("money spent")}


def render() -> None:
    """Draw the chosen section for the chosen customers and the year that ends with the chosen period."""
    desk, scope = data.desk(), state.scope()
    who = ", ".join(desk.read.filters(scope)) if scope.attributes else _("all customers")
    day = desk.show.day(asked.ends_on(desk, scope))
    markup.head(
        _("Customer equity"), _("The twelve months to {day} \N{MIDDLE DOT} {who}").format(day=day, who=who)
    )
    filter_bar.ignored_note()
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: equity is that of whole customers."))
    with sections.reason_if_missing():
        _sections(desk, scope)


def _choices() -> tuple[str, asked.Terms]:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        section = sections.chosen(SECTION, SECTIONS)
        discount, first = terms_of("equity", CONVENTIONS)
    return section, asked.Terms(discount, first)


def _sections(desk: Desk, scope: Scope) -> None:
    section, terms = _choices()
    found = asked.measured(desk, scope, terms)
    if isinstance(found, Reason) and section == "concentration":
        equity_concentration.render(desk, scope, found)
        return
    if isinstance(found, Reason):
        still = _("The section Concentration needs one year alone.")
        states.empty("savings", _("Equity cannot be computed yet"), f"{sentence(found.text)} {still}")
        return
    if found.lacking:
        names = ", ".join(_(_LACKING[name]) for name in found.lacking)
        markup.notice(_("Not known and left out: {names}.").format(names=names))
    SECTIONS[section][1](desk, scope, found)
