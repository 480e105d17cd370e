"""Scores of the questions of an instrument: refusals, offsets, changes with their tests."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from metrics.answers import read_answers
from metrics.instruments import Instrument, Question, Scale
from metrics.question_scores import change_p, question_scores, satisfaction_index, score_trend
from metrics.reasons import Reason
from metrics.survey_scores import Estimate


def asked(codes, **question):
    """Answers to one question `q` of a kind, a response each."""
    instrument = Instrument(name="s", label="S", questions={"q": Question(label="Q", **question)})
    rows = pl.DataFrame({"score": codes}, schema={"score": pl.Float64}, strict=False)
    number = pl.int_range(pl.len()).cast(pl.String)
    return read_answers(
        rows.with_columns(
            response_id=number,
            customer_id=number,
            answered_at=pl.lit(datetime(2026, 1, 5, tzinfo=UTC)),
            instrument=pl.lit("s"),
            item=pl.lit("q"),
            part=pl.lit("score"),
            weight=pl.lit(None, pl.Float64),
        ),
        instrument,
    )


@pytest.mark.realdata
def test_airline_codes_wait_for_a_declared_offset(real_data):
    """23 answers of 11 stop the score; with `offset: -1` it is -18.122, with them dropped +10.84."""
    table = pl.read_csv(real_data / "airlinesat" / "airlinesat.csv", null_values=["NA"])
    codes = table["nps"].cast(pl.Float64).to_list()
    refused = question_scores(asked(codes, kind="nps"), "q")
    assert isinstance(refused, Reason)
    assert "11 (23)" in refused.text
    assert "offset: -1" in refused.text
    shifted = question_scores(asked(codes, kind="nps", scale=Scale(min=0, max=10, offset=-1)), "q")
    assert shifted["nps"].value == pytest.approx(-18.122, abs=5e-4)
    dropped = question_scores(asked(codes, kind="nps", off_scale="drop"), "q")
    assert dropped["nps"].value == pytest.approx(10.84, abs=5e-3)


def test_boxes_stand_apart_with_wilson():
    found = question_scores(asked([5] * 30 + [4] * 50 + [2] * 20, kind="csat"), "q")
    assert found["top_box"].value == pytest.approx(0.3)
    two = found["top_two_box"]
    assert (two.lower, two.upper) == pytest.approx(proportion_confint(80, 100, method="wilson"))


def test_a_scale_whose_low_end_is_good():
    scale = Scale(min=1, max=5, better="low")
    assert question_scores(asked([1, 1, 5], kind="csat", scale=scale), "q")["top_box"].value == pytest.approx(
        2 / 3
    )
    effort = question_scores(asked([1, 3], kind="ces", scale=Scale(min=1, max=7, better="low")), "q")
    assert effort["ces"].value == 6


def test_changes_of_shares_and_means_are_tested():
    """Two shares of 400: 40 % to 50 % by the z test of statsmodels with unpooled variance."""
    before, after = Estimate(0.4, None, None, 400), Estimate(0.5, None, None, 400)
    z = 0.1 / np.sqrt(0.4 * 0.6 / 400 + 0.25 / 400)
    from scipy.stats import norm

    assert change_p(before, after, "top_box") == pytest.approx(2 * norm.sf(z))
    assert change_p(Estimate(None, None, None, 0), after, "top_box") is None
    assert change_p(Estimate(5, None, None, 1), Estimate(6, None, None, 1), "ces") is None


def test_a_trend_stops_where_the_score_is_refused():
    periods = pl.Series([1, 1, 2, 2], dtype=pl.Int32)
    good = score_trend(asked([9, 0, 10, 10], kind="nps"), "q", "nps", periods)
    assert good.select("period", "value", "n").rows() == [(1, 0.0, 2), (2, 100.0, 2)]
    assert score_trend(asked([9, 0, 11, 10], kind="nps"), "q", "nps", periods).is_empty()


def test_no_index_without_three_questions():
    assert satisfaction_index(asked([9], kind="acsi")) is None
