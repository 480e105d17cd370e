"""Cross-buying: in how many categories customers buy, how fast they get there, and where they start.

A customer holds a category when something of it was bought and not all of it returned. Categories are those
that the order lines carry, whose tree every version records (`metrics.category_tree`): products that moved
within it would be taken for cross-buying. Counts of categories grow with the number of orders by
construction; whoever orders more often has more, whatever the taste. So groups are compared at an equal
number of orders (`rarefaction`).
"""

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaln

from metrics.frames import CATEGORY, Marts
from metrics.intervals import mean, wilson
from metrics.periods import Calendar, Window
from metrics.relations import RELATIONS
from metrics.survival import life_table, survival_at

ALL: Final = "all"
YEAR_DAYS: Final = 365
EVER: Final = Window()
_SUMS: Final = ("purchases", "lines", "quantity", "gross_amount", "net_amount", "margin")
_COLUMNS: Final = frozenset({CATEGORY, "ordered_on", "order", *_SUMS})
HELD: Final = _COLUMNS - {"order", "gross_amount"}
"""The columns that `holdings` needs."""


def basket_rows(marts: Marts, window: Window = EVER, columns: frozenset[str] = _COLUMNS) -> pl.DataFrame:
    """What known customers bought and returned, one row a category, order and day, amounts in units."""
    rows = marts.rows(RELATIONS["baskets"], window, columns, exact=frozenset())
    return rows.filter(pl.col("customer").is_not_null(), pl.col(CATEGORY).is_not_null())


def holdings(rows: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """What each customer holds, from `basket_rows`, one row a customer and category, sorted by both.

    `customer`, `category`, `orders` (with the category), `first_on`, `net_amount` and `margin` (units). What
    was returned in full is not held: no quantity is left, or no amount where quantities are not known.
    """
    bought = pl.col("purchases") > 0
    sums = (
        rows.lazy()
        .select(
            *("customer", CATEGORY, "lines", "purchases", "quantity", "net_amount", "margin"),
            orders=bought.cast(pl.Int64),
            first_on=pl.when(bought).then("ordered_on"),
            counted=pl.col("quantity").is_not_null(),
        )
        .group_by("customer", CATEGORY)
        .agg(
            pl.col("orders", "lines", "purchases", "quantity", "net_amount", "margin").sum(),
            pl.col("first_on").min(),
            pl.col("counted").any(),
        )
        .collect()
    )
    left = pl.when("counted").then("quantity").otherwise("net_amount")
    returned = (pl.col("lines") > pl.col("purchases")) & (left <= 0)
    kept = sums.filter(pl.col("purchases") > 0, ~returned)
    return kept.select("customer", CATEGORY, "orders", "first_on", "net_amount", "margin").sort(
        "customer", CATEGORY
    )


def breadth(rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """How broadly each customer buys, one row a customer who holds anything, sorted.

    `categories`, `orders` (with something held), `focus` (share of the revenue in the largest category) and
    `entropy` (`- sum of p ln p` over the shares p of revenue; 0 for one category, ln k for k equal ones).
    Both are null where nothing was earned.
    """
    net = pl.col("net_amount").clip(0).cast(pl.Float64)
    share = net / net.sum().over("customer")
    p = pl.col("share")
    wide = held.with_columns(share=pl.when(net.sum().over("customer") > 0).then(share))
    spread = wide.group_by("customer").agg(
        pl.len().cast(pl.Int64).alias("categories"),
        p.max().alias("focus"),
        pl.when(p.count() > 0).then(-pl.when(p > 0).then(p * p.log()).otherwise(0.0).sum()).alias("entropy"),
    )
    return spread.join(order_counts(rows, held), on="customer", how="left").sort("customer")


def order_counts(rows: pl.DataFrame | pl.LazyFrame, held: pl.DataFrame) -> pl.DataFrame:
    """How many `orders` each customer has with something held, one row a customer who has any."""
    bought = rows.lazy().filter(pl.col("purchases") > 0).select("customer", CATEGORY, "order")
    kept = bought.join(held.lazy().select("customer", CATEGORY), on=["customer", CATEGORY], how="semi")
    # In two steps: counting distinct values within groups takes longer the more groups there are.
    orders = kept.unique("order").group_by("customer").agg(pl.len().cast(pl.Int64).alias("orders"))
    return orders.collect()


def summary(customers: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """The breadth of customers together, or by a column: one row a group, sorted by it.

    `by`, `customers`, `categories` (mean, with `categories_lower`, `_upper` by Student's t), `multi`
    (customers of two categories or more), `multi_share` (with Wilson's bounds), `focus`, `entropy` (means).
    """
    many = pl.col("categories").cast(pl.Float64)
    table = (
        _grouped(customers, by)
        .group_by("by")
        .agg(
            pl.len().cast(pl.Int64).alias("customers"),
            (pl.col("categories") >= 2).sum().cast(pl.Int64).alias("multi"),
            many.sum().alias("total"),
            (many**2).sum().alias("squares"),
            pl.col("focus", "entropy").mean(),
        )
        .sort("by")
    )
    n = table["customers"].to_numpy()
    low, high = mean(table["total"].to_numpy(), table["squares"].to_numpy(), n)
    share_low, share_high = wilson(table["multi"].to_numpy(), n)
    return table.select(
        "by",
        "customers",
        (pl.col("total") / pl.col("customers")).alias("categories"),
        pl.Series("categories_lower", low).fill_nan(None),
        pl.Series("categories_upper", high).fill_nan(None),
        "multi",
        (pl.col("multi") / pl.col("customers")).alias("multi_share"),
        pl.Series("multi_lower", share_low).fill_nan(None),
        pl.Series("multi_upper", share_high).fill_nan(None),
        "focus",
        "entropy",
    )


def _grouped(customers: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """The rows with `by`: a column's values as text, or one group of all."""
    return customers.with_columns((pl.lit(ALL) if by is None else pl.col(by).cast(pl.String)).alias("by"))


def rarefaction(
    held: pl.DataFrame, customers: pl.DataFrame, most: int = 8, by: str | None = None
) -> pl.DataFrame:
    """Categories to expect in k orders, so that customers with many and few orders can be compared.

    Of a customer with n orders, `n_c` of which hold category c, k orders drawn at random hold `sum over c of
    1 - C(n - n_c, k) / C(n, k)` categories (Hurlbert 1971). The mean over the customers with k orders or
    more, with Student's t bounds: `by`, `orders` (k), `customers`, `categories`, `lower`, `upper`; sorted.

    `customers` are those of `breadth`, with the column `by` where groups are compared.
    """
    parts = [
        _averaged(expected_categories(held, customers, k), by).with_columns(orders=pl.lit(k, pl.Int64))
        for k in range(1, most + 1)
    ]
    order = ("by", "orders", "customers", "categories", "lower", "upper")
    return pl.concat(parts).sort("by", "orders").select(order)


def expected_categories(held: pl.DataFrame, customers: pl.DataFrame, k: int) -> pl.DataFrame:
    """The customers with k orders or more, with `expected`, the categories to expect in k of their orders."""
    enough = customers.filter(pl.col("orders") >= k)
    rows = held.select("customer", pl.col("orders").alias("n_c")).join(
        enough.select("customer", pl.col("orders").alias("n")), on="customer"
    )
    pairs = rows.select("n", "n_c").unique()
    seen = pairs.with_columns(expected=pl.Series(_seen(pairs["n"].to_numpy(), pairs["n_c"].to_numpy(), k)))
    sums = rows.join(seen, on=["n", "n_c"]).group_by("customer").agg(pl.col("expected").sum())
    return enough.join(sums, on="customer")


def _seen(n: NDArray[np.int64], n_c: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """The chance that k of n orders hold one of the n_c with the category; n below k counts as k."""
    n = np.maximum(n, k)
    without = np.maximum(n - n_c, 0)
    ways = gammaln(without + 1.0) - gammaln(np.maximum(without - k, 0) + 1.0)
    every = gammaln(n + 1.0) - gammaln(n - k + 1.0)
    missed = np.where(without >= k, np.exp(ways - every), 0.0)
    return np.asarray(1 - missed, dtype=np.float64)


def _averaged(each: pl.DataFrame, by: str | None) -> pl.DataFrame:
    value = pl.col("expected")
    table = (
        _grouped(each, by)
        .group_by("by")
        .agg(pl.len().cast(pl.Int64).alias("customers"), value.sum(), (value**2).sum().alias("squares"))
    )
    low, high = mean(table["expected"].to_numpy(), table["squares"].to_numpy(), table["customers"].to_numpy())
    return table.select(
        "by",
        "customers",
        (pl.col("expected") / pl.col("customers")).alias("categories"),
        pl.Series("lower", low).fill_nan(None),
        pl.Series("upper", high).fill_nan(None),
    )


def penetration(held: pl.DataFrame, customers: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """The share of a group's customers who hold each category, sorted by group and category.

    `by`, `category`, `n` (customers of the group), `holders`, `share`, `lower`, `upper` (Wilson). Every group
    has a row for every category that anybody holds.
    """
    groups = _grouped(customers, by).select("customer", "by")
    sizes = groups.group_by("by").agg(pl.len().cast(pl.Int64).alias("n"))
    names = held.select(pl.col(CATEGORY).cast(pl.String)).unique()
    counted = (
        held.select("customer", pl.col(CATEGORY).cast(pl.String))
        .join(groups, on="customer")
        .group_by("by", CATEGORY)
        .agg(pl.len().cast(pl.Int64).alias("holders"))
    )
    table = (
        sizes.join(names, how="cross")
        .join(counted, on=["by", CATEGORY], how="left")
        .with_columns(pl.col("holders").fill_null(0))
        .sort("by", CATEGORY)
    )
    low, high = wilson(table["holders"].to_numpy(), table["n"].to_numpy())
    return table.select(
        "by",
        CATEGORY,
        "n",
        "holders",
        (pl.col("holders") / pl.col("n")).alias("share"),
        pl.Series("lower", low).fill_nan(None),
        pl.Series("upper", high).fill_nan(None),
    )


def first_categories(held: pl.DataFrame, lives: pl.DataFrame) -> pl.DataFrame:
    """What became of those who began in each category, the largest group first.

    `lives` are the times until a second category (`metrics.event_times.lives_until`). A customer who began in
    several categories at once is in the group of each. `category`, `customers`, `second_year` (the share who
    hold a second category within 365 days, by Kaplan and Meier, with `lower`, `upper`), `categories` (mean by
    now) and `next` (the category that most of them added first, null when nobody added one).
    """
    first = held.filter(pl.col("first_on") == pl.col("first_on").min().over("customer"))
    began = first.select("customer", pl.col(CATEGORY).cast(pl.String))
    known = began.join(lives, on="customer")
    table = life_table(known, by=CATEGORY).filter(pl.col("duration") <= YEAR_DAYS)
    last = table.group_by(CATEGORY, maintain_order=True).last()
    width = held.group_by("customer").agg(pl.len().alias("categories"))
    groups = (
        began.join(width, on="customer")
        .group_by(CATEGORY)
        .agg(pl.len().cast(pl.Int64).alias("customers"), pl.col("categories").mean())
    )
    return (
        groups.join(last, on=CATEGORY, how="left")
        .join(_added_next(held, began), on=CATEGORY, how="left")
        .select(
            CATEGORY,
            "customers",
            (1 - pl.col("survival")).alias("second_year"),
            (1 - pl.col("upper")).alias("lower"),
            (1 - pl.col("lower")).alias("upper"),
            "categories",
            "next",
        )
        .sort("customers", CATEGORY, descending=[True, False])
    )


def _added_next(held: pl.DataFrame, began: pl.DataFrame) -> pl.DataFrame:
    """For each category of beginning, the one that most of its customers added first."""
    later = held.filter(pl.col("first_on") > pl.col("first_on").min().over("customer"))
    added = later.filter(pl.col("first_on") == pl.col("first_on").min().over("customer")).select(
        "customer", pl.col(CATEGORY).cast(pl.String).alias("next")
    )
    counted = began.join(added, on="customer").group_by(CATEGORY, "next").agg(pl.len().alias("n"))
    return (
        counted.sort("n", "next", descending=[True, False])
        .group_by(CATEGORY, maintain_order=True)
        .first()
        .select(CATEGORY, "next")
    )


def cross_buyers(rows: pl.DataFrame, held: pl.DataFrame, calendar: Calendar, window: Window) -> pl.DataFrame:
    """Who could add a category in each period of a window, and who did, sorted by period and customer.

    A customer could who ordered in the 365 days before the period and held a category then, but not all that
    anybody holds. `period`, `customer`, `had` (categories at the start), `added`. From `basket_rows` of all
    of history and their `holdings`.
    """
    every = held[CATEGORY].n_unique()
    days = rows.filter(pl.col("purchases") > 0).select("customer", "ordered_on")
    parts = []
    for code in window.periods:
        start, end = calendar.start(code, window.grain), calendar.end(code, window.grain)
        recent = pl.col("ordered_on").is_between(start - timedelta(days=YEAR_DAYS), start, closed="left")
        day = pl.col("first_on")
        counted = held.group_by("customer").agg(
            (day < start).sum().cast(pl.Int64).alias("had"),
            day.is_between(start, end).sum().cast(pl.Int64).alias("added"),
        )
        could = counted.filter(pl.col("had").is_between(1, every - 1))
        active = could.join(days.filter(recent), on="customer", how="semi")
        parts.append(active.select(pl.lit(code, pl.Int32).alias("period"), "customer", "had", "added"))
    return pl.concat(parts).sort("period", "customer")


def cross_buy_rates(rows: pl.DataFrame) -> pl.DataFrame:
    """The share of `cross_buyers` rows with a new category, with Wilson's bounds."""
    table = (
        rows.group_by("period")
        .agg(pl.len().cast(pl.Int64).alias("n"), (pl.col("added") > 0).sum().cast(pl.Int64).alias("buyers"))
        .sort("period")
    )
    low, high = wilson(table["buyers"].to_numpy(), table["n"].to_numpy())
    rate = (pl.col("buyers") / pl.col("n")).alias("rate")
    return table.with_columns(rate, pl.Series("lower", low), pl.Series("upper", high))


def second_category_within(lives: pl.DataFrame, days: int = YEAR_DAYS) -> float | None:
    """The share who hold a second category within some days of the first, by Kaplan and Meier."""
    survival = survival_at(life_table(lives), days)
    return None if survival is None else 1 - survival
