"""Contracts: what happened to recurring revenue, what is kept of it, who leaves, what ends soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import movement_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.lifecycle import Layer, balance
from dashboard.charts.retention import Curve, curves
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.markup import Column
from dashboard.retention_data import with_ids
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from metrics.periods import Grain
from metrics.recurring import MOVEMENTS, impossible, renewal_months

KEY: Final = "retention"
NAMES: Final[Mapping[str, str]] = {
    "start": later("At the start"),
    "new": later("New"),
    "reactivation": later("Reactivated"),
    "expansion": later("Expansion"),
    "contraction": later("Contraction"),
    "churn": later("Churn"),
    "end": later("At the end"),
}
WORDS: Final[Mapping[str, str]] = {
    "new": later("monthly amount of customers who never had a contract before"),
    "reactivation": later("of customers who had one once, but none at the start"),
    "expansion": later("the rise at customers under contract at both ends"),
    "contraction": later("the fall at customers under contract at both ends"),
    "churn": later("of customers who have no contract left"),
}
KEPT: Final[Mapping[str, str]] = {
    "nrr": later("Net revenue kept"),
    "grr": later("Gross revenue kept"),
    "logo_churn": later("Customers lost"),
}
LOSSES: Final = ("contraction", "churn")
AHEAD: Final = 90
WHATS: Final[Mapping[str, tuple[str, str]]] = {
    "ends": (later("Ends"), later("has a last day, and no later contract of the customer is signed")),
    "renews": (
        later("Renews"),
        later("has no last day: the next quarter or year begins unless the customer leaves"),
    ),
}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    table = asked.contracts(desk, scope)
    if table.is_empty() or not (table["start_n"].sum() or table["end_n"].sum()):
        fault = _("Nobody was under contract in these periods. Widen the filters, or choose a later period.")
        states.empty("contract", _("No contracts in these periods"), fault)
        return
    _notices(desk, scope)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*_movements(desk, scope, table))
    with right:
        chart_card(*_kept(desk, scope, table))
    due = asked.contract_renewals(desk, scope)
    left, right = st.columns([4, 7])
    with left:
        chart_card(*_calendar(desk, due))
    with right:
        _table(desk, scope, table)
    _renewals(desk, due)


def _notices(desk: Desk, scope: Scope) -> None:
    rows = asked.contract_rows(desk, scope).lazy()
    wrong, twice = impossible(rows), asked.contract_overlaps(desk, scope)
    if wrong:
        text = ngettext(
            "{n} contract ends on or before its first day. It is left out; mend its dates.",
            "{n} contracts end on or before their first day. They are left out; mend their dates.",
            wrong,
        )
        markup.notice(text.format(n=desk.show.decimal(wrong, 0)))
    if twice:
        text = ngettext(
            "{n} customer has several contracts at once; their amounts add up.",
            "{n} customers have several contracts at once; their amounts add up.",
            twice,
        )
        markup.notice(text.format(n=desk.show.decimal(twice, 0)))


def _period(desk: Desk, scope: Scope, row: Mapping[str, object]) -> str:
    return desk.read.period(desk.calendar.code(row["end_on"], scope.grain), scope.grain)  # type: ignore[arg-type]  # a date


def _movements(desk: Desk, scope: Scope, table: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    show = desk.show
    last = table.row(-1, named=True)
    card = Card(
        key="mrr",
        title=_("Monthly recurring revenue: {end} at the end of {period}, {change} in it").format(
            end=show.money(last["end"]),
            period=_period(desk, scope, last),
            change=show.change(last["end"] - last["start"], "money"),
        ),
        note=_(
            "by {grain}, {currency} a month \N{MIDDLE DOT} losses below \N{MIDDLE DOT} as of {day}"
        ).format(grain=_(GRAINS[scope.grain]).lower(), currency=show.currency, day=show.day(desk.as_of)),
        definition={_(NAMES[kind]): _(WORDS[kind]) for kind in MOVEMENTS},
        columns=[Column(_("Period")), *(Column(_(name), "number") for name in NAMES.values())],
        rows=lambda: [
            [_period(desk, scope, row), *(show.exact_money(row[name]) for name in NAMES)]
            for row in table.reverse().iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    if len(table) < 2:
        return card, None, _("Bars need at least two periods.")
    layers = [
        Layer(kind, _(NAMES[kind]), table[kind].cast(pl.Float64).to_numpy() * (-1 if kind in LOSSES else 1))
        for kind in MOVEMENTS
    ]
    codes = [desk.calendar.code(day, scope.grain) for day in table["end_on"]]
    money = partial(show.axis, unit="money")
    return (
        card,
        balance([desk.read.tick(code, scope.grain) for code in codes], layers, money, money, card.title),
        "",
    )


def _kept(desk: Desk, scope: Scope, table: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    show = desk.show
    last = table.row(-1, named=True)
    share = partial(show.value, unit="rate")
    card = Card(
        key="revenue-kept",
        title=_("Of the revenue at the start of {period}, {net} is there at its end").format(
            period=_period(desk, scope, last), net=share(last["nrr"])
        ),
        note=_("customers under contract at the start of each {grain} only").format(
            grain=_(GRAINS[scope.grain]).lower()
        ),
        definition={
            _(KEPT["nrr"]): _("(start + expansion - contraction - churn) / start"),
            _(KEPT["grr"]): _(
                "(start - contraction - churn) / start; a rise at one makes up for no fall at another"
            ),
        },
        columns=[Column(_("Period")), *(Column(_(name), "number") for name in KEPT.values())],
        rows=lambda: [
            [_period(desk, scope, row), *(share(row[name]) for name in KEPT)]
            for row in table.reverse().iter_rows(named=True)
        ],
        frame=lambda: table.select("start_on", "end_on", *KEPT),
    )
    known = table.filter(pl.col("nrr").is_not_null())
    if len(known) < 2:
        return card, None, _("A curve needs two periods with contracts at their start.")
    at = np.arange(len(known), dtype=np.float64)
    lines = [Curve(_(KEPT[name]), at, known[name].to_numpy()) for name in ("nrr", "grr")]
    low = float(known["grr"].to_numpy().min())
    codes = [desk.calendar.code(day, scope.grain) for day in known["end_on"]]
    names = [desk.read.tick(code, scope.grain) for code in codes]
    chart = curves(
        lines,
        partial(show.axis, unit="rate"),
        lambda place: names[int(place)] if place < len(names) else "",
        card.title,
        low=max(0.0, low - 0.05),
        high=max(1.0, float(known["nrr"].to_numpy().max())) + 0.02,
    )
    return card, chart, ""


def _table(desk: Desk, scope: Scope, table: pl.DataFrame) -> None:
    """Customers: at the start, who came and went, with churn and its interval."""
    show = desk.show
    names = ("start", "new", "reactivation", "churn", "end")
    heads = [Column(_("Period")), *(Column(_(NAMES[name]), "number") for name in names)]
    heads += [Column(_("Lost"), "number"), Column(_("95 %"))]
    rows = []
    for row in table.reverse().head(6).iter_rows(named=True):
        counts = [show.decimal(row[f"{name}_n"], 0) for name in names]
        lower, upper = row["logo_churn_lower"], row["logo_churn_upper"]
        bounds = ""
        if lower is not None:
            bounds = f"{show.decimal(100 * lower, 1)}\N{EN DASH}{show.decimal(100 * upper, 1)}"
        rows.append([_period(desk, scope, row), *counts, show.value(row["logo_churn"], "rate"), bounds])
    title = _churn_finding(desk, scope, table.row(-1, named=True))
    note = _("customers under contract: start + new + reactivated - churn = end")
    with st.container(border=True, key="card-under-contract", height="stretch"):
        st.html(markup.card_head(title, note))
        markup.show_table(heads, rows, _("Customers under contract"))


def _churn_finding(desk: Desk, scope: Scope, last: Mapping[str, object]) -> str:
    if not last["start_n"]:
        return _("Customers under contract")
    text = _("{gone} of {n} customers left in {period}")
    return text.format(
        gone=desk.show.decimal(int(str(last["churn_n"])), 0),
        n=desk.show.decimal(int(str(last["start_n"])), 0),
        period=_period(desk, scope, last),
    )


def _calendar(desk: Desk, due: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    """What ends or renews in the months ahead."""
    show, months = desk.show, renewal_months(due)
    soon = due.filter(pl.col("due_on") <= desk.as_of + timedelta(days=AHEAD))
    card = Card(
        key="renewals",
        title=_("{money} a month ends or renews within {days} days").format(
            money=show.value(float(soon["mrr"].sum() or 0), "money"), days=AHEAD
        ),
        note=_("recurring revenue by the month in which it is due \N{MIDDLE DOT} as of {day}").format(
            day=show.day(desk.as_of)
        ),
        definition={_(WHATS[name][0]): _(WHATS[name][1]) for name in WHATS},
        columns=[
            Column(_("Month")),
            Column(_("It then")),
            *(Column(head, "number") for head in (_("Contracts"), _("A month"))),
        ],
        rows=lambda: [
            [show.month(month), _(WHATS[what][0]), show.decimal(n, 0), show.exact_money(mrr)]
            for month, what, n, mrr in months.iter_rows()
        ],
        frame=lambda: months,
    )
    if months.is_empty():
        return (
            card,
            None,
            _("No contract is due within a year. Those by the month renew all the time."),
        )
    return card, _calendar_chart(desk, months, card.title), ""


def _calendar_chart(desk: Desk, months: pl.DataFrame, title: str) -> Chart:
    first = desk.calendar.code(desk.as_of, Grain.MONTH)
    last = desk.calendar.code(months["month"][-1], Grain.MONTH)
    codes = range(first, max(last, first + 1) + 1)
    starts = [desk.calendar.start(code, Grain.MONTH) for code in codes]
    layers = []
    for name in WHATS:
        found = dict(months.filter(pl.col("what") == name).select("month", "mrr").iter_rows())
        amounts = np.array([float(found.get(start, 0)) for start in starts])
        layers.append(Layer("retained" if name == "renews" else "churned", _(WHATS[name][0]), amounts))
    money = partial(desk.show.axis, unit="money")
    ticks = [desk.read.tick(code, Grain.MONTH) for code in codes]
    return balance(ticks, layers, money, money, title)


def _renewals(desk: Desk, due: pl.DataFrame) -> None:
    """The contracts that are due, soonest first."""
    if due.is_empty():
        return
    markup.section(_("Renewals"), _("Contracts that are due within a year, the soonest first"))
    named = {name: _(WHATS[name][0]) for name in WHATS}
    customer_list(
        desk,
        with_ids(desk, due.with_columns(pl.col("what").replace(named))),
        key=f"{KEY}.renewals",
        file="renewals",
        label=_("Renewals"),
        names={
            "due_on": _("Due on"),
            "what": _("It then"),
            "subscription_id": _("Contract"),
            "mrr": _("A month"),
        },
        counts="contracts",
    )
