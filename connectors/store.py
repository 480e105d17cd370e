"""The store: immutable versions of a project's data, of which one is current.

    store/current.json                 the pointer, swapped atomically: the versions, and which is served
    store/versions/<id>/manifest.json  what the version holds, wherever in the store its parts lie
    store/versions/<id>/*.parquet      the parts that this version was the first to need
    store/drafts/<id>/                 a version being written; swept when its refresh is gone

A version is a manifest of immutable parts, shared between versions as long as they do not change. Reading
needs no lock: what a manifest names stays until the version is pruned. Writing goes through `writer.py`.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.errors import StoreError
from connectors.layers import scanned
from connectors.manifest import SCHEMA_VERSION, Entry, Manifest, Part, SourceFile, SourceReport

__all__ = ["Entry", "Index", "Manifest", "Part", "SourceFile", "SourceReport", "Store", "Version"]

POINTER: Final = "current.json"
VERSIONS: Final = "versions"
DRAFTS: Final = "drafts"
MANIFEST: Final = "manifest.json"
_AGAIN: Final = "Run `rapport refresh` to write a new version"


class Index(BaseModel):
    """The pointer file: published versions, oldest first, the one that is served, and those never pruned.

    `checked_at` is when a refresh last compared the sources with the store, whether or not they had changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    current: str | None = None
    versions: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    checked_at: datetime | None = None


@dataclass(frozen=True)
class Version:
    """One published version, opened: every part was there when it was opened."""

    root: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """The version's name: the time of its refresh."""
        return self.manifest.id

    def has(self, name: str) -> bool:
        """Whether the version holds a table or a mart of that name."""
        return self.manifest.entry(name) is not None

    def scan(self, name: str) -> pl.LazyFrame:
        """The rows of a table or a mart, in their stored order. KeyError for an unknown name."""
        entry = self.manifest.entry(name)
        if entry is None:
            raise KeyError(name)
        return scanned(entry, self.place)

    def place(self, part: Part) -> Path:
        """Where a part lies."""
        return self.root / part.path

    def quarantine(self, source: str) -> pl.LazyFrame:
        """The rows of a source that were set aside, each with its reason; no columns when none was."""
        entry = self.manifest.quarantine.get(source)
        return scanned(entry, self.place) if entry else pl.LazyFrame()


class Store:
    """The versions under a folder; nothing is created by looking at them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def index(self) -> Index:
        """The pointer file; empty when nothing was published yet. Raises StoreError when it is damaged."""
        try:
            return Index.model_validate_json((self.root / POINTER).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return Index()
        except (ValidationError, OSError) as error:
            remedy = "Restore it from a backup, or move the store away and run `rapport refresh`"
            raise StoreError(self._where(POINTER), "the file cannot be read", remedy) from error

    def current(self) -> Version | None:
        """The version that is served; None before the first refresh. StoreError when it is not whole."""
        current = self.index().current
        return self.open(current) if current else None

    def open(self, version_id: str) -> Version:
        """A published version, after a look at every part. StoreError names what is missing or too new."""
        manifest = self._manifest(version_id)
        for part in manifest.parts():
            self._check(part, version_id)
        return Version(self.root, manifest)

    def versions(self) -> list[Version]:
        """Every version that was published and not pruned, oldest first.

        Parts are looked for by `open` alone; a version whose manifest this release cannot read is left out.
        """
        found = []
        for version_id in self.index().versions:
            with suppress(StoreError):
                found.append(Version(self.root, self._manifest(version_id)))
        return found

    def _manifest(self, version_id: str) -> Manifest:
        where = self._where(f"version {version_id}")
        if version_id not in self.index().versions:
            known = ", ".join(self.index().versions[-5:]) or "none; run `rapport refresh`"
            raise StoreError(where, "there is no such version", f"Known: {known}")
        try:
            text = (self.root / VERSIONS / version_id / MANIFEST).read_bytes()
            written = _Written.model_validate_json(text).schema_version
            if written != SCHEMA_VERSION:
                raise _other_schema(where, written)
            return Manifest.model_validate_json(text)
        except (ValidationError, OSError) as error:
            raise StoreError(where, f"its {MANIFEST} cannot be read", _AGAIN) from error

    def _check(self, part: Part, version_id: str) -> None:
        try:
            size = (self.root / part.path).stat().st_size
        except OSError as error:
            where = self._where(f"version {version_id}")
            raise StoreError(where, f"its part `{part.path}` is missing", _AGAIN) from error
        if size != part.bytes:
            fault = f"its part `{part.path}` has {size:,} bytes instead of {part.bytes:,}"
            raise StoreError(self._where(f"version {version_id}"), fault, _AGAIN)

    def _where(self, what: str) -> str:
        return f"store `{self.root}`, {what}"


class _Written(BaseModel):
    """The one field of a manifest that is read before all others are trusted."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int


def _other_schema(where: str, written: int) -> StoreError:
    if written > SCHEMA_VERSION:
        fault = f"it was written by a newer Rapport (layout {written}, this one reads {SCHEMA_VERSION})"
        return StoreError(where, fault, "Upgrade Rapport, or name another folder with `--store`")
    fault = f"it was written by an older Rapport (layout {written}, this one reads {SCHEMA_VERSION})"
    return StoreError(where, fault, _AGAIN)
