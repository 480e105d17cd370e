"""Reading answers: blanks, scales of their own, reversed items, strays, unknown items."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from metrics.answers import read_answers
from metrics.instruments import Dimension, Feature, Instrument, Question, Scale

AT = datetime(2026, 1, 5, tzinfo=UTC)


def table(*rows, instrument="q"):
    """Answers as (response, item, part, score)."""
    return pl.DataFrame(
        [
            {
                "response_id": response,
                "item": item,
                "part": part,
                "score": score,
                "customer_id": response,
                "answered_at": AT,
                "instrument": instrument,
                "weight": None,
            }
            for response, item, part, score in rows
        ],
        schema_overrides={"score": pl.Float64, "weight": pl.Float64},
    )


def asked(**changes):
    given = {
        "parts": ("perception",),
        "scale": Scale(min=1, max=7),
        "dimensions": {"d": Dimension(label="D", items=("a", "b"))},
    }
    return Instrument(name="q", label="Q", **(given | changes))


def test_blank_codes_are_no_answers_and_no_strays():
    rows = table(("r1", "a", "perception", 99), ("r1", "b", "perception", 5), ("r2", "a", "perception", 8))
    found = read_answers(rows, asked(scale=Scale(min=1, max=7, blanks=(0, 99))))
    assert (found.found["blank"], found.found["off_scale"]) == (1, 1)
    assert np.isnan(found.parts["perception"]).sum() == 3


@pytest.mark.parametrize(("code", "there"), [(1, 1), (2, 2.5), (3, 4), (4, 5.5), (5, 7)])
def test_a_five_point_item_is_carried_over_only_where_declared(code, there):
    """On 1 to 7 an answer x of 1 to 5 is 1 + 6 (x - 1) / 4."""
    rows = table(("r1", "a", "perception", code), ("r1", "b", "perception", 5))
    plain = read_answers(rows, asked())
    assert plain.parts["perception"][0, 0] == code
    declared = read_answers(rows, asked(scales={"a": Scale(min=1, max=5)}))
    assert declared.parts["perception"].tolist() == [[there, 5]]


def test_a_part_on_another_scale():
    rows = table(*(("r1", item, part, 5) for item in "ab" for part in ("expectation", "perception")))
    found = read_answers(
        rows, asked(parts=("expectation", "perception"), scales={"expectation": Scale(min=1, max=5)})
    )
    assert found.parts["expectation"].tolist() == [[7, 7]]
    assert found.parts["perception"].tolist() == [[5, 5]]


def test_a_scale_whose_low_end_is_good_is_turned_and_a_reversed_item_back():
    rows = table(("r1", "a", "perception", 2), ("r1", "b", "perception", 2))
    turned = read_answers(rows, asked(scale=Scale(min=1, max=7, better="low"), reversed=("b",)))
    assert turned.parts["perception"].tolist() == [[6, 2]]


def test_items_that_never_reach_the_top_are_named_as_a_doubt():
    """120 respondents use 1 to 7 in six items and 1 to 5 in two."""
    random = np.random.default_rng(4)
    items = [f"i{at}" for at in range(8)]
    rows = [
        (f"r{at}", item, "perception", float(random.integers(1, 6 if item in ("i6", "i7") else 8)))
        for at in range(120)
        for item in items
    ]
    dimensions = {"d": Dimension(label="D", items=tuple(items))}
    assert read_answers(table(*rows), asked(dimensions=dimensions)).found["narrow_item"] == 2


def test_strays_of_questions_keep_their_codes():
    instrument = Instrument(
        name="q",
        label="Q",
        questions={"nps": Question(label="Recommend", kind="nps")},
        features={"f": Feature(label="F", functional="fF", dysfunctional="fD")},
    )
    rows = table(("r1", "nps", "score", 11), ("r2", "nps", "score", 10), ("r2", "fF", "score", 2))
    found = read_answers(rows, instrument)
    assert found.strays["nps"] == {11.0: 1}
    assert np.array_equal(found.single["nps"], [np.nan, 10], equal_nan=True)
    assert np.array_equal(found.single["fF"], [np.nan, 2], equal_nan=True)


def test_unknown_items_are_counted_and_left_aside():
    rows = table(("r1", "a", "perception", 3), ("r1", "zz", "perception", 3))
    found = read_answers(rows, asked())
    assert found.found["unknown_item"] == 1
    assert found.parts["perception"].shape == (1, 2)


def test_no_answers_at_all():
    empty = table(("r1", "a", "perception", 1)).clear()
    assert read_answers(empty, asked()).n == 0
