"""Offers by propensity: for each customer the category that is worth most, and what speaks for it."""

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from metrics.frames import CATEGORY
from metrics.next_category import OF_CUSTOMER, Trained

SCHEMA: Final = {
    "customer": pl.UInt32(),
    CATEGORY: pl.String(),
    "propensity": pl.Float64(),
    "value": pl.Float64(),
    "partner": pl.String(),
    "lift": pl.Float64(),
    "recency_days": pl.Float64(),
    "gap_days": pl.Float64(),
}


def first_margins(rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """What a first purchase in each category brings within so many days: `category`, `worth`; sorted.

    The mean margin (revenue where cost is not known) of its buyers from their first purchase on, returns
    deducted, in whole currency. From `metrics.crossbuying.basket_rows`.
    """
    amount = "margin" if rows["margin"].null_count() < len(rows) else "net_amount"
    first = pl.col("ordered_on").filter(pl.col("purchases") > 0).min().over("customer", CATEGORY)
    early = rows.with_columns(first=first).filter(
        pl.col("ordered_on") >= pl.col("first"),
        pl.col("ordered_on") <= pl.col("first") + timedelta(days=horizon),
    )
    sums = early.group_by("customer", CATEGORY).agg(pl.col(amount).sum().cast(pl.Float64))
    worth = (pl.col(amount).mean() / 10_000).alias("worth")
    return sums.group_by(pl.col(CATEGORY).cast(pl.String)).agg(worth).sort(CATEGORY)


def offers(found: Trained, worth: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
    """The most valuable category for each customer who lacks one, the most valuable offer first.

    Columns as in SCHEMA: `propensity` (of a first purchase within the horizon), `value` (propensity times
    `worth`), `partner` (what the customer holds that goes with it beyond chance, null without) and its
    `lift`, `recency_days` since the last order, `gap_days` between orders (null after one day of orders).
    Customers of `left_out` get none, nor do those for whom no category is worth anything.
    """
    now, model = found.now, found.model
    known = dict(worth.select(CATEGORY, "worth").iter_rows())
    money = np.array([known.get(name, 0.0) or 0.0 for name in now.categories])
    chance = model.propensities(now)
    value = np.where(now.held, -np.inf, chance * money)
    best = value.argmax(axis=1)
    at = np.arange(len(best))
    partner = now.partner[at, best]
    names = np.array([*now.categories, ""], dtype=object)
    fact = {name: now.facts[:, place] for place, name in enumerate(OF_CUSTOMER)}
    table = pl.DataFrame(
        {
            "customer": now.customers,
            CATEGORY: names[best],
            "propensity": chance[at, best],
            "value": value[at, best],
            "partner": names[partner],
            "lift": np.exp(now.pairs[1][at, best]),
            "recency_days": np.expm1(fact["recency"]).round(),
            "gap_days": np.where(fact["one_day"] > 0, np.nan, np.expm1(fact["gap"]).round()),
        },
        schema=SCHEMA,
    ).with_columns(pl.col("gap_days").fill_nan(None), pl.col("partner").replace("", None))
    kept = table.filter(pl.col("value") > 0).join(left_out.select("customer"), on="customer", how="anti")
    return kept.with_columns(lift=pl.when(pl.col("partner").is_not_null()).then("lift")).sort(
        "value", "customer", descending=[True, False]
    )
