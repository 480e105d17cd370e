"""SERVQUAL: expectation against perception, by item, by dimension and overall.

A gap is perception less expectation of one respondent for one item (Parasuraman, Zeithaml and Berry 1988):
negative where the service falls short. Averages go from the respondent to the dimension to the sample, so
that somebody who skipped an item weighs as much as everybody else.
"""

from typing import Any, Final, Literal, TypeAlias

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from metrics.answers import Answers, Matrix
from metrics.multiple import holm

Order = Literal["items", "respondents", "pooled"]
Row: TypeAlias = dict[str, Any]
OVERALL: Final = "overall"
"""The row of all dimensions together."""
_WEIGHTED: Final = {"gap": "", "lower": "_lower", "upper": "_upper"}


def item_gaps(answers: Answers, *, level: float = 0.95) -> pl.DataFrame:
    """The gap of every item over the respondents who answered both of its parts.

    One row an item in the order of the instrument: item, dimension, n, expectation, perception, gap, sd (of
    the differences), lower, upper (t), t, p_value, wilcoxon_p (signed rank), p_holm (Holm over the items).
    Null where fewer than two pairs exist. An instrument without expectations has no gap: see `performance`.
    """
    owner = {code: name for name, d in answers.instrument.dimensions.items() for code in d.items}
    expected, perceived = _pairs(answers)
    rows = [
        {"item": code, "dimension": owner[code]}
        | _paired(expected[:, at], perceived[:, at], answers.weight, level)
        for at, code in enumerate(answers.instrument.codes)
    ]
    return pl.DataFrame(rows).with_columns(p_holm=holm(pl.col("p_value")))


def dimension_gaps(answers: Answers, *, level: float = 0.95) -> pl.DataFrame:
    """The gap of every dimension, and overall in the last row.

    A respondent's gap in a dimension is the mean over its items with both parts, where enough of them are
    answered. Overall is the mean of the dimensions (not of the items, of which they have different numbers);
    `weighted` is the sum of normalised weights times gaps: on the scale of one item, whatever the unit of the
    weights. One row a dimension: dimension, n, expectation, perception, gap, sd, lower, upper, t, p_value,
    wilcoxon_p, weight (share), weighted (only overall), weighted_lower, weighted_upper.
    """
    expected, perceived = _by_dimension(answers)
    names = list(answers.instrument.dimensions)
    share = _mean_shares(answers)
    rows = [
        {"dimension": name, "weight": None if share is None else float(share[at])}
        | _paired(expected[:, at], perceived[:, at], answers.weight, level)
        for at, name in enumerate(names)
    ]
    overall = {"dimension": OVERALL} | _overall(answers, expected, perceived, level)
    return pl.concat(
        [pl.DataFrame(rows, infer_schema_length=None), pl.DataFrame([overall])], how="diagonal_relaxed"
    ).drop("error", strict=False)


def mean_gap(answers: Answers, order: Order = "items") -> float | None:
    """The mean gap over all items in a named order of averaging.

    `items`: mean over respondents, then over items. `respondents`: mean over a respondent's items, then over
    respondents. `pooled`: mean over all answers. They agree only where nobody skipped an item.
    """
    expected, perceived = _pairs(answers)
    gap = perceived - expected
    if not (~np.isnan(gap)).any():
        return None
    match order:
        case "items":
            return float(mean_over(mean_over(gap, axis=0), axis=0))
        case "respondents":
            return float(mean_over(mean_over(gap, axis=1), axis=0))
        case "pooled":
            return float(np.nanmean(gap))


def performance(answers: Answers, part: str = "perception", *, level: float = 0.95) -> pl.DataFrame:
    """SERVPERF (Cronin and Taylor 1992): the mean of one part by dimension, and overall in the last row.

    One row a dimension: dimension, n, mean, sd, lower, upper (t interval).
    """
    scores = dimension_scores(answers, answers.parts[part])
    columns = [*zip(answers.instrument.dimensions, scores.T, strict=True), (OVERALL, row_mean(scores))]
    rows = [{"dimension": name} | mean_row(values, answers.weight, level) for name, values in columns]
    return pl.DataFrame(rows, infer_schema_length=None).drop("error", strict=False)


def respondents_needed(sd: float, half_width: float, level: float = 0.95) -> int:
    """Respondents needed for an interval of a mean of at most plus or minus `half_width`.

    `n = (z s / h)^2`, rounded up.

    >>> respondents_needed(1.5, 0.2), respondents_needed(1.5, 0.1)
    (217, 865)
    """
    return int(np.ceil((scipy.stats.norm.ppf(0.5 + level / 2) * sd / half_width) ** 2))


def _pairs(answers: Answers) -> tuple[Matrix, Matrix]:
    """Expectation and perception, each missing where the other is."""
    expected, perceived = answers.parts["expectation"], answers.parts["perception"]
    missing = np.isnan(expected) | np.isnan(perceived)
    return np.where(missing, np.nan, expected), np.where(missing, np.nan, perceived)


def _by_dimension(answers: Answers) -> tuple[Matrix, Matrix]:
    expected, perceived = _pairs(answers)
    return dimension_scores(answers, expected), dimension_scores(answers, perceived)


def dimension_scores(answers: Answers, matrix: Matrix) -> Matrix:
    """A respondent's mean over the items of each dimension, missing where too few are answered."""
    scores = np.full((answers.n, len(answers.instrument.dimensions)), np.nan)
    for at, (name, dimension) in enumerate(answers.instrument.dimensions.items()):
        items = matrix[:, answers.columns(name)]
        enough = (~np.isnan(items)).sum(axis=1) >= dimension.needed
        scores[enough, at] = mean_over(items[enough], axis=1)
    return scores


def mean_over(matrix: Matrix, axis: int) -> Matrix:
    """Mean of what is there; NaN, and no warning, where nothing is."""
    counts = (~np.isnan(matrix)).sum(axis=axis)
    totals = np.nansum(matrix, axis=axis)
    mean: Matrix = np.divide(totals, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    return mean


def row_mean(scores: Matrix) -> Matrix:
    """Mean over all dimensions, of respondents who have them all."""
    mean: Matrix = scores.mean(axis=1)
    return mean


def scores_of(answers: Answers) -> Matrix:
    """Gaps of respondents by dimension; perceptions where there are no expectations."""
    if not answers.instrument.has_gap:
        return dimension_scores(answers, answers.parts["perception"])
    expected, perceived = _by_dimension(answers)
    return perceived - expected


def mean_row(values: Matrix, weight: Matrix, level: float) -> Row:
    """Weighted mean with its t interval; with equal weights the textbook one."""
    present = ~np.isnan(values)
    x, w = values[present], weight[present]
    n = len(x)
    if not n or not w.sum():
        return {"n": n, "mean": None, "sd": None, "lower": None, "upper": None}
    mean = float(np.average(x, weights=w))
    if n < 2:
        return {"n": n, "mean": mean, "sd": None, "lower": None, "upper": None}
    error = _standard_error(x - mean, w)
    half = float(scipy.stats.t.ppf(0.5 + level / 2, n - 1)) * error
    bounds = {"lower": mean - half, "upper": mean + half, "error": error}
    return {"n": n, "mean": mean, "sd": float(x.std(ddof=1)), **bounds}


def _standard_error(deviation: Matrix, weight: Matrix) -> float:
    """Linearised standard error of a weighted mean: `sqrt(n / (n - 1) sum(w^2 d^2)) / sum(w)`."""
    n = len(deviation)
    return float(np.sqrt(n / (n - 1) * ((weight * deviation) ** 2).sum()) / weight.sum())


def _paired(expected: Matrix, perceived: Matrix, weight: Matrix, level: float) -> Row:
    gap = perceived - expected
    present = ~np.isnan(gap)
    found = mean_row(gap, weight, level)
    both = {
        "expectation": mean_row(expected, weight, level)["mean"],
        "perception": mean_row(perceived, weight, level)["mean"],
    }
    test = _paired_test(gap[present], weight[present], found["mean"])
    return (
        {"n": found["n"], **both, "gap": found["mean"]}
        | {k: found[k] for k in ("sd", "lower", "upper")}
        | test
    )


def _paired_test(gap: Matrix, weight: Matrix, mean: float | int | None) -> Row:
    untested: Row = {"t": None, "p_value": None, "wilcoxon_p": None}
    if mean is None or len(gap) < 2 or not np.ptp(gap):
        return untested
    t = mean / _standard_error(gap - mean, weight)
    moved = gap[gap != 0]
    wilcoxon = float(scipy.stats.wilcoxon(moved, method="asymptotic").pvalue) if len(moved) else None
    return {
        "t": float(t),
        "p_value": float(2 * scipy.stats.t.sf(abs(t), len(gap) - 1)),
        "wilcoxon_p": wilcoxon,
    }


def _overall(answers: Answers, expected: Matrix, perceived: Matrix, level: float) -> Row:
    gaps = perceived - expected
    equal = np.full(gaps.shape[1], 1 / gaps.shape[1])
    plain = combined_row(gaps, np.broadcast_to(equal, gaps.shape), answers.weight, level)
    means = {
        name: _mean_of_means(m, answers.weight)
        for name, m in (("expectation", expected), ("perception", perceived))
    }
    given = shares(answers)
    if given is None:
        return plain | means
    weighted = combined_row(gaps, given, answers.weight, level)
    return plain | means | {f"weighted{suffix}": weighted[name] for name, suffix in _WEIGHTED.items()}


def _mean_of_means(matrix: Matrix, weight: Matrix) -> float | None:
    columns = [mean_row(column, weight, 0.95)["mean"] for column in matrix.T]
    known = [mean for mean in columns if mean is not None]
    return float(np.mean(known)) if len(known) == matrix.shape[1] else None


def combined_row(gaps: Matrix, shares: Matrix, weight: Matrix, level: float) -> Row:
    """Sum of shares times dimension gaps over the sample, with the interval of all its terms together.

    Respondents who lack a dimension count in the others. Each respondent's pull on the sum (its influence) is
    added up over the dimensions, so that the interval knows that a respondent's gaps go together.
    """
    products = gaps * shares
    present = ~np.isnan(products)
    counts = np.where(present, weight[:, None], 0.0).sum(axis=0)
    n = int(present.any(axis=1).sum())
    if not counts.all() or n < 2:
        return {"n": n, "gap": None, "lower": None, "upper": None}
    means = np.nansum(products * weight[:, None], axis=0) / counts
    pull = np.where(present, weight[:, None] * (products - means) / counts, 0.0).sum(axis=1)
    error = float(np.sqrt(n / (n - 1) * (pull**2).sum()))
    value = float(means.sum())
    half = float(scipy.stats.t.ppf(0.5 + level / 2, n - 1)) * error
    return {"n": n, "gap": value, "lower": value - half, "upper": value + half, "error": error}


def shares(answers: Answers) -> Matrix | None:
    """Each respondent's normalised dimension weights; equal ones where all points are zero."""
    match answers.instrument.weights:
        case "none":
            return None
        case "fixed":
            fixed = np.array([d.weight or 0.0 for d in answers.instrument.dimensions.values()])
            raw = np.broadcast_to(fixed, (answers.n, len(fixed)))
        case "points":
            raw = answers.points
        case "importance":
            raw = dimension_scores(answers, answers.parts["importance"])
    totals = raw.sum(axis=1, keepdims=True)
    equal = np.full(raw.shape, 1 / raw.shape[1])
    return np.where(totals == 0, equal, np.divide(raw, totals, out=equal.copy(), where=totals != 0))


def _mean_shares(answers: Answers) -> Matrix | None:
    given = shares(answers)
    return None if given is None else mean_over(given, axis=0)


def paired_interval(mean: float, t: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval behind a published paired test: mean, t and n.

    >>> [round(bound, 4) for bound in paired_interval(-0.25, -9.14, 386)]
    [-0.3038, -0.1962]
    """
    half = float(scipy.stats.t.ppf(0.5 + level / 2, n - 1)) * abs(mean / t)
    return mean - half, mean + half


def weighted_gap(gaps: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Sum of normalised weights times gaps.

    >>> gaps = np.array([-0.65, -1.10, -0.83, -0.70, -1.01])
    >>> round(weighted_gap(gaps, np.array([11, 32, 22, 19, 16])), 4)
    -0.9007
    """
    return float(gaps @ weights / weights.sum())
