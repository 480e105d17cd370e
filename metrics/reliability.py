"""How far the items of a scale measure one thing, which item spoils it, and what goes with the whole."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl
import scipy

from metrics.answers import Answers, Matrix
from metrics.satisfaction import OVERALL, dimension_scores, row_mean, scores_of

_SUSPECT: Final = 0.0
_FISHER: Final = 3
"""The respondents that Fisher's interval uses up: there is none with so many."""


class Alpha(NamedTuple):
    """Cronbach's alpha over `n` complete respondents and `k` items; null where it does not exist."""

    value: float | None
    lower: float | None
    upper: float | None
    n: int
    k: int


def cronbach_alpha(items: Matrix, level: float = 0.95) -> Alpha:
    """Cronbach's alpha (1951) with Feldt's interval (1965), over respondents who answered every item.

    `alpha = k / (k - 1) (1 - sum of item variances / variance of the sum)`. Needs two items, two respondents
    and some variance; may be negative, which says that an item runs against the others.
    """
    complete = items[~np.isnan(items).any(axis=1)]
    n, k = complete.shape
    total = complete.sum(axis=1).var(ddof=1) if n > 1 else 0.0
    if k < 2 or not total > 0:
        return Alpha(None, None, None, n, k)
    value = k / (k - 1) * (1 - complete.var(axis=0, ddof=1).sum() / total)
    tails = scipy.stats.f.ppf([0.5 + level / 2, 0.5 - level / 2], n - 1, (n - 1) * (k - 1))
    lower, upper = 1 - (1 - value) * tails
    return Alpha(float(value), float(lower), float(upper), n, k)


def reliability(answers: Answers, *, level: float = 0.95) -> pl.DataFrame:
    """Alpha of every dimension, for each part and for the gaps.

    One row a dimension and measure: dimension, measure (a part, or `gap`), n, items, alpha, lower, upper.
    Beside the alpha of the gaps stands `difference_reliability`, what the two sides' alphas and their
    correlation leave of a difference score.
    """
    rows = [row for name in answers.instrument.dimensions for row in _measures(answers, name, level)]
    return pl.DataFrame(rows, infer_schema_length=None)


def _measures(answers: Answers, dimension: str, level: float) -> list[dict[str, object]]:
    columns = answers.columns(dimension)
    scored = {part: matrix[:, columns] for part, matrix in answers.parts.items() if part != "importance"}
    alphas = {part: cronbach_alpha(matrix, level) for part, matrix in scored.items()}
    rows = [_row(dimension, part, alpha) for part, alpha in alphas.items()]
    if answers.instrument.has_gap:
        expected, perceived = scored["expectation"], scored["perception"]
        left = _of_difference(expected, perceived, alphas["expectation"].value, alphas["perception"].value)
        gap = _row(dimension, "gap", cronbach_alpha(perceived - expected, level))
        rows.append(gap | {"difference_reliability": left})
    return rows


def _row(dimension: str, measure: str, alpha: Alpha) -> dict[str, object]:
    found = {"alpha": alpha.value, "lower": alpha.lower, "upper": alpha.upper}
    blank = {"difference_reliability": None}
    return {"dimension": dimension, "measure": measure, "n": alpha.n, "items": alpha.k} | found | blank


def _of_difference(expected: Matrix, perceived: Matrix, r_e: float | None, r_p: float | None) -> float | None:
    complete = ~np.isnan(expected + perceived).any(axis=1)
    if r_e is None or r_p is None or complete.sum() < 2:
        return None
    e, p = expected[complete].mean(axis=1), perceived[complete].mean(axis=1)
    if not e.std() or not p.std():
        return None
    correlation = float(np.corrcoef(e, p)[0, 1])
    return difference_reliability(r_p, r_e, correlation, float(p.std(ddof=1)), float(e.std(ddof=1)))


def difference_reliability(
    r_p: float, r_e: float, r_pe: float, sd_p: float = 1.0, sd_e: float = 1.0
) -> float | None:
    """Reliability of a difference of two measures (Johns 1981; Peter, Churchill and Brown 1993).

    `(s_p^2 r_p + s_e^2 r_e - 2 s_p s_e r_pe) / (s_p^2 + s_e^2 - 2 s_p s_e r_pe)`: the more the two sides go
    together, the less of their difference is more than error. Null where the difference has no variance.

    >>> round(difference_reliability(0.8, 0.8, 0.5), 4), round(difference_reliability(0.9, 0.9, 0.9), 4)
    (0.6, 0.0)
    """
    common = 2 * sd_p * sd_e * r_pe
    variance = sd_p**2 + sd_e**2 - common
    return (sd_p**2 * r_p + sd_e**2 * r_e - common) / variance if variance > 0 else None


def item_analysis(answers: Answers, part: str = "perception") -> pl.DataFrame:
    """What each item does to its dimension's alpha.

    `item_total` is the correlation of the item with the sum of the others; `alpha_without` the alpha of the
    others. `reversed` is set where the item runs against the others (a correlation below 0): it was
    probably worded negatively and not declared under `reversed`. One row an item: item, dimension, n,
    item_total, alpha, alpha_without, reversed.
    """
    rows = []
    for name, dimension in answers.instrument.dimensions.items():
        matrix = answers.parts[part][:, answers.columns(name)]
        rows += [{"dimension": name} | found for found in _items(matrix, dimension.items)]
    order = ("item", "dimension", "n", "item_total", "alpha", "alpha_without", "reversed")
    return pl.DataFrame(rows, infer_schema_length=None).select(order)


def _items(matrix: Matrix, codes: tuple[str, ...]) -> list[dict[str, object]]:
    complete = matrix[~np.isnan(matrix).any(axis=1)]
    alpha = cronbach_alpha(matrix).value
    found = []
    for at, code in enumerate(codes):
        others = np.delete(complete, at, axis=1)
        correlation = _correlation(complete[:, at], others.sum(axis=1))
        without = cronbach_alpha(others).value
        against = correlation is not None and correlation < _SUSPECT
        row = {"item": code, "n": len(complete), "item_total": correlation, "alpha": alpha}
        found.append(row | {"alpha_without": without, "reversed": against})
    return found


def overall_correlations(answers: Answers, overall: str, *, level: float = 0.95) -> pl.DataFrame:
    """How far the perceptions, and the gaps, of each dimension go with the judgement of the whole.

    Pearson's correlation of the respondents' scores with their answer to the question `overall`, with
    Fisher's interval (1921): `tanh(atanh(r) +- z / sqrt(n - 3))`. Perceptions and gaps are correlated over
    the same respondents, those who have both. One row a dimension, and all together last, and measure
    (`perception`; `gap` where there are expectations): dimension, measure, n, correlation, lower, upper;
    null with fewer than four respondents, or where something does not vary. Sample weights do not count.
    """
    sides = _sides(answers)
    judged = answers.single[overall]
    rows = []
    for at, name in enumerate((*answers.instrument.dimensions, OVERALL)):
        present = ~np.isnan(judged + sum(side[:, at] for side in sides.values()))
        for measure, side in sides.items():
            found = fisher_interval(side[present, at], judged[present], level)
            rows.append({"dimension": name, "measure": measure} | found)
    numbers = dict.fromkeys(("correlation", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=numbers)


def _sides(answers: Answers) -> dict[str, Matrix]:
    """Respondents' perceptions and gaps by dimension, and their mean over all of them in a last column."""
    perceived = dimension_scores(answers, answers.parts["perception"])
    sides = {"perception": perceived}
    if answers.instrument.has_gap:
        sides["gap"] = scores_of(answers)
    return {name: np.column_stack([side, row_mean(side)]) for name, side in sides.items()}


def fisher_interval(x: Matrix, y: Matrix, level: float = 0.95) -> dict[str, float | int | None]:
    """Pearson's correlation of two columns without gaps: n, correlation, lower, upper (Fisher 1921)."""
    n, r = len(x), _correlation(x, y)
    if r is None or n <= _FISHER:
        return {"n": n, "correlation": None, "lower": None, "upper": None}
    half = float(scipy.stats.norm.ppf(0.5 + level / 2)) / np.sqrt(n - _FISHER)
    with np.errstate(divide="ignore"):
        centre = np.arctanh(np.clip(r, -1.0, 1.0))
    lower, upper = np.tanh([centre - half, centre + half])
    return {"n": n, "correlation": r, "lower": float(lower), "upper": float(upper)}


def _correlation(x: Matrix, y: Matrix) -> float | None:
    if len(x) < 2 or not np.ptp(x) or not np.ptp(y):
        return None
    return float(np.corrcoef(x, y)[0, 1])
