"""Tables as sorted, immutable Parquet parts, hashed on the way; what did not change is not written again.

A large table is cut into parts at values of its first sort key: the rows are dealt to the parts in one
streaming pass, then each part is sorted, hashed and written alone. So memory is bounded by the part, not by
the table, and a table loaded again is cut at the same values and finds its unchanged parts by their hashes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray

from connectors.content import Content, content_of, digest
from connectors.cuts import Cuts, even_cuts, scanned
from connectors.durable import remove
from connectors.manifest import Entry, Part

PART_ROWS: Final = 1_000_000
ROW_GROUP_ROWS: Final = 250_000
Compression = Literal["lz4", "uncompressed"]
_DRIFT: Final = 1.5  # parts may grow or shrink by this factor before the table is cut anew
MANY_ROWS: Final = 50_000
"""From how many rows on they are sorted by their first key alone."""

_AT_ONCE: Final = 2  # parts in memory: while one is hashed, which takes one processor, another is written
_DEALT: Final = "dealt"


@dataclass(frozen=True)
class PartWriter:
    """Writes parts into the draft of a version.

    `final` is where the draft will lie, relative to the store; `work` is for passing files.
    """

    draft: Path
    final: str
    work: Path
    part_rows: int
    compression: Compression = "lz4"
    """Half as large again as zstd, read in half the time and written in three quarters."""

    @property
    def quick(self) -> "PartWriter":
        """One that does not compress: for what is small and soon replaced."""
        return replace(self, compression="uncompressed")

    def table(
        self,
        name: str,
        rows: pl.LazyFrame,
        keys: Sequence[str] = (),
        previous: Entry | None = None,
        dealt: Mapping[str | None, pl.LazyFrame] | None = None,
    ) -> Entry:
        """The rows sorted by `keys` (unsorted without) as parts, of which `previous` lends the equal ones.

        The hash of a part, and of the entry, is that of the rows, whatever their order. `dealt` holds the
        same rows by the value of the first key at which their part begins, where they were dealt to parts
        before; else `rows` is read up to four times: what is slow to read belongs in a file first.
        """
        lent = {part.hash: part for part in previous.parts} if previous else {}
        first = self._written_so_far()

        def made(number: int, piece: tuple[str | None, pl.LazyFrame]) -> Part:
            frame = in_order(piece[1].collect(), keys)
            hashed = content_of(frame).hex
            part = lent.get(hashed) or self._written(number, name, frame, hashed)
            return part.model_copy(update={"first": piece[0]})

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            parts = tuple(pool.map(made, count(first), self._pieces(rows, keys, previous, dealt)))
        content = sum((Content.parse(part.hash, part.rows) for part in parts), Content())
        remove(self.work / _DEALT)
        return Entry(rows=content.rows, hash=digest(content, rows.collect_schema().names()), parts=parts)

    def cuts(self, rows: pl.LazyFrame, key: str, total: int, previous: Entry | None = None) -> Cuts | None:
        """Where to cut `total` rows: as before while the size of the parts allows, else into even parts."""
        if previous and self._fits(total, previous):
            values = tuple(part.first for part in previous.parts if part.first is not None)
            return Cuts(key, values) if values else None
        return even_cuts(rows, key, total, round(total / self.part_rows))

    def file(self, name: str, rows: pl.DataFrame, hashed: str) -> Part:
        """The rows as they stand, as one part."""
        return self._written(self._written_so_far(), name, rows, hashed)

    def mart(self, number: int, name: str, rows: pl.LazyFrame | pl.DataFrame, hashed: str) -> Entry:
        """The rows in their own order as one part; `hashed` stands for all that they were computed from."""
        path = self._path(number, f"mart-{name}")
        rows.lazy().sink_parquet(path, compression=self.compression, row_group_size=ROW_GROUP_ROWS)
        part = self._part(path, _height(pl.scan_parquet(path)), hashed)
        return Entry(rows=part.rows, hash=hashed, parts=(part,))

    def _pieces(
        self,
        rows: pl.LazyFrame,
        keys: Sequence[str],
        previous: Entry | None,
        dealt: Mapping[str | None, pl.LazyFrame] | None,
    ) -> Iterator[tuple[str | None, pl.LazyFrame]]:
        """The rows of each part, with the value of the first key at which it begins."""
        if dealt:
            for first, part in dealt.items():
                yield from self._cut_again(first, part, keys[0])
        elif keys and (cuts := self.cuts(rows, keys[0], _height(rows), previous)):
            yield from self._dealt(rows, cuts)
        else:
            yield None, rows

    def _cut_again(
        self, first: str | None, part: pl.LazyFrame, key: str
    ) -> Iterator[tuple[str | None, pl.LazyFrame]]:
        """A part, or several where it turned out too large."""
        height = _height(part)
        cuts = even_cuts(part, key, height, round(height / self.part_rows / _DRIFT))
        if cuts is None:
            yield first, part
            return
        for at, rows in self._dealt(part, cuts):
            yield first if at is None else at, rows

    def _dealt(self, rows: pl.LazyFrame, cuts: Cuts) -> Iterator[tuple[str | None, pl.LazyFrame]]:
        folder = self.work / _DEALT / str(uuid4())
        rows.sink_parquet(cuts.deal(folder), compression="lz4", statistics=False, mkdir=True)
        yield from ((first, scanned(place)) for first, place in cuts.dealt(folder))

    def _fits(self, total: int, previous: Entry) -> bool:
        size = total / len(previous.parts)
        return size < self.part_rows * _DRIFT and (len(previous.parts) == 1 or size * _DRIFT > self.part_rows)

    def _written(self, number: int, name: str, frame: pl.DataFrame, hashed: str) -> Part:
        path = self._path(number, name)
        frame.write_parquet(path, compression=self.compression, row_group_size=ROW_GROUP_ROWS)
        return self._part(path, frame.height, hashed)

    def _written_so_far(self) -> int:
        return sum(1 for _ in self.draft.glob("*.parquet"))

    def _path(self, number: int, name: str) -> Path:
        return self.draft / f"{number:03}-{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60]}.parquet"

    def _part(self, path: Path, rows: int, hashed: str) -> Part:
        return Part(path=f"{self.final}/{path.name}", rows=rows, bytes=path.stat().st_size, hash=hashed)


def _height(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect().item())


def in_order(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The rows sorted by `keys`, empty ones first; many rows by the first key, alike ones in their order.

    Many texts are compared by the eight bytes after what all of them begin with: three times faster than by
    the texts, and enough for almost all ids. The result is checked; where it is not enough, the texts decide.
    """
    if not keys or frame.height < MANY_ROWS or frame.schema[keys[0]] != pl.String:
        return frame.sort(keys) if keys else frame
    whole = frame.rechunk()  # rows are picked three times faster from one chunk than from several
    order = np.argsort(_leading_bytes(whole[keys[0]]), kind="stable").astype(np.uint32)
    quick = whole[pl.Series(order)]
    return quick if quick[keys[0]].is_sorted() else frame.sort(keys)


def _leading_bytes(texts: pl.Series) -> NDArray[np.uint64]:
    """The eight bytes after the common beginning of texts, as numbers in the texts' order; 0 for null."""
    least, most = (str(end).encode() for end in (texts.min(), texts.max()))
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(least, most, strict=False))
    start = sum(1 for _ in alike)
    eight: Any = texts.cast(pl.Binary).bin.slice(start, 8).fill_null(b"")
    views = np.frombuffer(eight.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()[1], dtype=np.uint8)
    # A view of a short text is its length in 4 bytes and then the text, padded with zeros to 16 bytes.
    return np.ascontiguousarray(views.reshape(-1, 16)[:, 4:12]).view(">u8").ravel().astype(np.uint64)
