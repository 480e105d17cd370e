"""Holdout validation against the published CDNOW tables, plain Python and hand-worked ranks."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.history import times
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.paretonbd import ParetoNBD
from metrics.lifetime.uncertainty import customer_intervals
from metrics.lifetime.validation import (
    by_frequency,
    comparison,
    coverage,
    deciles,
    holdout,
    judgement,
    ranking_gini,
    tracking,
)
from metrics.lifetime.values import Terms
from metrics.reasons import FrameProblem

SPLIT, END = date(1997, 9, 30), date(1998, 6, 30)
MODELS = (BGNBD, ParetoNBD, MBGNBD)


@pytest.fixture(scope="module")
def split(cdnow_orders):
    return holdout(cdnow_orders, SPLIT, END)


@pytest.fixture(scope="module")
def fits(cdnow_rows):
    return {model.title: model.fit(cdnow_rows) for model in MODELS}


@pytest.fixture(scope="module")
def predictions(split, fits):
    return {title: fit.model.conditional_expectation(39.0, *times(split)) for title, fit in fits.items()}


def actual(split):
    return split["actual_orders"].to_numpy().astype(float)


@pytest.mark.realdata
def test_holdout_of_the_papers(split):
    assert (len(split), split["actual_orders"].sum()) == (2357, 1882)
    assert split["frequency"].sum() == 2457
    assert split["previous_orders"].sum() == 2457


@pytest.mark.realdata
def test_holdout_by_calibration_frequency(split, predictions):
    # BTYD vignette; the last group is seven and more
    table = by_frequency(split["frequency"].to_numpy(), predictions["BG/NBD"], actual(split))
    assert table["customers"].to_list() == [1411, 439, 214, 100, 62, 38, 29, 64]
    printed = [0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594]
    assert table["actual"].to_list() == pytest.approx(printed, abs=5.1e-5)
    bg = [0.2251, 0.5231, 1.0441, 1.5203, 2.1638, 2.6538, 3.5040, 6.1570]
    assert table["predicted"].to_list() == pytest.approx(bg, abs=3e-4)
    other = by_frequency(split["frequency"].to_numpy(), predictions["Pareto/NBD"], actual(split))
    pareto = [0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403]
    assert other["predicted"].to_list() == pytest.approx(pareto, abs=1e-3)


@pytest.mark.realdata
def test_tracking_of_the_vignette(cdnow_orders, fits):
    # BTYD vignette, weeks 20-25: actual, Pareto/NBD, BG/NBD
    weeks = {
        title: tracking(fits[title].model, cdnow_orders, SPLIT, END)[19:25]
        for title in ("Pareto/NBD", "BG/NBD")
    }
    table = weeks["BG/NBD"]
    assert table["period"].to_list() == [20, 21, 22, 23, 24, 25]
    assert table["actual"].to_list() == [73, 55, 70, 33, 56, 99]
    assert table["actual_cumulative"].to_list() == [1359, 1414, 1484, 1517, 1573, 1672]
    bg = [76.86531, 74.88843, 73.04554, 71.32166, 69.70412, 68.18213]
    assert table["expected"].to_list() == pytest.approx(bg, rel=1e-5)
    bg_sum = [1312.458, 1387.346, 1460.392, 1531.713, 1601.418, 1669.600]
    assert table["expected_cumulative"].to_list() == pytest.approx(bg_sum, rel=1e-5)
    pareto = [78.308, 76.419, 74.648, 72.983, 71.414, 69.933]
    assert weeks["Pareto/NBD"]["expected"].to_list() == pytest.approx(pareto, rel=1e-4)
    pareto_sum = [1308.856, 1385.275, 1459.923, 1532.906, 1604.320, 1674.253]
    assert weeks["Pareto/NBD"]["expected_cumulative"].to_list() == pytest.approx(pareto_sum, rel=1e-4)


@pytest.mark.realdata
def test_tracking_marks_the_holdout(cdnow_orders, fits):
    table = tracking(fits["BG/NBD"].model, cdnow_orders, SPLIT, END)
    assert len(table) == 78
    assert table.filter("holdout")["ends_on"].min() > SPLIT
    assert table["actual"].sum() == 2457 + 1882


@pytest.mark.realdata
def test_models_against_baselines(split, predictions):
    table = comparison(split, predictions)
    rows = {row["name"]: row for row in table.iter_rows(named=True)}
    assert rows["BG/NBD"]["predicted"] == pytest.approx(1653.41, abs=0.005)
    assert rows["BG/NBD"]["mae"] == pytest.approx(0.7855, abs=5.1e-5)
    assert rows["BG/NBD"]["correlation"] == pytest.approx(0.6256, abs=5.1e-5)
    assert rows["Pareto/NBD"]["predicted"] == pytest.approx(1665.51, abs=0.005)
    assert rows["Pareto/NBD"]["mae"] == pytest.approx(0.7545, abs=5.1e-5)
    assert rows["Pareto/NBD"]["correlation"] == pytest.approx(0.6302, abs=5.1e-5)
    assert table["name"][0] == "Pareto/NBD"
    assert rows["Same again"]["beats"] is None
    assert all(rows[title]["beats"] for title in predictions)
    assert judgement(table) == ()


@pytest.mark.realdata
def test_customer_intervals_cover_the_holdout(cdnow, split, fits):
    table = customer_intervals(cdnow, fits["Pareto/NBD"], GammaGamma.fit(cdnow), Terms(SPLIT, months=9))
    share = coverage(table["orders_lower"].to_numpy(), table["orders_upper"].to_numpy(), actual(split))
    assert share.value >= 0.95
    assert share.lower < share.value < share.upper


def orders(*rows):
    return pl.DataFrame(rows, schema=["customer", "ordered_on", "net_amount"], orient="row")


SMALL = orders(
    ("a", date(2024, 1, 1), 5.0),
    ("a", date(2024, 1, 20), 5.0),
    ("a", date(2024, 2, 5), 7.0),
    ("a", date(2024, 2, 5), 1.0),
    ("b", date(2024, 1, 25), 5.0),
    ("c", date(2024, 2, 3), 9.0),
)


def test_holdout_looks_at_known_customers_only():
    table = holdout(SMALL, date(2024, 1, 31), date(2024, 2, 10))
    assert table.select("customer", "actual_orders", "actual_spend", "previous_orders").rows() == [
        ("a", 1, 8.0, 0),
        ("b", 0, 0.0, 0),
    ]
    assert holdout(SMALL, date(2024, 1, 31), date(2024, 2, 29))["previous_orders"].to_list() == [1, 0]
    with pytest.raises(FrameProblem, match="after the calibration end"):
        holdout(SMALL, date(2024, 1, 31), date(2024, 1, 31))


def test_tracking_counts_repeat_days():
    table = tracking(BGNBD(1.0, 5.0, 1.0, 2.0), SMALL, date(2024, 1, 31), date(2024, 2, 11), step_days=14)
    assert table["actual"].to_list() == [0, 1, 1]
    assert table["ends_on"].to_list() == [date(2024, 1, 14), date(2024, 1, 28), date(2024, 2, 11)]
    assert table["expected_cumulative"][0] == pytest.approx(
        float(BGNBD(1.0, 5.0, 1.0, 2.0).expected_purchases(2.0))
    )
    assert tracking(BGNBD(1.0, 5.0, 1.0, 2.0), SMALL.clear(), date(2024, 1, 31), date(2024, 2, 11)).is_empty()


def test_deciles_by_hand():
    predicted, done = np.arange(20.0), np.array([0.0] * 10 + [1.0] * 5 + [3.0] * 5)
    table = deciles(predicted, done)
    assert table["customers"].to_list() == [2] * 10
    assert table["lift"][0] == pytest.approx(3.0)
    assert table["share"].to_list()[:3] == pytest.approx([0.3, 0.6, 0.8])
    assert table["share"][-1] == pytest.approx(1.0)
    assert deciles(predicted, done * 0)["lift"].null_count() == 10
    assert deciles(np.zeros(0), np.zeros(0)).is_empty()


def test_ranking_gini_is_one_for_hindsight_and_zero_for_no_idea():
    done = np.array([0.0, 0.0, 1.0, 5.0])
    assert ranking_gini(done * 7, done).value == pytest.approx(1.0)
    assert ranking_gini(np.ones(4), done).value == pytest.approx(0.0, abs=1e-12)
    assert ranking_gini(-done, done).value < 0
    assert ranking_gini(done, np.ones(4)).reason.code == "no_variation"


def test_model_worse_than_a_rule_of_thumb_says_so():
    frame = pl.DataFrame(
        {"actual_orders": [0, 1, 2, 3], "previous_orders": [0, 1, 2, 2], "region": ["A", "A", "B", "B"]}
    )
    table = comparison(frame, {"BG/NBD": np.array([3.0, 2.0, 1.0, 0.0])}, segment="region")
    assert table["name"].to_list() == ["Same again", "Segment mean", "BG/NBD"]
    (reason,) = judgement(table)
    assert reason.code == "no_better_than_baseline"
    assert reason.text.startswith("BG/NBD does not beat the baseline `Same again`")
    means = table.filter(pl.col("name") == "Segment mean")["predicted"][0]
    assert means == pytest.approx(5.0)


def test_coverage_of_nobody_is_named():
    none = np.zeros(0)
    assert coverage(none, none, none).reason.code == "no_customers"
