"""The drawers of the satisfaction page: who gave the answers behind a figure that was clicked.

A figure is named by its kind and what it is about, parts apart by bars: `item|RES10`,
`dimension|24319|RES`, `zone|24319|zone_of_tolerance|RES`, `segment|region|East|RES`,
`question|24319|relationship|nps|9|10`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from dashboard import satisfaction_data as asked
from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.parts import respondents
from dashboard.priority_data import perceptions
from dashboard.state import Scope
from dashboard.survey_words import CATEGORIES, answers, dimension, feature, item, label
from dashboard.text import gettext as _
from metrics.answers import Answers
from metrics.instruments import Instrument
from metrics.kano_features import respondent_categories
from metrics.satisfaction import OVERALL
from metrics.selection import SEGMENT
from metrics.tolerance import respondent_levels

BAR: Final = "|"


def name(*parts: object) -> str:
    """The name of a figure to open."""
    return BAR.join(str(part) for part in parts)


def open_chosen(desk: Desk, scope: Scope, instrument: Instrument | None = None) -> None:
    """Open the drawer of the figure that was clicked in this run, if one was."""
    taken = respondents.taken()
    kind, *parts = (taken or "").split(BAR)
    match kind, parts:
        case "item", [period, code] if instrument and code in instrument.codes:
            _item(desk, instrument, _answers(desk, scope, instrument, period), code)
        case "dimension", [period, of] if instrument and _has(instrument, of):
            _dimension(desk, instrument, _answers(desk, scope, instrument, period), of)
        case "segment", [period, by, group, of] if instrument and _has(instrument, of):
            _segment(desk, instrument, _answers(desk, scope, instrument, period), by, group, of)
        case "perceived", [period, of] if instrument and of in (*instrument.dimensions, *instrument.codes):
            _perceived(desk, instrument, _answers(desk, scope, instrument, period), of)
        case "zone", [period, survey, of]:
            _zone(desk, scope, survey, period, of)
        case "feature", [period, survey, of]:
            _feature(desk, scope, survey, period, of)
        case "question", [period, survey, code, low, high]:
            _question(desk, scope, (survey, code), period, (float(low), float(high)))


def _answers(desk: Desk, scope: Scope, instrument: Instrument, period: str) -> Answers:
    return asked.of_period(desk, scope, instrument, int(period))


def _has(instrument: Instrument, of: str) -> bool:
    return of in (OVERALL, *instrument.dimensions)


def _item(desk: Desk, instrument: Instrument, given: Answers, code: str) -> None:
    columns = asked.item_scores(given, code)
    counted = columns.get("gap", next(iter(columns.values()))).is_not_null()
    title = f"{code} \N{MIDDLE DOT} {item(desk, instrument, code)}"
    names = {"expectation": _("Expected"), "perception": _("Perceived"), "gap": _("Gap")}
    _drawer(desk, title, given, counted, columns, names)


def _dimension(desk: Desk, instrument: Instrument, given: Answers, of: str) -> None:
    columns = asked.dimension_scores(given, of)
    named = {"gap": _("Gap") if instrument.has_gap else _("Perceived")}
    _drawer(desk, dimension(desk, instrument, of), given, columns["gap"].is_not_null(), columns, named)


def _segment(desk: Desk, instrument: Instrument, given: Answers, by: str, group: str, of: str) -> None:
    if by == SEGMENT and group in segment_data.groups(desk):
        inside = asked.belongs(desk, given, group)
    elif by in desk.attributes:
        inside = (asked.attribute(desk, given, by) == group).fill_null(value=False)
    else:
        return
    columns = asked.dimension_scores(given, of)
    title = f"{group} \N{MIDDLE DOT} {dimension(desk, instrument, of)}"
    named = {"gap": _("Gap") if instrument.has_gap else _("Perceived")}
    _drawer(desk, title, given, inside & columns["gap"].is_not_null(), columns, named)


def _question(
    desk: Desk, scope: Scope, of: tuple[str, str], period: str, between: tuple[float, float]
) -> None:
    instrument = desk.instruments.named.get(of[0])
    if instrument is None or of[1] not in instrument.questions:
        return
    given = _answers(desk, scope, instrument, period)
    score = pl.Series(given.single[of[1]]).fill_nan(None)
    title = label(desk, instrument.questions[of[1]].label)
    counted = score.is_between(*between).fill_null(value=False)
    _drawer(desk, title, given, counted, {"score": score}, {"score": _("Answer")})


def _perceived(desk: Desk, instrument: Instrument, given: Answers, of: str) -> None:
    seen = perceptions(given, of)
    is_item = of in instrument.codes
    title = (
        f"{of} \N{MIDDLE DOT} {item(desk, instrument, of)}" if is_item else dimension(desk, instrument, of)
    )
    _drawer(desk, title, given, seen.is_not_null(), {"perception": seen}, {"perception": _("Perceived")})


def _zone(desk: Desk, scope: Scope, survey: str, period: str, of: str) -> None:
    instrument = desk.instruments.named.get(survey)
    if instrument is None or of not in instrument.dimensions:
        return
    given = _answers(desk, scope, instrument, period)
    levels = respondent_levels(given, of)
    named = {"minimum": _("Minimum"), "desired": _("Desired"), "perception": _("Perceived")}
    counted = levels["perception"].is_not_null()
    _drawer(desk, dimension(desk, instrument, of), given, counted, levels.to_dict(), named)


def _feature(desk: Desk, scope: Scope, survey: str, period: str, of: str) -> None:
    instrument = desk.instruments.named.get(survey)
    if instrument is None or of not in instrument.features:
        return
    given = _answers(desk, scope, instrument, period)
    letters = respondent_categories(given, of)
    told = letters.replace_strict({letter: _(words) for letter, words in CATEGORIES.items()}, default=None)
    title, named = feature(desk, instrument, of), {"category": _("Category")}
    _drawer(desk, title, given, letters.is_not_null(), {"category": told}, named)


def _drawer(
    desk: Desk,
    title: str,
    given: Answers,
    counted: pl.Series,
    columns: Mapping[str, pl.Series],
    names: Mapping[str, str],
) -> None:
    """The drawer; nothing where the project does not let so few respondents be opened."""
    n = int(counted.sum())
    if not respondents.may_open(desk, given.n, given.instrument.min_n):
        return
    mask = counted.to_numpy()
    respondents.drawer(
        desk,
        title,
        _("{n}, the latest first.").format(n=answers(desk.show, n)),
        lambda: asked.respondents(desk, given, mask, columns),
        names,
    )
