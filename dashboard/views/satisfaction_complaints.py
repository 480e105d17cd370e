"""Complaints and contacts: how many, how soon settled, and whether the customer buys again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import complaint_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction import Dots, dots
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import markup, respondents
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.overview_cards import trend_card
from metrics.complaints import ENOUGH, OUTCOMES, PUBLISHED, Loss, Outcome, Share, customers_lost, loyalty

NAMES: Final[Mapping[str, str]] = {
    "no contact": later("Said nothing"),
    "unsatisfied": later("Left unsatisfied"),
    "satisfied": later("Satisfied"),
    "satisfied quickly": later("Satisfied quickly"),
}
DAYS: Final = (90, 180, 365, 30)
LEAST: Final = 30
SIZES: Final = {"large": later("large loss"), "small": later("small loss")}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section for the year up to the end of the scope's period."""
    asked.needs_contacts(desk)
    _figures(desk, scope)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*trend_card(desk, "complaints_per_1000_orders", scope))
    with right:
        _topics(desk, scope)
    days = _choice(desk)
    wide, narrow = st.columns([3, 2])
    with wide:
        card, chart, otherwise = _outcomes(desk, scope, days)
        chart_card(card, chart, otherwise, respondents.of_chart(chart))
    with narrow:
        _damage(desk, scope, days)
    _open(desk, scope)


def _figures(desk: Desk, scope: Scope) -> None:
    found, show = asked.service_of_year(desk, scope), desk.show
    first, last = asked.year(desk, scope)
    markup.note(_("The year from {first} to {last}").format(first=show.day(first), last=show.day(last)))
    hours = found.median_hours
    figure_row(
        [
            Stated(
                _("Complaints"),
                show.count(found.complaints),
                _("{n} contacts in all, {open} of them open").format(
                    n=show.count(found.contacts), open=show.count(found.open)
                ),
            ),
            Stated(_("Settled at once"), _share(desk, found.first_time), _of(desk, found.first_time)),
            Stated(_("Back within 30 days"), _share(desk, found.again), _of(desk, found.again)),
            Stated(
                _("Half settled within"),
                MISSING if hours is None else _("{n} h").format(n=show.decimal(hours, 1)),
                _("open ones count for as long as they are open"),
            ),
        ],
        "complaints",
    )


def _share(desk: Desk, share: Share) -> str:
    return MISSING if share.value is None else desk.show.percent(share.value)


def _of(desk: Desk, share: Share) -> str:
    if share.bounds is None:
        return _("no contact is 30 days old yet")
    low, high = (desk.show.percent(bound) for bound in share.bounds)
    words = _("95 %: {low} to {high} \N{MIDDLE DOT} of {n} first contacts")
    return words.format(low=low, high=high, n=desk.show.count(share.n))


def _topics(desk: Desk, scope: Scope) -> None:
    table, show = asked.topics(desk, scope), desk.show
    heads = [Column(_("Topic")), Column(_("Contacts"), "number"), Column(_("Complaints"), "number")]
    rows = [
        [str(topic or _("not known")), show.count(contacts), show.count(complaints)]
        for topic, contacts, complaints in table.iter_rows()
    ]
    with st.container(border=True, key="card-topics", height="stretch"):
        words = _("visits left out; more complaints after contact became easier are not worse service")
        st.html(markup.card_head(_("What they are about"), words))
        markup.show_table(heads, rows, _("Topics"))


def _choice(desk: Desk) -> int:
    head, pick = st.columns([3, 1], vertical_alignment="bottom")
    with head:
        markup.section(_("After a problem"), _("who bought again, by how the problem ended"))
    with pick:
        chosen = st.selectbox(
            _("Bought again within"),
            DAYS,
            format_func=lambda days: _("{n} days").format(n=days),
            key="satisfaction.again",
            bind="query-params",
        )
    return chosen or DAYS[0]


def _outcomes(desk: Desk, scope: Scope, days: int) -> tuple[Card, Chart | None, str]:
    show, table = desk.show, asked.outcomes(desk, scope, days)
    percent = partial(show.value, unit="rate")
    card = Card(
        key="outcomes",
        title=_finding(desk, table),
        note=_(
            "share with an order within {days} days of their first problem \N{MIDDLE DOT} n = {n} "
            "\N{MIDDLE DOT} association, not cause"
        ).format(days=days, n=show.count(int(table["n"].sum()))),
        definition={
            _("Problem"): _("A customer's first complaint, or late delivery; {days} days old or more").format(
                days=days
            ),
            _("Said nothing"): _("Delivered late, and no contact of any kind in the 30 days after the order"),
            _("Interval"): _("Wilson's, 95 %"),
        },
        columns=[
            Column(_("Outcome")),
            *(Column(head, "number") for head in (_("Customers"), _("Bought again"), _("Share"))),
            Column(_("95 % interval")),
        ],
        rows=lambda: [
            [
                _(NAMES[row["outcome"]]),
                show.count(row["n"]),
                show.count(row["again"]),
                percent(row["share"]),
                f"{percent(row['lower'])} {_('to')} {percent(row['upper'])}",
            ]
            for row in table.iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    known = table.filter(pl.col("n") >= LEAST)
    if known.is_empty():
        return card, None, _("No outcome has {n} customers yet.").format(n=LEAST)
    data = Dots(
        names=[_(NAMES[name]) for name in known["outcome"]],
        values=known["share"].to_numpy(),
        lower=known["lower"].to_numpy(),
        upper=known["upper"].to_numpy(),
        notes=[_note(desk, row) for row in known.iter_rows(named=True)],
        beside=np.full(len(known), np.nan),
        words=("", ""),
        ids=[f"outcome|{days}|{name}" for name in known["outcome"]],
    )
    return card, dots(data, partial(show.axis, unit="rate"), card.title), ""


def _note(desk: Desk, row: Mapping[str, object]) -> str:
    percent = partial(desk.show.value, unit="rate")
    words = _("{name}: {share} ({low} to {high}) of {n}")
    return words.format(
        name=_(NAMES[str(row["outcome"])]),
        share=percent(row["share"]),  # type: ignore[arg-type]  # a float column
        low=percent(row["lower"]),  # type: ignore[arg-type]  # a float column
        high=percent(row["upper"]),  # type: ignore[arg-type]  # a float column
        n=row["n"],
    )


def _finding(desk: Desk, table: pl.DataFrame) -> str:
    """Whether those left unsatisfied buy less than those satisfied, by intervals that do not meet."""
    rows = {row["outcome"]: row for row in table.iter_rows(named=True)}
    bad, good = rows["unsatisfied"], rows["satisfied quickly"]
    if min(bad["n"], good["n"]) < LEAST or bad["upper"] >= good["lower"]:
        return _("Buying again, by how the problem ended")
    percent = partial(desk.show.value, unit="rate")
    words = _("{bad} of those left unsatisfied buy again, {good} of those satisfied quickly")
    return words.format(bad=percent(bad["share"]), good=percent(good["share"]))


def _damage(desk: Desk, scope: Scope, days: int) -> None:
    """Customers lost by problems a year, from own rates where there are enough customers."""
    found, table, show = asked.base(desk, scope), asked.outcomes(desk, scope, days), desk.show
    with st.container(border=True, key="card-damage", height="stretch"):
        words = _("market damage: what problems cost in customers a year, by formula")
        st.html(markup.card_head(_("Customers at stake"), words))
        if not found.customers or not found.troubled:
            markup.note(_("Nobody had a problem in this year."))
            return
        size = st.segmented_control(
            _("Where own rates are lacking"),
            list(SIZES),
            default="large",
            required=True,
            format_func=lambda name: _(SIZES[name]),
            key="satisfaction.loss",
            bind="query-params",
            help=_(
                "TARP's published rates after a large or a small loss stand in where under 100 customers are"
            ),
        )
        loss: Loss = "small" if size == "small" else "large"
        rates = loyalty(table, loss)
        _damage_table(desk, rates, loss)
        lost = _lost(found, table, rates)
        sentence = _(
            "{n} of {customers} customers had a late delivery or complained, {share} of them spoke. By these "
            "rates {lost} of them are not seen again within {days} days."
        )
        markup.note(
            sentence.format(
                n=show.count(found.troubled),
                customers=show.count(found.customers),
                share=show.percent(found.complained / found.troubled),
                lost=show.count(round(lost)),
                days=days,
            )
        )


def _lost(found: asked.Base, table: pl.DataFrame, rates: Mapping[Outcome, tuple[float, bool]]) -> float:
    spoken = table.filter(pl.col("outcome") != "no contact")["n"].to_numpy().astype(float)
    mix = spoken / spoken.sum() if spoken.sum() else np.array([0.5, 0.25, 0.25])
    return customers_lost(
        found.customers,
        found.troubled / found.customers,
        found.complained / found.troubled,
        mix.tolist(),
        [rates[name][0] for name in OUTCOMES],
    )


def _damage_table(desk: Desk, rates: Mapping[Outcome, tuple[float, bool]], loss: Loss) -> None:
    heads = [Column(_("Outcome")), Column(_("Buy again"), "number"), Column(_("From"))]
    heads.append(Column(_("TARP"), "number"))
    percent = partial(desk.show.percent, digits=0)
    rows = [
        [
            _(NAMES[name]),
            percent(rate),
            _("own customers") if own else _("published, under {n} own").format(n=ENOUGH),
            percent(PUBLISHED[loss][name]),
        ]
        for name, (rate, own) in rates.items()
    ]
    markup.show_table(heads, rows, _("Rates"))


def _open(desk: Desk, scope: Scope) -> None:
    """The drawer of the outcome that was clicked."""
    kind, *parts = (respondents.taken() or "").split("|")
    if kind != "outcome" or len(parts) != 2 or parts[1] not in OUTCOMES:
        return
    days, outcome = int(parts[0]), parts[1]
    respondents.drawer(
        desk,
        _(NAMES[outcome]),
        _("Their first problem, and whether they ordered within {days} days after it.").format(days=days),
        lambda: asked.customers_of(desk, scope, days, outcome),
        {"on": _("Problem on"), "again": _("Bought again")},
    )
