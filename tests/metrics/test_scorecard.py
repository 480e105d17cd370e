"""The scorecard: the worked segment, Shapley's axioms against all orders, what must never happen."""

from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.scorecard import Economics, Impossible, best_quartile, equity, joint_change, scorecard, shapley

ECONOMICS = Economics(discount_rate=0.10)
SEGMENT = {
    "segment": "A",
    "customers": 10_000.0,
    "retention": 0.70,
    "categories": 2.0,
    "revenue_per_category": 200.0,
    "margin_rate": 0.5,
    "cost_to_serve": 40.0,
}
TARGETS = {"retention": 0.75, "categories": 2.3, "margin_rate": 0.52, "cost_to_serve": 35.0}


def targets(values, segment="A"):
    return pl.DataFrame(
        [{"segment": segment, "driver": d, "target": t, "basis": "manual"} for d, t in values.items()]
    )


def card(values=TARGETS, segment=SEGMENT, **more):
    return scorecard(pl.DataFrame([segment]), targets(values), ECONOMICS, **more)


def test_worked_segment():
    """2,800,000; 628,571 / 525,000 / 140,000 / 87,500; joint 1,575,714; Shapley 714,607 / 596,000 / ..."""
    assert equity(SEGMENT | {"segment": 0}, ECONOMICS) == pytest.approx(2_800_000)
    rows = {row["driver"]: row for row in card().to_dicts()}
    order = ["retention", "categories", "margin_rate", "cost_to_serve"]
    assert [rows[d]["alone"] for d in order] == pytest.approx(
        [628_571.43, 525_000, 140_000, 87_500], abs=0.01
    )
    assert [rows[d]["share"] for d in order] == pytest.approx([714_607, 596_000, 167_786, 97_321], abs=0.5)
    joint = joint_change(card()).row(0, named=True)
    assert (joint["joint"], joint["interaction"]) == pytest.approx((1_575_714.29, 194_642.86), abs=0.01)
    assert [rows[d]["rank"] for d in order] == [1, 2, 3, 4]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-100, 100), min_size=8, max_size=8))
def test_shares_equal_the_average_over_all_orders(worth):
    values = np.array(worth)
    expected = np.zeros(3)
    for order in permutations(range(3)):
        inside = 0
        for player in order:
            expected[player] += (values[inside | 1 << player] - values[inside]) / 6
            inside |= 1 << player
    assert shapley(values) == pytest.approx(expected, abs=1e-9)
    assert shapley(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


def test_a_gap_already_closed_is_worth_nothing():
    rows = {row["driver"]: row for row in card({"retention": 0.6, "cost_to_serve": 50.0}).to_dicts()}
    assert [(row["gap"], row["alone"], row["share"]) for row in rows.values()] == [(0, 0, 0)] * 2


def test_keeping_customers_who_cost_money_destroys_value():
    losing = SEGMENT | {"cost_to_serve": 300.0}
    assert card({"retention": 0.8}, losing)["alone"][0] < 0


def test_retention_without_end_is_refused():
    with pytest.raises(Impossible, match="between 0 and 1\\.1"):
        card({"retention": 1.1})


def test_programmes_decide_the_rank():
    """Cheap and likely beats large and unlikely: .9 x 87,500 - 1,000 over .1 x 628,571 - 50,000."""
    plans = pl.DataFrame(
        {
            "segment": ["A", "A"],
            "driver": ["retention", "cost_to_serve"],
            "cost": [50_000.0, 1_000.0],
            "probability": [0.1, 0.9],
            "achievable": [1.0, 1.0],
        }
    )
    table = card({"retention": 0.75, "cost_to_serve": 35.0}, programmes=plans)
    assert table["driver"].to_list() == ["cost_to_serve", "retention"]
    assert table["expected"].to_list() == pytest.approx([77_750, 12_857.14], abs=0.01)
    assert table["roi"][0] == pytest.approx(77.75)


def test_acquisition_by_hand():
    """100 prospects, a fifth won at 50 each, worth 160 x 1.1 / .4 = 440; one period ahead: 20 x 390 / 1.1."""
    winning = SEGMENT | {
        "customers": 0.0,
        "prospects": 100.0,
        "acquisition_rate": 0.2,
        "acquisition_cost": 50.0,
    }
    assert equity({k: v for k, v in winning.items() if k != "segment"}, ECONOMICS) == pytest.approx(
        20 * 390 / 1.1
    )


def test_a_lucky_dozen_is_no_target():
    """Nine cells around 50 % of 1,000 customers and one of 12 at 92 %: the quartile stays near 50 %."""
    rates = [0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.50, 0.51, 0.49, 0.92]
    counts = [1000] * 9 + [12]
    peers = pl.DataFrame({"value": rates, "n": counts}).with_columns(
        variance=pl.col("value") * (1 - pl.col("value"))
    )
    assert best_quartile(peers) < 0.52
    assert best_quartile(peers.clear()) is None


def test_no_targets_no_rows():
    assert card({"retention": 0.75}).height == 1
    none = targets({"retention": 0.75}).clear()
    assert scorecard(pl.DataFrame([SEGMENT]), none, ECONOMICS).is_empty()
