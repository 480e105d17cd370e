"""Recurring revenue: published ratios, contracts by hand, SQL, and the identity of the movements."""

from datetime import date
from decimal import Decimal

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.recurring import impossible, movements, mrr_on, renewal_months, renewals, revenue_kept

SCHEMA = {
    "customer": pl.UInt32,
    "subscription_id": pl.String,
    "plan": pl.String,
    "started_on": pl.Date,
    "ended_on": pl.Date,
    "amount": pl.Decimal(18, 4),
    "billing_period": pl.String,
}
JANUARY, FEBRUARY, MARCH = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)


def contracts(*rows):
    """Rows of (customer, first day, day after the last, amount[, period])."""
    full = [
        (who, f"s{at}", "box", start, end, Decimal(str(amount)), period[0] if period else "month")
        for at, (who, start, end, amount, *period) in enumerate(rows)
    ]
    return pl.LazyFrame(full, schema=SCHEMA, orient="row")


def test_published_ratios():
    """27k + 8k - 5k keeps 111.1 %; 200k + 20k - 4k - 6k keeps 105 %, 95 % gross."""
    assert revenue_kept(27_000, 8_000, 0, 5_000)[1] == pytest.approx(1.1111111)
    assert revenue_kept(200_000, 20_000, 4_000, 6_000) == (0.95, 1.05)
    assert revenue_kept(0, 1, 0, 0) is None


def test_published_customer_retention():
    """100 customers at the start, 105 at the end of whom 20 are new: (105 - 20) / 100 = .85 (phpOMS)."""
    stay = [(who, JANUARY, None, 1) for who in range(85)]
    leave = [(who, JANUARY, FEBRUARY, 1) for who in range(85, 100)]
    join = [(who, FEBRUARY, None, 1) for who in range(100, 120)]
    row = movements(contracts(*stay, *leave, *join), [JANUARY, MARCH]).row(0, named=True)
    assert (row["start_n"], row["new_n"], row["end_n"]) == (100, 20, 105)
    assert 1 - row["logo_churn"] == pytest.approx(0.85)


def test_each_movement_by_hand():
    day = date(2025, 6, 1)
    table = contracts(
        (1, day, None, 10),  # stays
        (2, day, date(2026, 2, 10), 10),
        (2, date(2026, 2, 10), None, 15),  # grows by 5
        (3, day, date(2026, 2, 10), 20),
        (3, date(2026, 2, 10), None, 12),  # shrinks by 8
        (4, day, date(2026, 2, 10), 30),  # leaves
        (5, date(2026, 2, 10), None, 40),  # new
        (6, day, date(2025, 9, 1), 7),
        (6, date(2026, 2, 10), None, 9),  # comes back
    )
    row = movements(table, [JANUARY, FEBRUARY]).row(0, named=True)
    assert [
        row[name] for name in ("start", "new", "reactivation", "expansion", "contraction", "churn", "end")
    ] == [Decimal(amount) for amount in (70, 40, 9, 5, 8, 30, 86)]
    assert [
        row[f"{name}_n"] for name in ("start", "new", "reactivation", "expansion", "contraction", "churn")
    ] == [*(4, 1, 1, 1, 1, 1)]
    assert (row["grr"], row["nrr"]) == pytest.approx(((70 - 8 - 30) / 70, (70 + 5 - 8 - 30) / 70))
    assert row["logo_churn"] == 0.25
    assert row["logo_churn_lower"] < 0.25 < row["logo_churn_upper"]


def test_periods_on_a_month():
    rows = [
        (at, JANUARY, None, 120, period) for at, period in enumerate(("month", "quarter", "year", "week"))
    ]
    found = dict(mrr_on(contracts(*rows), FEBRUARY).collect().rows())
    assert [found[at] for at in range(4)] == [
        Decimal(120),
        Decimal(40),
        Decimal(10),
        Decimal("521.7857"),  # 120 x 365.25 / 7 / 12
    ]


def test_a_contract_that_ends_before_it_starts_is_counted_and_left_out():
    table = contracts((1, FEBRUARY, JANUARY, 10), (2, JANUARY, JANUARY, 10), (3, JANUARY, None, 10))
    assert impossible(table) == 2
    assert mrr_on(table, FEBRUARY).collect()["customer"].to_list() == [3]


def test_overlapping_contracts_add_up():
    table = contracts((1, JANUARY, None, 10), (1, JANUARY, None, 5))
    assert mrr_on(table, JANUARY).collect()["mrr"].to_list() == [Decimal(15)]


def test_nothing_at_the_start_has_no_rate():
    row = movements(contracts((1, FEBRUARY, None, 10)), [JANUARY, FEBRUARY]).row(0, named=True)
    assert (row["grr"], row["nrr"], row["logo_churn"]) == (None, None, None)
    assert movements(contracts(), [JANUARY]).is_empty()


days = st.dates(date(2025, 1, 1), date(2026, 6, 30))
contract = st.tuples(
    st.integers(0, 5),
    days,
    st.none() | days,
    st.decimals(0, 500, places=2),
    st.sampled_from(["month", "quarter", "year", "week"]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(contract, max_size=25), st.lists(days, min_size=2, max_size=5, unique=True))
def test_movements_reconcile_and_retention_is_ordered(rows, cuts):
    table = movements(contracts(*rows), sorted(cuts))
    for row in table.to_dicts():
        gains = row["new"] + row["reactivation"] + row["expansion"]
        assert row["start"] + gains - row["contraction"] - row["churn"] == row["end"]
        assert row["start_n"] + row["new_n"] + row["reactivation_n"] - row["churn_n"] == row["end_n"]
        if row["grr"] is not None:
            assert row["grr"] <= min(1, row["nrr"])


def test_mrr_equals_sql():
    random = np.random.default_rng(2)
    starts = [date(2025, 1 + int(m), 1 + int(d)) for m, d in random.integers(0, 12, (200, 2))]
    rows = [
        (int(who), start, None if stay else date(2026, 1, 1 + int(end)), int(amount))
        for who, start, stay, end, amount in zip(
            random.integers(0, 60, 200),
            starts,
            random.random(200) < 0.5,
            random.integers(0, 28, 200),
            random.integers(5, 50, 200),
            strict=True,
        )
    ]
    frame = contracts(*rows).collect()
    sql = """select customer, sum(amount) from frame
             where started_on <= date '2026-01-15' and (ended_on is null or ended_on > date '2026-01-15')
             group by 1 order by 1"""
    assert mrr_on(frame.lazy(), date(2026, 1, 15)).sort("customer").collect().rows() == (
        duckdb.sql(sql).fetchall() if len(frame) else []
    )


def test_renewals_ahead():
    table = contracts(
        (1, JANUARY, MARCH, 10),  # due
        (2, JANUARY, MARCH, 10),
        (2, MARCH, None, 10),  # renewed already
        (3, JANUARY, date(2026, 12, 1), 10),  # later
    )
    assert renewals(table, FEBRUARY, MARCH)["customer"].to_list() == [1]


def test_contracts_without_an_end_renew_on_their_anniversary():
    """A year from 15 March, a quarter from 1 December one from the last of a month; a month never."""
    rows = contracts(
        (1, date(2023, 3, 15), None, 120, "year"),
        (2, date(2025, 12, 1), None, 30, "quarter"),
        (3, date(2025, 11, 30), None, 30, "quarter"),
        (4, date(2025, 11, 30), None, 30),
    )
    found = renewals(rows, date(2026, 2, 28), date(2026, 12, 31))
    assert found.select("customer", "due_on", "what").rows() == [
        (2, date(2026, 3, 1), "renews"),
        (1, date(2026, 3, 15), "renews"),
        (3, date(2026, 5, 30), "renews"),
    ]
    assert renewal_months(found)["contracts"].to_list() == [2, 1]
