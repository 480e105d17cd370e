"""Gaps by group and through time: scipy as the oracle, equal weights, empty groups."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from scipy import stats

from metrics.answers import read_answers
from metrics.gap_comparisons import compare_gaps, gap_trend, gaps_by, gaps_of_groups, respondent_gaps
from metrics.instruments import Dimension, Instrument, Scale


def surveyed(n=300, seed=7, parts=("expectation", "perception"), weight=None):
    """Two dimensions of two items; respondents of the last third perceive the first one 1.2 points lower."""
    random = np.random.default_rng(seed)
    instrument = Instrument(
        name="q",
        label="Q",
        parts=parts,
        scale=Scale(min=1, max=7),
        dimensions={
            "one": Dimension(label="One", items=("a", "b")),
            "two": Dimension(label="Two", items=("c", "d")),
        },
    )
    rows = []
    for at in range(n):
        lower = 1.2 if at >= 2 * n // 3 else 0.0
        for item in "abcd":
            for part in parts:
                mean = 6 if part == "expectation" else 5 - lower * (item in "ab")
                rows.append((f"r{at:04}", item, part, float(np.clip(round(random.normal(mean, 1)), 1, 7))))
    frame = pl.DataFrame(rows, schema=["response_id", "item", "part", "score"], orient="row").with_columns(
        customer_id="response_id",
        answered_at=pl.lit(datetime(2026, 1, 5, tzinfo=UTC)),
        instrument=pl.lit("q"),
        weight=pl.lit(weight, pl.Float64),
    )
    thirds = pl.Series([("x", "y", "z")[3 * at // n] for at in range(n)])
    return read_answers(frame, instrument), thirds


def test_a_group_against_all_others_is_welch():
    answers, thirds = surveyed()
    gaps = respondent_gaps(answers)["one"].to_numpy()
    inside = (thirds == "z").to_numpy()
    test = stats.ttest_ind(gaps[inside], gaps[~inside], equal_var=False)
    row = gaps_by(answers, thirds).filter(by="z", dimension="one").row(0, named=True)
    assert (row["t"], row["p_value"]) == pytest.approx((test.statistic, test.pvalue))
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(test.confidence_interval()))
    assert (row["n_second"], row["n_first"]) == (100, 200)


def test_only_the_planted_cell_is_told_from_the_others():
    answers, thirds = surveyed()
    table = gaps_by(answers, thirds)
    told = table.filter((pl.col("p_holm") < 0.05) & (pl.col("difference") < 0))
    assert told.select("by", "dimension").rows() == [("z", "one")]


def test_overall_is_not_adjusted_with_its_own_parts():
    answers, thirds = surveyed()
    whole = gaps_by(answers, thirds).filter(dimension="overall")
    assert whole["p_holm"].null_count() == 3
    assert whole["p_value"].null_count() == 0


def test_groups_of_one_and_responses_without_a_group():
    answers, _thirds = surveyed(n=9)
    values = pl.Series(["a", None, "b", "b", "b", "b", None, None, "b"], dtype=pl.String)
    table = gaps_by(answers, values).filter(dimension="one")
    assert table.select("by", "n_second", "p_value").row(0) == ("a", 1, None)
    assert table["n_second"].to_list() == [1, 5]
    nobody = gaps_by(answers, pl.Series([None] * 9, dtype=pl.String))
    assert nobody.is_empty()


def test_weights_count_in_means_and_tests():
    """Doubling the weight of everybody changes nothing; that of a few moves the mean."""
    plain, _thirds = surveyed()
    doubled, _thirds = surveyed(weight=2.0)
    both = [compare_gaps(each, each)["gap_first"].to_list() for each in (plain, doubled)]
    assert both[0] == pytest.approx(both[1])


def test_trend_equals_each_period_alone():
    answers, thirds = surveyed()
    codes = thirds.replace_strict({"x": 1, "y": 2, "z": 3}, return_dtype=pl.Int32)
    table = gap_trend(answers, codes)
    gaps = respondent_gaps(answers)["two"].to_numpy()
    for code in (1, 2, 3):
        sample = gaps[(codes == code).to_numpy()]
        row = table.filter(period=code, dimension="two").row(0, named=True)
        interval = stats.ttest_1samp(sample, 0).confidence_interval()
        assert (row["gap"], row["lower"], row["upper"]) == pytest.approx((sample.mean(), *interval))


def test_without_expectations_perceptions_are_compared():
    answers, thirds = surveyed(parts=("perception",))
    row = gaps_by(answers, thirds).filter(by="z", dimension="one").row(0, named=True)
    perceived = answers.parts["perception"][:, :2].mean(axis=1)
    assert row["gap_second"] == pytest.approx(perceived[(thirds == "z").to_numpy()].mean())


def test_groups_that_overlap_stand_each_against_everybody_else():
    """Oracle: scipy over the respondents in the group and those outside it."""
    answers, _thirds = surveyed()
    n = answers.n
    groups = {"many": np.arange(n) < 200, "late": np.arange(n) >= 100, "none": np.zeros(n, dtype=np.bool_)}
    table = gaps_of_groups(answers, groups).filter(dimension="one")
    gaps = respondent_gaps(answers)["one"].to_numpy()
    for name in ("many", "late"):
        row = table.row(by_predicate=pl.col("by") == name, named=True)
        expected = stats.ttest_ind(gaps[groups[name]], gaps[~groups[name]], equal_var=False)
        assert row["n_second"] == groups[name].sum()
        assert (row["t"], row["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert table.row(by_predicate=pl.col("by") == "none", named=True)["gap_second"] is None
