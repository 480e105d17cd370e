"""Order lines to measure with: a seeded shop's export, in the order of time, as Parquet and as CSV."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import polars as pl
from numpy.typing import NDArray

COLUMNS = (
    "order_id",
    "line_id",
    "customer_id",
    "ordered_at",
    "status",
    "product_id",
    "category",
    "quantity",
    "net_amount",
    "cost",
    "discount",
    "is_return",
    "channel",
)
_START = 1_640_995_200  # 2022-01-01
_YEAR = 365 * 86_400
_SECONDS = 3 * _YEAR

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Size:
    """How much to measure with; a quick run shows that everything works and holds to no bound of time."""

    lines: int
    customers: int
    quick: bool = False


FULL = Size(10_000_000, 1_000_000)
QUICK = Size(200_000, 20_000, quick=True)


def folder(size: Size) -> Path:
    """Where the files of a size are kept between runs."""
    cache = platformdirs.user_cache_path("rapport-dashboard")
    path = cache / "benchmarks" / f"{size.lines}-{size.customers}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def parquet(size: Size) -> Path:
    """The lines as Parquet, generated on first use."""
    path = folder(size) / "lines.parquet"
    if not path.exists():
        draft = path.with_suffix(".new")
        shop_lines(size).lazy().sink_parquet(draft, row_group_size=500_000)
        draft.replace(path)
    return path


def csv(size: Size) -> Path:
    """The same lines as CSV, generated on first use."""
    path = folder(size) / "lines.csv"
    if not path.exists():
        draft = path.with_suffix(".new")
        pl.scan_parquet(parquet(size)).sink_csv(draft, datetime_format="%Y-%m-%d %H:%M:%S")
        draft.replace(path)
    return path


def shop_lines(size: Size, seed: int = 1) -> pl.DataFrame:
    """Lines of a shop like that of the demonstration, in the order of time.

    Every customer has one order, the rest go to customers by a rate that varies from one to the next, within
    a life of a year on average: 2.3 lines an order, 4.3 orders a customer, most of whom have fewer. Half of
    the lines are of their order's own category, 5 % are returns.
    """
    random = np.random.default_rng(seed)
    order, line = _numbered_lines(random, size.lines)
    orders = int(order[-1]) + 1
    customer, at = _placed_orders(random, orders, size.customers)
    n = len(order)
    own = random.random(n) < 0.5
    raw = pl.DataFrame(
        {
            "order": order,
            "line": line,
            "customer": customer[order],
            "at": (at[order] + _START) * 1_000_000,
            "product": np.where(own, random.integers(0, 20, orders)[order], random.integers(0, 2000, n)),
            "units": random.integers(1, 5, n),
            "price": random.integers(100, 20_000, n),
            "channel": random.integers(0, 4, orders)[order],
            "back": random.random(n) < 0.05,
        }
    )
    return raw.select(_theirs()).select(COLUMNS)


def _numbered_lines(random: np.random.Generator, lines: int) -> tuple[Whole, Whole]:
    """The order of each line, and its number within it."""
    draws = np.sort(random.integers(0, lines // 2, lines))
    starts = np.r_[True, draws[1:] != draws[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(lines), 0))
    return np.cumsum(starts) - 1, np.arange(lines) - first + 1


def _placed_orders(random: np.random.Generator, orders: int, customers: int) -> tuple[Whole, Whole]:
    """Who places each order and in which second, in the order of time."""
    joined = random.integers(0, _SECONDS, customers)
    left = np.minimum(joined + random.exponential(_YEAR, customers), _SECONDS)
    weight = random.gamma(0.7, 1.0, customers) * (left - joined)
    later = random.choice(customers, orders - customers, p=weight / weight.sum())
    when = joined[later] + random.random(len(later)) * (left - joined)[later]
    at = np.r_[joined, when.astype(np.int64)]
    by_time = np.argsort(at)
    return np.r_[np.arange(customers), later][by_time], at[by_time]


def _theirs() -> list[pl.Expr]:
    sign = pl.when("back").then(-1).otherwise(1)
    cents = (pl.col("price") * sign).cast(pl.Decimal(18, 4))
    return [
        pl.format("O{}", pl.col("order").cast(pl.String).str.zfill(8)).alias("order_id"),
        pl.col("line").cast(pl.String).alias("line_id"),
        pl.format("C{}", pl.col("customer").cast(pl.String).str.zfill(7)).alias("customer_id"),
        pl.col("at").cast(pl.Datetime("us", "UTC")).alias("ordered_at"),
        pl.lit("delivered").alias("status"),
        pl.format("P{}", pl.col("product").cast(pl.String).str.zfill(4)).alias("product_id"),
        pl.format("Category {}", pl.col("product") % 20).alias("category"),
        (pl.col("units") * sign).cast(pl.Float64).alias("quantity"),
        (cents / 100).cast(pl.Decimal(18, 4)).alias("net_amount"),
        (cents / 200).cast(pl.Decimal(18, 4)).alias("cost"),
        (pl.col("price") % 7).cast(pl.Decimal(18, 4)).alias("discount"),
        pl.col("back").alias("is_return"),
        pl.format("channel {}", "channel").alias("channel"),
    ]


if __name__ == "__main__":
    chosen = QUICK if "--quick" in sys.argv else FULL
    print(parquet(chosen), csv(chosen), sep="\n")
