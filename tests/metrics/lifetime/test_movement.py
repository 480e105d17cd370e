"""Rising and falling customers: who ordered rises, who was silent falls, by one model."""

from datetime import date, timedelta

import polars as pl
import pytest

from metrics.lifetime.history import history_of_customers, summary_until
from metrics.lifetime.movement import value_changes
from metrics.lifetime.paretonbd import ParetoNBD
from metrics.lifetime.values import Terms, customer_values

AS_OF = date(2024, 12, 31)
SINCE = date(2024, 9, 30)
MODEL = ParetoNBD(0.55, 10.6, 0.61, 11.7)


def orders(*rows: tuple[int, date, int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(who, day, n, n, amount, amount / 2) for who, day, n, amount in rows],
        schema=["customer", "ordered_on", "orders", "order_days", "net_amount", "margin"],
        orient="row",
    )


EVERY_MONTH = [date(2024, month, 1) for month in range(1, 10)]
ORDERS = orders(
    *(
        (1, day, 1, 20.0)
        for day in [*EVERY_MONTH, *(SINCE + timedelta(days=d) for d in (10, 20, 30, 40, 50))]
    ),
    *((2, day, 1, 20.0) for day in EVERY_MONTH),
    (3, date(2024, 11, 1), 1, 20.0),
)


def test_orders_raise_and_silence_lowers():
    found = value_changes(ORDERS, MODEL, None, Terms(AS_OF), SINCE)
    assert found["customer"].to_list() == [1, 2]  # the third was not there yet
    alive = found.select("p_alive_before", "p_alive").rows()
    assert alive[0][1] > 0.85 > alive[1][1]
    assert alive[1][1] < alive[1][0]
    assert found["change"].null_count() == 2  # no spend model, no money


def test_both_ends_are_the_values_of_those_days():
    from metrics.lifetime.gammagamma import GammaGamma

    spend = GammaGamma(6.25, 3.74, 15.44)
    found = value_changes(ORDERS, MODEL, spend, Terms(AS_OF, 6, margin=0.4), SINCE)
    for day, column in ((SINCE, "value_before"), (AS_OF, "value")):
        histories = history_of_customers(summary_until(ORDERS, day), day)
        wanted = customer_values(histories, MODEL, spend, Terms(day, 6, margin=0.4))
        assert found[column].to_list() == pytest.approx(
            wanted.filter(pl.col("customer") < 3)["value"].to_list()
        )
    assert found["change"][0] > 0 > found["change"][1]


def test_summary_until_a_day_counts_returns_as_money_only():
    rows = orders(
        (1, date(2024, 1, 1), 1, 50.0), (1, date(2024, 2, 1), 0, -20.0), (2, date(2024, 3, 1), 0, -5.0)
    )
    found = summary_until(rows, date(2024, 2, 28))
    assert found.rows() == [(1, date(2024, 1, 1), date(2024, 1, 1), 1, 30.0, 15.0)]
    later = summary_until(rows, AS_OF)
    assert later.row(1) == (2, None, None, 0, -5.0, -2.5)
    assert history_of_customers(later, AS_OF)["customer"].to_list() == [1]
