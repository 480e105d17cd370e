"""Metrics of another metric through time: cumulative and rolling figures, and changes against a comparison.

They ask for the other metric in windows of their own, so that what does not add up (customers, shares,
medians) is counted anew over the whole stretch and never added up from its periods.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl

from metrics import intervals
from metrics.catalog import Plan
from metrics.cells import Cells
from metrics.definitions import Change, Cumulative, Simple
from metrics.measures import ADDITIVE, Compute
from metrics.periods import Calendar, Grain, Window
from metrics.points import NOT_PERIODS, Point, Points
from metrics.relations import PANEL, SUMS
from metrics.runs import Whole, codes, in_order

Ask = Callable[[Window], Points]
"""The other metric in a window."""

NOT_OVER: Final = "the period is not over, so that it cannot be compared with a whole one"
WAS_NOTHING: Final = "nothing to compare with: it was {value:g} then"
TOO_YOUNG: Final = "the data do not reach back far enough"


def cumulative(
    definition: Cumulative, ask: Ask, window: Window, calendar: Calendar, as_of: date, since: date | None
) -> Points:
    """The other metric from the beginning of each period's stretch to the period's last day.

    There is no figure where a rolling stretch begins before `since`, the first day with data: the week,
    month, quarter or year in which it begins must have some.
    """
    found: dict[tuple[str | None, int], Point] = {}
    for code in window.periods:
        part = stretch(definition, window, code, calendar, as_of)
        short = definition.window is not None and _is_young(definition, part, calendar, since)
        for (value, _), point in ask(part).items():
            found[value, code] = Point(None, 0, reason=TOO_YOUNG) if short else point
    return found


def added_up(
    definition: Cumulative, ask: Ask, window: Window, calendar: Calendar, as_of: date, since: date | None
) -> Points | None:
    """The same of a metric whose periods add up, in one go; None where stretches cut periods."""
    firsts = _firsts(definition, window, calendar, as_of, since)
    if firsts is None:
        return None
    parts = ask(_reach(window, firsts))
    found: dict[tuple[str | None, int], Point] = {}
    for code, first in firsts.items():
        part = stretch(definition, window, code, calendar, as_of)
        short = definition.window is not None and _is_young(definition, part, calendar, since)
        for value in {each for each, _ in parts}:
            held = [parts[value, at] for at in range(first, code + 1)]
            found[value, code] = Point(None, 0, reason=TOO_YOUNG) if short else _total(held)
    return found


def counted_once(
    definition: Cumulative,
    ask: Callable[[Window], pl.DataFrame],
    window: Window,
    calendar: Calendar,
    as_of: date,
    since: date | None,
    more: Sequence[str] = (),
) -> Points | None:
    """The same of a count of active customers, in one go; None where stretches cut periods.

    `ask` gives the panel of a window: `period`, `customer`, `orders`, and `by`. An active customer counts
    from that period on, until he is active again or the stretch has left it behind. `more` are values of `by`
    that have a figure even where nobody has one of their rows.
    """
    firsts = _firsts(definition, window, calendar, as_of, since)
    if firsts is None:
        return None
    rows = ask(_reach(window, firsts))
    by = (
        rows["by"]
        if "by" in rows.columns
        else pl.Series("by", [None], pl.String).new_from_index(0, len(rows))
    )
    every = pl.concat([by, pl.Series(more, dtype=by.dtype)])
    values, kind = every.unique(), codes(every)
    grouped = rows.select("period", "customer", "orders", pl.Series("group", kind[: len(rows)]))
    active = grouped.filter((pl.col("orders") > 0) & pl.col("customer").is_not_null())
    counts = _counted_once(active, window, [*firsts.values()], int(kind.max(initial=0)) + 1)
    found: dict[tuple[str | None, int], Point] = {}
    for value, group in zip(values.cast(pl.String).to_list(), codes(values).tolist(), strict=True):
        for at, code in enumerate(window.periods):
            part = stretch(definition, window, code, calendar, as_of)
            short = definition.window is not None and _is_young(definition, part, calendar, since)
            n = int(counts[group, at])
            found[value, code] = Point(None, 0, reason=TOO_YOUNG) if short else Point(float(n), n)
    return found


def _counted_once(active: pl.DataFrame, window: Window, firsts: Sequence[int], groups: int) -> Whole:
    """By group and period of the window, the customers who were active since the period's first one."""
    rows = in_order(active, ("customer", "group", "period"))
    customer, period, group = (rows[name].to_numpy() for name in ("customer", "period", "group"))
    again = np.full(len(rows), window.last + 1)
    same = (customer[1:] == customer[:-1]) & (group[1:] == group[:-1])
    again[:-1][same] = period[1:][same]
    left_behind = window.first + np.searchsorted(np.array(firsts), period, side="right")
    begins = np.maximum(period, window.first)
    ends = np.minimum(again, left_behind)
    counts = begins < ends
    width = window.count + 1
    cells = [group[counts] * width + (edge[counts] - window.first) for edge in (begins, ends)]
    come, gone = (np.bincount(each, minlength=groups * width).reshape(groups, width) for each in cells)
    return (come - gone).cumsum(axis=1)[:, :-1]


def _firsts(
    definition: Cumulative, window: Window, calendar: Calendar, as_of: date, since: date | None
) -> dict[int, int] | None:
    """The first period of the stretch of each period; None where stretches are not made of whole periods."""
    if window.is_cut or window.grain is Grain.ALL or since is None:
        return None
    begun = calendar.code(since, window.grain)
    firsts: dict[int, int] = {}
    for code in window.periods:
        start = stretch(definition, window, code, calendar, as_of).start
        firsts[code] = begun if start is None else calendar.code(start, window.grain)
        if start is not None and calendar.start(firsts[code], window.grain) != start:
            return None
    return firsts


def _reach(window: Window, firsts: Mapping[int, int]) -> Window:
    """The window from the first period of any stretch on."""
    earliest = min(*firsts.values(), window.last)
    return Window(window.grain, window.last, window.last - earliest + 1)


def _total(parts: Sequence[Point]) -> Point:
    """The sum of points; none where none of them has a value."""
    known = [part for part in parts if part.value is not None]
    if not known:
        return parts[-1] if parts else Point(None, 0)
    amounts = [part.amount for part in known if part.amount is not None]
    amount = sum(amounts, Decimal(0)) if amounts else None
    value = float(amount) if amount is not None else sum(part.value or 0.0 for part in known)
    return Point(value, sum(part.n for part in parts), amount=amount)


def adds_over_time(plan: Plan) -> bool:
    """Whether the figure of a stretch is the sum of those of its periods."""
    part = plan.parts[0] if plan.parts else ""
    if not (isinstance(plan.definition, Simple) and isinstance(part, Compute)):
        return False
    if plan.definition.interval not in (None, "none") or part.aggregate not in ADDITIVE:
        return False
    if part.relation.name != PANEL:
        return True
    firsts = part.value_columns == {"first_orders"} and part.condition_columns <= {"customer", "is_first"}
    sums = part.value_columns <= SUMS.keys() and part.condition_columns <= {"customer"}
    return part.aggregate == "sum" and (firsts or sums)


def counts_active(plan: Plan) -> bool:
    """Whether the figure is the number of customers with an order in the period, and nothing else."""
    part = plan.parts[0] if plan.parts else ""
    if not (isinstance(plan.definition, Simple) and isinstance(part, Compute)):
        return False
    plain = not plan.definition.min_n and plan.definition.grain is None
    counted = part.relation.name == PANEL and part.aggregate == "count" and part.plain == "customer"
    return (
        plain
        and counted
        and plan.definition.interval in (None, "none")
        and part.where.split() == ["orders", ">", "0"]
    )


def stretch(definition: Cumulative, window: Window, code: int, calendar: Calendar, as_of: date) -> Window:
    """The days that a period's figure is made of, as one period."""
    end = as_of if window.grain is Grain.ALL else calendar.end(code, window.grain)
    end = min(end, window.end or end)
    return Window(start=_start(definition, end, calendar), end=end)


def _start(definition: Cumulative, end: date, calendar: Calendar) -> date | None:
    if definition.to_date is not None:
        grain = Grain(definition.to_date)
        return calendar.start(calendar.code(end, grain), grain)
    if definition.window is None:
        return None
    count, unit = _length(definition)
    if unit in ("day", "week"):
        return end - timedelta(days=count * (7 if unit == "week" else 1) - 1)
    return _months_back(end + timedelta(days=1), count * {"month": 1, "quarter": 3, "year": 12}[unit])


def _length(definition: Cumulative) -> tuple[int, str]:
    count, unit = (definition.window or "").split()
    return int(count), unit.rstrip("s")


def _months_back(day: date, months: int) -> date:
    """The same day some months before, or the last day of a shorter month."""
    month = day.year * 12 + day.month - 1 - months
    last = Calendar().end(month, Grain.MONTH).day
    return date(month // 12, month % 12 + 1, min(day.day, last))


def _is_young(definition: Cumulative, part: Window, calendar: Calendar, since: date | None) -> bool:
    unit = _length(definition)[1]
    grain = Grain.WEEK if unit == "day" else Grain(unit)
    start = part.start or date.min
    return since is None or calendar.code(since, grain) > calendar.code(start, grain)


def change(definition: Change, ask: Ask, window: Window, calendar: Calendar, as_of: date) -> Points:
    """What the other metric has changed by since the period before or the same one of the year before.

    Bounds come from those of both figures, taken as independent: MOVER for a difference (Zou and Donner
    2008), MOVER-R for a quotient (Donner and Zou 2012).
    """
    if window.is_cut or window.grain is Grain.ALL:
        return {(None, code): Point(None, 0, reason=NOT_PERIODS) for code in window.periods}
    back = steps_back(definition, window, calendar)
    asked = ask(replace(window, count=window.count + back))
    found: dict[tuple[str | None, int], Point] = {}
    for (value, code), now in asked.items():
        if code < window.first:
            continue
        before = asked.get((value, code - back), Point(None, 0))
        over = calendar.is_complete(code, window.grain, as_of)
        found[value, code] = _compared(definition, now, before) if over else Point(None, 0, reason=NOT_OVER)
    return found


def steps_back(definition: Change, window: Window, calendar: Calendar) -> int:
    """How many periods before a period the one lies that it is compared with."""
    year = window.last - calendar.year_before(window.last, window.grain)
    return year if definition.against == "year" else 1


def _compared(definition: Change, now: Point, before: Point) -> Point:
    if now.value is None:
        return now
    if before.value is None:
        return Point(None, now.n, reason=f"nothing to compare with: {before.reason}".rstrip(": "))
    relative = definition.value == "relative"
    if relative and before.value <= 0:
        return Point(None, now.n, reason=WAS_NOTHING.format(value=before.value))
    value = now.value / before.value - 1 if relative else now.value - before.value
    lower, upper = _bounds(now, before, relative=relative)
    return Point(value, now.n, lower, upper, "" if lower is None else "mover")


def _bounds(now: Point, before: Point, *, relative: bool) -> tuple[float | None, float | None]:
    ends = (now.value, now.lower, now.upper, before.value, before.lower, before.upper)
    if any(end is None for end in ends):
        return None, None
    a, b = (np.array([float(end or 0) for end in part]) for part in (ends[:3], ends[3:]))
    found = intervals.quotient(a, b) if relative else intervals.difference(a, b)
    lower, upper = (float(bound) - relative for bound in found)
    return (lower, upper) if np.isfinite([lower, upper]).all() else (None, None)


def points_of(cells: Cells, keys: pl.DataFrame) -> Points:
    """Cells as points, by value of the column that is split by and period."""
    by = keys["by"].to_list() if "by" in keys.columns else [None] * len(keys)
    none = np.full(len(keys), np.nan)
    lower, upper = cells.bounds or (none, none)
    amounts = cells.amount if cells.amount is not None else [None] * len(keys)
    excluded = cells.excluded if cells.excluded is not None else np.zeros(len(keys), np.int64)
    rows = zip(
        by, keys["period"], cells.value, cells.n, lower, upper, cells.reason, amounts, excluded, strict=True
    )
    return {
        (value, code): Point(
            None if np.isnan(number) else float(number),
            int(n),
            None if np.isnan(low) else float(low),
            None if np.isnan(high) else float(high),
            cells.method,
            "" if not np.isnan(number) else str(reason),
            int(left_out),
            None if np.isnan(number) else amount,
        )
        for value, code, number, n, low, high, reason, amount, left_out in rows
    }
