"""From figures to what a tile shows: value, change and whether the change can be told from chance.

Pure: figures in, `Tile` out. The change of two figures with intervals is supported when the interval of
their difference, combined from both (MOVER: Zou and Donner 2008), leaves out zero. A full count has no
interval: its change is a fact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard.counts import with_unit
from dashboard.format import MISSING, Formatter
from dashboard.text import gettext as _
from metrics.counted import Counted
from metrics.definitions import Direction, Metric
from metrics.targets import Verdict, Word, verdict

Tone = Literal["good", "bad", "flat"]


@dataclass(frozen=True)
class Figure:
    """One metric in one period, as the engine gives it."""

    value: float | None
    amount: Decimal | None = None
    n: int = 0
    lower: float | None = None
    upper: float | None = None
    interval: str | None = None
    complete: bool = True
    reason: str | None = None

    @property
    def shown(self) -> float | Decimal | None:
        """The exact amount of money where there is one, else the value."""
        return self.value if self.amount is None else self.amount


def figures_of(frame: pl.DataFrame, name: str) -> dict[int, Figure]:
    """The figures of one metric by period, from the rows that `metrics.figures.compute` gives."""
    rows = frame.filter(pl.col("metric") == name).select("period", *(each.name for each in fields(Figure)))
    return {row[0]: Figure(*row[1:]) for row in rows.iter_rows()}


@dataclass(frozen=True)
class Change:
    """A change in words: `tone` says good or bad, `arrow` is empty when nothing supports a direction."""

    text: str
    tone: Tone = "flat"
    arrow: str = ""


@dataclass(frozen=True)
class Goal:
    """What a figure was to be, and whether it is, in words: `Target 45 %: reached`."""

    text: str
    tone: Tone = "flat"


@dataclass(frozen=True)
class Tile:
    """Everything that one tile shows."""

    name: str
    label: str
    figure: Figure
    value: str
    period: int = 0
    reference: int | None = None
    change: Change | None = None
    against: str = ""
    history: Sequence[float | None] = field(default=())
    n: str = ""
    spoken: str = ""
    unit: str = ""
    goal: Goal | None = None


@dataclass(frozen=True)
class Series:
    """A metric through time with the year before; missing values are NaN."""

    periods: Sequence[int]
    values: NDArray[np.float64]
    prior: NDArray[np.float64]
    figures: Mapping[int, Figure]
    running: bool


def series(figures: Mapping[int, Figure], periods: Sequence[int], year_back: int) -> Series:
    """The series over `periods`, the year before lying `year_back` periods earlier."""
    values = np.array([_number(figures.get(code)) for code in periods])
    prior = np.array([_number(figures.get(code - year_back)) for code in periods])
    last = figures.get(periods[-1])
    return Series(periods, values, prior, figures, running=last is not None and not last.complete)


def _number(figure: Figure | None) -> float:
    return math.nan if figure is None or figure.value is None else figure.value


@dataclass(frozen=True)
class Moment:
    """The period that a tile speaks of, the one it is compared with, and how the tile names them.

    `asked` is empty where the period is that of the page; else it names the one that the figure is of.
    """

    period: int
    reference: int | None
    against: str = ""
    asked: str = ""


def wave(figures: Mapping[int, Figure], period: int, year_before: int | None) -> tuple[int, int | None]:
    """The latest period up to `period` that has a figure, and the one before it to compare with.

    Surveys are held in waves: between two of them the last one still says what is known. `year_before` is
    the distance to the same period of the year before where that is to be compared with.
    """
    known = sorted(code for code, figure in figures.items() if code <= period and figure.value is not None)
    if not known:
        return period, None
    if year_before is not None:
        return known[-1], known[-1] - year_before
    return known[-1], known[-2] if len(known) > 1 else None


def tile(
    metric: Metric,
    figures: Mapping[int, Figure],
    moment: Moment,
    history: Sequence[float | None],
    show: Formatter,
    target: float | None = None,
    *,
    counts: Counted = "customers",
) -> Tile:
    """The tile of a metric at a moment, from its figures by period.

    `target` is that of the period; `counts` says what the n counts.
    """
    figure = figures.get(moment.period, Figure(None))
    reference = figures.get(moment.reference) if moment.reference is not None else None
    value = show.value(figure.shown, metric.style)
    change = None if reference is None else changed(metric, figure, reference, show)
    n = ", ".join(part for part in (moment.asked, _base(figure, counts, show)) if part)
    moved = f"{change.text} {moment.against}" if change else ""
    aim = goal(metric, figure, target, show)
    said = aim.text if aim else ""
    spoken = ", ".join(part for part in (metric.label, value, moved, said, n) if part)
    return Tile(
        metric.name,
        metric.label,
        figure,
        value,
        moment.period,
        moment.reference,
        change,
        moment.against,
        history,
        n,
        spoken,
        metric.unit,
        aim,
    )


def _base(figure: Figure, counts: Counted, show: Formatter) -> str:
    if figure.value is None:
        return ""
    told = with_unit(figure.n, counts, show)
    return _("n = {n}").format(n=told) if figure.n else told


def disabled(name: str, reason: str) -> Tile:
    """The tile of a metric whose definition is broken or missing; it says why."""
    label = name.replace("_", " ").capitalize()
    return Tile(name, label, Figure(None, reason=reason), MISSING)


def changed(metric: Metric, figure: Figure, reference: Figure, show: Formatter) -> Change | None:
    """The change from `reference` to `figure`; None when one is missing or the period still runs."""
    if figure.shown is None or reference.shown is None or not figure.complete:
        return None
    difference = float(figure.shown) - float(reference.shown)
    text = _written(metric, difference, float(reference.shown), show)
    if not any(digit in "123456789" for digit in text):
        return Change(_("no change"))
    if not supported(figure, reference):
        return Change(_("no clear change"))
    arrow = "\N{UPWARDS ARROW}" if difference > 0 else "\N{DOWNWARDS ARROW}"
    return Change(text, tone(metric.direction, difference), arrow)


def goal(metric: Metric, figure: Figure, target: float | None, show: Formatter) -> Goal | None:
    """What is said of a figure against its target and thresholds; of a running period the target alone."""
    value = None if figure.shown is None else float(figure.shown)
    found = verdict(metric, value, target, (figure.lower, figure.upper))
    if found is None or value is None:
        return None
    aimed = "" if found.target is None else _("Target {n}").format(n=show.value(found.target, metric.style))
    if not figure.complete:
        return Goal(aimed) if aimed else None
    said, tone = _judged(found, metric, value, show)
    return Goal(f"{aimed}: {said}" if aimed else f"{said[:1].upper()}{said[1:]}", tone)


def _judged(found: Verdict, metric: Metric, value: float, show: Formatter) -> tuple[str, Tone]:
    """A verdict in words, and its tone."""
    away = _written(metric, value - (found.target or 0), found.target or 0, show)
    good, bad = (show.value(limit, metric.style) for limit in (found.good, found.bad))
    up = metric.direction != "down_is_good"
    least, most = _("{word}, {n} or more"), _("{word}, {n} or less")
    said: dict[Word, tuple[str, Tone]] = {
        "reached": (_("reached"), "good"),
        "missed": (_("missed by {n}").format(n=away.lstrip("+-\N{MINUS SIGN}")), "bad"),
        "unclear": (_("too close to tell"), "flat"),
        "good": ((least if up else most).format(word=_("good"), n=good), "good"),
        "watch": (_("watch, good is {n}").format(n=good), "flat"),
        "bad": ((most if up else least).format(word=_("bad"), n=bad), "bad"),
    }
    return said[found.word]


def supported(figure: Figure, reference: Figure) -> bool:
    """Whether the difference of two figures stands out of their intervals; true for full counts.

    With intervals l..u around a and b, the difference a - b reaches from
    (a - b) - sqrt((a - la)^2 + (ub - b)^2) to (a - b) + sqrt((ua - a)^2 + (b - lb)^2).

    >>> supported(Figure(0.56, lower=0.55, upper=0.57), Figure(0.55, lower=0.54, upper=0.56))
    False
    >>> supported(Figure(0.58, lower=0.57, upper=0.59), Figure(0.55, lower=0.54, upper=0.56))
    True
    """
    bounds = (figure.lower, figure.upper, reference.lower, reference.upper)
    if figure.value is None or reference.value is None or any(bound is None for bound in bounds):
        return True
    lower, upper, reference_lower, reference_upper = (float(bound or 0) for bound in bounds)
    difference = figure.value - reference.value
    down = math.hypot(figure.value - lower, reference_upper - reference.value)
    up = math.hypot(upper - figure.value, reference.value - reference_lower)
    return difference - down > 0 or difference + up < 0


def _written(metric: Metric, difference: float, reference: float, show: Formatter) -> str:
    if metric.unit in ("money", "count", "per_thousand") and reference > 0:
        return show.relative(difference / reference)
    return show.change(difference, metric.style)


def tone(direction: Direction, difference: float) -> Tone:
    """Whether a difference is good or bad; flat where neither way is better."""
    if direction == "neutral":
        return "flat"
    return "good" if (difference > 0) == (direction == "up_is_good") else "bad"
