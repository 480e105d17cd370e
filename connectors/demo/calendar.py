"""Days of the demonstration's history: months, quarters and seasons as arrays indexed by day number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def whole(values: Floats) -> Ints:
    """The nearest whole numbers."""
    return np.asarray(np.rint(values), dtype=np.int64)


@dataclass(frozen=True)
class History:
    """`days` days that end with `end`; day 0 is the first."""

    start: date
    end: date

    @classmethod
    def of_months(cls, months: int, end: date) -> "History":
        """The whole months up to the one that holds `end`, which is the last day.

        >>> History.of_months(36, date(2026, 10, 31)).start
        datetime.date(2023, 11, 1)
        """
        first = end.year * 12 + end.month - 1 - (months - 1)
        return cls(date(first // 12, first % 12 + 1, 1), end)

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    @cached_property
    def dates(self) -> NDArray[np.datetime64]:
        """The date of every day."""
        return np.datetime64(self.start, "D") + np.arange(self.days)

    @cached_property
    def months(self) -> Ints:
        """Year * 12 + month - 1 of every day."""
        return self.dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12

    @cached_property
    def quarters(self) -> Ints:
        """Year * 4 + quarter - 1 of every day."""
        return self.months // 3

    def day(self, when: date) -> int:
        """Day number of a date; negative before the start."""
        return (when - self.start).days

    def before_end(self, days: int) -> int:
        """Day number of the day that lies `days` before the end."""
        return self.day(self.end - timedelta(days=days))

    def quarter_start(self, quarters_before_end: int) -> int:
        """First day of the quarter that lies so many quarters before the last one; 0 at the earliest."""
        return int(np.searchsorted(self.quarters, self.quarters[-1] - quarters_before_end))

    def moments(self, minutes: Ints) -> NDArray[np.datetime64]:
        """Local date-times of minutes since the start of day 0."""
        return np.datetime64(self.start, "us") + minutes.astype("timedelta64[m]")

    def decembers(self) -> Ints:
        """First day of every December of which at least 20 days lie in the history."""
        opens = np.flatnonzero((self.months % 12 == 11) & (np.diff(self.months, prepend=-1) != 0))
        return opens[opens + 20 <= self.days]

    def seasonal(self, monthly: Sequence[float]) -> Floats:
        """The multiplier of each day's month."""
        return np.asarray(monthly, dtype=np.float64)[self.months % 12]


@dataclass(frozen=True)
class Clock:
    """Operational time: stretched by a seasonal rate, it makes a plain Poisson process seasonal."""

    elapsed: Floats

    @classmethod
    def even(cls, days: int) -> "Clock":
        """Operational time that runs as the calendar does."""
        return cls(np.arange(days + 1, dtype=np.float64))

    @classmethod
    def at(cls, rates: Floats) -> "Clock":
        """Operational time that runs at these daily rates."""
        return cls(np.concatenate([[0.0], np.cumsum(rates)]))

    def operational(self, days: Floats) -> Floats:
        """Operational time at calendar times."""
        return np.interp(days, np.arange(self.elapsed.size), self.elapsed)

    def calendar(self, operational: Floats) -> Floats:
        """Calendar times at operational times."""
        return np.interp(operational, self.elapsed, np.arange(self.elapsed.size))
