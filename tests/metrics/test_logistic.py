"""Logistic models: statsmodels as the oracle, tables with a half added where data separate, coverage."""

import numpy as np
import pytest
import statsmodels.api as sm

from metrics.logistic import logistic
from metrics.splines import knots, restricted_cubic


def sample(n=900, seed=1, clusters=300):
    random = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), random.normal(size=(n, 2)), random.integers(0, 2, n)])
    y = random.random(n) < 1 / (1 + np.exp(-x @ np.array([0.2, 0.8, 0.0, -0.5])))
    return x, y, random.integers(0, clusters, n)


NAMES = ("constant", "a", "b", "c")


def test_equals_statsmodels():
    x, y, _clusters = sample()
    mine, theirs = logistic(x, y, NAMES), sm.Logit(y, x).fit(disp=0)
    assert mine.coefficients == pytest.approx(theirs.params)
    assert np.sqrt(np.diag(mine.covariance)) == pytest.approx(theirs.bse)
    assert mine.bounds("a") == pytest.approx(tuple(theirs.conf_int()[1]))
    assert mine.p_value("a") == pytest.approx(theirs.pvalues[1])
    joint = theirs.wald_test(np.eye(4)[1:3], scalar=True)
    assert mine.p_value("a", "b") == pytest.approx(float(joint.pvalue))


def test_robust_errors_equal_statsmodels():
    """Its correction is n_groups/(n_groups - 1) x (n - 1)/(n - k); ours leaves the second factor out."""
    x, y, clusters = sample()
    theirs = sm.Logit(y, x).fit(disp=0, cov_type="cluster", cov_kwds={"groups": clusters})
    factor = np.sqrt((len(y) - 1) / (len(y) - x.shape[1]))
    mine = np.sqrt(np.diag(logistic(x, y, NAMES, clusters).covariance))
    assert mine * factor == pytest.approx(theirs.bse)


def two_by_two(a, b, c, d):
    """a of a + b without the trait and c of c + d with it have the outcome."""
    trait = np.repeat([0.0, 0.0, 1.0, 1.0], [a, b, c, d])
    outcome = np.repeat([True, False, True, False], [a, b, c, d])
    return np.column_stack([np.ones(len(trait)), trait]), outcome


@pytest.mark.parametrize("cells", [(5, 15, 20, 0), (0, 10, 10, 0), (7, 9, 0, 12)])
def test_separated_tables_give_the_odds_ratio_with_a_half_added(cells):
    """In a table of two by two Firth's estimate is Haldane's: log((a + .5)(d + .5) / (b + .5)(c + .5))."""
    model = logistic(*two_by_two(*cells), ("constant", "trait"))
    a, b, c, d = (cell + 0.5 for cell in cells)
    assert model.penalised
    assert model.coefficient("trait") == pytest.approx(np.log(c * b / (d * a)), abs=1e-6)
    lower, upper = model.bounds("trait")
    assert lower < model.coefficient("trait") < upper
    assert np.isfinite([lower, upper]).all()


def test_penalised_on_request_is_close_where_data_are_many():
    x, y, _clusters = sample(5000)
    plain, held = logistic(x, y, NAMES), logistic(x, y, NAMES, penalised=True)
    assert held.coefficients == pytest.approx(plain.coefficients, abs=0.01)
    assert held.bounds("a") == pytest.approx(plain.bounds("a"), abs=0.01)
    assert held.p_value("c") == pytest.approx(plain.p_value("c"), abs=1e-3)


def test_penalised_intervals_cover():
    """Thirty rows, a rare outcome: 95 % profile intervals cover the slope in 85 % of 60 samples or more."""
    covered = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        x = np.column_stack([np.ones(30), random.normal(size=30)])
        y = random.random(30) < 1 / (1 + np.exp(-x @ np.array([-1.0, 1.0])))
        lower, upper = logistic(x, y, ("constant", "a"), penalised=True).bounds("a")
        covered.append(lower <= 1.0 <= upper)
    assert np.mean(covered) >= 0.85


def test_spline_is_straight_beyond_its_outer_knots_and_smooth_within():
    at = np.array([0.0, 1.0, 2.0, 4.0])
    outside = np.array([-3.0, -2.0, -1.0, 5.0, 6.0, 7.0])
    columns = restricted_cubic(outside, at)
    assert np.diff(columns[:3], 2, axis=0) == pytest.approx(np.zeros((1, 3)))
    assert np.diff(columns[3:], 2, axis=0) == pytest.approx(np.zeros((1, 3)))
    grid = np.linspace(-1, 5, 6001)
    second = np.diff(restricted_cubic(grid, at), 2, axis=0) / 0.001**2
    assert np.abs(np.diff(second, axis=0)).max() < 0.02


def test_few_values_give_few_knots():
    assert knots(np.array([1.0, 1, 1, 2])).tolist() == [1.0, 2.0] or len(knots(np.array([1.0, 1, 1, 2]))) >= 1
    assert restricted_cubic(np.array([1.0, 2.0]), np.array([1.0, 2.0])).shape == (2, 1)
    assert len(knots(np.empty(0))) == 0
