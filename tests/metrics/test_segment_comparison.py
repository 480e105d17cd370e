"""Segments side by side, their overlap, and migration. Oracles: each segment selected alone; SQL; sums."""

from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import polars as pl
import pytest

from metrics.fact_families import customer_facts
from metrics.figures import compute
from metrics.periods import Grain, Window
from metrics.segment_comparison import differences
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


def assert_equal(found, expected, name):
    """Equal figures; sums of floats may be added up in another order."""
    for column in expected.columns:
        left, right = found[column], expected[column]
        if left.dtype == pl.Float64:
            left, right = (each.fill_null(np.nan).to_numpy() for each in (left, right))
            differ = ~np.isclose(left, right, rtol=1e-9, equal_nan=True)
            assert not differ.any(), (
                name,
                column,
                expected.filter(pl.Series(differ)),
                found.filter(pl.Series(differ)),
            )
        else:
            assert left.equals(right, null_equal=True), (name, column)


@pytest.mark.parametrize("within", [{}, {"channel": ("web", "app")}], ids=["everybody", "some"])
@pytest.mark.parametrize("window", [Window(), Window(Grain.QUARTER, 2024 * 4, 3)], ids=["ever", "quarters"])
def test_many_at_once_equal_each_alone(marts, book, shipped, window, within):
    """Every shipped metric by segment. Oracle: each segment selected by itself."""
    whole = with_segments(marts, book)
    names = sorted(shipped.plans)
    found = compute(shipped, names, whole.select(Selection(within)), window, by=SEGMENT)
    for name in book.rules:
        alone = whole.select(Selection({**within, SEGMENT: (name,)}))
        expected = compute(shipped, names, alone, window)
        assert_equal(found.filter(pl.col("by") == name), expected, name)


def test_more_groups_than_a_number_has_bits(marts, shipped):
    """Customers 0 to 10 alone, then 0 to 20, and so on: 130 groups. Oracle: each selected by its mask."""
    numbers = marts.frame("customer_summary")["customer"]
    members = {f"g{count:03d}": numbers < count for count in range(130)}
    found = compute(shipped, ["net_revenue", "customers"], marts.beside(members), Window(), by=SEGMENT)
    for name in ("g000", "g059", "g060", "g061", "g129"):
        alone = replace(marts, mask=members[name], selection=Selection({"of": (name,)}))
        expected = compute(shipped, ["net_revenue", "customers"], alone, Window())
        assert_equal(found.filter(pl.col("by") == name), expected, name)


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
