"""What leads what: statsmodels, size and power on simulated baskets, short panels."""

import numpy as np
import polars as pl
import pytest
from statsmodels.api import OLS

from metrics.crossbuying import basket_rows
from metrics.direction import _fitted, directions, panel, periods_until
from metrics.periods import Calendar, Grain
from metrics.reasons import Reason

FIRST = 2020 * 4


def simulated(seed, *, loyalty=0.0, breadth=0.0, customers=400, periods=14):
    """Customers with their own level of both; each may follow the other's last period."""
    rng = np.random.default_rng(seed)
    level, taste = rng.normal(1.5, 0.4, customers), rng.normal(0, 0.4, customers)
    rows, wide, busy = [], np.zeros(customers), np.zeros(customers)
    for period in range(periods):
        orders = np.exp(level + breadth * wide + rng.normal(0, 0.3, customers)).round()
        excess = taste + loyalty * busy + rng.normal(0, 0.5, customers)
        wide, busy = excess - taste, np.log1p(orders) - level
        rows.append({"customer": np.arange(customers), "orders": orders, "excess": excess, "period": period})
    frames = [
        pl.DataFrame({name: row[name] for name in ("customer", "orders", "excess")}).with_columns(
            period=pl.lit(row["period"], pl.Int32),
            lines=pl.lit(5.0),
            spend=pl.col("orders"),
            share=pl.lit(1.0),
        )
        for row in rows
    ]
    return pl.concat(frames).sort("customer", "period")


def test_effects_are_those_of_least_squares_with_dummies():
    """Oracle: statsmodels, with a dummy for every customer and errors clustered by customer."""
    rows = simulated(1, loyalty=0.5, customers=40)
    lagged = rows.with_columns(
        a=pl.col("orders").shift(1).over("customer"), b=pl.col("excess").shift(1).over("customer")
    ).drop_nulls()
    ours = _fitted(lagged, "excess", ["a", "b"])
    dummies = [
        lagged[name].cast(pl.String).to_dummies(drop_first=at > 0)
        for at, name in enumerate(("customer", "period"))
    ]
    design = np.hstack([lagged.select("a", "b").to_numpy(), *(each.to_numpy() for each in dummies)])
    fit = OLS(lagged["excess"].to_numpy(), design).fit(
        cov_type="cluster", cov_kwds={"groups": lagged["customer"].to_numpy(), "use_correction": False}
    )
    assert ours.effects == pytest.approx(fit.params[:2])
    groups = lagged["customer"].n_unique()
    assert ours.covariance == pytest.approx(fit.cov_params()[:2, :2] * groups / (groups - 1))


def baskets(seed, *, widening=0.0, loyal=0.0, customers=400, quarters=12):
    """Orders of customers with rates and tastes of their own, as `basket_rows` gives them.

    How busy a customer is and how far he strays from his taste rise and fall by themselves, seasons apart.
    `widening`: busy in one quarter, broader in the next; `loyal`: broader in one, busier in the next.
    """
    rng = np.random.default_rng(seed)
    level, strays = rng.normal(0.9, 0.5, customers), rng.normal(0.0, 0.5, customers)
    taste = rng.dirichlet(np.full(8, 0.6), customers)
    busy, wide, parts = np.zeros(customers), np.zeros(customers), []
    for quarter in range(quarters):
        shocks = rng.normal(0, 0.4, (2, customers))
        busy, wide = 0.5 * busy + loyal * wide + shocks[0], 0.5 * wide + widening * busy + shocks[1]
        season = 0.3 * np.sin(quarter * np.pi / 2)
        who = np.repeat(np.arange(customers), rng.poisson(np.exp(level + season + busy)))
        order = np.repeat(np.arange(len(who)), 1 + rng.poisson(1.0, len(who)))
        chance = taste ** np.exp(-strays - wide)[:, None]
        reach = (chance / chance.sum(axis=1, keepdims=True)).cumsum(axis=1)[who[order]]
        category = (rng.random(len(order))[:, None] > reach).sum(axis=1).clip(max=7)
        day = np.datetime64(Calendar().start(FIRST + quarter, Grain.QUARTER)) + rng.integers(0, 85, len(who))
        number = order + 1_000_000 * quarter
        parts.append(
            {"customer": who[order], "order": number, "ordered_on": day[order], "category": category}
        )
    lines = pl.concat(pl.DataFrame(part) for part in parts).cast(
        {"ordered_on": pl.Date, "category": pl.String}
    )
    held = lines.group_by(lines.columns, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("purchases"))
    return held.with_columns(gross_amount=100_000 * pl.col("purchases"))


def panels(seeds, quarters=12, **said):
    """The panels of simulated baskets, one a seed."""
    last = FIRST + quarters - 1
    return [panel(baskets(seed, quarters=quarters, **said), Calendar(), last) for seed in range(seeds)]


@pytest.fixture(scope="module")
def unlinked():
    """Sixty panels in which neither goes before the other."""
    return panels(60)


@pytest.mark.parametrize("loyalty", ["orders", "spend", "share"])
def test_without_a_link_five_per_cent_are_rejected(unlinked, loyalty):
    """Of 120 tests 6 are to be expected by chance; beyond 1 to 13 it would be chance in less than 1 %."""
    found = [lead for each in unlinked for lead in directions(each, loyalty)]
    assert 1 <= sum(lead.p_value < 0.05 for lead in found) <= 13
    assert sum(lead.foretells for lead in found) <= 9


def test_counts_that_grow_with_orders_would_be_taken_for_a_lead(unlinked):
    """What `excess` is for: with plain counts far more than 5 % of 40 tests find a lead that is not there."""
    plain = [each.with_columns(excess=pl.col("categories")) for each in unlinked[:20]]
    leads = [directions(each) for each in plain]
    assert sum(lead.p_value < 0.05 for pair in leads for lead in pair) > 8


@pytest.mark.parametrize(("planted", "place"), [("widening", 0), ("loyal", 1)])
def test_a_planted_direction_is_found_and_the_other_is_not(planted, place):
    """Over 20 seeds: power of 80 % or more, and the reverse foretold in no more than chance allows (4)."""
    found = [directions(each) for each in panels(20, **{planted: 0.3})]
    assert sum(pair[place].foretells for pair in found) >= 16
    assert sum(pair[1 - place].foretells for pair in found) <= 4


def test_short_panels_take_a_bias_that_the_correction_lessens():
    """The own past of a customer is underrated in a short panel; so is what goes with it."""
    found = [directions(simulated(seed, loyalty=0.5, periods=10))[0] for seed in range(5)]
    plain = np.mean([lead.effects[0] for lead in found])
    corrected = np.mean([lead.corrected[0] for lead in found])
    assert abs(corrected - 0.5) <= abs(plain - 0.5) + 0.02


def test_too_short_or_too_few_is_a_reason():
    short = directions(simulated(1, periods=6))
    assert isinstance(short, Reason)
    assert "8 periods" in short.text
    few = directions(simulated(1, customers=30))
    assert isinstance(few, Reason)
    assert "100 customers" in few.text


def test_the_panel_is_whole_from_the_first_order_on(shop_marts):
    rows = basket_rows(shop_marts)
    last = periods_until(shop_marts)
    assert last == 2024 * 4
    whole = panel(rows, Calendar(), last)
    counts = whole.group_by("customer").agg(n=pl.len(), first=pl.col("period").min())
    assert (counts["n"] == last - counts["first"] + 1).all()
    bought = rows.filter(pl.col("purchases") > 0, pl.col("ordered_on") <= Calendar().end(last, Grain.QUARTER))
    assert whole["lines"].sum() == bought["purchases"].sum()
    alike = whole.filter(pl.col("lines") > 0).group_by("lines", "orders").agg(pl.col("excess").mean())
    assert alike["excess"].abs().max() < 1e-9
