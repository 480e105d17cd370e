"""Importance: hand-worked Shapley shares, scikit-learn's R squared as the oracle, the demo's weights."""

from datetime import UTC, datetime
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

from metrics.answers import read_answers
from metrics.importance import derived_importance, item_correlations, shapley, stated_importance
from metrics.instruments import Dimension, Feature, Instrument, Question, Scale
from metrics.kano_features import kano_features
from metrics.reasons import Reason


def surveyed(n=400, seed=5, weights=(0.6, 0.3, 0.1)):
    """Three dimensions of one item; overall is their weighted mean with noise, points are the weights."""
    random = np.random.default_rng(seed)
    trait = random.normal(size=(n, 1))
    perceived = np.clip(np.round(4 + trait + random.normal(size=(n, 3))), 1, 7)
    overall = np.clip(np.round(perceived @ np.array(weights) + random.normal(0, 0.5, n)), 1, 7)
    instrument = Instrument(
        name="q",
        label="Q",
        parts=("perception",),
        scale=Scale(min=1, max=7),
        weights="points",
        dimensions={name: Dimension(label=name, items=(f"{name}1",)) for name in "abc"},
        questions={"overall": Question(label="Overall", kind="overall")},
    )
    columns = {(f"{name}1", "perception"): perceived[:, at] for at, name in enumerate("abc")}
    columns |= {(name, "importance"): np.full(n, 100 * weights[at]) for at, name in enumerate("abc")}
    columns[("overall", "score")] = overall
    frames = [
        pl.DataFrame({"response_id": [f"r{at:04}" for at in range(n)], "score": values}).with_columns(
            item=pl.lit(item), part=pl.lit(part)
        )
        for (item, part), values in columns.items()
    ]
    rows = pl.concat(frames).with_columns(
        customer_id="response_id",
        answered_at=pl.lit(datetime(2026, 1, 5, tzinfo=UTC)),
        instrument=pl.lit("q"),
        weight=pl.lit(None, pl.Float64),
    )
    return read_answers(rows, instrument), perceived, overall


def test_shares_are_the_mean_gain_over_all_orders():
    """Oracle: scikit-learn's R squared of every subset, averaged over the six orders of entry."""
    answers, x, y = surveyed()

    def explained(chosen):
        part = x[:, list(chosen)]
        return LinearRegression().fit(part, y).score(part, y) if chosen else 0.0

    gains = np.zeros(3)
    for order in permutations(range(3)):
        for at, each in enumerate(order):
            gains[each] += (explained(order[: at + 1]) - explained(order[:at])) / 6
    table = derived_importance(answers, "overall")
    assert table["r_squared"][0] == pytest.approx(explained((0, 1, 2)))
    assert (table["importance"] * table["r_squared"]).to_list() == pytest.approx(gains.tolist())
    assert table["importance"].sum() == pytest.approx(1.0)


def test_betas_are_those_of_standardised_regression():
    answers, x, y = surveyed()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    beta = LinearRegression().fit(z, (y - y.mean()) / y.std()).coef_
    assert derived_importance(answers, "overall")["beta"].to_list() == pytest.approx(beta.tolist())


def test_intervals_hold_the_shares_in_order():
    table = derived_importance(surveyed()[0], "overall")
    assert (table["lower"] <= table["importance"]).all()
    assert (table["importance"] <= table["upper"]).all()
    assert table["importance"].to_list() == sorted(table["importance"], reverse=True)


def test_independent_predictors_share_their_squared_correlations():
    assert shapley(np.array([[1, 0, 0.6], [0, 1, 0.3], [0.6, 0.3, 1]])) == pytest.approx([0.36, 0.09])


def test_stated_importance_is_the_mean_share_of_the_points():
    assert stated_importance(surveyed()[0])["importance"].to_list() == pytest.approx([0.6, 0.3, 0.1])


def test_items_by_correlation():
    answers, x, y = surveyed()
    expected = [np.corrcoef(x[:, at], y)[0, 1] for at in range(3)]
    assert item_correlations(answers, "overall")["importance"].to_list() == pytest.approx(expected)


def test_too_few_respondents_are_a_reason():
    found = derived_importance(surveyed(n=29)[0], "overall")
    assert isinstance(found, Reason)
    assert "29 respondents" in found.text


def test_kano_of_a_feature_by_hand():
    """40 attractive, 30 one-dimensional, 10 must-be, 20 indifferent, 2 reverse: better .70, worse -.40."""
    pairs = [(1, 3)] * 40 + [(1, 5)] * 30 + [(3, 5)] * 10 + [(3, 3)] * 20 + [(5, 1)] * 2 + [(1, None)] * 5
    instrument = Instrument(
        name="k",
        label="K",
        scale=Scale(min=1, max=5),
        features={"f": Feature(label="F", functional="fF", dysfunctional="fD")},
    )
    rows = pl.DataFrame(
        [
            {"response_id": f"r{at:03}", "item": item, "score": score}
            for at, pair in enumerate(pairs)
            for item, score in zip(("fF", "fD"), pair, strict=True)
        ],
        schema={"response_id": pl.String, "item": pl.String, "score": pl.Float64},
        strict=False,
    ).with_columns(
        part=pl.lit("score"),
        customer_id="response_id",
        answered_at=pl.lit(datetime(2026, 1, 5, tzinfo=UTC)),
        instrument=pl.lit("k"),
        weight=pl.lit(None, pl.Float64),
    )
    row = kano_features(read_answers(rows, instrument)).row(0, named=True)
    assert [row[letter] for letter in "AOMIRQ"] == [40, 30, 10, 20, 2, 0]
    assert (row["category"], row["clear"], row["n"]) == ("A", True, 102)
    assert (row["better"], row["worse"]) == pytest.approx((0.70, -0.40))
    assert row["better_lower"] < 0.70 < row["better_upper"]
    assert row["worse_lower"] < -0.40 < row["worse_upper"]
