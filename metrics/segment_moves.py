"""How segments overlap, and how customers move between groups from one date to another."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from metrics.customer_facts import CUSTOMER

NONE: Final = "none"
"""The group of customers who are in no other: not customers yet, or without a score."""


def overlaps(members: Mapping[str, pl.Series], within: pl.Series | None = None) -> pl.DataFrame:
    """How many customers are in exactly these segments and in no other of them, every one counted once.

    One flag a segment under its name, and `customers`; the largest first, then by the flags. Customers in
    none of the segments are left out.
    """
    names = list(members)
    flags = pl.DataFrame([members[name].alias(name) for name in names])
    kept = flags if within is None else flags.filter(within)
    if not names:
        return pl.DataFrame(schema={"customers": pl.Int64})
    counts = (
        kept.filter(pl.any_horizontal(names)).group_by(names).agg(pl.len().cast(pl.Int64).alias("customers"))
    )
    return counts.sort("customers", *names, descending=[True] * (len(names) + 1))


def moves(before: pl.Series, after: pl.Series, within: pl.Series | None = None) -> pl.DataFrame:
    """How many customers went from each group to each: before, after, customers; sorted by both.

    Both are by customer number; null is the group NONE. The rows sum to the customers of either date.
    """
    pairs = _pairs(before, after, within)
    return (
        pairs.group_by("before", "after")
        .agg(pl.len().cast(pl.Int64).alias("customers"))
        .sort("before", "after")
    )


def movers(
    before: pl.Series, after: pl.Series, origin: str | None, to: str | None, within: pl.Series | None = None
) -> pl.DataFrame:
    """The customers behind a cell of `moves`, any group where None: customer, before, after; by number."""
    pairs = _pairs(before, after, within)
    if origin is not None:
        pairs = pairs.filter(pl.col("before") == origin)
    return pairs if to is None else pairs.filter(pl.col("after") == to)


def _pairs(before: pl.Series, after: pl.Series, within: pl.Series | None) -> pl.DataFrame:
    texts = [
        series.cast(pl.String).fill_null(NONE).alias(name)
        for name, series in (("before", before), ("after", after))
    ]
    rows = pl.DataFrame([pl.int_range(len(before), dtype=pl.UInt32, eager=True).alias(CUSTOMER), *texts])
    return rows if within is None else rows.filter(within)
