"""What is bought together: association measures of pairs of categories or products.

The unit is a parameter: baskets say what goes into one order, customers what one person buys over time. Lift
explodes on rare pairs, so pairs are ranked by leverage or hyper-lift, never by raw lift.
"""

from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

from metrics.multiple import benjamini_hochberg

Unit = Literal["order", "customer"]
Counts = NDArray[np.int64]
_FEW: Final = 5.0
_BITS: Final = 24
"""Bits of the number of an item: sixteen million items."""
_TABLE: Final = 2000


def pair_counts(
    baskets: pl.LazyFrame, unit: Unit = "order", item: str = "category"
) -> tuple[pl.DataFrame, int]:
    """How many units hold each pair of items, and how many units there are.

    `baskets`: one row a unit and item at least, items null where unknown (not counted); returned goods are
    to be left out before. Units that hold one item count too: they say how common it is. One row an
    unordered pair that occurs, sorted: x, y (x before y), n_x, n_y, n_xy.

    Units and items become one sorted number each, so that the items of a unit stand together and pairs are
    neighbours at distance 1, 2, ...: nothing is joined, and no matrix of units by items is made.
    """
    rows = baskets.filter(pl.col(item).is_not_null(), pl.col(unit).is_not_null())
    coded = rows.select(_number(rows, unit).alias("unit"), pl.col(item)).collect()
    names = coded[item].unique().cast(pl.String).sort()
    codes = pl.col(item).cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    keys = coded.select(pl.col("unit") * 2**_BITS + codes).to_series().sort().to_numpy()
    held: Counts = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
    units, place = held >> _BITS, held & (2**_BITS - 1)
    n = int((units[1:] != units[:-1]).sum()) + 1 if len(units) else 0
    pairs, together = _neighbours(units, place, len(names))
    x, y = pairs // max(len(names), 1), pairs % max(len(names), 1)
    single = np.bincount(place, minlength=len(names))
    found = {"x": names.gather(x), "y": names.gather(y), "n_x": single[x], "n_y": single[y], "n_xy": together}
    schema = {"x": pl.String, "y": pl.String, **dict.fromkeys(("n_x", "n_y", "n_xy"), pl.Int64)}
    return pl.DataFrame(found, schema=schema), n


def _number(rows: pl.LazyFrame, unit: str) -> pl.Expr:
    """A whole number for each unit; numbers stay as they are."""
    whole = rows.collect_schema()[unit].is_integer()
    return (pl.col(unit) if whole else pl.col(unit).rank("dense")).cast(pl.Int64)


def _neighbours(units: Counts, place: Counts, size: int) -> tuple[Counts, Counts]:
    """Pairs of places that units hold, as first * size + second in order, and how many units hold each.

    Units stand together, and places ascend within them. Few items are counted in a table of all pairs, many
    among the pairs that occur.
    """
    few = size <= _TABLE
    counts = np.zeros(size * size if few else 0, dtype=np.int64)
    met: list[Counts] = []
    at, apart = np.arange(max(len(units) - 1, 0)), 1
    while len(at):
        at = at[: np.searchsorted(at, len(units) - apart)]
        at = at[units[at] == units[at + apart]]
        pairs = place[at] * size + place[at + apart]
        if few:
            counts += np.bincount(pairs, minlength=size * size)
        else:
            met.append(pairs)
        apart += 1
    if few:
        return np.flatnonzero(counts), counts[counts > 0]
    found, times = np.unique(np.concatenate(met) if met else place[:0], return_counts=True)
    return found, times.astype(np.int64)


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
    p_value = chdtrc(1, chi_square)
    thin = possible & (awaited.min(axis=0, initial=np.inf) < _FEW)
    if thin.any():
        p_value[thin] = _fisher(n, n_x[thin], n_y[thin], n_xy[thin])
    return chi_square, p_value, thin


def _chance_quantile(n: int, n_x: Counts, n_y: Counts, level: float = 0.99) -> Counts:
    """The smallest count that chance alone stays at or below with probability `level`, of every pair at once.

    Hypergeometric probabilities are added up from eight standard deviations below the mean, each from the one
    before it: what lies below that does not count.
    """
    mean = n_x * n_y / n
    spread = np.sqrt(mean * (n - n_x) / n * (n - n_y) / max(n - 1, 1))
    least = np.maximum(n_x + n_y - n, 0)
    k: Counts = np.maximum(least, np.floor(mean - 8 * spread).astype(np.int64))
    p = _chance_of(k, n, n_x, n_y)
    total = p.copy()
    going = np.flatnonzero((total < level) & (k < np.minimum(n_x, n_y)))
    while len(going):
        p[going] *= _ratio_after(k[going], n, n_x[going], n_y[going])
        k[going] += 1
        total[going] += p[going]
        going = going[(total[going] < level) & (k[going] < np.minimum(n_x, n_y)[going])]
    return k


def _fisher(n: int, n_x: Counts, n_y: Counts, n_xy: Counts) -> NDArray[np.float64]:
    """Fisher's two-sided p-value of every 2 x 2 table: all counts no likelier than the one seen.

    Of the four cells the one that is expected to hold least is counted, so that few counts are possible.
    """
    rows, columns, seen = _smallest_cell(n, n_x, n_y, n_xy)
    limit = _chance_of(seen, n, rows, columns) * (1 + 1e-7)
    k = np.maximum(rows + columns - n, 0)
    most = np.minimum(rows, columns)
    p = _chance_of(k, n, rows, columns)
    total = np.where(p <= limit, p, 0.0)
    going = np.flatnonzero(k < most)
    while len(going):
        p[going] *= _ratio_after(k[going], n, rows[going], columns[going])
        k[going] += 1
        total[going] += np.where(p[going] <= limit[going], p[going], 0.0)
        negligible = (k[going] > seen[going]) & (p[going] <= 1e-17 * total[going])
        going = going[(k[going] < most[going]) & ~negligible]
    return np.minimum(total, 1.0)


def _smallest_cell(n: int, n_x: Counts, n_y: Counts, n_xy: Counts) -> tuple[Counts, Counts, Counts]:
    """Row and column totals and the count of the cell that is expected to hold least."""
    rows = np.stack([n_x, n_x, n - n_x, n - n_x])
    columns = np.stack([n_y, n - n_y, n_y, n - n_y])
    counts = np.stack([n_xy, n_x - n_xy, n_y - n_xy, n - n_x - n_y + n_xy])
    least = (rows * columns).argmin(axis=0)
    at = np.arange(len(least))
    return rows[least, at], columns[least, at], counts[least, at]


def _chance_of(k: Counts, n: int, n_x: Counts, n_y: Counts) -> NDArray[np.float64]:
    """The hypergeometric probability of k common units."""
    inside = _log_choose(n_y, k) + _log_choose(n - n_y, n_x - k)
    return np.asarray(np.exp(inside - _log_choose(np.full_like(n_x, n), n_x)))


def _log_choose(n: Counts, k: Counts) -> NDArray[np.float64]:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))


def _ratio_after(k: Counts, n: int, n_x: Counts, n_y: Counts) -> NDArray[np.float64]:
    """The probability of k + 1 over that of k."""
    return np.asarray((n_x - k) * (n_y - k) / ((k + 1.0) * (n - n_x - n_y + k + 1.0)))
