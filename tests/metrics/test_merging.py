"""Merged customers. Oracle: the same shop whose tables carry the final ids from the start."""

import polars as pl
import pytest

from metrics.merging import merged, unified

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
