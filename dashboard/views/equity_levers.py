"""What moves equity: the tornado of all customers or of a segment, the drivers, segments side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import equity_data as asked
from dashboard.charts.equity import tornado
from dashboard.charts.layout import Chart
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import choice, filter_bar, markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.equity_statement import year_customers
from metrics.definitions import Unit
from metrics.equity import Drivers, customer_equity, elasticities
from metrics.equity import tornado as swings
from metrics.equity_drivers import Measured
from metrics.reasons import Reason

BY: Final = "equity.by"
SEGMENT: Final = "equity.segment"
LEVERS: Final[Mapping[str, tuple[str, Unit]]] = {
    "retention": (later("Retention"), "rate"),
    "margin_rate": (later("Margin"), "rate"),
    "orders": (later("Order frequency"), "score"),
    "order_value": (later("Order value"), "money"),
    "acquisition_cost": (later("Acquisition cost"), "money"),
    "discount": (later("Discount rate"), "rate"),
}
SWING: Final = 0.1
_NEW: Final = later("New customers: margin times (1 + i) / (1 + i - r) less their cost.")
_EXISTING: Final[Mapping[str, str]] = {
    "end": later("Existing customers: margin times r / (1 + i - r)."),
    "begin": later("Existing customers: margin times (1 + i) / (1 + i - r)."),
    "certain_end": later("Existing customers: margin times 1 / (1 + i - r)."),
}


def render(desk: Desk, scope: Scope, found: Measured) -> None:
    """The chooser of a segment, its tornado and drivers, then all segments in a table."""
    attribute, value = choose_segment(desk)
    chosen: Measured | Reason = found
    if attribute and value:
        chosen = asked.measured(desk, scope, asked.Terms.of(found), (attribute, value))
    if isinstance(chosen, Reason):
        states.empty("tune", _("Nothing to show for this segment"), sentence(chosen.text))
    else:
        left, right = st.columns([3, 2])
        with left:
            chart_card(*_tornado(desk, chosen.drivers))
        with right:
            _drivers(desk, chosen)
    if attribute:
        _segments(desk, scope, attribute, asked.Terms.of(found))
    if attribute and value:
        _customers(desk, scope, attribute, value)


def choose_segment(desk: Desk) -> tuple[str | None, str | None]:
    """An attribute, and one of its values; without a value everybody is meant."""
    options = [name for name in filter_bar.MAIN if name in desk.attributes]
    options += [name for name in desk.attributes if name not in filter_bar.MAIN]
    if not options:
        return None, None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        attribute = st.selectbox(
            _("Segments by"),
            options,
            format_func=filter_bar.heading,
            key=BY,
            bind="query-params",
            width=200,
            on_change=_forget_segment,
        )
        known = desk.attributes[attribute]
        value = choice.optional(
            _("Segment"),
            known,
            SEGMENT,
            placeholder=_("Everybody"),
            width=220,
        )
    return attribute, value


def _forget_segment() -> None:
    st.session_state[SEGMENT] = None


def _tornado(desk: Desk, drivers: Drivers) -> tuple[Card, Chart | None, str]:
    """What ten per cent more and less of each lever does."""
    wide, narrow = swings(drivers, SWING, tuple(LEVERS)), swings(drivers, 0.01, tuple(LEVERS))
    if isinstance(wide, Reason):
        return _empty_tornado(), None, sentence(wide.text)
    if isinstance(narrow, Reason):
        return _empty_tornado(), None, sentence(narrow.text)
    table = wide.drop("elasticity").join(narrow.select("driver", "elasticity"), on="driver", how="left")
    names = [_(LEVERS[name][0]) for name in table["driver"]]
    card = replace(
        _empty_tornado(),
        title=_strongest(desk, table),
        note=_("change of equity \N{MIDDLE DOT} blue: 10 % more of each driver, amber: 10 % less"),
        rows=lambda: _tornado_rows(desk, table, names),
        frame=lambda: table,
    )
    low, high = (table[name].fill_null(np.nan).to_numpy() for name in ("low", "high"))
    alt = _("Change of customer equity by driver, {first} first").format(first=names[0])
    return card, tornado(names, low, high, partial(_signed, desk), alt), ""


def _tornado_rows(desk: Desk, table: pl.DataFrame, names: list[str]) -> list[list[str]]:
    show = desk.show
    return [
        [
            name,
            show.value(row["base"], LEVERS[row["driver"]][1]),
            show.change(row["low"], "money"),
            show.change(row["high"], "money"),
            show.value(row["elasticity"], "score"),
        ]
        for name, row in zip(names, table.iter_rows(named=True), strict=True)
    ]


def _strongest(desk: Desk, table: pl.DataFrame) -> str:
    """The finding: the driver of the largest elasticity, or those that share it."""
    known = table.drop_nulls("elasticity").with_columns(size=pl.col("elasticity").abs())
    if known.is_empty():
        return _("What moves equity")
    tied = known.filter(pl.col("size") >= pl.col("size").max() - 1e-6)
    names = [_(LEVERS[name][0]) for name in tied["driver"]]
    change = desk.show.relative(tied["elasticity"][0] / 100)
    if len(names) == 1:
        return _("{lever} moves equity most: {change} for 1 % more").format(lever=names[0], change=change)
    listed = ", ".join([names[0], *(name.lower() for name in names[1:])])
    return _("{levers} move equity most: {change} for 1 % more").format(levers=listed, change=change)


def _signed(desk: Desk, value: float) -> str:
    return f"{'+' if value > 0 else ''}{desk.show.axis(round(value, -2) or 0.0, 'money')}"


def _empty_tornado() -> Card:
    return Card(
        key="equity-tornado",
        title=_("What moves equity"),
        note="",
        definition={
            _("Change"): _("Equity with one driver changed by 10 % of itself, all others as they are"),
            _("Elasticity"): _("Per cent of equity for one per cent of the driver, at today's values"),
        },
        columns=[
            Column(_("Driver")),
            Column(_("Today"), "number"),
            Column(_("10 % less"), "number"),
            Column(_("10 % more"), "number"),
            Column(_("Elasticity"), "number"),
        ],
        rows=list,
        frame=pl.DataFrame,
    )


def _drivers(desk: Desk, found: Measured) -> None:
    """The measured drivers, with how each was measured."""
    show, drivers = desk.show, found.drivers
    heads = [Column(_("Driver")), Column(_("A year"), "number"), Column(_("Measured as"))]
    ways = {
        "retention": _("ordered in both years"),
        "margin_rate": _("margin over net revenue"),
        "orders": _("per customer who ordered"),
        "order_value": _("net revenue per order"),
        "acquisition_cost": _("spend per new customer"),
        "discount": _("assumed"),
    }
    rows = [
        [_(name), show.value(getattr(drivers, lever), unit), ways[lever]]
        for lever, (name, unit) in LEVERS.items()
    ]
    rows.append([_("Cost to serve"), show.money(drivers.cost_to_serve), _("service and retention")])
    with st.container(border=True, key="card-equity-drivers", height="stretch"):
        words = _("all rates are yearly \N{MIDDLE DOT} n = {n}").format(
            n=with_unit(round(drivers.customers), "customers", show)
        )
        st.html(markup.card_head(_("Measured drivers"), words))
        markup.show_table(heads, rows, _("Measured drivers"))
        markup.note(f"{_(_EXISTING[drivers.convention])} {_(_NEW)}")


def _segments(desk: Desk, scope: Scope, attribute: str, terms: asked.Terms) -> None:
    """Equity, drivers and elasticities of each value of an attribute."""
    markup.section(
        _("By {attribute}").format(attribute=filter_bar.heading(attribute).lower()),
        _("Elasticities computed from each segment's own drivers; 95 % intervals from its retention"),
    )
    heads = [
        Column(filter_bar.heading(attribute)),
        Column(_("Customers"), "number"),
        Column(_("Equity"), "number"),
        Column(_("95 % interval")),
        Column(_("Retention"), "number"),
        Column(_("Margin a year"), "number"),
        Column(_("Acquisition cost"), "number"),
        Column(_("1 % retention"), "number"),
        Column(_("1 % margin"), "number"),
    ]
    rows = [_segment(desk, value, each) for value, each in asked.by(desk, scope, attribute, terms).items()]
    opening_table(heads, rows, _("Segments"), key=f"equity.segments.{attribute}", opens=_open)
    markup.note(
        _(
            "Choose a segment for its drivers above and its customers below. 1 % retention and 1 % margin: "
            "by how much one existing customer's value rises. Acquisition cost is the channel's own where "
            "spending is split by channel, else the same for all."
        )
    )


def _open(value: str) -> None:
    st.session_state[SEGMENT] = value


def _customers(desk: Desk, scope: Scope, attribute: str, value: str) -> None:
    """The customers whom the drivers of a segment are measured on."""
    title = _("Customers of {segment}").format(segment=value)
    markup.section(title, _("who ordered in the year"))
    rows = asked.lists(desk, scope, "closing", (attribute, value))
    year_customers(desk, rows, f"equity.segment-{attribute}-{value}", f"customers-{attribute}", title)


def _segment(desk: Desk, value: str, found: Measured | Reason) -> list[str]:
    show = desk.show
    if isinstance(found, Reason):
        return [value, *[MISSING] * 2, sentence(found.text), *[MISSING] * 5]
    drivers, worth = found.drivers, customer_equity(found.drivers)
    rates = np.quantile(found.draws, [0.025, 0.975])
    bounds = [customer_equity(replace(drivers, retention=float(rate))) for rate in rates]
    low, high = (MISSING if isinstance(each, Reason) else show.money(each.total) for each in bounds)
    each = elasticities(drivers.retention, drivers.discount, drivers.convention, margin=drivers.margin)
    slopes = (None, None) if isinstance(each, Reason) else (each.retention / 100, each.margin / 100)
    return [
        value,
        show.count(drivers.customers),
        MISSING if isinstance(worth, Reason) else show.money(worth.total),
        _("{low} to {high}").format(low=low, high=high),
        show.percent(drivers.retention),
        show.exact_money(drivers.margin),
        show.exact_money(drivers.acquisition_cost),
        *(show.relative(slope) for slope in slopes),
    ]
