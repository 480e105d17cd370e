"""Service quality: expectation against perception by dimension and item, through time and by segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard.desk import Desk
from dashboard.parts import respondents, states
from dashboard.parts.chart_card import chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import answers, between, dimension, gap_or_mean, is_sure, label, signed
from dashboard.text import gettext as _
from dashboard.views import satisfaction_gap_charts as charts
from dashboard.views import satisfaction_items, satisfaction_segments
from dashboard.views.satisfaction_respondents import open_chosen
from metrics.instruments import Instrument
from metrics.satisfaction import OVERALL

KEY: Final = "satisfaction"
Row = Mapping[str, object]


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section for the instrument that is chosen."""
    instrument = instrument_shown(desk)
    if instrument is None:
        _nothing(desk)
        return
    found = asked.wave(desk, scope, instrument)
    if found is None or found.now.n < instrument.min_n:
        too_few(desk, scope, instrument, found)
        return
    table = asked.gap_table(desk, scope, instrument, found.period)
    _figures(desk, scope, instrument, found)
    left, right = st.columns([3, 2])
    with left:
        card, chart, otherwise = charts.dumbbell(desk, scope, instrument, found, table)
        chart_card(card, chart, otherwise, respondents.of_chart(chart))
    with right:
        charts.trend(desk, scope, instrument, found)
    satisfaction_segments.draw(desk, scope, instrument, found)
    if instrument.has_gap:
        satisfaction_items.draw(desk, scope, instrument, found)
    open_chosen(desk, scope, instrument)


def instrument_shown(desk: Desk) -> Instrument | None:
    """The questionnaire with dimensions that is shown; a choice only where there are several."""
    known = {each.name: each for each in asked.surveys(desk) if each.dimensions and not each.has_zone}
    if len(known) < 2:
        return next(iter(known.values()), None)
    chosen = st.selectbox(
        _("Questionnaire"),
        list(known),
        format_func=lambda name: label(desk, known[name].label),
        key=f"{KEY}.instrument",
        bind="query-params",
        width=320,
    )
    return known[chosen] if chosen else next(iter(known.values()))


def _nothing(desk: Desk) -> None:
    text = _("No questionnaire with dimensions has answers. Describe yours in `instruments/` of the project.")
    unread = asked.unread(desk)
    if unread:
        text += " " + _("Answers wait for: {names}.").format(names=", ".join(unread))
    states.empty("quiz", _("No service quality survey"), text)


def too_few(desk: Desk, scope: Scope, instrument: Instrument, found: Wave | None) -> None:
    """What is said where nobody, or too few, answered."""
    if found is None:
        text = _("Nobody answered up to {period}. Choose a later period, or widen the filters.")
        period = desk.read.period(scope.period, scope.grain)
        states.empty("quiz", _("No answers yet"), text.format(period=period))
        return
    text = _("{n} in {period}; {least} are needed. Widen the filters, or choose a longer period.")
    n, period = answers(desk.show, found.now.n), desk.read.period(found.period, scope.grain)
    words = text.format(n=n, period=period, least=instrument.min_n)
    states.empty("group_off", _("Too few to show"), words)


def _figures(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    table = asked.gap_table(desk, scope, instrument, found.period)
    single = table.filter(pl.col("dimension") != OVERALL).sort("gap", nulls_last=True)
    worst, best = single.row(0, named=True), single.row(-1, named=True)
    figure_row(
        [
            _overall(desk, scope, instrument, found, table.row(-1, named=True)),
            _extreme(desk, instrument, _("Weakest dimension"), worst),
            _extreme(desk, instrument, _("Strongest dimension"), best),
            _rate(desk, scope, instrument, found),
        ],
        "gaps",
    )


def _overall(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, row: Row) -> Stated:
    """The overall gap with its change, which has an arrow only where the test tells it from chance."""
    named = _("Overall gap") if instrument.has_gap else _("Overall perception")
    value, weighted = gap_or_mean(desk, instrument, row["gap"]), row.get("weighted")
    under = _interval(desk, row)
    if isinstance(weighted, float):
        words = _("by importance {gap}").format(gap=signed(desk.show, weighted))
        under = f"{under} \N{MIDDLE DOT} {words}"
    changes = asked.changes(desk, scope, instrument, found)
    change = None if changes is None else changes.row(-1, named=True)
    if change is None or change["difference"] is None or found.reference is None:
        return Stated(named, value, under)
    text, up = signed(desk.show, change["difference"]), change["difference"] > 0
    against = _("vs {period}").format(period=desk.read.short(found.reference, scope.grain, found.period))
    if not is_sure(change["p_value"]):
        beside = _("{against}, within chance").format(against=against)
        return Stated(named, value, under, text, "flat", beside)
    arrow = "\N{UPWARDS ARROW}" if up else "\N{DOWNWARDS ARROW}"
    return Stated(named, value, under, f"{arrow} {text}", "good" if up else "bad", against)


def _extreme(desk: Desk, instrument: Instrument, title: str, row: Row) -> Stated:
    """A dimension by name, its gap in a chip that is coloured only where it is told from zero."""
    gap, lower, upper = row["gap"], row["lower"], row["upper"]
    tone = "flat"
    if instrument.has_gap and isinstance(lower, float) and isinstance(upper, float):
        tone = "good" if lower > 0 else "bad" if upper < 0 else "flat"
    beside = _("gap") if instrument.has_gap else _("mean")
    name = dimension(desk, instrument, str(row["dimension"]))
    return Stated(title, name, _interval(desk, row), gap_or_mean(desk, instrument, gap), tone, beside)


def _interval(desk: Desk, row: Row) -> str:
    return _("95 %: {bounds}").format(bounds=between(desk.show, row))


def _rate(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> Stated:
    """The response rate, with those who did not answer."""
    responses, show = asked.response_rate(desk, scope, instrument, found.period), desk.show
    if responses is None:
        n = show.decimal(found.now.n, 0)
        return Stated(_("Respondents"), n, _("response rate unknown: no invitations in the data"))
    under = _("{n} of {of} asked; {silent} are silent").format(
        n=show.decimal(responses.answered, 0),
        of=show.decimal(responses.invited, 0),
        silent=show.decimal(responses.invited - responses.answered, 0),
    )
    return Stated(_("Response rate"), show.percent(responses.answered / responses.invited), under)
