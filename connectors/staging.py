"""Sources to canonical tables: every row is accepted, quarantined, filtered or merged, and counted as such.

One streaming pass over a source writes the accepted rows; only the rows at fault are looked at again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from config.model import Project
from connectors.changes import NOTHING, Known, Settle, Settling, unsettled
from connectors.cuts import Cuts, scanned
from connectors.duplicates import PART, repeated_keys, repeated_rows
from connectors.errors import SourceError, SourceErrors
from connectors.identities import KEY_MAP, again, identities, people, systems_of
from connectors.joins import Joined, joined
from connectors.kinds import Source
from connectors.loads import (
    Load,
    dealt,
    faults_of,
    filtered,
    height,
    is_numbered,
    repaired,
    repeated,
    table,
)
from connectors.manifest import Entry, Pull, SourceReport
from connectors.mapping import DROP, plan
from connectors.quarantine import write_quarantine
from connectors.raw import ROW, Raw
from connectors.readers import Readers
from connectors.sources import Sources
from connectors.tables import TABLES, keys

if TYPE_CHECKING:
    from connectors.increments import Shelf
    from connectors.store import Version

Progress = Callable[[str, float], None]

_UNMET: Final = "no row of another source refers to it"
_GLANCE: Final = 5_000
"""Rows of a database that tell its columns."""

_READ: Final = 0.3
"""Share of the work that reading takes."""


def faults(
    folder: Path, project: Project, sources: Sources, *, now: datetime, workdir: Path
) -> Mapping[str, Sequence[SourceError]]:
    """What would keep sources from being read as a whole, by source: what `stage` refuses before it writes.

    Reads as much as it takes to know files and columns; nothing is staged.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    readers = Readers(folder, workdir, now, glance=_GLANCE)
    return _Staging(readers, project, sources, now, workdir, lambda words, share: None, uncut).look()


@dataclass(frozen=True)
class Staged:
    """Canonical rows by table, quarantined rows by source, and a report on every source.

    Tables have every canonical column (null where no source maps it) and then the attributes. A table that
    no source fills is absent. `dealt` has the rows of tables that were cut into parts, by the value at which
    each part begins, `pulls` what is to be kept of incremental sources. `settled` has the tables of which
    only the changes were staged; they are not among `tables`.
    """

    tables: Mapping[str, pl.LazyFrame]
    quarantine: Mapping[str, pl.LazyFrame]
    reports: tuple[SourceReport, ...]
    dealt: Mapping[str, Mapping[str | None, pl.LazyFrame]] = field(default_factory=dict)
    pulls: Mapping[str, Pull] = field(default_factory=dict)
    settled: Mapping[str, Entry] = field(default_factory=dict)


Cutter = Callable[[str, pl.LazyFrame, int], Cuts | None]
"""A table's name, its rows as mapped, and their number -> where to cut them into parts on the way."""


def uncut(table: str, rows: pl.LazyFrame, total: int) -> Cuts | None:
    """No cuts: every table in one piece."""


def stage(
    folder: Path,
    project: Project,
    sources: Sources,
    *,
    now: datetime,
    workdir: Path,
    progress: Progress = lambda words, share: None,
    cutter: Cutter = uncut,
    shelf: "Shelf | None" = None,
    previous: "Version | None" = None,
    settle: Settle = unsettled,
) -> Staged:
    """Read every source of a project and write its accepted and its quarantined rows into `workdir`.

    `now` is the time of the refresh: what lies after it is quarantined. `cutter` says which tables to deal to
    parts while they are written, `settle` takes the changes of a table where those are all that was read, by
    what `previous` knows. Raises SourceErrors with everything that keeps sources from being read as a
    whole.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    pulls = previous.manifest.pulls if previous else {}
    readers = Readers(folder, workdir, now, shelf=shelf, before=pulls)
    return _Staging(readers, project, sources, now, workdir, progress, cutter, settle, previous).run()


@dataclass
class _Staging:
    readers: Readers
    project: Project
    sources: Sources
    now: datetime
    workdir: Path
    progress: Progress
    cutter: Cutter
    settle: Settle = unsettled
    previous: "Version | None" = None
    settled: dict[str, Entry] = field(default_factory=dict)
    raws: dict[str, Raw] = field(default_factory=dict)
    faults: list[SourceError] = field(default_factory=list)
    reports: dict[str, SourceReport] = field(default_factory=dict)
    quarantine: dict[str, pl.LazyFrame] = field(default_factory=dict)
    met: dict[str, list[pl.Series]] = field(default_factory=dict)
    cuts: dict[str, Cuts | None] = field(default_factory=dict)

    def look(self) -> dict[str, tuple[SourceError, ...]]:
        found: dict[str, tuple[SourceError, ...]] = {}
        for step in (self._read_into, self._load):
            for source in self.sources.sources:
                if not {source.name, *(join.source for join in source.joins)} & found.keys():
                    with self._collecting():
                        step(source)
                if self.faults:
                    found[source.name] = SourceErrors(self.faults).errors
                    self.faults.clear()
        return found

    def _read_into(self, source: Source) -> None:
        self.raws[source.name] = self.readers.read(source)

    def run(self) -> Staged:
        listed = self.sources.sources
        for at, source in enumerate(listed):
            self.readers.told = partial(_told_at, self.progress, _READ * at / len(listed))
            self.readers.told(f"Reading `{source.name}`")
            with self._collecting():
                self._read_into(source)
        self._stop_on_faults()
        loads = self._loads(sorted(listed, key=lambda source: source.table != ""))
        tables = {name: [one for one in loads if one.source.table == name] for name in TABLES}
        key_map = self._identified(loads)
        for name, parts in tables.items():
            self._find_repeated(name, parts)
        self._merge_people(tables["customers"])
        for load in loads:
            self._report(load)
        self._note_readings(loads)
        self.progress("Sources read", 1.0)
        rows = {name: table(name, parts) for name, parts in tables.items() if parts} | key_map
        if key_map and "customers" in rows:
            rows["customers"] = people(rows["customers"])
        in_parts = {name: dealt(name, tables[name], cuts) for name, cuts in self.cuts.items() if cuts}
        reports = tuple(self._ordered_reports())
        return Staged(rows, self.quarantine, reports, in_parts, self.readers.pulls, self.settled)

    def _ordered_reports(self) -> Iterator[SourceReport]:
        for source in self.sources.sources:
            names = (f"{source.name} before joins", source.name)
            yield from (self.reports[name] for name in names if name in self.reports)

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Keeps what is wrong with one source, so that all sources are looked at before anything is told."""
        try:
            yield
        except SourceError as error:
            self.faults.append(error)

    def _stop_on_faults(self) -> None:
        if self.faults:
            raise SourceErrors(self.faults)

    def _loads(self, sources: Sequence[Source]) -> list[Load]:
        """Every source mapped, and passed unless it is settled; those that are only joined come first."""
        loads: list[Load] = []
        for source in sources:
            with self._collecting():
                loads.append(self._load(source))
                if not source.table:
                    self._pass(loads[-1], self._cuts(loads[-1]))
        self._stop_on_faults()
        filling = [load for load in loads if load.source.table]
        for at, load in enumerate(filling):
            self.progress(f"Checking `{load.source.name}`", _READ + (1 - _READ) * at / len(filling))
            if not self._settled(load):
                self._pass(load, self._cuts(load))
        return [load for load in loads if load.source.table not in self.settled]

    def _settled(self, load: Load) -> bool:
        """Settles a source's table by its changes, and reports on it, where that comes to the same."""
        if load.source.name not in self.readers.changes:
            return False
        change = self.readers.changes[load.source.name]
        found = self._settling.settled(load, change, lambda some: self._pass(some, cuts=None))
        if found is None:
            return False
        self.settled[load.source.table] = found.entry
        self._report(found.came, found.known)
        return True

    @property
    def _settling(self) -> Settling:
        return Settling(self.sources, self.project, self.previous, self.settle, self.workdir)

    def _note_readings(self, loads: Sequence[Load]) -> None:
        pulls = self.readers.pulls
        for load in loads:
            if pull := pulls.get(load.source.name):
                pulls[load.source.name] = pull.model_copy(update={"reading": self._settling.reading(load)})

    def _load(self, source: Source) -> Load:
        raw, unmatched = self.raws[source.name], Counter[str]()
        if source.joins:
            found = joined(source, raw, self._other, self.workdir / f"{source.name}.joined")
            self._report_own(source, raw, found)
            raw, unmatched = found.raw, found.unmatched
            for name, rows_met in found.met.items():
                self.met.setdefault(name, []).append(rows_met)
        rows, merged = raw.rows, 0
        if source.duplicates == "merge":
            raw, merged = _merged(raw)
        made = plan(raw, source, self.project, self.now)
        accepted, rest = (self.workdir / f"{source.name}.{kind}" for kind in ("accepted", "rest"))
        return Load(source, raw, made, rows, accepted, rest, merged, unmatched)

    def _other(self, name: str) -> tuple[Source, Raw]:
        """A source to be joined: all its rows when it fills a table, else those that its filters leave."""
        source, raw = self.sources.named(name), self.raws[name]
        accepted = self.workdir / f"{name}.accepted"
        if source.table or not accepted.exists():
            return source, raw
        kept = pl.scan_parquet(accepted).select(ROW)
        return source, replace(raw, frame=raw.frame.join(kept, on=ROW, how="semi", maintain_order="left"))

    def _pass(self, load: Load, cuts: Cuts | None) -> None:
        """The one pass over a source: accepted rows to one file, flags of all other rows to another."""
        flags = [f"check:{at}" for at in range(len(load.plan.checks))]
        good = (pl.col(DROP) == 0) & ~pl.any_horizontal(pl.lit(value=False), *flags)
        ours = (pl.col(f"ours:{name}").alias(name) for name in load.plan.columns)
        accepted = load.plan.rows.filter(good).select(ROW, *ours, *load.repairs)
        rest = load.plan.rows.filter(~good).select(ROW, DROP, *flags)
        with _told(load.source):
            target = cuts.deal(load.accepted) if cuts else load.accepted
            folder = cuts is not None
            pl.collect_all([
                accepted.sink_parquet(target, compression="lz4", statistics=False, mkdir=folder, lazy=True),
                rest.sink_parquet(load.rest, compression="lz4", lazy=True),
            ])  # fmt: skip
        if not load.accepted.exists():  # no row was dealt to any part
            pl.DataFrame(schema=accepted.collect_schema()).write_parquet(load.accepted)

    @property
    def _across(self) -> bool:
        """Whether customers are known in several systems."""
        return len(systems_of(self.sources.sources)) > 1

    def _identified(self, loads: Sequence[Load]) -> dict[str, pl.LazyFrame]:
        """Puts the customers of several systems under one id each; the key map as a table."""
        if not self._across:
            return {}
        self.progress("Matching customers across systems", 1.0)
        in_order = [load for source in self.sources.sources for load in loads if load.source is source]
        filling = [load for load in in_order if load.source.table]
        found = identities(filling, self.sources.apart)
        for load in filling:
            found.applied(load)
        return {KEY_MAP: found.key_map.lazy()}

    def _merge_people(self, loads: Sequence[Load]) -> None:
        if self._across:
            for load, name in ((load, load.source.name) for load in loads):
                load.known = again(loads)[name]

    def _cuts(self, load: Load) -> Cuts | None:
        """Where the table of a source is cut: settled by the first source that fills it."""
        table = "" if self._across else load.source.table
        if table and table not in self.cuts:
            mapped = load.plan.rows.select(pl.col(f"ours:{name}").alias(name) for name in load.plan.columns)
            self.cuts[table] = self.cutter(table, mapped, load.rows_read)
        return self.cuts.get(table)

    def _find_repeated(self, table: str, loads: Sequence[Load]) -> None:
        if not loads or (len(loads) == 1 and is_numbered(loads[0].source, table)):
            return
        if table == "customers" and self._across and len(loads) > 1:
            for load in loads:  # two systems may know one customer, a system may not twice
                self._find_repeated(table, [load])
            return
        parts = [scanned(load.accepted).drop(load.repairs) for load in loads]
        found = repeated_keys(parts, keys(table))
        for at, load in enumerate(loads):
            load.set_aside(found.filter(pl.col(PART) == at))

    def _report(self, load: Load, known: Known = NOTHING) -> None:
        """What became of the rows of a source; with `known`, the load has only those that are to be told."""
        at_fault, checks = faults_of(load)
        target = self.workdir / f"{load.source.name}.quarantine"
        quarantined = write_quarantine(load.raw, at_fault, checks, target)
        if quarantined:
            self.quarantine[load.source.name] = pl.scan_parquet(target)
        accepted = height(load) - load.repeated.len()
        unmet = self._unmet(load, accepted)
        self.reports[load.source.name] = SourceReport(
            name=load.source.name,
            table=load.source.table,
            files=load.raw.files,
            rows_read=load.rows_read,
            accepted=accepted - unmet - load.known + known.accepted,
            quarantined=quarantined,
            filtered=load.unmatched + filtered(load) + Counter({_UNMET: unmet}) + known.filtered,
            merged=load.merged + load.known,
            repeated=repeated(load),
            repaired=repaired(load) + known.repaired,
            notes=(*load.raw.notes, *load.plan.notes),
            warnings=self.raws[load.source.name].warnings,
            columns={name: str(dtype) for name, dtype in self.raws[load.source.name].columns.items()},
        )

    def _unmet(self, load: Load, accepted: int) -> int:
        """Rows of a source that is only joined which no row of another source refers to."""
        if load.source.table:
            return 0
        return accepted - pl.concat(self.met[load.source.name]).n_unique()

    def _report_own(self, source: Source, raw: Raw, found: Joined) -> None:
        """What became of a source's own rows when others were joined to it."""
        quarantined = self._write_rejected(f"{source.name} before joins", raw)
        lost = sum(found.own.values())
        self.reports[f"{source.name} before joins"] = SourceReport(
            name=f"{source.name} before joins",
            files=raw.files,
            rows_read=raw.rows,
            accepted=raw.rows - sum(quarantined.values()) - lost,
            quarantined=quarantined,
            filtered=dict(found.own),
            notes=raw.notes,
        )

    def _write_rejected(self, name: str, raw: Raw) -> dict[str, int]:
        target = self.workdir / f"{name}.quarantine"
        counts = write_quarantine(raw, None, (), target)
        if counts:
            self.quarantine[name] = pl.scan_parquet(target)
        return counts


def _told_at(progress: Progress, share: float, words: str) -> None:
    progress(words, share)


def _merged(raw: Raw) -> tuple[Raw, int]:
    """The rows of a source without those that are equal to an earlier one in every column."""
    again = repeated_rows(raw.frame, list(raw.columns))
    if not again.len():
        return raw, 0
    return replace(raw, frame=raw.frame.filter(~pl.col(ROW).is_in(again.implode()))), again.len()


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """A fault that shows only while the rows are read; a fault of the disk is left to who owns the disk."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        if "os error" in str(error):
            raise
        where, fault = f"source `{source.name}`", str(error).strip().split("\n")[0]
        raise SourceError(where, f"cannot be read ({fault})", "Check that its files are whole") from error
