"""The cohort grid, the lapse thresholds and a change of definition at full size.

Timed within one process on opened marts, as the server keeps them. A change of definition finds what the
server made ready when it started: the lives added up, by the calendar and from each customer's own first day.
The grid from raw lines is held against reading the columns that it needs, and against one SQL statement of
DuckDB that does the same.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import duckdb as engine
import polars as pl

from benchmarks.lines import Size
from benchmarks.marts import store
from benchmarks.measure import Cost, Result, in_turn, ratio
from metrics.cohort_values import valued
from metrics.frames import Marts
from metrics.line_cohorts import line_cohorts
from metrics.marts import build
from metrics.periods import Calendar, Grain
from metrics.retention import Cohorts, cohort_table, mean_curve
from metrics.standings import standings
from metrics.tallies import kept_tally

CALENDAR = Calendar()
AS_OF = date(2024, 12, 31)
CHANNELS = ("app", "store", "web")
COLUMNS = ("customer_id", "ordered_on", "is_return")
DEFINITIONS = {
    "calendar": Cohorts(),
    "then or later": Cohorts(returns="on_or_after"),
    "of the one before": Cohorts(base="previous"),
    "own periods": Cohorts(window="rolling"),
    "brackets": Cohorts(brackets=((0, 0), (1, 3), (4, 6), (7, 12))),
}


def run(size: Size) -> Iterator[Result]:
    """From the marts, from lines, the thresholds, every change of definition."""
    yield from _from_marts(size)
    yield from _from_lines(size)


def opened(size: Size, place: Path) -> Marts:
    """Marts with the columns loaded and the lives added up that the server holds in memory."""
    first = Marts(written(size, place), CALENDAR, AS_OF)
    for cohorts in DEFINITIONS.values():
        grid(first, cohorts)
    standings(first)
    return first


def _from_marts(size: Size) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        yield from _changes(size, opened(size, Path(place)))


def _changes(size: Size, first: Marts) -> Iterator[Result]:
    def at_most(bound: float) -> float | None:
        return None if size.quick else bound

    cost = _typical(lambda: grid(anew(first), Cohorts()))
    words = f"cohort grid of {size.customers:,} customers with intervals, nothing kept"
    yield Result(words, cost.seconds * 1000, at_most(300), "ms", cost)
    for name, cohorts in DEFINITIONS.items():
        cost = _typical(partial(grid, first, cohorts))
        yield Result(f"change of definition to `{name}`", cost.seconds * 1000, at_most(300), "ms", cost)
    cost = timed(lambda: standings(anew(first)))
    yield Result(f"lapse thresholds of {size.customers:,} customers", cost.seconds, at_most(3), "s", cost)


def written(size: Size, place: Path) -> dict[str, pl.LazyFrame]:
    """The marts of the benchmark's lines and customers, on disk as in a store."""
    store(size, place / "lines.parquet")
    lines = pl.scan_parquet(place / "lines.parquet")
    ids = lines.select("customer_id").unique().sort("customer_id").collect()
    channel = (pl.int_range(pl.len()) % len(CHANNELS)).replace_strict(dict(enumerate(CHANNELS)))
    people = ids.with_columns(channel.alias("channel"))
    made = build({"order_lines": lines, "customers": people.lazy()}, CALENDAR, AS_OF)
    for name, mart in made.items():
        mart.lazy().sink_parquet(place / f"{name}.parquet", row_group_size=500_000)
    return {name: pl.scan_parquet(place / f"{name}.parquet") for name in made}


def anew(marts: Marts) -> Marts:
    """The same opened marts with nothing computed from them yet."""
    return Marts(marts.frames, marts.calendar, marts.as_of, opened=marts.opened)


def timed(work: Callable[[], object]) -> Cost:
    """The cost of a piece of work, once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0)


def _typical(work: Callable[[], object]) -> Cost:
    """The middle one of five costs."""
    return sorted((timed(work) for _ in range(5)), key=lambda cost: cost.seconds)[2]


def grid(marts: Marts, cohorts: Cohorts) -> None:
    """What the page asks for when a definition is chosen."""
    tallied = kept_tally(marts, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)
    table = valued(cohort_table(tallied, cohorts, CALENDAR, marts.as_of))
    if not len(mean_curve(table)):
        fault = "the grid is empty"
        raise SystemExit(fault)


def _from_lines(size: Size) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        stored = Path(place) / "lines.parquet"
        store(size, stored)
        works = [(f"benchmarks.retention:{name}", stored) for name in ("ours", "scan", "duckdb")]
        cost, scanned, other = in_turn(1 if size.quick else 3, *works)
    words = f"cohort grid from {size.lines:,} lines"
    yield ratio(f"{words}, against reading their columns", None if size.quick else 3.0, cost, scanned)
    yield ratio(f"{words}, against DuckDB", None if size.quick else 1.0, cost, other)


def ours(source: str) -> None:
    """The counts of the grid from the lines."""
    line_cohorts(pl.scan_parquet(source).select(COLUMNS), CALENDAR, date(2026, 1, 1), Grain.MONTH)


def scan(source: str) -> None:
    """The columns that the grid needs."""
    pl.read_parquet(source, columns=list(COLUMNS))


def duckdb(source: str) -> None:
    """One statement over the file."""
    statement = f"""
        WITH visits AS (
            SELECT DISTINCT customer_id, year(ordered_on) * 12 + month(ordered_on) - 1 AS m
            FROM '{source}' WHERE NOT is_return
        ), firsts AS (SELECT customer_id, min(m) AS cohort FROM visits GROUP BY 1)
        SELECT cohort, m - cohort AS age, count(*) AS active
        FROM visits JOIN firsts USING (customer_id) GROUP BY ALL ORDER BY ALL
    """
    if relation := engine.sql(statement):
        relation.to_arrow_table()
