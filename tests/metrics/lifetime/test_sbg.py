"""sBG contracts: printed tables, recovery, limits."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.special import hyp2f1

from metrics.lifetime.sbg import (
    ShiftedBetaGeometric,
    cohort_contracts,
    contract_renewals,
    observed_survival,
)


@pytest.mark.parametrize(
    ("alpha", "beta", "printed", "exact"),
    [
        # Fader & Hardie (2010), table 3, discount 10 %; the second row's parameters are printed rounded.
        (3.80, 15.20, [3.31, 3.45, 3.59, 3.72, 3.84], [3.3098, 3.4510, 3.5865, 3.7168, 3.8421]),
        (0.067, 0.267, [7.68, 9.46, 9.86, 10.06, 10.19], [7.6708, 9.4553, 9.8508, 10.0562, 10.1886]),
    ],
)
def test_residual_lifetime_of_the_paper(alpha, beta, printed, exact):
    model = ShiftedBetaGeometric(alpha, beta)
    got = [model.residual_lifetime(renewals, 0.1).value for renewals in range(5)]
    assert got == pytest.approx(exact, abs=5.1e-5)
    assert got == pytest.approx(printed, abs=0.011)


def test_lifetimes_are_their_2f1_and_their_sums():
    model = ShiftedBetaGeometric(3.8, 15.2)
    assert model.expected_lifetime(0.1).value == pytest.approx(4.008925838, rel=1e-8)
    assert ShiftedBetaGeometric(0.067, 0.267).expected_lifetime(0.1).value == pytest.approx(
        7.97349, abs=5.1e-6
    )
    survival, t = model.survival(3000), np.arange(3001)
    assert model.expected_lifetime(0.1).value == pytest.approx((survival / 1.1**t).sum(), rel=1e-9)
    ahead = (survival[3:] / survival[2] / 1.1 ** t[:-3]).sum()
    assert model.residual_lifetime(2, 0.1).value == pytest.approx(ahead, rel=1e-9)
    elasticity = hyp2f1(1, 15.2 + 2, 3.8 + 15.2 + 2, 1 / 1.1)
    assert model.retention_elasticity(2, 0.1).value == pytest.approx(elasticity, rel=1e-9)


def test_retention_rises_and_multiplies_to_survival():
    model = ShiftedBetaGeometric(0.7, 1.2)
    assert (np.diff(model.retention(10)) > 0).all()
    assert np.cumprod(model.retention(10)) == pytest.approx(model.survival(10)[1:])


def test_without_discount_lifetimes_end_only_when_alpha_exceeds_one():
    endless, ending = ShiftedBetaGeometric(0.7, 1.2), ShiftedBetaGeometric(2.5, 4.0)
    assert endless.expected_lifetime(0.0).reason.code == "no_end"
    assert endless.expected_lifetime(-0.1).reason.code == "negative_discount"
    assert ending.expected_lifetime(0.0).value == pytest.approx((2.5 + 4.0 - 1) / 1.5)
    assert ending.expected_lifetime(1e-9).value == pytest.approx(
        ending.expected_lifetime(0.0).value, rel=1e-5
    )
    assert ending.residual_lifetime(3, 0.0).value == pytest.approx(
        ending.residual_lifetime(3, 1e-9).value, rel=1e-5
    )


def drawn(n, seed, alpha=0.8, beta=3.0):
    rng = np.random.default_rng(seed)
    life = rng.geometric(rng.beta(alpha, beta, n))
    seen = rng.integers(1, 13, n)
    return pl.DataFrame({"periods": np.minimum(life, seen), "ended": life <= seen})


def test_intervals_cover_the_truth_for_cohorts_of_any_age():
    covered = []
    for seed in range(20):
        fit = ShiftedBetaGeometric.fit(drawn(1500, seed))
        assert fit.status == "converged"
        covered.append(np.abs(np.log([0.8, 3.0]) - fit.point) < 1.96 * np.sqrt(np.diag(fit.covariance)))
    assert np.mean(covered) >= 0.85


def test_counts_and_contracts_give_the_same_fit():
    contracts = drawn(800, 1)
    counted = contracts.group_by("periods", "ended").agg(pl.len().alias("customers"))
    one, other = ShiftedBetaGeometric.fit(contracts), ShiftedBetaGeometric.fit(counted)
    assert one.model.parameters == pytest.approx(other.model.parameters, rel=1e-8)
    assert one.customers == other.customers == 800


def test_cohort_counts_become_contracts():
    table = cohort_contracts([100, 80, 70])
    assert table.rows() == [(1, True, 20.0), (2, True, 10.0), (2, False, 70.0)]


def contracts(*rows):
    schema = {"periods": pl.Int64, "ended": pl.Boolean, "customers": pl.Int64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (contracts(), "no_contracts"),
        (contracts((0, True, 5), (2, False, 5)), "impossible_history"),
        (contracts((1, True, -5), (2, True, 9), (2, False, 5)), "impossible_history"),
        (contracts((4, False, 50)), "no_losses"),
        (contracts((1, True, 50)), "identical_customers"),
    ],
)
def test_bad_input_gives_a_named_reason(frame, code):
    fit = ShiftedBetaGeometric.fit(frame)
    assert (fit.model, fit.reason.code) == (None, code)


def test_constant_churn_is_a_ridge_in_plain_words():
    survivors = [round(100_000 * 0.8**t) for t in range(6)]
    fit = ShiftedBetaGeometric.fit(cohort_contracts(survivors))
    assert fit.status in ("at a bound", "not identified")
    assert "how customers differ in their churn" in fit.message
    assert fit.model.survival(5) == pytest.approx(0.8 ** np.arange(6), rel=1e-3)


AS_OF = date(2024, 7, 1)


def test_renewals_of_contracts_by_hand():
    rows = pl.DataFrame(
        [
            ("a", date(2024, 1, 1), None, "month"),  # runs: six months
            ("b", date(2024, 1, 1), date(2024, 3, 1), "month"),  # a change of plan is no end
            ("b", date(2024, 3, 1), date(2024, 5, 1), "month"),
            ("c", date(2024, 6, 1), date(2024, 6, 5), "month"),  # left at the first renewal
            ("d", date(2023, 1, 1), date(2025, 1, 1), "year"),  # still runs on the as-of day
            ("e", date(2024, 8, 1), None, "month"),  # not there yet
        ],
        schema=["subscription_id", "started_on", "ended_on", "billing_period"],
        orient="row",
    )
    found = contract_renewals(rows, AS_OF)
    assert found.rows() == [("a", 5, False), ("b", 4, True), ("c", 1, True), ("d", 1, False)]


def test_observed_survival_is_kaplan_and_meier_by_hand():
    """A cohort of ten: two leave at the first renewal, one of the six who come to the second, none later."""
    contracts = pl.DataFrame(
        {"periods": [1, 1, 1, 1, 2, 2, 3, 3, 3, 3], "ended": [True] * 2 + [False] * 2 + [True] + [False] * 5}
    )
    assert observed_survival(contracts) == pytest.approx([1, 0.8, 0.8 * 5 / 6])  # four at the third: too few
    assert observed_survival(contracts.clear()).tolist() == [1.0]
