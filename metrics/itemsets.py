"""Frequent itemsets beyond pairs: what three and more categories or products go into one order together."""

from typing import Final

import polars as pl

from metrics.affinity import Unit

SCHEMA: Final[dict[str, pl.DataType]] = {
    "items": pl.List(pl.String()),
    "size": pl.Int64(),
    "n": pl.Int64(),
    "support": pl.Float64(),
}


def itemsets(
    baskets: pl.LazyFrame, least: int, unit: Unit = "order", item: str = "category", longest: int = 5
) -> pl.DataFrame:
    """Every set of two to `longest` items that at least `least` units hold, the largest count first.

    `items` (in alphabetical order), `size`, `n` (units that hold them all), `support` (n over all units).
    Level by level (Agrawal and Srikant 1994): a unit's sets grow by one of its frequent items at a time, and
    sets that are not frequent grow no further. Sets of `baskets` rows with null items or units do not count.
    """
    held = (
        baskets.filter(pl.col(item).is_not_null(), pl.col(unit).is_not_null())
        .select(pl.col(unit).alias("unit"), pl.col(item).cast(pl.String).alias("item"))
        .unique()
        .with_columns(pl.col("item").rank("dense").cast(pl.UInt32).alias("code"))
        .collect()
    )
    n = held["unit"].n_unique()
    names = held.select("code", "item").unique()
    frequent = held.filter(pl.len().over("code") >= least).select("unit", "code")
    singles = frequent.select("code").unique().with_columns(items=pl.concat_list("code"), set="code")
    grown = frequent.with_columns(pl.col("code").alias("set"))
    found, known = [], singles.select("set", "items")
    for size in range(2, longest + 1):
        grown = grown.join(frequent, on="unit", suffix="_next").filter(pl.col("code") < pl.col("code_next"))
        counted = grown.group_by("set", "code_next").agg(pl.len().cast(pl.Int64).alias("n"))
        level = counted.filter(pl.col("n") >= least).sort("set", "code_next").with_row_index("next")
        if level.is_empty():
            break
        longer = level.join(known, on="set").with_columns(items=pl.concat_list("items", "code_next"))
        found.append(longer.select("items", "n", size=pl.lit(size, pl.Int64)))
        known = longer.select(pl.col("next").alias("set"), "items")
        grown = grown.join(level.select("set", "code_next", "next"), on=["set", "code_next"]).select(
            "unit", pl.col("code_next").alias("code"), pl.col("next").alias("set")
        )
    return _named(pl.concat(found), names, n) if found else pl.DataFrame(schema=SCHEMA)


def _named(found: pl.DataFrame, names: pl.DataFrame, n: int) -> pl.DataFrame:
    texts = dict(names.iter_rows())
    items = pl.col("items").list.eval(pl.element().replace_strict(texts, return_dtype=pl.String))
    table = found.select(items, "size", "n", (pl.col("n") / n).alias("support"))
    return table.sort("n", pl.col("items").list.join(" "), descending=[True, False])
