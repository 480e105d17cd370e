"""Movement patterns: exact tests against scipy, hand-worked customers, seasons, windows, false findings."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from metrics.frames import Marts
from metrics.marts import build
from metrics.patterns import Windows, busiest, compared, movements, rate_ratio
from metrics.periods import Calendar

START, END = date(2022, 1, 1), date(2024, 12, 31)
WINDOWS = Windows.around(date(2024, 4, 1), date(2024, 6, 30), END)


def marts(orders, as_of=END, cost="4"):
    frame = pl.DataFrame(orders, schema={"customer_id": pl.String, "ordered_on": pl.Date}, orient="row")
    lines = frame.with_row_index("row").select(
        "customer_id",
        "ordered_on",
        order_id=pl.col("row").cast(pl.String),
        line_id=pl.lit("1"),
        ordered_at=pl.col("ordered_on").cast(pl.Datetime("us", "UTC")),
        net_amount=pl.lit("10").cast(pl.Decimal(18, 4)),
        cost=pl.lit(cost).cast(pl.Decimal(18, 4)),
        is_return=pl.lit(value=False),
    )
    return Marts(build({"order_lines": lines.lazy()}, Calendar(), as_of), Calendar(), as_of)


def every(customer, days, first, last):
    """An order of a customer every so many days."""
    count = (last - first).days // days + 1
    return [(customer, first + timedelta(days=days * at)) for at in range(count)]


def shop():
    """Steady customers, and one of each pattern."""
    before, during, after = WINDOWS.spans
    rows = [row for at in range(40) for row in every(f"steady{at}", 14, START + timedelta(days=at % 14), END)]
    rows += every("won", 30, START, before[1]) + every("won", 4, *during) + every("won", 45, *after)
    rows += every("hurt", 6, START, before[1]) + every("hurt", 60, *during) + every("hurt", 6, *after)
    rows += every("grown", 45, START, before[1]) + every("grown", 8, during[0], END)
    rows += every("gone", 6, START, during[1])
    return marts(rows)


def test_each_pattern_is_found_and_nobody_else():
    found = movements(shop(), WINDOWS)
    ids = shop().frame("customer_summary")["customer_id"]
    patterns = dict(zip(ids.gather(found["customer"]), found["pattern"], strict=True))
    assert patterns == {
        "won": "risen_then_fallen",
        "hurt": "fallen_then_recovered",
        "grown": "rising",
        "gone": "falling",
    }


def test_p_values_equal_the_exact_binomial_test():
    """Without a year before, time is days; both steps are one-sided, the larger counts."""
    rows = every("won", 30, date(2024, 1, 3), date(2024, 3, 28)) + every("won", 5, *WINDOWS.during)
    rows += every("won", 30, *WINDOWS.after)
    row = movements(marts(rows), WINDOWS, level=1.0).row(0, named=True)
    k1, k2, k3 = (row[f"orders_{name}"] for name in ("before", "during", "after"))
    first = (date(2024, 3, 31) - date(2024, 1, 3)).days  # from the day after the first order
    t2, t3 = ((span[1] - span[0]).days + 1 for span in WINDOWS.spans[1:])
    up = binomtest(k2, k1 + k2, t2 / (first + t2), alternative="greater").pvalue
    down = binomtest(k2, k2 + k3, t2 / (t2 + t3), alternative="greater").pvalue
    assert row["p_value"] == pytest.approx(max(up, down))


def test_ratio_and_its_exact_interval():
    """Oracle: Clopper and Pearson's interval of the share, turned into a ratio of rates."""
    ratio, lower, upper = (
        float(each[0]) for each in rate_ratio(*map(np.array, ([12.0], [5.0], [100.0], [50.0])))
    )
    low, high = binomtest(5, 17).proportion_ci(method="exact")
    assert ratio == pytest.approx((5 / 50) / (12 / 100))
    assert (lower, upper) == pytest.approx(tuple(share / (1 - share) * 2 for share in (low, high)))


def test_value_at_stake_is_the_yearly_margin_between_the_levels():
    found = movements(shop(), WINDOWS)
    row = found.filter(pl.col("pattern") == "risen_then_fallen").row(0, named=True)
    days = [(span[1] - span[0]).days + 1 for span in WINDOWS.spans]
    # the season of steady customers is flat, so that its time is close to days
    expected = 6 * (row["orders_during"] / days[1] - row["orders_after"] / days[2]) * 365
    assert row["value_at_stake"] == pytest.approx(expected, rel=0.05)


def test_a_season_that_comes_every_year_is_no_movement():
    """Everybody orders thrice as often in spring, each year."""
    random = np.random.default_rng(3)
    rows = []
    for at in range(300):
        for day in range((END - START).days + 1):
            when = START + timedelta(days=day)
            rate = 0.12 if when.month in (4, 5, 6) else 0.04
            if random.random() < rate:
                rows.append((f"c{at}", when))
    found = movements(marts(rows), WINDOWS)
    assert len(found) <= 3
    flat = Windows.around(date(2022, 4, 1), date(2022, 6, 30), date(2022, 12, 31))
    assert len(movements(marts([row for row in rows if row[1].year == 2022], date(2022, 12, 31)), flat)) > 3


def test_false_findings_stay_rare():
    """400 steady customers, ten times: hardly a list has anybody on it."""
    lists = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        days = random.integers(0, (END - START).days, 400 * 40)
        rows = [
            (f"c{who}", START + timedelta(days=int(day)))
            for who, day in zip(np.arange(len(days)) % 400, days, strict=True)
        ]
        lists += len(movements(marts(rows), WINDOWS)) > 0
    assert lists <= 2


def test_the_window_is_found():
    middle = busiest(shop_with_many())
    assert middle is not None
    assert abs((middle.during[0] - date(2024, 4, 1)).days) <= 28


def shop_with_many():
    rows = [row for at in range(20) for row in every(f"s{at}", 14, START + timedelta(days=at % 14), END)]
    before, during, after = WINDOWS.spans
    for at in range(8):
        who = f"won{at}"
        rows += every(who, 25, START + timedelta(days=at), before[1])
        rows += every(who, 4, *during) + every(who, 30, *after)
    return marts(rows)


@pytest.mark.parametrize(
    "orders",
    [[], [("a", END)], [("a", date(2024, 5, 1))] * 9, [(None, date(2024, 5, 1))]],
    ids=["no orders", "one order", "one day", "nobody known"],
)
def test_nothing_to_compare(orders):
    assert movements(marts(orders), WINDOWS).is_empty()
    assert compared(marts(orders), WINDOWS) == 0
    assert busiest(marts(orders)) is None
