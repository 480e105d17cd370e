"""Intervals of figures: the values that the data cannot tell apart from the one shown.

Each function takes numpy arrays, one element a figure, and gives the lower and the upper bounds, NaN where
there is no interval to give. All intervals are two-sided, at 95 % unless said otherwise.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrik, gammaincinv, ndtri, stdtrit

CONFIDENCE: Final = 0.95
Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]
Bounds = tuple[Floats, Floats]


def wilson(hits: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> Bounds:
    """Bounds of a share `hits / n` (Wilson 1927); NaN for n = 0.

    >>> lower, upper = wilson([80], [100])
    >>> lower.round(4).item(), upper.round(4).item()
    (0.7112, 0.8666)
    """
    z = _z(confidence)
    count = _positive(n)
    share = _floats(hits) / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def mean(total: ArrayLike, squares: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> Bounds:
    """Student's t bounds of a mean from the sum, the sum of squares and the count; NaN for n < 2."""
    count = _positive(n, above=1)
    middle = _floats(total) / count
    variance = np.maximum(_floats(squares) - count * middle**2, 0.0) / (count - 1)
    half = _t(count - 1, confidence) * np.sqrt(variance / count)
    return middle - half, middle + half


def ratio(
    sums: tuple[ArrayLike, ArrayLike],
    moments: tuple[ArrayLike, ArrayLike, ArrayLike],
    n: ArrayLike,
    confidence: float = CONFIDENCE,
) -> Bounds:
    """Bounds of `sum(a) / sum(b)` over n customers by the delta method (Cochran 1977, section 6.3).

    `moments` are the sums of a*a, a*b and b*b over customers: the customer is the unit that varies, so the
    orders of one customer are not taken for independent. NaN for n < 2 and where b sums to zero.
    """
    a, b = (_floats(each) for each in sums)
    aa, ab, bb = (_floats(each) for each in moments)
    count = _positive(n, above=1)
    base = np.where(b == 0, np.nan, b)
    quotient = a / base
    spread = np.maximum(aa - 2 * quotient * ab + quotient**2 * bb, 0.0)
    half = _t(count - 1, confidence) * np.sqrt(spread * count / (count - 1)) / np.abs(base)
    return quotient - half, quotient + half


def poisson(events: ArrayLike, exposure: ArrayLike, confidence: float = CONFIDENCE) -> Bounds:
    """Exact bounds of events per exposure (Garwood 1936); the lower one is 0 for no events.

    NaN where there is no exposure.
    """
    count, base, tail = _floats(events), _positive(exposure), (1 - confidence) / 2
    lower = np.where(count > 0, gammaincinv(np.maximum(count, 1e-9), tail), 0.0)
    return lower / base, gammaincinv(count + 1, 1 - tail) / base


def difference(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """Bounds of a - b for two independent figures, each (value, lower, upper): MOVER (Zou and Donner 2008).

    >>> lower, upper = difference((0.8, 0.6917, 0.8764), (0.6, 0.4904, 0.7006))
    >>> round(lower, 3), round(upper, 3)
    (0.052, 0.334)
    """
    (value, lower, upper), (other, other_lower, other_upper) = _floats(a), _floats(b)
    down = np.hypot(value - lower, other_upper - other)
    up = np.hypot(upper - value, other - other_lower)
    return float(value - other - down), float(value - other + up)


def quotient(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """Bounds of a / b for two independent figures above 0, each (value, lower, upper).

    MOVER-R (Donner and Zou 2012, equation 9); NaN where the lower bound of b is not above 0.
    """
    (value, lower, upper), (other, other_lower, other_upper) = _floats(a), _floats(b)
    if other_lower <= 0 or other <= 0:
        return float("nan"), float("nan")
    both = value * other
    down = lower * other_upper * (2 * value - lower) * (2 * other - other_upper)
    up = upper * other_lower * (2 * value - upper) * (2 * other - other_lower)
    low = (both - np.sqrt(max(both**2 - down, 0.0))) / (other_upper * (2 * other - other_upper))
    high = (both + np.sqrt(max(both**2 - up, 0.0))) / (other_lower * (2 * other - other_lower))
    return float(low), float(high)


def order_ranks(n: ArrayLike, at: float, confidence: float = CONFIDENCE) -> tuple[Ranks, Ranks]:
    """Ranks, from 1, of the values that bound a quantile of independent rows, whatever their distribution.

    Between the values of these ranks the quantile lies with at least this confidence, by the binomial
    distribution of how many lie below it (David and Nagaraja 2003, section 7.1). 0 where n is too small.

    >>> lower, upper = order_ranks([5, 10, 100], 0.5)
    >>> lower.tolist(), upper.tolist()
    ([0, 2, 40], [0, 9, 61])
    """
    count, tail = np.asarray(n, dtype=np.int64), (1 - confidence) / 2
    lower = _below(count, at, tail) + 1
    upper = count - _below(count, 1 - at, tail)
    known = (count > 0) & (lower >= 1) & (upper <= count)
    return np.where(known, lower, 0), np.where(known, upper, 0)


def _below(count: Ranks, at: float, tail: float) -> Ranks:
    """The largest k with at most `tail` chance that k or fewer of so many rows lie below; -1 for none."""
    guess = np.nan_to_num(np.floor(bdtrik(tail, count, at)), nan=-1.0)
    near = guess + np.array([[1], [0], [-1]])
    fits = (near >= 0) & (bdtr(np.maximum(near, 0), count, at) <= tail)
    return np.asarray(np.where(fits, near, -1).max(axis=0), dtype=np.int64)


def promoters(
    promoting: ArrayLike, detracting: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE
) -> Bounds:
    """Bounds of a net promoter score in points: adjusted Wald, with 3/4, 3/2, 3/4 of an answer added.

    The plain standard error is zero when everybody agrees; the added answers keep it honest
    (Goodman 1964; Agresti and Min 2005). The bounds always hold the score itself.
    """
    count = _positive(n)
    p, d = ((_floats(each) + 0.75) / (count + 3) for each in (promoting, detracting))
    score = (_floats(promoting) - _floats(detracting)) / count
    half = _z(confidence) * np.sqrt((p + d - (p - d) ** 2) / (count + 3))
    lower, upper = np.minimum(p - d - half, score), np.maximum(p - d + half, score)
    return 100 * np.maximum(lower, -1.0), 100 * np.minimum(upper, 1.0)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _positive(values: ArrayLike, above: float = 0) -> Floats:
    """The values, NaN where they are not above the bound, so that nothing is divided by zero."""
    numbers = _floats(values)
    return np.where(numbers > above, numbers, np.nan)


def _z(confidence: float) -> float:
    return float(ndtri((1 + confidence) / 2))


def _t(freedom: Floats, confidence: float) -> Floats:
    return np.asarray(stdtrit(freedom, (1 + confidence) / 2), dtype=np.float64)
