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
_LEVEL: Final = 0.05
_TIMES: Final = 2.0
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
    size = int(bought["customer"].to_numpy().max()) + 1
    flat = bought["customer"].to_numpy().astype(np.int64) * 12 + bought["month"].to_numpy()
    counts = np.bincount(flat, minlength=size * 12).reshape(size, 12)
    season, share = _seasons(counts)
    ours = pl.DataFrame({"season": season, "share": share}).with_row_index("customer")
    candidates = ours.filter(pl.col("share") >= _SEASON_SHARE)
    return _repeated(bought.join(candidates, on="customer"))


def _seasons(counts: Ints) -> tuple[NDArray[np.int8], Floats]:
    """The month around which a customer buys most, with its neighbours, and their share of all orders."""
    inside = counts + np.roll(counts, 1, axis=1) + np.roll(counts, -1, axis=1)
    total = counts.sum(axis=1)
    score = np.where(counts > 0, inside * (int(counts.max()) + 1) + counts, -1)
    best = score.argmax(axis=1)
    held = inside[np.arange(len(counts)), best]
    return (best + 1).astype(np.int8), np.where(total > 0, held / np.maximum(total, 1), 0.0)


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


def standing_out(seasons: pl.DataFrame, orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Which months have more seasonal customers around them than those of the other months let expect.

    Who begins in a month and comes back a year later need not be a shopper of that month: more customers
    begin in a busy month, and more of everybody's orders fall into it. How many pairs of a first and a later
    order fall into one season by that alone is told by those who began in other seasons (see `_pairs`); how
    many of them make a seasonal customer, by the other nine months. The rest is tested (binomial, one-sided;
    Holm over the months). A month stands out with p below 0.05, twice the expected, and more customers than
    its neighbours. One row a month: month, customers (whose season is it or the one before or after),
    expected, p_value, stands_out.
    """
    pairs = _around(_pairs(orders, as_of))
    own = np.bincount(seasons["season"].cast(pl.Int64).to_numpy() - 1, minlength=12)
    found, total = _around(own.astype(np.float64)).astype(np.int64), int(own.sum())
    whole = pairs.sum() / 3
    share = np.divide(pairs, whole, out=np.full(12, 1.0), where=whole > 0)
    others = np.maximum(1 - share, 0.0)
    expected = np.divide((total - found) * share, others, out=np.zeros(12), where=others > 0)
    chance = np.where(found > 0, betainc(np.maximum(found, 1), total - found + 1, share), 1.0)
    peak = own == _highest(own)
    table = pl.DataFrame(
        {"month": np.arange(1, 13), "customers": found, "expected": expected, "p_value": chance, "peak": peak}
    )
    many = pl.col("customers") >= _TIMES * pl.col("expected")
    tested = table.with_columns(holm(pl.col("p_value")))
    stands_out = (pl.col("p_value") < _LEVEL) & many & pl.col("peak")
    return tested.with_columns(stands_out=stands_out).drop("peak")


def _pairs(orders: pl.LazyFrame, as_of: date) -> Floats:
    """By season, how many pairs of a first and a later order would fall into it if nobody had a season.

    Customers by month of the first order, times the years that follow, times the rate at which those who
    began in other seasons order in the month: so those who do have a season weigh little.
    """
    begun, later = _by_months(orders, as_of)
    at = np.arange(len(begun))
    month = (at + as_of.month - len(begun)) % 12
    first = np.bincount(month, weights=begun * ((len(begun) - 1 - at) // 12), minlength=12)
    apart = np.isin((at - at[:, None]) % 12, np.arange(2, 11)) & (at > at[:, None])
    seen, exposed = (
        np.bincount(month, weights=(each * apart).sum(axis=0), minlength=12)
        for each in (later, begun[:, None])
    )
    rate = np.divide(seen, exposed, out=np.zeros(12), where=exposed > 0)
    both = first * np.roll(rate, -1) + np.roll(first, -1) * rate
    both[[0, 11]] = both[0] + both[11], 0  # December and January is called January, as `_seasons` does
    return np.asarray(first * rate + both, dtype=np.float64)


def _by_months(orders: pl.LazyFrame, as_of: date) -> tuple[Floats, Floats]:
    """Customers by month of the first order, from the first of all; orders by that month and their own."""
    day = pl.col("ordered_on")
    bought = orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null(), day <= as_of)
    month = (day.dt.year().cast(pl.Int64) * 12 + day.dt.month() - 1).alias("month")
    rows = bought.select("customer", month).collect()
    customers, months = rows["customer"].to_numpy(), rows["month"].to_numpy()
    last = as_of.year * 12 + as_of.month - 1
    start = int(months.min(initial=last))
    first = np.full(int(customers.max(initial=0)) + 1, last + 1, dtype=np.int64)
    np.minimum.at(first, customers, months)
    size = last - start + 1
    begun = np.bincount(first[first <= last] - start, minlength=size).astype(np.float64)
    pairs = np.bincount((first[customers] - start) * size + months - start, minlength=size * size)
    return begun, pairs.reshape(size, size).astype(np.float64)


def _around(counts: Floats) -> Floats:
    """The sums of each month and its two neighbours."""
    return np.asarray(counts + np.roll(counts, 1) + np.roll(counts, -1), dtype=np.float64)


def _highest(counts: Ints) -> Ints:
    """The highest count of each month and its two neighbours."""
    return np.maximum(counts, np.maximum(np.roll(counts, 1), np.roll(counts, -1)))
