"""What to offer to whom by association rules: categories that go with what a customer already holds."""

import polars as pl

from metrics.frames import CATEGORY

LEVEL = 0.05


def rules(pairs: pl.DataFrame, level: float = LEVEL) -> pl.DataFrame:
    """The rules in either direction of the pairs bought together more often than by chance.

    `pairs` as `metrics.affinity.association` gives them; a pair counts with a lift above 1 and an adjusted
    p-value below `level`. `has`, `category` (what follows), `confidence`, `lift`, `n_xy`; best confidence
    first.
    """
    sure = pairs.filter(pl.col("lift") > 1, pl.col("p_adjusted") < level)
    there = sure.select(pl.col("x").alias("has"), pl.col("y").alias(CATEGORY), "confidence", "lift", "n_xy")
    back = sure.select(
        pl.col("y").alias("has"),
        pl.col("x").alias(CATEGORY),
        pl.col("confidence_back").alias("confidence"),
        "lift",
        "n_xy",
    )
    order = ["confidence", "has", CATEGORY]
    return pl.concat([there, back]).sort(order, descending=[True, False, False])


def offers(held: pl.DataFrame, found: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
    """The best rule for each customer to whom one applies, the most valuable first.

    `held` as `metrics.crossbuying.holdings` gives it; `left_out` holds the customers (`customer`) who get no
    offer. `customer`, `category` (to offer, not held yet), `has` (why), `confidence`, `lift` and `value`:
    confidence times the mean margin (revenue where cost is not known) of those who hold the category, in
    whole currency.
    """
    holds = held.select("customer", pl.col(CATEGORY).cast(pl.String))
    open_ = (
        holds.join(left_out.select("customer"), on="customer", how="anti")
        .rename({CATEGORY: "has"})
        .join(found.select("has", CATEGORY, "confidence", "lift"), on="has")
        .join(holds, on=["customer", CATEGORY], how="anti")
        .join(category_values(held), on=CATEGORY)
        .with_columns(value=pl.col("confidence") * pl.col("worth"))
    )
    ranked = open_.sort("value", "confidence", "customer", "has", descending=[True, True, False, False])
    best = ranked.unique("customer", keep="first", maintain_order=True)
    return best.select("customer", CATEGORY, "has", "confidence", "lift", "value")


def category_values(held: pl.DataFrame) -> pl.DataFrame:
    """What a holder of each category has brought in it on average: `category`, `worth` in whole currency."""
    amount = "margin" if held["margin"].null_count() < len(held) else "net_amount"
    worth = pl.col(amount).cast(pl.Float64).mean() / 10_000
    return held.group_by(pl.col(CATEGORY).cast(pl.String)).agg(worth.alias("worth")).sort(CATEGORY)
