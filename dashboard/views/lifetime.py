"""Lifetime value: what each customer will bring, how sure that is, and whether such predictions came true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import streamlit as st

from dashboard import data, lifetime_data, state
from dashboard.desk import Desk
from dashboard.lifetime_data import Horizon
from dashboard.parts import filter_bar, markup, sections, states
from dashboard.parts.kpi_row import sentence
from dashboard.parts.terms import terms_of
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import (
    lifetime_contracts,
    lifetime_customers,
    lifetime_predictions,
    lifetime_validation,
)
from dashboard.views.lifetime_predictions import SECTION
from metrics.lifetime.outlook import Outlook
from metrics.selection import Missing

MONTHS: Final = "lifetime.months"
HORIZONS: Final = (6, 12, 24, 36)
CONVENTIONS: Final[Mapping[Literal["end", "begin"], str]] = {
    "end": later("at the end of each month"),
    "begin": later("at the beginning of each month"),
}

Section = Callable[[Desk, Scope, Outlook, Horizon], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "predictions": (later("Predictions"), lifetime_predictions.render),
    "customers": (later("Customers"), lifetime_customers.render),
    "validation": (later("Model and validation"), lifetime_validation.render),
    "contracts": (later("Contracts"), lifetime_contracts.render),
}


def render() -> None:
    """Draw the chosen section for the customers that the filters leave."""
    desk, scope = data.desk(), state.scope()
    who = ", ".join(desk.read.filters(scope)) if scope.attributes else _("all customers")
    caption = _("From {day} on, the last day of the data \N{MIDDLE DOT} {who}").format(
        day=desk.show.day(desk.as_of), who=who
    )
    markup.head(_("Lifetime value"), caption)
    filter_bar.ignored_note()
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: a lifetime is made of all orders."))
    try:
        with st.spinner(_("Fitting the models")):
            found = lifetime_data.outlook(desk, scope)
    except Missing as missing:
        states.empty("inventory_2", _("Nothing to show here"), sentence(str(missing)))
        return
    _say(found)
    if found.purchases is None or found.purchases.model is None:
        states.empty("query_stats", _("No model can be fitted"), _unfitted(found))
        return
    section, horizon = _choices()
    SECTIONS[section][1](desk, scope, found, horizon)


def _say(found: Outlook) -> None:
    """What stands against predictions, before any figure; then what to keep in mind."""
    for reason in found.against:
        markup.notice(sentence(reason.text))
    if found.histories.is_empty():
        return
    for reason in found.notes:
        markup.note(sentence(reason.text))
    if found.margin is None:
        markup.note(_("Cost of goods is not known, so values are revenue, not margin."))


def _unfitted(found: Outlook) -> str:
    messages = found.table["message"].to_list()
    return sentence(messages[0]) if messages else _("Load orders first.")


def _choices() -> tuple[str, Horizon]:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        section = sections.chosen(SECTION, SECTIONS)
        months = st.selectbox(
            _("Horizon"),
            HORIZONS,
            index=1,
            format_func=lambda n: _("{n} months ahead").format(n=n),
            key=MONTHS,
            bind="query-params",
            label_visibility="collapsed",
            width=180,
        )
        discount, first = terms_of("lifetime", CONVENTIONS)
    return section, Horizon(months, discount, first)
