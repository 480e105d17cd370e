"""A what-if of the scorecard: every key of the file can be changed, faults stay put, links carry all."""

import pytest

from metrics.scorecard_changes import (
    DRIVER_KEYS,
    PLAN_KEYS,
    SEGMENT_KEYS,
    as_parameters,
    changed,
    differing,
    from_parameters,
    standing,
)
from metrics.scorecard_plan import Change, DriverPlan, Plan

PLAN = Plan(
    drivers=(
        DriverPlan(driver="retention", label="Retention", tag="hard", weight=0.6, cost=100),
        DriverPlan(driver="categories", label="Categories", tag="hard", weight=0.4),
    ),
    segments=(Change(segment="web", driver="retention", target=0.6),),
)
OTHER = {
    "label": "Loyalty",
    "tag": "soft",
    "basis": "own_best",
    "target": 0.8,
    "source": "Trade survey",
    "achievable": 0.3,
    "probability": 0.2,
    "cost": 7.0,
    "cost_per_customer": 0.5,
    "weight": 0.1,
    "amber": 0.8,
    "red": 0.5,
    "discount_rate": 0.2,
    "acquisition_periods": 3,
    "periods": 4,
    "peers": "region",
    "referral": {"attribute": "channel", "value": "friend"},
    "satisfaction": {"item": "overall", "instrument": None},
}
PATHS = (
    *((key,) for key in PLAN_KEYS),
    *(("retention", key) for key in DRIVER_KEYS),
    *((segment, "retention", key) for segment in ("web", "store") for key in SEGMENT_KEYS),
)


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_every_key_of_the_file_can_be_changed_and_travels_in_a_link(path):
    said = {path: OTHER[path[-1]]}
    assert differing(PLAN, said) == said
    found, faults = changed(PLAN, from_parameters(as_parameters(said)))
    assert not faults
    assert standing(found, path) == OTHER[path[-1]]
    assert differing(found, said) == {}
    others = [each for each in PATHS if each != path and each != ("retention", "basis")]
    assert [standing(found, each) for each in others] == [standing(PLAN, each) for each in others]


def test_a_target_of_ones_own_is_set_by_hand_and_another_basis_takes_none():
    own, _ = changed(PLAN, {("retention", "target"): 0.7})
    assert (own.by_driver["retention"].basis, own.by_driver["retention"].target) == ("manual", 0.7)
    back, faults = changed(own, {("retention", "basis"): "own_best"})
    assert (back.by_driver["retention"].basis, back.by_driver["retention"].target) == ("own_best", None)
    outside, _ = changed(own, {("retention", "basis"): "external"})
    assert outside.by_driver["retention"].source
    assert not faults


def test_an_override_without_values_is_none():
    found, faults = changed(PLAN, {("web", "retention", "target"): None})
    assert not faults
    assert found.segments == ()


@pytest.mark.parametrize(
    ("path", "value", "whose", "words"),
    [
        (("retention", "red"), 0.95, ("retention",), "above amber"),
        (("retention", "probability"), 3, ("retention",), "probability: "),
        (("retention", "basis"), "manual", ("retention",), "needs target"),
        (("web", "retention", "cost"), -1, ("web", "retention"), "cost: "),
        (("web", "colour", "cost"), 1, ("web", "colour"), "driver: "),
        (("periods",), 1, ("periods",), "periods: "),
    ],
)
def test_what_cannot_be_is_told_and_stays_as_it_was(path, value, whose, words):
    found, faults = changed(PLAN, {path: value, ("categories", "cost"): 9.0})
    assert list(faults) == [whose]
    assert words in faults[whose]
    assert found.by_driver["retention"] == PLAN.by_driver["retention"]
    assert (found.segments, found.periods) == (PLAN.segments, PLAN.periods)
    assert found.by_driver["categories"].cost == 9.0


def test_a_link_of_nonsense_changes_nothing():
    texts = ["", "[]", "{}", "[1,2]", '["retention"]', '["a","b","c","d",1]', '["retention","colour",1]']
    assert from_parameters(texts) == {}
