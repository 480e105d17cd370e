"""Lifecycle: the balance of flows, rhythms against Kaplan-Meier, seasonal shoppers, the back-test."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.lapse import false_lapses, gaps, lapse_days, repurchase_curve
from metrics.lifecycle import flows, transitions
from metrics.panels import with_neighbours
from metrics.seasons import seasonal
from metrics.survival import life_table, survival_at

START = date(2024, 1, 1)


def orders(*rows):
    """Rows of (customer, day)."""
    frame = pl.LazyFrame(rows, schema={"customer": pl.UInt32, "ordered_on": pl.Date}, orient="row")
    return frame.with_columns(orders=pl.lit(1, pl.Int32))


def panel(rows):
    """A customer x period panel of (customer, period) pairs with one order each."""
    frame = pl.LazyFrame(sorted(set(rows)), schema={"customer": pl.UInt32, "period": pl.Int32}, orient="row")
    first = (pl.col("period") == pl.col("period").min().over("customer")).cast(pl.Int32)
    full = frame.with_columns(
        orders=pl.lit(1, pl.Int32), first_orders=first, net_amount=pl.lit(1).cast(pl.Decimal(18, 4))
    )
    return with_neighbours(full.sort("customer", "period")).sort("period", maintain_order=True)


visits = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(visits)
def test_flows_balance_and_equal_sets(rows):
    table = flows(panel(rows), range(0, 10))
    seen, before = set(), set()
    for row in table.to_dicts():
        now = {customer for customer, period in rows if period == row["period"]}
        assert row["active"] == len(now)
        assert row["new"] == len(now - seen)
        assert row["retained"] == len(now & before)
        assert row["reactivated"] == len((now & seen) - before)
        assert row["churned"] == len(before - now)
        assert row["active"] == len(before) + row["new"] + row["reactivated"] - row["churned"]
        seen |= now
        before = now


def test_quick_ratio_is_unknown_when_nobody_leaves():
    table = flows(panel([(1, 0), (1, 1), (2, 1), (1, 2)]), [1, 2])
    assert table["quick_ratio"].to_list() == [None, 0.0]


@settings(deadline=None, max_examples=40)
@given(visits)
def test_transitions_add_up_to_everybody_ever_seen(rows):
    table = transitions(panel(rows), 5)
    ever = {customer for customer, period in rows if period <= 5}
    born = {customer for customer, period in rows if period <= 4}
    assert table["customers"].sum() == len(ever)
    assert table.filter(pl.col("before") != "unborn")["customers"].sum() == len(born)
    assert set(table.filter(pl.col("before") == "unborn")["now"]) <= {"new"}


def test_gaps_of_two_customers():
    days = [START, START, START + timedelta(days=10), START + timedelta(days=40)]
    table = gaps(orders(*((1, day) for day in days), (2, START)), START + timedelta(days=50))
    assert table.rows() == [(1, 10, True), (1, 30, True), (1, 10, False), (2, 50, False)]


def random_orders(seed=9, customers=60):
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        day = START
        for gap in random.exponential(25, random.integers(1, 14)):
            day += timedelta(days=int(gap) + 1)
            rows.append((customer, day))
    return orders(*rows), START + timedelta(days=420)


def test_own_rhythm_equals_kaplan_meier_customer_by_customer():
    table, as_of = random_orders()
    every = gaps(table, as_of).rename({"gap": "duration"})
    for row in lapse_days(table, as_of).filter(pl.col("gaps") > 0).to_dicts():
        curve = life_table(every.filter(pl.col("customer") == row["customer"]))
        reached = curve.filter((pl.col("survival") <= 0.1 + 1e-9) & (pl.col("events") > 0))["duration"]
        longest = curve.filter(pl.col("events") > 0)["duration"].max()
        assert row["own_days"] == (reached[0] if len(reached) else longest)


@pytest.mark.parametrize("gap", [*range(1, 200, 7), 67])
def test_of_equal_rhythms_the_mean_is_that_rhythm(gap):
    """Silent for just as long as always: not lapsed, whatever the last digit of a float."""
    days = [START + timedelta(days=gap * at) for at in range(9)]
    table = lapse_days(orders(*((1, day) for day in days)), days[-1] + timedelta(days=gap))
    assert table.select("lapse_days", "lapsed").row(0) == (float(gap), False)


def test_a_steady_customer_lapses_early_and_a_rare_one_late():
    """Weekly against half-yearly, both silent for 60 days; the one-time buyer has the segment's rhythm."""
    as_of = date(2026, 1, 1)
    last = as_of - timedelta(days=60)
    weekly = [(1, last - timedelta(days=7 * at)) for at in range(30)]
    rare = [(2, last - timedelta(days=182 * at)) for at in range(6)]
    table = lapse_days(orders(*weekly, *rare, (3, last)), as_of)
    assert table["lapsed"].to_list()[:2] == [True, False]
    once = table.row(2, named=True)
    assert (once["gaps"], once["own_days"], once["lapse_days"]) == (0, None, once["segment_days"])


def test_a_rhythm_is_drawn_towards_that_of_the_segment_by_its_gaps():
    """Every ten days, and one gap of 80 days of somebody else, which is the segment's nine in ten.

    Three gaps of one's own weigh 3 / (3 + 5) on the scale of logarithms; two are too few to count at all.
    """
    steady = [(1, START + timedelta(days=10 * at)) for at in range(4)]
    fewer = [(2, START + timedelta(days=10 * at)) for at in range(3)]
    other = [(3, START), (3, START + timedelta(days=80))]
    as_of = START + timedelta(days=100)
    segments = pl.DataFrame({"customer": [1, 2, 3], "segment": ["a", "a", "a"]}).cast({"customer": pl.UInt32})
    table = lapse_days(orders(*steady, *fewer, *other), as_of, quantile=0.9, segment=segments)
    assert table["segment_days"].to_list() == [80, 80, 80]
    assert table["own_days"][0] == 10
    assert table["lapse_days"].to_list() == pytest.approx([10 ** (3 / 8) * 80 ** (5 / 8), 80, 80])


def test_nobody_has_a_rhythm_without_gaps():
    table = lapse_days(orders((1, START)), START + timedelta(days=900))
    assert table["lapse_days"].to_list() == [None]
    assert table["lapsed"].to_list() == [None]


def test_back_test_counts_those_who_came_back():
    """Weekly until day 200; one is silent for 90 days and returns, one for good, one goes on."""
    weeks = range(0, 203, 7)
    steady = [(1, START + timedelta(days=day)) for day in range(0, 400, 7)]
    gone = [(2, START + timedelta(days=day)) for day in weeks]
    returned = [(3, START + timedelta(days=day)) for day in weeks] + [(3, START + timedelta(days=330))]
    row = false_lapses(orders(*steady, *gone, *returned), START + timedelta(days=380), horizons=(90,))
    assert row.select("customers", "lapsed", "came_back", "false_lapse_rate", "missed").row(0) == (
        3,
        2,
        1,
        0.5,
        0,
    )


def test_december_shopper():
    """12 December 2021, 2022, 2023: on 30 June 2024 the clock runs until January 2025."""
    shopper = [(1, date(year, 12, 12)) for year in (2021, 2022, 2023)]
    other = [(2, date(2022, month, 5)) for month in range(1, 13)]
    table = seasonal(orders(*shopper, *other), date(2024, 6, 30))
    assert table.select("customer", "season", "years", "share", "clock_until").rows() == [
        (1, 12, 3, 1.0, date(2025, 1, 31))
    ]


def test_a_season_over_new_year_is_one_season():
    shopper = [(1, date(2021, 12, 28)), (1, date(2022, 12, 20)), (1, date(2024, 1, 3))]
    row = seasonal(orders(*shopper), date(2024, 6, 30)).row(0, named=True)
    assert (row["season"], row["years"], row["clock_until"]) == (12, 3, date(2025, 1, 31))


def test_short_history_calls_nobody_seasonal():
    shopper = [(1, date(2022, 12, 12)), (1, date(2023, 12, 12))]
    assert seasonal(orders(*shopper), date(2024, 6, 30)).is_empty()
    assert seasonal(orders(), date(2024, 6, 30)).is_empty()


def test_time_to_the_second_order():
    table = orders((1, START), (1, START + timedelta(days=10)), (2, START), (3, START + timedelta(days=45)))
    curve = repurchase_curve(table, START + timedelta(days=50))
    assert survival_at(curve, 9) == 1
    assert survival_at(curve, 10) == pytest.approx(0.5)
