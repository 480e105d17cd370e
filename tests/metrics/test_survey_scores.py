"""Net promoter score, boxes, ACSI, Kano, importance-performance: published and hand-worked cases."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from metrics.survey_scores import (
    OffScale,
    Promoters,
    acsi,
    customer_effort,
    importance_performance,
    kano,
    kano_category,
    mean_score,
    net_promoter_score,
    promoter_change,
    promoters,
    top_box,
)


def test_score_of_half_a_third_and_a_sixth():
    """p 1/2, d 1/6, n 324: 33.3 with a standard error of 4.14."""
    found = net_promoter_score(Promoters(162, 108, 54))
    assert (found.value, found.se) == pytest.approx((33.3333333, 4.1408667), abs=1e-6)


def test_six_points_up_are_no_trend():
    """20.0 (n 1200) to 26.0 (n 1350): z 1.8533, p 0.0638, the interval holds 0."""
    change = promoter_change(Promoters(540, 360, 300), Promoters(675, 351, 324))
    assert (change.value, change.se, change.z, change.p_value) == pytest.approx(
        (6.0, 3.2374, 1.8533, 0.0638), abs=5e-4
    )
    assert change.lower < 0 < change.upper


def test_groups_by_code():
    assert promoters(np.array([10, 9, 8, 7, 6, 0, np.nan])) == Promoters(2, 2, 2)


def test_codes_off_the_scale_ask():
    codes = np.array([1.0, 11, 11, 10])
    with pytest.raises(OffScale, match=r"outside 0-10: 11 \(2\)\. .*offset: -1"):
        promoters(codes)
    assert promoters(codes, offset=-1) == Promoters(3, 0, 1)
    assert promoters(codes, off_scale="drop") == Promoters(1, 0, 1)


def test_unanimous_small_samples_keep_an_interval():
    found = net_promoter_score(Promoters(8, 0, 0))
    assert found.value == 100
    assert found.lower < 95
    assert net_promoter_score(Promoters(0, 0, 0)).value is None


@pytest.mark.realdata
def test_airline_codes_wait_for_the_offset(real_data):
    """23 answers of 11: refused; shifted by -1 the score is -18.122; with them dropped +10.84."""
    codes = pl.read_csv(real_data / "airlinesat" / "airlinesat.csv", null_values=["NA"])["nps"].to_numpy()
    with pytest.raises(OffScale, match=r"11 \(23\)"):
        promoters(codes)
    assert net_promoter_score(promoters(codes, offset=-1)).value == pytest.approx(-18.122, abs=5e-4)
    dropped = net_promoter_score(promoters(codes, off_scale="drop"))
    assert dropped.value == pytest.approx(10.84, abs=5e-3)


def test_top_boxes_with_wilson():
    """80 of 100: 0.7111708 to 0.8666331."""
    codes = np.array([5.0] * 30 + [4.0] * 50 + [3.0] * 20)
    two = top_box(codes, high=5, boxes=2)
    assert (two.value, two.lower, two.upper) == pytest.approx((0.8, 0.7111708, 0.8666331), abs=1e-6)
    assert top_box(codes, high=5).value == pytest.approx(0.3)
    assert top_box(np.array([np.nan]), high=5).value is None


def test_effort_is_turned_so_that_more_is_easier():
    codes = np.array([1.0, 2, 2])
    assert customer_effort(codes, easy="low", low=1, high=7).value == pytest.approx(19 / 3)
    assert customer_effort(codes, easy="high", low=1, high=7).value == pytest.approx(5 / 3)


@pytest.mark.parametrize(("weights", "index"), [([0.3885, 0.3190, 0.2925], 76.6616667), (None, 76.2962963)])
def test_index_of_three_questions(weights, index):
    """Means 8.2, 7.9, 7.5 with the weights of Ohio and with equal ones."""
    answers = np.array([[8.2, 7.9, 7.5]] * 4)
    assert acsi(answers, None if weights is None else np.array(weights)).value == pytest.approx(
        index, abs=1e-6
    )


def test_mean_equals_scipy():
    codes = np.random.default_rng(5).integers(1, 8, 50).astype(float)
    found = mean_score(codes)
    assert (found.lower, found.upper) == pytest.approx(
        tuple(stats.ttest_1samp(codes, 0).confidence_interval())
    )
    assert mean_score(np.array([4.0])) == (4.0, None, None, 1, None)


def test_kano_better_and_worse():
    """A 40, O 30, M 10, I 20: better .70, worse -.40; A leads O by ten points."""
    found = kano({"A": 40, "O": 30, "M": 10, "I": 20})
    assert (found["better"], found["worse"], found["category"]) == (0.7, -0.4, "A")
    assert found["strength"] == pytest.approx(0.10)
    assert kano({"A": 5, "M": 5})["category"] == "M"
    assert kano({})["category"] is None


def test_kano_table():
    like, expect, neutral, tolerate, dislike = range(1, 6)
    functional = np.array([like, like, expect, neutral, dislike, like, tolerate])
    dysfunctional = np.array([neutral, dislike, dislike, tolerate, like, like, dislike])
    assert "".join(kano_category(functional, dysfunctional)) == "AOMIRQM"


def test_quadrants():
    items = pl.DataFrame({"item": list("abcd"), "importance": [5.0, 5, 1, 1], "performance": [1.0, 5, 1, 5]})
    assert importance_performance(items)["quadrant"].to_list() == [
        "concentrate here",
        "keep up",
        "low priority",
        "possible overkill",
    ]
    moved = importance_performance(items, centre=(0.5, 0.5))
    assert moved["quadrant"].to_list() == ["keep up"] * 4
