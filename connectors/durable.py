"""Files that survive a crash: written whole or not at all, and faults of the disk told in words."""

import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from connectors.errors import StoreError

UNFINISHED: Final = ".new"
"""How the name of a file ends while it is written."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
_CODE: Final = re.compile(r"\(os error (\d+)\)")
_PATIENCE: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # Windows refuses to replace a file that is being read


def replace_text(path: Path, text: str) -> None:
    """Puts `text` into a file atomically: readers see the old text or the new, also after a power cut."""
    draft = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    draft.write_text(text, encoding="utf-8")
    sync(draft)
    move(draft, path)


def move(source: Path, target: Path) -> None:
    """Renames a file or a folder and makes the new name durable; a file that is there is replaced."""
    for pause in _PATIENCE:
        try:
            source.replace(target)
            break
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(pause)
    else:
        source.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Forces a file, or the names in a folder, onto the disk."""
    folder = path.is_dir()
    if folder and os.name == "nt":
        return  # Windows keeps names durable by itself and cannot open folders
    handle = os.open(path, os.O_RDONLY if folder or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Forces every file of a folder, and the names in it, onto the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync(path)
    sync(folder)


def remove(path: Path) -> None:
    """Deletes a file or a folder; what another process holds open (on Windows) stays until the next time."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        if os.name != "nt":
            raise


@contextmanager
def disk_faults(root: Path) -> Iterator[None]:
    """Faults of the disk under the store, from Python or from Polars, as a StoreError with a remedy."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:
        told = _told(root, error)
        if told is None:
            raise
        raise told from error


def _told(root: Path, error: Exception) -> StoreError | None:
    code = _errno(error)
    where = f"store `{root}`"
    if code in _FULL:
        remedy = "The last version is intact: free some space, or name another folder with `--store`"
        return StoreError(where, "the disk is full", remedy, retryable=True)
    if code in _CLOSED and str(root) in str(error):
        remedy = "Allow writing there, or name another folder with `--store`"
        return StoreError(where, "the folder cannot be written", remedy)
    if code in (errno.ENOTDIR, errno.EEXIST) and str(root) in str(error):
        return StoreError(where, "the place is taken by a file", "Name a folder with `--store`")
    return None


def _errno(error: Exception) -> int | None:
    """The system's number of a fault; Polars gives it in the text alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None
