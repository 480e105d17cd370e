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
    """Which months have more seasonal customers than would be one by chance.

    Two orders that fall where orders fall share a season by chance as often as the square of its share of
    all orders; so many of the seasonal customers of all months are expected in it, and the rest is tested
    (binomial, one-sided; Holm over the months). A month stands out with p below 0.05 and twice the expected.
    One row a month: month, customers, expected, p_value, stands_out.
    """
    bought = orders.filter(pl.col("orders") > 0, pl.col("ordered_on") <= as_of)
    month = (pl.col("ordered_on").dt.month().cast(pl.Int64) - 1).alias("month")
    counts = np.bincount(bought.select(month).collect().to_series().to_numpy(), minlength=12)
    around = counts + np.roll(counts, 1) + np.roll(counts, -1)
    weight = around.astype(np.float64) ** 2
    share = weight / weight.sum() if weight.sum() else np.full(12, 1 / 12)
    found = np.bincount(seasons["season"].cast(pl.Int64).to_numpy() - 1, minlength=12)
    total = int(found.sum())
    chance = np.where(found > 0, betainc(np.maximum(found, 1), total - found + 1, share), 1.0)
    table = pl.DataFrame(
        {"month": np.arange(1, 13), "customers": found, "expected": total * share, "p_value": chance}
    )
    many = pl.col("customers") >= _TIMES * pl.col("expected")
    return table.with_columns(holm(pl.col("p_value"))).with_columns(
        stands_out=(pl.col("p_value") < _LEVEL) & many
    )
