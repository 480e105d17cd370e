"""Targets by period and segment, and what is said of a figure against them: hand-worked cases."""

from datetime import date

import pytest

from metrics.definitions import Simple, Target, Thresholds
from metrics.periods import Calendar, Grain
from metrics.targets import target_of, verdict

CALENDAR = Calendar()
JUNE = 2026 * 12 + 5
SECOND = 2026 * 4 + 1


def metric(**said):
    usual = {"unit": "money", "direction": "up_is_good", "additivity": "additive"} | said
    return Simple(
        kind="simple",
        name="sales",
        label="Sales",
        description="x",
        table="orders",
        expression="sum(cost)",
        **usual,
    )


def found(definition, grain=Grain.MONTH, period=JUNE, **segment):
    return target_of(definition, grain, period, CALENDAR, segment)


def test_one_figure_holds_always_and_for_everybody_only():
    definition = metric(target=0.4, additivity="non")
    assert [found(definition), found(definition, Grain.YEAR, 2026)] == [0.4, 0.4]
    assert found(definition, region=("North",)) is None
    assert found(definition, region=()) == 0.4  # a filter that nothing is chosen in


def test_the_last_that_holds_counts():
    since = Target(value=2, since=date(2026, 6, 1))
    definition = metric(target=(Target(value=1), since, Target(value=3, until=date(2026, 5, 31))))
    assert [found(definition, period=code) for code in (JUNE - 1, JUNE)] == [3, 2]


def test_a_segment_has_its_own():
    north = Target(value=7, segment={"region": ("North", "East")})
    definition = metric(target=(Target(value=1), north))
    assert found(definition, region=("East", "North")) == 7
    assert found(definition, region=("East",)) is None
    assert found(definition, region=("East", "North"), category=("tea",)) is None


def test_months_add_up_to_quarters_and_years_where_all_are_there():
    monthly = (
        Target(value=10, grain="month", until=date(2026, 5, 31)),
        Target(value=12, grain="month", since=date(2026, 6, 1)),
    )
    assert found(metric(target=monthly), Grain.QUARTER, SECOND) == 10 + 10 + 12
    assert found(metric(target=monthly), Grain.YEAR, 2026) == 5 * 10 + 7 * 12
    assert found(metric(target=monthly), Grain.WEEK, 2900) is None
    assert found(metric(target=monthly[1:]), Grain.QUARTER, SECOND) is None
    assert found(metric(target=monthly, additivity="non"), Grain.QUARTER, SECOND) is None
    own = (*monthly, Target(value=30, grain="quarter"))
    assert found(metric(target=own), Grain.QUARTER, SECOND) == 30


@pytest.mark.parametrize(
    ("direction", "value", "word"),
    [
        ("up_is_good", 101, "reached"),
        ("up_is_good", 100, "reached"),
        ("up_is_good", 99, "missed"),
        ("down_is_good", 99, "reached"),
        ("down_is_good", 101, "missed"),
        ("neutral", 101, "unclear"),
        ("neutral", 100, "reached"),
    ],
)
def test_a_target_is_reached_or_missed_by_direction(direction, value, word):
    assert verdict(metric(direction=direction), value, 100.0).word == word


def test_what_the_data_cannot_tell_is_not_told():
    assert verdict(metric(), 99, 100.0, (97, 101)).word == "unclear"
    assert verdict(metric(), 99, 100.0, (98, 99.5)).word == "missed"
    assert verdict(metric(), None, 100.0) is None
    assert verdict(metric(), 99, None) is None


@pytest.mark.parametrize(
    ("direction", "good", "bad", "words"),
    [("up_is_good", 90, 50, "bad bad watch good good"), ("down_is_good", 50, 90, "good good watch bad bad")],
)
def test_thresholds_say_good_watch_or_bad(direction, good, bad, words):
    definition = metric(direction=direction, thresholds=Thresholds(good=good, bad=bad))
    assert [verdict(definition, value, None).word for value in (40, 50, 70, 90, 95)] == words.split()


def test_thresholds_may_be_shares_of_the_target():
    definition = metric(target=200.0, thresholds=Thresholds(good=1, bad=0.9, of="target"))
    assert [verdict(definition, value, 200.0).word for value in (180, 190, 200)] == ["bad", "watch", "good"]
    assert verdict(definition, 190, None) is None
