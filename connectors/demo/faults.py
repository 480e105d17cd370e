"""Wrong rows for the demonstration's CSV files, as exports have them: at the end, made from good rows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from connectors.demo.files import write_csv
from connectors.demo.world import World

_FIRST = 9_000_001
"""Number of the first document that exists in no other row."""


def add(data: Path, world: World) -> None:
    """Append wrong rows to the last year's orders, the customers and the answers; not to Parquet."""
    faults = world.truths.faults
    for path in sorted(data.glob("orders-*.csv"))[-1:]:
        _append(path, _orders, dict(faults.orders))
    _append(data / "customers.csv", _customers, dict(faults.customers))
    _append(data / "survey.csv", _answers, dict(faults.answers))


def _append(
    path: Path, wrong: Callable[[pl.DataFrame, dict[str, int]], pl.DataFrame], counts: dict[str, int]
) -> None:
    good = pl.read_csv(path, infer_schema=False, n_rows=1_000)
    write_csv(wrong(good, counts).select(good.columns), path, append=True)


def _slices(good: pl.DataFrame, counts: dict[str, int]) -> Iterator[pl.DataFrame]:
    """For every count as many rows, no row twice."""
    start = 0
    for count in counts.values():
        yield good[start : start + count]
        start += count


def _orders(lines: pl.DataFrame, counts: dict[str, int]) -> pl.DataFrame:
    """Lines of a test customer, of 30 February, without number or amount; copies; orphan returns."""
    good = lines.filter(pl.col("customer_no").is_not_null(), pl.col("status").is_in(["sold", "delivered"]))
    test, february, unnumbered, unpriced, twice, orphans = _slices(good, counts)
    return pl.concat([
        _numbered(test, "A", 0).with_columns(customer_no=pl.lit("TEST")),
        _numbered(february, "A", 100).with_columns(order_time=pl.lit("2026-02-30 11:20")),
        unnumbered.with_columns(order_no=pl.lit(None, pl.String)),
        _numbered(unpriced, "A", 200).with_columns(paid=pl.lit("n/a")),
        twice,
        _numbered(orphans, "R", 300).with_columns(
            pl.format("-{}", "quantity").alias("quantity"),
            pl.format("-{}", "paid").alias("paid"),
            pl.format("-{}", "paid").alias("list_amount"),
            pl.format("-{}", "cost").alias("cost"),
            status=pl.lit("returned"),
            returns_order=pl.lit("A0000000"),
        ),
    ])  # fmt: skip


def _numbered(rows: pl.DataFrame, letter: str, offset: int) -> pl.DataFrame:
    numbers = pl.int_range(pl.len()) + _FIRST + offset
    return rows.with_columns(order_no=pl.format(letter + "{}", numbers))


def _customers(good: pl.DataFrame, counts: dict[str, int]) -> pl.DataFrame:
    """Copies, customers without a number, and one who registered in a thirteenth month."""
    twice, unnumbered, undated = _slices(good, counts)
    return pl.concat([
        twice,
        unnumbered.with_columns(customer_no=pl.lit(None, pl.String)),
        undated.with_columns(
            customer_no=pl.format("C{}", pl.int_range(pl.len()) + _FIRST), registered_on=pl.lit("2025-13-05")
        ),
    ])  # fmt: skip


def _answers(good: pl.DataFrame, counts: dict[str, int]) -> pl.DataFrame:
    """Answers of one who writes that he will not answer."""
    [refused] = _slices(good, counts)
    return refused.with_columns(
        response=pl.lit("2026Q3-9000001"),
        item=pl.format("{}-{}", "item", pl.int_range(pl.len())),
        score=pl.lit("refused"),
    )
