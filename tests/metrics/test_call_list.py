"""Whom to call: hand-worked customers, and what must hold for any budget."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.call_list import REASONS, call_list

TODAY = date(2026, 6, 30)
ROWS = [
    # in the order of COLUMNS
    (0, 900, 365, "due", 40, 60, None, 0, 0, 3, 9, 0.0),
    (1, 800, 365, "lost", 100, 60, None, 0, 0, 3, 9, 0.0),
    (2, 9000, 365, "lost", 200, 60, None, 0, 0, 3, 9, 0.0),
    (3, 300, 365, "active", 5, 60, date(2026, 6, 1), 1, 0, 3, 9, 0.0),
    (4, 700, 365, "active", 5, 60, date(2026, 1, 1), 0, 1, 3, 9, 0.0),
    (5, 200, 100, "active", 5, 60, None, 0, 0, 1, 4, 0.1),
    (6, 990, 365, "active", 5, 60, None, 0, 0, 1, 4, 0.6),
    (7, -50, 365, "due", 40, 60, date(2026, 6, 20), 0, 1, 1, 4, 0.1),
    (8, 2000, 1460, "due", 40, 60, date(2026, 6, 20), 0, 1, 1, 4, 0.1),
]
COLUMNS = (
    *("customer", "contribution", "age_days", "lifecycle", "silent_days", "lapse_days"),
    *("last_complaint_on", "open_complaints", "unhappy_complaints", "categories", "orders", "return_rate"),
)


@pytest.fixture(scope="module")
def facts() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=COLUMNS, orient="row").with_columns(
        pl.col("customer").cast(pl.UInt32), pl.col("lapse_days").cast(pl.Float64)
    )


def test_who_meets_which_reason(facts):
    found = call_list(facts, TODAY, 100)
    met = {row["customer"]: {name for name in REASONS if row[name]} for row in found.iter_rows(named=True)}
    assert met == {
        0: {"slipping"},
        1: {"slipping"},
        3: {"unhappy"},
        5: {"second_category"},
        8: {"slipping", "unhappy"},
    }
    assert found["value_year"].to_list() == [900, 800, 500, 300, 200]


def test_a_budget_is_shared_out_and_ranked_by_value(facts):
    found = call_list(facts, TODAY, 2, {"slipping": 1, "unhappy": 1})
    assert found.select("customer", "called_for").rows() == [(0, "slipping"), (8, "unhappy")]


def test_reasons_without_their_facts_find_nobody(facts):
    found = call_list(facts.drop("lifecycle"), TODAY, 100)
    assert set(found["called_for"]) == {"unhappy"}


@given(budget=st.integers(0, 12), weights=st.tuples(*[st.integers(0, 5)] * 3))
@settings(deadline=None, max_examples=40)
def test_nobody_twice_and_never_more_than_the_budget(facts, budget, weights):
    shares = dict(zip(REASONS, map(float, weights), strict=True))
    found = call_list(facts, TODAY, budget, shares)
    able = call_list(facts, TODAY, 100, shares)
    assert len(found) == min(budget, len(able))
    assert found["customer"].is_unique().all()
    assert all(row[row["called_for"]] for row in found.iter_rows(named=True))
    assert all(shares[reason] > 0 for reason in found["called_for"])
