"""What leads what: whether loyal customers become cross-buyers, or cross-buyers loyal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from dashboard import crossbuying_data as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.direction import LAGS, Lead, Loyalty
from metrics.reasons import Reason

LOYALTIES: Final[Mapping[Loyalty, str]] = {
    "orders": later("Orders"),
    "spend": later("Spend"),
    "share": later("Share of months with an order"),
}


def render(desk: Desk, scope: Scope) -> None:
    """The finding, both directions with their effects, and what that does not prove."""
    loyalty: Loyalty = st.selectbox(
        _("Loyalty as"),
        list(LOYALTIES),
        format_func=lambda name: _(LOYALTIES[name]),
        key="crossbuying.loyalty",
        bind="query-params",
        width=280,
    )
    found = asked.direction(desk, scope, loyalty)
    if isinstance(found, Reason):
        states.empty("swap_horiz", _("Too little to tell"), sentence(found.text))
        return
    figure_row([_stated(desk, lead) for lead in found], "crossbuying-direction")
    with st.container(border=True, key="card-crossbuying-direction"):
        words = _("quarters, effects of the {n} before \N{MIDDLE DOT} customer and period effects")
        st.html(markup.card_head(_finding(found), words.format(n=LAGS)))
        _table(desk, found)
        markup.note(
            _(
                "Breadth is the number of categories less that of all customers with as many lines and "
                "orders, so that it does not grow with them. Errors are clustered by customer. The "
                "corrected effect is without the bias of short panels (half-panel jackknife). What "
                "foretells need not cause: only a test with customers left out says what an offer in a new "
                "category brings."
            )
        )


def _finding(found: tuple[Lead, Lead]) -> str:
    """Which of the two foretells the other."""
    loyalty, breadth = (lead.foretells for lead in found)
    if loyalty and breadth:
        return _("Each foretells the other")
    if loyalty:
        return _("Loyalty foretells cross-buying; cross-buying does not foretell loyalty")
    if breadth:
        return _("Cross-buying foretells loyalty; loyalty does not foretell cross-buying")
    return _("Neither foretells the other")


def _name(lead: Lead) -> str:
    if lead.leads == "loyalty":
        return _("Loyalty, then breadth")
    return _("Breadth, then loyalty")


def _stated(desk: Desk, lead: Lead) -> Stated:
    words = _("F = {f}, p {p}, {n} customers").format(
        f=desk.show.decimal(lead.f, 1), p=_p(desk, lead), n=desk.show.count(lead.customers)
    )
    value = _("clear") if lead.foretells else _("not seen")
    return Stated(_name(lead), value, words)


def _p(desk: Desk, lead: Lead) -> str:
    return "< 0.001" if lead.p_value < 0.001 else f"= {desk.show.decimal(lead.p_value, 3)}"


def _table(desk: Desk, found: tuple[Lead, Lead]) -> None:
    heads = [
        Column(_("Direction")),
        Column(_("Quarters before"), "number"),
        Column(_("Effect"), "number"),
        Column(_("95 % interval")),
        Column(_("Corrected"), "number"),
        Column(_("Rows"), "number"),
        Column(_("Customers"), "number"),
    ]
    show = desk.show
    rows = [
        [
            _name(lead),
            show.decimal(lag + 1, 0),
            show.signed(lead.effects[lag], 3),
            f"{show.signed(lead.lower[lag], 3)} \N{EN DASH} {show.signed(lead.upper[lag], 3)}",
            show.signed(lead.corrected[lag], 3),
            show.count(lead.rows),
            show.count(lead.customers),
        ]
        for lead in found
        for lag in range(len(lead.effects))
    ]
    markup.show_table(heads, rows, _("What leads what"))
