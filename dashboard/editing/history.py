"""Dated versions of a project's definition files, so that no saving loses what was in force before.

Versions of `metrics/customers.yaml` lie in `metrics/.history/customers.20260501T093000000000Z.yaml`, dated by
the moment from which they held. A file whose text is no longer that of its newest version was edited by hand.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.durable import replace_text

FOLDER: Final = ".history"
_STAMP: Final = "%Y%m%dT%H%M%S%f"
_DATED: Final = re.compile(r"(?P<stem>.+)\.(?P<stamp>\d{8}T\d{12})Z")


@dataclass(frozen=True)
class FileVersion:
    """What a definition file said from a moment on."""

    file: Path
    path: Path
    since: datetime

    @property
    def text(self) -> str:
        """The whole file as it was."""
        return self.path.read_text(encoding="utf-8")


def versions(file: Path) -> list[FileVersion]:
    """The kept versions of a definition file, the newest first; none when it was never kept."""
    found = _dated(file) if (file.parent / FOLDER).is_dir() else ()
    return sorted(found, key=lambda version: version.since, reverse=True)


def _dated(file: Path) -> Iterator[FileVersion]:
    for path in (file.parent / FOLDER).glob("*.yaml"):
        match = _DATED.fullmatch(path.stem)
        if match and match["stem"] == file.stem:
            since = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
            yield FileVersion(file, path, since)


def save(file: Path, text: str, now: datetime) -> None:
    """Put `text` into a definition file, whole or not at all; what stood there is kept as a version.

    `now` is the moment from which the new text holds. Raises OSError when the folder cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    keep(file)
    replace_text(file, text)
    _write(file, text, now)


def remove(file: Path) -> None:
    """Take a definition file away; what stood there is kept as a version. Raises OSError."""
    keep(file)
    file.unlink()


def keep(file: Path) -> FileVersion | None:
    """Keep what a file says now, dated by when it was written; None when that is kept already, or no file.

    Raises OSError when the folder cannot be written.
    """
    if not file.is_file():
        return None
    text, newest = file.read_text(encoding="utf-8"), next(iter(versions(file)), None)
    if newest and newest.text == text:
        return None
    return _write(file, text, datetime.fromtimestamp(file.stat().st_mtime, UTC))


def restore(version: FileVersion, now: datetime) -> None:
    """Let an old version hold again; what it replaces is kept. Raises OSError."""
    save(version.file, version.text, now)


def _write(file: Path, text: str, since: datetime) -> FileVersion:
    """Write a version, dated after the others also where the clock or the file says otherwise."""
    folder = file.parent / FOLDER
    folder.mkdir(exist_ok=True)
    after = [version.since + timedelta(microseconds=1) for version in versions(file)[:1]]
    since = max([since.astimezone(UTC), *after])
    path = folder / f"{file.stem}.{since.strftime(_STAMP)}Z.yaml"
    replace_text(path, text)
    return FileVersion(file, path, since)


@dataclass(frozen=True)
class Line:
    """A line of a difference: taken out (`-`), put in (`+`), or unchanged around it (a blank)."""

    sign: str
    text: str


def difference(before: str, after: str, around: int = 2) -> list[Line]:
    """The lines that differ between two texts, with a few unchanged ones around them.

    >>> [line.sign + line.text for line in difference("a: 1", "a: 2")]
    ['-a: 1', '+a: 2']
    """
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=around)
    return [Line(line[:1], line[1:]) for line in list(lines)[2:] if not line.startswith("@@")]
