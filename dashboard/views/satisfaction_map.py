"""Importance against performance: what to mend first, in four quarters that meet where the reader says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, Literal

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as surveys
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction_maps import Quarters, quarters
from dashboard.desk import Desk
from dashboard.parts import respondents
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.priority_data import Basis, Cross, map_of
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import answers, dimension, item
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.satisfaction_gaps import instrument_shown
from dashboard.views.satisfaction_respondents import name
from metrics.instruments import Instrument
from metrics.reasons import Reason

Drawn = tuple[Card, Chart | None, str]
Centre = Literal["data_mean", "median", "scale_mid", "point"]
BASES: Final[Mapping[Basis, str]] = {
    "stated": later("As respondents say"),
    "derived": later("As the overall judgement shows"),
    "expected": later("What is expected of each item"),
    "correlation": later("What goes with the overall judgement, by item"),
}
CENTRES: Final[Mapping[Centre, str]] = {
    "data_mean": later("Means"),
    "median": later("Medians"),
    "scale_mid": later("Middle of the scale"),
    "point": later("A point of my own"),
}
QUADRANTS: Final[Mapping[str, str]] = {
    "concentrate here": later("Concentrate here"),
    "keep up": later("Keep up"),
    "low priority": later("Low priority"),
    "possible overkill": later("Possible overkill"),
}


def draw(desk: Desk, scope: Scope) -> Instrument | None:
    """Draw the map; the instrument that it is about, or None where there are too few answers for one."""
    instrument = instrument_shown(desk)
    found = surveys.wave(desk, scope, instrument) if instrument else None
    if instrument is None or found is None or found.now.n < instrument.min_n:
        return None
    basis, cross = _choices(instrument)
    card, chart, otherwise = _map_card(desk, scope, instrument, found, basis, cross)
    chart_card(card, chart, otherwise, respondents.of_chart(chart))
    return instrument


def _choices(instrument: Instrument) -> tuple[Basis, Cross]:
    """What importance rests on, and where the quarters meet."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        basis = st.selectbox(
            _("Importance"),
            list(BASES),
            index=1,
            format_func=lambda each: _(BASES[each]),
            key="satisfaction.importance",
            bind="query-params",
            width=340,
        )
        centre = st.selectbox(
            _("Quarters meet at"),
            list(CENTRES),
            format_func=lambda each: _(CENTRES[each]),
            key="satisfaction.centre",
            bind="query-params",
            width=200,
        )
        if centre == "point":
            return basis or "derived", _point(instrument, basis or "derived")
    return basis or "derived", centre or "data_mean"


def _point(instrument: Instrument, basis: Basis) -> tuple[float, float]:
    """Importance and performance of the reader's point, shares asked for in per cent."""
    low, high = instrument.scale.min, instrument.scale.max
    middle = (low + high) / 2
    is_share = basis in ("stated", "derived")
    title, least, most, begin = _("Importance"), low, high, middle
    if is_share:
        title, least, most, begin = _("Importance, %"), 0.0, 100.0, 100 / len(instrument.dimensions)
    if basis == "correlation":
        least, most, begin = -1.0, 1.0, 0.5
    unit = "share" if is_share else basis
    importance = _number(title, (least, most), begin, unit)
    return (importance / 100 if is_share else importance), _number(
        _("Performance"), (low, high), middle, "performance"
    )


def _number(title: str, within: tuple[float, float], begin: float, key: str) -> float:
    low, high = (float(end) for end in within)
    found = st.number_input(
        title,
        low,
        high,
        value=round(float(begin), 2),
        step=(high - low) / 100 if high - low > 10 else 0.1,
        key=f"satisfaction.cross.{key}",
        bind="query-params",
        width=150,
    )
    return float(found)


def _map_card(
    desk: Desk, scope: Scope, instrument: Instrument, found: Wave, basis: Basis, centre: Cross
) -> Drawn:
    table = map_of(desk, scope, instrument, found, basis, centre)
    note = _("importance {basis} against perception \N{MIDDLE DOT} {n} \N{MIDDLE DOT} {period}").format(
        basis=_(BASES[basis]).lower(),
        n=answers(desk.show, found.now.n),
        period=desk.read.period(found.period, scope.grain),
    )
    card = _map_frame(desk, instrument, note, pl.DataFrame() if isinstance(table, Reason) else table)
    if isinstance(table, Reason):
        return card, None, sentence(table.text)
    row = table.row(0, named=True)
    data = Quarters(
        names=[_short(desk, instrument, of) for of in table["item"]],
        ids=[name("perceived", found.period, of) for of in table["item"]],
        x=table["performance"].to_numpy(),
        y=table["importance"].to_numpy(),
        notes=[_map_note(desk, instrument, each) for each in table.iter_rows(named=True)],
        cross=(row["centre_performance"], row["centre_importance"]),
        corners=(
            _("Concentrate here"),
            _("Keep up"),
            _("Low priority"),
            _("Possible overkill"),
        ),
        axes=(_("Performance (perceived)"), _("Importance")),
        line=basis == "expected",
    )
    up = partial(desk.show.axis, unit="score" if basis in ("expected", "correlation") else "rate")
    return card, quarters(data, partial(desk.show.axis, unit="score"), up, card.title), ""


def _map_frame(desk: Desk, instrument: Instrument, note: str, table: pl.DataFrame) -> Card:
    urgent = [] if table.is_empty() else table.filter(quadrant="concentrate here")["item"].to_list()
    names = ", ".join(_short(desk, instrument, of) for of in urgent)
    return Card(
        key="importance",
        title=_("Concentrate on {names}").format(names=names) if names else _("Importance and performance"),
        note=note,
        definition={
            _("Stated"): _(
                "The mean share of 100 points; what people say tends to say that all is important"
            ),
            _("Derived"): _("Shapley shares of the R squared of overall quality on the perceptions"),
            _("Quarters"): _(
                "Martilla and James 1977; where they meet decides the answer, so it is a choice"
            ),
            _("Line"): _("Where expected and perceived are equal: below it, less than expected"),
        },
        columns=[
            Column(_("What")),
            *(Column(head, "number") for head in (_("Importance"), _("Performance"))),
            Column(_("Quarter")),
        ],
        rows=lambda: [
            [
                _long(desk, instrument, row["item"]),
                desk.show.decimal(row["importance"], 2),
                desk.show.decimal(row["performance"], 2),
                _(QUADRANTS[row["quadrant"]]),
            ]
            for row in table.iter_rows(named=True)
        ],
        frame=lambda: table,
    )


def _short(desk: Desk, instrument: Instrument, of: str) -> str:
    return dimension(desk, instrument, of) if of in instrument.dimensions else of


def _long(desk: Desk, instrument: Instrument, of: str) -> str:
    if of in instrument.dimensions:
        return dimension(desk, instrument, of)
    return f"{of} {item(desk, instrument, of)}"


def _map_note(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> str:
    words = _("{name}: importance {importance}, performance {performance}, {quadrant}")
    return words.format(
        name=_long(desk, instrument, str(row["item"])),
        importance=desk.show.decimal(float(str(row["importance"])), 2),
        performance=desk.show.decimal(float(str(row["performance"])), 2),
        quadrant=_(QUADRANTS[str(row["quadrant"])]).lower(),
    )
