"""Bootstrap and order-statistic intervals: SciPy's bootstrap, coverage in simulations, exact tables."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, bootstrap

from config.documents import Document
from config.load import Located
from metrics.bootstrap import FEWEST
from metrics.catalog import catalog
from metrics.definitions import Measure, Ratio, Simple
from metrics.figures import compute
from metrics.frames import Marts
from metrics.intervals import order_ranks
from metrics.marts import build
from metrics.periods import Calendar, Window
from metrics.selection import Selection

SAID = {"name": "figure", "label": "Figure", "description": "One.", "unit": "money"}
AS_OF = date(2024, 6, 30)
ORDERS = {"table": "orders", "where": "orders > 0"}


def simple(expression, interval="bootstrap", **said):
    return Simple(kind="simple", **SAID, **{**ORDERS, **said}, expression=expression, interval=interval)


def orders(amounts, customers, people=None):
    """Marts of one order line an order."""
    frame = pl.DataFrame({"net_amount": np.round(amounts, 2), "customer_id": customers}).with_row_index("row")
    lines = frame.select(
        pl.col("customer_id").cast(pl.String),
        pl.col("net_amount").cast(pl.Decimal(18, 4)),
        order_id=pl.col("row").cast(pl.String),
        line_id=pl.lit("1"),
        ordered_on=pl.lit(date(2024, 6, 3)),
        ordered_at=pl.lit(date(2024, 6, 3)).cast(pl.Datetime("us", "UTC")),
        is_return=pl.lit(value=False),
    )
    calendar = Calendar()
    tables = {"order_lines": lines.lazy()} | ({} if people is None else {"customers": people.lazy()})
    return Marts(build(tables, calendar, AS_OF), calendar, AS_OF)


def figure(definition, marts, by=None):
    found = catalog([Located(definition, Document("metrics.yaml"))])
    assert not found.problems
    return compute(found, ["figure"], marts, Window(), by=by)


def clustered(n, seed=0):
    """Amounts that are alike within a customer, and the customers."""
    random = np.random.default_rng(seed)
    each = random.integers(1, 6, n)
    level = random.lognormal(3, 0.6, n)
    customers = np.repeat(np.arange(n), each)
    return level[customers] * random.lognormal(0, 0.1, len(customers)), customers


def by_customer(amounts, customers):
    amounts = np.round(amounts, 2)
    return np.bincount(customers, amounts), np.bincount(customers).astype(float)


@pytest.mark.parametrize("n", [200, 5000])
def test_a_mean_equals_scipys_bootstrap_over_customers(n):
    """Above 2,000 customers random groups are drawn: the same interval up to noise."""
    amounts, customers = clustered(n)
    row = figure(simple("avg(net_amount)"), orders(amounts, customers)).row(0, named=True)
    theirs = bootstrap(
        by_customer(amounts, customers),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=999,
        batch=100,
        rng=np.random.default_rng(5),
    )
    low, high = theirs.confidence_interval
    assert row["interval"] == "bootstrap"
    assert (row["lower"], row["upper"]) == pytest.approx((low, high), abs=0.25 * (high - low) / 2)


def test_a_quotient_and_a_sum_agree_with_theory():
    """The delta method and the variance of a sum of independent customers."""
    amounts, customers = clustered(800)
    marts = orders(amounts, customers)
    parts = {"numerator": "sum(net_amount)", "denominator": "sum(orders)"}
    made = {key: Measure(table="customer_periods", expression=text) for key, text in parts.items()}
    drawn, delta = (
        figure(Ratio(kind="ratio", **SAID, **made, interval=each), marts).row(0, named=True)
        for each in ("bootstrap", "delta")
    )
    width = delta["upper"] - delta["lower"]
    assert drawn["upper"] - drawn["lower"] == pytest.approx(width, rel=0.12)
    assert drawn["lower"] == pytest.approx(delta["lower"], abs=0.12 * width)
    total = figure(simple("sum(net_amount)"), marts).row(0, named=True)
    sums, _ = by_customer(amounts, customers)
    expected = 2 * 1.96 * np.sqrt(len(sums)) * sums.std(ddof=1)
    assert total["upper"] - total["lower"] == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("n", [300, 9000])
def test_a_median_heeds_that_rows_of_a_customer_are_alike(n):
    """More than 20,000 rows go by the rank; both are wider than if rows were independent."""
    marts = orders(*clustered(n))
    drawn, ranked = (
        figure(simple("median(net_amount)", each), marts).row(0, named=True)
        for each in ("bootstrap", "order")
    )
    assert drawn["lower"] < drawn["value"] == ranked["value"] < drawn["upper"]
    assert drawn["upper"] - drawn["lower"] > 1.3 * (ranked["upper"] - ranked["lower"])


def test_the_same_data_give_the_same_bounds_and_regions_their_own(shop_marts):
    definition = simple("avg(net_amount)", where="orders > 0 AND customer IS NOT NULL")
    rows = figure(definition, shop_marts, by="region")
    again = figure(definition, shop_marts, by="region")
    assert rows.equals(again)
    for value, lower, upper in (
        rows.filter(pl.col("by").is_not_null()).select("by", "lower", "upper").iter_rows()
    ):
        own = figure(definition, shop_marts.select(Selection({"region": (value,)}))).row(0, named=True)
        assert (lower, upper) == (own["lower"], own["upper"])


def test_none_where_there_are_too_few_or_nobody_is_known(shop_marts):
    few = orders(np.arange(1.0, 40.0), np.arange(39) % (FEWEST - 1))
    unknown = figure(simple("avg(net_amount)"), shop_marts)
    for row in (figure(simple("avg(net_amount)"), few).row(0, named=True), unknown.row(0, named=True)):
        assert row["value"] is not None
        assert (row["lower"], row["upper"], row["interval"]) == (None, None, "")


def test_coverage_of_means_of_customers():
    """In a skewed world the intervals of 200 samples of 150 customers cover the mean of an order in 90 %."""
    amounts, customers = clustered(200 * 150)
    sample = pl.DataFrame({"customer_id": [f"{n}" for n in range(200 * 150)]}).with_columns(
        region=(pl.int_range(pl.len()) // 150).cast(pl.String)
    )
    rows = figure(simple("avg(net_amount)"), orders(amounts, customers, sample), by="region")
    truth = float(np.exp(3 + 0.6**2 / 2 + 0.1**2 / 2))
    covered = rows.filter(pl.col("lower") <= truth, pl.col("upper") >= truth).height
    assert len(rows) == 200
    assert 0.9 * 200 <= covered <= 0.985 * 200


def test_ranks_are_those_of_the_binomial():
    """For n = 10 and the median 2 and 9 (David and Nagaraja 2003); elsewhere by counting."""
    assert [ends.tolist() for ends in order_ranks([5, 6, 10, 100], 0.5)] == [[0, 1, 2, 40], [0, 6, 9, 61]]
    for at in (0.1, 0.5, 0.9):
        for n in (20, 137):
            below = [k for k in range(n) if binom.cdf(k, n, at) <= 0.025]
            above = [k for k in range(1, n + 1) if binom.cdf(k - 1, n, at) >= 0.975]
            found = tuple(int(ends[0]) for ends in order_ranks([n], at))
            assert found == ((max(below) + 1, min(above)) if below and above else (0, 0))


def test_the_bounds_of_a_percentile_are_values_of_these_ranks():
    amounts = np.random.default_rng(2).permutation(np.arange(1.0, 101.0))
    row = figure(simple("percentile(net_amount, 0.5)", None), orders(amounts, np.arange(100))).row(
        0, named=True
    )
    assert (row["value"], row["lower"], row["upper"], row["interval"]) == (50.5, 40.0, 61.0, "order")
    none = figure(simple("median(net_amount)", None), orders(amounts[:5], np.arange(5))).row(0, named=True)
    assert (none["lower"], none["interval"]) == (None, "")
