"""What a person has chosen: the filters, their place in the URL, and what the pages make of them.

Every choice is a widget bound to a URL parameter of its key's name, so that a copied link shows the same
figures. The period is always written into the URL, also when it is the latest one, because that changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import streamlit as st

from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.text import later, pgettext
from metrics.periods import Calendar, Grain, Window
from metrics.selection import SEGMENT, Selection

Comparison = Literal["previous", "year"]

GRAINS: Final[Mapping[Grain, str]] = {
    Grain.WEEK: later("Week"),
    Grain.MONTH: later("Month"),
    Grain.QUARTER: later("Quarter"),
    Grain.YEAR: later("Year"),
}
COMPARISONS: Final[Mapping[Comparison, str]] = {
    "previous": later("Previous period"),
    "year": later("Same period last year"),
}
HISTORY: Final[Mapping[Grain, int]] = {Grain.WEEK: 52, Grain.MONTH: 24, Grain.QUARTER: 12, Grain.YEAR: 8}
"""How many periods a trend shows."""

SCOPE: Final = "filters.scope"
PERIOD, GRAIN, AGAINST, CATEGORY, GROUP = "period", "grain", "vs", "category", "segment"
RESERVED: Final = frozenset({PERIOD, GRAIN, AGAINST, CATEGORY, GROUP, "embed", "embed_options"})


@dataclass(frozen=True)
class Scope:
    """One choice of period, comparison and filters; the same scope always gives the same figures."""

    grain: Grain
    period: int
    comparison: Comparison = "previous"
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    categories: tuple[str, ...] = ()

    def reference(self, calendar: Calendar) -> int:
        """The period that this one is compared with."""
        if self.comparison == "year":
            return calendar.year_before(self.period, self.grain)
        return self.period - 1

    def window(self, calendar: Calendar, back: int = 0) -> Window:
        """The periods that a tile needs: this one, its reference, and at least `back` before it."""
        return Window(self.grain, self.period, max(back, self.period - self.reference(calendar)) + 1)

    @property
    def selection(self) -> Selection:
        """The customers and lines that count."""
        return Selection(dict(self.attributes), self.categories)

    @property
    def filters(self) -> str:
        """The filters as one text, the same for the same filters."""
        return f"{sorted(self.attributes)} {self.categories}"

    @property
    def is_filtered(self) -> bool:
        """Whether some customers or categories are left out."""
        return bool(self.attributes or self.categories)


@dataclass(frozen=True)
class Reader:
    """How this project names periods, dates and segments (their labels by name)."""

    calendar: Calendar
    show: Formatter
    segments: Mapping[str, str] = field(default_factory=dict)

    def period(self, code: int, grain: Grain, *, long: bool = False) -> str:
        """The name of a period: `Jun 2026`, `Q2 2026`, `Week of 1 Jun 2026`, `FY2026`."""
        start = self.calendar.start(code, grain)
        fiscal = "FY" if self.calendar.fiscal_year_start > 1 else ""
        match grain:
            case Grain.ALL:
                return _("All time")
            case Grain.DAY:
                return self.show.day(start)
            case Grain.WEEK:
                return _("Week of {day}").format(day=self.show.day(start))
            case Grain.MONTH:
                return self.show.month(start, long=long)
            case Grain.QUARTER:
                return f"{pgettext('quarter', 'Q{n}').format(n=code % 4 + 1)} {fiscal}{code // 4}"
            case Grain.YEAR:
                return f"{fiscal}{code}"

    def short(self, code: int, grain: Grain, beside: int | None = None) -> str:
        """The same as short as an axis or a tile wants it; without the year where it is that of `beside`."""
        start = self.calendar.start(code, grain)
        if grain is Grain.WEEK:
            return self.show.day_of_year(start)
        if grain is Grain.MONTH and beside is not None and start.year == beside // 12:
            return self.show.month_alone(start)
        return self.period(code, grain)

    def tick(self, code: int, grain: Grain) -> str:
        """A period on an axis, in two lines: `Jun` over `2026`."""
        start = self.calendar.start(code, grain)
        match grain:
            case Grain.WEEK:
                return f"{self.show.day_of_year(start)}<br>{start.year}"
            case Grain.MONTH:
                return f"{self.show.month_alone(start)}<br>{start.year}"
            case Grain.QUARTER:
                return self.period(code, grain).replace(" ", "<br>", 1)
            case _:
                return self.period(code, grain)

    def chosen(self, scope: Scope) -> str:
        """A scope in words: `June 2026, compared with May 2026 · East · Loyal`."""
        against = self.period(scope.reference(self.calendar), scope.grain, long=True)
        when = _("{period}, compared with {reference}").format(
            period=self.period(scope.period, scope.grain, long=True), reference=against
        )
        return " \N{MIDDLE DOT} ".join((when, *self.filters(scope)))

    def against(self, code: int, scope: Scope) -> str:
        """A reference period as a tile names it: `vs May`."""
        return _("vs {period}").format(period=self.short(code, scope.grain, beside=scope.period))

    def filters(self, scope: Scope) -> list[str]:
        """The filters in words, one text each; `all customers` when there is none."""
        if not scope.is_filtered:
            return [_("all customers")]
        groups = [
            tuple(self.segments.get(value, value) for value in values) if name == SEGMENT else values
            for name, values in scope.attributes
        ]
        if scope.categories:
            groups.append(scope.categories)
        return [_few(values) for values in groups]


def _few(values: Sequence[str], most: int = 3) -> str:
    if len(values) <= most:
        return ", ".join(values)
    return _("{names} and {n} more").format(names=", ".join(values[: most - 1]), n=len(values) - most + 1)


def keep(scope: Scope) -> None:
    """Hand the scope of this visit to the page that is drawn next."""
    st.session_state[SCOPE] = scope


def scope() -> Scope:
    """The scope that the filter bar holds."""
    found = st.session_state[SCOPE]
    assert isinstance(found, Scope)
    return found


def periods(calendar: Calendar, grain: Grain, first: date, as_of: date) -> list[int]:
    """The periods of a grain from the first day of the data to the as-of day, the latest first."""
    return list(range(calendar.code(as_of, grain), calendar.code(first, grain) - 1, -1))


def latest(calendar: Calendar, grain: Grain, first: date, last: date, as_of: date) -> int:
    """The last period that is over and not after the last order; the running one when data begin in it."""
    over = min(calendar.last_complete(grain, as_of), calendar.code(last, grain))
    return max(over, calendar.code(first, grain))


def parameter(attribute: str) -> str:
    """The URL parameter of a customer attribute: its own name, unless that is taken."""
    return f"attribute.{attribute}" if attribute in RESERVED or "." in attribute else attribute


def ignored(given: Mapping[str, Sequence[str]], known: Mapping[str, Iterable[str]]) -> list[str]:
    """What a link asks for and this project does not have: `region=Atlantis`, or a parameter of unknown name.

    >>> ignored({"region": ["East", "Atlantis"], "colour": ["red"]}, {"region": ["East", "West"]})
    ['region=Atlantis', 'colour=red']
    """
    options = {name: set(values) for name, values in known.items()}
    return [
        f"{name}={value}"
        for name, values in given.items()
        if not name.startswith("embed") and (name in options or not _of_a_page(name))
        for value in values
        if value not in options.get(name, ())
    ]


def _of_a_page(name: str) -> bool:
    """Whether a parameter belongs to one page, which reads it itself: `retention.cell`."""
    return "." in name and not name.startswith("attribute.")
