"""Lifecycle: who came, stayed, came back and went; between which states; and when silence means lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import movement_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.lifecycle import Layer, balance, flow
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.lifecycle import STATES
from metrics.periods import Grain

KEY: Final = "retention"
ACTIVE: Final = ("new", "retained", "reactivated")
NAMES: Final[Mapping[str, str]] = {
    "unborn": later("Not yet customers"),
    "new": later("New"),
    "retained": later("Retained"),
    "reactivated": later("Reactivated"),
    "churned": later("Not again"),
    "dormant": later("Dormant"),
    "lost": later("Lost"),
}
WORDS: Final[Mapping[str, str]] = {
    "new": later("ordered for the first time ever"),
    "retained": later("ordered in the period before and again"),
    "reactivated": later("ordered once, not in the period before, and again"),
    "churned": later("ordered in the period before and not in this one; many of them come back"),
    "dormant": later("silent, but not longer than the own rhythm allows"),
    "lost": later("silent for longer than the own rhythm or season allows"),
}
LISTS: Final[Mapping[str, str]] = {
    "churned": later("Ordered before, not again"),
    "new": later("New"),
    "retained": later("Retained"),
    "reactivated": later("Reactivated"),
    "lost": later("Lost"),
    "due": later("Will count as lost within 30 days"),
    "seasonal": later("Seasonal"),
}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    table = asked.lifecycle(desk, scope)
    if not table["active"].sum():
        fault = _("No customer ordered in these periods. Widen the filters, or choose a later period.")
        states.empty("group_off", _("No orders in these periods"), fault)
        return
    _notices(desk)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*_bars(desk, scope, table))
    with right:
        chart_card(*_flow(desk, scope))
    _shifts(desk, scope)
    _judgement(desk, scope)
    _customers(desk, scope)


def _notices(desk: Desk) -> None:
    lacking = asked.months_lacking(desk)
    if lacking:
        text = _(
            "Seasonal customers cannot be told yet: {n} more months of history are needed for 25. Until then "
            "a customer who buys each December may count as lost in summer."
        )
        markup.notice(text.format(n=lacking))


def _bars(desk: Desk, scope: Scope, table: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    show, read = desk.show, desk.read
    kinds = ("retained", "reactivated", "new", "churned")
    last = table.row(-1, named=True)
    card = Card(
        key="lifecycle",
        title=_bars_finding(desk, scope, last),
        note=_("customers by {grain}, those who did not order again below \N{MIDDLE DOT} as of {day}").format(
            grain=_(GRAINS[scope.grain]).lower(), day=show.day(desk.as_of)
        ),
        definition={_(NAMES[kind]): _(WORDS[kind]) for kind in kinds}
        | {
            _("Quick ratio"): _(
                "(new + reactivated) / not again; above 1 the number of active customers grows"
            )
        },
        columns=_bar_columns(),
        rows=lambda: [_bar_row(desk, scope, row) for row in table.reverse().iter_rows(named=True)],
        frame=lambda: table.with_columns(
            period=pl.Series([read.period(code, scope.grain) for code in table["period"]])
        ),
    )
    if len(table) < 2:
        return card, None, _("Bars need at least two periods.")
    layers = [
        Layer(
            kind, _(NAMES[kind]), table[kind].cast(pl.Float64).to_numpy() * (-1 if kind == "churned" else 1)
        )
        for kind in kinds
    ]
    periods = [read.tick(code, scope.grain) for code in table["period"]]
    number = partial(show.decimal, digits=0)
    return card, balance(periods, layers, number, partial(show.axis, unit="count"), card.title), ""


def _bar_columns() -> list[Column]:
    heads = [_("Active"), *(_(NAMES[kind]) for kind in ("new", "retained", "reactivated", "churned"))]
    heads += [_("Quick ratio"), _("Dormant"), _("Lost")]
    return [Column(_("Period")), *(Column(head, "number") for head in heads)]


def _bar_row(desk: Desk, scope: Scope, row: Mapping[str, object]) -> list[str]:
    counts = [row[name] for name in ("active", "new", "retained", "reactivated", "churned")]
    ratio = row["quick_ratio"]
    still = [row[name] for name in ("dormant", "lost")]
    return [
        desk.read.period(int(str(row["period"])), scope.grain),
        *(desk.show.decimal(int(str(count)), 0) for count in counts),
        desk.show.value(ratio if isinstance(ratio, float) else None, "ratio"),
        *(desk.show.decimal(int(str(count)), 0) for count in still),
    ]


def _bars_finding(desk: Desk, scope: Scope, last: Mapping[str, object]) -> str:
    """Whether more came than went in the scope's period."""
    gained = int(str(last["new"])) + int(str(last["reactivated"]))
    words = {
        "gained": desk.show.decimal(gained, 0),
        "gone": desk.show.decimal(int(str(last["churned"])), 0),
        "period": desk.read.period(scope.period, scope.grain, long=True),
    }
    ratio = last["quick_ratio"]
    if not isinstance(ratio, float):
        return _("{gained} came or came back in {period}").format(**words)
    text = _("{gained} came or came back, {gone} did not order again in {period}: quick ratio {ratio}")
    return text.format(ratio=desk.show.decimal(ratio, 2), **words)


def _moves(desk: Desk, scope: Scope) -> dict[tuple[str, str], int]:
    counts = asked.state_changes(desk, scope).group_by("before", "now").len()
    return {(before, now): count for before, now, count in counts.iter_rows()}


def _flow(desk: Desk, scope: Scope) -> tuple[Card, Chart | None, str]:
    """From the states of the period before to those of this one; who stays lost is left out, being most."""
    moves = _moves(desk, scope)
    before, now = (desk.read.period(code, scope.grain) for code in (scope.period - 1, scope.period))
    moving = {pair: n for pair, n in moves.items() if pair[0] != pair[1] or pair[0] == "retained"}
    names = {key: _(NAMES[key]) for key in STATES}
    left = {key: names[key] for key in STATES if any(pair[0] == key for pair in moving)}
    right = {key: names[key] for key in STATES if any(pair[1] == key for pair in moving)}
    show = desk.show
    card = Card(
        key="flow",
        title=_flow_finding(desk, moves, before, now),
        note=_("customers who changed state or were retained; everybody is in the table of this card"),
        definition={names[key]: _(WORDS[key]) for key in STATES if key in WORDS},
        columns=_matrix_columns(moves),
        rows=lambda: _matrix(desk, moves),
        frame=lambda: pl.DataFrame(
            [(a, b, n) for (a, b), n in sorted(moves.items())],
            schema=["before", "now", "customers"],
            orient="row",
        ),
    )
    if not moving:
        return card, None, _("Nobody moved between these two periods.")
    return card, flow(left, right, moving, partial(show.decimal, digits=0), card.title), ""


def _flow_finding(desk: Desk, moves: Mapping[tuple[str, str], int], before: str, now: str) -> str:
    """How many of those who were active are so again, and how many of the silent have come back."""
    asked_ = sum(n for (state, _now), n in moves.items() if state in ACTIVE)
    if not asked_:
        return _("From {before} to {now}").format(before=before, now=now)
    again, back = (
        sum(n for (_before, state), n in moves.items() if state == reached)
        for reached in ("retained", "reactivated")
    )
    number = partial(desk.show.decimal, digits=0)
    text = _("{again} of the {n} active in {before} ordered again in {now}; {back} came back")
    return text.format(again=number(again), n=number(asked_), before=before, now=now, back=number(back))


def _reached(moves: Mapping[tuple[str, str], int]) -> list[str]:
    """The states in which customers are now."""
    return [key for key in STATES if any(pair[1] == key for pair in moves)]


def _matrix_columns(moves: Mapping[tuple[str, str], int]) -> list[Column]:
    names = [_(NAMES[key]) for key in _reached(moves)]
    return [Column(_("From")), *(Column(name, "number") for name in names), Column(_("All"), "number")]


def _matrix(desk: Desk, moves: Mapping[tuple[str, str], int]) -> list[list[str]]:
    """How many customers went from which state (down) into which (across)."""
    rows = []
    for key in STATES:
        counts = [moves.get((key, other), 0) for other in _reached(moves)]
        if sum(counts):
            cells = [desk.show.decimal(n, 0) if n else "" for n in counts]
            rows.append([_(NAMES[key]), *cells, desk.show.decimal(sum(counts), 0)])
    return rows


def _judgement(desk: Desk, scope: Scope) -> None:
    """How lapses are judged, and how often the judgement was wrong."""
    show = desk.show
    found = asked.standings(desk, scope)
    lost = int(found["lapsed"].sum() or 0)
    seasonal = int(found["season"].is_not_null().sum())
    markup.section(_("When silence means lost"), _("Judged from each customer's own rhythm of ordering"))
    middle = found["lapse_days"].median()
    if not isinstance(middle, float):
        markup.note(_("Nobody has ordered on two days yet: no rhythm is known, and nobody is called lost."))
        return
    text = _(
        "Silent for longer than nine in ten of their own gaps, drawn towards those of their channel: {lost} "
        "of {n}. The limit is {days} days in the middle; {seasonal} who buy in one season only are judged by "
        "it."
    )
    markup.note(
        text.format(
            lost=show.decimal(lost, 0),
            n=with_unit(len(found), "customers", show),
            days=show.decimal(middle, 0),
            seasonal=show.decimal(seasonal, 0),
        )
    )
    for row in asked.seasons_that_stand_out(desk, scope).iter_rows(named=True):
        month = desk.show.month_alone(date(2024, row["month"], 1))
        said = _(
            "{month} stands out: {n} customers buy around it only, {expected} would by chance and the market."
        )
        markup.notice(
            said.format(
                month=month,
                n=show.decimal(row["customers"], 0),
                expected=show.decimal(row["expected"], 0),
            )
        )
    _tested(desk, scope)


def _shifts(desk: Desk, scope: Scope) -> None:
    """Whose retention moved apart from everybody else's."""
    grain, period = asked.shift_period(desk, scope)
    span = _("the year {period}") if grain is Grain.YEAR else _("three quarters up to {period}")
    markup.section(
        _("Where retention moved"),
        _("Against all others, {span}, and the same time last year").format(
            span=span.format(period=desk.read.period(period, grain))
        ),
    )
    found = asked.retention_shifts(desk, scope)
    if found.is_empty():
        markup.note(_("No group's retention moved differently from the rest by more than chance."))
        return
    heads = [Column(_("Who")), Column(_("Last year"), "number"), Column(_("Now"), "number")]
    heads += [Column(_("Others last year"), "number"), Column(_("Others now"), "number")]
    heads += [Column(_("Moved apart"), "number"), Column(_("95 % interval")), Column("n", "number")]
    rows = [_shift(desk, row) for row in found.iter_rows(named=True)]
    markup.show_table(heads, rows, _("Where retention moved"))
    markup.note(
        _(
            "Share of a quarter's active customers who were active again in the next. At most one in twenty "
            "of the attributes named here is so by chance (Benjamini-Hochberg). n: customers."
        )
    )


def _shift(desk: Desk, row: Mapping[str, object]) -> list[str]:
    show = desk.show
    rates = (float(str(row[name])) for name in ("reference", "now", "others_reference", "others_now"))
    shift, lower, upper = (show.change(float(str(row[name])), "rate") for name in ("shift", "lower", "upper"))
    return [
        f"{heading(str(row['attribute']))}: {row['value']}",
        *(show.percent(rate) for rate in rates),
        shift,
        f"{lower} {_('to')} {upper}",
        show.decimal(int(str(row["n"])), 0),
    ]


def _tested(desk: Desk, scope: Scope) -> None:
    """The back-test in a table."""
    show = desk.show
    heads = [
        Column(_("Judged on")),
        Column(_("Customers"), "number"),
        Column(_("Called lost"), "number"),
        Column(_("Bought within")),
        Column(_("of them"), "number"),
        Column(_("Falsely called lost"), "number"),
        Column(_("Silent, not called lost"), "number"),
    ]
    rows = [
        [
            show.day(row["judged_on"]),
            show.decimal(row["customers"], 0),
            show.decimal(row["lapsed"], 0),
            _("{n} days").format(n=row["horizon_days"]),
            show.decimal(row["came_back"], 0),
            show.value(row["false_lapse_rate"], "rate"),
            show.decimal(row["missed"], 0),
        ]
        for row in asked.back_test(desk, scope).iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Back-test of the judgement"))


def _customers(desk: Desk, scope: Scope) -> None:
    """The customers behind the bars and the judgement."""
    chosen = st.selectbox(
        _("Customers"),
        list(LISTS),
        format_func=lambda name: _(LISTS[name]),
        key=f"{KEY}.list",
        bind="query-params",
        width=360,
    )
    name = chosen or "churned"
    match name:
        case "churned":
            rows = asked.churned_customers(desk, scope)
        case "due":
            rows = asked.due_customers(desk, scope)
        case "seasonal":
            rows = asked.seasonal_customers(desk, scope)
        case _:
            rows = asked.moved_customers(desk, scope, None, name)
    customer_list(
        desk,
        rows,
        key=f"{KEY}.customers-{name}",
        file=f"customers-{name}",
        label=_(LISTS[name]),
        names=_headings(desk, scope),
    )


def _headings(desk: Desk, scope: Scope) -> dict[str, str]:
    return {
        "before": desk.read.period(scope.period - 1, scope.grain),
        "now": desk.read.period(scope.period, scope.grain),
        "net_amount": _("Revenue ever"),
        "last_order_on": _("Last order"),
        "gaps": _("Gaps"),
        "silent_days": _("Silent days"),
        "lapse_days": _("Allowed"),
        "lapses_on": _("Lost from"),
        "season": _("Season (month)"),
        "lapsed": _("Lost"),
    }
