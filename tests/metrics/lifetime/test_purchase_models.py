"""What all purchase models promise, against textbook formulas, numerical integration and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln, gammaln, hyp2f1, hyperu

from metrics.lifetime.bgbb import BGBB
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.history import Rows, rows_of
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.paretonbd import ParetoNBD

MODELS = [
    BGNBD(0.24, 4.41, 0.79, 2.43),
    MBGNBD(0.52, 6.18, 0.89, 1.61),
    ParetoNBD(0.55, 10.6, 0.61, 11.7),
    BGBB(1.2, 0.75, 0.66, 2.78),
]
CONTINUOUS = MODELS[:3]
X = np.array([0.0, 0.0, 1.0, 2.0, 7.0, 26.0])
T_X = np.array([0.0, 0.0, 3.0, 30.0, 35.0, 31.0])
AGE = np.array([39.0, 1.0, 39.0, 38.0, 78.0, 31.0])
NAMED = {"ids": lambda model: model.title}


def likelihood_of_bgnbd(model: BGNBD, x: float, t_x: float, age: float) -> float:
    """Equation (6) of Fader, Hardie & Lee (2005), as printed."""
    r, alpha, a, b = model.parameters
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = np.exp(betaln(a, b + x) - betaln(a, b)) * (alpha + age) ** -(r + x)
    gone = np.exp(betaln(a + 1, b + x - 1) - betaln(a, b)) * (alpha + t_x) ** -(r + x) if x else 0.0
    return float(rate + np.log(alive + gone))


def likelihood_of_mbgnbd(model: MBGNBD, x: float, t_x: float, age: float) -> float:
    r, alpha, a, b = model.parameters
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = np.exp(betaln(a, b + x + 1) - betaln(a, b)) * (alpha + age) ** -(r + x)
    gone = np.exp(betaln(a + 1, b + x) - betaln(a, b)) * (alpha + t_x) ** -(r + x)
    return float(rate + np.log(alive + gone))


def likelihood_of_paretonbd(model: ParetoNBD, x: float, t_x: float, age: float) -> float:
    """Fader & Hardie (2005), note 009: the form with two 2F1, for alpha < beta."""
    r, alpha, s, beta = model.parameters

    def part(t: float) -> float:
        z = (beta - alpha) / (beta + t)
        return float(hyp2f1(r + s + x, r + x, r + s + x + 1, z) / (beta + t) ** (r + s + x))

    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    gone = s / (r + s + x) * (part(t_x) - part(age))
    return float(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(alive + gone))


@pytest.mark.parametrize(
    ("model", "textbook"),
    [
        (MODELS[0], likelihood_of_bgnbd),
        (MODELS[1], likelihood_of_mbgnbd),
        (ParetoNBD(0.55, 9.0, 0.61, 11.7), likelihood_of_paretonbd),
    ],
    ids=["BG/NBD", "MBG/NBD", "Pareto/NBD"],
)
def test_likelihood_is_the_textbook_formula(model, textbook):
    for x, t_x, age in zip(X, T_X, AGE, strict=True):
        rows = rows_of(*(np.array([v]) for v in (x, t_x, age)))
        assert model.log_likelihood(rows) == pytest.approx(textbook(model, x, t_x, age), rel=1e-9)


def test_weights_count_customers():
    once = rows_of(X, T_X, AGE)
    twice = rows_of(np.tile(X, 2), np.tile(T_X, 2), np.tile(AGE, 2))
    weighted = Rows(once.x, once.t_x, once.T, np.full(len(once), 2.0))
    for model in CONTINUOUS:
        assert model.log_likelihood(weighted) == pytest.approx(model.log_likelihood(twice), rel=1e-12)


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_gradient_is_the_derivative(model):
    rows = rows_of(X, np.minimum(T_X, AGE), AGE)
    if isinstance(model, BGBB):
        rows = rows_of(np.array([0.0, 1, 3, 6]), np.array([0.0, 4, 6, 6]), np.full(4, 6.0))
    for factor in (1.0, 0.05, 20.0):
        point = model.parameters * factor
        value = model._likelihood(rows)
        for i, gradient in enumerate(value(point)[1]):
            step = 1e-5 * point[i] * (np.arange(4) == i)
            slope = (value(point + step)[0] - value(point - step)[0]) / (2e-5 * point[i])
            assert gradient == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_expected_purchases_of_bgnbd_is_the_2f1_of_the_paper():
    model = MODELS[0]
    r, alpha, a, b = model.parameters
    for t in (0.1, 1.0, 39.0, 300.0):
        z = t / (alpha + t)
        paper = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, z))
        assert model.expected_purchases(t) == pytest.approx(paper, rel=1e-10)


def test_p_alive_of_paretonbd_is_the_share_of_the_integral():
    model = MODELS[2]
    r, alpha, s, beta = model.parameters
    for x, t_x, age in zip(X, T_X, AGE, strict=True):
        alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
        gone = s * quad(lambda y: (alpha + y) ** -(r + x) * (beta + y) ** -(s + 1), t_x, age, epsabs=0)[0]  # noqa: B023  used at once
        assert model.p_alive(x, t_x, age)[0] == pytest.approx(alive / (alive + gone), rel=1e-9)


def test_dert_of_paretonbd_is_tricomis_function():
    # The example of the R package BTYD (pnbd.DERT); its value from Tricomi's U and by integration.
    model = ParetoNBD(0.5629966, 12.5590370, 0.4081095, 10.5148048)
    x, t_x, age, delta = 7.0, 35.0, 77.86, 0.0027
    assert model.dert(delta, x, t_x, age)[0] == pytest.approx(1.8641833281, rel=1e-9)
    r, alpha, s, beta = model.parameters
    factor = (r + x) / (alpha + age) * (beta + age) ** s * delta ** (s - 1)
    tricomi = factor * hyperu(s, s, delta * (beta + age)) * model.p_alive(x, t_x, age)[0]
    assert tricomi == pytest.approx(1.8641833281, rel=1e-9)


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_moments_follow_from_the_distribution(model):
    n = np.arange(600.0)
    probabilities = np.array([float(model.pmf(k, 30.0)) for k in n])
    mean = probabilities @ n
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-9)
    assert float(model.expected_purchases(30.0)) == pytest.approx(mean, rel=1e-8)
    assert float(model.variance(30.0)) == pytest.approx(probabilities @ n**2 - mean**2, rel=1e-7)


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_simulation_has_the_moments_of_the_model(model):
    n = 200_000
    counts = model.simulate(np.random.default_rng(1), 30.0, (n,))
    error = np.sqrt(float(model.variance(30.0)) / n)
    assert counts.mean() == pytest.approx(float(model.expected_purchases(30.0)), abs=4 * error)
    assert (counts == 0).mean() == pytest.approx(float(model.pmf(0.0, 30.0)), abs=4 * np.sqrt(0.25 / n))
    assert counts.var() == pytest.approx(float(model.variance(30.0)), rel=0.05)


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_conditional_distribution_has_the_conditional_moments(model):
    x, t_x, age = (np.array([1.0, 4.0]), np.array([5.0, 6.0]), np.array([9.0, 6.0]))
    n = np.arange(300)
    table = np.array([model.conditional_pmf(int(k), 12.0, x, t_x, age) for k in n])
    mean = n @ table
    assert table.sum(axis=0) == pytest.approx(1.0, abs=1e-9)
    assert model.conditional_expectation(12.0, x, t_x, age) == pytest.approx(mean, rel=1e-8)
    assert model.conditional_variance(12.0, x, t_x, age) == pytest.approx(n**2 @ table - mean**2, rel=1e-7)


@pytest.mark.parametrize("model", CONTINUOUS, **NAMED)
@pytest.mark.parametrize("delta", [0.0027, 0.1, 2.0])
def test_dert_is_the_discounted_stream_of_expected_orders(model, delta):
    x, t_x, age = 3.0, 20.0, 30.0

    def until(t: float) -> float:
        return float(model.conditional_expectation(t, x, t_x, age)[0])

    # By parts: the integral of exp(-d t) dE(t) = d * the integral of exp(-d t) E(t).
    stream = (
        delta * quad(lambda t: np.exp(-delta * t) * until(t), 0, 40 / delta, limit=300, points=[1 / delta])[0]
    )
    assert model.dert(delta, x, t_x, age)[0] == pytest.approx(stream, rel=1e-6)


def test_dert_of_bgbb_is_the_discounted_stream_of_expected_orders():
    x, t_x, age, delta = 3.0, 5.0, 6.0, 0.1
    expected = [float(MODELS[3].conditional_expectation(float(k), x, t_x, age)[0]) for k in range(400)]
    stream = sum(np.exp(-delta * k) * (expected[k] - expected[k - 1]) for k in range(1, 400))
    assert MODELS[3].dert(delta, x, t_x, age)[0] == pytest.approx(stream, rel=1e-8)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (BGNBD(0.5, 4.0, 2.5, 3.0), (2.5 + 3.0 - 1) / 1.5),
        (ParetoNBD(0.5, 4.0, 2.5, 10.0), 0.5 * 10 / 4 / 1.5),
        (BGBB(1.0, 1.0, 2.5, 3.0), 0.5 * 3 / 1.5),
    ],
    ids=["BG/NBD", "Pareto/NBD", "BG/BB"],
)
def test_undiscounted_orders_are_finite_only_when_customers_leave_fast_enough(model, limit):
    assert float(np.squeeze(model.discounted_purchases(0.0))) == pytest.approx(limit, rel=1e-12)
    assert float(np.squeeze(model.discounted_purchases(1e-9))) == pytest.approx(limit, rel=1e-3)
    assert all(np.isinf(model.discounted_purchases(0.0)).all() for model in MODELS)


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_survival_falls_and_starts_where_p_alive_is(model):
    x, t_x, age = np.array([0.0, 2.0]), np.array([0.0, 4.0]), np.array([6.0, 6.0])
    alive = [model.p_alive_later(float(t), x, t_x, age) for t in (0, 1, 10, 100)]
    assert alive[0] == pytest.approx(model.p_alive(x, t_x, age), rel=1e-12)
    assert (np.diff(alive, axis=0) < 0).all()


def test_one_time_buyers_never_leave_under_bgnbd():
    assert BGNBD(0.24, 4.41, 0.79, 2.43).p_alive(0.0, 0.0, 500.0) == 1.0
    assert MBGNBD(0.52, 6.18, 0.89, 1.61).p_alive(0.0, 0.0, 500.0) < 0.8
    assert ParetoNBD(0.55, 10.6, 0.61, 11.7).p_alive(0.0, 0.0, 500.0) < 0.1


@pytest.mark.parametrize("model", MODELS, **NAMED)
def test_two_thousand_purchases_give_numbers(model):
    x, t_x, age = np.array([2000.0] * 3), np.array([2990.0, 3000.0, 2001.0]), np.array([3000.0] * 3)
    for values in (
        model.p_alive(x, t_x, age),
        model.conditional_expectation(10.0, x, t_x, age),
        model.conditional_variance(10.0, x, t_x, age),
        model.dert(0.0027, x, t_x, age),
        model.conditional_pmf(3, 10.0, x, t_x, age),
    ):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


def test_a_parameter_at_a_singularity_of_the_formula_is_no_singularity():
    for below, at, above in (
        (BGNBD(0.3, 4.0, 1 - 1e-6, 2.0), BGNBD(0.3, 4.0, 1.0, 2.0), BGNBD(0.3, 4.0, 1 + 1e-6, 2.0)),
        (
            ParetoNBD(0.3, 4.0, 1 - 1e-6, 9.0),
            ParetoNBD(0.3, 4.0, 1.0, 9.0),
            ParetoNBD(0.3, 4.0, 1 + 1e-6, 9.0),
        ),
        (BGBB(1.0, 1.0, 1 - 1e-6, 2.0), BGBB(1.0, 1.0, 1.0, 2.0), BGBB(1.0, 1.0, 1 + 1e-6, 2.0)),
    ):
        middle = (below.expected_purchases(20.0) + above.expected_purchases(20.0)) / 2
        assert float(at.expected_purchases(20.0)) == pytest.approx(float(middle), rel=1e-9)


positive = st.floats(0.05, 20.0)


@settings(deadline=None, max_examples=60)
@given(positive, positive, positive, positive, st.floats(0.01, 100.0))
def test_predictions_do_not_depend_on_the_unit_of_time(r, alpha, a, b, factor):
    x, t_x, age = np.array([0.0, 1.0, 5.0]), np.array([0.0, 2.0, 11.0]), np.array([3.0, 9.0, 11.0])
    for one, other in (
        (BGNBD(r, alpha, a, b), BGNBD(r, alpha * factor, a, b)),
        (MBGNBD(r, alpha, a, b), MBGNBD(r, alpha * factor, a, b)),
        (ParetoNBD(r, alpha, a, b), ParetoNBD(r, alpha * factor, a, b * factor)),
    ):
        scaled = (x, t_x * factor, age * factor)
        assert other.p_alive(*scaled) == pytest.approx(one.p_alive(x, t_x, age), rel=1e-9)
        later = other.conditional_expectation(7.0 * factor, *scaled)
        assert later == pytest.approx(one.conditional_expectation(7.0, x, t_x, age), rel=1e-9)
        jacobian = -x.sum() * np.log(factor)
        changed = other.log_likelihood(rows_of(*scaled)) - one.log_likelihood(rows_of(x, t_x, age))
        assert changed == pytest.approx(jacobian, rel=1e-7, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(positive, positive, positive, positive)
def test_longer_silence_never_makes_a_customer_more_alive(r, alpha, a, b):
    age = np.linspace(10.0, 300.0, 12)
    for model in (BGNBD(r, alpha, a, b), MBGNBD(r, alpha, a, b), ParetoNBD(r, alpha, a, b)):
        alive = model.p_alive(np.full(12, 3.0), np.full(12, 10.0), age)
        assert (np.diff(alive) <= 1e-12).all()
        assert ((alive >= 0) & (alive <= 1)).all()


@settings(deadline=None, max_examples=60)
@given(*[st.floats(-8.0, 8.0).map(np.exp)] * 4)
def test_the_corners_of_the_search_give_numbers(r, alpha, a, b):
    for model in (
        BGNBD(r, alpha, a, b),
        MBGNBD(r, alpha, a, b),
        ParetoNBD(r, alpha, a, b),
        BGBB(r, alpha, a, b),
    ):
        x, t_x, age = np.array([0.0, 1.0, 9.0]), np.array([0.0, 4.0, 9.0]), np.array([9.0, 9.0, 9.0])
        mean = model.conditional_expectation(10.0, x, t_x, age)
        for values in (mean, model.dert(0.01, x, t_x, age), model.p_alive_later(10.0, x, t_x, age)):
            assert np.isfinite(values).all()
            assert (values >= 0).all()
        assert (model.conditional_variance(10.0, x, t_x, age) >= -1e-6 * (1 + mean**2)).all()


def test_rows_must_be_sorted():
    with pytest.raises(ValueError, match="sorted by x"):
        Rows(np.array([2.0, 1.0]), np.zeros(2), np.ones(2), np.ones(2))


def test_arrays_of_parameters_are_populations_of_one():
    both = ParetoNBD(np.array([0.5, 0.9]), np.array([9.0, 3.0]), np.array([0.6, 1.2]), np.array([12.0, 8.0]))
    each: list[PurchaseModel] = [ParetoNBD(0.5, 9.0, 0.6, 12.0), ParetoNBD(0.9, 3.0, 1.2, 8.0)]
    x, t_x, age = np.array([2.0, 3.0]), np.array([5.0, 9.0]), np.array([20.0, 30.0])
    for method, argument in (("conditional_expectation", 8.0), ("dert", 0.01), ("p_alive_later", 8.0)):
        got = getattr(both, method)(argument, x, t_x, age)
        wanted = [
            float(getattr(model, method)(argument, x[i], t_x[i], age[i])[0]) for i, model in enumerate(each)
        ]
        assert got == pytest.approx(wanted, rel=1e-10)
