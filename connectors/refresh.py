"""Sources to a new version of the store: stage, sort and hash, compute the marts, publish.

A refresh that finds the same rows, the same counts and the same settings as the current version publishes
nothing. One that fails or dies leaves the current version served; what it left behind is swept by the next.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from config.model import Project
from connectors import drift
from connectors.content import combined
from connectors.cuts import Cuts
from connectors.durable import remove
from connectors.errors import SourceError, StoreError
from connectors.manifest import SCHEMA_VERSION, Entry, Manifest, SourceReport
from connectors.sources import Sources
from connectors.staging import Staged, stage
from connectors.store import Store, Version
from connectors.tables import TABLES, keys
from connectors.writer import KEPT_VERSIONS, Writer, exclusive

Frame = pl.LazyFrame | pl.DataFrame
Progress = Callable[[str, float], None]
Build = Callable[[Mapping[str, pl.LazyFrame], date], Mapping[str, Frame]]
"""Canonical tables and the as-of day -> marts by name; `order_lines` come sorted by customer."""

ORDER: Final = {"order_lines": ("customer_id", "order_id", "line_id")}
"""Sort keys of tables that are not stored in the order of their primary key."""

DATED: Final[Mapping[str, str]] = {
    "order_lines": "ordered_on",
    "survey_answers": "answered_at",
    "interactions": "occurred_at",
    "subscriptions": "started_on",
    "spend": "spent_on",
}
"""Tables in the order in which they are asked for the last day of the data, and the column that tells it."""

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
    rules: str = "",
    wait: float = 60.0,
    keep: int = KEPT_VERSIONS,
) -> Version:
    """The version that holds what the sources say `now`: a new one, or the current one when nothing changed.

    `build` makes the marts; `rules` names the state of its rules, so that new rules make a new version of
    equal data. `progress` is told what is being done and the share that is done, 0 to 1. Waits up to `wait`
    seconds for another refresh. All but the newest `keep` versions are deleted. Raises SourceError when a
    source cannot be read, its columns changed where that stops it, or no row is accepted, StoreError when the
    store cannot be written; then nothing has changed.
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
            pulls=before.pulls if before else {},
        )
        _refuse_loss(staged, before)
        drift.refuse(sources, before.sources if before else (), staged.reports)
        draft = run.manifest(staged, rules)
        if run.previous and _says_the_same(draft, run.previous.manifest):
            writer.confirm(now)
            progress("nothing changed", 1.0)
            return run.previous
        marts = run.marts(draft, build)
        progress("publishing", 0.98)
        published = writer.publish(draft.model_copy(update={"marts": marts}))
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

    def manifest(self, staged: Staged, rules: str) -> Manifest:
        """The staged rows, written as parts where they are new, and what is known of them; no marts yet."""
        tables, quarantine = self._tables(staged), self._quarantine(staged)
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

    def marts(self, draft: Manifest, build: Build) -> Mapping[str, Entry]:
        """The marts of the draft: the previous ones where the data, the settings and the day are the same."""
        before = self.previous.manifest if self.previous else None
        if before and _basis(draft) == _basis(before):
            return before.marts
        self.progress("computing the marts", _STORED)
        built = dict(
            build({name: self.writer.scan(entry) for name, entry in draft.tables.items()}, draft.as_of)
        )
        names, marts = list(built), {}
        for at, name in enumerate(names):
            self.progress(f"writing the mart {name}", _STORED + 0.25 * at / len(names))
            hashed = combined({"mart": name, "basis": repr(_basis(draft))})
            marts[name] = self.writer.parts.mart(name, built.pop(name), hashed)  # a written mart is let go
        return marts

    def cuts(self, table: str, rows: pl.LazyFrame, total: int) -> Cuts | None:
        """Where to cut a table while it is staged."""
        before = self.previous.manifest.tables.get(table) if self.previous else None
        return self.writer.parts.cuts(rows, _order(table)[0], total, before)

    def _tables(self, staged: Staged) -> dict[str, Entry]:
        before = self.previous.manifest.tables if self.previous else {}
        tables = {}
        for at, (name, rows) in enumerate(staged.tables.items()):
            share = _STAGED + (_STORED - _STAGED) * at / len(staged.tables)
            self.progress(f"sorting {name}", share)
            dealt = staged.dealt.get(name)
            tables[name] = self.writer.parts.table(name, rows, _order(name), before.get(name), dealt)
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
                last = last_day(self.writer.scan(tables[name]), column, zone.key, yesterday)
                if last is not None:
                    return last
        return yesterday


def _order(table: str) -> tuple[str, ...]:
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


def _basis(manifest: Manifest) -> tuple[str, str, date]:
    """All that marts depend on."""
    return manifest.content_hash, manifest.definitions, manifest.as_of


def definitions_of(project: Project, rules: str = "") -> str:
    """What a manifest says of the settings, the product and the rules that its marts were made by."""
    settings = project.model_dump(include={"currency", "timezone", "week_start", "fiscal_year_start"})
    named = {name: str(value) for name, value in settings.items()}
    return combined(named | {"product": _product(), "rules": rules, "schema": str(SCHEMA_VERSION)})


def _product() -> str:
    try:
        return version("rapport-dashboard")
    except PackageNotFoundError:
        return "source"  # run from a checkout that was never installed
