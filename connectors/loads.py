"""One source on its way into its table: what the pass over it found, row by row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from connectors.cuts import Cuts, scanned
from connectors.duplicates import count_repeated
from connectors.kinds import ROW_NUMBER, Source
from connectors.mapping import DROP, Check, Plan
from connectors.raw import ROW, Raw
from connectors.tables import dtypes, keys


@dataclass
class Load:
    """One source on its way into its table; `known` counts customers whom an earlier system has."""

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
    known: int = 0

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


def height(load: Load) -> int:
    """How many rows passed every check."""
    return int(scanned(load.accepted).select(pl.len()).collect().item())


def repaired(load: Load) -> Counter[str]:
    """Repaired cells of the accepted rows, by what was repaired."""
    if not load.repairs:
        return Counter()
    counts = load.rows().select(pl.col(load.repairs).cast(pl.Int64).sum()).collect()
    return Counter(dict(zip(load.plan.repairs, counts.row(0), strict=True)))


def filtered(load: Load) -> Counter[str]:
    """Dropped rows by reason; several filters may have one."""
    counts = pl.scan_parquet(load.rest).filter(pl.col(DROP) > 0).group_by(DROP).len().collect().sort(DROP)
    reasons: Counter[str] = Counter()
    for at, rows in counts.iter_rows():
        reasons[load.plan.drops[at - 1]] += rows
    return reasons


def repeated(load: Load) -> int:
    """Rows that stand twice in a source that numbers its rows and does not say what that means."""
    source = load.source
    if not source.table or not is_numbered(source, source.table) or "duplicates" in source.model_fields_set:
        return 0
    numbers = [key for key in keys(source.table) if source.columns.get(key, ROW_NUMBER) == ROW_NUMBER]
    accepted = load.rows().drop(*load.repairs, *numbers)
    return count_repeated(accepted, load.raw.frame, list(load.raw.columns))


def is_numbered(source: Source, table: str) -> bool:
    """Whether the key holds the row's own number, so that it cannot repeat."""
    return any(source.columns.get(key, ROW_NUMBER) == ROW_NUMBER for key in keys(table))


def faults_of(load: Load) -> tuple[pl.LazyFrame, tuple[Check, ...]]:
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


def table(name: str, loads: Sequence[Load]) -> pl.LazyFrame:
    """All rows of a table, every canonical column first."""
    return _canonical(name, [load.rows().drop(ROW, *load.repairs) for load in loads])


def dealt(name: str, loads: Sequence[Load], cuts: Cuts) -> dict[str | None, pl.LazyFrame]:
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
