"""The snapshots of a project: folders, each as it was written, and a file of notes beside them."""

from __future__ import annotations

import io
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Final

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.durable import move, replace_text
from dashboard.sheet import Frozen, Picture, Table
from dashboard.snapshots.content import FORMAT, Content, Manifest, content_hash, digest
from dashboard.snapshots.errors import SnapshotError

MANIFEST: Final = "manifest.json"
CONTENT: Final = "content.json"
FIGURES: Final = "figures.parquet"
NOTES: Final = "notes.json"
REPORTS: Final = ("report.html", "report.pdf", "report.xlsx")
FRAMES: Final = "frames"
FOLDER: Final = "snapshots"

MOST_FILES: Final = 2_000
MOST_BYTES: Final = 1_000_000_000
"""What a received archive may unpack to at most."""
_NAME: Final = re.compile(
    r"(manifest\.json|content\.json|figures\.(parquet|csv)|report\.(html|pdf|xlsx)|"
    r"frames/[\w.\- ]+\.parquet)"
)


class Remark(Frozen):
    """A note on a snapshot, on a day, or on a figure of it."""

    text: str
    by: str = ""
    at: datetime
    metric: str = ""
    on: date | None = None


class Marks(Frozen):
    """What people added to a snapshot later: it stays as it is, these stand beside it."""

    tags: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Notes(Frozen):
    """The marks of all snapshots by their name."""

    marks: Mapping[str, Marks] = Field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """One snapshot on disk."""

    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """Its name."""
        return self.manifest.id

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def said(self) -> Content:
        """What it says in words and numbers. Raises SnapshotError when it is damaged."""
        try:
            return Content.model_validate_json((self.folder / CONTENT).read_bytes())
        except (OSError, ValidationError) as error:
            raise damaged(self.id, f"its {CONTENT} cannot be read") from error

    def content(self) -> Content:
        """The same with the rows behind charts and tables. Raises SnapshotError when it is damaged."""
        return _with_frames(self.said(), self.folder / FRAMES)

    def figures(self) -> pl.DataFrame:
        """Its figures; see `dashboard.snapshots.content.FIGURE`."""
        try:
            return pl.read_parquet(self.folder / FIGURES)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise damaged(self.id, f"its {FIGURES} cannot be read") from error

    def faults(self) -> list[str]:
        """What is not as it was when the snapshot was made: each file that is missing, changed or new."""
        listed = self.manifest.files
        there = {
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()
        }
        found = [f"`{name}` is missing" for name in listed if name not in there]
        found += [
            f"`{name}` was changed"
            for name, known in listed.items()
            if name in there and digest((self.folder / name).read_bytes()) != known
        ]
        found += [f"`{name}` was added" for name in sorted(there - {*listed, MANIFEST})]
        manifest = self.manifest
        said = "" if found else content_hash(self.said(), manifest.data.as_of, manifest.format)
        if said and said != manifest.content_hash:
            found.append(f"`{MANIFEST}` does not belong to the content")
        return found

    def files(self) -> dict[str, bytes]:
        """Every file but the manifest by its path below the folder."""
        return {name: (self.folder / name).read_bytes() for name in self.manifest.files}

    def archive(self) -> bytes:
        """The snapshot as one zip, the same bytes for the same files."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for path in sorted(each for each in self.folder.rglob("*") if each.is_file()):
                name = f"{self.id}/{path.relative_to(self.folder).as_posix()}"
                out.writestr(
                    zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED
                )
        return file.getvalue()


def refused(text: str) -> SnapshotError:
    """What cannot be done with a snapshot, and why."""
    return SnapshotError(text)


def damaged(name: str, fault: str) -> SnapshotError:
    """A snapshot that is not whole."""
    return SnapshotError(f"snapshot `{name}`: {fault}. Ask for the snapshot once more, or make it again")


def _with_frames(content: Content, folder: Path) -> Content:
    """The content with the frames that were written beside it, in the order in which they were named."""
    names = iter(_frame_names(content))
    pages = []
    for page in content.pages:
        blocks = []
        for block in page.blocks:
            if isinstance(block, Table | Picture) and block.has_frame:
                block = block.model_copy(update={"frame": pl.read_parquet(folder / f"{next(names)}.parquet")})
            blocks.append(block)
        pages.append(page.model_copy(update={"blocks": tuple(blocks)}))
    return content.model_copy(update={"pages": tuple(pages)})


def _frame_names(content: Content) -> list[str]:
    return [name for name, _block in content.framed()]


def opened(folder: Path) -> Snapshot:
    """The snapshot in a folder. Raises SnapshotError when there is none, or one of a newer Rapport."""
    name = folder.name
    try:
        text = (folder / MANIFEST).read_bytes()
        written = _Written.model_validate_json(text).format
        if written > FORMAT:
            fault = f"snapshot `{name}`: it was made by a newer Rapport (format {written}, not {FORMAT})"
            msg = f"{fault}. Upgrade Rapport"
            raise refused(msg)
        return Snapshot(folder, Manifest.model_validate_json(text))
    except FileNotFoundError as error:
        msg = f"snapshot `{name}`: there is none in {folder.parent}. `rapport snapshots` lists what there is"
        raise refused(msg) from error
    except (OSError, ValidationError) as error:
        raise damaged(name, f"its {MANIFEST} cannot be read") from error


class _Written(BaseModel):
    """The one field of a manifest that is read before all others are trusted."""

    model_config = ConfigDict(extra="ignore")

    format: int


@dataclass(frozen=True)
class Library:
    """The snapshots under a folder."""

    folder: Path

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot that this release can read, the newest first."""
        found = []
        for manifest in self.folder.glob(f"*/{MANIFEST}"):
            try:
                found.append(opened(manifest.parent))
            except SnapshotError:
                continue
        return sorted(found, key=lambda each: (each.manifest.created_at, each.id), reverse=True)

    def find(self, name: str) -> Snapshot:
        """The snapshot of a name, or `latest`; also a folder or zip elsewhere. Raises SnapshotError."""
        if name == "latest":
            all_ = self.snapshots()
            if not all_:
                msg = f"there is no snapshot in {self.folder}. Make one with `rapport snapshot`"
                raise SnapshotError(msg)
            return all_[0]
        elsewhere = Path(name)
        if elsewhere.is_dir() and (elsewhere / MANIFEST).is_file():
            return opened(elsewhere)
        if PurePosixPath(name).name != name:
            msg = f"snapshot `{name}`: there is no such folder"
            raise refused(msg)
        return opened(self.folder / name)

    def add(self, manifest: Manifest, files: Mapping[str, bytes]) -> Snapshot:
        """Write a snapshot whole or not at all; a name that is taken gets a number."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
        try:
            for name, data in files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            final = self._free(manifest.id)
            whole = manifest.model_copy(
                update={
                    "id": final.name,
                    "files": {name: digest(data) for name, data in sorted(files.items())},
                }
            )
            replace_text(draft / MANIFEST, whole.model_dump_json(indent=1))
            draft.chmod(0o755)
            move(draft, final)
            return Snapshot(final, whole)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _free(self, name: str) -> Path:
        names = (name, *(f"{name}-{number}" for number in range(2, 10_000)))
        return next(self.folder / each for each in names if not (self.folder / each).exists())

    def receive(self, archive: bytes) -> Snapshot:
        """A snapshot that came as a zip, checked before anything is written. Raises SnapshotError."""
        files = unpacked(archive)
        try:
            manifest = Manifest.model_validate_json(files.pop(MANIFEST))
        except KeyError:
            msg = f"this archive has no {MANIFEST}, so it is no snapshot"
            raise refused(msg) from None
        except ValidationError as error:
            msg = f"the {MANIFEST} of this archive cannot be read. Ask for it once more"
            raise refused(msg) from error
        changed = [name for name, known in manifest.files.items() if digest(files.get(name, b"")) != known]
        extra = sorted(set(files) - set(manifest.files))
        if changed or extra:
            what = ", ".join(f"`{name}`" for name in (*changed, *extra))
            raise damaged(manifest.id, f"{what} is not as it was when the snapshot was made")
        return self.add(manifest, files)

    def due(self, keep: int) -> list[Snapshot]:
        """What pruning deletes, the newest first: not the newest `keep`, none with a tag or a note."""
        marked = {name for name, marks in self.notes().marks.items() if marks != Marks()}
        return [each for each in self.snapshots()[keep:] if each.id not in marked]

    def prune(self, keep: int) -> list[Snapshot]:
        """Delete what is due; says what went."""
        gone = self.due(keep)
        for each in gone:
            shutil.rmtree(each.folder)
        return gone

    def notes(self) -> Notes:
        """What people added."""
        try:
            return Notes.model_validate_json((self.folder / NOTES).read_bytes())
        except FileNotFoundError:
            return Notes()
        except (OSError, ValidationError) as error:
            fault = f"the notes in {self.folder / NOTES} cannot be read. Restore the file, or move it away"
            raise SnapshotError(fault) from error

    def mark(self, name: str, marks: Marks) -> None:
        """Keep the tags and remarks of a snapshot."""
        all_ = {**self.notes().marks, self.find(name).id: marks}
        replace_text(self.folder / NOTES, Notes(marks=all_).model_dump_json(indent=1))


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The files of a zip by their path below its one folder. Raises SnapshotError for anything unusual."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as held:
            entries = [entry for entry in held.infolist() if not entry.is_dir()]
            _check(entries)
            return {_inside(entry.filename): _read(held, entry) for entry in entries}
    except zipfile.BadZipFile as error:
        msg = "this file is no zip archive. Export the snapshot as a zip first"
        raise refused(msg) from error


def _check(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        msg = "this archive unpacks to more than a snapshot holds; it was not opened"
        raise refused(msg)
    for entry in entries:
        inside = _inside(entry.filename)
        if stat.S_ISLNK(entry.external_attr >> 16) or not _NAME.fullmatch(inside):
            msg = f"this archive holds `{entry.filename}`, which is no file of a snapshot"
            raise refused(msg)


def _inside(name: str) -> str:
    """The path below the folder of the snapshot."""
    parts = PurePosixPath(name).parts
    below = parts[1:] if len(parts) > 1 and parts[0] != FRAMES else parts
    return "/".join(below)


def _read(held: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry, no more than it announces."""
    with held.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) > entry.file_size:
        msg = f"`{entry.filename}` unpacks to more than it says; the archive was not opened"
        raise refused(msg)
    return data


def fresh_id(title: str, now: datetime) -> str:
    """A name for a snapshot: the moment as its zone writes it, and the title in plain letters.

    >>> fresh_id("Weekly review, East", datetime(2026, 6, 30, 9, 5))
    '20260630-0905-weekly-review-east'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
    return f"{now:%Y%m%d-%H%M}-{plain or 'snapshot'}"
