"""Scores of single questions: recommendation, satisfaction, effort, the index; each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.satisfaction import Waves, waves
from dashboard.desk import Desk
from dashboard.parts import markup, respondents, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, chip, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.parts.promoter_bar import promoter_bar
from dashboard.satisfaction_data import ScoreWave
from dashboard.state import Scope
from dashboard.survey_words import is_sure, label, p_value
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.satisfaction_respondents import name, open_chosen
from metrics.definitions import Unit
from metrics.question_scores import Measure
from metrics.reasons import Reason

NAMES: Final[Mapping[Measure, str]] = {
    "nps": later("net promoter score"),
    "top_box": later("top box"),
    "top_two_box": later("top two boxes"),
    "ces": later("ease"),
    "acsi": later("Satisfaction index"),
    "mean": later("mean"),
}
UNITS: Final[Mapping[Measure, Unit]] = {
    "nps": "nps",
    "top_box": "rate",
    "top_two_box": "rate",
    "ces": "score",
    "acsi": "per_thousand",
    "mean": "score",
}
WORDS: Final[Mapping[Measure, str]] = {
    "nps": later("Promoters (9, 10) less detractors (0 to 6), in points; adjusted Wald under 30 answers"),
    "top_box": later("Share of the best answer, of the three easiest for effort; Wilson's interval"),
    "top_two_box": later("Share of the two best answers; shown apart, because a 5 behaves unlike a 4"),
    "ces": later("Mean on the question's own scale, turned so that more is easier; t interval"),
    "acsi": later("Three questions, taken to 0 to 100; the published index estimates weights of its own"),
    "mean": later("Mean with its t interval"),
}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section: the recommendation first, then every other score."""
    found = [score for each in asked.surveys(desk) for score in asked.score_waves(desk, scope, each)]
    for refused in (each for each in found if isinstance(each, Reason)):
        markup.notice(sentence(refused.text))
    scores = [each for each in found if isinstance(each, ScoreWave)]
    if not found:
        text = _("No question has enough answers here. Widen the filters, or describe questions of your own.")
        states.empty("thumb_up", _("No scores to show"), text)
    for score in (each for each in scores if each.measure == "nps"):
        _promoters(desk, scope, score)
    _others(desk, scope, [each for each in scores if each.measure != "nps"])
    open_chosen(desk, scope)


def _promoters(desk: Desk, scope: Scope, score: ScoreWave) -> None:
    left, right = st.columns([2, 3])
    with left, st.container(border=True, key=f"card-nps-{score.instrument.name}", height="stretch"):
        _panel(desk, scope, score)
    with right:
        card, chart, otherwise = _trend(desk, scope, score)
        chart_card(card, chart, otherwise, respondents.of_chart(chart))


def _panel(desk: Desk, scope: Scope, score: ScoreWave) -> None:
    counts = asked.promoter_counts(desk, scope, score)
    stated = _stated(desk, scope, score)
    where = _("{survey} \N{MIDDLE DOT} {period}").format(
        survey=label(desk, score.instrument.label), period=desk.read.period(score.period, scope.grain)
    )
    st.html(markup.card_head(stated.label, where))
    st.html(f'<div class="lead"><span class="figure">{escape(stated.value)}</span>{chip(stated)}</div>')
    markup.note(stated.under)
    promoter_bar(counts, desk.show)
    _asked(desk, scope, score, counts.promoters)
    with st.container(horizontal=True, gap="xsmall"):
        for title, low, high in ((_("Detractors"), 0, 6), (_("Passives"), 7, 8), (_("Promoters"), 9, 10)):
            figure = name("question", score.period, score.instrument.name, score.code, low, high)
            st.button(title, key=figure, on_click=respondents.choose, args=(figure,), help=_("Respondents"))


def _asked(desk: Desk, scope: Scope, score: ScoreWave, promoting: int) -> None:
    """Who did not answer: a score is about those who did."""
    found, show = asked.response_rate(desk, scope, score.instrument, score.period), desk.show
    if found is None:
        markup.note(_("How many were asked is not in the data."))
        return
    words = _("{silent} of {invited} asked did not answer; {share} of all asked are known promoters.")
    silent = show.decimal(found.invited - found.answered, 0)
    share = show.percent(promoting / found.invited)
    markup.note(words.format(silent=silent, invited=show.decimal(found.invited, 0), share=share))


def _others(desk: Desk, scope: Scope, scores: list[ScoreWave]) -> None:
    if not scores:
        return
    words = _("each with its 95 % interval; no arrow without a change that a test tells")
    markup.section(_("Other scores"), words)
    for start in range(0, len(scores), 4):
        figure_row([_stated(desk, scope, each) for each in scores[start : start + 4]], f"scores-{start}")
    chosen = st.session_state.get("satisfaction.score", 0)
    shown = scores[chosen if isinstance(chosen, int) and chosen < len(scores) else 0]

    def control() -> None:
        st.selectbox(
            _("Score"),
            list(range(len(scores))),
            format_func=lambda at: _name(desk, scores[at]),
            key="satisfaction.score",
            label_visibility="collapsed",
            width=320,
        )

    card, chart, otherwise = _trend(desk, scope, shown)
    chart_card(card, chart, otherwise, respondents.of_chart(chart), control)


def _name(desk: Desk, score: ScoreWave) -> str:
    if not score.code:
        return _(NAMES[score.measure])
    question = label(desk, score.instrument.questions[score.code].label)
    return f"{question}, {_(NAMES[score.measure])}"


def _stated(desk: Desk, scope: Scope, score: ScoreWave) -> Stated:
    """A score with its interval; the change has an arrow only where a test tells it."""
    write, now = partial(desk.show.value, unit=UNITS[score.measure]), score.now
    under = _("95 %: {low} to {high} \N{MIDDLE DOT} n = {n}").format(
        low=write(now.lower), high=write(now.upper), n=desk.show.decimal(now.n, 0)
    )
    plain = Stated(_name(desk, score), write(now.value), under)
    change = score.change
    if change is None or score.reference is None:
        return plain
    text = desk.show.change(change, UNITS[score.measure])
    against = _("vs {period}").format(period=desk.read.short(score.reference, scope.grain, score.period))
    if not is_sure(score.p_value):
        beside = _("{against}, within chance").format(against=against)
        return Stated(plain.label, plain.value, under, text, "flat", beside)
    arrow = "\N{UPWARDS ARROW}" if change > 0 else "\N{DOWNWARDS ARROW}"
    tone = "good" if change > 0 else "bad"
    return Stated(plain.label, plain.value, under, f"{arrow} {text}", tone, against)


def _trend(desk: Desk, scope: Scope, score: ScoreWave) -> tuple[Card, Chart | None, str]:
    show, read, unit = desk.show, desk.read, UNITS[score.measure]
    table = asked.scores_through_time(desk, scope, score)
    write = partial(show.value, unit=unit)
    figures = ("value", "lower", "upper")
    card = Card(
        key=f"score-{score.instrument.name}-{score.code}-{score.measure}",
        title=_finding(desk, scope, score),
        note=_("by period with answers \N{MIDDLE DOT} the band holds 95 %"),
        definition={_name(desk, score): _(WORDS[score.measure])},
        columns=[
            Column(_("Period")),
            *(Column(head, "number") for head in (_("Score"), _("At least"), _("At most"), "n")),
        ],
        rows=lambda: [
            [read.period(row["period"], scope.grain), *(write(row[n]) for n in figures), str(row["n"])]
            for row in table.reverse().iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    small = pl.col("n") < score.instrument.min_n
    drawn = table.with_columns(pl.when(~small).then(pl.col(figures)))
    if drawn["value"].count() < 2:
        return card, None, _("A trend needs two periods with {n} answers.").format(n=score.instrument.min_n)
    return (
        card,
        waves(_points(desk, scope, score, drawn), write, partial(show.axis, unit=unit), card.title),
        "",
    )


def _points(desk: Desk, scope: Scope, score: ScoreWave, drawn: pl.DataFrame) -> Waves:
    codes = drawn["period"].to_list()
    values, lower, upper = (drawn[n].fill_null(np.nan).to_numpy() for n in ("value", "lower", "upper"))
    of = (score.instrument.name, score.code)
    return Waves(
        ticks=[desk.read.tick(code, scope.grain) for code in codes],
        values=values,
        lower=lower,
        upper=upper,
        notes=[_note(desk, scope, score, row) for row in drawn.iter_rows(named=True)],
        compared=[codes.index(code) for code in (score.reference, score.period) if code in codes],
        ids=[name("question", code, *of, -1e9, 1e9) for code in codes] if score.code else (),
    )


def _note(desk: Desk, scope: Scope, score: ScoreWave, row: Mapping[str, float]) -> str:
    value, lower, upper = (desk.show.value(row[n], UNITS[score.measure]) for n in ("value", "lower", "upper"))
    return _("{period}: {value} ({lower} to {upper}), n = {n}").format(
        period=desk.read.period(int(row["period"]), scope.grain),
        value=value,
        lower=lower,
        upper=upper,
        n=desk.show.decimal(row["n"], 0),
    )


def _finding(desk: Desk, scope: Scope, score: ScoreWave) -> str:
    title, change = _name(desk, score), score.change
    if change is None or score.reference is None:
        return _("{name} through time").format(name=title)
    period = desk.read.period(score.reference, scope.grain)
    if not is_sure(score.p_value):
        words = _("{name}: no clear change since {period}")
        return words.format(name=title, period=period)
    return _("{name}: {change} since {period} (p {p})").format(
        name=title,
        change=desk.show.change(change, UNITS[score.measure]),
        period=period,
        p=p_value(desk.show, score.p_value),
    )
