"""Sources to a new version of the store: stage, sort and hash, compute the marts, publish.

A refresh that finds the same rows, the same counts and the same settings as the current version publishes
nothing. One that fails or dies leaves the current version served; what it left behind is swept by the next.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from config.model import Project
from connectors import drift
from connectors.content import combined
from connectors.cuts import Cuts
from connectors.durable import remove
from connectors.errors import SourceError, StoreError
from connectors.growth import Grown, grown
from connectors.layers import MovedOn, Place, scanned
from connectors.manifest import SCHEMA_VERSION, Entry, Manifest, SourceReport, product
from connectors.parts import PartWriter
from connectors.sources import Sources
from connectors.staging import Staged, stage
from connectors.store import Store, Version
from connectors.tables import TABLES, keys
from connectors.writer import KEPT_VERSIONS, Writer, exclusive

Frame = pl.LazyFrame | pl.DataFrame
Progress = Callable[[str, float], None]
Build = Callable[[Mapping[str, pl.LazyFrame], date], Mapping[str, Frame]]
"""Canonical tables and the as-of day -> marts by name; `order_lines` come sorted by customer."""


class Renewed(Protocol):
    """Marts after a change of some customers."""

    @property
    def whole(self) -> Mapping[str, Frame]:
        """Those that are made anew."""

    @property
    def rows(self) -> Mapping[str, Frame]:
        """The rows of these customers in the others."""

    @property
    def order(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that such a mart is sorted by, up to `customer`."""

    @property
    def numbers(self) -> pl.Series:
        """The number that each customer of the version before has now, null for one of these customers.

        The last row stands for unknown customers.
        """


class Renew(Protocol):
    """Makes the marts of customers anew in which something changed; None where all has to be made anew."""

    def __call__(
        self,
        tables: Mapping[str, pl.LazyFrame],
        changed: pl.Series,
        lines: pl.LazyFrame,
        went: pl.LazyFrame,
        before: Mapping[str, pl.LazyFrame],
        as_of: date,
        before_as_of: date,
    ) -> Renewed | None:
        """From tables, ids of customers whose order lines changed, all lines of these sorted by customer.

        `went` are lines that are no longer there, `before` the marts of the version before. Rows of tables
        and of marts come in any order.
        """


ORDER: Final = {"order_lines": ("customer_id", "order_id", "line_id")}
"""Sort keys of tables that are not stored in the order of their primary key."""

_LINES: Final = "order_lines"

DATED: Final[Mapping[str, str]] = {
    "order_lines": "ordered_on",
    "survey_answers": "answered_at",
    "interactions": "occurred_at",
    "subscriptions": "started_on",
    "spend": "spent_on",
}
"""Tables in the order in which they are asked for the last day of the data, and the column that tells it."""

_AT_ONCE: Final = 2
"""Marts of some customers that are written side by side, since some take one processor alone."""

_STAGED: Final = 0.4
_STORED: Final = 0.7


def silent(text: str, share: float) -> None:
    """The progress callback of a caller who does not care."""


def refresh(
    folder: Path,
    project: Project,
    sources: Sources,
    store: Store,
    build: Build,
    *,
    now: datetime,
    progress: Progress = silent,
    renew: Renew | None = None,
    rules: str = "",
    wait: float = 60.0,
    keep: int = KEPT_VERSIONS,
) -> Version:
    """The version that holds what the sources say `now`: a new one, or the current one when nothing changed.

    `build` makes the marts, `renew` those of changed customers alone; `rules` names the state of their rules,
    so that new rules make a new version of equal data. `progress` is told what is being done and the share
    that is done, 0 to 1. Waits up to `wait` seconds for another refresh. All but the newest `keep` versions
    are deleted. Raises SourceError when a source cannot be read, its columns changed where that stops it, or
    no row is accepted, StoreError when the store cannot be written; then nothing has changed.
    """
    with exclusive(store, now=now, wait=wait, waiting=lambda text: progress(text, 0.0)) as writer:
        run = _Run(writer, project, _intact(store), now, progress)
        before = run.previous.manifest if run.previous else None
        staged = stage(
            folder,
            project,
            sources,
            now=now,
            workdir=writer.work,
            progress=_share(progress, 0.0, _STAGED),
            cutter=run.cuts,
            shelf=writer.shelf,
            previous=run.previous,
            settle=run.settle,
        )
        _refuse_loss(staged, before)
        drift.refuse(sources, before.sources if before else (), staged.reports)
        draft = run.manifest(staged, rules)
        if run.previous and _says_the_same(draft, run.previous.manifest):
            writer.confirm(now)
            progress("nothing changed", 1.0)
            return run.previous
        whole = run.with_marts(draft, build, renew)
        progress("publishing", 0.98)
        published = writer.publish(whole)
        writer.prune(keep)
        progress("done", 1.0)
        return published


@dataclass(frozen=True)
class _Run:
    writer: Writer
    project: Project
    previous: Version | None
    now: datetime
    progress: Progress
    changed: dict[str, Grown] = field(default_factory=dict)
    """The tables that are settled by their changes."""

    def manifest(self, staged: Staged, rules: str) -> Manifest:
        """The staged rows, written as parts where they are new, and what is known of them; no marts yet."""
        tables, quarantine = {**self._tables(staged), **staged.settled}, self._quarantine(staged)
        remove(self.writer.work)
        return Manifest(
            id=self.writer.id,
            refreshed_at=self.now,
            as_of=self._as_of(tables),
            content_hash=combined({name: entry.hash for name, entry in tables.items()}),
            definitions=definitions_of(self.project, rules),
            tables=tables,
            quarantine=quarantine,
            pulls=staged.pulls,
            sources=tuple(staged.reports),
            notes=drift.changes(self.previous.manifest.sources if self.previous else (), staged.reports),
        )

    def with_marts(self, draft: Manifest, build: Build, renew: Renew | None) -> Manifest:
        """The draft with its marts: the previous ones where data, settings and day are the same."""
        before = self.previous.manifest if self.previous else None
        if before and _basis(draft) == _basis(before):
            return draft.model_copy(update={"marts": before.marts})
        self.progress("computing the marts", _STORED)
        if renew and (renewed := self._renewed(draft, renew)):
            return draft.model_copy(update={"marts": self._layered(draft, renewed)})
        flat = self._flat(draft)
        built = dict(
            build({name: self.writer.scan(entry) for name, entry in flat.tables.items()}, draft.as_of)
        )
        return flat.model_copy(update={"marts": self._written(flat, built, self.writer.parts)})

    def _renewed(self, draft: Manifest, renew: Renew) -> Renewed | None:
        """The marts of the customers whose lines changed, where those before were made by the same rules."""
        previous, entry = self.previous, draft.tables.get(_LINES)
        if previous is None or entry is None or draft.definitions != previous.manifest.definitions:
            return None
        if _LINES not in self.changed and entry != previous.manifest.tables.get(_LINES):
            return None
        rows = scanned(Entry(rows=0, hash="", parts=entry.layers[-1].parts), self.writer.place)
        nothing = rows.head(0).collect()
        change = self.changed.get(_LINES) or Grown(entry, nothing[ORDER[_LINES][0]], nothing)
        return renew(
            _unordered(draft.tables, self.writer.place),
            change.groups,
            rows if change.groups.len() else nothing.lazy(),
            change.went.lazy(),
            _unordered(previous.manifest.marts, previous.place),
            draft.as_of,
            previous.manifest.as_of,
        )

    def _written(
        self, draft: Manifest, built: dict[str, Frame], parts: PartWriter, at_once: int = 1
    ) -> dict[str, Entry]:
        """Marts as parts; a written one is let go. Whole ones take too much memory for two at a time."""
        names, entries = list(built), {}

        def written(at: int) -> Entry:
            return parts.mart(at, names[at], built.pop(names[at]), _hash_of_mart(names[at], draft))

        with ThreadPoolExecutor(at_once) as pool:
            # Progress is told by this thread alone: a page that shows it belongs to the thread that asked.
            for at, entry in enumerate(pool.map(written, range(len(names)))):
                self.progress(f"wrote the mart {names[at]}", _STORED + 0.25 * at / len(names))
                entries[names[at]] = entry
        return entries

    def _layered(self, draft: Manifest, renewed: Renewed) -> dict[str, Entry]:
        """The marts of the version before with the rows of the changed customers upon them."""
        assert self.previous is not None  # else nothing is renewed
        parts = self.writer.parts
        marts = self._written(draft, dict(renewed.rows), parts.quick, _AT_ONCE)
        whole = self._written(draft, dict(renewed.whole), parts)
        masks = MovedOn(renewed.numbers, self.previous.place, parts.quick)
        for name in renewed.rows:
            before = self.previous.manifest.marts[name]
            marts[name] = masks.upon(before, marts[name], renewed.order[name])
        return marts | whole

    def _flat(self, draft: Manifest) -> Manifest:
        """The draft with every table in one layer."""
        flat = {}
        for name, entry in draft.tables.items():
            flat[name] = entry
            if entry.later:
                flat[name] = self.writer.parts.table(name, self.writer.scan(entry), order_of(name), entry)
                kept = {part.path for part in flat[name].files()}
                for part in entry.files():
                    if part.path not in kept:
                        self.writer.forget(part)
        return draft.model_copy(update={"tables": flat})

    def settle(self, table: str, went: pl.LazyFrame, came: pl.LazyFrame) -> Entry | None:
        """A table with some changes, upon what the version before has of it."""
        before = self.previous.manifest.tables.get(table) if self.previous else None
        if self.previous is None or before is None:
            return None
        found = grown(
            table,
            before,
            went.collect(),
            came.collect(),
            order=order_of(table),
            keys=keys(table),
            place=self.previous.place,
            parts=self.writer.parts.quick,
        )
        if found is None:
            return None
        self.changed[table] = found
        return found.entry

    def cuts(self, table: str, rows: pl.LazyFrame, total: int) -> Cuts | None:
        """Where to cut a table while it is staged."""
        before = self.previous.manifest.tables.get(table) if self.previous else None
        return self.writer.parts.cuts(rows, order_of(table)[0], total, before)

    def _tables(self, staged: Staged) -> dict[str, Entry]:
        before = self.previous.manifest.tables if self.previous else {}
        tables = {}
        for at, (name, rows) in enumerate(staged.tables.items()):
            share = _STAGED + (_STORED - _STAGED) * at / len(staged.tables)
            self.progress(f"sorting {name}", share)
            dealt = staged.dealt.get(name)
            tables[name] = self.writer.parts.table(name, rows, order_of(name), before.get(name), dealt)
        return tables

    def _quarantine(self, staged: Staged) -> dict[str, Entry]:
        before = self.previous.manifest.quarantine if self.previous else {}
        return {
            source: self.writer.parts.table(f"quarantine-{source}", rows.lazy(), (), before.get(source))
            for source, rows in staged.quarantine.items()
        }

    def _as_of(self, tables: Mapping[str, Entry]) -> date:
        """The stated day, or the last day of the data that was over when the refresh began."""
        if isinstance(self.project.as_of, date):
            return self.project.as_of
        zone = ZoneInfo(self.project.timezone)
        yesterday = self.now.astimezone(zone).date() - timedelta(days=1)
        for name, column in DATED.items():
            if name in tables:
                rows = scanned(tables[name], self.writer.place, ordered=False)
                last = last_day(rows, column, zone.key, yesterday)
                if last is not None:
                    return last
        return yesterday


def order_of(table: str) -> tuple[str, ...]:
    """The columns that a table is sorted by."""
    if table not in TABLES:
        return ()
    return ORDER.get(table, keys(table))


def last_day(rows: pl.LazyFrame, column: str, timezone: str, latest: date) -> date | None:
    """The last day of a date or instant column in a time zone, up to `latest`; None when there is none."""
    is_instant = rows.collect_schema()[column] != pl.Date
    day = pl.col(column).dt.convert_time_zone(timezone).dt.date() if is_instant else pl.col(column)
    found: Any = rows.select(day.alias("day")).filter(pl.col("day") <= latest).max().collect().item()
    return found if isinstance(found, date) else None


def _share(progress: Progress, start: float, end: float) -> Progress:
    """A callback for a step that takes the shares from `start` to `end`."""
    return lambda text, share: progress(text, start + (end - start) * share)


def _intact(store: Store) -> Version | None:
    """The current version to build on; None when there is none or it can no longer be opened."""
    try:
        return store.current()
    except StoreError:
        return None


def _refuse_loss(staged: Staged, before: Manifest | None) -> None:
    """Nothing never replaces something: SourceError where no row is left, or none of a table with rows."""
    filling = [report for report in staged.reports if report.table]
    full = {report.table for report in filling if report.accepted}
    had = {name for name, entry in before.tables.items() if entry.rows} if before else set()
    lost = [report for report in filling if report.table not in full and (report.table in had or not full)]
    if lost:
        names = ", ".join(f"`{report.name}`" for report in lost)
        where = f"source {names}" if len(lost) == 1 else f"sources {names}"
        remedy = "Correct the mapping or the export; the last good version stays in use"
        raise SourceError(where, _loss(lost), remedy)


def _loss(lost: Sequence[SourceReport]) -> str:
    """What became of the rows, the greatest reasons first."""
    read = sum(report.rows_read for report in lost)
    if not read:
        return "there are no rows"
    counts = [count for report in lost for count in (*report.quarantined.items(), *report.filtered.items())]
    most = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(counts, key=lambda one: -one[1])[:5])
    return f"none of {read:,} rows is accepted ({most})"


def _says_the_same(draft: Manifest, before: Manifest) -> bool:
    """Whether the rows, the counts, the settings and the day are those of the version before."""
    quarantine = [{name: entry.hash for name, entry in m.quarantine.items()} for m in (draft, before)]
    return (
        _basis(draft) == _basis(before)
        and draft.sources == before.sources
        and draft.pulls == before.pulls
        and quarantine[0] == quarantine[1]
    )


def _unordered(entries: Mapping[str, Entry], place: Place) -> dict[str, pl.LazyFrame]:
    return {name: scanned(entry, place, ordered=False) for name, entry in entries.items()}


def _hash_of_mart(name: str, draft: Manifest) -> str:
    return combined({"mart": name, "basis": repr(_basis(draft))})


def _basis(manifest: Manifest) -> tuple[str, str, date]:
    """All that marts depend on."""
    return manifest.content_hash, manifest.definitions, manifest.as_of


def definitions_of(project: Project, rules: str = "") -> str:
    """What a manifest says of the settings, the product and the rules that its marts were made by."""
    settings = project.model_dump(include={"currency", "timezone", "week_start", "fiscal_year_start"})
    named = {name: str(value) for name, value in settings.items()}
    return combined(named | {"product": product(), "rules": rules, "schema": str(SCHEMA_VERSION)})
