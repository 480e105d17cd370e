"""Drivers, statement and scenarios of equity against SQL in DuckDB and cases worked by hand."""

from datetime import date, timedelta
from decimal import Decimal

import duckdb
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from metrics.equity import Drivers, customer_equity
from metrics.equity_drivers import (
    Costs,
    Measured,
    Year,
    costs,
    customer_years,
    drivers,
    drivers_by,
    year_ends,
    year_statement,
)
from metrics.equity_scenarios import Scenario, break_even_cost, outcome, payback_month
from metrics.migration import mailing, recency_rates
from metrics.payback import margins_of_won
from metrics.reasons import FrameProblem

AT = date(2026, 10, 31)
MONEY = pl.Decimal(18, 4)


def shop(seed: int = 0, customers: int = 300) -> pl.DataFrame:
    """Orders and stand-alone returns of three years and a bit."""
    rng = np.random.default_rng(seed)
    n = 2500
    whose, began = rng.integers(0, customers, n), rng.integers(10, 1200, customers)
    rows = pl.DataFrame(
        {
            "customer": whose.astype(np.uint32),
            "ordered_on": [AT - timedelta(days=int(day)) for day in rng.integers(0, began[whose])],
            "orders": (rng.random(n) > 0.1).astype(np.int32),
            "net_amount": rng.integers(1, 20_000, n) / 100,
        }
    )
    bought = pl.col("orders") > 0
    signed = pl.when(bought).then(1).otherwise(-0.5) * pl.col("net_amount")
    first = bought & (pl.col("orders").cum_sum().over("customer") == 1)
    return (
        rows.sort("ordered_on", maintain_order=True)
        .with_columns(net_amount=signed.cast(MONEY), first_orders=first.cast(pl.Int32))
        .with_columns(margin=(pl.col("net_amount").cast(pl.Float64) * 0.4).cast(MONEY))
    )


def made(orders: pl.DataFrame, at: date, spent: Costs | None = None) -> Year:
    return Year(customer_years(orders, at), at, orders["ordered_on"].min(), spent or Costs(lacking=()))


def test_years_are_what_sql_counts():
    orders = shop()
    rows = orders.with_columns(pl.col("net_amount").cast(pl.Float64)).to_arrow()
    assert rows.num_rows
    wanted = duckdb.sql(
        """
        SELECT customer,
               bool_or(orders > 0 AND ordered_on > DATE '2025-10-31') AS now,
               bool_or(orders > 0 AND ordered_on BETWEEN DATE '2024-11-01' AND DATE '2025-10-31') AS before,
               bool_or(orders > 0 AND ordered_on BETWEEN DATE '2023-11-01' AND DATE '2024-10-31') AS earlier,
               bool_or(first_orders > 0 AND ordered_on > DATE '2025-10-31') AS is_new,
               coalesce(sum(orders) FILTER (ordered_on > DATE '2025-10-31'), 0) AS orders,
               coalesce(sum(net_amount) FILTER (ordered_on > DATE '2025-10-31'), 0) AS net_amount
        FROM rows WHERE ordered_on > DATE '2023-10-31' GROUP BY customer ORDER BY customer
        """
    ).pl()
    got = customer_years(orders, AT)
    for name in ("customer", "now", "before", "earlier", "is_new", "orders"):
        assert got[name].to_list() == wanted[name].to_list(), name
    assert got["net_amount"].cast(pl.Float64).to_list() == pytest.approx(wanted["net_amount"].to_list())


def test_drivers_are_counts_and_means():
    year = made(shop(), AT, Costs(per_new=5.0, kept=1.0, served=2.0, lacking=()))
    found = drivers(year)
    people = year.people
    both, before, now = (
        people.filter(pl.all_horizontal(names)) for names in (["now", "before"], ["before"], ["now"])
    )
    assert (found.kept, found.of) == (len(both), len(before))
    assert found.drivers.retention == len(both) / len(before)
    each = found.drivers
    assert each.customers == len(now)
    assert each.customers * each.orders * each.order_value == pytest.approx(float(now["net_amount"].sum()))
    assert each.margin == pytest.approx(float(now["margin"].sum()) / len(now) - 3.0)
    assert found.draws.mean() == pytest.approx(each.retention, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_statement_reconciles_and_counts_every_customer_once(seed):
    orders = shop(seed)
    spent = Costs(per_new=7.25, kept=1.1, served=0.4, lacking=())
    year, before = made(orders, AT, spent), made(orders, year_ends(AT)[1], spent)
    found = year_statement(year, before)
    book = found.statement
    assert (
        found.opening_customers - found.lost_customers + found.new_customers + found.returned_customers
        == (found.closing_customers)
    )
    assert book.reason is None
    assert book.closing == book.result
    now = customer_equity(drivers(year).drivers)
    assert float(book.before_marketing) == pytest.approx(now.existing, rel=1e-5)
    then = customer_equity(drivers(before).drivers)
    assert float(book.opening) == pytest.approx(then.existing, rel=1e-5)
    assert book.acquisition_cost == Decimal("7.25") * found.new_customers
    assert not found.opening_assumed


def test_opening_without_three_years_takes_todays_retention():
    orders = shop().filter(pl.col("ordered_on") > date(2024, 8, 1))
    year, before = made(orders, AT), made(orders, year_ends(AT)[1])
    found = year_statement(year, before)
    assert found.opening_assumed
    today = drivers(year).drivers
    each = float(before.active["margin"].sum()) / len(before.active)
    multiple = today.retention / (1.1 - today.retention)
    assert float(found.value_before) == pytest.approx(each * multiple, rel=1e-5)


def test_too_short_and_empty_years_are_named():
    orders = shop()
    short = made(orders.filter(pl.col("ordered_on") > date(2025, 2, 1)), AT)
    assert drivers(short).code == "short_history"
    assert year_statement(short, short).code == "short_history"
    nobody = made(orders.filter(pl.col("ordered_on") < date(2025, 10, 1)), AT)
    assert drivers(nobody).code == "no_customers"


def test_money_spent_is_that_of_the_year_by_purpose():
    people = customer_years(shop(), AT)
    spending = pl.DataFrame(
        {
            "spent_on": [AT, AT, AT, date(2025, 11, 1), date(2025, 10, 31)],
            "purpose": ["acquisition", "retention", "service", "retention", "retention"],
            "amount": [100, 20, 30, 5, 999],
        }
    )
    found = costs(spending, people, AT)
    active, new = people["now"].sum(), people["is_new"].sum()
    assert (found.per_new, found.kept, found.served) == (100 / new, 25 / active, 30 / active)
    assert costs(None, people, AT).lacking == ("spend",)


def test_segments_add_up_and_have_their_own_costs():
    year = made(shop(), AT)
    half = year.people.select(
        "customer", segment=pl.when(pl.col("customer") < 150).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    found = drivers_by(year, half, {"a": Costs(9.0, 0.0, 0.0, ())})
    whole = drivers(year)
    assert sum(each.drivers.customers for each in found.values()) == whole.drivers.customers
    assert sum(each.kept for each in found.values()) == whole.kept
    assert (found["a"].drivers.acquisition_cost, found["b"].drivers.acquisition_cost) == (9.0, 0.0)


BASE = Drivers(1000, 0.6, 0.1, 4.0, 50.0, 0.4, 10.0, 200.0, 30.0)


def measured(base: Drivers = BASE) -> Measured:
    return Measured(base, 600, 1000, np.random.default_rng(0).beta(600.5, 400.5, 400))


def test_scenarios_move_drivers_by_points_and_per_cent():
    scenario = Scenario(name="more", retention_points=5, order_value_percent=-10, acquisition_cost_percent=20)
    assert scenario.moved(BASE) == pytest.approx(
        {"retention": 0.65, "order_value": 45.0, "acquisition_cost": 36.0}
    )
    assert Scenario(name="all", retention_points=90).moved(BASE) == {"retention": 1.0}


def test_outcome_is_the_difference_of_two_equities():
    done = outcome(Scenario(name="more", retention_points=5), measured())
    before = customer_equity(BASE).total
    margin = 4 * 50 * 0.4 - 10
    after = 1000 * margin * 0.65 / 0.45 + 200 * (margin * 1.1 / 0.45 - 30) / 1.1
    assert (done.before, done.after) == pytest.approx((before, after))
    assert done.change.lower < done.change.value < done.change.upper
    assert done.break_even.value == pytest.approx(margin * 1.1 / 0.45)


def test_nothing_moved_has_no_interval():
    done = outcome(Scenario(name="none"), measured())
    assert (done.change.value, done.change.lower) == (0.0, None)


def test_payback_is_when_monthly_margins_have_paid():
    # 70 of margin a year is 5.83 a month: 30 is reached in the sixth month, discounted.
    assert payback_month(BASE).value == 6
    assert break_even_cost(BASE).value == pytest.approx(70 * 1.1 / 0.5)
    losing = Drivers(10, 0.5, 0.1, 1.0, 10.0, 0.1, 5.0, 1.0, 3.0)
    assert payback_month(losing).reason.code == "never_positive"


def test_impossible_scenarios_are_refused():
    for wrong in ({"retention_points": 200}, {"segment": {"a": "b", "c": "d"}}, {"price": 3}):
        with pytest.raises(ValidationError):
            Scenario(name="x", **wrong)


def test_margins_of_won_customers_by_month():
    start = date(2025, 1, 1)
    orders = pl.DataFrame(
        {
            "customer": [1, 1, 1, 2, 3],
            "ordered_on": [
                start,
                start + timedelta(days=20),
                start + timedelta(days=40),
                start,
                date(2024, 6, 1),
            ],
            "first_orders": [1, 0, 0, 1, 1],
            "margin": [10.0, 5.0, 7.0, 3.0, 99.0],
        }
    )
    named = pl.DataFrame({"customer": [1, 2, 3], "channel": ["web", "web", "web"]})
    found = margins_of_won(orders, named, date(2024, 12, 31), date(2025, 1, 31), months=3)
    assert found.rows() == [("web", 1, 2, 9.0), ("web", 2, 2, 3.5), ("web", 3, 2, 0.0)]


def test_recency_counts_whole_quarters():
    orders = pl.DataFrame(
        {
            "customer": [1, 1, 2, 3],
            "ordered_on": [AT, AT - timedelta(days=91), AT - timedelta(days=91), AT - timedelta(days=200)],
            "margin": [8.0, 1.0, 1.0, 1.0],
        }
    )
    found = recency_rates(orders, AT, quarters=1)
    assert found.rows() == [(1, 2, 1, 0.5, 8.0), (2, 1, 0, 0.0, None)]


def test_mailing_of_the_catalogue():
    """Pfeifer & Carraway's catalogue, whose period is a year: discounted by quarters of (1.2)^4."""
    rates = [0.3, 0.2, 0.15, 0.05]
    table = pl.DataFrame(
        {"recency": [1, 2, 3, 4], "ordered": [30, 20, 15, 5], "rate": rates, "margin": [40.0] * 4}
    )
    found = mailing(table, 4.0, 1.2**4 - 1)
    assert found.contribution == pytest.approx(40.0)
    assert found.worth == pytest.approx([52.320 - 40, 5.554, 1.251, -1.820], abs=1e-3)
    assert found.mail_until == 3
    with pytest.raises(FrameProblem, match="ordered again"):
        mailing(table.with_columns(ordered=pl.lit(0)), 4.0, 0.1)
