"""YAML kinds of what customers feel: published numbers, lists that add up, what cannot be computed."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from metrics.frames import Marts
from metrics.instruments import Dimension, Instrument, Scale
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Missing, Selection
from metrics.survey_definitions import (
    CustomerEffort,
    CustomerSatisfaction,
    ReturnOnQuality,
    SatisfactionIndex,
    ServqualGap,
)
from metrics.survey_figures import felt, felt_customers

CALENDAR = Calendar()
AS_OF = date(2026, 6, 30)
SIZES = {"T": 4, "REL": 5, "RES": 4, "ASS": 4, "EMP": 5}
WEIGHTS = {"T": 11, "REL": 32, "RES": 22, "ASS": 19, "EMP": 16}
EXPECTED = (
    *(6.2, 6.0, 6.1, 5.8, 6.7, 6.4, 6.5, 6.6, 6.3, 6.2, 6.5),
    *(6.4, 6.3, 6.4, 6.5, 6.3, 6.4, 6.1, 5.9, 6.2, 6.3, 6.2),
)
PERCEIVED = (
    *(6.0, 6.2, 5.9, 5.6, 6.0, 5.7, 5.8, 6.1, 6.2, 5.3, 5.2),
    *(5.6, 5.0, 6.0, 6.3, 6.1, 5.9, 5.1, 5.6, 5.0, 5.3, 4.9),
)
COMMON = {"name": "figure", "label": "Figure", "description": "A figure."}


def servqual(**changes):
    codes = iter(f"i{at}" for at in range(22))
    dimensions = {
        name: Dimension(label=name, items=tuple(next(codes) for _ in range(size)), weight=WEIGHTS[name])
        for name, size in SIZES.items()
    }
    given = {"scale": Scale(min=1, max=7), "weights": "fixed", "dimensions": dimensions} | changes
    return Instrument(name="q", label="Q", **given)


def marts(rows, *instruments):
    """Marts of answers given as (customer, month of 2026, item, part, score), one order a customer."""
    answers = pl.DataFrame(
        [
            {
                "response_id": f"{customer}-{month}",
                "item": item,
                "part": part,
                "score": score,
                "customer_id": customer,
                "answered_at": datetime(2026, month, 10, 12, tzinfo=UTC),
                "instrument": "q",
            }
            for customer, month, item, part, score in rows
        ],
        schema_overrides={"score": pl.Float64, "customer_id": pl.String},
    )
    people = sorted({row[0] for row in rows if row[0]})
    lines = pl.DataFrame(
        {"order_id": people, "customer_id": people, "ordered_on": [date(2026, 1, 1)] * len(people)}
    ).with_columns(
        line_id=pl.lit("1"),
        net_amount=pl.lit(10, pl.Decimal(18, 4)),
        is_return=pl.lit(value=False),
        quantity=pl.lit(1.0),
    )
    tables = {"survey_answers": answers.lazy(), "order_lines": lines.lazy()}
    named = {each.name: each for each in instruments}
    return Marts(build(tables, CALENDAR, AS_OF), CALENDAR, AS_OF, instruments=named)


def survey(customers=("a", "b", "c"), month=5):
    return [
        (customer, month, f"i{at}", part, score)
        for customer in customers
        for part, scores in (("expectation", EXPECTED), ("perception", PERCEIVED))
        for at, score in enumerate(scores)
    ]


def gap(**changes):
    return ServqualGap(kind="servqual_gap", unit="score", instrument="q", **COMMON, **changes)


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, -0.60), ({"weighted": True}, -0.63565), ({"dimension": "RES"}, -1.075)]
)
def test_published_gaps(changes, expected):
    """Published means of 22 items: -0.60, weighted -0.63565, responsiveness -1.075."""
    found = felt(gap(**changes), marts(survey(), servqual()), Window())[0]
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.n == 3


def test_a_period_has_its_own_answers_and_a_filter_its_own_customers():
    rows = survey(("a", "b"), 4) + [
        (c, m, i, p, s - (p == "perception")) for c, m, i, p, s in survey(("c", "d"))
    ]
    made = marts(rows, servqual())
    found = felt(gap(), made, Window(Grain.MONTH, 2026 * 12 + 4, 2))
    assert [found[code].value for code in sorted(found)] == pytest.approx([-0.6, -1.6])
    assert felt(gap(), made, Window(Grain.MONTH, 2026 * 12 + 2, 1))[2026 * 12 + 2].reason == (
        "no respondent answered enough of both sides in this period"
    )


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (gap(dimension="RESP"), "unknown dimension `RESP`"),
        (ServqualGap(kind="servqual_gap", unit="score", instrument="r", **COMMON), "unknown instrument `r`"),
    ],
)
def test_unknown_names_are_told(definition, words):
    with pytest.raises(Missing, match=words):
        felt(definition, marts(survey(), servqual()), Window())


def test_without_expectations_there_is_no_gap():
    with pytest.raises(Missing, match="has no gap"):
        felt(gap(), marts(survey(), servqual(parts=("perception",))), Window())


def test_weights_that_are_lacking_are_told():
    found = felt(gap(weighted=True), marts(survey(), servqual(weights="none")), Window())[0]
    assert (found.value, found.reason) == (None, "the instrument has no weights")


def test_boxes_with_wilson():
    """80 of 100 satisfied: 0.7111708 to 0.8666331; 30 of them very much."""
    rows = [(f"c{at:03}", 5, "csat", "score", 5 if at < 30 else 4 if at < 80 else 2) for at in range(100)]
    made = marts(rows)
    two = CustomerSatisfaction(kind="csat", unit="rate", item="csat", boxes=2, **COMMON)
    found = felt(two, made, Window())[0]
    assert (found.value, found.lower, found.upper) == pytest.approx((0.8, 0.7111708, 0.8666331), abs=1e-6)
    one = two.model_copy(update={"boxes": 1})
    assert felt(one, made, Window())[0].value == pytest.approx(0.3)
    turned = two.model_copy(update={"better": "low"})
    assert felt(turned, made, Window())[0].value == pytest.approx(0.2)


def test_effort_names_its_easy_end():
    made = marts([("a", 5, "ces", "score", 2), ("b", 5, "ces", "score", 1), ("c", 5, "ces", "score", 9)])
    easy = {
        end: CustomerEffort(kind="ces", unit="score", item="ces", easy=end, **COMMON)
        for end in ("high", "low")
    }
    assert felt(easy["high"], made, Window())[0].value == 1.5
    assert felt(easy["low"], made, Window())[0].value == 6.5


@pytest.mark.parametrize(
    ("weights", "index"), [((0.3885, 0.3190, 0.2925), 76.6616667), ((1, 1, 1), 76.2962963)]
)
def test_published_index(weights, index):
    """Means 8.2, 7.9, 7.5: 76.66 with the weights of Ohio, 76.30 with equal ones."""
    items = ("s", "e", "i")
    rows = [("a", 5, item, "score", mean) for item, mean in zip(items, (8.2, 7.9, 7.5), strict=True)]
    definition = SatisfactionIndex(kind="acsi", unit="score", items=items, weights=weights, **COMMON)
    assert felt(definition, marts(rows), Window())[0].value == pytest.approx(index, abs=1e-6)


@pytest.mark.parametrize(
    "definition",
    [
        CustomerSatisfaction(kind="csat", unit="rate", item="csat", boxes=2, **COMMON),
        CustomerEffort(kind="ces", unit="score", item="csat", easy="high", **COMMON),
    ],
)
def test_the_list_adds_up_to_the_figure(definition):
    """Customers who answered twice and one who is not known are part of both."""
    rows = [("a", 4, "csat", "score", 5), ("a", 5, "csat", "score", 2), ("b", 5, "csat", "score", 4)]
    rows += [(None, 5, "csat", "score", 1)]
    made = marts(rows)
    people = felt_customers(definition, made, Window())
    total = people["numerator"].sum() / people["denominator"].sum()
    found = felt(definition, made, Window())[0]
    assert total == pytest.approx(found.value)
    assert (people["denominator"].sum(), found.n) == (4, 4)
    only = made.select(Selection({}))
    assert felt(definition, only, Window())[0].value == pytest.approx(found.value)


def test_respondents_behind_a_gap():
    people = felt_customers(gap(dimension="RES"), marts(survey(), servqual()), Window())
    assert people["gap"].to_list() == pytest.approx([-1.075] * 3)


def test_no_return_is_reckoned_from_three_answers():
    definition = ReturnOnQuality(
        kind="return_on_quality", unit="money", instrument="q", dimension="RES", **COMMON
    )
    found = felt(definition, marts(survey(), servqual()), Window())[0]
    assert found.value is None
    assert "same answer" in found.reason or "needs at least" in found.reason


def test_nobody_answered():
    made = marts(survey()).select(Selection({}))
    definition = CustomerSatisfaction(kind="csat", unit="rate", item="csat", **COMMON)
    assert felt(definition, made, Window())[0].reason == "no answers in this period"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gap(dimension="RES", weighted=True), "no weights"),
        (
            lambda: CustomerEffort(
                kind="ces", unit="score", item="x", easy="high", lowest=7, highest=1, **COMMON
            ),
            "no room",
        ),
        (
            lambda: SatisfactionIndex(
                kind="acsi", unit="score", items=("a", "b", "c"), weights=(0, 0, 0), **COMMON
            ),
            "sum to nothing",
        ),
    ],
)
def test_definitions_that_make_no_sense(make, words):
    with pytest.raises(ValueError, match=words):
        make()
