"""Versions of the store that snapshots need: kept for as long as a snapshot of them is.

A comparison reckons figures anew on the data of the newer snapshot; pinned, they outlive later refreshes.
"""

from __future__ import annotations

from datetime import datetime

from connectors.store import Store
from connectors.writer import exclusive
from dashboard.snapshots.library import Library, Snapshot


def hold(store: Store, version: str, now: datetime) -> None:
    """Pin a version. Raises StoreError for an unknown one, or while another refresh writes."""
    if version not in store.index().pinned:
        with exclusive(store, now=now) as writer:
            writer.pin(version)


def prune(library: Library, store: Store, keep: int, now: datetime) -> list[Snapshot]:
    """Delete the snapshots that are due, and let go of the versions that none of the others needs."""
    gone = library.prune(keep)
    needed = {each.manifest.data.version for each in library.snapshots()}
    free = {each.manifest.data.version for each in gone} & set(store.index().pinned) - needed
    if free:
        with exclusive(store, now=now) as writer:
            for version in sorted(free):
                writer.unpin(version)
    return gone
