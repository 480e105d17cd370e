"""The way from a served version to its figures: marts opened, definitions read, a span of days as a window.

Pages and the command line both go this way, so that they show the same figures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

import polars as pl

from config.errors import Fault, unknown
from connectors.store import Version
from dashboard.definitions import Definitions, definitions, loaded_attributes
from dashboard.instruments import instruments
from dashboard.segment_files import facts_of, segments
from dashboard.workspace import Workspace
from metrics import marts as mart_builder
from metrics.figures import compute
from metrics.frames import CATEGORY, Marts
from metrics.merging import unified
from metrics.periods import Calendar, Grain, Window
from metrics.segment_definitions import SegmentShare
from metrics.segments import with_segments
from metrics.selection import SEGMENT, Selection

COLUMN: Final = "column to split by"
BY_SEGMENT: Final = "segment"
"""What splits figures by the project's segments, where no column of the customers is called so."""
GRAINS: Final = tuple(grain for grain in Grain if grain is not Grain.ALL)
DAYS: Final = {"orders": "ordered_on", "answers": "answered_on", "contacts": "occurred_on"}
"""Marts that tell when the data begins, and their column of days."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_PERIOD: Final = re.compile(r"(?P<year>\d{4})(-(?P<month>\d{2})|-?[Qq](?P<quarter>[1-4]))?")


@dataclass(frozen=True)
class Span:
    """A first and a last day, either of which may be left open."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class Book:
    """One version of a project, ready to be asked."""

    workspace: Workspace
    version: Version
    as_of: date

    @cached_property
    def definitions(self) -> Definitions:
        """The project's metrics, compiled for the attributes that this version has."""
        return definitions(self.workspace.folder, loaded_attributes(self.version))

    @cached_property
    def marts(self) -> Marts:
        """The version's marts; made anew where another as-of day than the version's is asked for."""
        manifest, calendar = self.version.manifest, self.workspace.calendar
        tables = unified({name: self.version.scan(name) for name in manifest.tables})
        if self.as_of == manifest.as_of:
            frames: dict[str, pl.LazyFrame | pl.DataFrame] = {n: self.version.scan(n) for n in manifest.marts}
        else:
            frames = mart_builder.build(tables, calendar, self.as_of)
        forms = instruments(self.workspace.folder).named
        return Marts({**tables, **frames}, calendar, self.as_of, instruments=forms)

    def _ask_for_segments(self, names: Sequence[str], selection: Selection | None) -> bool:
        """Whether the segments have to be opened, which takes longer than most figures."""
        plans = self.definitions.catalog.needed(names).values()
        shares = any(isinstance(plan.definition, SegmentShare) for plan in plans)
        return shares or bool(selection and selection.attributes.get(SEGMENT))

    @cached_property
    def segmented(self) -> Marts:
        """The marts with the project's segments to select by."""
        found = segments(self.workspace.folder, facts_of(self.marts, self.definitions.catalog))
        return with_segments(self.marts, found.book)

    def figures(
        self,
        names: Sequence[str],
        window: Window,
        *,
        by: str | None = None,
        selection: Selection | None = None,
    ) -> pl.DataFrame:
        """Figures as `metrics.figures.compute` gives them. Raises Fault for what is not known."""
        if by == BY_SEGMENT and by not in self.marts.attributes:
            return self._by_segment(names, window, selection)
        if by is not None and by != CATEGORY and by not in self.marts.attributes:
            known = (*self.marts.attributes, CATEGORY, BY_SEGMENT, *GRAINS)
            raise unknown(COLUMN, by, known)
        whole = self.segmented if self._ask_for_segments(names, selection) else self.marts
        chosen = whole.select(selection) if selection else whole
        return compute(self.definitions.catalog, names, chosen, window, by=by)

    def _by_segment(self, names: Sequence[str], window: Window, selection: Selection | None) -> pl.DataFrame:
        """Figures of every segment by itself, of the chosen ones where some are chosen; they may overlap."""
        chosen = selection or Selection()
        self.segmented.select(chosen)
        others = {name: values for name, values in chosen.attributes.items() if name != SEGMENT}
        everybody = self.segmented.select(replace(chosen, attributes=others))
        wanted = chosen.attributes.get(SEGMENT) or tuple(everybody.segments)
        groups = everybody.beside({name: everybody.segments[name](self.as_of) for name in wanted})
        return compute(self.definitions.catalog, names, groups, window, by=SEGMENT)

    def window(self, span: Span, grain: Grain) -> Window:
        """The window of a span: open ends reach to the first day of the data and to the as-of day.

        Without a span and a grain it is all of history. Raises Fault when the span ends before it begins.
        """
        if span == Span() and grain is Grain.ALL:
            return Window()
        calendar = self.workspace.calendar
        start = span.start or _outer(calendar, self.first_day, grain, last=False)
        end = span.end or _outer(calendar, self.as_of, grain, last=True)
        if end < start:
            fault = f"the window ends on {end}, before it starts on {start}"
            raise Fault(fault, "Swap `--from` and `--to`")
        return Window.between(calendar, start, end, grain)

    @cached_property
    def first_day(self) -> date:
        """The first day on which anything happened; the as-of day where nothing did."""
        days = [
            self.marts.frames[mart].lazy().select(pl.col(day).min().alias("day"))
            for mart, day in DAYS.items()
            if mart in self.marts.frames
        ]
        first = pl.concat(days).min().collect().item() if days else None
        return first if isinstance(first, date) else self.as_of


def _outer(calendar: Calendar, day: date, grain: Grain, *, last: bool) -> date:
    """The end of the period that holds a day; the day itself without a grain."""
    if grain is Grain.ALL:
        return day
    code = calendar.code(day, grain)
    return calendar.end(code, grain) if last else calendar.start(code, grain)


def parsed_day(text: str, calendar: Calendar, *, last: bool) -> date:
    """The first or last day of `2026-05-31`, `2026-05`, `2026-Q2` or `2026` (quarters and years are fiscal).

    Raises Fault for any other text.

    >>> parsed_day("2026-02", Calendar(), last=True)
    datetime.date(2026, 2, 28)
    """
    try:
        if match := _PERIOD.fullmatch(text):
            grain, code = _period(match)
            return calendar.end(code, grain) if last else calendar.start(code, grain)
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # a month or a day that no calendar has
    fault = f"`{text}` is no day"
    raise Fault(fault, "Write 2026-05-31, 2026-05, 2026-Q2 or 2026")


def _period(match: re.Match[str]) -> tuple[Grain, int]:
    year = int(match["year"])
    if match["quarter"]:
        return Grain.QUARTER, year * 4 + int(match["quarter"]) - 1
    if match["month"]:
        return Grain.MONTH, date(year, int(match["month"]), 1).year * 12 + int(match["month"]) - 1
    return Grain.YEAR, year


def period_name(code: int, grain: Grain, calendar: Calendar) -> str:
    """A period as people type it: `2026-05`, `2026-Q2`, `2026`; weeks and days by their first day.

    >>> period_name(2026 * 12 + 4, Grain.MONTH, Calendar())
    '2026-05'
    """
    match grain:
        case Grain.MONTH:
            return f"{code // 12}-{code % 12 + 1:02}"
        case Grain.QUARTER:
            return f"{code // 4}-Q{code % 4 + 1}"
        case Grain.YEAR:
            return str(code)
        case _:
            return calendar.start(code, grain).isoformat()
