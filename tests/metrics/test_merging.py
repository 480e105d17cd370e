"""Merged customers. Oracle: the same shop whose tables carry the final ids from the start."""

from datetime import date

import duckdb
import polars as pl
import pytest

from metrics.marts import build
from metrics.merging import merged, unified
from metrics.periods import Calendar

AS_OF = date(2024, 6, 20)

INTO = {"c0001": "c0002", "c0003": "c0001", "c0007": "c0007", "c0010": "c0011", "c0011": "c0010"}
FINAL = {"c0001": "c0002", "c0003": "c0002"}


@pytest.fixture(scope="module")
def tables(shop):
    into = pl.col("customer_id").replace_strict(INTO, default=None, return_dtype=pl.String)
    return {**shop, "customers": shop["customers"].with_columns(into.alias("merged_into"))}


def test_chains_are_followed_and_circles_stay(tables):
    assert merged(tables["customers"].lazy()) == FINAL


def test_without_the_column_nothing_changes(shop):
    lazy = {name: table.lazy() for name, table in shop.items()}
    assert unified(lazy) == lazy


def test_everything_of_a_merged_customer_counts_for_the_other(tables, shop, open_marts):
    final = pl.col("customer_id").replace(FINAL)
    replaced = {
        name: table.with_columns(final) if "customer_id" in table.columns else table
        for name, table in shop.items()
    }
    people = shop["customers"].filter(~pl.col("customer_id").is_in(list(FINAL)))
    expected = open_marts({**replaced, "customers": people})
    found = open_marts(tables)
    for mart in ("customer_summary", "orders", "customer_months", "answers", "contacts"):
        right = expected.frame(mart)
        left, right = (each.select(right.columns).sort(pl.all()) for each in (found.frame(mart), right))
        assert left.equals(right, null_equal=True), mart
    ids = found.frame("customer_summary")["customer_id"]
    assert not set(FINAL) & set(ids)
    assert {"c0007", "c0010", "c0011"} <= set(ids)


def test_lines_in_another_engine_give_the_same_marts(tables, open_marts):
    """Lines in DuckDB, one order of which two merged customers share. Oracle: the lines in Polars."""
    lines = tables["order_lines"]
    shared = lines.filter(pl.col("customer_id").is_in(["c0001", "c0002"]))
    order, day = shared.row(0, named=True)["order_id"], shared.row(0, named=True)["ordered_on"]
    both = pl.col("customer_id").is_in(["c0001", "c0002"])
    one = lines.with_columns(
        pl.when(both).then(pl.lit(order)).otherwise("order_id").alias("order_id"),
        pl.when(both).then(pl.lit(day)).otherwise("ordered_on").alias("ordered_on"),
    )
    expected = open_marts({**tables, "order_lines": one})
    with duckdb.connect() as connection:
        connection.register("lines", one)
        lazy = {name: table.lazy() for name, table in tables.items()}
        made = build({**lazy, "order_lines": connection.table("lines")}, Calendar(), AS_OF)
        for mart in ("customer_summary", "orders", "baskets", "customer_months"):
            right = expected.frame(mart).drop("order", strict=False)  # orders are numbered as they come
            left = made[mart].lazy().collect().select(right.columns)
            assert left.sort(pl.all()).equals(right.sort(pl.all()), null_equal=True), mart
