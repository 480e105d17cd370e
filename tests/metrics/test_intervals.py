"""Intervals against statsmodels, scipy and published numbers, and by how often they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import confint_poisson
from statsmodels.stats.weightstats import DescrStatsW

from metrics import intervals


@given(st.integers(1, 5000), st.floats(0, 1))
def test_wilson_is_that_of_statsmodels(n: int, share: float) -> None:
    hits = round(n * share)
    found = [bound.item() for bound in intervals.wilson([hits], [n])]
    assert found == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-12)
    assert found[0] <= hits / n <= found[1]


def test_wilson_80_of_100() -> None:
    lower, upper = intervals.wilson([80], [100])
    assert (lower.item(), upper.item()) == pytest.approx((0.7111708, 0.8666331), abs=1e-6)


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=40))
def test_the_mean_is_that_of_statsmodels(values: list[float]) -> None:
    data = np.array(values)
    found = intervals.mean([data.sum()], [(data**2).sum()], [len(data)])
    expected = DescrStatsW(data).tconfint_mean()
    assert [bound.item() for bound in found] == pytest.approx(expected, abs=1e-3)


def test_the_mean_of_a_paired_gap_as_published() -> None:
    """A gap of -0.25 with t = -9.14 over 386 answers: -0.3038 to -0.1962."""
    n, mean = 386, -0.25
    deviation = abs(mean / -9.14) * np.sqrt(n)
    squares = deviation**2 * (n - 1) + n * mean**2
    found = intervals.mean([n * mean], [squares], [n])
    assert [bound.item() for bound in found] == pytest.approx([-0.3038, -0.1962], abs=2e-3)


@given(st.integers(0, 3000), st.floats(0.1, 1e4))
def test_poisson_is_the_exact_interval_of_statsmodels(events: int, exposure: float) -> None:
    found = [bound.item() for bound in intervals.poisson([events], [exposure])]
    expected = confint_poisson(events, exposure, method="exact-c")
    assert found == pytest.approx([0.0 if events == 0 else expected[0], expected[1]], rel=1e-9)


def test_a_ratio_covers_in_95_of_100_samples() -> None:
    """Orders and revenue of customers who buy unequally often; the truth is 30 an order."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        orders = 1 + rng.poisson(2, 300)
        revenue = orders * 30 + rng.normal(0, 12, 300) * orders
        moments = [(revenue**2).sum()], [(revenue * orders).sum()], [(orders**2.0).sum()]
        lower, upper = intervals.ratio(([revenue.sum()], [orders.sum()]), moments, [300])
        inside += lower.item() <= 30 <= upper.item()
    assert 370 <= inside <= 394


def test_a_ratio_of_one_each_is_the_mean() -> None:
    values = np.array([3.0, 5.0, 9.0, 14.0])
    ones = ([(values**2).sum()], [values.sum()], [4.0])
    found = intervals.ratio(([values.sum()], [4.0]), ones, [4])
    expected = intervals.mean([values.sum()], [(values**2).sum()], [4])
    assert [bound.item() for bound in found] == pytest.approx([bound.item() for bound in expected])


def test_promoters_as_worked_and_covering() -> None:
    """Half promote and a sixth detract of 324: score 33.3, standard error 4.14."""
    lower, upper = intervals.promoters([162], [54], [324])
    assert (upper.item() - lower.item()) / 2 == pytest.approx(stats.norm.ppf(0.975) * 4.1408667, rel=0.01)
    rng = np.random.default_rng(5)
    counts = rng.multinomial(40, [0.7, 0.2, 0.1], 2000)
    lower, upper = intervals.promoters(counts[:, 0], counts[:, 2], counts.sum(axis=1))
    assert 0.93 <= np.mean((lower <= 60) & (upper >= 60)) <= 0.98


def test_everybody_agreeing_is_no_certainty() -> None:
    lower, upper = intervals.promoters([5], [0], [5])
    assert upper.item() == 100
    assert lower.item() < 90


def test_nothing_gives_no_interval() -> None:
    nothing = [
        *intervals.wilson([0], [0]),
        *intervals.mean([1.0], [1.0], [1]),
        *intervals.poisson([3], [0]),
        *intervals.promoters([0], [0], [0]),
        *intervals.ratio(([1.0], [0.0]), ([1.0], [0.0], [0.0]), [5]),
        *intervals.ratio(([1.0], [1.0]), ([1.0], [1.0], [1.0]), [1]),
    ]
    assert all(np.isnan(bound).all() for bound in nothing)
