"""The customer summary and the customer x month panel against DuckDB and pandas doing the same work.

All three read the same stored lines, sorted by customer, and give one row a customer (orders, order days,
lines, units, gross, returned, net, cost, first and last day) and one a customer and month (the same sums).
"""

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb as engine
import pandas as pd
import polars as pl

from benchmarks.lines import Size, parquet
from benchmarks.measure import Result, in_turn, ratio
from metrics.marts import build
from metrics.periods import Calendar

_SUMS = """
    count(DISTINCT order_id) FILTER (NOT is_return) AS orders,
    count(DISTINCT ordered_on) FILTER (NOT is_return) AS order_days,
    count(*) AS lines,
    sum(quantity) AS quantity,
    sum(net_amount) FILTER (NOT is_return) AS gross_amount,
    sum(net_amount) FILTER (is_return) AS returned_amount,
    sum(net_amount) AS net_amount,
    sum(cost) AS cost,
    sum(discount) FILTER (NOT is_return) AS discount
"""


def run(size: Size) -> Iterator[Result]:
    """Ours beside each of the others."""
    rounds = 1 if size.quick else 2
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        stored = Path(place) / "lines.parquet"
        store(size, stored)
        works = [(f"benchmarks.marts:{name}", stored) for name in ("ours", "duckdb", "pandas")]
        cost, *others = in_turn(rounds, *works)
        for name, other in zip(("DuckDB", "pandas"), others, strict=True):
            words = f"customer summary and months of {size.lines:,} lines, against {name}"
            yield ratio(words, None if size.quick else 1.0, cost, other)


def store(size: Size, target: Path) -> None:
    """The lines as the store keeps them."""
    day = pl.col("ordered_at").dt.date().alias("ordered_on")
    lines = pl.scan_parquet(parquet(size)).with_columns(day).sort("customer_id", "order_id", "line_id")
    lines.sink_parquet(target, row_group_size=250_000)


def ours(source: str) -> None:
    """The marts of the product, as far as these two need them."""
    marts = build({"order_lines": pl.scan_parquet(source)}, Calendar(), date(2026, 1, 1))
    pl.collect_all([marts["customer_summary"].lazy(), marts["customer_months"].lazy()])


def duckdb(source: str) -> None:
    """Two statements over the file."""
    bought = "FILTER (NOT is_return)"
    days = f"min(ordered_on) {bought} AS first_on, max(ordered_on) {bought} AS last_on"
    month = "year(ordered_on) * 12 + month(ordered_on) - 1 AS month"
    for grain, keys in ((days, "1"), (month, "1, 2")):
        statement = f"SELECT customer_id, {grain}, {_SUMS} FROM '{source}' GROUP BY {keys}"
        if relation := engine.sql(statement):
            relation.to_arrow_table()


def pandas(source: str) -> None:
    """The same with data frames: money as floats, distinct orders and days by dropping duplicates."""
    numbers = ["quantity", "net_amount", "cost", "discount"]
    rows = pd.read_parquet(source, columns=["customer_id", "order_id", "ordered_on", "is_return", *numbers])
    rows[numbers] = rows[numbers].astype("float64")
    rows["customer_id"] = rows["customer_id"].astype("category")
    rows["ordered_on"] = pd.to_datetime(rows["ordered_on"])
    rows["month"] = rows["ordered_on"].dt.year * 12 + rows["ordered_on"].dt.month - 1
    bought = ~rows["is_return"]
    rows["gross_amount"] = rows["net_amount"].where(bought, 0)
    rows["returned_amount"] = rows["net_amount"].where(~bought, 0)
    rows["discount"] = rows["discount"].where(bought, 0)
    for keys in (["customer_id"], ["customer_id", "month"]):
        _grouped(rows, rows[bought], keys)


def _grouped(rows: pd.DataFrame, bought: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    sums = ["quantity", "gross_amount", "returned_amount", "net_amount", "cost", "discount"]
    grouped = rows.groupby(keys, observed=True, sort=False)
    found = grouped[sums].sum().join(grouped.size().rename("lines"))
    for name, column in (("orders", "order_id"), ("order_days", "ordered_on")):
        distinct = bought[[*keys, column]].drop_duplicates()
        found = found.join(distinct.groupby(keys, observed=True, sort=False).size().rename(name))
    return found.join(bought.groupby(keys, observed=True, sort=False)["ordered_on"].agg(["min", "max"]))
