"""Customers who buy in one season only: who they are, until when they wait, and which season stands out."""

from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betainc

from metrics.multiple import holm

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HISTORY_MONTHS: Final = 25
"""Two seasons and a month: with a shorter history nobody can be told to be seasonal."""
_SEASON_YEARS: Final = 2
_SEASON_SHARE: Final = 0.8
_LEVEL: Final = 0.01
_TIMES: Final = 2.0
_DRAWS: Final = 10
_MOST_DRAWN: Final = 5_000_000
"""Orders that are drawn anew in all draws together; one draw is made at least."""
_SEASONAL: Final = {
    "customer": pl.UInt32,
    "season": pl.Int8,
    "years": pl.UInt32,
    "share": pl.Float64,
    "clock_until": pl.Date,
}


def history_months(orders: pl.LazyFrame, as_of: date) -> int:
    """How many months of orders lie before the as-of day; 25 are needed to see seasons."""
    first = orders.filter(pl.col("orders") > 0).select(pl.col("ordered_on").min()).collect().item()
    if first is None:
        return 0
    months: int = (as_of.year - first.year) * 12 + as_of.month - first.month
    return months + int(as_of.day >= first.day - 1)


def seasonal(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Customers who buy in one season: 80 % of their orders around one month, in two years or more.

    Their clock ends with the next season: who buys every December is not lost in June, nor new next December.
    Needs 25 months of history; with less nobody is called seasonal. One row a seasonal customer, sorted:
    customer, season (month 1-12), years, share, clock_until (the last day of the month after the next season
    that follows the last order).
    """
    day = pl.col("ordered_on")
    bought = (
        orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null(), day <= as_of)
        .select("customer", (day.dt.month() - 1).cast(pl.Int64).alias("month"), day.dt.year().alias("year"))
        .collect()
    )
    if history_months(orders, as_of) < HISTORY_MONTHS or bought.is_empty():
        return pl.DataFrame(schema=_SEASONAL)
    return _called(bought)


def _called(bought: pl.DataFrame) -> pl.DataFrame:
    """The seasonal customers among orders given by customer, month (0 to 11) and year."""
    size = int(bought["customer"].to_numpy().max()) + 1
    flat = bought["customer"].to_numpy().astype(np.int64) * 12 + bought["month"].to_numpy()
    counts = np.bincount(flat, minlength=size * 12).reshape(size, 12).T.astype(np.int32, order="C")
    season, share, total = _seasons(counts)
    ours = pl.DataFrame({"season": season, "share": share, "total": total}).with_row_index("customer")
    repeated = pl.col("total") >= _SEASON_YEARS
    candidates = ours.filter(repeated, pl.col("share") >= _SEASON_SHARE).drop("total")
    return _repeated(bought.join(candidates, on="customer"))


def _seasons(counts: NDArray[np.int32]) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    """The month around which a customer (column) buys most, with its neighbours, their share, all orders."""
    most = int(counts.max(initial=0)) + 1
    best = np.zeros(counts.shape[1], dtype=np.int8)
    held, top = np.zeros((2, counts.shape[1]), dtype=np.int64)
    for month, own in enumerate(counts):
        inside = counts[month - 1] + own + counts[(month + 1) % 12]
        score = np.where(own > 0, inside * np.int64(most) + own, 0)
        better = score > top
        best[better], held[better], top[better] = month + 1, inside[better], score[better]
    total = counts.sum(axis=0, dtype=np.int32)
    return best, held / np.maximum(total, 1), total


def _repeated(orders: pl.DataFrame) -> pl.DataFrame:
    """The customers among whose seasons there are two at least, with the end of the next one.

    January belongs to the December before it, December to the January after it.
    """
    month, season = pl.col("month") + 1, pl.col("season")
    late = ((season == 12) & (month == 1)).cast(pl.Int32)
    early = ((season == 1) & (month == 12)).cast(pl.Int32)
    year = pl.col("year") - late + early
    facts = orders.group_by("customer", "season", "share").agg(
        year.n_unique().alias("years"), year.max().alias("latest")
    )
    start = pl.date(pl.col("latest") + 1, pl.col("season"), 1)
    clock = start.dt.offset_by("2mo").dt.offset_by("-1d")
    repeated = facts.filter(pl.col("years") >= _SEASON_YEARS).with_columns(clock_until=clock)
    return repeated.sort("customer").select(_SEASONAL.keys()).cast(pl.Schema(_SEASONAL))


def standing_out(
    seasons: pl.DataFrame, orders: pl.LazyFrame, as_of: date, *, segment: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Which months have more seasonal customers than chance and the seasons of the market make.

    Who begins in a busy month and comes back a year later need not be a shopper of that month. So the later
    orders of every customer are drawn anew, as many as they were, at the ages and in the months in which
    customers who began in other seasons order, and the seasonal customers counted again (the mean of several
    draws). How many of the drawn ones are found in truth is told by the months that are no neighbours; the
    rest is tested (binomial, one-sided; Holm over the months). A month stands out with p below 0.01 and twice
    the expected. `segment` (customer, segment): segments have a market each. One row a month: month,
    customers, expected, p_value, stands_out.
    """
    found = _by_season(seasons)
    drawn = _drawn(orders, as_of, segment) if len(seasons) else np.zeros(12)
    beside, others = (each.sum() - _around(each) for each in (found.astype(np.float64), drawn))
    expected = np.divide(drawn * beside, others, out=np.zeros(12), where=others > 0)
    share = np.divide(drawn, drawn + others, out=np.ones(12), where=others > 0)
    chance = np.where(found > 0, betainc(np.maximum(found, 1), beside + 1, share), 1.0)
    table = pl.DataFrame(
        {"month": np.arange(1, 13), "customers": found, "expected": expected, "p_value": chance}
    )
    many = pl.col("customers") >= _TIMES * pl.col("expected")
    return table.with_columns(holm(pl.col("p_value"))).with_columns(
        stands_out=(pl.col("p_value") < _LEVEL) & many
    )


def _by_season(seasons: pl.DataFrame) -> Ints:
    return np.bincount(seasons["season"].cast(pl.Int64).to_numpy() - 1, minlength=12)


def _around(counts: Floats) -> Floats:
    """The sums of each month and its two neighbours."""
    return np.asarray(counts + np.roll(counts, 1) + np.roll(counts, -1), dtype=np.float64)


def _drawn(orders: pl.LazyFrame, as_of: date, segment: pl.DataFrame | None) -> Floats:
    """By season, how many customers are called seasonal when later orders fall where the market's fall."""
    day = pl.col("ordered_on")
    month = (day.dt.year().cast(pl.Int64) * 12 + day.dt.month() - 1).alias("month")
    bought = orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null(), day <= as_of)
    rows = bought.select("customer", month).collect()
    draws = max(1, min(_DRAWS, _MOST_DRAWN // len(rows)))
    if segment is None:
        markets = [rows]
    else:
        theirs = segment.select("customer", "segment")
        markets = rows.join(theirs, on="customer", how="left").partition_by("segment", include_key=False)
    last = as_of.year * 12 + as_of.month - 1
    counts = np.stack([_drawn_of(market, last, draws) for market in markets])
    return np.asarray(counts.sum(axis=0) / draws, dtype=np.float64)


def _drawn_of(rows: pl.DataFrame, last: int, draws: int) -> Floats:
    """The sum of several draws within one market; `rows`: customer and month of every order."""
    rows = rows.sort("customer", "month")
    begins = np.diff(rows["customer"].to_numpy().astype(np.int64), prepend=-1) != 0
    months = rows["month"].to_numpy()
    start, size = int(months.min()), last - int(months.min()) + 1
    first = months[begins][np.cumsum(begins) - 1] - start
    pairs = np.bincount(first * size + months - start, minlength=size * size).reshape(size, size)
    begun = np.bincount(first[begins], minlength=size)
    chances = _chances(begun, pairs - np.diag(begun), start)
    random = np.random.default_rng(1)
    total = np.zeros(12)
    for _draw in range(draws):
        anew = np.where(begins, first, _placed(first, random.random(len(first)), chances)) + start
        total += _by_season(_called(rows.with_columns(month=anew % 12, year=anew // 12)))
    return total


def _chances(begun: Ints, later: Ints, start: int) -> Floats:
    """By month of the first order, the chances that a later one falls by the end of each month.

    Proportional to how often orders come at that age, and to how often those who began in other seasons order
    in that month of the year.
    """
    at = np.arange(len(begun))
    age = at - at[:, None]
    apart = np.isin(age % 12, np.arange(2, 11)) & (age > 0)
    seen, exposed = (
        np.bincount((at + start) % 12, weights=(each * apart).sum(axis=0), minlength=12)
        for each in (later, begun[:, None])
    )
    rate = np.divide(seen, exposed, out=np.ones(12), where=(exposed > 0) & (seen > 0))
    old = age >= 0
    came = np.bincount(age[old], weights=later[old])
    there = np.bincount(age[old], weights=np.broadcast_to(begun[:, None], age.shape)[old])
    often = np.divide(came, there, out=np.zeros(len(came)), where=there > 0)
    weight = np.where(old, often[np.abs(age)] * rate[(at + start) % 12], 0.0)
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(weight.cumsum(axis=1) / total, dtype=np.float64)


def _placed(first: Ints, where: Floats, chances: Floats) -> Ints:
    """The month of each order: that in which its chance is reached."""
    flat = (chances + np.arange(len(chances))[:, None]).ravel()
    found = np.searchsorted(flat, np.minimum(where, 1 - 1e-12) + first, side="right")
    return np.asarray(np.minimum(found - first * len(chances), len(chances) - 1), dtype=np.int64)
