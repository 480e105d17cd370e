"""Which season stands out: that of people who buy in it only, not the one in which most people begin."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from metrics.seasons import seasonal, standing_out

AS_OF = date(2026, 10, 31)
START = date(2023, 11, 1)


def shop(seed, shoppers=0, n=3000):
    """Customers of whom four in ten begin in December, who order once a year at any time.

    Beside them some who buy in December alone, every year.
    """
    random = np.random.default_rng(seed)
    days = (AS_OF - START).days
    peak = np.array([(START + timedelta(days=day)).month == 12 for day in range(days)])
    weights = np.where(peak, 0.4 / peak.sum(), 0.6 / (~peak).sum())
    first = random.choice(days, n, p=weights)
    counts = random.poisson((days - first) / 365)
    later = [(who, day) for who in range(n) for day in random.integers(first[who], days, counts[who])]
    loyal = [
        (n + who, (date(year, 12, 1) - START).days + int(random.integers(0, 31)))
        for who in range(shoppers)
        for year in (2023, 2024, 2025)
    ]
    rows = [*zip(range(n), first, strict=True), *later, *loyal]
    frame = pl.DataFrame(
        {
            "customer": pl.Series([who for who, _ in rows], dtype=pl.UInt32),
            "ordered_on": [START + timedelta(days=int(day)) for _, day in rows],
        }
    )
    return frame.with_columns(orders=pl.lit(1)).sort("customer", "ordered_on").lazy()


def found(orders):
    return standing_out(seasonal(orders, AS_OF), orders, AS_OF)


def months(orders):
    return found(orders).filter("stands_out")["month"].to_list()


def test_a_month_in_which_many_begin_does_not_stand_out():
    """None of ten shops without a season, though December leads in all of them."""
    assert [months(shop(seed)) for seed in range(10)] == [[]] * 10


def test_a_month_of_loyal_shoppers_does():
    assert months(shop(1, shoppers=150)) == [12]


def test_chance_is_not_underrated():
    """Without a season of anybody no month has half as many again as it expects, December included."""
    table = found(shop(3, n=20_000))
    assert (table["customers"] / table["expected"]).max() < 1.5
    assert table["customers"][11] == pytest.approx(table["expected"][11], rel=0.25)


def test_nobody_is_no_season():
    empty = shop(1, n=1).filter(pl.col("orders") > 1)
    assert found(empty)["stands_out"].sum() == 0
