"""Raw rows: what every reader gives, before any column is mapped."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Self

import polars as pl

from connectors.kinds import Source
from connectors.manifest import SourceFile

ROW: Final = "(row)"
"""Column of raw rows: the number of the row within its source, from 0, over all files."""

OWN: Final = "(own row)"
"""Column of joined rows: the row number of the source that the others were joined to."""

MET: Final = "(row of "
"""What the columns of joined rows begin with that hold the row number of another source."""

COLUMN: Final = "(column)"
VALUE: Final = "(value)"
REASON: Final = "(reason)"

REJECTED: Final = {ROW: pl.UInt32, COLUMN: pl.String, VALUE: pl.String, REASON: pl.String}
"""Columns of rejected rows that stand before the original ones."""


@dataclass(frozen=True)
class Piece:
    """The rows of one file, numbered from 0.

    `span` is the number of row numbers that the file uses (more than its rows where blank lines were passed
    over), `twice` the column names that stand more than once.
    """

    frame: pl.LazyFrame
    file: SourceFile
    notes: tuple[str, ...] = ()
    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED))
    twice: frozenset[str] = frozenset()
    span: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raw:
    """The rows of a source.

    `frame` holds their columns and `ROW`, without the rows in `rejected`, which has the columns of REJECTED
    and then the original ones as far as they could be told apart. `starts` is the first row number
    of each file; `rows` counts all rows, the rejected ones included. `lacking` names, for a column that not
    every file has, the files without it, and `origins` the source of a column that was joined. `warnings` are
    what people should know before they trust the source.
    """

    name: str
    frame: pl.LazyFrame
    rows: int
    files: tuple[SourceFile, ...] = ()
    starts: tuple[int, ...] = (0,)
    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED))
    notes: tuple[str, ...] = ()
    twice: frozenset[str] = frozenset()
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[str, Source] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    heads: tuple[pl.LazyFrame, ...] = ()

    @classmethod
    def of(cls, name: str, pieces: Sequence[Piece]) -> Self:
        """Several files, one after the other; columns are matched by name."""
        spans = [piece.span if piece.span is not None else piece.file.rows for piece in pieces]
        starts = tuple(accumulate(spans, initial=0))[:-1]
        frames = [_shifted(piece.frame, start) for piece, start in zip(pieces, starts, strict=True)]
        return cls(
            name,
            frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed"),
            sum(piece.file.rows for piece in pieces),
            tuple(piece.file for piece in pieces),
            starts,
            _rejected(pieces, starts),
            tuple(note for piece in pieces for note in piece.notes),
            frozenset(name for piece in pieces for name in piece.twice),
            _lacking(pieces),
            warnings=tuple(dict.fromkeys(warning for piece in pieces for warning in piece.warnings)),
            heads=tuple(piece.frame.drop(ROW) for piece in pieces),
        )

    def head(self, rows: int) -> pl.LazyFrame:
        """About so many rows, some of every file."""
        heads = self.heads or (self.frame,)
        share = max(rows // len(heads), 50)
        return pl.concat([frame.head(share) for frame in heads], how="diagonal_relaxed")

    def place(self, row: int) -> str:
        """Where a row stands, as a person counts: `row 3 of `orders.csv``, the header not counted."""
        at = bisect_right(self.starts, row) - 1
        file = f" of `{self.files[at].path}`" if self.files else ""
        return f"row {row - self.starts[at] + 1:,}{file}"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Their columns with their types."""
        return {
            name: dtype
            for name, dtype in self.frame.collect_schema().items()
            if name not in (ROW, OWN) and not name.startswith(MET)
        }


def _shifted(frame: pl.LazyFrame, start: int) -> pl.LazyFrame:
    return frame.with_columns(pl.col(ROW) + pl.lit(start, pl.UInt32)) if start else frame


def _rejected(pieces: Sequence[Piece], starts: Sequence[int]) -> pl.DataFrame:
    shifted = [
        piece.rejected.with_columns(pl.col(ROW) + pl.lit(start, pl.UInt32))
        for piece, start in zip(pieces, starts, strict=True)
    ]
    return pl.concat(shifted, how="diagonal_relaxed")


def _lacking(pieces: Sequence[Piece]) -> dict[str, tuple[str, ...]]:
    if len(pieces) < 2:
        return {}
    columns = [set(piece.frame.collect_schema()) for piece in pieces]
    return {
        name: tuple(piece.file.path for piece, own in zip(pieces, columns, strict=True) if name not in own)
        for name in sorted(set().union(*columns))
        if not all(name in own for own in columns)
    }


def _nameable(name: str) -> bool:
    """Whether a text names one column: Polars takes `*` and `^...$` for patterns."""
    return name not in ("", "*", ROW, OWN) and not (name.startswith("^") and name.endswith("$"))


def headings(cells: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Column names from the cells of a header, each unlike the others, and the names that stood twice.

    >>> headings(["id", " total ", "", "id"])
    (['id', 'total', 'column 3', 'id (2)'], frozenset({'id'}))
    """
    names: list[str] = []
    twice: set[str] = set()
    for at, cell in enumerate(cells, 1):
        name = plain = cell.strip() if _nameable(cell.strip()) else f"column {at}"
        count = 1
        while name in names:
            count += 1
            name = f"{plain} ({count})"
            twice.add(plain)
        names.append(name)
    return names, frozenset(twice)
