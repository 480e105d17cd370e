"""What is bought together: association measures of pairs of categories or products.

The unit is a parameter: baskets say what goes into one order, customers what one person buys over time. Lift
explodes on rare pairs, so pairs are ranked by leverage or hyper-lift, never by raw lift.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from metrics.multiple import benjamini_hochberg

Unit = Literal["order", "customer"]
Counts = NDArray[np.int64]
_FEW: Final = 5.0


def pair_counts(
    baskets: pl.LazyFrame, unit: Unit = "order", item: str = "category"
) -> tuple[pl.DataFrame, int]:
    """How many units hold each pair of items, and how many units there are.

    `baskets`: one row a unit and item at least, items null where unknown (not counted); returned goods are
    to be left out before. Units that hold one item count too: they say how common it is. One row an
    unordered pair that occurs, sorted: x, y (x before y), n_x, n_y, n_xy.

    Pairs are joined only among units with two items or more, on integers; counting all pairs of 300
    categories needs no matrix of units by items.
    """
    held = (
        baskets.filter(pl.col(item).is_not_null(), pl.col(unit).is_not_null())
        .select(pl.col(unit).alias("unit"), pl.col(item).cast(pl.String).alias("item"))
        .unique()
        .with_columns(pl.col("item").rank("dense").cast(pl.UInt32).alias("code"))
        .collect()
    )
    n = held["unit"].n_unique()
    singles = held.group_by("code", "item").agg(pl.len().cast(pl.Int64).alias("n"))
    several = held.lazy().filter(pl.len().over("unit") > 1).select("unit", "code")
    pairs = (
        several.join(several, on="unit", suffix="_y")
        .filter(pl.col("code") < pl.col("code_y"))
        .group_by("code", "code_y")
        .agg(pl.len().cast(pl.Int64).alias("n_xy"))
        .collect()
    )
    named = pairs.join(singles.rename({"item": "x", "n": "n_x"}), on="code").join(
        singles.rename({"code": "code_y", "item": "y", "n": "n_y"}), on="code_y"
    )
    return named.select("x", "y", "n_x", "n_y", "n_xy").sort("x", "y"), n


def association(pairs: pl.DataFrame, n: int) -> pl.DataFrame:
    """The measures of each pair, best leverage first.

    `support = n_xy / n`; `confidence = n_xy / n_x` (x to y) and `confidence_back` (y to x); `lift = support
    / (n_x n_y / n^2)`; `leverage = support - n_x n_y / n^2`; `conviction = (1 - n_y / n) / (1 -
    confidence)`, infinite where confidence is 1; `expected` count under independence; `hyper_lift = n_xy /
    Q`, Q the 99 % quantile of the count under independence (Hahsler and Hornik 2007), null where Q is 0;
    `chi_square` on one degree of freedom; `p_value` of it, or of Fisher's exact test where a cell is
    expected to hold fewer than 5 (`test` says which); `p_adjusted` by Benjamini and Hochberg over all
    pairs.
    """
    n_x, n_y, n_xy = (pairs[name].to_numpy() for name in ("n_x", "n_y", "n_xy"))
    expected = n_x * n_y / n if n else np.zeros(0)
    quantile = _chance_quantile(n, n_x, n_y) if len(pairs) else np.zeros(0)
    chi_square, p_value, exact = _tests(n_x, n_y, n_xy, n)
    confidence = pl.col("n_xy") / pl.col("n_x")
    measured = pairs.with_columns(
        support=pl.col("n_xy") / n,
        confidence=confidence,
        confidence_back=pl.col("n_xy") / pl.col("n_y"),
        lift=pl.col("n_xy") / pl.Series(expected),
        leverage=(pl.col("n_xy") - pl.Series(expected)) / n,
        conviction=(1 - pl.col("n_y") / n) / (1 - confidence),
        expected=pl.Series(expected),
        hyper_lift=pl.when(pl.Series(quantile) > 0).then(pl.col("n_xy") / pl.Series(quantile)),
        chi_square=pl.Series(chi_square),
        p_value=pl.Series(p_value),
        test=pl.when(pl.Series(exact)).then(pl.lit("fisher")).otherwise(pl.lit("chi-square")),
    )
    certain = pl.col("n_xy") == pl.col("n_x")
    conviction = pl.when(certain).then(pl.lit(np.inf)).otherwise("conviction")
    ranked = measured.with_columns(conviction=conviction, p_adjusted=benjamini_hochberg(pl.col("p_value")))
    return ranked.sort("leverage", "x", "y", descending=[True, False, False])


def _tests(
    n_x: NDArray[np.int64], n_y: NDArray[np.int64], n_xy: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Chi-square of every 2 x 2 table, p-values, and where Fisher's test took over."""
    seen = np.stack([n_xy, n_x - n_xy, n_y - n_xy, n - n_x - n_y + n_xy]).astype(float)
    rows, columns = np.stack([n_x, n_x, n - n_x, n - n_x]), np.stack([n_y, n - n_y, n_y, n - n_y])
    awaited = rows * columns / n if n else np.zeros_like(seen)
    possible = (awaited > 0).all(axis=0)
    terms = np.divide((seen - awaited) ** 2, awaited, out=np.zeros_like(seen), where=awaited > 0)
    chi_square = np.where(possible, terms.sum(axis=0), np.nan)
    p_value = scipy.stats.chi2.sf(chi_square, 1)
    thin = possible & (awaited.min(axis=0, initial=np.inf) < _FEW)
    if thin.any():
        p_value[thin] = _fisher(n, n_x[thin], n_y[thin], n_xy[thin])
    return chi_square, p_value, thin


def _chance_quantile(n: int, n_x: Counts, n_y: Counts, level: float = 0.99) -> Counts:
    """The smallest count that chance alone stays at or below with probability `level`, of every pair at once.

    The hypergeometric distribution function is monotone, so its quantile is found by halving.
    """
    low, high = np.maximum(n_x + n_y - n, 0) - 1, np.minimum(n_x, n_y)
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = scipy.stats.hypergeom.cdf(middle, n, n_x, n_y) >= level
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _fisher(n: int, n_x: Counts, n_y: Counts, n_xy: Counts) -> NDArray[np.float64]:
    """Fisher's two-sided p-value of every 2 x 2 table: all counts no likelier than the one seen.

    The hypergeometric distribution has one mode, so that beyond it the less likely counts of the other side
    begin where halving finds them.
    """
    least, most = np.maximum(n_x + n_y - n, 0), np.minimum(n_x, n_y)
    seen = scipy.stats.hypergeom.pmf(n_xy, n, n_x, n_y) * (1 + 1e-7)
    mode = np.clip((n_x + 1) * (n_y + 1) // (n + 2), least, most)
    # Below the mode: the largest count that is no likelier; above it: the smallest.
    under = _halved(least - 1, mode, lambda k: scipy.stats.hypergeom.pmf(k, n, n_x, n_y) <= seen)
    over = -_halved(-most - 1, -mode, lambda k: scipy.stats.hypergeom.pmf(-k, n, n_x, n_y) <= seen)
    below = np.where(n_xy <= mode, n_xy, under)
    above = np.where(n_xy >= mode, n_xy, over)
    tails = scipy.stats.hypergeom.cdf(below, n, n_x, n_y) + scipy.stats.hypergeom.sf(above - 1, n, n_x, n_y)
    return np.where(below >= above, 1.0, np.minimum(tails, 1.0))


def _halved(low: Counts, high: Counts, holds: Callable[[Counts], NDArray[np.bool_]]) -> Counts:
    """The largest counts from `low` below `high` for which holds what holds from `low` up to some."""
    while (high - low > 1).any():
        middle = (low + high) // 2
        true = holds(middle)
        low, high = np.where(true, middle, low), np.where(true, high, middle)
    return low
