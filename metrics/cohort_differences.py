"""How far the cohorts of two segments lie apart, cell by cell, and how sure that is."""

from typing import Final

import polars as pl

from metrics.cohort_values import CellValue
from metrics.intervals import ratio
from metrics.retention import Cohorts, in_spans

TOTALS: Final[tuple[CellValue, ...]] = ("customers", "revenue", "margin")
"""Counted in full: a sample of nothing, so without an interval, and larger where a segment is larger."""
_KEYS: Final = ("cohort", "age", "until_age")


def difference(first: pl.DataFrame, second: pl.DataFrame, value: CellValue = "rate") -> pl.DataFrame:
    """A value of the second cohort table less that of the first, cell by cell.

    The tables: `metrics.cohort_values.valued`, their bounds those of the value (`bounded`). One row a cohort
    and age of either, sorted: cohort, age, until_age, size (of both together), difference, lower, upper,
    complete, closes_on, young_history, reason. The interval joins those of the two (Newcombe 1998, method 10;
    MOVER, Zou and Donner 2008); null where one of them has none.
    """
    kept = (*_KEYS, "size", value, "lower", "upper", "complete", "closes_on", "young_history", "reason")
    both = first.select(kept).join(second.select(kept), on=_KEYS, how="full", coalesce=True, suffix="_b")
    a, b = pl.col(value).cast(pl.Float64), pl.col(f"{value}_b").cast(pl.Float64)
    down = ((b - pl.col("lower_b")) ** 2 + (pl.col("upper") - a) ** 2).sqrt()
    up = ((pl.col("upper_b") - b) ** 2 + (a - pl.col("lower")) ** 2).sqrt()
    flags = ("complete", "closes_on", "young_history", "reason")
    return both.select(
        *_KEYS,
        (pl.col("size").fill_null(0) + pl.col("size_b").fill_null(0)).alias("size"),
        (b - a).alias("difference"),
        (b - a - down).alias("lower"),
        (b - a + up).alias("upper"),
        *(pl.coalesce(name, f"{name}_b").alias(name) for name in flags),
    ).sort("cohort", "age")


def bounded(table: pl.DataFrame, lives: pl.DataFrame, cohorts: Cohorts, value: CellValue) -> pl.DataFrame:
    """The cohort table of some lives with the 95 % bounds of a value in place of those of the rate.

    A quotient over customers has those of `metrics.intervals.ratio`: the customer is the unit that varies, so
    many orders of one are not many customers'. `TOTALS` have none.
    """
    if value == "rate":
        return table
    bare = table.drop("lower", "upper")
    if value in TOTALS:
        return bare.with_columns(lower=pl.lit(None, pl.Float64), upper=pl.lit(None, pl.Float64))
    sums = bare.select("cohort", "age").join(
        _moments(lives, cohorts, value), on=["cohort", "age"], how="left"
    )
    filled = sums.with_columns(pl.col("a", "aa", "ab").fill_null(0)).join(
        _bases(lives, value), on="cohort", how="left"
    )
    if value == "customer_value":
        to_date = (pl.col(name).cum_sum().over("cohort", order_by="age") for name in ("a", "aa", "ab"))
        filled = filled.with_columns(to_date)
    a, aa, ab, b, bb, n = (filled[name] for name in ("a", "aa", "ab", "b", "bb", "n"))
    lower, upper = ratio((a, b), (aa, ab, bb), n)
    bounds = {"lower": lower, "upper": upper}
    found = filled.select("cohort", "age").with_columns(
        pl.Series(*each, nan_to_null=True) for each in bounds.items()
    )
    return bare.join(found, on=["cohort", "age"], how="left", maintain_order="left").with_columns(
        pl.when(pl.col(value).is_not_null()).then(pl.col(end)) for end in bounds
    )


def _amount(lives: pl.DataFrame, value: CellValue) -> pl.Expr:
    """What is added up of a life."""
    if value == "orders_per_customer":
        return pl.col("orders").cast(pl.Float64)
    has_cost = value == "customer_value" and lives["margin"].count()
    return pl.col("margin" if has_cost else "net_amount").cast(pl.Float64) / 10_000


def _bases(lives: pl.DataFrame, value: CellValue) -> pl.DataFrame:
    """By cohort, how many lives (n), and the sums of what each is divided by (b) and of its square (bb)."""
    base = _amount(lives, value) if value == "net_retention" else pl.lit(1.0)
    begun = lives.lazy().filter(pl.col("age") == 0).select("cohort", base=base)
    sums = pl.len().alias("n"), pl.col("base").sum().alias("b"), (pl.col("base") ** 2).sum().alias("bb")
    return begun.group_by("cohort").agg(sums).collect()


def _moments(lives: pl.DataFrame, cohorts: Cohorts, value: CellValue) -> pl.DataFrame:
    """By cohort and age, what each row adds to the sums over lives of the amount (a), a * a, and a * b.

    Of values to date a row adds to the square what its life's running total has grown by.
    """
    base = pl.lit(1.0)
    rows = in_spans(lives, cohorts.brackets).with_columns(a=_amount(lives, value)).lazy()
    if value == "net_retention":
        first = lives.lazy().filter(pl.col("age") == 0).select("life", b=_amount(lives, value))
        rows, base = rows.join(first, on="life"), pl.col("b").first()
    own = rows.group_by("life", "cohort", "head").agg(pl.col("a").sum(), b=base)
    square = pl.col("a") ** 2
    if value == "customer_value":
        total = pl.col("a").cum_sum().over("life", order_by="head")
        square = total**2 - (total - pl.col("a")) ** 2
    parts = own.select("cohort", "a", age="head", aa=square, ab=pl.col("a") * pl.col("b"))
    return parts.group_by("cohort", "age").agg(pl.col("a", "aa", "ab").sum()).collect()
