"""Customer equity against published cases (tests/golden/equity.yaml), identities and bad input."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from metrics import equity
from metrics.budget import EquityTest, Response
from metrics.equity import Drivers, customer_equity, elasticities, lifetime_value, multiple, tornado, what_if
from metrics.equity_statement import Programme, Statement, hughes_table, programme_effect
from metrics.migration import best_policy, mailing_rewards, migration_value, recency_chain, transition_rates
from metrics.payback import break_even_acquisition_cost, payback_by_channel, payback_period
from metrics.reasons import FrameProblem, Reason

CASES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "equity.yaml").read_text())


def cases(name):
    return pytest.mark.parametrize("case", CASES[name], ids=lambda case: case["case"])


@cases("lifetime_value")
def test_lifetime_value(case):
    assert lifetime_value(**case["given"]).value == pytest.approx(case["wanted"], abs=case["digits"])


@cases("break_even_retention")
def test_break_even_retention(case):
    got = equity.break_even_retention(**case["given"]).value
    assert got == pytest.approx(case["wanted"], abs=case["digits"])
    margin, discount = case["given"]["margin"], case["given"]["discount"]
    assert lifetime_value(margin, got, discount).value == pytest.approx(case["given"]["value"])


@cases("retention_elasticity")
def test_retention_elasticity(case):
    assert elasticities(**case["given"]).retention == pytest.approx(case["wanted"], abs=case["digits"])


@cases("berger_nasr")
def test_berger_nasr(case):
    assert equity.berger_nasr(**case["given"]) == pytest.approx(case["wanted"], abs=case["digits"])


@cases("berry")
def test_berry(case):
    assert equity.berry(**case["given"]).value == pytest.approx(case["wanted"], abs=case["digits"])


@cases("net_present_value")
def test_net_present_value(case):
    assert equity.net_present_value(**case["given"]) == pytest.approx(case["wanted"], abs=case["digits"])


@cases("migration")
def test_migration(case):
    rewards = mailing_rewards(len(case["rates"]), case["contribution"], case["cost"])
    values = migration_value(recency_chain(case["rates"]), rewards, case["discount"], case.get("periods"))
    assert values == pytest.approx(case["wanted"], abs=case["digits"])


@cases("statement")
def test_statement_reconciles(case):
    names = ("existing", "lost", "new", "acquisition_cost", "retention_cost")
    lines = {name: Decimal(case[name]) for name in names}
    statement = Statement(opening=Decimal("400"), **lines, closing=Decimal(case["wanted"]))
    assert statement.before_marketing == Decimal(case["before"])
    assert statement.result == Decimal(case["wanted"])
    assert statement.reason is None
    table = statement.lines()
    steps = table.filter(~pl.col("total"))["amount"].sum()
    assert Decimal("400") + steps == table["amount"][-1] == Decimal(case["wanted"])


@cases("hughes")
def test_discount_factor_of_hughes_is_rounded_or_exact(case):
    programme = Programme(
        customers=1, years=3, retention=[1], orders=[1], order_value=[case["profit"]], cost_rate=[0],
        discount=0.08, risk_factor=2, round_discount=case["round_discount"],
    )  # fmt: skip
    assert hughes_table(programme)["npv"][2] == pytest.approx(case["wanted"], abs=case["digits"])


def test_multiples_of_the_printed_table():
    table = CASES["multiples"]
    got = [[multiple(r, i).value for i in table["discount"]] for r in table["retention"]]
    assert np.array(got) == pytest.approx(np.array(table["wanted"]), abs=0.0051)


rates = st.floats(0.01, 0.99)
discounts = st.floats(0.001, 0.5)


@given(rates, discounts, st.floats(0.1, 1000))
def test_conventions_differ_by_one_margin(retention, discount, margin):
    end, begin, certain = (
        lifetime_value(margin, retention, discount, convention).value
        for convention in ("end", "begin", "certain_end")
    )
    assert begin == pytest.approx(end + margin, rel=1e-9)
    assert end == pytest.approx(retention * certain, rel=1e-9)


@given(rates, discounts, st.sampled_from(["end", "begin", "certain_end"]))
def test_many_periods_are_the_limit(retention, discount, convention):
    many = multiple(retention, discount, convention, periods=5000).value
    assert many == pytest.approx(multiple(retention, discount, convention).value, rel=1e-3)
    assert equity.break_even_retention(many * 7, 7, discount, convention).value == pytest.approx(
        retention, abs=0.02
    )


@given(rates, discounts, st.sampled_from(["end", "begin", "certain_end"]), st.floats(0, 0.5))
def test_elasticities_are_derivatives(retention, discount, convention, cost):
    base = lifetime_value(1.0, retention, discount, convention, acquisition_cost=cost).value
    got = elasticities(retention, discount, convention, acquisition_cost=cost)
    if base <= 0.01:
        return
    step = 1e-6
    at = {"retention": retention, "discount": discount, "margin": 1.0, "acquisition_cost": cost}

    def value(**changed):
        merged = {**at, **changed}
        return lifetime_value(
            merged["margin"], merged["retention"], merged["discount"], convention,
            acquisition_cost=merged["acquisition_cost"],
        ).value  # fmt: skip

    for name, now in at.items():
        slope = (value(**{name: now * (1 + step)}) - value(**{name: now * (1 - step)})) / (2 * step * base)
        assert getattr(got, name) == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (multiple(1.0, 0.0), "no_end"),
        (multiple(0.99, 0.0, growth=0.05), "no_end"),
        (multiple(1.2, 0.1), "impossible_rate"),
        (multiple(0.8, -0.1), "impossible_rate"),
        (equity.expected_periods(1.0), "no_end"),
        (equity.break_even_retention(100, -5, 0.1), "no_value"),
        (equity.break_even_retention(1, 5, 0.1, "begin"), "out_of_reach"),
        (payback_period(10, [-1, -2, -3]), "never_positive"),
        (payback_period(10, [1, 2, 3]), "not_paid_back"),
        (payback_period(10, []), "never_positive"),
        (what_if(Drivers(10, 0.8, 0.1, 1, 1), {"retntion": 0.9}), "unknown_driver"),
    ],
)
def test_what_cannot_be_computed_has_a_named_reason(answer, code):
    assert answer.value is None
    assert answer.reason.code == code
    assert ". " in answer.reason.text


def test_limits_that_can_be_computed():
    assert multiple(1.0, 0.1).value == pytest.approx(10.0)
    assert multiple(0.8, 0.0).value == pytest.approx(4.0)
    assert multiple(0.0, 0.1).value == 0.0
    assert multiple(1.0, 0.0, periods=12).value == pytest.approx(12.0)
    assert equity.expected_periods(0.6).value == pytest.approx(2.5)
    assert elasticities(0.5, 0.1, margin=1, acquisition_cost=5).code == "no_positive_value"
    assert elasticities(1.0, 0.0).code == "no_end"


def test_rates_per_period():
    assert equity.per_period(0.12, 12, "discount") == pytest.approx(1.12 ** (1 / 12) - 1)
    assert equity.per_period(0.8, 12, "retention") ** 12 == pytest.approx(0.8)


SEGMENT = Drivers(10_000, 0.7, 0.1, 2, 200, 0.5, cost_to_serve=40, acquired=500, acquisition_cost=100)


def test_customer_equity_is_existing_and_new():
    got = customer_equity(SEGMENT)
    assert got.existing == pytest.approx(2_800_000)
    assert got.new == pytest.approx(500 * (160 * 1.1 / 0.4 - 100) / 1.1)
    assert got.total == got.existing + got.new


@pytest.mark.parametrize(
    ("scenario", "change"),
    [
        ({"retention": 0.75}, 628571.43),
        ({"orders": 2.3}, 525000.0),
        ({"margin_rate": 0.52}, 140000.0),
        ({"cost_to_serve": 35.0}, 87500.0),
        ({"retention": 0.75, "orders": 2.3, "margin_rate": 0.52, "cost_to_serve": 35.0}, 1575714.29),
    ],
)
def test_scenarios_move_existing_equity(scenario, change):
    existing = Drivers(10_000, 0.7, 0.1, orders=2, order_value=200, margin_rate=0.5, cost_to_serve=40)
    assert what_if(existing, scenario).value == pytest.approx(change, abs=0.01)


def test_tornado_is_widest_first_and_agrees_with_the_elasticities():
    table = tornado(Drivers(1000, 0.8, 0.1, orders=1, order_value=100))
    assert table["driver"][0] == "retention"
    slopes = dict(table.select("driver", "elasticity").iter_rows())
    exact = elasticities(0.8, 0.1)
    assert slopes["retention"] == pytest.approx(exact.retention, rel=1e-2)
    assert slopes["order_value"] == pytest.approx(1.0, rel=1e-9)
    assert slopes["discount"] == pytest.approx(exact.discount, rel=1e-2)
    assert tornado(Drivers(10, 1.0, 0.0, 1, 1)).code == "no_end"


def test_more_retention_destroys_value_where_customers_lose_money():
    losing = Drivers(1000, 0.7, 0.1, orders=1, order_value=10, cost_to_serve=20)
    assert what_if(losing, {"retention": 0.8}).value < 0


def test_what_if_has_an_interval_from_the_retention_rate():
    draws = np.random.default_rng(0).normal(0.7, 0.01, 500)
    change = what_if(SEGMENT, {"retention": 0.72}, draws)
    assert change.lower < change.value < change.upper
    assert what_if(SEGMENT, {}, draws).value == 0


def test_stopping_the_mailing_pays():
    rates_, contribution, cost, discount = (0.3, 0.2, 0.15, 0.05), 40, 4, 0.2
    policy = best_policy(rates_, contribution, cost, discount)
    assert policy.mail_until == 3
    assert policy.values[0] == pytest.approx(
        migration_value(recency_chain(rates_[:3]), mailing_rewards(3, contribution, cost), discount)[0]
    )
    assert policy.values[0] == pytest.approx(53.1494, abs=1e-4)
    saved = mailing_rewards(4, contribution, cost)
    saved[3] = 0.0  # orders still come without the last mailing
    assert migration_value(recency_chain(rates_), saved, discount)[0] == pytest.approx(54.179, abs=1e-3)


def test_migration_is_the_sum_of_its_periods():
    rng = np.random.default_rng(3)
    P, R = rng.dirichlet(np.ones(4), 4) * 0.9, rng.normal(size=4)
    series = sum(np.linalg.matrix_power(P / 1.1, t) @ R for t in range(400))
    assert migration_value(P, R, 0.1) == pytest.approx(series, rel=1e-9)
    assert migration_value(P, R, 0.1, 3) == pytest.approx(
        sum(np.linalg.matrix_power(P / 1.1, t) @ R for t in range(4)), rel=1e-12
    )


@pytest.mark.parametrize(
    ("transitions", "discount", "code"),
    [
        ([[1.2]], 0.1, "impossible_transitions"),
        ([[1.0, 0.0]], 0.1, "impossible_transitions"),
        ([[1.0]], 0.0, "no_end"),
    ],
)
def test_impossible_migrations_are_named(transitions, discount, code):
    with pytest.raises(FrameProblem) as problem:
        migration_value(np.array(transitions), [1.0], discount)
    assert problem.value.reason.code == code


def test_transition_rates_count_those_who_left():
    moves = pl.DataFrame({"before": ["A", "A", "B"], "after": ["A", None, "A"], "customers": [60, 40, 5]})
    assert transition_rates(moves)["rate"].sum() == pytest.approx(2.0)
    assert transition_rates(moves).filter(pl.col("after").is_null())["rate"].to_list() == [0.4]


def test_optimal_budget_has_equal_margins():
    # Blattberg & Deighton: at the optimum the last customer won costs what he is worth.
    test = EquityTest(
        margin=60.0, discount=0.2,
        acquisition=Response.through(spend=5, rate=0.1, ceiling=0.4),
        retention=Response.through(spend=10, rate=0.4, ceiling=0.7),
    )  # fmt: skip
    best = test.optimum()
    assert test.acquisition.rate(5) == pytest.approx(0.1)
    assert test.acquisition.marginal_cost(best.acquisition_spend) == pytest.approx(
        best.customer_value, rel=1e-6
    )
    grid = [test.at(a, r).equity for a in np.linspace(0, 60, 61) for r in np.linspace(0, 60, 61)]
    assert best.equity >= max(grid)
    assert best.equity == pytest.approx(max(grid), rel=0.01)


def test_no_budget_for_customers_who_bring_nothing():
    response = Response(ceiling=0.5, efficiency=0.01)
    best = EquityTest(margin=1.0, discount=0.2, acquisition=response, retention=response).optimum()
    assert (best.acquisition_spend, best.retention_spend, best.equity) == (0.0, 0.0, 0.0)
    with pytest.raises(FrameProblem):
        Response.through(spend=5, rate=0.5, ceiling=0.4)


def test_statement_off_by_a_cent_says_so():
    statement = Statement(*map(Decimal, ("100", "110", "5", "20", "7", "3")), closing=Decimal("115.01"))
    assert statement.result == Decimal("115")
    assert statement.unexplained == Decimal("0.01")
    assert statement.reason.code == "not_reconciled"
    assert "0.01" in statement.reason.text


@given(st.lists(st.decimals(-(10**9), 10**9, places=4), min_size=6, max_size=6))
def test_statement_is_exact(amounts):
    table = Statement(*amounts).lines()
    signed = dict(table.select("line", "amount").iter_rows())
    parts = ("opening", "change_of_existing", "lost", "new", "acquisition_cost", "retention_cost")
    assert sum(signed[part] for part in parts) == signed["closing"]


def test_hughes_table_follows_the_customers():
    # Ron's Cleaners: 1,000 customers, $150 a year, retention 50, 55, 60, 65 %
    retention = [0.5, 0.55, 0.6, 0.65]
    cleaners = Programme(1000, 5, retention, [1], [150], [0.5], acquisition_cost=20, discount=0.1)
    table = hughes_table(cleaners)
    assert table["customers"].to_list() == pytest.approx([1000, 500, 275, 165, 107.25])
    assert table["revenue"][0] == 150_000
    assert table["profit"][0] == 150_000 - 75_000 - 20_000
    assert table["lifetime_value"][-1] == pytest.approx(table["npv"].sum() / 1000)


def test_hughes_discount_factors():
    flat = Programme(1, 3, [1], [1], [100], [0], discount=0.08, risk_factor=2, round_discount=2)
    assert hughes_table(flat)["discount_factor"].to_list() == [1.0, 1.16, 1.35]


def test_programme_effect_counts_referrals():
    without = Programme(1000, 3, [0.4], [2], [50], [0.5], discount=0.08, risk_factor=2)
    programme = Programme(
        1000, 3, [0.5], [2.2], [55], [0.5], marketing_cost=[4], referral=[0.05], discount=0.08, risk_factor=2
    )
    table = programme_effect(without, programme)
    assert hughes_table(programme)["referred"].to_list() == pytest.approx([0.0, 50.0, 27.5])
    assert (table["gain"] == table["with_programme"] - table["without"]).all()
    assert table["total_gain"][2] == pytest.approx(1000 * table["gain"][2])
    with pytest.raises(FrameProblem):
        Programme(1000, 4, [0.5, 0.6], [2], [50], [0.5])


def test_payback():
    assert payback_period(100, [40, 40, 40]).value == 3
    assert payback_period(100, [40, 40, 40], discount=0.2).reason.code == "not_paid_back"
    assert payback_period(0, []).value == 0
    assert break_even_acquisition_cost([110, 121], 0.1) == pytest.approx(200)


def test_payback_by_channel():
    channels = pl.DataFrame(
        {"channel": ["Web", "Ads"], "customers": [10, 20], "acquisition_cost": [30.0, 90.0]}
    )
    margins = pl.DataFrame(
        {"channel": ["Web"] * 3 + ["Ads"] * 3, "month": [1, 2, 3] * 2, "margin": [20.0, 20, 20] * 2}
    )
    table = payback_by_channel(channels, margins)
    assert table["channel"].to_list() == ["Ads", "Web"]
    assert table["payback_month"].to_list() == [None, 2]
    assert table["break_even_cost"].to_list() == [60.0, 60.0]
    assert table["net_value"].to_list() == [-30.0, 30.0]
    assert "3 periods" in table["reason"][0]
    assert payback_by_channel(channels.clear(), margins).is_empty()


def test_reasons_read_as_sentences():
    assert str(Reason("code", "Fault. What to do")) == "Fault. What to do"
