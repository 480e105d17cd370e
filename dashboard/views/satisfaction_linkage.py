"""From feeling to orders: what the same customers did after their answers, and what a gap costs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import linkage_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.charts.satisfaction import Dots, dots
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.linkage_data import GROUPS, Felt
from dashboard.parts import markup, respondents, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.survey_words import between, dimension, is_sure, p_value
from dashboard.text import gettext as _
from dashboard.views import satisfaction_bands, satisfaction_quality
from dashboard.views.satisfaction_bands import felt_name
from dashboard.views.satisfaction_respondents import name
from metrics.instruments import Instrument
from metrics.reasons import Reason

DAYS: Final = (90, 30, 180, 365)
Drawn = tuple[Card, Chart | None, str]


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section: the sample, curves by what was felt, slopes of dimensions, return on quality."""
    known = asked.feelings(desk)
    if not known:
        states.empty("link_off", _("No answers to follow"), _("Nobody was asked anything yet."))
        return
    felt, days = _choices(desk, known)
    rows = asked.behaviour(desk, scope, felt.instrument, days)
    mature = rows.filter("mature")
    text = _(
        "{n} answers of known customers, {mature} of them {days} days old or more; {returned} were followed "
        "by an order in time. These figures say what goes together, not what causes what: whoever is "
        "satisfied may be the one who would have come back anyway."
    )
    count = desk.show.count
    returned = int(mature["returned"].sum())
    markup.note(
        text.format(n=count(len(rows)), mature=count(len(mature)), days=days, returned=count(returned))
    )
    shown = asked.curve(desk, scope, felt, days)
    if isinstance(shown, Reason):
        states.empty("link_off", _("Nothing can be linked here"), sentence(shown.text))
    else:
        _curves(desk, scope, felt, days)
    _dimensions(desk, scope, felt.instrument, days)
    _sample(desk, scope, felt.instrument, days)
    satisfaction_bands.open_chosen(desk, scope, felt, days)


def _choices(desk: Desk, known: list[Felt]) -> tuple[Felt, int]:
    names = {each.key: each for each in known}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        key = st.selectbox(
            _("What was felt"),
            list(names),
            format_func=lambda name: felt_name(desk, names[name]),
            key="satisfaction.felt",
            bind="query-params",
            width=340,
        )
        days = st.selectbox(
            _("Order within"),
            DAYS,
            format_func=lambda n: _("{n} days").format(n=n),
            key="satisfaction.days",
            bind="query-params",
            width=160,
        )
    return names[key or known[0].key], days or DAYS[0]


def _curves(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    left, right = st.columns(2)
    with left:
        satisfaction_bands.draw_curves(desk, scope, felt, days)
    with right:
        chart_card(*_chance(desk, scope, felt, days))
    satisfaction_bands.draw_table(desk, scope, felt, days)


def _chance(desk: Desk, scope: Scope, felt: Felt, days: int) -> Drawn:
    """The chance to return along the score, controls held."""
    found = asked.curve(desk, scope, felt, days)
    assert not isinstance(found, Reason)
    table, percent = found.table, partial(desk.show.value, unit="rate")
    bend = _("a straight line on the logit scale") if not is_sure(found.bend_p) else _("bent")
    title = _("No relation beyond chance")
    if is_sure(found.p_value):
        low, high = percent(table["chance"][0]), percent(table["chance"][-1])
        title = _("Chance of an order within {days} days: {low} to {high}").format(
            days=days, low=low, high=high
        )
    card = Card(
        key="linkage-chance",
        title=title,
        note=_(
            "along {what}, orders, recency and value before held \N{MIDDLE DOT} n = {n} \N{MIDDLE DOT} {bend}"
        ).format(
            what=felt_name(desk, felt).split(" \N{MIDDLE DOT} ", maxsplit=1)[0].lower(),
            n=desk.show.count(found.n),
            bend=bend,
        ),
        definition={
            _("Model"): _(
                "Logistic regression with a restricted cubic spline of four knots; everybody is given each "
                "score in turn, so that the curve is about these respondents"
            ),
            _("Interval"): _("95 %, robust to several answers of one customer"),
            _("Fit"): _("penalised (Firth), because the data are few or separate")
            if found.penalised
            else _("maximum likelihood"),
        },
        columns=[
            Column(_("Score"), "number"),
            *(Column(head, "number") for head in (_("Chance"), _("At least"), _("At most"))),
        ],
        rows=lambda: [
            [desk.show.decimal(row[0], 2), *(percent(value) for value in row[1:])]
            for row in table.gather_every(4).iter_rows()
        ],
        frame=lambda: table,
    )
    return card, _chance_chart(desk, table, card.title), ""


def _chance_chart(desk: Desk, table: pl.DataFrame, alt: str) -> Chart:
    """The curve over its own range of scores: `curves` counts from zero, so scores are shifted there."""
    x = table["value"].to_numpy()
    chance, lower, upper = (table[name].to_numpy() for name in ("chance", "lower", "upper"))
    pairs = table.select("value", "chance").iter_rows()
    notes = [f"{desk.show.decimal(value, 2)}: {desk.show.percent(share)}" for value, share in pairs]
    line = Curve("", x - x[0], chance, lower, upper, notes)
    low = max(0.0, float(line.lower.min()) - 0.05)
    chart = curves([line], partial(desk.show.axis, unit="rate"), lambda at: "", alt, low=low)
    ticks = np.linspace(0, float(x[-1] - x[0]), 5)
    chart.figure["layout"]["xaxis"] |= {
        "tickvals": ticks,
        "ticktext": [desk.show.decimal(float(tick + x[0]), 1) for tick in ticks],
    }
    return chart


def _dimensions(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> None:
    """Slopes of the dimensions beside what closing their gaps is worth."""
    if not instrument.dimensions:
        markup.note(
            _("Choose an overall gap above to see which dimension moves orders, and what that is worth.")
        )
        return
    table = asked.slope_table(desk, scope, instrument, days)
    if isinstance(table, Reason):
        markup.section(_("Dimensions"), "")
        states.empty("link_off", _("No dimension can be linked to orders"), sentence(table.text))
        return
    left, right = st.columns(2)
    with left:
        card, chart, otherwise = _slopes(desk, instrument, table, days)
        chart_card(card, chart, otherwise, respondents.of_chart(chart))
    with right:
        satisfaction_quality.draw(desk, scope, instrument, days)


def _slopes(desk: Desk, instrument: Instrument, table: pl.DataFrame, days: int) -> Drawn:
    told = table.filter(pl.col("p_holm") < 0.05)
    title = _("No dimension moves orders beyond chance")
    if len(told):
        row = told.row(0, named=True)
        title = _("{dimension} goes with orders most: {effect} for one point").format(
            dimension=dimension(desk, instrument, row["term"]), effect=desk.show.change(row["effect"], "rate")
        )
    show = desk.show
    card = Card(
        key="linkage-slopes",
        title=title,
        note=_(
            "log odds of an order within {days} days for one point of gap, the other dimensions held"
        ).format(days=days),
        definition={
            _("Model"): _(
                "Logistic regression on all gaps together, with the logs of orders, recency and value before "
                "the answer"
            ),
            _("Interval"): _("95 %, robust to several answers of one customer; p adjusted by Holm"),
            _("Direction"): _("A slope below zero is shown as it is: better rated, fewer orders"),
        },
        columns=[
            Column(_("Dimension")),
            *(Column(head, "number") for head in (_("Odds ratio"), _("Slope"))),
            Column(_("95 % interval")),
            Column(_("p, Holm"), "number"),
            Column(_("Orders for a point"), "number"),
        ],
        rows=lambda: [_slope_row(desk, instrument, row) for row in table.iter_rows(named=True)],
        frame=lambda: table,
    )
    data = Dots(
        names=[dimension(desk, instrument, of) for of in table["term"]],
        values=table["slope"].to_numpy(),
        lower=table["lower"].to_numpy(),
        upper=table["upper"].to_numpy(),
        notes=[
            _("{name}: {slope} ({bounds}), odds times {ratio} for one point").format(
                name=dimension(desk, instrument, row["term"]),
                slope=show.signed(row["slope"], 2),
                bounds=between(show, row),
                ratio=show.decimal(row["odds_ratio"], 2),
            )
            for row in table.iter_rows(named=True)
        ],
        beside=np.full(len(table), np.nan),
        words=("", ""),
        ids=[name("slope", of) for of in table["term"]],
    )
    return card, dots(data, partial(show.signed, digits=2), card.title, zero=True), ""


def _slope_row(desk: Desk, instrument: Instrument, row: Mapping[str, float]) -> list[str]:
    show = desk.show
    return [
        dimension(desk, instrument, str(row["term"])),
        show.decimal(row["odds_ratio"], 2),
        show.signed(row["slope"], 2),
        between(show, row),
        p_value(show, row["p_holm"]),
        show.change(row["effect"], "rate"),
    ]


def _sample(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> None:
    """Respondents beside those who did not answer: nobody should take the sample for the base."""
    markup.section(_("Who answered"), _("customers with an order in the half year before a wave"))
    table, show = asked.representation(desk, scope, instrument, days), desk.show
    if table is None:
        markup.note(_("No invitations are in the data, so respondents cannot be compared with the others."))
        return
    heads = [Column(""), Column("n", "number"), Column(_("Orders before"), "number")]
    heads += [Column(_("Spent before"), "number"), Column(_("Days since the last"), "number")]
    heads.append(Column(_("Ordered within {days} days").format(days=days), "number"))
    rows = [
        [
            _(GROUPS[row["group"]]),
            show.count(row["n"]),
            show.decimal(row["orders_before"], 2),
            show.value(row["value_before"], "money"),
            show.decimal(row["recency_days"], 0),
            MISSING if row["returned"] is None else show.percent(row["returned"]),
        ]
        for row in table.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Who answered"))
