"""Priorities: importance against performance, zones of tolerance, Kano's categories."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import polars as pl

from dashboard import satisfaction_data as surveys
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction_maps import Quarters, Zones, quarters, zones
from dashboard.desk import Desk
from dashboard.parts import respondents, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.priority_data import features, zone_table
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import CATEGORIES, answers, dimension, feature, signed
from dashboard.text import gettext as _
from dashboard.views import satisfaction_map
from dashboard.views.satisfaction_respondents import name, open_chosen
from metrics.instruments import Instrument

Drawn = tuple[Card, Chart | None, str]


def render(desk: Desk, scope: Scope) -> None:
    """Draw what there is: a map of dimensions or items, features, zones."""
    mapped = satisfaction_map.draw(desk, scope)
    shown = [mapped is not None, *(draw(desk, scope) for draw in (_zones, _kano))]
    if not any(shown):
        text = _("No survey here asks for dimensions, zones of tolerance or features.")
        states.empty("low_priority", _("No priorities to show"), text)
    open_chosen(desk, scope, mapped)


def _zones(desk: Desk, scope: Scope) -> bool:
    known = [each for each in surveys.surveys(desk) if each.has_zone]
    shown = False
    for instrument in known:
        found = surveys.wave(desk, scope, instrument)
        if found is not None and found.now.n >= instrument.min_n:
            card, chart, otherwise = _zone_card(desk, scope, instrument, found)
            chart_card(card, chart, otherwise, respondents.of_chart(chart))
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
        names=[dimension(desk, instrument, of) for of in known["dimension"]],
        minimum=known["minimum"].to_numpy(),
        desired=known["desired"].to_numpy(),
        perceived=known["perception"].to_numpy(),
        notes=[_zone_words(desk, instrument, row) for row in known.iter_rows(named=True)],
        words=(_("Zone"), _("Perceived")),
        ids=[name("zone", found.period, instrument.name, of) for of in known["dimension"]],
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
            card, chart, otherwise = _kano_card(desk, scope, instrument, found)
            chart_card(card, chart, otherwise, respondents.of_chart(chart))
            shown = True
    return shown


def _kano_card(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> Drawn:
    table, show = features(desk, scope, instrument, found), desk.show
    must = [row["feature"] for row in table.filter(category="M").iter_rows(named=True) if row["clear"]]
    names = ", ".join(feature(desk, instrument, of) for of in must)
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
        names=[feature(desk, instrument, of) for of in drawn["feature"]],
        x=-drawn["worse"].to_numpy(),
        y=drawn["better"].to_numpy(),
        notes=[_kano_words(desk, instrument, row) for row in drawn.iter_rows(named=True)],
        cross=(0.5, 0.5),
        corners=(_("Attractive"), _("One-dimensional"), _("Indifferent"), _("Must-be")),
        axes=(_("Displeased by lacking it"), _("Pleased by having it")),
        judged=False,
        ids=[name("feature", found.period, instrument.name, of) for of in drawn["feature"]],
    )
    share = partial(show.axis, unit="rate")
    return card, quarters(data, share, share, card.title, height=400), ""


def _kano_words(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> str:
    better, worse = (desk.show.percent(abs(float(str(row[name])))) for name in ("better", "worse"))
    return _("{name}: {category}, better {better}, worse {worse}").format(
        name=feature(desk, instrument, str(row["feature"])),
        category=_(CATEGORIES[str(row["category"])]).lower(),
        better=better,
        worse=worse,
    )


def _kano_row(desk: Desk, instrument: Instrument, row: Mapping[str, object]) -> list[str]:
    show = desk.show
    category = _(CATEGORIES[str(row["category"])]) if row["category"] else _("no answers")
    clear = "" if row["clear"] else " " + _("(not clear)")
    shares = [show.value(row[name], "rate") for name in ("strength", "better", "worse")]  # type: ignore[arg-type]  # floats
    counts = [str(row[letter]) for letter in (*"AOMIRQ", "n")]
    return [feature(desk, instrument, str(row["feature"])), category + clear, *shares, *counts]
