"""Periods as integers: how days fall into weeks, months, quarters and years, and what a window covers.

A period of a grain is one integer, so that neighbours are one apart and marts sort by it: a day counts days
since 1970-01-01, a week counts weeks since the first week start on or after 1970-01-05, a month is
`year * 12 + month - 1`, a quarter `year * 4 + quarter - 1`, a year itself. Quarters and years are fiscal; a
fiscal year carries the calendar year in which it ends. All of history is the one period 0.
"""

from calendar import month_abbr
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, Literal

import polars as pl

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EPOCH: Final = date(1970, 1, 1)
_FIRST_MONDAY: Final = 4
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


class Grain(StrEnum):
    """The length of a period."""

    ALL = "all"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True)
class Calendar:
    """How a project cuts time: its zone for instants, its first weekday, the first month of its fiscal year.

    >>> Calendar(fiscal_year_start=4).code(date(2024, 4, 1), Grain.YEAR)
    2025
    """

    timezone: str = "UTC"
    week_start: Weekday = "monday"
    fiscal_year_start: int = 1

    def code(self, day: date, grain: Grain) -> int:
        """The period of a grain that holds a day.

        >>> Calendar().code(date(2025, 5, 31), Grain.MONTH) == 2025 * 12 + 4
        True
        """
        match grain:
            case Grain.ALL:
                return 0
            case Grain.DAY:
                return (day - _EPOCH).days
            case Grain.WEEK:
                return ((day - _EPOCH).days - self._first_week_day) // 7
            case Grain.MONTH:
                return day.year * 12 + day.month - 1
            case _:
                return (day.year * 12 + day.month - 1 + self._fiscal_shift) // _MONTHS[grain]

    def codes(self, day: pl.Expr, grain: Grain) -> pl.Expr:
        """The same as an expression over a Date column: Int32, null for null."""
        match grain:
            case Grain.ALL:
                return day.to_physical() * 0
            case Grain.DAY:
                return day.to_physical()
            case Grain.WEEK:
                return (day.to_physical() - self._first_week_day) // 7
            case Grain.MONTH:
                return day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1
            case _:
                return (self.codes(day, Grain.MONTH) + self._fiscal_shift) // _MONTHS[grain]

    def coarser(self, period: pl.Expr, finer: Grain, grain: Grain) -> pl.Expr:
        """The quarter or year of a column of months, or the year of one of quarters."""
        shift = self._fiscal_shift if finer is Grain.MONTH else 0
        return (period + shift) // (_MONTHS[grain] // _MONTHS[finer])

    def start(self, code: int, grain: Grain) -> date:
        """The first day of a period; `date.min` for all of history."""
        match grain:
            case Grain.ALL:
                return date.min
            case Grain.DAY:
                return _EPOCH + timedelta(days=code)
            case Grain.WEEK:
                return _EPOCH + timedelta(days=code * 7 + self._first_week_day)
            case Grain.MONTH:
                return date(code // 12, code % 12 + 1, 1)
            case _:
                return self.start(code * _MONTHS[grain] - self._fiscal_shift, Grain.MONTH)

    def end(self, code: int, grain: Grain) -> date:
        """The last day of a period; `date.max` for all of history."""
        return date.max if grain is Grain.ALL else self.start(code + 1, grain) - timedelta(days=1)

    def label(self, code: int, grain: Grain) -> str:
        """A period in words.

        >>> calendar = Calendar()
        >>> calendar.label(calendar.code(date(2025, 5, 9), Grain.QUARTER), Grain.QUARTER)
        'Q2 2025'
        """
        fiscal = "FY" if self.fiscal_year_start > 1 else ""
        match grain:
            case Grain.ALL:
                return "All time"
            case Grain.DAY:
                return _day(self.start(code, grain))
            case Grain.WEEK:
                return f"Week of {_day(self.start(code, grain))}"
            case Grain.MONTH:
                return f"{month_abbr[code % 12 + 1]} {code // 12}"
            case Grain.QUARTER:
                return f"Q{code % 4 + 1} {fiscal}{code // 4}"
            case Grain.YEAR:
                return f"{fiscal}{code}"

    def is_complete(self, code: int, grain: Grain, as_of: date) -> bool:
        """Whether the whole period lies on or before the as-of day; all of history always is."""
        return grain is Grain.ALL or self.end(code, grain) <= as_of

    def last_complete(self, grain: Grain, as_of: date) -> int:
        """The last period that is over on the as-of day."""
        code = self.code(as_of, grain)
        return code if self.is_complete(code, grain, as_of) else code - 1

    def year_before(self, code: int, grain: Grain) -> int:
        """The same period of the year before; a week looks back 52 weeks, a day 364 days (its weekday)."""
        back = {
            Grain.ALL: 0,
            Grain.DAY: 364,
            Grain.WEEK: 52,
            Grain.MONTH: 12,
            Grain.QUARTER: 4,
            Grain.YEAR: 1,
        }
        return code - back[grain]

    @property
    def _first_week_day(self) -> int:
        return _FIRST_MONDAY + _WEEKDAYS.index(self.week_start)

    @property
    def _fiscal_shift(self) -> int:
        """Months from a calendar month to its place in the fiscal year that ends in or after it."""
        return (13 - self.fiscal_year_start) % 12


@dataclass(frozen=True)
class Window:
    """`count` periods of a grain that end with the period `last`, cut at `start` and `end` where given."""

    grain: Grain = Grain.ALL
    last: int = 0
    count: int = 1
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        """Take the grain by its name too; refuse a window without periods."""
        object.__setattr__(self, "grain", Grain(self.grain))
        if self.count < 1:
            fault = f"a window has at least one period, not {self.count}"
            raise ValueError(fault)

    @classmethod
    def between(cls, calendar: Calendar, start: date, end: date, grain: Grain = Grain.ALL) -> "Window":
        """The days from `start` to `end`, both counted: as one period, or cut into periods of a grain.

        Whole periods make a plain window of that grain, the ends of others are cut. ValueError when the
        last day lies before the first.
        """
        if end < start:
            fault = f"the window ends on {end}, before it starts on {start}"
            raise ValueError(fault)
        first, last = calendar.code(start, grain), calendar.code(end, grain)
        exact = calendar.start(first, grain) == start and calendar.end(last, grain) == end
        cut = (None, None) if exact else (start, end)
        return cls(grain, last, last - first + 1, *cut)

    @property
    def first(self) -> int:
        """The first period."""
        return self.last - self.count + 1

    @property
    def periods(self) -> range:
        """The periods in order."""
        return range(self.first, self.last + 1)

    @property
    def is_cut(self) -> bool:
        """Whether days at the ends are left out, so that panels by whole periods do not serve."""
        return self.start is not None or self.end is not None

    def day_range(self, calendar: Calendar) -> tuple[date, date]:
        """First and last day that count."""
        first, last = calendar.start(self.first, self.grain), calendar.end(self.last, self.grain)
        return max(first, self.start or first), min(last, self.end or last)


def _day(day: date) -> str:
    return f"{day.day} {month_abbr[day.month]} {day.year}"
