"""Two groups of customers compared: by how much their figures differ, and within which bounds."""

import polars as pl


def differences(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """What two groups differ by, metric by metric: figures of one period each, as `compute` gives them.

    Columns: metric, a, b, difference (a - b), lower, upper, n_a, n_b. With intervals l..u around both figures

        lower = (a - b) - sqrt((a - l_a)^2 + (u_b - b)^2)
        upper = (a - b) + sqrt((u_a - a)^2 + (b - l_b)^2)

    (MOVER: Zou and Donner 2008). Null where one of them is a full count: that difference is a fact. Customers
    who are in both groups make the interval too wide, never too narrow where they pull both figures alike.
    """
    columns = ("value", "lower", "upper", "n")
    left = a.select("metric", *(pl.col(name).alias(f"{name}_a") for name in columns))
    right = b.select("metric", *(pl.col(name).alias(f"{name}_b") for name in columns))
    both = left.join(right, on="metric", how="left", maintain_order="left")
    down = (
        (pl.col("value_a") - pl.col("lower_a")) ** 2 + (pl.col("upper_b") - pl.col("value_b")) ** 2
    ).sqrt()
    up = ((pl.col("upper_a") - pl.col("value_a")) ** 2 + (pl.col("value_b") - pl.col("lower_b")) ** 2).sqrt()
    difference = pl.col("value_a") - pl.col("value_b")
    return both.select(
        "metric",
        pl.col("value_a").alias("a"),
        pl.col("value_b").alias("b"),
        difference.alias("difference"),
        (difference - down).alias("lower"),
        (difference + up).alias("upper"),
        "n_a",
        "n_b",
    )
