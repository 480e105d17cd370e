"""A snapshot in all its forms: content and figures, and the report to read, as files with their manifest."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import polars as pl

from connectors.store import Manifest as StoreManifest
from connectors.store import Store
from dashboard.desk import Desk
from dashboard.parts.downloads import csv
from dashboard.snapshots import html, pdf, workbook
from dashboard.snapshots.compose import Shown, Told, content
from dashboard.snapshots.content import (
    Content,
    Data,
    Manifest,
    SourceRows,
    content_hash,
    definitions_hash,
    digest,
)
from dashboard.snapshots.library import CONTENT, FIGURES, FOLDER, FRAMES, Library, Snapshot, fresh_id
from dashboard.snapshots.pins import hold

PACKAGE: Final = "rapport-dashboard"


@dataclass(frozen=True)
class Wish:
    """What a person says about a snapshot: its title, who makes it, when."""

    title: str
    by: str
    now: datetime


def make(shown: Sequence[Shown], wish: Wish, tell: Told = lambda _what, _share: None) -> Snapshot:
    """A snapshot of some pages in the project's library; the version of the store behind it is pinned."""
    desk = shown[0].desk
    manifest, made = composed(shown, wish, tell)
    files = _files(made, manifest, tell)
    found = library(desk).add(manifest, files)
    hold(Store(desk.workspace.store), desk.version.id, wish.now)
    return found


def composed(
    shown: Sequence[Shown], wish: Wish, tell: Told = lambda _what, _share: None
) -> tuple[Manifest, Content]:
    """What a snapshot of some pages would say, without its files."""
    made = content(shown, tell)
    return _manifest(shown[0].desk, made, wish), made


def library(desk: Desk) -> Library:
    """The library of a project."""
    return Library(desk.workspace.folder / FOLDER)


def _manifest(desk: Desk, made: Content, wish: Wish) -> Manifest:
    project = desk.project
    return Manifest(
        id=fresh_id(wish.title, desk.local_time(wish.now)),
        title=wish.title,
        created_at=wish.now,
        created_by=wish.by,
        product=version(PACKAGE),
        project=project.name,
        locale=project.locale,
        currency=project.currency,
        timezone=project.timezone,
        role=desk.role,
        data=_data(desk.manifest),
        definitions_hash=definitions_hash(made.definitions),
        configuration_hash=_configuration(desk.workspace.folder),
        content_hash=content_hash(made, desk.as_of),
        rows=_rows(made, desk.as_of),
    )


def _rows(made: Content, as_of: date) -> Mapping[str, int]:
    """How many rows each Parquet file has."""
    counts = {f"{FRAMES}/{name}.parquet": len(frame) for name, frame in made.frames().items()}
    return {FIGURES: len(made.figures(as_of)), **counts}


def _data(manifest: StoreManifest) -> Data:
    sources = [
        SourceRows(
            name=report.name,
            rows_read=report.rows_read,
            accepted=report.accepted,
            quarantined=sum(report.quarantined.values()),
            filtered=sum(report.filtered.values()),
            merged=report.merged,
        )
        for report in manifest.sources
    ]
    return Data(
        version=manifest.id,
        content_hash=manifest.content_hash,
        as_of=manifest.as_of,
        refreshed_at=manifest.refreshed_at,
        sources=tuple(sources),
        tables={name: entry.rows for name, entry in manifest.tables.items()},
        table_hashes={name: entry.hash for name, entry in manifest.tables.items()},
    )


def _configuration(folder: Path) -> str:
    """A hash of the project's YAML files; their texts may name servers and stay where they are."""
    files = sorted(folder.glob("*.yaml")) + sorted(folder.glob("*/*.yaml"))
    named = (f"{file.relative_to(folder).as_posix()}\n".encode() + file.read_bytes() for file in files)
    return digest(b"".join(named))


def _files(made: Content, manifest: Manifest, tell: Told) -> Mapping[str, bytes]:
    figures = made.figures(manifest.data.as_of)
    frames = made.frames()
    files = {f"{FRAMES}/{name}.parquet": _parquet(frame) for name, frame in frames.items()}
    files |= {CONTENT: made.canonical(), FIGURES: _parquet(figures), "figures.csv": csv(figures)}
    for share, (name, render) in enumerate(
        (("report.html", html.report), ("report.pdf", pdf.report), ("report.xlsx", workbook.report))
    ):
        tell(name, 0.9 + share * 0.03)
        files[name] = render(made, manifest)
    return files


def _parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd")
    return file.getvalue()
