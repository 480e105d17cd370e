"""Targets, programmes, confidence, the balanced view; the draws against a real bootstrap."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from metrics.reasons import Reason
from metrics.scorecard import Impossible
from metrics.scorecard_drivers import MEASURED, PARTS, SUMS, drawn, driver_rows, measured, sizes
from metrics.scorecard_link import fitted_link
from metrics.scorecard_plan import Asked, Change, DriverPlan, OwnPlan, Plan, Where, merged
from metrics.scorecard_targets import (
    NO_LINK,
    Facts,
    Link,
    balance,
    current,
    priced,
    programmes,
    targets,
    totals,
)
from metrics.selection import Selection

END = date(2024, 6, 20)


def driver(name, **said):
    return DriverPlan(**{"driver": name, "label": name, "tag": "hard"} | said)


def measure(values, n=1000, segment="A"):
    rows = [
        (segment, name, float(value), n, value * 0.9, value * 1.1, value * 0.1)
        for name, value in values.items()
    ]
    return pl.DataFrame(rows, schema=MEASURED, orient="row")


WORKED = {
    "retention": 0.70,
    "categories": 2.0,
    "revenue_per_category": 200.0,
    "margin_rate": 0.5,
    "cost_to_serve": 40.0,
    "satisfaction": 5.0,
}
TARGETS = {"retention": 0.75, "categories": 2.3, "margin_rate": 0.52, "cost_to_serve": 35.0}


def facts(**said):
    segments = measure(WORKED)
    size = pl.DataFrame({"segment": ["A"], "customers": [10_000.0], "prospects": [0.0]})
    empty = segments.clear()
    usual = {
        "segments": segments,
        "peers": empty,
        "earlier": empty.with_columns(ends_on=pl.lit(None, pl.Date)),
        "sizes": size,
        "draws": {"A": {name: np.full(50, WORKED.get(name, np.nan)) for name in PARTS}},
    }
    return Facts(**usual | said)


def manual(**more):
    drivers = tuple(driver(name, basis="manual", target=target) for name, target in TARGETS.items())
    return Plan(drivers=drivers, **more)


def test_the_worked_segment_through_plan_and_facts():
    """2,800,000; 628,571 / 525,000 / 140,000 / 87,500; joint 1,575,714; Shapley 714,607 / 596,000 / ..."""
    table = priced(manual(), facts())
    rows = {row["driver"]: row for row in table.iter_rows(named=True)}
    assert [rows[name]["alone"] for name in TARGETS] == pytest.approx(
        [628_571.43, 525_000, 140_000, 87_500], abs=0.01
    )
    assert [rows[name]["share"] for name in TARGETS] == pytest.approx(
        [714_607, 596_000, 167_786, 97_321], abs=0.5
    )
    assert totals(table)["share"].sum() == pytest.approx(1_575_714.29, abs=0.01)
    assert rows["cost_to_serve"]["attained"] == pytest.approx(35 / 40)
    assert rows["retention"]["attained"] == pytest.approx(0.70 / 0.75)


def test_satisfaction_has_a_value_only_through_a_fitted_link():
    plan = Plan(drivers=(driver("satisfaction", tag="soft", basis="manual", target=6.0),))
    row = priced(plan, facts()).row(0, named=True)
    assert (row["alone"], row["expected"], row["reason"]) == (None, None, NO_LINK)
    linked = priced(plan, facts(link=Link(0.5))).row(0, named=True)
    odds = 0.7 / 0.3 * np.exp(0.5)
    stay = odds / (1 + odds)
    assert linked["positive"] is not None
    assert linked["alone"] == pytest.approx(10_000 * 160 * (stay / (1.1 - stay) - 0.7 / 0.4))


def test_bases_of_targets():
    peers = pl.concat([measure({"retention": 0.6 + 0.01 * at}, 50_000, f"p{at}") for at in range(9)])
    earlier = pl.concat(
        [
            measure({"cost_to_serve": value}).with_columns(ends_on=pl.lit(day, pl.Date()))
            for day, value in (
                (date(2024, 3, 20), 36.0),
                (date(2023, 12, 20), 31.0),
                (date(2023, 9, 20), 39.0),
            )
        ]
    )
    plan = Plan(
        drivers=(
            driver("retention"),
            driver("cost_to_serve", basis="own_best"),
            driver("margin_rate", basis="external", target=0.6, source="Trade survey"),
            driver("categories", basis="own_best"),
        ),
        segments=(Change(segment="A", driver="margin_rate", target=0.55),),
    )
    found = {
        row["driver"]: row for row in targets(plan, facts(peers=peers, earlier=earlier)).iter_rows(named=True)
    }
    assert found["retention"]["target"] == pytest.approx(0.66, abs=0.001)
    assert (found["cost_to_serve"]["target"], found["cost_to_serve"]["best_on"]) == (31.0, date(2023, 12, 20))
    assert (found["margin_rate"]["target"], found["margin_rate"]["basis"]) == (0.55, "manual")
    assert "categories" not in found


def test_programmes_cost_by_customer_and_single_segments_differ():
    plan = Plan(
        drivers=(driver("retention", cost=100, cost_per_customer=0.5, probability=0.4, achievable=0.3),),
        segments=(Change(segment="A", driver="retention", cost=7, probability=0.9),),
    )
    assert programmes(plan, facts()).row(0) == ("A", "retention", 7, 0.9, 0.3)
    plain = plan.model_copy(update={"segments": ()})
    assert programmes(plain, facts()).row(0) == ("A", "retention", 5100, 0.4, 0.3)


def test_confidence_falls_with_chance():
    rng = np.random.default_rng(3)
    spread = {name: np.full(4000, WORKED.get(name, np.nan)) for name in PARTS}
    sure = {"A": spread | {"retention": rng.normal(0.70, 0.005, 4000)}}
    unsure = {"A": spread | {"retention": rng.normal(0.70, 0.2, 4000).clip(0, 1)}}
    plan = Plan(drivers=(driver("retention", basis="manual", target=0.72),))
    words = [priced(plan, facts(draws=draws))["confidence"][0] for draws in (sure, unsure)]
    assert words == ["high", "low"]
    few = facts(segments=measure(WORKED, n=12), draws=sure)
    assert priced(plan, few)["confidence"][0] == "low"


def test_bands_and_weighted_score():
    plan = Plan(
        drivers=(
            driver("retention", basis="manual", target=1.0, weight=0.6, amber=0.9, red=0.75),
            driver("margin_rate", basis="manual", target=0.55, weight=0.4, amber=0.95, red=0.85),
        )
    )
    table = priced(plan, facts())
    assert dict(table.select("driver", "band").iter_rows()) == {"retention": "red", "margin_rate": "amber"}
    row = balance(table, plan).row(0, named=True)
    assert row["score"] == pytest.approx(0.6 * 0.70 + 0.4 * 0.5 / 0.55)


def test_a_target_without_end_is_refused():
    plan = Plan(drivers=(driver("retention", basis="manual", target=1.2),))
    with pytest.raises(Impossible, match="retention must lie"):
        priced(plan, facts())


def test_a_losing_segment_is_told_that_keeping_costs():
    losing = facts(segments=measure(WORKED | {"cost_to_serve": 300.0}))
    plan = Plan(drivers=(driver("retention", basis="manual", target=0.8),))
    assert priced(plan, losing)["alone"][0] < 0


def test_weights_sum_to_one_after_merging():
    shipped = Plan(drivers=(driver("retention", weight=0.5), driver("categories", weight=0.5)))
    own = OwnPlan(drivers=(driver("retention", weight=0.7),))
    with pytest.raises(ValueError, match=r"sum to 1\.2"):
        merged(shipped, own)


@pytest.fixture(scope="module")
def rows(shop_marts):
    plan = Plan(
        drivers=(driver("retention"),),
        referral=Where(attribute="channel", value="app"),
        satisfaction=Asked(item="overall"),
    )
    found = driver_rows(shop_marts, END, plan)
    people = shop_marts.frame("customer_summary")
    return found.with_columns(
        segment=people["channel"].cast(pl.String).gather(found["customer"])
    ).drop_nulls()


def test_quotients_of_groups_make_that_of_all(rows):
    """Oracle: sums of the parts over sums of the parts."""
    whole = rows.with_columns(segment=pl.lit("all"))
    for row in measured(whole).iter_rows(named=True):
        a, b = PARTS[row["driver"]]
        assert row["value"] == pytest.approx(rows[a].sum() / rows[b].sum())
    assert sizes(rows)["customers"].sum() == rows["now"].sum()


def test_draws_spread_as_a_bootstrap_over_customers_does(rows):
    """Oracle: customers drawn with replacement, two thousand times."""
    part = rows.filter(pl.col("segment") == "web")
    values = part.select(SUMS).to_numpy()
    rng = np.random.default_rng(1)
    sums = np.stack([values[rng.integers(0, len(values), len(values))].sum(axis=0) for _ in range(2000)])
    ours = drawn(rows, draws=2000)["web"]
    for name in ("retention", "categories", "margin_rate", "cost_to_serve", "satisfaction"):
        a, b = (SUMS.index(part) for part in PARTS[name])
        theirs = sums[:, a] / sums[:, b]
        assert ours[name].mean() == pytest.approx(theirs.mean(), rel=0.03)
        assert ours[name].std() == pytest.approx(theirs.std(), rel=0.12, abs=1e-4)


def test_selected_customers_alone_count(shop_marts):
    plan = Plan(drivers=(driver("retention"),))
    north = driver_rows(shop_marts.select(Selection({"region": ("North",)})), END, plan)
    people = shop_marts.frame("customer_summary")
    assert set(people["region"].cast(pl.String).gather(north["customer"])) == {"North"}


def test_segments_that_lack_a_needed_driver_are_left_out():
    lacking = facts(segments=measure({name: WORKED[name] for name in ("retention", "categories")}))
    assert current(lacking).is_empty()
    assert priced(manual(), lacking).is_empty()


def test_the_link_is_fitted_or_says_why_not(shop_marts):
    asked = Plan(drivers=(driver("satisfaction"),), satisfaction=Asked(item="overall"))
    found = fitted_link(shop_marts, asked)
    assert isinstance(found, Reason)  # the answers of the shop are drawn without regard to orders
    assert "link" in found.text or "needs at least" in found.text
    silent = Plan(drivers=(driver("satisfaction"),))
    assert fitted_link(shop_marts, silent).code == "not_asked"
