"""Concentration against published figures, hand-worked examples and real data."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from metrics.concentration import (
    concentration_index,
    customers_for,
    gini,
    lorenz,
    top_share,
    whale,
    whale_curve,
)

INCOMES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "equity.yaml").read_text())["gini"][0]
PROFITS = pl.Series([100.0, 50.0, 20.0, -30.0, -80.0])


def test_gini_of_ineq():
    assert gini(pl.Series(INCOMES["values"])).value == pytest.approx(INCOMES["wanted"], abs=INCOMES["digits"])
    assert gini(pl.Series(INCOMES["values"]), corrected=True).value == pytest.approx(0.5134345, abs=1e-6)


amounts = st.lists(st.integers(1, 10_000), min_size=2, max_size=40)


@given(amounts)
def test_gini_is_twice_the_area_over_the_lorenz_curve(values):
    curve = lorenz(pl.Series(values))
    widths, heights = curve["customers_share"].diff()[1:], curve["value_share"]
    area = (widths * (heights[1:] + heights[:-1])).sum() / 2
    assert gini(pl.Series(values)).value == pytest.approx(1 - 2 * area, abs=1e-9)
    assert curve.row(0) == (0.0, 0.0)
    assert curve.row(-1) == pytest.approx((1.0, 1.0))


@given(amounts, st.integers(2, 9))
def test_scale_changes_nothing_and_equality_is_zero(values, factor):
    assert gini(pl.Series(values) * factor).value == pytest.approx(gini(pl.Series(values)).value, abs=1e-9)
    assert gini(pl.Series([factor] * len(values))).value == pytest.approx(0.0, abs=1e-12)
    assert concentration_index(pl.Series([factor] * len(values))).value == pytest.approx(1 / len(values))


def test_whale_curve_of_profits_with_losses():
    curve = whale_curve(PROFITS)
    assert curve["amount"].to_list() == [100.0, 150.0, 170.0, 140.0, 60.0]
    assert curve["share"].max() == pytest.approx(170 / 60)
    figures = whale(PROFITS)
    assert (figures.peak, figures.peak_customers, figures.loss, figures.loss_customers) == (
        170.0,
        3,
        -110.0,
        2,
    )
    assert figures.peak_share == pytest.approx(170 / 60)
    assert gini(PROFITS).reason.code == "losses"
    assert "whale curve" in gini(PROFITS).reason.text


@given(st.lists(st.decimals(-1000, 1000, places=2), min_size=1, max_size=30))
def test_whale_is_exact(values):
    series = pl.Series(values, dtype=pl.Decimal(18, 4))
    figures = whale(series)
    assert figures.peak + figures.loss == figures.total == sum(values)
    assert whale_curve(series)["amount"][-1] == figures.total


def test_ties_at_the_cut_are_taken_by_rank():
    share = top_share(pl.Series([5, 5, 5, 5, 5, 5, 5, 5, 5, 5]), 0.25)
    assert (share.customers, share.of_customers, share.share) == (2, 10, 0.2)
    assert top_share(pl.Series([9, 1, 1]), 0.2).customers == 1
    # 0.3 * 10 is not 3 in binary
    assert top_share(pl.Series(range(1, 11)), 0.3).customers == 3


def test_customers_for_a_share():
    assert customers_for(pl.Series([50, 30, 10, 10]), 0.8).value == 2
    assert customers_for(pl.Series([50, 30, 10, 10]), 0.81).value == 3
    assert customers_for(pl.Series([1, 1]), 1.0).value == 2


@pytest.mark.parametrize(
    ("values", "code"),
    [([], "no_customers"), ([None], "no_customers"), ([0.0, 0.0], "no_total"), ([1.0, -3.0], "no_total")],
)
def test_nothing_to_share_is_named(values, code):
    series = pl.Series(values, dtype=pl.Float64)
    for answer in (gini(series), concentration_index(series), customers_for(series)):
        assert (answer.value, answer.reason.code) == (None, code)
    assert top_share(series).share is None
    assert top_share(series).reason.code == code
    assert whale(series).peak_share is None
    assert lorenz(series).is_empty()


@pytest.mark.realdata
def test_cdnow_top_customers(real_data):
    rows = [line.split() for line in (real_data / "cdnow" / "CDNOW_master.txt").read_text().splitlines()]
    orders = pl.DataFrame({"customer": [r[0] for r in rows], "amount": [Decimal(r[3]) for r in rows]})
    spend = orders.group_by("customer").agg(pl.col("amount").sum())["amount"]
    best = top_share(spend, 0.1)
    assert (best.customers, best.of_customers) == (2357, 23570)
    assert round(100 * best.share, 2) == 50.94
    assert round(100 * top_share(spend, 0.2).share, 2) == 67.78
    assert top_share(spend, 1.0).amount == Decimal("2500315.63")


@pytest.mark.realdata
def test_online_retail_top_fifth(real_data):
    lines = pl.read_parquet(real_data / "online_retail" / "online_retail_2010_2011.parquet")
    names = {name.lower().replace("_", ""): name for name in lines.columns}
    clean = lines.filter(
        pl.col(names["customerid"]).is_not_null()
        & ~pl.col(names.get("invoiceno", names.get("invoice", ""))).cast(pl.String).str.starts_with("C")
        & (pl.col(names["quantity"]) > 0)
        & (pl.col(names["unitprice"]) > 0)
    )
    value = (pl.col(names["quantity"]) * pl.col(names["unitprice"])).sum().alias("value")
    best = top_share(clean.group_by(names["customerid"]).agg(value)["value"])
    assert best.customers == 867
    assert round(100 * best.share, 2) == 74.59
