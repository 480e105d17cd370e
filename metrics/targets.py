"""Targets and thresholds: what a figure was to be, and whether it is.

A target that an uncertain figure cannot be told apart from is neither reached nor missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from metrics.definitions import Metric, Target
from metrics.periods import Calendar, Grain

Word = Literal["reached", "missed", "unclear", "good", "watch", "bad"]
_FINER: Final = {Grain.QUARTER: (Grain.MONTH,), Grain.YEAR: (Grain.QUARTER, Grain.MONTH)}

Segment = Mapping[str, Sequence[str]]
"""The values that a selection holds of each attribute, `category` among them."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a figure: `word`, the target where there is one, and where good or bad begins."""

    word: Word
    target: float | None = None
    good: float | None = None
    bad: float | None = None


def target_of(
    metric: Metric, grain: Grain, period: int, calendar: Calendar, segment: Segment | None = None
) -> float | None:
    """The target of a period for a segment; None where there is none.

    The last of those that hold counts. Of an additive metric the targets of months add up to those of
    quarters and years, where every one of them has one.
    """
    ours = [each for each in metric.targets if _same(each.segment, segment or {})]
    found = [each.value for each in ours if _holds(each, grain, period, calendar)]
    if found or metric.additivity != "additive":
        return found[-1] if found else None
    for finer in _FINER.get(grain, ()):
        parts = [
            [each.value for each in ours if each.grain and _holds(each, finer, code, calendar)]
            for code in _within(grain, period, finer, calendar)
        ]
        if all(parts):
            return sum(part[-1] for part in parts)
    return None


def verdict(
    metric: Metric,
    value: float | None,
    target: float | None,
    bounds: tuple[float | None, float | None] = (None, None),
) -> Verdict | None:
    """What is to be said of a figure; None without a figure, or without a target and thresholds.

    Thresholds say good, watch or bad. A target alone is reached or missed; it is unclear where the interval
    of the figure holds it, and where neither way is good.
    """
    if value is None:
        return None
    sign = -1.0 if metric.direction == "down_is_good" else 1.0
    limits = metric.thresholds
    if limits is not None and not (limits.of == "target" and target is None):
        unit = target if limits.of == "target" and target is not None else 1.0
        good, bad = limits.good * unit, limits.bad * unit
        word: Word = "good" if sign * (value - good) >= 0 else "bad" if sign * (value - bad) <= 0 else "watch"
        return Verdict(word, target, good, bad)
    if target is None:
        return None
    lower, upper = bounds
    near = lower is not None and upper is not None and lower < target < upper
    if near or (metric.direction == "neutral" and value != target):
        return Verdict("unclear", target)
    return Verdict("reached" if sign * (value - target) >= 0 else "missed", target)


def _holds(target: Target, grain: Grain, period: int, calendar: Calendar) -> bool:
    if target.grain is not None and target.grain != grain:
        return False
    begun = target.since is None or calendar.start(period, grain) >= target.since
    return begun and (target.until is None or calendar.end(period, grain) <= target.until)


def _same(segment: Segment, other: Segment) -> bool:
    return _held(segment) == _held(other)


def _held(segment: Segment) -> dict[str, set[str]]:
    return {name: set(values) for name, values in segment.items() if values}


def _within(grain: Grain, period: int, finer: Grain, calendar: Calendar) -> range:
    """The finer periods of a period."""
    first, last = (calendar.code(day(period, grain), finer) for day in (calendar.start, calendar.end))
    return range(first, last + 1)
