"""Content hash of a table: equal rows give an equal hash, however they are ordered, split and laid out.

The hash is additive, so that parts are hashed alone and their hashes summed: a refresh that changes one part
rehashes one part. A cell is hashed with its column's name, a row's cells are added and mixed, rows are added:

    cell = fold(seed(column name), words of the value)      64 bits, `mix` of MurmurHash3 after each word
    row  = mix(sum of cells)
    hash = (sum of rows, sum of mix(row ^ constant))        128 bits, each half modulo 2^64

Adding (not xor) keeps rows that occur twice. The words of a text are its length in 4 bytes and its UTF-8
bytes, padded with zeros, in 8-byte little-endian steps, at least two: for texts of up to 12 bytes that is the
very view that Arrow stores. Numbers, days and instants are one word, decimals two, null is its own word.
The algorithm is written out here because neither Polars nor DuckDB promises a stable hash between releases.
It guards against change, not against an attacker.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MULTIPLIERS: Final = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_SHIFT: Final = np.uint64(33)
_LANE: Final = np.uint64(0x9E3779B97F4A7C15)
_NULL: Final = np.uint64(0xD6E8FEB86659FD93)
_LENGTH: Final = np.uint64(0xFFFFFFFF)
_ONES: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_INLINE: Final = 12  # the longest text that a view holds whole
_PREFIX: Final = 4  # the bytes of a longer one that it holds
_BLOCK: Final = 1 << 15
"""Rows at a time: a few arrays of this length stay in the processor's cache."""


@dataclass(frozen=True)
class Content:
    """The sum of some rows' hashes; parts are added with `+` and taken out with `-`, `Content()` is no rows.

    >>> part = content_of(pl.DataFrame({"id": ["a"], "n": [1]}))
    >>> part + Content() == content_of(pl.DataFrame({"n": [1], "id": ["a"]}))
    True
    """

    low: int = 0
    high: int = 0
    rows: int = 0

    def __add__(self, other: "Content") -> "Content":
        wrap = (1 << 64) - 1
        return Content((self.low + other.low) & wrap, (self.high + other.high) & wrap, self.rows + other.rows)

    def __sub__(self, other: "Content") -> "Content":
        wrap = (1 << 64) - 1
        return Content((self.low - other.low) & wrap, (self.high - other.high) & wrap, self.rows - other.rows)

    @property
    def hex(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.high:016x}{self.low:016x}"

    @classmethod
    def parse(cls, text: str, rows: int) -> "Content":
        """The value whose `hex` is `text`."""
        return cls(int(text[16:], 16), int(text[:16], 16), rows)


def content_of(frame: pl.DataFrame) -> Content:
    """The content of a frame, whatever the order of its rows and columns; `Content()` for no rows.

    Categories and enumerations count as their text. Raises TypeError for nested columns.
    """
    seeds = {name: _seed(name) for name in frame.columns}
    starts = range(0, frame.height, _BLOCK)
    return sum((_block(frame.slice(start, _BLOCK), seeds) for start in starts), Content())


def digest(content: Content, columns: Iterable[str]) -> str:
    """32 hexadecimal digits for a whole table: its rows, how many there are, and the names of its columns."""
    names = "".join(f"{name}\0" for name in sorted(columns))
    return combined({"columns": names, "rows": str(content.rows), "sum": content.hex})


def combined(hashes: Mapping[str, str]) -> str:
    """One hash for several named ones, whatever their order.

    >>> combined({"a": "1", "b": "2"}) == combined({"b": "2", "a": "1"})
    True
    """
    lines = "".join(f"{name}\0{value}\n" for name, value in sorted(hashes.items()))
    return blake2b(lines.encode(), digest_size=16).hexdigest()


def _seed(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))


def _block(frame: pl.DataFrame, seeds: Mapping[str, np.uint64]) -> Content:
    rows = np.zeros(frame.height, dtype=np.uint64)
    for name, seed in seeds.items():
        rows += _cells(frame[name], seed)
    low = _mix(rows)
    high = _mix(low ^ _LANE)
    return Content(int(low.sum()), int(high.sum()), frame.height)


def _plain(column: pl.Series) -> pl.Series:
    """The column as text, decimals or eight-byte numbers, so that its buffers hold the words to hash."""
    dtype = column.dtype
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String).fill_null("")
    if dtype == pl.Int64 or dtype.is_decimal():
        return column
    if dtype.is_float():
        numbers = column.cast(pl.Float64).fill_null(0.0).to_numpy()
        return pl.Series(numbers + 0.0).fill_nan(float("nan"))  # one zero, one NaN
    if dtype.is_integer() or dtype.is_temporal() or dtype in (pl.Boolean, pl.Null):
        return column.to_physical().cast(pl.Int64, wrap_numerical=True)
    fault = f"column `{column.name}` of type {dtype} has no content hash"
    raise TypeError(fault)


def _cells(column: pl.Series, seed: np.uint64) -> Words:
    """One hash a row."""
    null = _mix(np.array([seed ^ _NULL]))
    if column.null_count() == len(column):
        return np.repeat(null, len(column))
    plain = _plain(column)
    words = _words(plain)
    hashes = _mix(words[:, 0] ^ seed)
    if plain.dtype == pl.String:
        longer = np.flatnonzero((words[:, 0] & _LENGTH) > _INLINE)
        tails = _tails(plain, longer, hashes[longer])
        hashes = _mix(hashes ^ words[:, 1])
        hashes[longer] = tails
    elif words.shape[1] > 1:
        hashes = _mix(hashes ^ words[:, 1])
    if column.null_count():
        hashes[column.is_null().to_numpy()] = null[0]
    return hashes


def _words(column: pl.Series) -> Words:
    """The words of a column, one row a value: one for a number, two for a decimal or a text's view."""
    array: Any = column.to_arrow(compat_level=pl.CompatLevel.newest())
    width = 2 if column.dtype == pl.String or column.dtype.is_decimal() else 1
    words = np.frombuffer(array.buffers()[1], dtype="<u8").reshape(-1, width)
    return words[array.offset : array.offset + len(array)]


def _tails(column: pl.Series, rows: NDArray[np.intp], hashes: Words) -> Words:
    """Hashes of the texts in `rows` with all their bytes; `hashes` hold length and first four bytes."""
    if not len(rows):
        return hashes
    array: Any = column.gather(rows).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, dtype="<i8")[array.offset :][: len(rows) + 1]
    at = bounds[:-1] + _PREFIX
    left = np.diff(bounds) - _PREFIX
    padded = bytes(data) + bytes(8)
    # A word from every byte on: unaligned, so that a text's words are read where it lies.
    words: Words = np.ndarray(len(padded) - 7, dtype="<u8", buffer=padded, strides=(1,))
    open_ = np.arange(len(rows))
    while len(open_):
        mask = _ONES >> (np.uint64(8) * (8 - np.minimum(left, 8)).astype(np.uint64))
        hashes[open_] = _mix(hashes[open_] ^ (words[at] & mask))
        more = left > 8
        open_, at, left = open_[more], at[more] + 8, left[more] - 8
    return hashes


def _mix(values: Words) -> Words:
    """The finaliser of MurmurHash3, in place: every bit of the input moves half the bits of the output."""
    for multiplier in _MULTIPLIERS:
        values ^= values >> _SHIFT
        values *= multiplier
    values ^= values >> _SHIFT
    return values
