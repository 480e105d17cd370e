"""The questions of the page on priorities; every answer is kept by the desk."""

from __future__ import annotations

from typing import Literal

import polars as pl

from dashboard.desk import Desk
from dashboard.satisfaction_data import Wave, stamp
from dashboard.state import Scope
from metrics.answers import Answers
from metrics.importance import (
    derived_importance,
    expected_importance,
    item_correlations,
    stated_importance,
)
from metrics.instruments import Instrument
from metrics.kano_features import kano_features
from metrics.reasons import Reason
from metrics.satisfaction import OVERALL, dimension_scores, performance
from metrics.survey_scores import importance_performance
from metrics.tolerance import tolerance

Basis = Literal["stated", "derived", "expected", "correlation"]
Cross = Literal["data_mean", "median", "scale_mid"] | tuple[float, float]
"""Where the quarters meet: a rule, or importance and performance of a point."""


def _question(scope: Scope, instrument: Instrument, found: Wave) -> str:
    return f"{stamp(instrument)} {scope.grain} {found.period} {scope.filters}"


def map_of(
    desk: Desk,
    scope: Scope,
    instrument: Instrument,
    found: Wave,
    basis: Basis,
    centre: Cross,
) -> pl.DataFrame | Reason:
    """Importance and performance of dimensions, or of items, with their quarters; or why there is none."""
    question = f"importance {basis} {_question(scope, instrument, found)}"
    table = desk.kept(question, lambda: _importance(instrument, found, basis))
    if isinstance(table, Reason):
        return table
    middle = (instrument.scale.min + instrument.scale.max) / 2
    mean = table["importance"].to_numpy().mean()
    cross = (middle if basis == "expected" else float(mean), middle)
    return importance_performance(table, centre=cross if centre == "scale_mid" else centre)


def _importance(instrument: Instrument, found: Wave, basis: Basis) -> pl.DataFrame | Reason:
    """One row a dimension or item: item, importance, performance."""
    overall = next(iter(instrument.questions_of("overall")), None)
    if basis in ("derived", "correlation") and overall is None:
        text = (
            "No question of the kind `overall` is asked, so nothing can be derived. Add one to the instrument"
        )
        return Reason("no_overall", text)
    match basis:
        case "stated":
            table: pl.DataFrame | Reason | None = stated_importance(found.now)
        case "derived":
            table = derived_importance(found.now, str(overall))
        case "expected":
            table = expected_importance(found.now) if instrument.has_gap else None
        case "correlation":
            table = item_correlations(found.now, str(overall))
    if table is None:
        return Reason("not_asked", "This survey does not ask for it. Choose another importance")
    if isinstance(table, Reason):
        return table
    return _performed(found, table).drop_nulls(["importance", "performance"])


def _performed(found: Wave, table: pl.DataFrame) -> pl.DataFrame:
    """The table with what is perceived beside it, under `item`."""
    if "dimension" in table.columns:
        seen = performance(found.now).filter(pl.col("dimension") != OVERALL)
        named = table.rename({"dimension": "item"}).select("item", "importance")
        return named.with_columns(performance=seen["mean"])
    perceived = found.now.parts["perception"]
    means = [pl.Series(column).fill_nan(None).mean() for column in perceived.T]
    return table.with_columns(performance=pl.Series(means, dtype=pl.Float64))


def perceptions(given: Answers, of: str) -> pl.Series:
    """What each respondent perceives in a dimension, or of an item."""
    seen, names = given.parts["perception"], list(given.instrument.dimensions)
    if of in names:
        return pl.Series(dimension_scores(given, seen)[:, names.index(of)]).fill_nan(None)
    return pl.Series(seen[:, given.instrument.codes.index(of)]).fill_nan(None)


def zone_table(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame:
    """Zones of tolerance of a wave."""
    return desk.kept(f"zones {_question(scope, instrument, found)}", lambda: tolerance(found.now))


def features(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> pl.DataFrame:
    """Kano's categories of a wave."""
    return desk.kept(f"kano {_question(scope, instrument, found)}", lambda: kano_features(found.now))
