"""Scores of single questions: net promoter score, satisfied shares, effort, ACSI, Kano."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float64]
_TEN: Final = 10
_KANO_ORDER: Final = "MOAIRQ"


class OffScale(ValueError):
    """Codes that the question cannot have: the figure waits for an answer."""

    def __init__(self, codes: Mapping[float, int], low: int, high: int) -> None:
        self.codes = dict(codes)
        listed = ", ".join(f"{code:g} ({n})" for code, n in codes.items())
        super().__init__(
            f"the answers hold codes outside {low}-{high}: {listed}. Is the scale shifted? Then set "
            f"`offset`, such as `offset: -1` for codes from {low + 1} to {high + 1}; "
            "or set `off_scale: drop`"
        )


class Estimate(NamedTuple):
    """A figure, its interval and the answers behind it; null where there are none."""

    value: float | None
    lower: float | None
    upper: float | None
    n: int
    se: float | None = None


class Promoters(NamedTuple):
    """Answers by what they say: 9-10, 7-8, 0-6."""

    promoters: int
    passives: int
    detractors: int

    @property
    def n(self) -> int:
        """All answers."""
        return sum(self)


def promoters(codes: Scores, *, offset: float = 0, off_scale: Literal["ask", "drop"] = "ask") -> Promoters:
    """Answers to "how likely are you to recommend us" (0-10), sorted into three groups.

    `offset` is added to every code first. Codes outside 0-10 raise OffScale, unless `off_scale` is `drop`.
    """
    shifted = codes[~np.isnan(codes)] + offset
    odd = (shifted < 0) | (shifted > _TEN) | (shifted != np.round(shifted))
    if odd.any() and off_scale == "ask":
        values, counts = np.unique(shifted[odd] - offset, return_counts=True)
        raise OffScale(dict(zip(values.tolist(), counts.tolist(), strict=True)), 0, _TEN)
    valid = shifted[~odd]
    high, low = int((valid >= 9).sum()), int((valid <= 6).sum())
    return Promoters(high, len(valid) - high - low, low)


def net_promoter_score(counts: Promoters, *, adjusted: bool | None = None, level: float = 0.95) -> Estimate:
    """Promoters less detractors, in points from -100 to 100 (Reichheld 2003).

    `NPS = 100 (p - d)`, variance `(p + d - (p - d)^2) / n`. The adjusted Wald interval, which adds 3/4, 3/2
    and 3/4 answers to the three groups before it takes the variance, is used by default below 30 answers or
    where a group is empty, since the plain one then shrinks to nothing. The value itself is never adjusted.
    """
    n = counts.n
    if not n:
        return Estimate(None, None, None, 0)
    value = 100 * (counts.promoters - counts.detractors) / n
    adjust = adjusted if adjusted is not None else n < 30 or 0 in counts
    centre, error = _promoter_spread(counts, 0.75 if adjust else 0.0)
    half = float(scipy.stats.norm.ppf(0.5 + level / 2)) * error
    return Estimate(value, max(centre - half, -100.0), min(centre + half, 100.0), n, error)


def _promoter_spread(counts: Promoters, added: float) -> tuple[float, float]:
    high, low = counts.promoters + added, counts.detractors + added
    n = counts.n + 4 * added
    p, d = high / n, low / n
    return 100 * (p - d), 100 * float(np.sqrt((p + d - (p - d) ** 2) / n))


class Difference(NamedTuple):
    """A change, its interval and test."""

    value: float
    lower: float
    upper: float
    se: float
    z: float
    p_value: float


def promoter_change(before: Promoters, after: Promoters, level: float = 0.95) -> Difference | None:
    """The change of the score between two groups of answers, in points, with its z test.

    Null where one side has no answer or nothing varies. A change whose interval holds 0 is no trend.
    """
    first, second = (net_promoter_score(c, adjusted=False) for c in (before, after))
    if first.value is None or second.value is None:
        return None
    error = float(np.hypot(first.se or 0.0, second.se or 0.0))
    if not error:
        return None
    change = second.value - first.value
    half = float(scipy.stats.norm.ppf(0.5 + level / 2)) * error
    z = change / error
    return Difference(change, change - half, change + half, error, z, float(2 * scipy.stats.norm.sf(abs(z))))


def top_box(codes: Scores, high: float, boxes: int = 1, level: float = 0.95) -> Estimate:
    """Share of answers in the best `boxes` codes of a scale that ends at `high`, with Wilson's interval.

    Show the top box beside the top two: a 5 behaves unlike a 4.
    """
    valid = codes[~np.isnan(codes)]
    n, k = len(valid), int((valid > high - boxes).sum())
    if not n:
        return Estimate(None, None, None, 0)
    bounds = scipy.stats.binomtest(k, n).proportion_ci(level, method="wilson")
    return Estimate(k / n, float(bounds.low), float(bounds.high), n)


def customer_effort(codes: Scores, *, easy: Literal["high", "low"], low: float, high: float) -> Estimate:
    """Mean ease of getting a thing done, on the scale itself, turned so that more is easier; t interval."""
    valid = codes[~np.isnan(codes)]
    return mean_score(valid if easy == "high" else low + high - valid)


def mean_score(codes: Scores, level: float = 0.95) -> Estimate:
    """Mean with its t interval; the interval needs two answers."""
    valid = codes[~np.isnan(codes)]
    n = len(valid)
    if n < 2:
        return Estimate(float(valid[0]) if n else None, None, None, n)
    error = float(valid.std(ddof=1) / np.sqrt(n))
    half = float(scipy.stats.t.ppf(0.5 + level / 2, n - 1)) * error
    return Estimate(float(valid.mean()), float(valid.mean() - half), float(valid.mean() + half), n, error)


def acsi(answers: Scores, weights: Scores | None = None, level: float = 0.95) -> Estimate:
    """American Customer Satisfaction Index of three questions on 1-10: overall, expectations, ideal.

    `((x1 - 1) w1 + (x2 - 1) w2 + (x3 - 1) w3) / 9 x 100` with weights that sum to 1 (equal by default): 0
    to 100. Respondents who answered all three count. The published index estimates its weights by a model
    that is not public; with other weights this is the same formula, not the same index.
    """
    shares = np.full(3, 1 / 3) if weights is None else weights / weights.sum()
    complete = answers[~np.isnan(answers).any(axis=1)]
    return mean_score((complete - 1) @ shares / 9 * 100, level)


def kano_category(functional: Scores, dysfunctional: Scores) -> NDArray[np.str_]:
    """Category of each answer in Kano's evaluation table (Kano et al. 1984).

    Codes say how somebody feels with a feature and without it, from 1 (like) to 5 (dislike). A attractive,
    O one-dimensional, M must-be, I indifferent, R reverse, Q questionable.
    """
    table = np.array(["QAAAO", "RIIIM", "RIIIM", "RIIIM", "RRRRQ"]).view("U1").reshape(5, 5)
    category: NDArray[np.str_] = table[functional.astype(int) - 1, dysfunctional.astype(int) - 1]
    return category


def kano(counts: Mapping[str, int]) -> dict[str, float | str | int | None]:
    """Category of a feature from the answers' categories, with better and worse (Berger et al. 1993).

    `better = (A + O) / (A + O + M + I)`, `worse = -(O + M) / (A + O + M + I)`; R and Q do not count. The
    category is the most frequent, ties going to M, O, A, I in that order; `strength` is the share by which it
    leads the second, and under 6 points the category is not clear.
    """
    found = {letter: counts.get(letter, 0) for letter in _KANO_ORDER}
    base = sum(found[letter] for letter in "AOMI")
    n = sum(found.values())
    if not n:
        return {"n": 0, "category": None, "strength": None, "better": None, "worse": None}
    ranked = sorted(found, key=lambda letter: (-found[letter], _KANO_ORDER.index(letter)))
    strength = (found[ranked[0]] - found[ranked[1]]) / n
    better = (found["A"] + found["O"]) / base if base else None
    worse = -(found["O"] + found["M"]) / base if base else None
    return {"n": n, "category": ranked[0], "strength": strength, "better": better, "worse": worse}


def importance_performance(
    items: pl.DataFrame, *, centre: Literal["data_mean", "median"] | tuple[float, float] = "data_mean"
) -> pl.DataFrame:
    """Importance against performance of items, in four quadrants (Martilla and James 1977).

    Takes item, importance, performance; adds gap (performance - importance), the cross-hair and quadrant:
    concentrate here, keep up, low priority, possible overkill. The cross-hair decides the answer, so it is a
    parameter: the means or medians of the items, or a point (importance, performance).
    """
    match centre:
        case "data_mean":
            cross = items.select(pl.col("importance").mean(), pl.col("performance").mean()).row(0)
        case "median":
            cross = items.select(pl.col("importance").median(), pl.col("performance").median()).row(0)
        case _:
            cross = centre
    matters, good = pl.col("importance") >= cross[0], pl.col("performance") >= cross[1]
    quadrant = (
        pl.when(matters & good)
        .then(pl.lit("keep up"))
        .when(matters)
        .then(pl.lit("concentrate here"))
        .when(good)
        .then(pl.lit("possible overkill"))
        .otherwise(pl.lit("low priority"))
    )
    return items.with_columns(
        gap=pl.col("performance") - pl.col("importance"),
        centre_importance=pl.lit(cross[0]),
        centre_performance=pl.lit(cross[1]),
        quadrant=quadrant,
    )
