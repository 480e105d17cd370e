"""Cronbach's alpha: R's `attitude` data, pingouin's interval, reversed items."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
import scipy

from metrics.answers import read_answers
from metrics.instruments import Dimension, Instrument, Question, Scale
from metrics.reliability import (
    cronbach_alpha,
    difference_reliability,
    fisher_interval,
    item_analysis,
    overall_correlations,
    reliability,
)

ATTITUDE = """43 51 30 39 61 92 45 63 64 51 54 63 73 47 71 70 68 69 76 86 48 61 63 45 47 54 84 35 81 78 56
66 71 83 47 43 55 49 44 54 49 34 58 67 42 56 66 68 35 71 75 50 55 70 66 41 72 82 72 67 71 83 31 67 61 45 47
62 80 41 64 53 53 58 58 67 34 67 60 47 39 59 74 41 69 62 57 42 55 63 25 68 83 83 45 59 77 35 77 77 54 72 79
77 46 81 90 50 72 60 54 36 74 85 64 69 79 79 63 65 60 65 75 55 80 60 65 70 46 57 75 85 46 50 58 68 54 64 78
52 50 40 33 34 43 64 33 64 61 52 62 66 80 41 53 66 52 50 63 80 37 40 37 42 58 50 57 49 63 54 42 48 66 75 33
66 77 66 63 88 76 72 78 75 58 74 80 78 49 48 57 44 45 51 83 38 85 85 71 71 77 74 55 82 82 39 59 64 78 39"""


def attitude():
    """The `attitude` data of R: 30 departments, 7 questions."""
    return np.array(ATTITUDE.split(), float).reshape(30, 7)


def with_a_gap():
    """The same, where the fourth department did not answer the third question."""
    items = attitude()
    items[3, 2] = np.nan
    return items


@pytest.mark.parametrize(
    ("items", "level", "value", "bounds"),
    [
        (attitude(), 0.95, 0.8431427695647599, (0.739, 0.916)),
        (attitude(), 0.9, 0.8431427695647599, (0.760, 0.907)),
        (attitude()[:, [0, 1, 3]], 0.95, 0.865747327600317, (0.754, 0.932)),
        (attitude()[:, [0, 1, 3]], 0.9, 0.865747327600317, (0.777, 0.924)),
        (with_a_gap(), 0.95, 0.8446525680776329, (0.740, 0.918)),
    ],
)
def test_alpha_equals_that_of_pingouin(items, level, value, bounds):
    """Oracle: what `pingouin.cronbach_alpha(DataFrame(items).dropna(), ci=level)` prints.

    pingouin 0.7.0 on pandas 3.1.1 and numpy 2.4.6; it rounds intervals to three digits. Its five packages
    are no dependency, so that its figures stand here. With `nan_policy="listwise"` instead of `dropna` it
    counts those whom it left out, and prints 0.742 to 0.917 for the last.
    """
    alpha = cronbach_alpha(items, level)
    assert alpha.value == pytest.approx(value, rel=1e-12)
    assert (alpha.lower, alpha.upper) == pytest.approx(bounds, abs=5.001e-4)


def test_alpha_counts_respondents_and_items():
    assert cronbach_alpha(attitude())[3:] == (30, 7)
    assert cronbach_alpha(with_a_gap())[3:] == (29, 7)


def test_alpha_is_blind_to_unit_and_origin():
    assert cronbach_alpha(attitude() * 3 - 40).value == pytest.approx(cronbach_alpha(attitude()).value)


def test_incomplete_respondents_are_left_out():
    more = np.vstack([attitude(), [np.nan, 1, 2, 3, 4, 5, 6]])
    assert cronbach_alpha(more) == cronbach_alpha(attitude())


@pytest.mark.parametrize("items", [np.ones((5, 3)), np.ones((1, 3)), np.empty((0, 3)), np.ones((9, 1))])
def test_no_alpha_without_variance_respondents_or_items(items):
    assert cronbach_alpha(items).value is None


def test_reliability_of_a_difference():
    """Equal spreads: .8, .8 and .5 leave .60; .9, .9 and .9 leave nothing."""
    assert difference_reliability(0.8, 0.8, 0.5) == pytest.approx(0.60)
    assert difference_reliability(0.9, 0.9, 0.9) == pytest.approx(0.0)
    assert difference_reliability(1, 1, 1) is None


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_of_a_correlation_equals_that_of_scipy(level):
    """Oracle: `scipy.stats.pearsonr(x, y).confidence_interval`, which takes Fisher's transformation too."""
    x, y = attitude()[:, 0], attitude()[:, 1]
    theirs = scipy.stats.pearsonr(x, y)
    ours = fisher_interval(x, y, level)
    assert ours["correlation"] == pytest.approx(theirs.statistic)
    assert (ours["lower"], ours["upper"]) == pytest.approx(tuple(theirs.confidence_interval(level)))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_no_interval_of_a_correlation_of_three(n):
    assert fisher_interval(np.arange(n) * 1.0, np.arange(n) ** 2.0)["lower"] is None


def test_no_correlation_with_what_does_not_vary():
    assert fisher_interval(np.ones(9), np.arange(9.0))["correlation"] is None
    assert fisher_interval(np.arange(9.0), np.arange(9.0))["upper"] == pytest.approx(1)


def judged(gaps_matter):
    """300 respondents, two dimensions of one item, judged by their gaps or by what they perceived."""
    random = np.random.default_rng(3)
    expected, perceived = random.integers(1, 8, (300, 2)), random.integers(1, 8, (300, 2))
    base = (perceived - expected if gaps_matter else perceived).mean(axis=1)
    overall = np.clip(np.round(4 + 0.5 * (base - base.mean()) + random.normal(0, 0.4, 300)), 1, 7)
    instrument = Instrument(
        name="two",
        label="Two",
        scale=Scale(min=1, max=7),
        dimensions={name: Dimension(label=name, items=(f"{name}1",)) for name in "ab"},
        questions={"overall": Question(label="Overall", kind="overall")},
    )
    columns = {("a1", "expectation"): expected[:, 0], ("b1", "expectation"): expected[:, 1]}
    columns |= {("a1", "perception"): perceived[:, 0], ("b1", "perception"): perceived[:, 1]}
    columns[("overall", "score")] = overall
    rows = [
        {"response_id": f"{at:03}", "item": item, "part": part, "score": float(score)}
        for (item, part), scores in columns.items()
        for at, score in enumerate(scores)
        if (at, item, part) != (0, "a1", "expectation")
    ]
    long = pl.DataFrame(rows).with_columns(
        customer_id=pl.lit(None, pl.String),
        answered_at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)),
        instrument=pl.lit("two"),
        weight=pl.lit(None, pl.Float64),
    )
    return read_answers(long.lazy(), instrument), perceived, expected, overall


@pytest.mark.parametrize("gaps_matter", [True, False])
def test_perceptions_and_gaps_against_the_judgement_of_the_whole(gaps_matter):
    """Oracle: scipy over the same respondents; the first gave no expectation of a, so neither side counts."""
    given, perceived, expected, overall = judged(gaps_matter)
    table = overall_correlations(given, "overall")
    assert table["n"].to_list() == [299, 299, 300, 300, 299, 299]
    for row in table.filter(pl.col("dimension") == "overall").iter_rows(named=True):
        side = (perceived - expected if row["measure"] == "gap" else perceived)[1:].mean(axis=1)
        theirs = scipy.stats.pearsonr(side, overall[1:])
        bounds = tuple(theirs.confidence_interval(0.95))
        assert (row["correlation"], row["lower"], row["upper"]) == pytest.approx((theirs.statistic, *bounds))
    seen, gap = table.filter(pl.col("dimension") == "overall")["correlation"]
    assert (gap > seen) == gaps_matter


def answers(turned):
    """One trait behind four items on 1-7, answers to some of them turned round."""
    random = np.random.default_rng(8)
    trait = random.normal(4, 1.2, 400)
    scores = np.clip(np.round(trait[:, None] + random.normal(0, 1.2, (400, 4))), 1, 7)
    scores[:, turned] = 8 - scores[:, turned]
    instrument = Instrument(
        name="four",
        label="Four",
        parts=("perception",),
        scale=Scale(min=1, max=7),
        dimensions={"all": Dimension(label="All", items=("a", "b", "c", "d"))},
    )
    frame = pl.DataFrame(scores, schema=["a", "b", "c", "d"]).with_row_index("response_id")
    long = frame.unpivot(index="response_id", variable_name="item", value_name="score").with_columns(
        pl.col("response_id").cast(pl.String),
        part=pl.lit("perception"),
        customer_id=pl.lit(None, pl.String),
        answered_at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)),
        instrument=pl.lit("four"),
        weight=pl.lit(None, pl.Float64),
    )
    return read_answers(long.lazy(), instrument)


def test_an_item_that_was_not_turned_is_named():
    sound = item_analysis(answers([]))
    assert not sound["reversed"].any()
    assert sound["alpha"][0] > 0.7
    spoilt = item_analysis(answers([2]))
    assert spoilt.filter(pl.col("reversed"))["item"].to_list() == ["c"]
    assert spoilt["alpha"][0] < 0.3
    assert spoilt.filter(pl.col("item") == "c")["alpha_without"][0] > 0.6


def test_one_row_a_dimension_and_part():
    table = reliability(answers([]))
    assert table.select("dimension", "measure", "n", "items").rows() == [("all", "perception", 400, 4)]
