"""From feeling to orders: what the same customers did after their answers, and what a gap costs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from dashboard import linkage_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.charts.satisfaction import Dots, dots
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.linkage_data import GROUPS, Felt
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.survey_words import between, dimension, is_sure, label, p_value
from dashboard.text import gettext as _
from dashboard.views import satisfaction_quality
from metrics.instruments import Instrument
from metrics.reasons import Reason

DAYS: Final = (90, 30, 180, 365)
POINTS: Final = 150
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


def _choices(desk: Desk, known: list[Felt]) -> tuple[Felt, int]:
    names = {each.key: each for each in known}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        key = st.selectbox(
            _("What was felt"),
            list(names),
            format_func=lambda name: _name(desk, names[name]),
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


def _name(desk: Desk, felt: Felt) -> str:
    survey = label(desk, felt.instrument.label)
    if felt.is_gap:
        text = _("Overall gap") if felt.instrument.has_gap else _("Overall perception")
        return f"{text} \N{MIDDLE DOT} {survey}"
    return f"{label(desk, felt.instrument.questions[felt.code].label)} \N{MIDDLE DOT} {survey}"


def _curves(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    left, right = st.columns(2)
    with left:
        chart_card(*_survival(desk, scope, felt, days))
    with right:
        chart_card(*_chance(desk, scope, felt, days))
    _bands(desk, scope, felt, days)


def _band_names(desk: Desk, scope: Scope, felt: Felt, days: int) -> list[str]:
    edges = asked.edges(desk, scope, felt, days)
    show = partial(desk.show.signed, digits=2) if felt.is_gap and felt.instrument.has_gap else _plain(desk)
    if not edges:
        return [_("all")]
    inner = [
        _("{low} to under {high}").format(low=show(low), high=show(high)) for low, high in pairwise(edges)
    ]
    return [
        _("under {high}").format(high=show(edges[0])),
        *inner,
        _("{low} and more").format(low=show(edges[-1])),
    ]


def _plain(desk: Desk) -> partial[str]:
    return partial(desk.show.axis, unit="score")


def _survival(desk: Desk, scope: Scope, felt: Felt, days: int) -> Drawn:
    """Kaplan-Meier curves of the time until the next order by band."""
    table, p = asked.survival(desk, scope, felt, days)
    names = _band_names(desk, scope, felt, days)
    title = _("Time until the next order, by what was felt")
    if is_sure(p):
        title = _("Bands differ, but not in order of feeling") if _is_mixed(table) else _sooner(desk, table)
    card = Card(
        key="linkage-curves",
        title=title,
        note=_(
            "share without an order by days since the answer \N{MIDDLE DOT} bands hold 95 % "
            "\N{MIDDLE DOT} log-rank p {p}"
        ).format(p=p_value(desk.show, p)),
        definition={
            _("Method"): _("Kaplan-Meier; who has not ordered yet counts for as long as was seen"),
            _("Test"): _("log-rank: whether the bands share one curve"),
        },
        columns=[Column(_("Felt")), *(Column(h, "number") for h in (_("Day"), _("At risk"), _("Share")))],
        rows=lambda: [
            [names[row["by"]], str(row["duration"]), str(row["at_risk"]), desk.show.percent(row["survival"])]
            for row in table.gather_every(max(1, len(table) // 60)).iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    lines = [_line(names[band], part) for (band,), part in table.partition_by("by", as_dict=True).items()]
    if max((len(line.x) for line in lines), default=0) < 3:
        return card, None, _("A curve needs answers of different ages.")
    low = max(0.0, min(float(np.nanmin(line.y)) for line in lines) - 0.05)
    show = partial(desk.show.axis, unit="rate")
    return card, curves(lines, show, lambda day: f"{day:g}", card.title, steps=True, low=low, high=1.0), ""


def _line(name: str, part: pl.DataFrame) -> Curve:
    """A band's curve over the first year, thinned to what a screen can show."""
    year = part.filter(pl.col("duration").is_between(1, 365))
    rows = year.gather_every(max(1, len(year) // POINTS))
    share = rows["survival"]
    days = np.concatenate([[0.0], rows["duration"].cast(pl.Float64).to_numpy()])
    lower, upper = (_from_one(rows[bound].fill_null(share)) for bound in ("lower", "upper"))
    return Curve(name, days, _from_one(share), lower, upper)


def _from_one(values: pl.Series) -> NDArray[np.float64]:
    """The values of a curve with the one at its start ahead."""
    return np.concatenate([[1.0], values.to_numpy()])


def _at(table: pl.DataFrame, day: int) -> list[float]:
    parts = table.filter(pl.col("duration") <= day).group_by("by").agg(pl.col("survival").min()).sort("by")
    return parts["survival"].to_list()


def _is_mixed(table: pl.DataFrame) -> bool:
    """Whether the bands do not lie in order."""
    shares = _at(table, 90)
    return shares not in (sorted(shares), sorted(shares, reverse=True))


def _sooner(desk: Desk, table: pl.DataFrame) -> str:
    shares = _at(table, 90)
    low, high = (desk.show.percent(1 - shares[at], 0) for at in (0, -1))
    words = _("{high} of the most satisfied order within 90 days, {low} of the least")
    if shares[0] < shares[-1]:
        words = _("Against expectation {low} of the least satisfied order within 90 days, {high} of the most")
    return words.format(low=low, high=high)


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
            what=_name(desk, felt).split(" \N{MIDDLE DOT} ", maxsplit=1)[0].lower(),
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


def _bands(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    table, show = asked.bands(desk, scope, felt, days), desk.show
    names = _band_names(desk, scope, felt, days)
    percent, money = partial(show.value, unit="rate"), partial(show.value, unit="money")
    heads = [Column(_("Felt")), Column(_("Answers"), "number"), Column(_("Ordered again"), "number")]
    heads += [Column(_("95 % interval")), Column(_("Spent each"), "number"), Column(_("95 % interval"))]
    rows = [
        [
            names[row["band"]],
            show.count(row["n"]),
            percent(row["share"]),
            f"{percent(row['lower'])} {_('to')} {percent(row['upper'])}",
            money(row["spend"]),
            f"{money(row['spend_lower'])} {_('to')} {money(row['spend_upper'])}",
        ]
        for row in table.iter_rows(named=True)
    ]
    words = _("within {days} days after the answer, as it is: nothing held constant").format(days=days)
    markup.section(_("By what was felt"), words)
    markup.show_table(heads, rows, _("By what was felt"))


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
        chart_card(*_slopes(desk, instrument, table, days))
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
        names=[dimension(desk, instrument, name) for name in table["term"]],
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
