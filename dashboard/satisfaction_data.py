"""The questions of the satisfaction page; every answer is kept by the desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl

from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics.answers import Answers, Flags, read_answers
from metrics.gap_comparisons import compare_gaps, gap_trend, gaps_by, gaps_of_groups, respondent_gaps
from metrics.instruments import Instrument
from metrics.question_scores import Measure, change_p, question_scores, satisfaction_index, score_trend
from metrics.reasons import Reason
from metrics.reliability import item_analysis, overall_correlations, reliability
from metrics.satisfaction import dimension_gaps, item_gaps, performance
from metrics.selection import SEGMENT
from metrics.survey_scores import Estimate, Promoters, promoters

COMMENT: Final = "comment"
"""The column of survey answers in which a source keeps what people wrote."""


@dataclass(frozen=True)
class Wave:
    """The answers of the scope's latest period that has any, and of the one that it is compared with."""

    period: int
    now: Answers
    reference: int | None
    before: Answers | None


@dataclass(frozen=True)
class Responses:
    """How many of those who were asked answered."""

    invited: int
    answered: int


@dataclass(frozen=True)
class ScoreWave:
    """A score of a question in the latest period with answers, and in the one that it is compared with.

    `code` is empty for the index, which is made of three questions.
    """

    instrument: Instrument
    code: str
    measure: Measure
    period: int
    now: Estimate
    reference: int | None = None
    before: Estimate | None = None
    p_value: float | None = None

    @property
    def change(self) -> float | None:
        """What lies between the two."""
        if self.before is None or self.before.value is None or self.now.value is None:
            return None
        return self.now.value - self.before.value


def surveys(desk: Desk) -> tuple[Instrument, ...]:
    """The instruments to which there are answers, in the order of their files. Raises Missing without any."""
    rows = desk.whole.frame("answers")
    used = desk.kept("instruments with answers", lambda: set(rows["instrument"].cast(pl.String).unique()))
    return tuple(each for name, each in desk.instruments.named.items() if name in used)


def unread(desk: Desk) -> tuple[str, ...]:
    """The instruments named by answers and described by no file, but for invitations."""
    rows = desk.whole.frame("answers")
    used = desk.kept("instruments with answers", lambda: set(rows["instrument"].cast(pl.String).unique()))
    invitations = {each.invitations for each in desk.instruments.named.values()}
    return tuple(sorted(used - set(desk.instruments.named) - invitations))


def stamp(instrument: Instrument) -> str:
    """A text that changes when an instrument is edited."""
    return f"{instrument.name} {blake2b(instrument.model_dump_json().encode(), digest_size=8).hexdigest()}"


def everybody(desk: Desk, instrument: Instrument) -> Answers:
    """All answers to an instrument up to the as-of day."""
    return desk.kept(
        f"answers {stamp(instrument)}", lambda: read_answers(desk.whole.frame("answers"), instrument)
    )


def chosen(desk: Desk, scope: Scope, instrument: Instrument) -> Answers:
    """The answers of the customers that the filters leave; categories do not narrow them."""
    found = everybody(desk, instrument)
    mask = desk.marts(replace(scope, categories=())).mask
    if mask is None:
        return found
    return found.where(mask.gather(found.responses["customer"]).fill_null(value=False).to_numpy())


def periods(desk: Desk, scope: Scope, answers: Answers) -> pl.Series:
    """The period of each response, in the scope's grain."""
    return answers.responses.select(desk.calendar.codes(pl.col("answered_on"), scope.grain)).to_series()


def wave(desk: Desk, scope: Scope, instrument: Instrument) -> Wave | None:
    """The latest period with answers up to the scope's; compared with the one before, or a year before."""
    found = chosen(desk, scope, instrument)
    codes = periods(desk, scope, found)
    answered = codes.filter(codes <= scope.period).unique().sort()
    if answered.is_empty():
        return None
    last = int(answered[-1])
    year = desk.calendar.year_before(last, scope.grain)
    earlier = [code for code in answered.to_list()[:-1] if scope.comparison == "previous" or code == year]
    reference = earlier[-1] if earlier else None
    before = None if reference is None else found.where((codes == reference).to_numpy())
    return Wave(last, found.where((codes == last).to_numpy()), reference, before)


def gap_table(desk: Desk, scope: Scope, instrument: Instrument, period: int) -> pl.DataFrame:
    """Gaps by dimension of a period; means of perceptions, under `gap`, where there are no expectations."""

    def made() -> pl.DataFrame:
        answers = of_period(desk, scope, instrument, period)
        if instrument.has_gap:
            return dimension_gaps(answers)
        found = performance(answers).rename({"mean": "gap"})
        return found.with_columns(perception="gap", p_value=pl.lit(None, pl.Float64))

    return desk.kept(f"gaps {stamp(instrument)} {scope.grain} {period} {scope.filters}", made)


def item_table(desk: Desk, scope: Scope, instrument: Instrument, period: int) -> pl.DataFrame:
    """Gaps by item of a period."""
    question = f"item gaps {stamp(instrument)} {scope.grain} {period} {scope.filters}"
    return desk.kept(question, lambda: item_gaps(of_period(desk, scope, instrument, period)))


def of_period(desk: Desk, scope: Scope, instrument: Instrument, period: int) -> Answers:
    """The chosen customers' answers of one period."""
    found = chosen(desk, scope, instrument)
    return found.where((periods(desk, scope, found) == period).to_numpy())


def changes(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame | None:
    """Gaps of a wave against those of its reference, with tests."""
    before = found.before
    if before is None:
        return None
    question = f"gap changes {stamp(instrument)} {scope.grain} {found.period} {found.reference}"
    return desk.kept(f"{question} {scope.filters}", lambda: compare_gaps(before, found.now))


def trend(desk: Desk, scope: Scope, instrument: Instrument) -> pl.DataFrame:
    """Gaps of every period up to the scope's."""

    def made() -> pl.DataFrame:
        found = chosen(desk, scope, instrument)
        codes = periods(desk, scope, found)
        past = (codes <= scope.period).to_numpy()
        return gap_trend(found.where(past), codes.filter(codes <= scope.period))

    return desk.kept(f"gap trend {stamp(instrument)} {scope.grain} {scope.period} {scope.filters}", made)


def segments(desk: Desk, scope: Scope, instrument: Instrument, found: Wave, by: str) -> pl.DataFrame:
    """Gaps of the values of an attribute against those of all others, in a wave."""
    question = f"gaps by {by} {stamp(instrument)} {scope.grain} {found.period} {scope.filters}"
    if by == SEGMENT:
        return desk.kept(question, lambda: _by_segment(desk, found.now))
    return desk.kept(question, lambda: gaps_by(found.now, attribute(desk, found.now, by)))


def _by_segment(desk: Desk, answers: Answers) -> pl.DataFrame:
    """The same of the segments that any respondent belongs to; they may overlap."""
    known = answers.where(answers.responses["customer"].is_not_null().to_numpy())
    inside = {label: belongs(desk, known, label).to_numpy() for label in segment_data.groups(desk)}
    return gaps_of_groups(known, {label: each for label, each in inside.items() if each.any()})


def belongs(desk: Desk, answers: Answers, label: str) -> pl.Series:
    """Whether the respondent of each response belongs to a segment, by its label; nobody known does not."""
    return segment_data.groups(desk)[label].gather(answers.responses["customer"]).fill_null(value=False)


def attribute(desk: Desk, answers: Answers, by: str) -> pl.Series:
    """The value of a customer attribute for each response; null where the respondent is not known."""
    people = desk.whole.frame("customer_summary")
    return people[by].cast(pl.String).gather(answers.responses["customer"])


def invitations(desk: Desk, scope: Scope, instrument: Instrument) -> pl.DataFrame | None:
    """Who was invited when, and whether they answered: response_id, customer, answered_on, answered.

    None where no invitations are in the data.
    """
    if not instrument.invitations:
        return None
    rows = desk.whole.frame("answers").lazy().filter(pl.col("instrument") == instrument.invitations)

    def made() -> pl.DataFrame:
        ours = everybody(desk, instrument).responses["response_id"]
        asked = rows.select("response_id", "customer", "answered_on").unique("response_id").collect()
        return asked.with_columns(answered=pl.col("response_id").is_in(ours.implode()))

    asked = desk.kept(f"invitations {stamp(instrument)}", made)
    mask = desk.marts(replace(scope, categories=())).mask
    if mask is not None:
        asked = asked.filter(mask.gather(asked["customer"]).fill_null(value=False))
    return asked if len(asked) else None


def response_rate(desk: Desk, scope: Scope, instrument: Instrument, period: int) -> Responses | None:
    """How many of those invited in a period answered; None where no invitations are in the data."""
    asked = invitations(desk, scope, instrument)
    if asked is None:
        return None
    inside = desk.calendar.codes(pl.col("answered_on"), scope.grain) == period
    of_period = asked.filter(inside)
    return Responses(len(of_period), int(of_period["answered"].sum())) if len(of_period) else None


def respondents(desk: Desk, answers: Answers, mask: Flags, beside: Mapping[str, pl.Series]) -> pl.DataFrame:
    """The customers behind some responses, with columns beside them; those of nobody known are left out."""
    heads = answers.responses.select("customer", "answered_on").with_columns(
        values.alias(name) for name, values in beside.items()
    )
    known = heads.filter(mask).filter(pl.col("customer").is_not_null())
    return with_ids(desk, known.sort("answered_on", "customer", descending=[True, False]))


def item_scores(answers: Answers, item: str) -> dict[str, pl.Series]:
    """What each respondent answered to an item, part by part, and the gap."""
    at = answers.instrument.codes.index(item)
    columns = {part: _series(matrix[:, at]) for part, matrix in answers.parts.items() if part != "importance"}
    if answers.instrument.has_gap:
        columns["gap"] = columns["perception"] - columns["expectation"]
    return columns


def dimension_scores(answers: Answers, dimension: str) -> dict[str, pl.Series]:
    """The gap of each respondent in a dimension, or overall."""
    return {"gap": respondent_gaps(answers)[dimension]}


def _series(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> pl.Series:
    return pl.Series(values).fill_nan(None)


def reliabilities(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame:
    """Alphas of a wave."""
    question = f"alphas {stamp(instrument)} {scope.grain} {found.period} {scope.filters}"
    return desk.kept(question, lambda: reliability(found.now))


def item_reliabilities(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame:
    """What each item does to its dimension's alpha, by the perceptions of a wave."""
    question = f"item alphas {stamp(instrument)} {scope.grain} {found.period} {scope.filters}"
    return desk.kept(question, lambda: item_analysis(found.now))


def correlations(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame | None:
    """How perceptions and gaps of a wave go with the judgement of the whole; None where it is not asked."""
    overall = next(iter(instrument.questions_of("overall")), None)
    if overall is None:
        return None
    question = f"overall correlations {stamp(instrument)} {scope.grain} {found.period} {scope.filters}"
    return desk.kept(question, lambda: overall_correlations(found.now, overall))


def unknown_respondents(desk: Desk, answers: Answers) -> int:
    """Responses of nobody who ever ordered: counted, but followed by no orders."""
    people = desk.whole.frame("customer_summary")
    if "lines" not in people.columns:
        return answers.n
    ordered = people["lines"].gather(answers.responses["customer"]) > 0
    return answers.n - int(ordered.fill_null(value=False).sum())


def score_waves(desk: Desk, scope: Scope, instrument: Instrument) -> list[ScoreWave | Reason]:
    """Every score of an instrument's questions in the latest period with answers, or why there is none."""
    found = wave(desk, scope, instrument)
    if found is None or found.now.n < instrument.min_n:
        return []
    question = f"scores {stamp(instrument)} {scope.grain} {found.period} {found.reference} {scope.filters}"
    return desk.kept(question, lambda: list(_score_waves(instrument, found)))


def _score_waves(instrument: Instrument, found: Wave) -> Iterator[ScoreWave | Reason]:
    for code, question in instrument.questions.items():
        if question.kind == "acsi":
            continue
        now = question_scores(found.now, code)
        if isinstance(now, Reason):
            yield now
            continue
        earlier = question_scores(found.before, code) if found.before else None
        before = earlier if isinstance(earlier, Mapping) else {}
        for measure, estimate in now.items():
            if estimate.value is not None and not (question.kind == "csat" and measure == "mean"):
                yield _compared(instrument, code, measure, found, estimate, before.get(measure))
    index = satisfaction_index(found.now)
    if index is not None and index.value is not None:
        earlier_index = satisfaction_index(found.before) if found.before else None
        yield _compared(instrument, "", "acsi", found, index, earlier_index)


def _compared(
    instrument: Instrument, code: str, measure: Measure, found: Wave, now: Estimate, before: Estimate | None
) -> ScoreWave:
    if before is None or found.reference is None or before.n < instrument.min_n:
        return ScoreWave(instrument, code, measure, found.period, now)
    p_value = change_p(before, now, measure)
    return ScoreWave(instrument, code, measure, found.period, now, found.reference, before, p_value)


def scores_through_time(desk: Desk, scope: Scope, score: ScoreWave) -> pl.DataFrame:
    """A score of every period up to the scope's."""
    what = f"{stamp(score.instrument)} {score.code} {score.measure}"

    def made() -> pl.DataFrame:
        found = chosen(desk, scope, score.instrument)
        codes = periods(desk, scope, found)
        past = codes <= scope.period
        return score_trend(found.where(past.to_numpy()), score.code, score.measure, codes.filter(past))

    return desk.kept(f"score trend {what} {scope.grain} {scope.period} {scope.filters}", made)


def promoter_counts(desk: Desk, scope: Scope, score: ScoreWave) -> Promoters:
    """Promoters, passives and detractors of a score's period."""
    answers = of_period(desk, scope, score.instrument, score.period)
    return promoters(answers.single[score.code], off_scale="drop")


def comments(desk: Desk, scope: Scope) -> pl.DataFrame | None:
    """What respondents wrote up to the scope's period, the latest first; None where no source keeps it.

    customer_id, comment, answered_on and the attributes. Kept like any answer of the page, never recorded.
    """
    rows = desk.whole.frame("answers")
    if COMMENT not in rows.columns:
        return None
    end = desk.calendar.end(scope.period, scope.grain)
    said = rows.lazy().filter(pl.col(COMMENT).is_not_null(), pl.col("answered_on") <= end)
    texts = said.select("customer", pl.col(COMMENT).cast(pl.String), "answered_on").collect()
    mask = desk.marts(replace(scope, categories=())).mask
    if mask is not None:
        texts = texts.filter(mask.gather(texts["customer"]).fill_null(value=False))
    return with_ids(desk, texts.sort("answered_on", "customer", descending=[True, False], nulls_last=True))
