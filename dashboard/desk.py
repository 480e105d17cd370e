"""One visit's desk: a project, the version that is served, its definitions; every question of a page.

Answers are kept by whatever keeps them: `dashboard.data` hands in its cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

import polars as pl

from config.model import Project
from connectors.store import Manifest, Store, Version
from dashboard.annotations import Annotation, read_annotations
from dashboard.definitions import Definitions
from dashboard.format import Formatter
from dashboard.instruments import Instruments, instruments
from dashboard.privacy import masked, personal_sources
from dashboard.segment_files import Segments
from dashboard.state import HISTORY, Reader, Scope
from dashboard.text import gettext as _
from dashboard.tiles import Figure, Moment, Series, Tile, disabled, figures_of, series, tile, wave
from dashboard.workspace import Workspace
from metrics.bridge import bridge
from metrics.catalog import Catalog, Definition
from metrics.contributions import contributions
from metrics.counted import counted
from metrics.definitions import Computed
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.measures import Compute
from metrics.periods import Calendar, Window
from metrics.selection import Missing
from metrics.targets import target_of

T = TypeVar("T")

SPARK: Final = 12
"""How many periods before its own a tile draws."""
MOST_CHOICES: Final = 60
"""An attribute with more values than this is no filter: nobody finds a value in such a list."""


class Keep(Protocol):
    """Keeps what `make` makes under a key, and gives it out again."""

    def __call__(self, key: str, make: Callable[[], T]) -> T:
        """The answer under this key, made when there is none yet."""
        ...


@dataclass(frozen=True)
class Desk:
    """A project, the version of its store that is served, and its definitions; every question of a page.

    `key` names the version together with the state of the project's files.
    """

    key: str
    workspace: Workspace
    version: Version
    definitions: Definitions
    whole: Marts
    keep: Keep
    segments: Segments

    @property
    def project(self) -> Project:
        """What `rapport.yaml` says."""
        return self.workspace.project

    @property
    def manifest(self) -> Manifest:
        """What the version says about itself."""
        return self.version.manifest

    @property
    def as_of(self) -> date:
        """The last day that counts."""
        return self.manifest.as_of

    @property
    def catalog(self) -> Catalog:
        """The metrics that can be computed."""
        return self.definitions.catalog

    @cached_property
    def calendar(self) -> Calendar:
        """How the project cuts time."""
        return self.workspace.calendar

    @cached_property
    def instruments(self) -> Instruments:
        """The questionnaires of the project, and what is wrong with those that are left out."""
        return instruments(self.workspace.folder)

    @cached_property
    def show(self) -> Formatter:
        """How the project writes its figures."""
        return Formatter(self.project.locale, self.project.currency)

    @cached_property
    def read(self) -> Reader:
        """How the project names its periods."""
        return Reader(self.calendar, self.show, self.segments.book.labels)

    @property
    def role(self) -> str:
        """Who asks, as far as it changes what is shown."""
        return self.project.access.personal_fields

    def kept(self, question: str, make: Callable[[], T]) -> T:
        """The answer to a question about this version, made once for each role."""
        written = f"{self.definitions.digest}|{self.instruments.digest}|{self.segments.book.digest}"
        return self.keep(f"{self.key}|{written}|{self.role}|{question}", make)

    def annotations(self, metric: str) -> list[Annotation]:
        """The notes on dates that concern a metric."""
        return [note for note in self.notes if note.concerns(metric)]

    @cached_property
    def notes(self) -> tuple[Annotation, ...]:
        """The notes on dates of the project; a desk is made anew when their file changes."""
        return read_annotations(self.workspace.folder).values

    def local(self, manifest: Manifest) -> datetime:
        """The moment of a version's refresh in the project's time zone."""
        return manifest.refreshed_at.astimezone(ZoneInfo(self.project.timezone))

    def local_time(self, at: datetime) -> datetime:
        """A moment in the project's time zone."""
        return at.astimezone(ZoneInfo(self.project.timezone))

    def versions(self) -> list[Manifest]:
        """Every version of the store, the newest first."""
        return [each.manifest for each in reversed(Store(self.workspace.store).versions())]

    def quarantine(self, source: str) -> pl.DataFrame:
        """The rows of a source that were set aside, each with its place, reason and original values.

        Personal fields are masked unless the project shows them.
        """
        return self.kept(f"quarantine {source}", lambda: self._set_aside(source))

    def _set_aside(self, source: str) -> pl.DataFrame:
        rows = self.version.quarantine(source).collect()
        return rows if self.role == "shown" else masked(rows, personal_sources(self.workspace.folder))

    def metric(self, name: str) -> Definition:
        """The definition of a metric. Raises Fault for one that is unknown or broken."""
        return self.catalog.definition(name)

    def place(self, path: str) -> str:
        """A path as people of this project know it: below its folder, or below that of shipped files."""
        return path.removeprefix(f"{self.workspace.folder}{os.sep}").rsplit(f"config{os.sep}", 1)[-1]

    @cached_property
    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """The customer attributes to filter by, each with its values."""
        return {name: each for name, each in self.whole.attributes.items() if 1 < len(each) <= MOST_CHOICES}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories to filter by."""
        return self.whole.categories

    @cached_property
    def first_day(self) -> date:
        """The first day with an order; the as-of day where there are none."""
        return self._order_day("first_order_on", pl.Series.min)

    @cached_property
    def last_day(self) -> date:
        """The last day with an order; the as-of day where there are none."""
        return self._order_day("last_order_on", pl.Series.max)

    def _order_day(self, column: str, pick: Callable[[pl.Series], object]) -> date:
        people = self.whole.frame("customer_summary")
        days = people[column].drop_nulls() if column in people.columns else pl.Series(dtype=pl.Date)
        return cast(date, pick(days)) if len(days) else self.as_of

    def marts(self, scope: Scope) -> Marts:
        """The marts under the filters of a scope."""
        if not scope.is_filtered:
            return self.whole
        return self.kept(f"selection {scope.filters}", lambda: self.whole.select(scope.selection))

    def figures(
        self, names: Sequence[str], window: Window, scope: Scope, by: str | None = None
    ) -> pl.DataFrame:
        """Figures of some metrics under the filters of a scope; see `metrics.figures.compute`."""
        question = f"figures {','.join(names)} {window} {scope.filters} by {by}"
        return self.kept(question, lambda: compute(self.catalog, names, self.marts(scope), window, by=by))

    def tiles(self, names: Sequence[str], scope: Scope) -> list[Tile]:
        """The tiles of some metrics; one that is broken or unknown says so in place of its figure."""
        known = [name for name in names if name in self.catalog.plans]
        rows = self.figures(known, scope.window(self.calendar, SPARK), scope)
        return [self._tile(name, rows, scope) for name in names]

    def _tile(self, name: str, rows: pl.DataFrame, scope: Scope) -> Tile:
        if name not in self.catalog.plans:
            broken = self.catalog.broken.get(name)
            return disabled(name, broken[0].render() if broken else _("No definition has this name."))
        found = figures_of(rows, name)
        back = range(scope.period - SPARK, scope.period + 1)
        line = [found[code].value if code in found else None for code in back]
        moment, metric = self._moment(name, found, scope), self.metric(name)
        segment = {**dict(scope.attributes), "category": scope.categories}
        target = target_of(metric, scope.grain, moment.period, self.calendar, segment)
        return tile(metric, found, moment, line, self.show, target, counts=counted(self.catalog, name))

    def _moment(self, name: str, found: Mapping[int, Figure], scope: Scope) -> Moment:
        """The scope's own period, or for a survey that of its latest wave."""
        if not self._is_surveyed(name):
            reference = scope.reference(self.calendar)
            return Moment(scope.period, reference, self.read.against(reference, scope))
        year = scope.period - self.calendar.year_before(scope.period, scope.grain)
        period, before = wave(found, scope.period, year if scope.comparison == "year" else None)
        against = "" if before is None else self.read.against(before, scope)
        asked = "" if period == scope.period else self.read.period(period, scope.grain)
        return Moment(period, before, against, asked)

    def _is_surveyed(self, name: str) -> bool:
        plan = self.catalog.plan(name)
        if isinstance(plan.definition, Computed):
            return "survey_answers" in plan.definition.reads
        parts = plan.parts
        return any(isinstance(part, Compute) and part.relation.name == "survey_answers" for part in parts)

    def figure(self, name: str, period: int | None, scope: Scope) -> Figure:
        """One figure of one period under the filters of a scope."""
        if period is None:
            return Figure(None)
        rows = self.figures([name], Window(scope.grain, period), scope)
        return figures_of(rows, name).get(period, Figure(None))

    def history(self, name: str, scope: Scope) -> Series:
        """A metric up to the scope's period, or the running one after it; with the year before."""
        now = self.calendar.code(self.as_of, scope.grain)
        last = now if scope.period >= now - 1 else scope.period
        first = max(last - HISTORY[scope.grain] + 1, self.calendar.code(self.first_day, scope.grain))
        year_back = last - self.calendar.year_before(last, scope.grain)
        window = Window(scope.grain, last, last - first + 1 + year_back)
        found = figures_of(self.figures([name], window, scope), name)
        return series(found, range(first, last + 1), year_back)

    def split(self, name: str, by: str, scope: Scope, most: int = 8) -> pl.DataFrame:
        """A count of the scope's period by an attribute: the largest values first, the rest in one row."""
        rows = self.figures([name], Window(scope.grain, scope.period), scope, by).select(
            pl.col("by").cast(pl.String), pl.col("value").fill_null(0.0)
        )
        counted = rows.filter(pl.col("value") > 0)
        ranked = counted.sort("value", "by", descending=[True, False], nulls_last=True)
        if len(ranked) <= most:
            return ranked
        rest = pl.DataFrame({"by": [_("all others")], "value": [ranked["value"].slice(most - 1).sum()]})
        return pl.concat([ranked.head(most - 1), rest])

    def bridge(self, scope: Scope) -> pl.DataFrame:
        """How the scope's revenue came from that of the period before; see `metrics.bridge.bridge`."""
        window = Window(scope.grain, scope.period)
        return self.kept(f"bridge {window} {scope.filters}", lambda: bridge(self.marts(scope), window))

    def effects(self, tile: Tile, scope: Scope, by: str) -> pl.DataFrame:
        """What each value of `by` contributed to a tile's change. Raises Missing where it does not split."""
        if tile.reference is None:
            raise Missing(_("there is nothing to compare with"))
        now, before = (Window(scope.grain, code) for code in (tile.period, tile.reference))
        question = f"effects {tile.name} {now} {before} {scope.filters} by {by}"
        marts = self.marts(scope)
        return self.kept(question, lambda: contributions(self.catalog, tile.name, marts, now, before, by))

    def customers(self, tile: Tile, scope: Scope) -> pl.DataFrame:
        """The customers behind a tile with what is known of them; names only where the project shows them.

        Raises Missing where a figure is not recorded by customer.
        """
        window, marts = Window(scope.grain, tile.period), self.marts(scope)
        question = f"customers {tile.name} {window} {scope.filters}"
        return self.kept(
            question, lambda: self._described(customers_behind(self.catalog, tile.name, marts, window))
        )

    def _described(self, rows: pl.DataFrame) -> pl.DataFrame:
        people = self.whole.frame("customer_summary")
        personal = [n for n in ("name", "email") if self.role == "shown" and n in people.columns]
        quantities = [n for n in rows.columns if n not in ("period", "customer_id", "customer")]
        described = [people[n].gather(rows["customer"]).alias(n) for n in (*personal, *self.attributes)]
        order = ("customer_id", *personal, *quantities, *self.attributes)
        return rows.with_columns(described).select(order)

    def exported(self, names: Sequence[str], scope: Scope) -> pl.DataFrame:
        """The figures of a page as a table to take along: each tile's own period and its reference."""
        known = [tile for tile in self.tiles(names, scope) if tile.name in self.catalog.plans]
        wanted = pl.DataFrame(
            [
                (tile.name, code)
                for tile in known
                for code in (tile.reference, tile.period)
                if code is not None
            ],
            schema={"metric": pl.String, "period": pl.Int32},
            orient="row",
        )
        window = scope.window(self.calendar, SPARK)
        rows = self.figures([tile.name for tile in known], window, scope)
        chosen = rows.join(wanted, on=["metric", "period"], how="semi", maintain_order="left")
        named = {code: self.read.period(code, scope.grain) for code in window.periods}
        period = pl.col("period").replace_strict(named, return_dtype=pl.String)
        return chosen.with_columns(period, as_of=self.as_of)
