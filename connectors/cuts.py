"""Where a large table is cut into parts, and how rows are dealt to them on their way to the disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

_SAMPLE_ROWS: Final = 20_000
_PART: Final = "(cut)"
"""Key of the folders of parts; a column of this name would be taken for it and lost."""


@dataclass(frozen=True)
class Cuts:
    """The values of a text column, in order, at which the next part begins; empty cells come first.

    >>> Cuts("id", ("g", "p")).firsts
    (None, 'g', 'p')
    """

    key: str
    values: tuple[str, ...]

    @property
    def firsts(self) -> tuple[str | None, ...]:
        """The value at which each part begins; None for the first."""
        return (None, *self.values)

    def deal(self, folder: Path) -> pl.PartitionBy:
        """Where to sink rows so that each part has files of its own in `folder`."""
        number = pl.sum_horizontal(pl.col(self.key) >= value for value in self.values).fill_null(0)
        return pl.PartitionBy(folder, key={_PART: number}, include_key=False)

    def dealt(self, folder: Path) -> Iterator[tuple[str | None, Path]]:
        """The parts that have rows: the value at which each begins, and its folder."""
        for at, first in enumerate(self.firsts):
            place = folder / f"{_PART}={at}"
            if place.exists():
                yield first, place


def scanned(place: Path) -> pl.LazyFrame:
    """The rows of a file, or of all parts or one part of a folder that rows were dealt to."""
    return pl.scan_parquet(place, hive_partitioning=False)


def even_cuts(rows: pl.LazyFrame, key: str, total: int, parts: int) -> Cuts | None:
    """Cuts that leave about equally many rows in each part, found in a sample; only their column is read.

    None for a single part, and where the column is no text or says nothing.
    """
    if parts < 2 or rows.collect_schema().get(key) != pl.String:
        return None
    sample = rows.select(key).gather_every(max(total // _SAMPLE_ROWS, 1)).collect()[key].sort()
    found = (sample[len(sample) * at // parts] for at in range(1, parts))
    values = tuple(dict.fromkeys(value for value in found if value is not None))
    return Cuts(key, values) if values else None
