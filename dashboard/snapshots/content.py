"""What a snapshot holds: sheets, the definitions of their figures, where the data came from; and its hashes.

    NAME/manifest.json        what it is, when it was true, the hash of every file
    NAME/content.json         the sheets in words and numbers, definitions, parts of figures
    NAME/figures.parquet      every figure, one a row; figures.csv is the same for a spreadsheet
    NAME/frames/*.parquet     the rows behind charts and tables
    NAME/report.html|pdf|xlsx the same to read

`content_hash` covers the content and the figures alone, numbers to seven digits: the same data, definitions
and choices give the same hash, whoever makes the snapshot and whenever. Sums over many rows differ behind
that, with the order in which processors take the rows; amounts of money are texts and count to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import polars as pl
from polars import selectors
from pydantic import Field

from dashboard.sheet import Block, Frozen, Number, Picture, Table, Tiles
from metrics.contributions import Part, Split

FORMAT: Final = 2
"""Raised whenever a snapshot is written otherwise; every earlier format is still read.

The first one hashed numbers with every digit.
"""
DIGITS: Final = 7
"""Significant digits of a number in the hash."""
WHOLE: Final = ""
"""The name of the part of customers for whom the value of a split is not known."""

FIGURE: Final = {
    "page": pl.String(),
    "metric": pl.String(),
    "label": pl.String(),
    "period": pl.String(),
    "value": pl.Float64(),
    "amount": pl.String(),
    "n": pl.Int64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "interval": pl.String(),
    "unit": pl.String(),
    "shown": pl.String(),
    "change": pl.String(),
    "against": pl.String(),
    "reason": pl.String(),
    "as_of": pl.Date(),
}
"""Columns of `figures.parquet`; `value` is null where `reason` says why."""


class Choices(Frozen):
    """What was chosen on a page: the length and number of the period, its name, comparison and filters."""

    grain: str
    period: int
    name: str
    comparison: str = "previous"
    attributes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    categories: tuple[str, ...] = ()


class Definition(Frozen):
    """What a figure means, in words and as written."""

    name: str
    label: str
    description: str
    formula: str
    unit: str
    direction: str
    source: str = ""
    written: str
    """The definition as canonical JSON: equal texts are equal definitions."""


class Parts(Frozen):
    """A figure by the values of one column, exact: `a` and `b` are fractions as text; see `Split`."""

    metric: str
    page: str
    by: str
    scale: str
    is_quotient: bool
    values: tuple[str | None, ...]
    above: tuple[str, ...]
    below: tuple[str, ...]
    n: tuple[int, ...]

    @classmethod
    def of(cls, metric: str, page: str, by: str, split: Split) -> Parts:
        """The parts of a split."""
        parts = sorted(split.parts.items(), key=lambda item: (item[0] is None, item[0] or ""))
        return cls(
            metric=metric,
            page=page,
            by=by,
            scale=str(split.scale),
            is_quotient=split.is_quotient,
            values=tuple(value for value, _part in parts),
            above=tuple(str(part.a) for _value, part in parts),
            below=tuple(str(part.b) for _value, part in parts),
            n=tuple(part.n for _value, part in parts),
        )

    def split(self) -> Split:
        """The same to reckon with."""
        rows = zip(self.values, self.above, self.below, self.n, strict=True)
        parts = {value: Part(Fraction(a), Fraction(b), n) for value, a, b, n in rows}
        return Split(parts, Fraction(self.scale), self.is_quotient)


class Group(Frozen):
    """A segment that a page was filtered by: its rule as canonical JSON, and how many customers it held."""

    name: str
    label: str
    written: str
    customers: int


class PageSheet(Frozen):
    """One page: its address with everything that was chosen, and what it showed."""

    path: str
    title: str
    address: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    choices: Choices | None = None
    blocks: tuple[Block, ...]

    @property
    def section(self) -> str:
        """The section of the page that its address names; empty for its first."""
        named = (values for name, values in self.address.items() if name.endswith(".section"))
        return next((value.replace("_", " ") for values in named for value in values), "")

    @property
    def numbers(self) -> list[Number]:
        """The figures of the page, in order."""
        return [number for block in self.blocks if isinstance(block, Tiles) for number in block.numbers]


class Content(Frozen):
    """Everything that a snapshot says."""

    pages: tuple[PageSheet, ...]
    definitions: tuple[Definition, ...] = ()
    parts: tuple[Parts, ...] = ()
    groups: tuple[Group, ...] = ()

    def framed(self) -> list[tuple[str, Table | Picture]]:
        """The charts and tables that have rows behind them, each under the name of its file."""
        found: dict[str, Table | Picture] = {}
        for page in self.pages:
            for block in page.blocks:
                if isinstance(block, Table | Picture) and block.has_frame:
                    found[_fresh(f"{page.path}-{block.key}", found)] = block
        return list(found.items())

    def frames(self) -> dict[str, pl.DataFrame]:
        """The rows behind charts and tables by the name of their file."""
        return {name: block.frame for name, block in self.framed() if block.frame is not None}

    def figures(self, as_of: date) -> pl.DataFrame:
        """Every figure of every page, in the order of the pages; columns as in `FIGURE`."""
        rows = [
            {
                **number.model_dump(include=set(FIGURE)),
                "page": page.path,
                "period": page.choices.name if page.choices and number.metric else "",
                "as_of": as_of,
            }
            for page in self.pages
            for number in page.numbers
        ]
        return pl.DataFrame(rows, schema=FIGURE, orient="row")

    def canonical(self) -> bytes:
        """The content as JSON, the same for the same content."""
        # What a later release added and this snapshot does not say leaves its bytes as they were.
        left_out = set() if self.groups else {"groups"}
        data = self.model_dump(mode="json", exclude=left_out)
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def _fresh(name: str, taken: Mapping[str, object]) -> str:
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(each for each in names if each not in taken)


class SourceRows(Frozen):
    """What became of the rows of one source."""

    name: str
    rows_read: int
    accepted: int
    quarantined: int
    filtered: int
    merged: int


class Data(Frozen):
    """The version of the store that the figures were reckoned from."""

    version: str
    content_hash: str
    as_of: date
    refreshed_at: datetime
    sources: tuple[SourceRows, ...] = ()
    tables: Mapping[str, int] = Field(default_factory=dict)
    table_hashes: Mapping[str, str] = Field(default_factory=dict)


class Manifest(Frozen):
    """What a snapshot says about itself. `files` maps every other file to its SHA-256, `rows` to its rows."""

    format: int = FORMAT
    id: str
    title: str
    created_at: datetime
    created_by: str = ""
    product: str
    project: str
    locale: str
    currency: str
    timezone: str
    role: str
    data: Data
    definitions_hash: str
    configuration_hash: str
    content_hash: str
    files: Mapping[str, str] = Field(default_factory=dict)
    rows: Mapping[str, int] = Field(default_factory=dict)

    def local(self, at: datetime) -> datetime:
        """A moment in the time zone of the project."""
        return at.astimezone(ZoneInfo(self.timezone))


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes in hexadecimal."""
    return sha256(data).hexdigest()


def content_hash(content: Content, as_of: date, form: int = FORMAT) -> str:
    """The hash of what a snapshot of some format says: its content and its figures."""
    said, figures = content.canonical(), content.figures(as_of)
    if form > 1:
        said = orjson.dumps(_rounded(orjson.loads(said)), option=orjson.OPT_SORT_KEYS)
        figures = figures.with_columns(selectors.float().round_sig_figs(DIGITS))
    return digest(said + figures.write_json().encode())


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case list():
            return [_rounded(each) for each in value]
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case _:
            return value


def definitions_hash(definitions: Sequence[Definition]) -> str:
    """The hash of what figures mean."""
    return digest("\n".join(each.written for each in definitions).encode())
