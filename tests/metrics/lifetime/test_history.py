"""Histories of customers from their orders, on a real calendar."""

from datetime import date

import duckdb
import numpy as np
import polars as pl
import pytest

from metrics.lifetime.history import compress, history, history_of_customers, times, unusable
from metrics.reasons import FrameProblem

ORDERS = pl.DataFrame(
    {
        "customer": [1, 1, 1, 2, 3, 3, None],
        "ordered_on": [
            date(2024, 2, 1),
            date(2024, 2, 29),
            date(2024, 2, 29),
            date(2024, 3, 1),
            date(2024, 1, 31),
            date(2024, 4, 1),
            date(2024, 2, 2),
        ],
        "net_amount": ["10", "20", "5.50", "7", "100", "1", "9"],
    }
).with_columns(pl.col("net_amount").cast(pl.Decimal(18, 4)))


def test_orders_of_one_day_are_one_order():
    rows = history(ORDERS, date(2024, 3, 2))
    assert rows.rows() == [(1, 1, 28, 30, 25.5), (2, 0, 0, 1, None), (3, 0, 0, 31, None)]
    assert rows.columns == ["customer", "frequency", "recency_days", "age_days", "mean_spend"]


def test_first_order_counts_on_request():
    rows = history(ORDERS, date(2024, 3, 2), first_order_counts=True)
    assert rows["mean_spend"].to_list() == [17.75, 7.0, 100.0]


def test_histories_equal_those_of_sql():
    rng = np.random.default_rng(0)
    orders = pl.DataFrame(
        {
            "customer": rng.integers(0, 50, 600),
            "ordered_on": pl.Series(rng.integers(19000, 19400, 600), dtype=pl.Int32).cast(pl.Date),
            "net_amount": rng.integers(-50, 500, 600) / 4,
        }
    )
    sql = """
        with days as (select customer, ordered_on, sum(net_amount) as amount from orders
                      where ordered_on <= date '2023-01-01' group by all),
             ranked as (select *, row_number() over (partition by customer order by ordered_on) nth from days)
        select customer, count(*) - 1 as frequency, max(ordered_on) - min(ordered_on) as recency_days,
               date '2023-01-01' - min(ordered_on) as age_days, avg(amount) filter (nth > 1) as mean_spend
        from ranked group by customer order by customer
    """
    wanted = duckdb.sql(sql).pl()
    got = history(orders, date(2023, 1, 1))
    for name in wanted.columns:
        assert got[name].to_list() == pytest.approx(wanted[name].to_list(), rel=1e-12, nan_ok=True)


def test_histories_from_a_customer_summary():
    customers = pl.DataFrame(
        {
            "customer": [2, 1, 3],
            "first_order_on": [date(2023, 1, 1), date(2024, 1, 1), None],
            "last_order_on": [date(2023, 12, 31), date(2024, 1, 1), None],
            "order_days": [4, 1, 0],
            "net_amount": [100, 30, 0],
        }
    ).with_columns(pl.col("net_amount").cast(pl.Decimal(18, 4)))
    rows = history_of_customers(customers, date(2024, 1, 31))
    assert rows.rows() == [(1, 0, 0, 30, 30.0), (2, 3, 364, 395, 25.0)]


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_dates_that_are_no_dates_are_named(dtype):
    orders = ORDERS.with_columns(pl.lit("20240101").cast(dtype).alias("ordered_on"))
    with pytest.raises(FrameProblem) as problem:
        history(orders, date(2024, 3, 2))
    assert problem.value.reason.code == "not_dates"
    assert "`ordered_on`" in str(problem.value)


def test_order_of_rows_and_extra_columns_change_nothing():
    shuffled = ORDERS.sample(fraction=1.0, shuffle=True, seed=1).with_columns(extra=pl.lit(1))
    assert history(shuffled, date(2024, 5, 1)).equals(history(ORDERS, date(2024, 5, 1)))


def test_compression_keeps_every_customer():
    histories = history(ORDERS, date(2024, 5, 1))
    twice = pl.concat([histories, histories])
    rows = compress(twice, "day")
    assert rows.customers == 6
    assert len(rows) == 3
    assert (rows.weight == 2).all()
    assert list(rows.x) == sorted(rows.x)


def test_units_are_real_lengths():
    histories = pl.DataFrame({"frequency": [1], "recency_days": [364], "age_days": [728]})
    assert [float(part[0]) for part in times(histories, "week")] == [1.0, 52.0, 104.0]
    assert times(histories, "year")[2][0] == pytest.approx(728 / 365.2425)
    assert 12 * times(histories, "year")[2][0] == pytest.approx(times(histories, "month")[2][0])


def test_no_orders_give_no_histories_and_a_reason():
    histories = history(ORDERS.clear(), date(2024, 3, 2))
    assert histories.is_empty()
    assert unusable(compress(histories)).code == "no_customers"
