"""Sources to canonical tables: every row is accepted, quarantined, filtered or merged, and counted as such.

One streaming pass over a source writes the accepted rows; only the rows at fault are looked at again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from config.model import Project
from connectors.cuts import Cuts, scanned
from connectors.duplicates import PART, repeated_keys, repeated_rows
from connectors.errors import SourceError, SourceErrors
from connectors.files import read_files
from connectors.joins import Joined, joined
from connectors.manifest import SourceReport
from connectors.mapping import DROP, Check, Plan, plan
from connectors.quarantine import write_quarantine
from connectors.raw import ROW, Raw
from connectors.sources import ROW_NUMBER, DatabaseSource, Source, Sources
from connectors.tables import TABLES, dtypes, keys

Progress = Callable[[str, float], None]

_UNMET: Final = "no row of another source refers to it"
_READ: Final = 0.3
"""Share of the work that reading takes."""


@dataclass(frozen=True)
class Staged:
    """Canonical rows by table, quarantined rows by source, and a report on every source.

    Tables have every canonical column (null where no source maps it) and then the attributes. A table that
    no source fills is absent. `dealt` has the rows of tables that were cut into parts, by the value at which
    each part begins.
    """

    tables: Mapping[str, pl.LazyFrame]
    quarantine: Mapping[str, pl.LazyFrame]
    reports: tuple[SourceReport, ...]
    dealt: Mapping[str, Mapping[str | None, pl.LazyFrame]] = field(default_factory=dict)


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
) -> Staged:
    """Read every source of a project and write its accepted and its quarantined rows into `workdir`.

    `now` is the time of the refresh: what lies after it is quarantined. `cutter` says which tables to deal to
    parts while they are written. Raises SourceErrors with everything that keeps sources from being read as a
    whole.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    return _Staging(folder, project, sources, now, workdir, progress, cutter).run()


@dataclass
class _Load:
    """One source on its way into its table."""

    source: Source
    raw: Raw
    plan: Plan
    rows_read: int
    accepted: Path
    rest: Path
    merged: int = 0
    unmatched: Counter[str] = field(default_factory=Counter)
    repeated: pl.Series = field(default_factory=lambda: pl.Series(ROW, [], pl.UInt32))
    clashing: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def repairs(self) -> list[str]:
        """The columns that count the repaired cells of a row."""
        return [f"repair:{at}" for at in range(len(self.plan.repairs))]

    def rows(self, place: Path | None = None) -> pl.LazyFrame:
        """The accepted rows with their numbers and repairs, without those found to repeat a key.

        `place` holds some of them, where they were dealt to parts.
        """
        rows = scanned(place or self.accepted)
        return rows.filter(~pl.col(ROW).is_in(self.repeated.implode())) if self.repeated.len() else rows

    def set_aside(self, repeated: pl.DataFrame) -> None:
        """Takes rows out that repeat a key: equal ones are merged where that is declared, others clash."""
        merge = self.source.duplicates == "merge"
        self.repeated = repeated[ROW]
        self.clashing = repeated.filter(~pl.col("same")) if merge else repeated
        self.merged += self.repeated.len() - self.clashing.height


@dataclass
class _Staging:
    folder: Path
    project: Project
    sources: Sources
    now: datetime
    workdir: Path
    progress: Progress
    cutter: Cutter
    raws: dict[str, Raw] = field(default_factory=dict)
    faults: list[SourceError] = field(default_factory=list)
    reports: dict[str, SourceReport] = field(default_factory=dict)
    quarantine: dict[str, pl.LazyFrame] = field(default_factory=dict)
    met: dict[str, list[pl.Series]] = field(default_factory=dict)
    cuts: dict[str, Cuts | None] = field(default_factory=dict)

    def run(self) -> Staged:
        listed = self.sources.sources
        for at, source in enumerate(listed):
            self.progress(f"Reading `{source.name}`", _READ * at / len(listed))
            with self._collecting():
                self.raws[source.name] = self._read(source)
        self._stop_on_faults()
        loads = self._loads(sorted(listed, key=lambda source: source.table != ""))
        tables = {name: [one for one in loads if one.source.table == name] for name in TABLES}
        for name, parts in tables.items():
            self._find_repeated(name, parts)
        for load in loads:
            self._report(load)
        self.progress("Sources read", 1.0)
        rows = {name: _table(name, parts) for name, parts in tables.items() if parts}
        dealt = {name: _dealt(name, tables[name], cuts) for name, cuts in self.cuts.items() if cuts}
        return Staged(rows, self.quarantine, tuple(self._ordered_reports()), dealt)

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

    def _read(self, source: Source) -> Raw:
        if isinstance(source, DatabaseSource):
            from connectors.databases import read_database  # drivers are loaded by who needs them

            return read_database(source, self.folder, self.workdir)
        return read_files(source, self.folder, self.workdir)

    def _loads(self, sources: Sequence[Source]) -> list[_Load]:
        """Every source mapped and passed; those that are only joined come first."""
        loads: list[_Load] = []
        for source in sources:
            with self._collecting():
                loads.append(self._load(source))
                if not source.table:
                    self._pass(loads[-1])
        self._stop_on_faults()
        filling = [load for load in loads if load.source.table]
        for at, load in enumerate(filling):
            self.progress(f"Checking `{load.source.name}`", _READ + (1 - _READ) * at / len(filling))
            self._pass(load)
        return loads

    def _load(self, source: Source) -> _Load:
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
        return _Load(source, raw, made, rows, accepted, rest, merged, unmatched)

    def _other(self, name: str) -> tuple[Source, Raw]:
        """A source to be joined: all its rows when it fills a table, else those that its filters leave."""
        source, raw = self.sources.named(name), self.raws[name]
        accepted = self.workdir / f"{name}.accepted"
        if source.table or not accepted.exists():
            return source, raw
        kept = pl.scan_parquet(accepted).select(ROW)
        return source, replace(raw, frame=raw.frame.join(kept, on=ROW, how="semi", maintain_order="left"))

    def _pass(self, load: _Load) -> None:
        """The one pass over a source: accepted rows to one file, flags of all other rows to another."""
        flags = [f"check:{at}" for at in range(len(load.plan.checks))]
        good = (pl.col(DROP) == 0) & ~pl.any_horizontal(pl.lit(value=False), *flags)
        ours = (pl.col(f"ours:{name}").alias(name) for name in load.plan.columns)
        accepted = load.plan.rows.filter(good).select(ROW, *ours, *load.repairs)
        rest = load.plan.rows.filter(~good).select(ROW, DROP, *flags)
        with _told(load.source):
            cuts = self._cuts(load)
            target = cuts.deal(load.accepted) if cuts else load.accepted
            pl.collect_all([
                accepted.sink_parquet(target, compression="lz4", mkdir=cuts is not None, lazy=True),
                rest.sink_parquet(load.rest, compression="lz4", lazy=True),
            ])  # fmt: skip
        if not load.accepted.exists():  # no row was dealt to any part
            pl.DataFrame(schema=accepted.collect_schema()).write_parquet(load.accepted)

    def _cuts(self, load: _Load) -> Cuts | None:
        """Where the table of a source is cut: settled by the first source that fills it."""
        table = load.source.table
        if table and table not in self.cuts:
            mapped = load.plan.rows.select(pl.col(f"ours:{name}").alias(name) for name in load.plan.columns)
            self.cuts[table] = self.cutter(table, mapped, load.rows_read)
        return self.cuts.get(table)

    def _find_repeated(self, table: str, loads: Sequence[_Load]) -> None:
        if not loads or (len(loads) == 1 and _numbered(loads[0].source, table)):
            return
        parts = [scanned(load.accepted).drop(load.repairs) for load in loads]
        found = repeated_keys(parts, keys(table))
        for at, load in enumerate(loads):
            load.set_aside(found.filter(pl.col(PART) == at))

    def _report(self, load: _Load) -> None:
        faults, checks = _faults(load)
        target = self.workdir / f"{load.source.name}.quarantine"
        quarantined = write_quarantine(load.raw, faults, checks, target)
        if quarantined:
            self.quarantine[load.source.name] = pl.scan_parquet(target)
        accepted = scanned(load.accepted).select(pl.len()).collect().item() - load.repeated.len()
        unmet = self._unmet(load, accepted)
        self.reports[load.source.name] = SourceReport(
            name=load.source.name,
            table=load.source.table,
            files=load.raw.files,
            rows_read=load.rows_read,
            accepted=accepted - unmet,
            quarantined=quarantined,
            filtered=load.unmatched + _filtered(load) + Counter({_UNMET: unmet}),
            merged=load.merged,
            repaired=_repaired(load),
            notes=(*load.raw.notes, *load.plan.notes),
        )

    def _unmet(self, load: _Load, accepted: int) -> int:
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


def _repaired(load: _Load) -> dict[str, int]:
    if not load.repairs:
        return {}
    counts = load.rows().select(pl.col(load.repairs).cast(pl.Int64).sum()).collect()
    return dict(zip(load.plan.repairs, counts.row(0), strict=True))


def _filtered(load: _Load) -> Counter[str]:
    """Dropped rows by reason; several filters may have one."""
    counts = pl.scan_parquet(load.rest).filter(pl.col(DROP) > 0).group_by(DROP).len().collect().sort(DROP)
    reasons: Counter[str] = Counter()
    for at, rows in counts.iter_rows():
        reasons[load.plan.drops[at - 1]] += rows
    return reasons


def _numbered(source: Source, table: str) -> bool:
    """Whether the key holds the row's own number, so that it cannot repeat."""
    return any(source.columns.get(key, ROW_NUMBER) == ROW_NUMBER for key in keys(table))


def _faults(load: _Load) -> tuple[pl.LazyFrame, tuple[Check, ...]]:
    """The rows at fault with their flags, those that clash with another row included."""
    rest = pl.scan_parquet(load.rest).filter(pl.col(DROP) == 0).drop(DROP)
    if not load.clashing.height:
        return rest, load.plan.checks
    shown = ", ".join(load.plan.subjects.get(name, name) for name in keys(load.source.table))
    words = " and ".join(f"`{name}`" for name in keys(load.source.table))
    equal = Check(shown, "another row is equal to it; with `duplicates: merge` it would count once")
    alike = Check(shown, f"another row has the same {words}")
    at = len(load.plan.checks)
    flags = (pl.col("same").alias(f"check:{at}"), (~pl.col("same")).alias(f"check:{at + 1}"))
    clashing = load.clashing.lazy().select(ROW, *flags)
    found = pl.concat([rest, clashing], how="diagonal").with_columns(pl.exclude(ROW).fill_null(value=False))
    return found, (*load.plan.checks, equal, alike)


def _table(name: str, loads: Sequence[_Load]) -> pl.LazyFrame:
    """All rows of a table, every canonical column first."""
    return _canonical(name, [load.rows().drop(ROW, *load.repairs) for load in loads])


def _dealt(name: str, loads: Sequence[_Load], cuts: Cuts) -> dict[str | None, pl.LazyFrame]:
    """The rows of a table by the value at which their part begins."""
    found: dict[str | None, list[pl.LazyFrame]] = {first: [] for first in cuts.firsts}
    for load in loads:
        for first, place in cuts.dealt(load.accepted):
            found[first].append(load.rows(place).drop(ROW, *load.repairs))
    return {first: _canonical(name, rows) for first, rows in found.items() if rows}


def _canonical(name: str, parts: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    rows = pl.concat(parts, how="diagonal_relaxed")
    types, there = dtypes(name), rows.collect_schema().names()
    canonical = [pl.col(n) if n in there else pl.lit(None, t).alias(n) for n, t in types.items()]
    return rows.select(*canonical, *(pl.col(n) for n in there if n not in types))
