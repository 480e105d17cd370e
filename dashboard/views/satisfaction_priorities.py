"""Priorities: importance against performance, Kano's categories, zones of tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, Literal

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as surveys
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction_maps import Quarters, Zones, quarters, zones
from dashboard.desk import Desk
from dashboard.parts import states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.priority_data import Basis, features, map_of, zone_table
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import answers, dimension, item, label, signed
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.satisfaction_gaps import instrument_shown
from metrics.instruments import Instrument
from metrics.reasons import Reason

Drawn = tuple[Card, Chart | None, str]
Centre = Literal["data_mean", "median", "scale_mid"]
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
}
QUADRANTS: Final[Mapping[str, str]] = {
    "concentrate here": later("Concentrate here"),
    "keep up": later("Keep up"),
    "low priority": later("Low priority"),
    "possible overkill": later("Possible overkill"),
}
CATEGORIES: Final[Mapping[str, str]] = {
    "A": later("Attractive"),
    "O": later("One-dimensional"),
    "M": later("Must-be"),
    "I": later("Indifferent"),
    "R": later("Reverse"),
    "Q": later("Questionable"),
}


def render(desk: Desk, scope: Scope) -> None:
    """Draw what there is: a map of dimensions or items, features, zones."""
    shown = [_map(desk, scope), *(draw(desk, scope) for draw in (_zones, _kano))]
    if not any(shown):
        text = _("No survey here asks for dimensions, zones of tolerance or features.")
        states.empty("low_priority", _("No priorities to show"), text)


def _map(desk: Desk, scope: Scope) -> bool:
    instrument = instrument_shown(desk)
    found = surveys.wave(desk, scope, instrument) if instrument else None
    if instrument is None or found is None or found.now.n < instrument.min_n:
        return False
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        basis = st.selectbox(
            _("Importance"),
            list(BASES),
            index=1,
            format_func=lambda name: _(BASES[name]),
            key="satisfaction.importance",
            bind="query-params",
            width=340,
        )
        centre = st.selectbox(
            _("Quarters meet at"),
            list(CENTRES),
            format_func=lambda name: _(CENTRES[name]),
            key="satisfaction.centre",
            bind="query-params",
            width=200,
        )
    chart_card(*_map_card(desk, scope, instrument, found, basis or "derived", centre or "data_mean"))
    return True


def _map_card(
    desk: Desk, scope: Scope, instrument: Instrument, found: Wave, basis: Basis, centre: Centre
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
        names=[_short(desk, instrument, name) for name in table["item"]],
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
    names = ", ".join(_short(desk, instrument, name) for name in urgent)
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


def _short(desk: Desk, instrument: Instrument, name: str) -> str:
    return dimension(desk, instrument, name) if name in instrument.dimensions else name


def _long(desk: Desk, instrument: Instrument, name: str) -> str:
    if name in instrument.dimensions:
        return dimension(desk, instrument, name)
    return f"{name} {item(desk, instrument, name)}"


def _map_note(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> str:
    words = _("{name}: importance {importance}, performance {performance}, {quadrant}")
    return words.format(
        name=_long(desk, instrument, str(row["item"])),
        importance=desk.show.decimal(float(str(row["importance"])), 2),
        performance=desk.show.decimal(float(str(row["performance"])), 2),
        quadrant=_(QUADRANTS[str(row["quadrant"])]).lower(),
    )


def _zones(desk: Desk, scope: Scope) -> bool:
    known = [each for each in surveys.surveys(desk) if each.has_zone]
    shown = False
    for instrument in known:
        found = surveys.wave(desk, scope, instrument)
        if found is not None and found.now.n >= instrument.min_n:
            chart_card(*_zone_card(desk, scope, instrument, found))
            shown = True
    return shown


def _zone_card(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> Drawn:
    table = zone_table(desk, scope, instrument, found)
    heads = (_("Minimum"), _("Desired"), _("Perceived"), _("Adequacy"), _("Superiority"))
    shares = (_("Below"), _("Within"), _("Above"))
    card = Card(
        key=f"zone-{instrument.name}",
        title=_zone_title(desk, instrument, table),
        note=_zone_note(desk, scope, instrument, found, table),
        definition={
            _("Adequacy"): _("Perceived less minimum: below 0 the service is not acceptable"),
            _("Superiority"): _("Perceived less desired: above 0 it is more than wished for"),
            _("Source"): instrument.source,
        },
        columns=[Column(_("Dimension")), *(Column(head, "number") for head in (*heads, *shares))],
        rows=lambda: [_zone_row(desk, instrument, row) for row in table.iter_rows(named=True)],
        frame=lambda: table,
    )
    known = table.drop_nulls("adequacy")
    if known.is_empty():
        return card, None, _("Nobody gave all three levels.")
    data = Zones(
        names=[dimension(desk, instrument, name) for name in known["dimension"]],
        minimum=known["minimum"].to_numpy(),
        desired=known["desired"].to_numpy(),
        perceived=known["perception"].to_numpy(),
        notes=[_zone_words(desk, instrument, row) for row in known.iter_rows(named=True)],
        words=(_("Zone"), _("Perceived")),
    )
    return card, zones(data, partial(desk.show.axis, unit="score"), card.title), ""


def _zone_title(desk: Desk, instrument: Instrument, table: pl.DataFrame) -> str:
    worst = table.sort("below", descending=True, nulls_last=True).row(0, named=True)
    if not worst["below"]:
        return _("Zone of tolerance")
    return _("{share} see {dimension} below what they would accept").format(
        share=desk.show.percent(worst["below"]),
        dimension=dimension(desk, instrument, worst["dimension"]).lower(),
    )


def _zone_note(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, table: pl.DataFrame) -> str:
    words = _("from minimum to desired, scale {low} to {high} \N{MIDDLE DOT} {n} \N{MIDDLE DOT} {period}")
    note = words.format(
        low=f"{instrument.scale.min:g}",
        high=f"{instrument.scale.max:g}",
        n=answers(desk.show, found.now.n),
        period=desk.read.period(found.period, scope.grain),
    )
    left_out = max(table["illogical"].to_list())
    if not left_out:
        return note
    words = _("up to {n} wish less than their minimum and are left out")
    return f"{note} \N{MIDDLE DOT} {words.format(n=left_out)}"


def _zone_words(desk: Desk, instrument: Instrument, row: Mapping[str, float]) -> str:
    words = _("{name}: accepted from {low}, wished {high}, perceived {seen}; {below} below, {above} above")
    levels = (desk.show.decimal(row[name], 2) for name in ("minimum", "desired", "perception"))
    low, high, seen = levels
    below, above = (desk.show.percent(row[name]) for name in ("below", "above"))
    name = dimension(desk, instrument, str(row["dimension"]))
    return words.format(name=name, low=low, high=high, seen=seen, below=below, above=above)


def _zone_row(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> list[str]:
    show = desk.show
    levels = [show.value(row[name], "score") for name in ("minimum", "desired", "perception")]  # type: ignore[arg-type]  # floats
    gaps = [signed(show, row[name]) for name in ("adequacy", "superiority")]  # type: ignore[arg-type]  # floats
    shares = [show.value(row[name], "rate") for name in ("below", "within", "above")]  # type: ignore[arg-type]  # floats
    return [dimension(desk, instrument, str(row["dimension"])), *levels, *gaps, *shares]


def _kano(desk: Desk, scope: Scope) -> bool:
    known = [each for each in surveys.surveys(desk) if each.features]
    shown = False
    for instrument in known:
        found = surveys.wave(desk, scope, instrument)
        if found is not None and found.now.n >= instrument.min_n:
            chart_card(*_kano_card(desk, scope, instrument, found))
            shown = True
    return shown


def _kano_card(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> Drawn:
    table, show = features(desk, scope, instrument, found), desk.show
    must = [row["feature"] for row in table.filter(category="M").iter_rows(named=True) if row["clear"]]
    names = ", ".join(_feature(desk, instrument, name) for name in must)
    card = Card(
        key=f"kano-{instrument.name}",
        title=_("Must not be lacking: {names}").format(names=names) if names else _("Kano's categories"),
        note=_(
            "better: share pleased by having it, worse: share displeased by lacking it \N{MIDDLE DOT} {n} "
            "\N{MIDDLE DOT} {period}"
        ).format(n=answers(show, found.now.n), period=desk.read.period(found.period, scope.grain)),
        definition={
            _("Category"): _("The most frequent one; ties go to must-be, one-dimensional, attractive"),
            _("Clear"): _("It leads the second by 6 points of the answers or more"),
            _("Source"): instrument.source,
        },
        columns=[
            Column(_("Feature")),
            Column(_("Category")),
            *(Column(head, "number") for head in (_("Leads by"), _("Better"), _("Worse"), *"AOMIRQ", "n")),
        ],
        rows=lambda: [_kano_row(desk, instrument, row) for row in table.iter_rows(named=True)],
        frame=lambda: table,
    )
    drawn = table.drop_nulls("better")
    if drawn.is_empty():
        return card, None, _("Nobody answered both questions of a feature.")
    data = Quarters(
        names=[_feature(desk, instrument, name) for name in drawn["feature"]],
        x=-drawn["worse"].to_numpy(),
        y=drawn["better"].to_numpy(),
        notes=[_kano_words(desk, instrument, row) for row in drawn.iter_rows(named=True)],
        cross=(0.5, 0.5),
        corners=(_("Attractive"), _("One-dimensional"), _("Indifferent"), _("Must-be")),
        axes=(_("Displeased by lacking it"), _("Pleased by having it")),
        judged=False,
    )
    share = partial(show.axis, unit="rate")
    return card, quarters(data, share, share, card.title, height=400), ""


def _kano_words(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> str:
    better, worse = (desk.show.percent(abs(float(str(row[name])))) for name in ("better", "worse"))
    return _("{name}: {category}, better {better}, worse {worse}").format(
        name=_feature(desk, instrument, str(row["feature"])),
        category=_(CATEGORIES[str(row["category"])]).lower(),
        better=better,
        worse=worse,
    )


def _feature(desk: Desk, instrument: Instrument, name: str) -> str:
    return label(desk, instrument.features[name].label)


def _kano_row(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> list[str]:
    show = desk.show
    category = _(CATEGORIES[str(row["category"])]) if row["category"] else _("no answers")
    clear = "" if row["clear"] else " " + _("(not clear)")
    shares = [show.value(row[name], "rate") for name in ("strength", "better", "worse")]  # type: ignore[arg-type]  # floats
    counts = [str(row[letter]) for letter in (*"AOMIRQ", "n")]
    return [_feature(desk, instrument, str(row["feature"])), category + clear, *shares, *counts]
