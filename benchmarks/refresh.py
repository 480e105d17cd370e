"""A whole refresh against the least that must be done: read, sort by customer, write.

From Parquet within three times scan + sort + sink of the same file and under 3 GB; from CSV within twice
read as text + cast + sort + sink.
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.lines import COLUMNS, Size, csv, parquet
from benchmarks.measure import Result, in_turn, ratio
from config.model import Project
from connectors.refresh import refresh as refreshed
from connectors.sources import Sources
from connectors.store import Store
from metrics.marts import build
from metrics.periods import Calendar

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOST_MB = 3 * 1024


def run(size: Size) -> Iterator[Result]:
    """Both refreshes, each beside its baseline."""
    rounds = 1 if size.quick else 2
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        works = {
            "Parquet": (parquet(size), "scan_sort_sink", 3.0),
            "CSV": (csv(size), "text_cast_sort_sink", 2.0),
        }
        for kind, (source, baseline, bound) in works.items():
            ours = ("benchmarks.refresh:refresh", source, place)
            theirs = (f"benchmarks.refresh:{baseline}", source, f"{place}/sorted.parquet")
            cost, base = in_turn(rounds, ours, theirs)
            name = f"refresh {size.lines:,} lines from {kind}"
            yield ratio(name, None if size.quick else bound, cost, base)
            yield Result(f"{name}, peak memory", cost.peak_mb, MOST_MB, "MB", cost)


def refresh(source: str, place: str) -> None:
    """The product's own refresh of a project with this one source."""
    folder = Path(place) / "project"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    kind = "csv" if source.endswith(".csv") else "parquet"
    lines = {"name": "lines", "table": "order_lines", "kind": kind, "location": source}
    sources = Sources.model_validate({"sources": [lines | {"columns": {name: name for name in COLUMNS}}]})
    version = refreshed(
        folder,
        Project(name="Benchmark", currency="EUR"),
        sources,
        Store(folder / "store"),
        lambda tables, as_of: build(tables, Calendar(), as_of),
        now=NOW,
    )
    (report,) = version.manifest.sources
    if report.accepted != report.rows_read:
        fault = f"{report.rows_read - report.accepted:,} lines were not accepted: {report.quarantined}"
        raise RuntimeError(fault)


def scan_sort_sink(source: str, target: str) -> None:
    """The least that a refresh from Parquet must do."""
    pl.scan_parquet(source).sort("customer_id").sink_parquet(target)


def text_cast_sort_sink(source: str, target: str) -> None:
    """The least that a refresh from CSV must do."""
    money = pl.Decimal(18, 4)
    pl.scan_csv(source, infer_schema=False).with_columns(
        pl.col("ordered_at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC"),
        pl.col("quantity").cast(pl.Float64),
        pl.col("net_amount", "cost", "discount").cast(money),
        pl.col("is_return").replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean),
    ).sort("customer_id").sink_parquet(target)
