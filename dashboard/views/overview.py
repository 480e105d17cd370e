"""Overview: the goals of customer relationship management, the business in numbers, what moved revenue."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from dashboard import data, state
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup
from dashboard.parts.chart_card import chart_card
from dashboard.parts.details import open_details
from dashboard.parts.downloads import export
from dashboard.parts.kpi_row import kpi_row
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.overview_cards import bridge_card, share_card, trend_card

GOALS: Final = (
    (
        later("Direct goals"),
        later("What the relationship costs and what it earns"),
        (
            "acquisition_cost_per_new_customer",
            "retention_cost_per_kept_customer",
            "service_cost_per_active_customer",
            "average_profit_per_order",
            "average_customer_value",
        ),
    ),
    (
        later("Indirect goals"),
        later("What the earnings of tomorrow rest on"),
        (
            "satisfaction",
            "retention_rate",
            "new_customers",
            "cross_and_up_sell_share",
            "complaints_per_1000_orders",
        ),
    ),
    (
        later("Business"),
        later("Volume, value and word of mouth"),
        ("net_revenue", "active_customers", "repeat_purchase_rate", "average_order_value", "nps"),
    ),
)

METRICS: Final = tuple(name for _title, _words, names in GOALS for name in names)


def prepare(desk: Desk, scope: Scope) -> None:
    """Ask every question of the page, so that the answers are there when it is drawn."""
    desk.tiles(METRICS, scope)
    trend_card(desk, "net_revenue", scope)
    bridge_card(desk, scope)
    for attribute in _split_by(desk):
        share_card(desk, "active_customers", attribute, scope)


def render() -> None:
    """Draw the page for the scope that the filter bar holds."""
    desk, scope = data.desk(), state.scope()
    exported = partial(export, "overview", partial(desk.exported, METRICS, scope))
    markup.head(_("Overview"), desk.read.chosen(scope), exported)
    filter_bar.ignored_note()
    with st.skeleton(height=520):
        tiles = {tile.name: tile for tile in desk.tiles(METRICS, scope)}
    for title, words, group in GOALS:
        markup.section(_(title), _(words))
        kpi_row([tiles[name] for name in group], partial(open_details, scope))
    _charts(desk, scope)


def _charts(desk: Desk, scope: Scope) -> None:
    markup.section(_("Revenue"), _("How it developed, and which customers moved it"))
    wide, narrow = st.columns([3, 2])
    with wide:
        chart_card(*trend_card(desk, "net_revenue", scope))
    with narrow:
        chart_card(*bridge_card(desk, scope))
    by = _split_by(desk)
    if by:
        markup.section(_("Active customers"), _("Where they are served, and how they came"))
        for column, attribute in zip(st.columns(len(by)), by, strict=True):
            with column:
                chart_card(*share_card(desk, "active_customers", attribute, scope))


def _split_by(desk: Desk) -> list[str]:
    return [name for name in filter_bar.MAIN if name in desk.attributes]
