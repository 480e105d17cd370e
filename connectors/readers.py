"""Any source to raw rows: by its kind, again where its fault may pass, incrementally where it says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.files import read_files
from connectors.kinds import DatabaseSource, Source
from connectors.manifest import Pull
from connectors.raw import Raw
from connectors.retries import retried

if TYPE_CHECKING:
    from connectors.increments import Change, Shelf


@dataclass
class Readers:
    """Reads the sources of a project; `pulls` and `changes` take what is to be kept of incremental ones.

    Without a `shelf` nothing is kept and everything is read; with a `glance` so many rows of a database.
    `told` hears how far a reading is.
    """

    folder: Path
    workdir: Path
    now: datetime
    told: Callable[[str], None] = lambda words: None
    shelf: "Shelf | None" = None
    before: Mapping[str, Pull] = field(default_factory=dict)
    pulls: dict[str, Pull] = field(default_factory=dict)
    changes: "dict[str, Change]" = field(default_factory=dict)
    glance: int | None = None

    def read(self, source: Source) -> Raw:
        """The raw rows of a source. Raises SourceError when it cannot be read as a whole."""
        if not isinstance(source, DatabaseSource):
            return read_files(source, self.folder, self.workdir)
        return retried(lambda: self._database(source), self.told)

    def _database(self, source: DatabaseSource) -> Raw:
        from connectors.databases import read_database, read_head  # drivers are loaded by who needs them

        if self.glance is not None:
            return read_head(source, self.folder, self.workdir, self.glance)

        def pulled(rows: int) -> None:
            self.told(f"Reading `{source.name}`: {rows:,} rows")

        if source.incremental is None or self.shelf is None:
            return read_database(source, self.folder, self.workdir, pulled)
        from connectors.increments import read_changes

        raw, self.pulls[source.name], change = read_changes(
            source, self.folder, self.workdir, self.shelf, self.before.get(source.name), self.now, pulled
        )
        if change is not None:
            self.changes[source.name] = change
        return raw
