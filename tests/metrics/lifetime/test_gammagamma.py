"""Gamma-Gamma spend: the density by integration, recovery, and amounts that it cannot hold."""

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from metrics.lifetime.gammagamma import GammaGamma, independence

MODEL = GammaGamma(6.25, 3.74, 15.44)


def spenders(n, seed, p=6.0, q=4.0, v=15.0):
    rng = np.random.default_rng(seed)
    x = rng.poisson(2.0, n)
    nu = rng.gamma(q, 1 / v, n)
    mean = rng.gamma(p * np.maximum(x, 1)) / nu / np.maximum(x, 1)
    frame = pl.DataFrame({"frequency": x, "mean_spend": mean})
    return frame.with_columns(pl.when(pl.col("frequency") > 0).then("mean_spend"))


def test_density_is_the_integral_over_the_customers_rate():
    for x, m in ((1.0, 10.0), (3.0, 40.0), (12.0, 35.0)):

        def joint(nu, x=x, m=m):
            return gamma.pdf(m, MODEL.p * x, scale=1 / (nu * x)) * gamma.pdf(nu, MODEL.q, scale=1 / MODEL.v)

        wanted = np.log(quad(joint, 0, np.inf)[0])
        assert MODEL.log_likelihood(np.array([x]), np.array([m])) == pytest.approx(wanted, rel=1e-7)


def test_gradient_is_the_derivative():
    histories = spenders(50, 1).drop_nulls()
    value = GammaGamma._likelihood(
        *(histories[c].to_numpy().astype(float) for c in ("frequency", "mean_spend"))
    )
    for point in (np.array([6.0, 4.0, 15.0]), np.array([0.3, 30.0, 2.0])):
        for i, slope in enumerate(value(point)[1]):
            step = 1e-6 * point[i] * (np.arange(3) == i)
            assert slope == pytest.approx(
                (value(point + step)[0] - value(point - step)[0]) / (2e-6 * point[i]), rel=1e-5, abs=1e-5
            )


def test_moments_are_those_of_simulated_orders():
    rng = np.random.default_rng(2)
    x, m = np.array([0.0, 2.0, 10.0]), np.array([np.nan, 60.0, 20.0])
    mean, square, within = MODEL.moments(x, m)
    drawn = MODEL.simulate(rng, np.ones((400_000, 3)), x, m)
    assert drawn.mean(axis=0) == pytest.approx(mean, rel=0.01)
    assert drawn[:, 1:].var(axis=0) == pytest.approx((square + within - mean**2)[1:], rel=0.03)


def test_spend_is_shrunk_towards_the_population():
    x = np.array([0.0, 1.0, 5.0, 50.0, 5000.0])
    spend = MODEL.expected_spend(x, np.full(5, 100.0))
    assert spend[0] == pytest.approx(MODEL.population_mean)
    assert (np.diff(spend) > 0).all()
    assert spend[-1] == pytest.approx(100.0, rel=1e-3)


def test_intervals_cover_the_truth():
    covered = []
    for seed in range(20):
        fit = GammaGamma.fit(spenders(1200, seed))
        assert fit.status == "converged"
        covered.append(np.abs(np.log([6.0, 4.0, 15.0]) - fit.point) < 1.96 * np.sqrt(np.diag(fit.covariance)))
    assert np.mean(covered) >= 0.85


def test_money_may_be_counted_in_cents():
    histories = spenders(600, 4)
    dollars = GammaGamma.fit(histories)
    cents = GammaGamma.fit(histories.with_columns(pl.col("mean_spend") * 100))
    assert cents.model.parameters == pytest.approx(dollars.model.parameters * [1, 1, 100], rel=1e-6)


def test_losses_and_gifts_are_counted_not_fitted():
    histories = spenders(500, 5)
    odd = pl.DataFrame({"frequency": [2, 1, 3], "mean_spend": [0.0, -12.0, float("nan")]}).cast(
        histories.schema
    )
    fit = GammaGamma.fit(pl.concat([histories, odd]))
    assert fit.excluded["no_positive_spend"] == 3
    assert fit.model.parameters == pytest.approx(GammaGamma.fit(histories).model.parameters, rel=1e-9)
    spend = fit.model.expected_spend(odd["frequency"].to_numpy(), odd["mean_spend"].to_numpy())
    assert (spend > 0).all()
    assert np.isfinite(spend).all()


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], "no_repeat_buyers"),
        ([(0, None), (0, None)], "no_repeat_buyers"),
        ([(1, -5.0), (2, 0.0)], "no_positive_spend"),
        ([(1, 5.0), (2, 5.0), (3, 5.0)], "identical_customers"),
        ([(1, 5.0)], "identical_customers"),
    ],
)
def test_bad_input_gives_a_named_reason(rows, code):
    frame = pl.DataFrame(rows, schema={"frequency": pl.Int64, "mean_spend": pl.Float64}, orient="row")
    fit = GammaGamma.fit(frame)
    assert (fit.model, fit.status, fit.reason.code) == (None, "no fit", code)


def test_spend_without_a_mean_is_said():
    rng = np.random.default_rng(0)
    heavy = pl.DataFrame(
        {"frequency": rng.integers(1, 4, 800), "mean_spend": 10 * (1 + rng.pareto(0.5, 800))}
    )
    fit = GammaGamma.fit(heavy)
    assert fit.reason.code in ("infinite_mean", "at_bound", "not_identified")
    assert np.isinf(GammaGamma(1.0, 0.9, 3.0).population_mean)


def test_independence():
    assert independence(spenders(3000, 7)).reason is None
    linked = spenders(500, 8).with_columns(mean_spend=pl.col("frequency") * 10.0 + pl.col("mean_spend") / 10)
    test = independence(linked)
    assert test.reason.code == "spend_depends_on_frequency"
    assert "spend more per order" in test.reason.text
    assert independence(spenders(5, 9)).reason.code == "too_few_repeat_buyers"
