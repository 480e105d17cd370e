"""The two charts of service quality: gaps by dimension, and one gap through time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction import Dumbbells, Waves, dumbbells, waves
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import respondents
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import answers, between, dimension, gap_or_mean, is_sure, p_value, signed
from dashboard.text import gettext as _
from dashboard.views.satisfaction_respondents import name
from metrics.instruments import Instrument
from metrics.satisfaction import OVERALL

OF: Final = "satisfaction.of"
Drawn = tuple[Card, Chart | None, str]
Row = Mapping[str, object]


def dumbbell(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, table: pl.DataFrame) -> Drawn:
    """Expectation against perception by dimension, the largest shortfall first."""
    rows = table.filter(pl.col("dimension") != OVERALL).sort("gap", nulls_last=True)
    card = _dumbbell_card(desk, scope, instrument, found, table)
    if not instrument.has_gap:
        return card, None, _("This survey asked for no expectations, so there is no gap: see the means.")
    known = rows.drop_nulls("lower")
    if known.is_empty():
        return card, None, _("A gap needs respondents who answered both sides and differ.")
    data = Dumbbells(
        names=[dimension(desk, instrument, of) for of in known["dimension"]],
        expected=known["expectation"].to_numpy(),
        perceived=known["perception"].to_numpy(),
        low=known["lower"].to_numpy(),
        high=known["upper"].to_numpy(),
        gaps=[signed(desk.show, gap) for gap in known["gap"]],
        notes=[_dumbbell_note(desk, instrument, row) for row in known.iter_rows(named=True)],
        words=(_("Expected"), _("Perceived")),
        ids=[name("dimension", found.period, of) for of in known["dimension"]],
    )
    return card, dumbbells(data, partial(desk.show.axis, unit="score"), card.title), ""


def _dumbbell_card(
    desk: Desk, scope: Scope, instrument: Instrument, found: Wave, table: pl.DataFrame
) -> Card:
    scale = f"{instrument.scale.min:g} {_('to')} {instrument.scale.max:g}"
    note = _(
        "gap = perceived less expected, scale {scale}; whiskers: its 95 % interval \N{MIDDLE DOT} {n} "
        "\N{MIDDLE DOT} {period}"
    )
    n, period = answers(desk.show, found.now.n), desk.read.period(found.period, scope.grain)
    return Card(
        key="gaps",
        title=_finding(desk, instrument, table),
        note=note.format(scale=scale, n=n, period=period),
        definition={
            _("Gap"): _(
                "Perception less expectation of one respondent for one item, both answered; averaged by "
                "respondent, then by dimension, then over the sample. Overall is the mean of the dimensions."
            ),
            _("Interval"): _("Student's t on the respondents' gaps, 95 %; drawn where the gap ends"),
            _("Source"): instrument.source,
            _("Caution"): _(
                "Gap scores are less reliable than perceptions alone, and the five dimensions seldom come "
                "out apart: see Reliability."
            ),
        },
        columns=[
            Column(_("Dimension")),
            *(Column(head, "number") for head in (_("Expected"), _("Perceived"), _("Gap"))),
            Column(_("95 % interval")),
            *(Column(head, "number") for head in ("p", _("Wilcoxon p"), "n")),
        ],
        rows=lambda: [_dumbbell_row(desk, instrument, row) for row in table.iter_rows(named=True)],
        frame=lambda: table,
    )


def _dumbbell_note(desk: Desk, instrument: Instrument, row: Row) -> str:
    words = _("{name}: gap {gap} ({bounds}), expected {e}, perceived {p}, n = {n}")
    return words.format(
        name=dimension(desk, instrument, str(row["dimension"])),
        gap=gap_or_mean(desk, instrument, row["gap"]),
        bounds=between(desk.show, row),
        e=_mean(desk, row["expectation"]),
        p=_mean(desk, row["perception"]),
        n=row["n"],
    )


def _dumbbell_row(desk: Desk, instrument: Instrument, row: Row) -> list[str]:
    return [
        dimension(desk, instrument, str(row["dimension"])),
        *(_mean(desk, row.get(side)) for side in ("expectation", "perception")),
        gap_or_mean(desk, instrument, row["gap"]),
        between(desk.show, row),
        *(p_value(desk.show, row.get(test)) for test in ("p_value", "wilcoxon_p")),
        desk.show.decimal(int(str(row["n"])), 0),
    ]


def _mean(desk: Desk, value: object) -> str:
    return desk.show.decimal(value, 2) if isinstance(value, float) else MISSING


def _finding(desk: Desk, instrument: Instrument, table: pl.DataFrame) -> str:
    """The dimension that falls shortest, where its gap is told from zero."""
    rows = table.filter(pl.col("dimension") != OVERALL).sort("gap", nulls_last=True)
    row = rows.row(0, named=True)
    if not instrument.has_gap or row["upper"] is None or row["upper"] >= 0:
        return _("Expectation and perception by dimension")
    return _("{dimension} falls shortest of what customers expect: {gap}").format(
        dimension=dimension(desk, instrument, row["dimension"]), gap=signed(desk.show, row["gap"])
    )


def trend(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """The card with the gap of the chosen dimension through time."""
    names = [OVERALL, *instrument.dimensions]
    of = st.session_state.get(OF, OVERALL)
    of = of if of in names else OVERALL

    def control() -> None:
        st.selectbox(
            _("Dimension"),
            names,
            format_func=lambda each: dimension(desk, instrument, each),
            key=OF,
            bind="query-params",
            label_visibility="collapsed",
            width=220,
        )

    card, chart, otherwise = _trend(desk, scope, instrument, found, of)
    chart_card(card, chart, otherwise, respondents.of_chart(chart), control)


def _trend(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, of: str) -> Drawn:
    table = asked.trend(desk, scope, instrument).filter(dimension=of).sort("period")
    write = partial(gap_or_mean, desk, instrument)
    card = Card(
        key="gap-trend",
        title=_trend_finding(desk, scope, instrument, found, of),
        note=_("by period with answers \N{MIDDLE DOT} the band holds 95 %"),
        definition={
            _("Test"): _("Welch's t test between the two large points; a change is named where it tells one")
        },
        columns=[
            Column(_("Period")),
            Column(_("Gap"), "number"),
            Column(_("95 % interval")),
            Column("n", "number"),
        ],
        rows=lambda: [
            [
                desk.read.period(row["period"], scope.grain),
                write(row["gap"]),
                between(desk.show, row),
                f"{row['n']}",
            ]
            for row in table.reverse().iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    enough = pl.col("n") >= instrument.min_n
    drawn = table.with_columns(pl.when(enough).then(pl.col("gap", "lower", "upper")))
    if drawn["gap"].count() < 2:
        return card, None, _("A trend needs two periods with {n} respondents.").format(n=instrument.min_n)
    data = _points(desk, scope, instrument, found, drawn)
    return card, waves(data, write, write, card.title, height=290), ""


def _points(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, drawn: pl.DataFrame) -> Waves:
    codes = drawn["period"].to_list()
    gap, lower, upper = (drawn[column].fill_null(np.nan).to_numpy() for column in ("gap", "lower", "upper"))
    words = _("{period}: {gap} ({bounds}), n = {n}")
    return Waves(
        ticks=[desk.read.tick(code, scope.grain) for code in codes],
        values=gap,
        lower=lower,
        upper=upper,
        notes=[
            words.format(
                period=desk.read.period(row["period"], scope.grain),
                gap=gap_or_mean(desk, instrument, row["gap"]),
                bounds=between(desk.show, row),
                n=row["n"],
            )
            for row in drawn.iter_rows(named=True)
        ],
        compared=[codes.index(code) for code in (found.reference, found.period) if code in codes],
        ids=[name("dimension", row[0], row[1]) for row in drawn.select("period", "dimension").iter_rows()],
    )


def _trend_finding(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, of: str) -> str:
    table = asked.changes(desk, scope, instrument, found)
    title = dimension(desk, instrument, of)
    if table is None or found.reference is None:
        return _("{name} through time").format(name=title)
    row = table.filter(dimension=of).row(0, named=True)
    since = desk.read.period(found.reference, scope.grain)
    if not is_sure(row["p_value"]):
        words = _("{name}: no clear change since {period}")
        return words.format(name=title, period=since)
    return _("{name}: {change} since {period} (p {p})").format(
        name=title,
        change=signed(desk.show, row["difference"]),
        period=since,
        p=p_value(desk.show, row["p_value"]),
    )
