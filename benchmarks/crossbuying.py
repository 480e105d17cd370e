"""What goes together, the next category and the scorecard at full size, against DuckDB where that can do it.

Bounds of processor seconds, since the machine may be shared.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from benchmarks.lines import Size, folder, parquet
from benchmarks.measure import Cost, Result, in_turn, measured
from dashboard.scorecard_files import shipped_plan
from metrics.affinity import association, pair_counts
from metrics.next_category import Trained, trained
from metrics.scorecard_drivers import SUMS, drawn, sizes
from metrics.scorecard_drivers import measured as driven
from metrics.scorecard_targets import Facts, priced

CATEGORIES = 300
CUSTOMERS, FEW = 200_000, 30
END = date(2024, 12, 31)


def run(size: Size) -> Iterator[Result]:
    """Pairs of 300 categories, a model of 30, a scorecard of 8 drivers by 12 segments."""
    source = categorised(size)
    ours, theirs = in_turn(
        1 if size.quick else 3,
        ("benchmarks.crossbuying:pairs", source),
        ("benchmarks.crossbuying:self_join", source),
    )
    name = f"pairs of {CATEGORIES} categories in {size.lines:,} lines, with all measures"
    yield Result(name, ours.cpu_seconds, _at_most(size, 5.0), "CPU s", ours)
    yield _ratio(f"{name}, against DuckDB's self-join", size, ours, theirs)
    people = min(CUSTOMERS, size.customers)
    cost = measured("benchmarks.crossbuying:model", market(size))
    words = f"next category of {people:,} customers by {FEW} categories, fitted and judged"
    yield Result(words, cost.cpu_seconds, _at_most(size, 60.0), "CPU s", cost)
    yield Result(f"{words}, memory", cost.peak_mb, 4000, "MB", cost)
    yield Result("scorecard of 8 drivers by 12 segments", _scorecard(), _at_most(size, 200), "CPU ms")


def _at_most(size: Size, bound: float) -> float | None:
    return None if size.quick else bound


def _ratio(name: str, size: Size, cost: Cost, baseline: Cost) -> Result:
    value = cost.cpu_seconds / baseline.cpu_seconds
    return Result(name, value, _at_most(size, 1.0), "times the baseline", cost, baseline)


def categorised(size: Size) -> Path:
    """Order and category of every line, as the marts code them; generated on first use."""
    path = folder(size) / f"categories-{CATEGORIES}.parquet"
    if not path.exists():
        number = pl.col("product_id").str.slice(1).cast(pl.Int64) % CATEGORIES
        names = pl.Enum([f"Category {at:03d}" for at in range(CATEGORIES)])
        rows = pl.scan_parquet(parquet(size)).filter(~pl.col("is_return"))
        coded = rows.select(
            pl.col("order_id").str.slice(1).cast(pl.UInt32).alias("order"),
            pl.format("Category {}", number.cast(pl.String).str.zfill(3)).cast(names).alias("category"),
        )
        coded.collect().write_parquet(path)
    return path


def pairs(source: str) -> None:
    """Counts and measures of every pair."""
    assert len(association(*pair_counts(pl.scan_parquet(source), "order")))


def self_join(source: str) -> None:
    """The counts alone, in SQL."""
    duckdb.sql(
        f"""WITH held AS (SELECT DISTINCT "order", category FROM '{source}')
        SELECT a.category, b.category, count(*) FROM held a JOIN held b USING ("order")
        WHERE a.category < b.category GROUP BY ALL"""
    ).fetchall()


def market(size: Size, seed: int = 0) -> Path:
    """Baskets of customers who order at their own rate in two years, as `basket_rows` gives them."""
    people = min(CUSTOMERS, size.customers)
    path = folder(size) / f"market-{people}-{FEW}.parquet"
    if not path.exists():
        _market(people, seed).write_parquet(path)
    return path


def _market(people: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    orders = rng.poisson(rng.gamma(0.8, 6.0, people)) + 1
    customer = np.repeat(np.arange(people, dtype=np.uint32), orders)
    begun = rng.integers(0, 730, people)[customer]
    day = begun + (rng.random(len(customer)) * (730 - begun)).astype(np.int64)
    lines = rng.integers(1, 4, len(customer))
    order = np.repeat(np.arange(len(customer), dtype=np.uint32), lines)
    own = rng.integers(0, FEW, people)[customer[order]]
    category = np.where(rng.random(len(order)) < 0.5, own, rng.integers(0, FEW, len(order)))
    frame = pl.DataFrame(
        {
            "customer": customer[order],
            "order": order,
            "ordered_on": day[order],
            "category": pl.Series(category).cast(pl.String),
        }
    ).unique(["order", "category"])
    return frame.with_columns(
        ordered_on=pl.lit(END - timedelta(days=730)) + pl.duration(days=pl.col("ordered_on")),
        purchases=1,
        lines=1,
        quantity=1.0,
        gross_amount=pl.lit(100_000, pl.Int64),
        net_amount=pl.lit(100_000, pl.Int64),
        margin=pl.lit(40_000, pl.Int64),
    ).sort("customer", "order")


def model(source: str) -> None:
    """Three snapshots and two fits."""
    nobody = pl.DataFrame(schema={"customer": pl.UInt32, "occurred_on": pl.Date})
    assert isinstance(trained(pl.read_parquet(source), nobody, END), Trained)


def _scorecard() -> float:
    """Milliseconds of 8 drivers by 12 segments with Shapley shares, intervals and confidence."""
    rng = np.random.default_rng(0)
    scale = {"net_amount": 50.0, "margin": 20.0}
    sums = {name: rng.random(24_000) * scale.get(name, 1.0) for name in SUMS}
    rows = pl.DataFrame({"segment": [f"s{at % 12}" for at in range(24_000)], **sums}).with_columns(
        kept=pl.col("before") * pl.col("kept"),
        acquired=pl.col("prospects") * pl.col("acquired"),
        returned=pl.col("now") * pl.col("returned"),
    )
    cells = rows.with_columns(segment=pl.format("{} {}", "segment", pl.int_range(pl.len()) % 5))
    plan = shipped_plan()
    eight = plan.model_copy(
        update={
            "drivers": tuple(
                each.model_copy(update={"basis": "best_quartile"})
                for each in plan.drivers
                if each.driver not in ("satisfaction", "referral_rate")
            )
        }
    )
    found = driven(rows)
    earlier = found.with_columns(ends_on=pl.lit(None, pl.Date))
    facts = Facts(found, driven(cells), earlier, sizes(rows), drawn(rows))
    spent = []
    for _ in range(5):
        start = time.process_time()
        assert len(priced(eight, facts)) == 96
        spent.append(time.process_time() - start)
    return 1000 * sorted(spent)[2]
