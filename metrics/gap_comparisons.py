"""Gaps of two groups, of every value of an attribute, and through time."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from metrics.answers import Answers
from metrics.multiple import holm
from metrics.satisfaction import OVERALL, Row, combined_row, mean_row, row_mean, scores_of

_COMPARED: Final[dict[str, Any]] = {
    "dimension": pl.String,
    "n_first": pl.Int64,
    "n_second": pl.Int64,
    **dict.fromkeys(("gap_first", "gap_second", "difference", "lower", "upper", "t", "p_value"), pl.Float64),
}


def compare_gaps(first: Answers, second: Answers, *, level: float = 0.95) -> pl.DataFrame:
    """Gaps of two groups or two periods, and what lies between them: second less first.

    Welch's t test on the respondents' gaps, which does not take the two spreads for equal; of perceptions
    where there are no expectations. Sample weights count. One row a dimension and overall: dimension,
    n_first, n_second, gap_first, gap_second, difference, lower, upper, t, p_value, p_holm (over dimensions).
    """
    pairs = zip(_samples(first), _samples(second), strict=True)
    rows = [{"dimension": name} | _welch(a, b, level) for (name, a), (_name, b) in pairs]
    table = pl.DataFrame(rows, schema=_COMPARED)
    single = pl.col("dimension") != OVERALL
    return table.with_columns(p_holm=pl.when(single).then(holm(pl.when(single).then("p_value"))))


def gaps_by(answers: Answers, values: pl.Series, *, level: float = 0.95) -> pl.DataFrame:
    """Gaps of every value of an attribute against all other respondents who have one.

    `values` holds a text or null a response. Rows as in `compare_gaps`, where `second` is the value and
    `first` the others; `by` leads, and `p_holm` is taken over all values and dimensions. Sorted by value.
    """
    known = values.is_not_null()
    named = values.filter(known)
    groups = {str(value): (named == value).to_numpy() for value in named.unique().sort()}
    return gaps_of_groups(answers.where(known.to_numpy()), groups, level=level)


def gaps_of_groups(
    answers: Answers, groups: Mapping[str, NDArray[np.bool_]], *, level: float = 0.95
) -> pl.DataFrame:
    """The same of groups that may overlap, each against all other respondents; sorted as they come.

    `groups` says for every response whether it belongs.
    """
    tables = [pl.DataFrame(schema={"by": pl.String, **_COMPARED, "p_holm": pl.Float64})]
    for name, mine in groups.items():
        found = compare_gaps(answers.where(~mine), answers.where(mine), level=level)
        tables.append(found.select(pl.lit(name).alias("by"), pl.all()))
    single = pl.col("dimension") != OVERALL
    return pl.concat(tables).with_columns(p_holm=pl.when(single).then(holm(pl.when(single).then("p_value"))))


def gap_trend(answers: Answers, periods: pl.Series, *, level: float = 0.95) -> pl.DataFrame:
    """The gap of every dimension, and overall, in each period that has answers.

    `periods` holds a number a response. One row a period and dimension, sorted: period, dimension, n, gap,
    lower, upper (t interval).
    """
    rows: list[Row] = []
    for period in periods.unique().sort():
        inside = answers.where((periods == period).to_numpy())
        for name, found in _samples(inside, level):
            gap = found.get("mean", found.get("gap"))
            bounds = {bound: found[bound] for bound in ("lower", "upper")}
            rows.append({"period": period, "dimension": name, "n": found["n"], "gap": gap, **bounds})
    floats = dict.fromkeys(("gap", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema={"period": pl.Int32, "dimension": pl.String, "n": pl.Int64, **floats})


def respondent_gaps(answers: Answers) -> pl.DataFrame:
    """The gap of each respondent in each dimension, and their mean under `overall`, row by row.

    Perceptions where there are no expectations; null where too few items are answered, and overall where a
    dimension is missing.
    """
    scores = scores_of(answers)
    columns = {**dict(zip(answers.instrument.dimensions, scores.T, strict=True)), OVERALL: row_mean(scores)}
    return pl.DataFrame(columns).fill_nan(None)


def _samples(answers: Answers, level: float = 0.95) -> list[tuple[str, Row]]:
    """Mean, standard error and n of each dimension and overall."""
    scores, weight = scores_of(answers), answers.weight
    names = answers.instrument.dimensions
    single = [(name, mean_row(column, weight, level)) for name, column in zip(names, scores.T, strict=True)]
    equal = np.full(scores.shape, 1 / max(scores.shape[1], 1))
    return [*single, (OVERALL, combined_row(scores, equal, weight, level))]


def _welch(first: Row, second: Row, level: float) -> Row:
    """Welch's test from two means with their standard errors; equal to scipy's where weights are equal."""
    (a, b), (n, m) = ((row.get("mean", row.get("gap")) for row in (first, second)), (first["n"], second["n"]))
    found: Row = {"n_first": n, "n_second": m, "gap_first": a, "gap_second": b}
    if a is None or b is None or min(n, m) < 2:
        return found
    spread = [row["error"] ** 2 for row in (first, second)]
    difference, error = b - a, float(np.sqrt(sum(spread)))
    if not error:
        return found | {"difference": difference}
    freedom = sum(spread) ** 2 / (spread[0] ** 2 / (n - 1) + spread[1] ** 2 / (m - 1))
    half, t = float(scipy.stats.t.ppf(0.5 + level / 2, freedom)) * error, difference / error
    bounds = {"lower": difference - half, "upper": difference + half}
    p_value = float(2 * scipy.stats.t.sf(abs(t), freedom))
    return found | {"difference": difference, **bounds, "t": t, "p_value": p_value}
