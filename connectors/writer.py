"""Writing to the store: one writer at a time, one version at a time, visible whole or not at all.

with exclusive(store, now=now, wait=60) as writer:
    entry = writer.parts.table("order_lines", lines, ("customer_id", "order_id", "line_id"))
    version = writer.publish(manifest)
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import polars as pl
from filelock import FileLock, Timeout

from connectors.durable import UNFINISHED, disk_faults, move, remove, replace_text, sync_all
from connectors.errors import StoreError
from connectors.layers import scanned
from connectors.manifest import Entry, Manifest, Part
from connectors.parts import PART_ROWS, PartWriter
from connectors.store import DRAFTS, MANIFEST, POINTER, VERSIONS, Index, Store, Version

if TYPE_CHECKING:
    from connectors.increments import Shelf

LOCK: Final = "refresh.lock"
HOLDER: Final = "refresh.json"
KEPT_VERSIONS: Final = 5


@contextmanager
def exclusive(
    store: Store, *, now: datetime, wait: float = 60.0, waiting: Callable[[str], None] = lambda text: None
) -> Iterator["Writer"]:
    """The only writer of a store, with an empty draft; what dead writers left is swept first.

    Where another writer holds the store, `waiting` is told who it is, and after `wait` seconds StoreError is
    raised. A writer that dies loses the lock with its process. The draft goes at the end, published or not.
    """
    with disk_faults(store.root):
        store.root.mkdir(parents=True, exist_ok=True)
        lock = _acquired(store, wait, waiting)
    try:
        with disk_faults(store.root):
            _claim(store.root, now)
            sweep(store)
            writer = Writer(store, _fresh_id(store, now))
            writer.draft.mkdir(parents=True)
            writer.work.mkdir()
            yield writer
    finally:
        remove(store.root / DRAFTS)
        remove(store.root / HOLDER)
        lock.release()


@dataclass(frozen=True)
class Writer:
    """The right to write to a store, and the draft of its next version.

    What is written into `draft` belongs to the version once `publish` returns; `work` is for passing files.
    """

    store: Store
    id: str

    @property
    def draft(self) -> Path:
        """The folder that becomes the version."""
        return self.store.root / DRAFTS / self.id

    @property
    def work(self) -> Path:
        """A folder on the same disk for files that are not to be published."""
        return self.store.root / DRAFTS / "work"

    @property
    def parts(self) -> PartWriter:
        """What writes tables and marts into the draft."""
        return PartWriter(self.draft, f"{VERSIONS}/{self.id}", self.work, PART_ROWS)

    @property
    def shelf(self) -> "Shelf":
        """Where the rows of incremental sources are kept."""
        from connectors.increments import Shelf

        return Shelf(self.store.root, self.draft, f"{VERSIONS}/{self.id}")

    def scan(self, entry: Entry) -> pl.LazyFrame:
        """The rows of a table that was written into the draft, its shared parts included."""
        return scanned(entry, self.place)

    def place(self, part: Part) -> Path:
        """Where a part of the draft or of an earlier version lies."""
        path = PurePosixPath(part.path)
        return self.draft / path.name if path.parent.name == self.id else self.store.root / path

    def forget(self, part: Part) -> None:
        """Deletes a part of the draft that is not needed after all; one of an earlier version stays."""
        if PurePosixPath(part.path).parent.name == self.id:
            remove(self.place(part))

    def publish(self, manifest: Manifest) -> Version:
        """The draft as a version, and current: readers find the one before or this one, nothing between."""
        replace_text(self.draft / MANIFEST, manifest.model_dump_json(indent=1))
        sync_all(self.draft)
        folder = self.store.root / VERSIONS
        folder.mkdir(exist_ok=True)
        move(self.draft, folder / self.id)
        index = self.store.index()
        self._point(
            index.model_copy(
                update={
                    "current": self.id,
                    "versions": (*index.versions, self.id),
                    "checked_at": manifest.refreshed_at,
                }
            )
        )
        return self.store.open(self.id)

    def confirm(self, now: datetime) -> None:
        """Notes that the sources were compared with the current version and say the same."""
        self._point(self.store.index().model_copy(update={"checked_at": now}))

    def pin(self, version_id: str) -> None:
        """Keeps a version from being pruned. Raises StoreError for an unknown one."""
        index = self.store.index()
        self.store.open(version_id)
        self._point(index.model_copy(update={"pinned": tuple(dict.fromkeys((*index.pinned, version_id)))}))

    def unpin(self, version_id: str) -> None:
        """Lets a version be pruned again."""
        index = self.store.index()
        kept = tuple(pinned for pinned in index.pinned if pinned != version_id)
        self._point(index.model_copy(update={"pinned": kept}))

    def prune(self, keep: int = KEPT_VERSIONS) -> tuple[str, ...]:
        """Deletes all but the newest `keep` versions, and says which; never the current one nor a pinned one.

        Parts that a remaining version shares stay where they are.
        """
        index = self.store.index()
        newest = index.versions[max(len(index.versions) - keep, 0) :]
        wanted = {*newest, *index.pinned, index.current}
        kept = tuple(version_id for version_id in index.versions if version_id in wanted)
        if kept != index.versions:
            self._point(index.model_copy(update={"versions": kept}))
            sweep(self.store)
        return tuple(version_id for version_id in index.versions if version_id not in wanted)

    def _point(self, index: Index) -> None:
        replace_text(self.store.root / POINTER, index.model_dump_json(indent=1))


def sweep(store: Store) -> None:
    """Deletes what no published version needs: drafts of dead refreshes, versions never published or pruned.

    Only the holder of the lock may call it. Raises StoreError, with nothing deleted, when the pointer cannot
    be read; where a manifest cannot be read, all versions stay.
    """
    index = store.index()
    remove(store.root / DRAFTS)
    for half in store.root.glob(f"*{UNFINISHED}"):
        remove(half)
    manifests = _manifests(store, index)
    if len(manifests) < len(index.versions):
        return  # a version that this release cannot read may need any part
    needed = {store.root / part.path for manifest in manifests for part in manifest.parts()}
    published = {store.root / VERSIONS / version_id for version_id in index.versions}
    for folder in sorted((store.root / VERSIONS).glob("*")):
        _sweep_folder(folder, needed, published=folder in published)


def _sweep_folder(folder: Path, needed: set[Path], *, published: bool) -> None:
    """The manifest goes first: a folder without one is only a place where others' parts lie."""
    files = sorted(folder.glob("*"), key=lambda path: path.name != MANIFEST)
    kept = [path for path in files if path in needed or (published and path.name == MANIFEST)]
    if not kept:
        remove(folder)
        return
    for path in files:
        if path not in kept:
            remove(path)


def _manifests(store: Store, index: Index) -> list[Manifest]:
    published = set(index.versions)
    return [version.manifest for version in store.versions() if version.id in published]


def _fresh_id(store: Store, now: datetime) -> str:
    """The time of the refresh, with a number where two began in one second."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = [stamp, *(f"{stamp}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (store.root / VERSIONS / name).exists())


def _acquired(store: Store, wait: float, waiting: Callable[[str], None]) -> FileLock:
    lock = FileLock(store.root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting(f"waiting for {_holder(store.root)}")
    else:
        return lock
    try:
        lock.acquire(timeout=wait)
    except Timeout as error:
        fault = f"{_holder(store.root)} is still writing to it after {wait:g} seconds of waiting"
        remedy = "Wait for it to end and run `rapport refresh` again, or stop that process"
        where = f"store `{store.root}`"
        raise StoreError(where, fault, remedy, retryable=True) from error
    return lock


def _claim(root: Path, now: datetime) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": now.isoformat(timespec="seconds"),
    }
    replace_text(root / HOLDER, json.dumps(holder))


def _holder(root: Path) -> str:
    try:
        holder = json.loads((root / HOLDER).read_text(encoding="utf-8"))
        return f"the refresh of process {holder['process']} on {holder['host']}, begun {holder['since']},"
    except (OSError, ValueError, KeyError):
        return "another refresh"  # it has the lock and has not yet said who it is
