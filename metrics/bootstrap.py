"""Bootstrap intervals: customers are drawn anew with replacement, each with all of her rows (Efron 1979).

The orders, answers and contacts of one customer are not independent, so that customers are drawn and not
rows. The draws are those of a fixed seed: the same data give the same interval.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.frames import Marts
from metrics.measures import ADDITIVE, Compute
from metrics.periods import Window
from metrics.sums import QUANTILES

Floats = NDArray[np.float64]

DRAWS: Final = 999
SEED: Final = 20_240_101
FEWEST: Final = 10
"""Fewer customers than this give no interval: too few to draw from."""
GROUPS: Final = 2_000
"""More customers than this are first put at random into so many equal groups, which are drawn instead."""
MOST_ROWS: Final = 20_000
"""More rows than this, and the bounds of a quantile come from those of its rank (Woodruff 1952)."""

_TAILS: Final = (0.025, 0.975)
DRAWABLE: Final = frozenset({"sum", "count", "average", "share", *QUANTILES})
"""Aggregates that have bootstrap bounds; of a quotient only sums and counts."""

Ends = tuple[float | None, float | None]
Bounding = Callable[[pl.DataFrame], Ends]


def can_draw(parts: Sequence[Compute | str]) -> bool:
    """Whether a figure of these parts has bootstrap bounds."""
    measures = [part for part in parts if isinstance(part, Compute)]
    if not measures or len(measures) < len(parts):
        return False
    allowed = DRAWABLE if len(measures) == 1 else ADDITIVE
    return all(part.aggregate in allowed and part.relation.of_customers for part in measures)


def bootstrapped(parts: Sequence[Compute], marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    """95 % percentile bounds by `period` and `by`: columns `lower` and `upper`, null where there are none.

    Of one measure its sum, mean, share or quantile, of two the quotient of their sums. There are none for
    fewer than FEWEST customers, and none where rows of nobody known are part of the figure. Raises Missing
    where a source is lacking.
    """
    keys = ["period", *(["by"] if by else [])]
    read = [_rows(part, marts, window, by) for part in parts]
    if parts[0].aggregate in QUANTILES:
        number = pl.col("value").cast(pl.Float64)
        rows = read[0].select(*keys, "customer", number)
        return _bounded(rows, keys, lambda part: _of_quantile(part, parts[0].at))
    each = [*keys, "customer"]
    tables = [_sums(part, rows, each, at) for at, (part, rows) in enumerate(zip(parts, read, strict=True))]
    sums = tables[0]
    for other in tables[1:]:
        sums = sums.join(other, on=each, how="full", coalesce=True, nulls_equal=True)
    return _bounded(sums, keys, _of_sums)


def _rows(measure: Compute, marts: Marts, window: Window, by: str | None) -> pl.DataFrame:
    rows = marts.rows(measure.relation, window, measure.columns, by)
    counted = rows if measure.rows is None else rows.filter(measure.rows)
    named = [pl.col("by").cast(pl.String)] if by else []
    return counted.with_columns(measure.value.alias("value"), *named).filter(pl.col("value").is_not_null())


def _sums(measure: Compute, rows: pl.DataFrame, keys: Sequence[str], at: int) -> pl.DataFrame:
    """What each customer adds above and below: of a mean the number of her rows is below."""
    counts = measure.aggregate == "count"
    total = pl.len() if counts else pl.col("value").cast(pl.Float64).sum()
    parts = [total.cast(pl.Float64).alias(f"{at}")]
    if measure.aggregate in ("average", "share"):
        parts.append(pl.len().cast(pl.Float64).alias("n"))
    return rows.group_by(keys).agg(parts)


def _bounded(rows: pl.DataFrame, keys: Sequence[str], bounds: Bounding) -> pl.DataFrame:
    found = []
    for key, part in rows.sort("customer", nulls_last=True).partition_by(keys, as_dict=True).items():
        known = part["customer"].null_count() == 0 and part["customer"].n_unique() >= FEWEST
        found.append((*key, *(bounds(part.drop(keys)) if known else (None, None))))
    types = {"period": pl.Int32(), "by": pl.String(), "lower": pl.Float64(), "upper": pl.Float64()}
    schema = {name: dtype for name, dtype in types.items() if name != "by" or "by" in keys}
    return pl.DataFrame(found, schema=schema, orient="row")


def _of_sums(rows: pl.DataFrame) -> Ends:
    """Bounds of a sum, or of the quotient of two, from a row a customer."""
    quantities = rows.drop("customer").fill_null(0).to_numpy()
    group, weights = _groups(len(rows))
    by_group = np.zeros((weights.shape[1], quantities.shape[1]))
    np.add.at(by_group, group, quantities)
    drawn = weights @ by_group
    if drawn.shape[1] == 1:
        return _tails(drawn[:, 0])
    return _tails(drawn[:, 0] / np.where(drawn[:, 1] == 0, np.nan, drawn[:, 1]))


def _of_quantile(rows: pl.DataFrame, at: float) -> Ends:
    """Bounds of a quantile from rows of customers."""
    ordered = rows.sort("value")
    values = ordered["value"].to_numpy()
    customers = rows["customer"].unique().sort()
    group, weights = _groups(len(customers))
    ours = group[customers.search_sorted(ordered["customer"]).to_numpy()]
    if len(rows) <= MOST_ROWS:
        return _tails(np.array([_weighted_quantile(values, drawn[ours], at) for drawn in weights]))
    below = values <= np.quantile(values, at)
    by_group = np.zeros((weights.shape[1], 2))
    np.add.at(by_group, ours, np.c_[below, np.ones(len(values))])
    ranks = weights @ by_group
    lower, upper = np.quantile(ranks[:, 0] / ranks[:, 1], _TAILS)
    return float(np.quantile(values, lower)), float(np.quantile(values, upper))


def _weighted_quantile(values: Floats, weights: Floats, at: float) -> float:
    """The quantile of sorted values, each there as often as it was drawn; between two of them on a line."""
    reached = np.cumsum(weights)
    place = at * (reached[-1] - 1)
    low, high = np.searchsorted(reached, [np.floor(place), np.ceil(place)], side="right")
    return float(values[low] + (place - np.floor(place)) * (values[high] - values[low]))


def _tails(values: Floats) -> Ends:
    if np.isnan(values).any():
        return None, None
    lower, upper = np.quantile(values, _TAILS)
    return float(lower), float(upper)


@lru_cache(maxsize=32)
def _groups(customers: int) -> tuple[NDArray[np.int64], Floats]:
    """The group of each customer, and how often each group is drawn: one row a draw."""
    random = np.random.default_rng((SEED, customers))
    count = min(customers, GROUPS)
    group = random.permutation(customers) % count
    return group, random.multinomial(count, np.full(count, 1 / count), DRAWS).astype(np.float64)
