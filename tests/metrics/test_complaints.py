"""Complaints: hand-worked contacts, TARP's published rates, an SQL oracle for buying again."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from metrics.complaints import (
    PUBLISHED,
    bought_again,
    by_topic,
    customers_lost,
    loyalty,
    matters,
    repurchase,
    service,
    settled,
    troubled,
)

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
AS_OF = date(2026, 12, 31)


def contacts(*rows):
    """Contacts as (customer, day of 2026, kind, topic, hours until settled or None, outcome)."""
    made = []
    for customer, day, kind, topic, hours, outcome in rows:
        at = START + timedelta(days=day)
        made.append(
            {
                "customer": customer,
                "occurred_at": at,
                "occurred_on": at.date(),
                "resolved_at": None if hours is None else at + timedelta(hours=hours),
                "kind": kind,
                "topic": topic,
                "outcome": outcome,
            }
        )
    schema = {"customer": pl.UInt32, "occurred_at": pl.Datetime("us", "UTC"), "occurred_on": pl.Date}
    schema |= {"resolved_at": pl.Datetime("us", "UTC"), "kind": pl.String, "topic": pl.String}
    return pl.DataFrame(made, schema=schema | {"outcome": pl.String})


@pytest.mark.parametrize(("loss", "lost"), [("large", 22_125), ("small", 14_812.5)])
def test_published_market_damage(loss, lost):
    """100,000 customers, problems 30 %, half complain, ending 50 / 25 / 25 %: TARP's rates."""
    rates = list(PUBLISHED[loss].values())
    assert customers_lost(100_000, 0.3, 0.5, (0.5, 0.25, 0.25), rates) == pytest.approx(lost)


def test_first_contact_resolution_by_hand():
    """Four matters: settled at once; asked again after 10 days; asked again after 31; left unsatisfied."""
    rows = contacts(
        (1, 0, "contact", "billing", 2, "satisfied"),
        (2, 0, "complaint", "late", 5, "satisfied"),
        (2, 10, "complaint", "late", 5, "satisfied"),
        (3, 0, "complaint", "late", 1, "satisfied"),
        (3, 31, "complaint", "late", 1, "satisfied"),
        (4, 0, "contact", "return", 30, "unsatisfied"),
        (5, 0, "visit", "assembly", 1, "satisfied"),
        (None, 0, "contact", "billing", 1, "satisfied"),
    )
    table = matters(rows, AS_OF)
    assert table.select("customer", "again", "first_time").rows() == [
        (1, False, True),
        (2, True, False),
        (3, False, True),
        (3, False, True),
        (4, False, False),
    ]
    found = service(rows, (date(2026, 1, 1), AS_OF), AS_OF)
    assert (found.complaints, found.contacts) == (4, 7)
    assert (found.first_time.hits, found.first_time.n, found.again.hits) == (3, 5, 1)
    lower, upper = proportion_confint(3, 5, method="wilson")
    assert found.first_time.bounds == pytest.approx((lower, upper))
    assert found.median_hours == 2


def test_young_matters_wait_and_open_ones_count_for_as_long_as_they_are_open():
    rows = contacts(
        (1, 363, "contact", "billing", None, None),
        (2, 362, "contact", "billing", 1, "satisfied"),
        (3, 100, "contact", "billing", None, "open"),
    )
    found = service(rows, (date(2026, 1, 1), AS_OF), AS_OF)
    assert (found.open, found.first_time.n) == (2, 1)
    assert found.median_hours is None


def test_nobody_in_contact():
    found = service(contacts(), (date(2026, 1, 1), AS_OF), AS_OF)
    assert (found.complaints, found.first_time.value, found.first_time.bounds) == (0, None, None)
    assert by_topic(contacts(), (date(2026, 1, 1), AS_OF)).is_empty()


def test_quickly_is_a_day_where_no_outcome_says_so():
    rows = contacts((1, 0, "contact", "a", 3, "Satisfied"), (2, 0, "contact", "a", 48, "satisfied "))
    assert settled(rows)["result"].to_list() == ["satisfied quickly", "satisfied"]
    said = contacts((1, 0, "contact", "a", 3, "satisfied"), (2, 0, "contact", "a", 48, "satisfied quickly"))
    assert settled(said)["result"].to_list() == ["satisfied", "satisfied quickly"]


def test_the_first_problem_of_a_customer_counts():
    """Late without a word; late with a call in time; a complaint before a late delivery; too young."""
    rows = contacts(
        (2, 12, "contact", "late", 1, "satisfied"),
        (3, 5, "complaint", "damaged", 1, "unsatisfied"),
        (4, 300, "complaint", "damaged", 1, "unsatisfied"),
        (5, 5, "complaint", "damaged", None, "open"),
    )
    late = pl.DataFrame(
        {"customer": [1, 2, 3], "on": [date(2026, 1, 10), date(2026, 1, 10), date(2026, 3, 1)]},
        schema_overrides={"customer": pl.UInt32},
    )
    found = troubled(rows, late, AS_OF, 90)
    assert found.rows() == [
        (1, date(2026, 1, 10), "no contact"),
        (3, date(2026, 1, 6), "unsatisfied"),
    ]
    assert troubled(rows, None, AS_OF, 90)["customer"].to_list() == [3]


def test_buying_again_equals_sql():
    """Oracle: DuckDB over random orders."""
    random = np.random.default_rng(2)
    day = np.datetime64("2026-01-01")
    people = pl.DataFrame(
        {
            "customer": np.arange(200, dtype=np.uint32),
            "on": day + random.integers(0, 200, 200),
            "outcome": random.choice(["unsatisfied", "satisfied"], 200),
        }
    )
    orders = pl.DataFrame(
        {
            "customer": random.integers(0, 220, 900).astype(np.uint32),
            "ordered_on": day + random.integers(0, 330, 900),
        }
    )
    p, o = people.to_arrow(), orders.to_arrow()
    assert p.num_rows
    assert o.num_rows
    expected = duckdb.sql(
        "SELECT outcome, count(*), sum(a::int) FROM (SELECT p.outcome, EXISTS (SELECT 1 FROM o WHERE "
        "o.customer = p.customer AND o.ordered_on > p.on AND o.ordered_on <= p.on + INTERVAL 90 DAY) AS a "
        "FROM p) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    table = repurchase(bought_again(people, orders, 90)).filter(pl.col("n") > 0).sort("outcome")
    assert table.select("outcome", "n", "again").rows() == expected


def test_own_rates_from_a_hundred_customers_on():
    table = pl.DataFrame(
        {"outcome": ["unsatisfied", "satisfied"], "n": [100, 99], "share": [0.3, 0.9], "again": [30, 89]}
    )
    rates = loyalty(table, "small")
    assert rates["unsatisfied"] == (0.3, True)
    assert rates["satisfied"] == (0.70, False)
    assert rates["no contact"] == (0.37, False)
