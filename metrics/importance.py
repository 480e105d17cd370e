"""How much each dimension or item matters: as respondents say, and as their overall judgement shows."""

from itertools import combinations
from math import factorial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.answers import Answers, Matrix
from metrics.reasons import Reason
from metrics.satisfaction import dimension_scores, mean_over, shares

Floats = NDArray[np.float64]
PER_TERM: Final = 10
DRAWS: Final = 200


def stated_importance(answers: Answers) -> pl.DataFrame | None:
    """The mean share of importance that respondents give each dimension: dimension, importance (sums to 1).

    From their 100 points, or from importance answers; None where the instrument asks for neither.
    """
    if answers.instrument.weights not in ("points", "importance"):
        return None
    given = shares(answers)
    means = None if given is None else mean_over(given, axis=0)
    if means is None or np.isnan(means).any():
        return None
    return pl.DataFrame({"dimension": list(answers.instrument.dimensions), "importance": means / means.sum()})


def expected_importance(answers: Answers) -> pl.DataFrame:
    """What is expected of each item, as its importance: item, importance (mean on the scale)."""
    return pl.DataFrame(
        {"item": answers.instrument.codes, "importance": mean_over(answers.parts["expectation"], axis=0)}
    )


def derived_importance(answers: Answers, overall: str, *, level: float = 0.95) -> pl.DataFrame | Reason:
    """What each dimension's perception contributes to the overall judgement (Shapley shares of R squared).

    The squared correlation of the overall score with all perceptions is divided among them: each gets the
    mean of what it adds, over all orders in which they could enter (Lindeman, Merenda and Gold 1980). One row
    a dimension: dimension, importance (share of the explained), lower, upper (bootstrap of respondents), beta
    (standardised regression coefficient), r_squared, n. A reason with fewer than ten complete respondents for
    each dimension, or where nothing varies.
    """
    perceived = dimension_scores(answers, answers.parts["perception"])
    return _derived(perceived, answers.single[overall], tuple(answers.instrument.dimensions), level)


def _derived(x: Matrix, y: Floats, names: tuple[str, ...], level: float) -> pl.DataFrame | Reason:
    complete = ~np.isnan(x).any(axis=1) & ~np.isnan(y)
    table = np.column_stack([x[complete], y[complete]])
    n = len(table)
    if n < PER_TERM * len(names) or not (np.ptp(table, axis=0) > 0).all():
        text = (
            f"{n} respondents answered everything; {PER_TERM * len(names)} who differ are needed to see what "
            "the overall judgement rests on"
        )
        return Reason("too_few", text)
    correlation = _correlations(table)
    explained = shapley(correlation)
    random = np.random.default_rng(0)
    draws = np.stack([_drawn(table, random) for _ in range(DRAWS)])
    lower, upper = np.nanquantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    beta = np.linalg.pinv(correlation[:-1, :-1]) @ correlation[:-1, -1]
    total = float(explained.sum())
    columns = {"importance": explained / total, "lower": lower, "upper": upper, "beta": beta}
    found = pl.DataFrame({"dimension": names, **columns})
    return found.with_columns(r_squared=pl.lit(total), n=pl.lit(n))


def _drawn(table: Floats, random: np.random.Generator) -> Floats:
    """Shares of one resample of respondents; NaN where something does not vary in it."""
    sample = table[random.integers(0, len(table), len(table))]
    if not (np.ptp(sample, axis=0) > 0).all():
        return np.full(table.shape[1] - 1, np.nan)
    found = shapley(_correlations(sample))
    share: Floats = found / found.sum()
    return share


def _correlations(table: Floats) -> Floats:
    """The correlation matrix of the columns of a table."""
    return np.atleast_2d(np.corrcoef(table, rowvar=False)).astype(np.float64)


def shapley(correlation: Floats) -> Floats:
    """Shapley shares of R squared from a correlation matrix whose last row is that of the outcome.

    They are not negative and sum to R squared; each is the weighted mean of what a predictor adds to every
    set of the others.

    >>> shapley(np.array([[1, 0, 0.6], [0, 1, 0.3], [0.6, 0.3, 1]])).round(4).tolist()
    [0.36, 0.09]
    """
    count = len(correlation) - 1
    fit: dict[tuple[int, ...], float] = {(): 0.0}
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            at = list(chosen)
            own = correlation[at, -1]
            fit[chosen] = float(own @ np.linalg.pinv(correlation[np.ix_(at, at)]) @ own)
    return np.array([_share(fit, each, count) for each in range(count)])


def _share(fit: dict[tuple[int, ...], float], each: int, count: int) -> float:
    total = 0.0
    for chosen, value in fit.items():
        if each in chosen:
            continue
        weight = factorial(len(chosen)) * factorial(count - len(chosen) - 1) / factorial(count)
        total += weight * (fit[tuple(sorted((*chosen, each)))] - value)
    return total


def item_correlations(answers: Answers, overall: str) -> pl.DataFrame:
    """How the perception of each item goes with the overall judgement: item, importance (correlation).

    Over the respondents who answered both; null with fewer than 30 of them, or where one does not vary.
    """
    y = answers.single[overall]
    found = [_correlation(column, y) for column in answers.parts["perception"].T]
    return pl.DataFrame({"item": answers.instrument.codes, "importance": found}, strict=False)


def _correlation(x: Floats, y: Floats) -> float | None:
    both = ~np.isnan(x) & ~np.isnan(y)
    if both.sum() < 30 or not np.ptp(x[both]) or not np.ptp(y[both]):
        return None
    return float(np.corrcoef(x[both], y[both])[0, 1])
