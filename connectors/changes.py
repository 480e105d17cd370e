"""Changes of an incremental source to changes of its table, where the fate of every row is its own.

Rows that went are mapped as they were, so that the canonical rows are known which they had become; rows that
came are mapped as any other. Rows in quarantine are looked at again: what lay in the future may not any more.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from config.model import Project
from connectors.identities import systems_of
from connectors.loads import Load, filtered, height, is_numbered, repaired, table
from connectors.manifest import Entry, SourceReport, product
from connectors.mapping import DROP
from connectors.raw import ROW
from connectors.sources import Sources

if TYPE_CHECKING:
    from connectors.increments import Change
    from connectors.store import Version


Settle = Callable[[str, pl.LazyFrame, pl.LazyFrame], Entry | None]
"""A table's name, rows that went, rows that came -> the table with these changes; None: stage all of it."""


def unsettled(table: str, went: pl.LazyFrame, came: pl.LazyFrame) -> None:
    """No change is settled by itself."""


@dataclass(frozen=True)
class Settled:
    """A table with its changes, the rows that came, and what is known of those that nobody looked at."""

    entry: Entry
    came: Load
    known: "Known"


@dataclass(frozen=True)
class Settling:
    """Settles tables by what changed in their sources since the version before."""

    sources: Sources
    project: Project
    previous: "Version | None"
    settle: Settle
    workdir: Path

    def settled(self, load: Load, change: "Change", passed: Callable[[Load], None]) -> Settled | None:
        """The table of a source by its changes, each passed as a load; None where that is not the same."""
        name = load.source.name
        before = self.previous.manifest.pulls.get(name) if self.previous else None
        if self.previous is None or before is None or before.reading != (self.reading(load) or None):
            return None
        went, came = parted(load, change, self.previous.quarantine(name), self.workdir)
        for some in (went, came):
            passed(some)
        if _has_faults(went):
            return None
        into = load.source.table
        entry = self.settle(into, table(into, [went]), table(into, [came]))
        earlier = next(one for one in self.previous.manifest.sources if one.name == name)
        return Settled(entry, came, Known.beside(earlier, went)) if entry else None

    def reading(self, load: Load) -> str:
        """A digest of what decides, beside the columns, what becomes of a row; empty where other rows do."""
        source, every = load.source, self.sources.sources
        fill = [one for one in every if one.table == source.table]
        joined = any(join.source == source.name for one in every for join in one.joins)
        across = len(systems_of(every)) > 1
        if across or joined or source.joins or len(fill) > 1 or not source.table:
            return ""
        if is_numbered(source, source.table) or load.merged or load.repeated.len():
            return ""
        said = source.model_dump_json(exclude={"connection", "timeout", "incremental"})
        settings = self.project.model_dump_json(include={"currency", "timezone", "locale"})
        words = (product(), said, settings, *load.plan.notes)
        return blake2b("\0".join(words).encode(), digest_size=8).hexdigest()


def parted(load: Load, change: "Change", quarantine: pl.LazyFrame, workdir: Path) -> tuple[Load, Load]:
    """The rows that went out of the table, and those that came or are looked at again, each to be passed."""
    aside = _numbers(quarantine)
    went = change.went.filter(~change.went.is_in(aside.implode()))
    again = aside.filter(~aside.is_in(change.went.implode()))
    came = pl.concat([change.came, again]).unique()
    nothing = load.raw.rejected.clear()
    return (
        _some(load, change.rows, went, workdir / f"{load.source.name}.went", nothing),
        _some(load, change.rows, came, workdir / f"{load.source.name}.came", load.raw.rejected),
    )


def _numbers(quarantine: pl.LazyFrame) -> pl.Series:
    """The numbers of the rows of a quarantine, which counts from 1."""
    if "row" not in quarantine.collect_schema():
        return pl.Series(ROW, [], pl.UInt32)
    return quarantine.select((pl.col("row") - 1).cast(pl.UInt32).alias(ROW)).collect().to_series()


def _some(load: Load, rows: pl.LazyFrame, numbers: pl.Series, place: Path, rejected: pl.DataFrame) -> Load:
    number = pl.col(ROW)
    chosen = rows.clear()
    if numbers.len():  # between two numbers: parts of files without any of them are passed over
        chosen = rows.filter(number.is_between(numbers.min(), numbers.max()), number.is_in(numbers.implode()))
    return replace(
        load,
        raw=replace(load.raw, frame=chosen, rejected=rejected),
        plan=replace(load.plan, rows=load.plan.applied(chosen)),
        accepted=place.with_name(f"{place.name}.accepted"),
        rest=place.with_name(f"{place.name}.rest"),
    )


def _has_faults(load: Load) -> bool:
    """Whether a row was found at fault."""
    at_fault = pl.scan_parquet(load.rest).filter(pl.col(DROP) == 0)
    return bool(at_fault.select(pl.len()).collect().item())


@dataclass(frozen=True)
class Known:
    """What is known of the rows of a source that are not looked at."""

    accepted: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)

    @classmethod
    def beside(cls, before: SourceReport, went: Load) -> "Known":
        """What was reported before, without the rows that went and those in quarantine."""
        return cls(
            before.accepted - height(went),
            Counter(before.filtered) - filtered(went),
            Counter(before.repaired) - repaired(went),
        )


NOTHING: Final = Known()
