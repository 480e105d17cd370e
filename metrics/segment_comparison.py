"""Segments side by side: every metric for each of them and for the rest, and whether two differ.

Many segments are asked at once by cutting the customers into parts that are alike in all of them: what adds
up is summed once over these parts and then put together for each segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.catalog import Catalog
from metrics.customer_facts import CUSTOMER
from metrics.evaluation import Groups
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Window
from metrics.selection import Selection

PARTS: Final = "{parts}"
"""The attribute that says in which of the compared segments a customer is."""

MOST_SEGMENTS: Final = 60
Floats = NDArray[np.float64]


def parted(
    marts: Marts, members: Mapping[str, pl.Series], within: pl.Series | None = None
) -> dict[str, Marts]:
    """Marts of each group of customers, by name, that share their sums; `members` by customer number.

    `within` leaves only some customers in all of them. Groups may overlap. ValueError for more than
    MOST_SEGMENTS.
    """
    if len(members) > MOST_SEGMENTS:
        fault = f"at most {MOST_SEGMENTS} groups can be compared at once"
        raise ValueError(fault)
    people = marts.frame("customer_summary")
    inside = pl.repeat(value=True, n=len(people), dtype=pl.Boolean, eager=True) if within is None else within
    code = inside.cast(pl.Int64)
    for place, belongs in enumerate(members.values(), 1):
        code = code + belongs.cast(pl.Int64) * 2**place
    names = code.unique().sort()
    places = names.search_sorted(code).cast(pl.UInt32)
    coded = people.with_columns(places.cat.to(pl.Enum(names.cast(pl.String))).alias(PARTS))
    opened = {key: frame for key, frame in marts.opened.items() if not key.startswith("customer_summary")}
    frames = {**marts.frames, "customer_summary": coded}
    whole = replace(
        marts, frames=frames, opened=opened, answers={}, selection=Selection(), mask=None, of_lines=False
    )
    whole.keep("groups", Groups.of(coded.select(CUSTOMER, PARTS)))
    found = {}
    for place, name in enumerate(members, 1):
        parts = names.filter((names & 1 == 1) & (names & 2**place > 0)).cast(pl.String)
        chosen = (inside & members[name]).alias(PARTS)
        found[name] = replace(whole, selection=Selection({PARTS: tuple(parts)}), mask=chosen)
    return found


def figures_of_groups(
    catalog: Catalog, names: Sequence[str], groups: Mapping[str, Marts], window: Window
) -> pl.DataFrame:
    """Figures of some metrics for each group, as `metrics.figures.compute` gives them, `by` the group.

    Groups in their order, metrics and periods as in `compute`. Unlike the values of an attribute, groups may
    overlap, so their figures need not add up to anything.
    """
    parts = [
        compute(catalog, names, marts, window).with_columns(by=pl.lit(name)) for name, marts in groups.items()
    ]
    return pl.concat(parts) if parts else pl.DataFrame()


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
