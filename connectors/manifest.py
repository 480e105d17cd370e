"""What a version of the store says about itself: its parts, its as-of day, the fate of every source row."""

from collections.abc import Mapping
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SCHEMA_VERSION: Final = 2
"""Raised whenever a version written before can no longer be read as it is."""

Counts = Annotated[dict[str, int], BeforeValidator(lambda counts: {k: n for k, n in counts.items() if n})]
"""Rows by reason, in the order in which the reasons were met; reasons without rows are left out."""


class Frozen(BaseModel):
    """A strict, immutable model."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceFile(Frozen):
    """A file, table or query that a source was read from.

    `fingerprint` changes whenever the content does: a digest of a file's bytes, the row count of a query.
    """

    path: str
    bytes: int = 0
    rows: int = 0
    fingerprint: str = ""


class SourceReport(Frozen):
    """What became of every row of one source: rows_read = accepted + quarantined + filtered + merged.

    `table` is empty for a source that is only joined to others. `repaired` counts cells, not rows. `warnings`
    are what people should know before they trust it, `columns` its own with their types. `repeated` counts
    accepted rows that equal an earlier one in every column, where nothing says what these mean.
    """

    name: str
    table: str = ""
    files: tuple[SourceFile, ...] = ()
    rows_read: int = 0
    accepted: int = 0
    quarantined: Counts = Field(default_factory=dict)
    filtered: Counts = Field(default_factory=dict)
    merged: int = 0
    repeated: int = 0
    repaired: Counts = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    columns: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        explained = self.accepted + sum(self.quarantined.values()) + sum(self.filtered.values()) + self.merged
        if explained != self.rows_read:
            fault = f"source {self.name}: {self.rows_read} rows read, but {explained} explained"
            raise ValueError(fault)
        return self


class Part(Frozen):
    """One immutable Parquet file; `path` is relative to the store, `first` the first sort key in it.

    A part lies in the folder of the version that wrote it and may serve any number of later versions.
    """

    path: str
    rows: int
    bytes: int
    hash: str
    first: str | None = None


class Layer(Frozen):
    """Parts that were written together; `mask` is a file that says which of their rows still count."""

    parts: tuple[Part, ...]
    mask: Part | None = None


class Pull(Frozen):
    """The rows of an incremental source as they came, in parts, each row under a number of its own.

    `gone` lists the numbers of rows that were replaced or deleted, `numbered` is the next number. `shape` is
    a digest of statement and columns, `compared_at` when all keys were last compared. `reading` is a digest
    of how the rows became those of the table; empty where a row's fate depends on other rows.
    """

    shape: str
    parts: tuple[Part, ...]
    gone: Part | None = None
    numbered: int
    compared_at: datetime
    reading: str = ""

    def files(self) -> tuple[Part, ...]:
        """Every file."""
        return (*self.parts, *([self.gone] if self.gone else []))


class Entry(Frozen):
    """One table, mart or quarantine of a version: its parts in order, and the hash of all its rows.

    `rows` are those of a table or quarantine; of a mart in layers it counts what is stored.

    What changed later may lie upon the parts in `later` layers, each of which takes the place of rows that
    `mask` and the masks of the layers before it leave out; `order` names the columns by which the layers are
    set into one another, `content` is the sum that `hash` was made of. See `connectors.layers`.
    """

    rows: int
    hash: str
    parts: tuple[Part, ...]
    mask: Part | None = None
    later: tuple[Layer, ...] = ()
    order: tuple[str, ...] = ()
    content: str = ""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, the oldest first."""
        return (Layer(parts=self.parts, mask=self.mask), *self.later)

    def files(self) -> tuple[Part, ...]:
        """Every file."""
        masks = (layer.mask for layer in self.layers if layer.mask)
        return (*(part for layer in self.layers for part in layer.parts), *masks)


Kind = Literal["tables", "marts", "quarantine"]


class Manifest(Frozen):
    """A version: everything needed to open it and to say where its figures come from.

    `content_hash` covers the canonical rows alone: equal data gives an equal hash, whatever the order of the
    rows, the files they came in or the day of the refresh. `definitions` is a digest of whatever else shaped
    the marts (settings, product version), so that equal data under new definitions is a new version.
    """

    id: str
    refreshed_at: datetime
    as_of: date
    schema_version: int = SCHEMA_VERSION
    content_hash: str
    definitions: str = ""
    tables: Mapping[str, Entry] = Field(default_factory=dict)
    marts: Mapping[str, Entry] = Field(default_factory=dict)
    quarantine: Mapping[str, Entry] = Field(default_factory=dict)
    pulls: Mapping[str, Pull] = Field(default_factory=dict)
    sources: tuple[SourceReport, ...] = ()
    notes: tuple[str, ...] = ()

    def entry(self, name: str) -> Entry | None:
        """The table, else the mart of that name; None when the version has neither."""
        return self.tables.get(name) or self.marts.get(name)

    def parts(self) -> tuple[Part, ...]:
        """Every file of every table, mart, quarantine and pull, each once."""
        held = (self.tables, self.marts, self.quarantine, self.pulls)
        files = (part for entries in held for entry in entries.values() for part in entry.files())
        return tuple(dict.fromkeys(files))


def product() -> str:
    """The release of the product."""
    try:
        return version("rapport-dashboard")
    except PackageNotFoundError:
        return "source"  # run from a checkout that was never installed
