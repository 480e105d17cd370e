"""Values over real months, their intervals, and the gates before them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad

from metrics.lifetime.bgbb import BGBB
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.fitting import Fit
from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.gates import Thresholds, cautions, gates
from metrics.lifetime.history import compress, period_history, times
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.paretonbd import ParetoNBD
from metrics.lifetime.uncertainty import customer_intervals, segment_intervals
from metrics.lifetime.values import Terms, customer_values, months_after
from metrics.reasons import FrameProblem

PARETO = ParetoNBD(0.9, 6.0, 1.2, 20.0)
SPEND = GammaGamma(6.0, 4.0, 15.0)
AS_OF = date(2024, 1, 31)
HISTORIES = pl.DataFrame(
    {
        "customer": ["a", "b", "c", "d"],
        "frequency": [0, 3, 12, 1],
        "recency_days": [0, 200, 350, 3],
        "age_days": [300, 210, 360, 364],
        "mean_spend": [None, 40.0, 10.0, -5.0],
    }
)


def test_months_are_real():
    terms = Terms(AS_OF, months=12)
    assert terms.ends[0] == date(2024, 2, 29)
    assert terms.ends[-1] == date(2025, 1, 31)
    assert terms.horizon * 7 == 366
    assert Terms(date(2025, 1, 31), months=12).horizon * 7 == 365
    assert months_after(date(2023, 12, 31), 2) == date(2024, 2, 29)


def test_yearly_discount_becomes_continuous():
    terms = Terms(AS_OF, annual_discount=0.15)
    assert terms.delta == pytest.approx(0.0027, abs=3e-5)  # 15 % a year by the week
    assert np.exp(-terms.delta * 365.2425 / 7) == pytest.approx(1 / 1.15)
    _, factors = terms.steps()
    assert factors[-1] == pytest.approx(1.15 ** (-366 / 365.2425))
    assert Terms(AS_OF, annual_discount=0.15, convention="begin").steps()[1][0] == 1.0


@pytest.mark.parametrize("terms", [{"annual_discount": -0.1}, {"months": 0}])
def test_impossible_terms_are_named(terms):
    with pytest.raises(FrameProblem, match=r"\. Change"):
        Terms(AS_OF, **terms)


def test_values_are_margin_times_spend_times_discounted_orders():
    terms = Terms(AS_OF, months=3, annual_discount=0.2, margin=0.4)
    values = customer_values(HISTORIES, PARETO, SPEND, terms)
    x, t_x, age = times(HISTORIES)
    spend = SPEND.expected_spend(x, HISTORIES["mean_spend"].fill_null(0).to_numpy())
    days = [29, 60, 90]
    cumulative = [PARETO.conditional_expectation(d / 7, x, t_x, age) for d in days]
    monthly = np.diff(cumulative, axis=0, prepend=np.zeros((1, 4)))
    discounted = sum(part * 1.2 ** (-d / 365.2425) for part, d in zip(monthly, days, strict=True))
    assert values["expected_orders"].to_numpy() == pytest.approx(cumulative[-1], rel=1e-12)
    assert values["value"].to_numpy() == pytest.approx(0.4 * spend * discounted, rel=1e-12)
    assert values["p_order"].to_numpy() == pytest.approx(
        1 - PARETO.conditional_pmf(0, 90 / 7, x, t_x, age), rel=1e-9
    )
    assert values["p_alive_later"].to_numpy() == pytest.approx(
        PARETO.p_alive_later(90 / 7, x, t_x, age), rel=1e-9
    )
    assert values["customer"].to_list() == ["a", "b", "c", "d"]


def test_residual_value_is_the_limit_of_long_horizons():
    terms = Terms(AS_OF, months=1200, annual_discount=0.3)
    values = customer_values(HISTORIES, PARETO, SPEND, terms)
    ratio = (values["residual_value"] / values["value"]).to_numpy()
    assert ratio == pytest.approx(1.3 ** (0.5 / 12), rel=5e-3)  # by the month's end against at once


def test_scaling_identities():
    def total(**terms):
        return customer_values(HISTORIES, PARETO, SPEND, Terms(AS_OF, **terms))["value"].sum()

    assert total(months=2, annual_discount=0.0) == pytest.approx(
        2 * total(months=1, annual_discount=0.0), rel=0.07
    )
    monthly_double = 2.0**12 - 1  # a discount rate of 100 % a month
    assert total(months=1, annual_discount=monthly_double) == pytest.approx(
        total(months=1, annual_discount=0.0) / 2, rel=0.05
    )
    begin = total(months=1, annual_discount=monthly_double, convention="begin")
    assert begin == pytest.approx(total(months=1, annual_discount=0.0), rel=1e-12)


def test_endless_residual_value_is_null_and_finite_values_stay():
    values = customer_values(HISTORIES, BGNBD(0.9, 6.0, 0.6, 2.0), SPEND, Terms(AS_OF, annual_discount=0.0))
    assert values["residual_value"].null_count() == 4
    assert values["value"].null_count() == 0


def test_without_a_spend_model_orders_remain():
    values = customer_values(HISTORIES, PARETO, None, Terms(AS_OF))
    assert values["value"].null_count() == 4
    assert values["expected_orders"].null_count() == 0


@pytest.mark.parametrize(
    "model", [PARETO, BGNBD(1.0, 5.0, 1.0, 2.0), MBGNBD(1.0, 5.0, 1.0, 2.0), BGBB(1, 1, 1, 2)]
)
def test_no_customers_give_no_rows(model):
    values = customer_values(HISTORIES.clear(), model, SPEND, Terms(AS_OF))
    assert values.is_empty()
    assert values.schema == customer_values(HISTORIES, PARETO, SPEND, Terms(AS_OF)).schema


def test_next_order_is_due_by_even_odds():
    values = customer_values(HISTORIES, PARETO, SPEND, Terms(AS_OF))
    due = dict(zip(values["customer"], values["next_order_on"], strict=True))
    r, alpha = 0.9 + 12, 6.0 + 360 / 7
    wait = alpha * (2 ** (1 / r) - 1)
    assert quad(lambda t: r / alpha * (1 + t / alpha) ** (-r - 1), 0, wait)[0] == pytest.approx(0.5)
    assert due["c"] == AS_OF + timedelta(days=int(np.ceil(wait * 7)))
    assert due["a"] is None  # more likely gone
    assert values.schema["next_order_on"] == pl.Date


def test_discrete_model_runs_on_calendar_months():
    rng = np.random.default_rng(0)
    days = [date(2023, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 400, 3000)]
    orders = pl.DataFrame({"customer": rng.integers(0, 300, 3000), "ordered_on": days, "net_amount": 10.0})
    histories = period_history(orders, AS_OF, "month")
    x, t_x, seen = times(histories, "month")
    assert np.allclose(seen, np.rint(seen))
    assert (seen.max(), (x <= t_x + 1e-9).all()) == (12.0, True)
    one = orders.filter(pl.col("customer") == histories["customer"][0])["ordered_on"]
    months = {(d.year, d.month) for d in one if d <= AS_OF}
    assert x[0] == len(months) - 1
    fit = BGBB.fit(compress(histories, "month"))
    values = customer_values(histories, fit.model, None, Terms(AS_OF, unit="month"))
    assert values["expected_orders"].to_numpy() == pytest.approx(
        fit.model.conditional_expectation(12.0, x, t_x, seen), rel=1e-9
    )
    assert (
        period_history(orders, AS_OF - timedelta(days=1), "month")["age_days"].max()
        < histories["age_days"].max()
    )


@pytest.fixture(scope="module")
def population(simulated):
    rows = simulated("Pareto/NBD", (0.9, 6.0, 1.2, 20.0), 3000, seed=1)
    rng = np.random.default_rng(1)
    mean = (
        rng.gamma(6.0 * np.maximum(rows.x, 1)) / rng.gamma(4.0, 1 / 15.0, len(rows)) / np.maximum(rows.x, 1)
    )
    return pl.DataFrame(
        {
            "customer": np.arange(len(rows)),
            "frequency": rows.x.astype(int),
            "recency_days": rows.t_x * 7,
            "age_days": rows.T * 7,
            "mean_spend": np.where(rows.x > 0, mean, np.nan),
            "segment": np.where(np.arange(len(rows)) % 10 < 3, "North", "South"),
        }
    ).with_columns(pl.col("mean_spend").fill_nan(None))


def future(population, seed):
    """What these customers will do, drawn from the truth given their histories."""
    rng = np.random.default_rng(seed)
    x, t_x, age = times(population)
    alive = rng.random(len(x)) < PARETO.p_alive(x, t_x, age)
    counts = np.where(
        alive, PARETO.posterior(x, age).simulate(rng, Terms(AS_OF, months=6).horizon, (len(x),)), 0
    )
    return counts, SPEND.simulate(rng, counts, x, population["mean_spend"].fill_null(0).to_numpy())


def test_segment_intervals_cover_what_happens(population):
    fits = ParetoNBD.fit(compress(population)), GammaGamma.fit(population)
    table = segment_intervals(population, *fits, Terms(AS_OF, months=6), by="segment")
    assert table["segment"].to_list() == ["North", "South"]
    assert table["customers"].to_list() == [900, 2100]
    inside = []
    for seed in range(30):
        counts, spent = future(population, seed)
        for row in table.iter_rows(named=True):
            mine = (population["segment"] == row["segment"]).to_numpy()
            inside += [
                row["orders_lower"] <= counts[mine].sum() <= row["orders_upper"],
                row["value_lower"] <= spent[mine].sum() <= row["value_upper"],
            ]
    assert np.mean(inside) >= 0.85


def test_segment_totals_are_sums_of_customers(population):
    fits = ParetoNBD.fit(compress(population)), GammaGamma.fit(population)
    terms = Terms(AS_OF, months=6, annual_discount=0.0, margin=0.3)
    table = segment_intervals(population, *fits, terms, by="segment", draws=20)
    values = customer_values(population, fits[0].model, fits[1].model, terms)
    totals = (
        values.with_columns(population["segment"])
        .group_by("segment")
        .agg(pl.col("expected_orders", "value").sum())
    )
    totals = totals.sort("segment")
    assert table["expected_orders"].to_list() == pytest.approx(totals["expected_orders"].to_list(), rel=1e-9)
    assert table["expected_value"].to_list() == pytest.approx(totals["value"].to_list(), rel=1e-9)
    whole = segment_intervals(population, *fits, terms, draws=20)
    assert whole["expected_orders"][0] == pytest.approx(table["expected_orders"].sum(), rel=1e-9)
    assert whole["segment"].to_list() == ["All"]


def test_intervals_are_the_same_twice_and_wider_when_surer(population):
    fits = ParetoNBD.fit(compress(population)), None
    terms = Terms(AS_OF, months=6)
    one = segment_intervals(population, *fits, terms, draws=50)
    assert one.equals(segment_intervals(population, *fits, terms, draws=50))
    wide = segment_intervals(population, *fits, terms, draws=50, level=0.99)
    assert wide["orders_lower"][0] < one["orders_lower"][0] < one["orders_upper"][0] < wide["orders_upper"][0]
    assert one["expected_value"][0] is None


def test_customer_intervals_cover_what_customers_do(population):
    fits = ParetoNBD.fit(compress(population)), GammaGamma.fit(population)
    sample = population.head(2500)
    table = customer_intervals(sample, *fits, Terms(AS_OF, months=6), draws=600)
    assert table["customer"].to_list() == sample["customer"].to_list()
    counts, spent = future(sample, 99)
    ordered = (table["orders_lower"].to_numpy() <= counts) & (counts <= table["orders_upper"].to_numpy())
    paid = (table["value_lower"].to_numpy() <= spent) & (spent <= table["value_upper"].to_numpy())
    assert 0.94 <= ordered.mean() <= 1.0  # counts are whole, so intervals cover more
    assert 0.94 <= paid.mean() <= 1.0


def test_no_model_gives_no_intervals(population):
    none: Fit[ParetoNBD] = ParetoNBD.fit(compress(population.clear()))
    assert segment_intervals(population, none, None, Terms(AS_OF)).is_empty()
    assert customer_intervals(population, none, None, Terms(AS_OF)).is_empty()


def test_gates_name_what_is_missing():
    codes = [reason.code for reason in gates(HISTORIES)]
    assert codes == ["few_customers", "few_repeat_buyers"]
    assert "4 customers have ordered; predictions need 500" in gates(HISTORIES)[0].text
    assert gates(HISTORIES, Thresholds(customers=4, repeat_buyers=3)) == ()
    assert [reason.code for reason in gates(HISTORIES.clear())] == ["few_customers"]
    late = HISTORIES.with_columns(age_days=pl.col("recency_days") + 31)
    assert "no_recent_order" in [reason.code for reason in gates(late)]
    young = HISTORIES.with_columns(recency_days=0, age_days=10)
    assert "short_history" in [reason.code for reason in gates(young)]


def test_one_time_buyers_are_a_caution_of_bgnbd_alone():
    (caution,) = cautions(BGNBD(1.0, 1.0, 1.0, 1.0), HISTORIES)
    assert caution.code == "one_time_buyers_alive"
    assert "1 customers" in caution.text or "the 1 " in caution.text
    assert cautions(MBGNBD(1.0, 1.0, 1.0, 1.0), HISTORIES) == ()
    assert cautions(PARETO, HISTORIES) == ()
