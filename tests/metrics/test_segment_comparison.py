"""Segments side by side, their overlap, and migration. Oracles: each segment selected alone; SQL; sums."""

from datetime import date

import duckdb
import numpy as np
import polars as pl
import pytest

from metrics.fact_families import customer_facts
from metrics.figures import compute
from metrics.periods import Grain, Window
from metrics.segment_comparison import differences, figures_of_groups, parted
from metrics.segment_definitions import Segment
from metrics.segment_moves import NONE, movers, moves, overlaps
from metrics.segments import SegmentBook, compiled_rule, with_segments
from metrics.selection import SEGMENT, Selection

RULES = {
    "often": "orders >= 6",
    "east": "region = 'East'",
    "vip": "vip AND recency_days < 200",
    "none": "orders < 0",
}
METRICS = (
    *("net_revenue", "active_customers", "average_order_value", "retention_rate", "repeat_purchase_rate"),
    *("nps", "complaints_per_1000_orders", "orders_per_customer", "gross_margin_rate", "churned_customers"),
)


@pytest.fixture(scope="module")
def marts(shop, open_marts):
    return open_marts(shop)


@pytest.fixture(scope="module")
def book(marts):
    facts = customer_facts(marts)
    rules = {
        f"s_{name}": compiled_rule(Segment(name=f"s_{name}", label=name, where=where), facts, ())
        for name, where in RULES.items()
    }
    return SegmentBook(facts, rules)


@pytest.mark.parametrize("window", [Window(), Window(Grain.QUARTER, 2024 * 4)])
def test_many_at_once_equal_each_alone(marts, book, shipped, window):
    members = {name: book.members(name) for name in book.rules}
    found = figures_of_groups(shipped, METRICS, parted(marts, members), window)
    alone = with_segments(marts, book)
    for name in book.rules:
        expected = compute(shipped, METRICS, alone.select(Selection({SEGMENT: (name,)})), window)
        ours = found.filter(pl.col("by") == name).select(expected.columns)
        for column in expected.columns:
            left, right = ours[column], expected[column]
            if left.dtype == pl.Float64:
                left, right = (each.fill_null(np.nan).to_numpy() for each in (left, right))
                assert np.allclose(left, right, rtol=1e-9, equal_nan=True), (name, column)
            else:
                assert left.equals(right, null_equal=True), (name, column)


def test_within_some_customers_only(marts, book, shipped):
    east = book.members("s_east")
    found = parted(marts, {"often": book.members("s_often")}, within=east)
    expected = book.members("s_often") & east
    assert found["often"].mask.equals(expected.rename(found["often"].mask.name))


def test_a_difference_by_mover():
    """Oracle: the worked example of Newcombe (1998), method 10: 56/70 against 48/80."""
    rows = [("x", 56 / 70, 0.6911, 0.8773, 70), ("x", 48 / 80, 0.4904, 0.7003, 80)]
    frames = [
        pl.DataFrame([row], schema=["metric", "value", "lower", "upper", "n"], orient="row") for row in rows
    ]
    row = differences(*frames).row(0, named=True)
    assert row["difference"] == pytest.approx(0.2)
    assert (row["lower"], row["upper"]) == (pytest.approx(0.0524, abs=1e-3), pytest.approx(0.3339, abs=1e-3))


def test_a_full_count_has_no_interval():
    frame = pl.DataFrame({"metric": ["x"], "value": [3.0], "lower": [None], "upper": [None], "n": [3]})
    row = differences(frame, frame.with_columns(value=1.0)).row(0, named=True)
    assert (row["difference"], row["lower"], row["upper"]) == (2.0, None, None)


def test_overlaps_count_everybody_once(book):
    members = {name: book.members(name) for name in book.rules}
    found = overlaps(members)
    flags = pl.DataFrame([each.alias(name) for name, each in members.items()])
    assert found["customers"].sum() == flags.select(pl.any_horizontal(pl.all())).to_series().sum()
    for name, each in members.items():
        assert found.filter(pl.col(name))["customers"].sum() == each.sum()
    expected = duckdb.sql(
        "SELECT s_often, s_east, s_vip, s_none, count(*) AS customers FROM flags "
        "WHERE s_often OR s_east OR s_vip OR s_none GROUP BY ALL"
    ).fetchall()
    assert sorted(found.rows()) == sorted(expected)


@pytest.mark.parametrize("fact", ["lifecycle", "value_tier"])
def test_a_migration_sums_to_the_customers_of_both_dates(marts, book, fact):
    day = date(2023, 12, 31)
    before = book.on(day).facts.frame([fact]).to_series()
    after = book.facts.frame([fact]).to_series()
    found = moves(before, after)
    people = len(marts.frame("customer_summary"))
    assert found["customers"].sum() == people
    for side, series in (("before", before), ("after", after)):
        sums = dict(found.group_by(side).agg(pl.col("customers").sum()).iter_rows())
        counts = series.cast(pl.String).fill_null(NONE).value_counts()
        assert sums == dict(counts.iter_rows())
    for origin, to, n in found.iter_rows():
        assert len(movers(before, after, origin, to)) == n
