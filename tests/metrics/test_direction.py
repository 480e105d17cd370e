"""What leads what: statsmodels, planted directions, nothing where nothing is planted, short panels."""

import numpy as np
import polars as pl
import pytest
from statsmodels.api import OLS

from metrics.crossbuying import basket_rows
from metrics.direction import _fitted, directions, panel, periods_until
from metrics.periods import Calendar, Grain
from metrics.reasons import Reason


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


def test_each_planted_direction_is_found_and_the_other_is_not():
    found = directions(simulated(2, loyalty=0.5))
    assert [lead.p_value < 0.001 for lead in found] == [True, False]
    assert found[0].effects[0] == pytest.approx(0.5, abs=0.1)
    found = directions(simulated(3, breadth=0.4))
    assert [lead.p_value < 0.001 for lead in found] == [False, True]


def test_nothing_is_found_where_nothing_is():
    """Twenty seeds, two tests each at 5 %: the chance of more than six is below 0.4 %."""
    seeds = [directions(simulated(seed, customers=200, periods=12)) for seed in range(20)]
    assert sum(lead.p_value < 0.05 for found in seeds for lead in found) <= 6


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
