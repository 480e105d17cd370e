"""Fits: starting points, ridges, bad input, and recovery of the parameters that made the customers."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.lifetime.bgbb import BGBB, chances
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.candidates import fit_table, fits
from metrics.lifetime.covariates import ParetoNBDCovariates, attribute_effects
from metrics.lifetime.history import compress, rows_of
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.paretonbd import ParetoNBD

TRUTHS = {
    BGNBD: (0.8, 5.0, 0.8, 3.0),
    MBGNBD: (1.0, 5.0, 0.9, 3.0),
    ParetoNBD: (0.9, 6.0, 1.2, 20.0),
}
WILD = [
    (0.01,) * 4,
    (10.0,) * 4,
    (0.1, 50.0, 50.0, 0.1),
    (100.0, 0.01, 0.01, 100.0),
    (5.0, 0.01, 3.0, 1000.0),
]


def columns(*rows):
    return rows_of(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))


@pytest.mark.parametrize("model", TRUTHS, ids=lambda model: model.title)
def test_wild_starts_end_at_one_optimum(model, simulated):
    rows = simulated(model.title, TRUTHS[model], 1500, seed=3)
    usual = model.fit(rows)
    assert usual.status == "converged"
    for start in WILD:
        fit = model.fit(rows, np.array(start))
        assert fit.model.parameters == pytest.approx(usual.model.parameters, rel=1e-6)
        assert fit.log_likelihood == pytest.approx(usual.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("model", TRUTHS, ids=lambda model: model.title)
def test_optimum_is_flat_and_standard_errors_are_its_curvature(model, simulated):
    rows = simulated(model.title, TRUTHS[model], 800, seed=4)
    fit = model.fit(rows)
    value = model._likelihood(rows)
    best, gradient = value(fit.model.parameters)
    assert best == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert np.abs(gradient * fit.model.parameters).max() < 1e-4
    step = 1e-5 * np.diag(fit.model.parameters)
    hessian = [
        (value(fit.model.parameters + s)[1] - value(fit.model.parameters - s)[1]) / (2 * s.sum())
        for s in step
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(-np.array(hessian))))
    assert list(fit.standard_errors.values()) == pytest.approx(errors, rel=1e-3)


@pytest.mark.parametrize("model", TRUTHS, ids=lambda model: model.title)
def test_fit_does_not_depend_on_the_unit_of_time(model, simulated):
    rows = simulated(model.title, TRUTHS[model], 800, seed=5)
    weeks, days = model.fit(rows), model.fit(rows.scaled(7.0))
    factor = np.array([7.0 if name in model.timed else 1.0 for name in model.names()])
    assert days.model.parameters == pytest.approx(weeks.model.parameters * factor, rel=1e-6)


@pytest.mark.parametrize("model", TRUTHS, ids=lambda model: model.title)
def test_intervals_cover_the_truth(model, simulated):
    z = 1.96
    covered = []
    for seed in range(20):
        fit = model.fit(simulated(model.title, TRUTHS[model], 1000, seed=100 + seed))
        logs = np.log(TRUTHS[model]) - fit.point
        covered.append(np.abs(logs) < z * np.sqrt(np.diag(fit.covariance)))
    assert np.mean(covered) >= 0.85


def test_sixty_customers_give_a_verdict_not_an_exception(simulated):
    seen = set()
    for seed in range(15):
        for model in TRUTHS:
            rows = simulated(model.title, TRUTHS[model], 60, seed=seed)
            fit = model.fit(rows)
            seen.add(fit.status)
            total = fit.model.conditional_expectation(30.0, rows.x, rows.t_x, rows.T).sum()
            assert 0 <= total < 3 * rows.x.sum()
            assert (fit.status == "converged") == (fit.reason is None)
            assert all(np.isfinite(draw.parameters).all() for draw in fit.draws(20, seed=1))
    assert {"converged", "not identified"} <= seen


def test_ridge_is_named_in_plain_words():
    # Everyone leaves with the same probability: only the ratio of a and b can be seen.
    rng = np.random.default_rng(0)
    age = np.full(400, 50.0)
    rate = rng.gamma(1.0, 0.3, 400)
    x = np.minimum(rng.poisson(rate * age), rng.geometric(0.2, 400)).astype(float)
    t_x = np.where(x > 0, age * rng.beta(np.maximum(x, 1), 1.0), 0.0)
    fit = BGNBD.fit(rows_of(x, t_x, age))
    assert fit.status in ("at a bound", "not identified")
    assert "`a` and `b`" in fit.message
    assert "how customers differ in when they leave" in fit.message
    assert np.isfinite(fit.model.conditional_expectation(10.0, x, t_x, age)).all()


BAD = {
    "no_customers": rows_of(*(np.zeros(0),) * 3),
    "no_repeat_buyers": columns((0, 0, 10), (0, 0, 20), (0, 0, 30)),
    "no_time": columns((0, 0, 0), (0, 0, 0)),
    "recency_after_end": columns((1, 11, 10), (0, 0, 20)),
    "identical_customers": columns(*[(2, 5, 10)] * 7),
    "impossible_history": columns((1, -1, 10), (0, 0, 20)),
}


@pytest.mark.parametrize("code", BAD)
@pytest.mark.parametrize("model", [*TRUTHS, BGBB], ids=lambda model: model.title)
def test_bad_input_gives_a_named_reason(model, code):
    fit = model.fit(BAD[code])
    assert fit.model is None
    assert fit.status == "no fit"
    assert fit.reason.code == code
    assert fit.message.count(". ") == 1  # fault. What to do
    assert fit.draws(3, seed=0) == []
    assert fit.aic is None


def test_one_customer_with_two_thousand_purchases_breaks_nothing(simulated):
    usual = simulated("BG/NBD", TRUTHS[BGNBD], 600, seed=8)
    rows = rows_of(
        np.append(usual.x, 2000.0),
        np.append(usual.t_x, 79.9),
        np.append(usual.T, 80.0),
        np.append(usual.weight, 1.0),
    )
    for model in TRUTHS:
        fit = model.fit(rows)
        assert np.isfinite(fit.log_likelihood)
        assert np.isfinite(fit.model.conditional_expectation(52.0, rows.x, rows.t_x, rows.T)).all()


def test_customers_who_began_today_change_nothing(simulated):
    rows = simulated("BG/NBD", TRUTHS[BGNBD], 500, seed=9)
    more = rows_of(*(np.append(part, np.zeros(50)) for part in (rows.x, rows.t_x, rows.T)))
    for model in (BGNBD, ParetoNBD):  # in MBG/NBD a new customer may be gone already
        assert model.fit(more).model.parameters == pytest.approx(model.fit(rows).model.parameters, rel=1e-5)


def test_criteria_count_parameters_and_customers(simulated):
    fit = BGNBD.fit(simulated("BG/NBD", TRUTHS[BGNBD], 500, seed=9))
    assert fit.aic == pytest.approx(8 - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(4 * np.log(500) - 2 * fit.log_likelihood)


def test_true_model_has_the_best_criterion(simulated):
    rows = simulated("Pareto/NBD", (0.9, 6.0, 1.2, 20.0), 6000, seed=11)
    assert ParetoNBD.fit(rows).aic < BGNBD.fit(rows).aic


def test_candidates_are_ranked_by_their_criterion(simulated):
    table = fit_table(fits(simulated("Pareto/NBD", (0.9, 6.0, 1.2, 20.0), 6000, seed=11)))
    assert table["name"][0] == "pareto_nbd"
    assert table["aic_gap"][0] == 0
    assert (table["aic"].diff()[1:] > 0).all()
    nothing = fit_table(fits(BAD["no_time"]))
    assert nothing["aic"].null_count() == 3
    assert set(nothing["status"]) == {"no fit"}


def test_bgbb_recovers_its_parameters():
    truth = np.array([1.2, 0.75, 0.66, 2.78])
    rng = np.random.default_rng(5)
    n, seen = 20_000, 8
    p, theta = rng.beta(truth[0], truth[1], n), rng.beta(truth[2], truth[3], n)
    period = np.arange(1, seen + 1)
    alive = period < rng.geometric(theta)[:, None]
    orders = alive & (rng.random((n, seen)) < p[:, None])
    fit = BGBB.fit(rows_of(orders.sum(axis=1), (orders * period).max(axis=1), np.full(n, seen)))
    assert fit.status == "converged"
    ordering, leaving = chances(fit)
    assert ordering.lower < 1.2 / 1.95 < ordering.upper
    assert leaving.lower < 0.66 / 3.44 < leaving.upper
    assert (np.abs(np.log(truth) - fit.point) < 3 * np.sqrt(np.diag(fit.covariance))).all()


def with_covariates(n, seed):
    """Customers whose loyalty card makes them order more and whose distance makes them leave."""
    rng = np.random.default_rng(seed)
    card, distance = rng.integers(0, 2, n).astype(float), rng.normal(size=n)
    age = rng.integers(200, 700, n)
    rate = rng.gamma(1.1, 1 / (60 * np.exp(-0.7 * card)))
    leaving = rng.gamma(1.3, 1 / (300 * np.exp(-0.5 * distance)))
    life = np.minimum(rng.exponential(1 / leaving), age)
    x = rng.poisson(rate * life)
    t_x = np.where(x > 0, life * rng.beta(np.maximum(x, 1), 1.0), 0.0)
    return pl.DataFrame(
        {"frequency": x, "recency_days": t_x, "age_days": age, "card": card, "distance": distance.round(2)}
    )


def test_covariates_are_recovered():
    truth = np.array([1.1, 60.0, 1.3, 300.0, 0.7, 0.5])
    near = []
    for seed in range(3):
        fit = ParetoNBDCovariates.fit(
            with_covariates(1500, seed), buying=["card"], leaving=["distance"], unit="day"
        )
        assert fit.status == "converged"
        errors = np.array(list(fit.standard_errors.values()))
        near.append(np.abs(truth - list(fit.estimates.values())) < 2 * errors)
    assert np.mean(near) >= 0.85
    assert fit.names == ("r", "alpha", "s", "beta", "buying.card", "leaving.distance")


def test_effects_of_an_attribute_are_recovered_as_ratios():
    """A card multiplies the rate of orders by exp(0.7) and leaves that of leaving as it is."""
    rows = with_covariates(4000, 7).with_columns(
        pl.col("recency_days", "age_days").round(),
        group=pl.when(pl.col("card") > 0).then(pl.lit("card")).otherwise(pl.lit("none")),
    )
    found = attribute_effects(rows, "group")
    assert found.gain > 100
    other = found.table.row(1, named=True)
    sign = 1 if found.base == "none" else -1
    assert other["orders_lower"] < np.exp(sign * 0.7) < other["orders_upper"]
    assert other["leaving_lower"] < 1 < other["leaving_upper"]
    assert found.table["customers"].sum() == 4000
    alone = attribute_effects(rows.with_columns(group=pl.lit("all")), "group")
    assert alone.code == "few_values"


def test_covariates_of_no_effect_change_no_likelihood():
    histories = with_covariates(800, seed=3).with_columns(
        noise=pl.Series(np.random.default_rng(1).normal(size=800))
    )
    plain = ParetoNBDCovariates.fit(histories, unit="day")
    noisy = ParetoNBDCovariates.fit(histories, buying=["noise"], unit="day")
    assert 0 <= noisy.log_likelihood - plain.log_likelihood < 4
    assert abs(noisy.estimates["buying.noise"]) < 3 * noisy.standard_errors["buying.noise"]
    same = ParetoNBD.fit(compress(histories, "day"))
    assert plain.log_likelihood == pytest.approx(same.log_likelihood, rel=1e-10)
    assert plain.model.of(histories).alpha == pytest.approx(same.model.alpha, rel=1e-6)


def test_constant_and_missing_covariates_are_named():
    histories = with_covariates(100, seed=4).with_columns(
        one=pl.lit(1.0), hole=pl.lit(None, dtype=pl.Float64)
    )
    assert ParetoNBDCovariates.fit(histories, buying=["one"]).reason.code == "collinear_covariates"
    missing = ParetoNBDCovariates.fit(histories, leaving=["hole"])
    assert missing.reason.code == "missing_covariate"
    assert "`hole`" in missing.message


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1), st.integers(0, 400)), min_size=0, max_size=25))
def test_any_histories_give_a_fit_or_a_reason(lives):
    x, share, age = np.array(lives, dtype=float).reshape(-1, 3).T
    rows = rows_of(np.where(age > 0, x, 0), np.where(x > 0, share * age, 0), age)
    for model in TRUTHS:
        fit = model.fit(rows)
        assert fit.message
        if fit.model is None:
            assert fit.reason is not None
        else:
            ahead = fit.model.conditional_expectation(26.0, rows.x, rows.t_x, rows.T)
            assert np.isfinite(ahead).all()
            assert (ahead >= 0).all()
