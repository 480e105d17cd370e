"""Figures of what customers feel, by period, and the respondents behind them."""

from dataclasses import replace
from datetime import date
from typing import Final, assert_never

import numpy as np
import polars as pl

from config.errors import unknown
from metrics.answers import Answers, read_answers
from metrics.equity_drivers import drivers
from metrics.equity_years import equity_year
from metrics.frames import Marts
from metrics.gap_comparisons import respondent_gaps
from metrics.instruments import Instrument
from metrics.linkage import followed, linked
from metrics.periods import Grain, Window
from metrics.points import Point
from metrics.reasons import Reason
from metrics.relations import RELATIONS
from metrics.return_on_quality import return_on_quality
from metrics.satisfaction import OVERALL, dimension_gaps
from metrics.selection import Missing
from metrics.standings import order_rows
from metrics.survey_definitions import (
    CustomerEffort,
    CustomerSatisfaction,
    ReturnOnQuality,
    SatisfactionIndex,
    ServqualGap,
    Surveyed,
)
from metrics.survey_scores import Estimate, mean_score, top_box

NO_ANSWERS: Final = "no answers in this period"
NO_GAP: Final = "no respondent answered enough of both sides in this period"
_COLUMNS: Final = frozenset(
    {"response_id", "answered_on", "instrument", "item", "part", "score", "weight", "order_id"}
)
_METHODS: Final = {"csat": "wilson", "ces": "t", "acsi": "t"}


def felt(definition: Surveyed, marts: Marts, window: Window) -> dict[int, Point]:
    """The figures of a definition by period; `n` counts respondents.

    Raises Missing without survey answers, and for an instrument or dimension that nobody describes.
    """
    return {code: _point(definition, marts, window, code) for code in window.periods}


def felt_customers(definition: Surveyed, marts: Marts, window: Window) -> pl.DataFrame:
    """The respondents behind the figures: period, customer, numerator and denominator.

    Of gaps and of the return on quality the `gap` of each respondent: they are no sums over respondents.
    """
    parts = [
        rows.select(pl.lit(code, pl.Int32).alias("period"), pl.all())
        for code in window.periods
        for rows in [_behind(definition, marts, window, code)]
    ]
    return pl.concat(parts)


def _point(definition: Surveyed, marts: Marts, window: Window, code: int) -> Point:
    match definition:
        case ServqualGap():
            return _gap(definition, _period_answers(definition.instrument, marts, window, code))
        case CustomerSatisfaction() | CustomerEffort() | SatisfactionIndex():
            found = _estimate(definition, _codes(definition, marts, window, code))
            if found.value is None:
                return Point(None, 0, reason=NO_ANSWERS)
            return Point(found.value, found.n, found.lower, found.upper, _METHODS[definition.kind])
        case ReturnOnQuality():
            return _worth(definition, marts, _day(marts, window, code))
        case _:
            assert_never(definition)


def _behind(definition: Surveyed, marts: Marts, window: Window, code: int) -> pl.DataFrame:
    match definition:
        case ServqualGap() | ReturnOnQuality():
            answers = _period_answers(definition.instrument, marts, window, code)
            gaps = respondent_gaps(answers)[_dimension(definition, answers.instrument)]
            rows = answers.responses.select("customer", gap=gaps)
            return rows.drop_nulls("gap").group_by("customer").agg(pl.col("gap").mean()).sort("customer")
        case CustomerSatisfaction() | CustomerEffort() | SatisfactionIndex():
            rows = _scored(definition, _codes(definition, marts, window, code))
            return (
                rows.group_by("customer")
                .agg(numerator=pl.col("value").sum(), denominator=pl.len().cast(pl.Float64))
                .sort("customer")
            )
        case _:
            assert_never(definition)


def _instrument(name: str, marts: Marts) -> Instrument:
    """An instrument by name. Raises Missing for one that no file describes, or without both sides."""
    if name not in marts.instruments:
        raise Missing(str(unknown("instrument", name, marts.instruments)))
    found = marts.instruments[name]
    if not found.has_gap:
        fault = f"`{name}` does not ask for expectation and perception, so it has no gap"
        raise Missing(fault)
    return found


def _dimension(definition: ServqualGap | ReturnOnQuality, instrument: Instrument) -> str:
    if definition.dimension not in (OVERALL, *instrument.dimensions):
        raise Missing(str(unknown("dimension", definition.dimension, instrument.dimensions)))
    return definition.dimension


def _everything(name: str, marts: Marts) -> Answers:
    """All answers of the selected customers to an instrument, read once."""
    instrument = _instrument(name, marts)
    chosen = str(sorted(marts.selection.attributes.items()))

    def made() -> Answers:
        return read_answers(marts.rows(RELATIONS["survey_answers"], Window(), _COLUMNS), instrument)

    return marts.kept(("answers", name, chosen, marts.selection.categories, marts.selection.where), made)


def _period_answers(name: str, marts: Marts, window: Window, code: int) -> Answers:
    """The answers of one period."""
    answers = _everything(name, marts)
    if window.grain is Grain.ALL and not window.is_cut:
        return answers
    inside = pl.col("answered_on").is_between(*_part(window, code).day_range(marts.calendar))
    return answers.where(answers.responses.select(inside).to_series().to_numpy())


def _part(window: Window, code: int) -> Window:
    """One period of a window, cut as the window is."""
    return replace(window, last=code, count=1)


def _gap(definition: ServqualGap, answers: Answers) -> Point:
    of = _dimension(definition, answers.instrument)
    row = dimension_gaps(answers).filter(dimension=of).row(0, named=True)
    value, lower, upper = (row.get(name) for name in ("gap", "lower", "upper"))
    if definition.weighted:
        value, lower, upper = (row.get(name) for name in ("weighted", "weighted_lower", "weighted_upper"))
    if value is None:
        reason = "the instrument has no weights" if definition.weighted and row["gap"] is not None else NO_GAP
        return Point(None, int(row["n"]), reason=reason)
    return Point(float(value), int(row["n"]), lower, upper, "t")


def _codes(
    definition: CustomerSatisfaction | CustomerEffort | SatisfactionIndex,
    marts: Marts,
    window: Window,
    code: int,
) -> pl.DataFrame:
    """The answers of a period on the scale, a row a response: customer, and a column an item."""
    items = definition.items if isinstance(definition, SatisfactionIndex) else (definition.item,)
    rows = marts.rows(RELATIONS["survey_answers"], _part(window, code), _COLUMNS)
    scored = rows.filter(
        pl.col("part").cast(pl.String) == "score",
        pl.col("score").is_between(definition.lowest, definition.highest),
        pl.lit(value=True)
        if definition.instrument is None
        else pl.col("instrument").cast(pl.String) == definition.instrument,
    )
    item = pl.col("item").cast(pl.String)
    values = [pl.col("score").filter(item == name).first().alias(name) for name in items]
    return scored.filter(item.is_in(list(items))).group_by("response_id", "customer").agg(values)


def _scored(
    definition: CustomerSatisfaction | CustomerEffort | SatisfactionIndex, codes: pl.DataFrame
) -> pl.DataFrame:
    """What each response adds: customer, value."""
    low, high = definition.lowest, definition.highest
    match definition:
        case CustomerSatisfaction():
            score = pl.col(definition.item)
            good = score if definition.better == "high" else low + high - score
            value = (good > high - definition.boxes).cast(pl.Float64)
        case CustomerEffort():
            score = pl.col(definition.item)
            value = score if definition.easy == "high" else low + high - score
        case SatisfactionIndex():
            total = sum(definition.weights)
            pairs = zip(definition.items, definition.weights, strict=True)
            shares = [pl.col(name) * weight / total for name, weight in pairs]
            value = (pl.sum_horizontal(shares) - low) / (high - low) * 100
    asked = [name for name in codes.columns if name not in ("customer", "response_id")]
    return codes.drop_nulls(asked).select("customer", value=value)


def _estimate(
    definition: CustomerSatisfaction | CustomerEffort | SatisfactionIndex, codes: pl.DataFrame
) -> Estimate:
    values = _scored(definition, codes)["value"].to_numpy().astype(np.float64)
    if isinstance(definition, CustomerSatisfaction):
        return top_box(values, 1.0)
    return mean_score(values)


def _day(marts: Marts, window: Window, code: int) -> date:
    last = marts.as_of if window.grain is Grain.ALL else marts.calendar.end(code, window.grain)
    return min(last, marts.as_of)


def _worth(definition: ReturnOnQuality, marts: Marts, day: date) -> Point:
    answers = _everything(definition.instrument, marts)
    term = _dimension(definition, answers.instrument)
    names = tuple(answers.instrument.dimensions)
    gaps = respondent_gaps(answers)
    responses = answers.responses.select("customer", "answered_on").with_columns(gaps[name] for name in names)
    orders = order_rows(marts, frozenset({"net_amount"})).filter(
        pl.col("orders") > 0, pl.col("ordered_on") <= day
    )
    bought = orders.select("customer", "ordered_on", pl.col("net_amount").cast(pl.Float64) / 10_000)
    asked = responses.filter(pl.col("answered_on") <= day)
    link = linked(followed(asked, bought, definition.days, day, scores=names), names)
    measured = drivers(equity_year(marts, day))
    if isinstance(link, Reason):
        return Point(None, 0, reason=link.text)
    if isinstance(measured, Reason):
        return Point(None, 0, reason=measured.text)
    found = return_on_quality(
        link, term, definition.points, measured.drivers, measured.draws, cost=definition.cost
    )
    if found.net is None:
        return Point(None, link.model.n, reason=str(found.reason))
    lower, upper = (
        None if bound is None else bound - definition.cost for bound in (found.lower, found.upper)
    )
    return Point(found.net, link.model.n, lower, upper, "bootstrap")
