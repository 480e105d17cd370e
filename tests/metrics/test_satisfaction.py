"""Gap scores: published tables, the airline survey, an oracle in plain Python, identities."""

from datetime import UTC, datetime
from statistics import mean

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from metrics.answers import read_answers
from metrics.gap_comparisons import compare_gaps
from metrics.instruments import Dimension, Instrument, Scale
from metrics.satisfaction import (
    dimension_gaps,
    item_gaps,
    mean_gap,
    performance,
    weighted_gap,
)
from metrics.tolerance import tolerance

SCHEMA = {
    "response_id": pl.String,
    "item": pl.String,
    "part": pl.String,
    "customer_id": pl.String,
    "answered_at": pl.Datetime("us", "UTC"),
    "instrument": pl.String,
    "score": pl.Float64,
    "weight": pl.Float64,
}
AT = datetime(2026, 1, 5, tzinfo=UTC)
SIZES = {"tangibles": 4, "reliability": 5, "responsiveness": 4, "assurance": 4, "empathy": 5}
WEIGHTS = {"tangibles": 11, "reliability": 32, "responsiveness": 22, "assurance": 19, "empathy": 16}


def servqual(**changes):
    codes = iter([f"i{at + 1}" for at in range(22)])
    dimensions = {
        name: Dimension(label=name, items=tuple(next(codes) for _ in range(size)), weight=WEIGHTS[name])
        for name, size in SIZES.items()
    }
    given = {"scale": Scale(min=1, max=7), "weights": "fixed", "dimensions": dimensions} | changes
    return Instrument(name="servqual", label="SERVQUAL", **given)


def two_dimensions(**changes):
    dimensions = {
        "one": Dimension(label="One", items=("a", "b", "c")),
        "two": Dimension(label="Two", items=("d", "e")),
    }
    return Instrument(
        name="small", label="Small", **({"scale": Scale(min=1, max=7), "dimensions": dimensions} | changes)
    )


def table(rows, instrument):
    """Rows of (response, item, part, score) as the canonical table."""
    return pl.LazyFrame(
        [
            {
                "response_id": response,
                "item": item,
                "part": part,
                "customer_id": response,
                "answered_at": AT,
                "instrument": instrument.name,
                "score": None if score is None else float(score),
                "weight": None,
            }
            for response, item, part, score in rows
        ],
        schema=SCHEMA,
    )


def answers(expected, perceived, instrument):
    """Matrices of answers, a list a respondent, `None` where nothing was said."""
    parts = {"expectation": expected, "perception": perceived}
    rows = [
        (f"r{at:04}", item, part, score)
        for part, matrix in parts.items()
        for at, row in enumerate(matrix)
        for item, score in zip(instrument.codes, row, strict=True)
    ]
    return read_answers(table(rows, instrument), instrument)


def random_answers(n=200, seed=3, instrument=None):
    random = np.random.default_rng(seed)
    instrument = instrument or servqual()
    items = len(instrument.codes)
    expected = random.integers(4, 8, (n, items)).astype(object)
    perceived = random.integers(2, 8, (n, items)).astype(object)
    perceived[random.random((n, items)) < 0.1] = None
    return answers(expected.tolist(), perceived.tolist(), instrument), expected, perceived


def test_published_means_of_22_items():
    """Means of a published sample: unweighted -0.60, weighted -0.63565; the mean over 22 items is -0.6136."""
    expected = [
        *(6.2, 6.0, 6.1, 5.8, 6.7, 6.4, 6.5, 6.6, 6.3, 6.2, 6.5),
        *(6.4, 6.3, 6.4, 6.5, 6.3, 6.4, 6.1, 5.9, 6.2, 6.3, 6.2),
    ]
    perceived = [
        *(6.0, 6.2, 5.9, 5.6, 6.0, 5.7, 5.8, 6.1, 6.2, 5.3, 5.2),
        *(5.6, 5.0, 6.0, 6.3, 6.1, 5.9, 5.1, 5.6, 5.0, 5.3, 4.9),
    ]
    got = answers([expected] * 2, [perceived] * 2, servqual())
    gaps = dimension_gaps(got)
    assert gaps["gap"].to_list() == pytest.approx([-0.10, -0.54, -1.075, -0.325, -0.96, -0.60], abs=1e-9)
    assert gaps.row(-1, named=True)["weighted"] == pytest.approx(-0.63565, abs=1e-9)
    assert mean_gap(got) == pytest.approx(-0.6136, abs=5e-5)


def test_published_gaps_and_weights():
    """Gaps -.65 -1.10 -.83 -.70 -1.01 are -0.858 on average; with weights 11 32 22 19 16 they are -0.9007."""
    gaps = np.array([-0.65, -1.10, -0.83, -0.70, -1.01])
    assert gaps.mean() == pytest.approx(-0.858)
    assert weighted_gap(gaps, np.array([11, 32, 22, 19, 16])) == pytest.approx(-0.9007, abs=1e-9)
    assert weighted_gap(gaps, np.array([0.11, 0.32, 0.22, 0.19, 0.16])) == pytest.approx(-0.9007, abs=1e-9)


def test_dimension_gaps_equal_plain_python():
    got, expected, perceived = random_answers()
    table_ = {row["dimension"]: row for row in dimension_gaps(got).to_dicts()}
    start = 0
    for name, size in SIZES.items():
        scores = []
        for e, p in zip(expected, perceived, strict=True):
            both = list(zip(e, p, strict=True))[start : start + size]
            pairs = [y - x for x, y in both if y is not None]
            if len(pairs) >= (size + 1) // 2:
                scores.append(mean(pairs))
        row = table_[name]
        interval = stats.ttest_1samp(scores, 0).confidence_interval()
        assert row["n"] == len(scores)
        assert row["gap"] == pytest.approx(mean(scores))
        assert (row["lower"], row["upper"]) == pytest.approx(tuple(interval))
        start += size
    assert table_["overall"]["gap"] == pytest.approx(mean(table_[name]["gap"] for name in SIZES))


def test_item_gaps_equal_scipy():
    got, expected, perceived = random_answers()
    row = item_gaps(got).row(4, named=True)
    pairs = [(e[4], p[4]) for e, p in zip(expected, perceived, strict=True) if p[4] is not None]
    e, p = (np.array(side, float) for side in zip(*pairs, strict=True))
    test = stats.ttest_rel(p, e)
    assert (row["item"], row["dimension"], row["n"]) == ("i5", "reliability", len(pairs))
    assert (row["gap"], row["t"], row["p_value"]) == pytest.approx(
        ((p - e).mean(), test.statistic, test.pvalue)
    )
    wilcoxon = stats.wilcoxon(p - e, zero_method="wilcox", method="asymptotic").pvalue
    assert row["wilcoxon_p"] == pytest.approx(wilcoxon)


def test_a_respondent_without_expectations_moves_no_gap():
    got, expected, perceived = random_answers(n=40)
    more = answers([*expected.tolist(), [None] * 22], [*perceived.tolist(), [1] * 22], got.instrument)
    assert_frame_equal(dimension_gaps(more), dimension_gaps(got))
    assert_frame_equal(item_gaps(more), item_gaps(got))


def test_twice_the_same_answers_halve_the_variance_and_keep_the_means():
    got, expected, perceived = random_answers(n=60)
    twice = answers(expected.tolist() * 2, perceived.tolist() * 2, got.instrument)
    one, two = dimension_gaps(got), dimension_gaps(twice)
    assert two["gap"].to_list() == pytest.approx(one["gap"].to_list())
    widths = [(t["upper"] - t["lower"]).to_list() for t in (one, two)]
    assert [a / b for a, b in zip(*widths, strict=True)] == pytest.approx([2**0.5] * 6, rel=0.03)


def test_equal_weights_change_nothing():
    dimensions = {name: d.model_copy(update={"weight": 20.0}) for name, d in servqual().dimensions.items()}
    got, *_ = random_answers(instrument=servqual(dimensions=dimensions))
    overall = dimension_gaps(got).row(-1, named=True)
    assert overall["weighted"] == pytest.approx(overall["gap"])
    assert overall["weighted_lower"] == pytest.approx(overall["lower"])


def test_own_points_weigh_each_respondent():
    """Two respondents who care for opposite dimensions: (.9 x -1 + .1 x -2, .1 x -3 + .9 x -4) on average."""
    instrument = two_dimensions(weights="points")
    expected, perceived = [[7] * 5] * 2, [[6, 6, 6, 5, 5], [4, 4, 4, 3, 3]]
    rows = [
        (f"r{at}", item, part, score)
        for part, matrix in (("expectation", expected), ("perception", perceived))
        for at, row in enumerate(matrix)
        for item, score in zip(instrument.codes, row, strict=True)
    ]
    points = [("r0", "one", "importance", 90), ("r0", "two", "importance", 10)]
    points += [("r1", "one", "importance", 1), ("r1", "two", "importance", 9)]
    overall = dimension_gaps(read_answers(table(rows + points, instrument), instrument)).row(-1, named=True)
    assert overall["weighted"] == pytest.approx((-1.1 + -3.9) / 2)
    assert overall["gap"] == pytest.approx(-2.5)


def test_points_that_sum_to_nothing_count_as_equal():
    instrument = two_dimensions(weights="points")
    rows = [
        (f"r{r}", i, p, s)
        for r in (0, 1)
        for i in "abcde"
        for p, s in (("expectation", 7), ("perception", 5 + r))
    ]
    points = [(f"r{r}", d, "importance", 0) for r in (0, 1) for d in ("one", "two")]
    overall = dimension_gaps(read_answers(table(rows + points, instrument), instrument)).row(-1, named=True)
    assert overall["weighted"] == pytest.approx(-1.5)


def test_reversed_items_are_turned_on_both_sides():
    plain = answers([[7, 6, 5, 4, 3]] * 2, [[6, 5, 4, 3, 2]] * 2, two_dimensions())
    turned = answers([[1, 6, 5, 4, 3]] * 2, [[2, 5, 4, 3, 2]] * 2, two_dimensions(reversed=("a",)))
    assert item_gaps(turned).equals(item_gaps(plain))


def test_odd_answers_are_counted_and_left_out_only_by_rule():
    expected = [[7] * 5, [6, 5, 6, 5, 6], [8, 5, 6, 5, 4]]
    perceived = [[7] * 5, [5, 4, 5, 4, 5], [0, 4, 5, 4, 3]]
    kept = answers(expected, perceived, two_dimensions())
    assert kept.found == {
        "off_scale": 2,
        "blank": 0,
        "narrow_item": 0,
        "unknown_item": 0,
        "straight_liner": 1,
        "ceiling": 1,
        "duplicate_respondent": 0,
    }
    assert (kept.n, kept.excluded) == (3, {})
    ruled = answers(expected, perceived, two_dimensions(exclude=("straight_liner", "ceiling")))
    assert (ruled.n, ruled.excluded) == (2, {"straight_liner": 1, "ceiling": 0})


def test_zone_of_tolerance_of_three_respondents():
    """Minimum 4, desired 6: perceived 3 is below, 5 within, 7 above; one who desires 3 is illogical."""
    instrument = two_dimensions(parts=("minimum", "desired", "perception"))
    levels = [(4, 6, 3), (4, 6, 5), (4, 6, 7), (4, 3, 5)]
    rows = [
        (f"r{at}", item, part, score)
        for at, scores in enumerate(levels)
        for part, score in zip(instrument.parts, scores, strict=True)
        for item in instrument.codes
    ]
    row = tolerance(read_answers(table(rows, instrument), instrument)).row(0, named=True)
    assert (row["n"], row["illogical"]) == (3, 1)
    assert (row["adequacy"], row["superiority"]) == (1, -1)
    assert (row["below"], row["within"], row["above"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def _tangibles(group):
    """Gaps of the first four items by respondent, of those who answered two or more."""
    gap = (group.parts["perception"] - group.parts["expectation"])[:, :4]
    return np.array([np.mean(row[~np.isnan(row)]) for row in gap if (~np.isnan(row)).sum() >= 2])


def test_two_groups_by_welch():
    first, *_ = random_answers(seed=1)
    second, *_ = random_answers(seed=2, n=90)
    row = compare_gaps(first, second).row(0, named=True)
    a, b = (_tangibles(group) for group in (first, second))
    test = stats.ttest_ind(b, a, equal_var=False)
    assert (row["t"], row["p_value"]) == pytest.approx((test.statistic, test.pvalue))
    assert row["difference"] == pytest.approx(b.mean() - a.mean())
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(test.confidence_interval()))


def test_nobody_one_person_and_equal_answers():
    instrument = two_dimensions()
    nobody = answers([], [], instrument)
    assert dimension_gaps(nobody)["gap"].to_list() == [None] * 3
    assert mean_gap(nobody) is None
    one = dimension_gaps(answers([[7] * 5], [[6] * 5], instrument))
    assert one["gap"].to_list() == [-1, -1, None]
    assert one["lower"].to_list() == [None] * 3
    equal = dimension_gaps(answers([[7] * 5] * 3, [[6] * 5] * 3, instrument))
    assert equal["gap"].to_list() == pytest.approx([-1] * 3)
    assert equal["p_value"].drop_nulls().is_empty()


def test_without_expectations_there_is_performance_and_no_gap():
    instrument = two_dimensions(parts=("perception",))
    rows = [("r0", item, "perception", 6) for item in "abcde"] + [
        ("r1", item, "perception", 4) for item in "abcde"
    ]
    got = read_answers(table(rows, instrument), instrument)
    assert not instrument.has_gap
    assert performance(got)["mean"].to_list() == [5, 5, 5]


@pytest.mark.realdata
def test_airline_survey_by_three_orders_of_averaging(real_data):
    """1,065 travellers, 23 pairs on 1-100: -21.286730, -21.1995, -21.2999; worst items 4, 7, 3; best 12."""
    wide = pl.read_csv(real_data / "airlinesat" / "airlinesat.csv", null_values=["NA"]).with_row_index(
        "response_id"
    )
    instrument = Instrument(
        name="airline",
        label="Airline",
        scale=Scale(min=1, max=100),
        dimensions={"all": Dimension(label="All", items=tuple(str(at) for at in range(1, 24)))},
    )
    long = pl.concat(
        wide.unpivot(
            on=[f"{letter}{at}" for at in range(1, 24)], index="response_id", value_name="score"
        ).with_columns(part=pl.lit(part), item=pl.col("variable").str.slice(1))
        for letter, part in (("e", "expectation"), ("s", "perception"))
    ).with_columns(
        pl.col("response_id").cast(pl.String),
        customer_id=pl.col("response_id").cast(pl.String),
        answered_at=pl.lit(AT),
        instrument=pl.lit("airline"),
        weight=pl.lit(None, pl.Float64),
    )
    got = read_answers(long.lazy(), instrument)
    assert mean_gap(got, "items") == pytest.approx(-21.286730, abs=5e-7)
    assert mean_gap(got, "respondents") == pytest.approx(-21.1995, abs=5e-5)
    assert mean_gap(got, "pooled") == pytest.approx(-21.2999, abs=5e-5)
    gaps = dict(item_gaps(got).sort("gap").select("item", "gap").iter_rows())
    assert list(gaps)[:3] == ["4", "7", "3"]
    assert [gaps[item] for item in ("4", "7", "3", "12")] == pytest.approx(
        [-30.214, -28.557, -28.412, -8.799], abs=5e-4
    )
    assert list(gaps)[-1] == "12"
