"""Published figures on public data. The comment beside a figure names where it stands.

Eight-digit optima were derived apart from this code with another optimiser; they agree with what is printed.
"""

import numpy as np
import polars as pl
import pytest

from metrics.lifetime.bgbb import BGBB
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.gammagamma import GammaGamma, independence
from metrics.lifetime.history import times
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.paretonbd import ParetoNBD
from metrics.lifetime.sbg import ShiftedBetaGeometric, cohort_contracts

pytestmark = pytest.mark.realdata

OPTIMA = {
    BGNBD: ((0.24259452, 4.41360187, 0.79292206, 2.42590708), -9582.4292067),
    MBGNBD: ((0.52484311, 6.18308548, 0.89135945, 1.61400245), -9582.1357156),
    ParetoNBD: ((0.55327706, 10.57768361, 0.60624005, 11.66873696), -9594.9761789),
}
STARTS = [
    None,
    (0.01,) * 4,
    (10.0,) * 4,
    (0.1, 50.0, 50.0, 0.1),
    (100.0, 0.01, 0.01, 100.0),
    (5.0, 0.001, 3.0, 1000.0),
]
FREQUENT = (np.array([10.0, 15.0, 20.0, 25.0]), np.full(4, 20.0), np.full(4, 39.0))
BEST_CUSTOMER = (26.0, 30.857142857, 31.0)  # customer 1516


@pytest.fixture(scope="module")
def fits(cdnow_rows):
    return {model: model.fit(cdnow_rows) for model in OPTIMA}


def test_histories_are_those_of_the_papers(cdnow, cdnow_rows):
    assert (len(cdnow), cdnow["frequency"].sum(), len(cdnow_rows)) == (2357, 2457, 1016)
    assert cdnow_rows.customers == 2357


def test_histories_equal_the_published_summary(cdnow, real_data):
    published = pl.read_csv(real_data / "cdnow" / "cdnow_customers_summary.csv")
    x, t_x, age = times(cdnow.with_columns(pl.col("customer").cast(pl.Int64)).sort("customer"))
    assert (published["frequency"].to_numpy() == x).all()
    assert published["recency"].to_numpy() == pytest.approx(t_x, abs=0.006)
    assert published["T"].to_numpy() == pytest.approx(age, abs=0.006)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("model", OPTIMA, ids=lambda model: model.title)
def test_optimum_from_any_start(model, start, cdnow_rows):
    fit = model.fit(cdnow_rows, None if start is None else np.array(start))
    parameters, log_likelihood = OPTIMA[model]
    assert fit.status == "converged"
    assert fit.model.parameters == pytest.approx(parameters, rel=1e-6)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)


def test_standard_errors(fits):
    assert list(fits[BGNBD].standard_errors.values()) == pytest.approx(
        [0.012557, 0.378222, 0.185729, 0.705396], rel=1e-3
    )
    # CLVTools, test_correctness_pnbd_nocovstaticcov.R
    assert list(fits[ParetoNBD].standard_errors.values()) == pytest.approx(
        [0.0476264, 0.8427222, 0.1872594, 6.2105448], rel=5e-4
    )


def test_printed_parameters(fits):
    # Fader, Hardie & Lee (2005); CLVTools, test_correctness_bgnbd.R
    assert fits[BGNBD].model.parameters == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=5.1e-4)
    assert fits[BGNBD].model.parameters == pytest.approx(
        [0.2425945, 4.4136019, 0.7929199, 2.4258881], rel=1e-5
    )
    assert fits[ParetoNBD].model.parameters == pytest.approx([0.553, 10.578, 0.606, 11.669], abs=5.1e-4)
    assert fits[MBGNBD].model.parameters == pytest.approx(
        [0.525, 6.183, 0.891, 1.614], abs=5.1e-4
    )  # BTYDplus


def test_best_customer(fits):
    bg, pareto = fits[BGNBD].model, fits[ParetoNBD].model
    assert bg.conditional_expectation(52.0, *BEST_CUSTOMER)[0] == pytest.approx(25.75733655, rel=1e-6)
    assert bg.p_alive(*BEST_CUSTOMER) == pytest.approx(0.96885444, rel=1e-6)
    assert pareto.conditional_expectation(52.0, *BEST_CUSTOMER)[0] == pytest.approx(25.45518259, rel=1e-6)
    assert pareto.p_alive(*BEST_CUSTOMER)[0] == pytest.approx(0.99787340, rel=1e-6)
    assert pareto.dert(0.0027, *BEST_CUSTOMER)[0] == pytest.approx(86.024359, rel=1e-6)
    # The BTYD vignette, whose parameters stop short of the optimum.
    assert bg.conditional_expectation(52.0, *BEST_CUSTOMER)[0] == pytest.approx(25.75659, rel=1e-4)
    assert pareto.conditional_expectation(52.0, *BEST_CUSTOMER)[0] == pytest.approx(25.45647, rel=1e-4)


def test_new_customer(fits):
    t = np.array([1 / 7, 1, 3, 31.8571, 32, 78])
    eight_digits = [0.0078137, 0.0531843, 0.1506308, 1.0404901, 1.0437321, 1.8579584]
    assert fits[BGNBD].model.expected_purchases(t) == pytest.approx(eight_digits, rel=1e-6, abs=5.1e-8)
    # A spreadsheet of Hardie's, quoted by lifetimes in tests/test_estimation.py
    printed = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
    assert fits[BGNBD].model.expected_purchases(t) == pytest.approx(printed, abs=4e-4)
    assert fits[BGNBD].model.expected_purchases(52.0) == pytest.approx(1.44401243, rel=1e-6)
    assert fits[ParetoNBD].model.expected_purchases(52.0) == pytest.approx(1.47343423, rel=1e-6)
    manual = [
        0, 0.05077821, 0.09916088, 0.14542507, 0.18979930,
        0.23247466, 0.27361274, 0.31335159, 0.35181024, 0.38909211,
    ]  # fmt: skip  # the BTYD manual, with the parameters that it gives
    at_manual = ParetoNBD(0.55, 10.56, 0.61, 11.64).expected_purchases(np.arange(10.0))
    assert at_manual == pytest.approx(manual, abs=5.1e-9)


def test_increasing_frequency_paradox(fits):
    bg = fits[BGNBD].model.conditional_expectation(52.0, *FREQUENT)
    pareto = fits[ParetoNBD].model.conditional_expectation(52.0, *FREQUENT)
    assert bg == pytest.approx([0.3474838, 0.0428370, 0.0041593, 0.00035839], rel=2e-5)
    assert pareto == pytest.approx([0.7058884, 0.1441508, 0.0224901, 0.0030901], rel=2e-5)
    assert bg == pytest.approx([0.3474606, 0.04283391, 0.004158973, 0.0003583685], rel=3e-4)  # BTYD vignette
    assert pareto == pytest.approx([0.7062289, 0.1442396, 0.02250658, 0.00309267], rel=1.5e-3)


def test_gamma_gamma(cdnow):
    fit = GammaGamma.fit(cdnow)
    assert fit.customers == 946
    assert fit.model.parameters == pytest.approx([6.24957248, 3.74422479, 15.44352092], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(-4055.9176948, abs=1e-6)
    assert fit.model.population_mean == pytest.approx(35.170371, rel=1e-6)
    assert fit.excluded == {"no_repeat_orders": 1411, "no_positive_spend": 0}
    for start in ((0.01,) * 3, (100.0,) * 3, (0.1, 50.0, 500.0), (50.0, 1.1, 0.01), (1.0, 0.05, 100.0)):
        assert GammaGamma.fit(cdnow, np.array(start)).model.parameters == pytest.approx(
            fit.model.parameters, rel=1e-6
        )


def test_spend_of_the_first_customers(cdnow):
    printed = GammaGamma(6.25, 3.74, 15.44)
    first = cdnow.head(10)
    spend = printed.expected_spend(first["frequency"].to_numpy(), first["mean_spend"].to_numpy())
    # Fader & Hardie, note 025
    assert spend == pytest.approx(
        [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], abs=0.1
    )
    assert printed.expected_spend(np.array([2.0]), np.array([22.35]))[0] == pytest.approx(24.66371, abs=5e-6)
    repeaters = cdnow.filter(pl.col("frequency") > 0)["mean_spend"]
    summary = [repeaters.mean(), repeaters.std(), repeaters.min(), repeaters.median(), repeaters.max()]
    assert summary == pytest.approx([35.077848, 30.283506, 2.99, 27.4975, 299.633810], rel=1e-6)


def test_spend_depends_on_frequency_among_cdnow_customers(cdnow):
    test = independence(cdnow)
    assert test.reason.code == "spend_depends_on_frequency"
    assert 0.1 < test.lower < test.value < test.upper < 0.3


def test_probabilities_of_bgnbd():
    # The BTYD manual, quoted by lifetimes
    model = BGNBD(0.243, 4.414, 0.793, 2.426)
    assert float(model.pmf(10.0, 2.0)) == pytest.approx(1.07869e-07, rel=1e-5)
    assert float(model.pmf(0.0, 39.0)) == pytest.approx(0.5737864, rel=1e-6)
    eleven_to_twenty = [
        0.0019995214, 0.0015170236, 0.0011633150, 0.0009003148, 0.0007023638,
        0.0005517902, 0.0004361913, 0.0003467171, 0.0002769613, 0.0002222260,
    ]  # fmt: skip
    assert model.pmf(np.arange(11.0, 21.0), 30.0) == pytest.approx(eleven_to_twenty, rel=1e-6)
    # Hardie's spreadsheet: x = 2, t_x = 30.43, T = 38.86, t = 39
    customer = (39.0, 2.0, 30.43, 38.86)
    assert model.conditional_expectation(*customer)[0] == pytest.approx(1.2260282, rel=1e-6)
    best = BGNBD(*OPTIMA[BGNBD][0])
    assert best.conditional_expectation(*customer)[0] == pytest.approx(1.2259068, rel=1e-6)


def test_p_alive_of_a_customer_never_seen_again(fits):
    # The example of the R package BTYD (pnbd.PAlive), at its estimates, which stop short of the optimum
    assert fits[ParetoNBD].model.p_alive(0.0, 0.0, 39.0)[0] == pytest.approx(0.2941633, rel=5e-4)


def test_donations(donations):
    fit = BGBB.fit(donations)
    assert fit.customers == 11_104
    assert fit.model.parameters == pytest.approx([1.20352231, 0.74971634, 0.65671818, 2.78344227], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(-33225.5812743, abs=1e-6)
    for start in STARTS[1:]:
        assert BGBB.fit(donations, np.array(start)).model.parameters == pytest.approx(
            fit.model.parameters, rel=1e-6
        )


def test_donors_to_come(donations):
    model = BGBB.fit(donations).model
    # Hardie's spreadsheet of note 010
    expected = [0.4985, 0.9233, 1.2969, 1.6323, 1.9381, 2.2202, 2.4826, 2.7285, 2.9603, 3.1798, 3.3887]
    assert model.expected_purchases(np.arange(1.0, 12.0)) == pytest.approx(expected, abs=5.1e-5)
    assert model.expected_purchases(10.0) == pytest.approx(3.179805, rel=1e-5)  # BTYD vignette
    assert model.conditional_expectation(10.0, 0.0, 0.0, 6.0)[0] == pytest.approx(0.1302169, rel=1e-4)
    assert model.conditional_expectation(10.0, 4.0, 5.0, 6.0)[0] == pytest.approx(3.627858, rel=1e-4)
    x, t_x, seen = np.array([0.0, 2.0, 6.0]), np.array([0.0, 4.0, 6.0]), np.full(3, 6.0)
    assert model.p_alive_later(1.0, x, t_x, seen) == pytest.approx([0.11, 0.59, 0.93], abs=5.1e-3)  # table 6
    total = donations.weight @ model.conditional_expectation(5.0, donations.x, donations.t_x, donations.T)
    assert total == pytest.approx(12_884.2, abs=0.1)
    assert donations.customers * model.pmf(np.array([0.0, 6.0]), 6.0) == pytest.approx(
        [3454.9, 1253.1], abs=0.06
    )
    yearly = [
        5535.833,
        4717.059,
        4147.621,
        3724.665,
        3395.888,
        3131.647,
        2913.778,
        2730.482,
        2573.731,
        2437.854,
        2318.727,
    ]
    got = np.diff(donations.customers * model.expected_purchases(np.arange(12.0)))
    assert got == pytest.approx(yearly, rel=5e-5)  # BTYD vignette


SURVIVORS = {
    "regular": (
        (0.70407729, 1.18204300, -1680.2651885, 0.37329),
        [100, 62.67, 47.38, 38.80, 33.21, 29.23, 26.25, 23.90, 22.01, 20.44, 19.12, 17.99, 17.00],
        [22.3, 20.7, 19.4, 18.3, 17.3],
    ),
    "highend": (
        (0.66808837, 3.80609516, -1611.1581474, 0.14932),
        [100, 85.07, 74.69, 66.98, 60.99, 56.18, 52.22, 48.89, 46.04, 43.58, 41.42, 39.51, 37.80],
        [46.8, 44.5, 42.7, 40.9, 39.4],
    ),
}  # Fader & Hardie (2007): fit on years 0-7; shares still there in years 8-12


@pytest.mark.parametrize("cohort", SURVIVORS)
def test_contracts(cohort, real_data):
    rows = pl.read_csv(real_data / "sbg" / "pymcmarketing_sbg_cohorts.csv").filter(pl.col("cohort") == cohort)
    contracts = rows.select(
        periods=pl.when(pl.col("recency") < pl.col("T")).then("recency").otherwise(pl.col("T") - 1),
        ended=pl.col("recency") < pl.col("T"),
    )
    (alpha, beta, log_likelihood, churn), projected, actual = SURVIVORS[cohort]
    fit = ShiftedBetaGeometric.fit(contracts)
    assert fit.status == "converged"
    assert fit.model.parameters == pytest.approx([alpha, beta], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert fit.model.alpha / (fit.model.alpha + fit.model.beta) == pytest.approx(churn, abs=5.1e-6)
    assert 100 * fit.model.survival(12) == pytest.approx(projected, abs=0.0051)
    assert 100 * fit.model.survival(12)[8:] == pytest.approx(actual, rel=0.05)


def test_contracts_from_counts_of_the_paper():
    # Appendix B: of 1,000 high-end customers 131, 126, 90, 60, 42, 34, 26 left.
    survivors = 1000 - np.cumsum([0, 131, 126, 90, 60, 42, 34, 26])
    fit = ShiftedBetaGeometric.fit(cohort_contracts(survivors.tolist()))
    assert fit.model.parameters == pytest.approx([0.668, 3.806], abs=5.1e-4)
    assert fit.log_likelihood == pytest.approx(-1611.2, abs=0.05)
    assert fit.model.log_likelihood([131, 126, 90, 60, 42, 34, 26], 491) == pytest.approx(fit.log_likelihood)
