"""Which project is meant and where its store lies; the shipped demo when none is named."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from config.model import Project, find_project
from metrics.periods import Calendar

PROJECT_VARIABLE: Final = "RAPPORT_PROJECT"
STORE_VARIABLE: Final = "RAPPORT_STORE"


@dataclass(frozen=True)
class Workspace:
    """A project folder, what its `rapport.yaml` says, and the folder of its store."""

    folder: Path
    project: Project
    store: Path

    @property
    def calendar(self) -> Calendar:
        """How the project cuts time."""
        return Calendar(self.project.timezone, self.project.week_start, self.project.fiscal_year_start)


def open_workspace(
    folder: Path | None = None, store: Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> Workspace:
    """The workspace of a folder; else of `RAPPORT_PROJECT`, else of the shipped demo.

    The demo is generated into the user's cache folder when it is not there yet. Raises ConfigError with every
    problem of `rapport.yaml`.
    """
    named = project_folder(folder, environ=environ)
    home = (named or demo_folder()).resolve()
    if named is None:
        _provide_demo(home)
    project = find_project(home)
    place = store or _path(environ, STORE_VARIABLE) or home / project.store
    return Workspace(home, project, place.resolve())


def project_folder(folder: Path | None, *, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that a person named, here or by `RAPPORT_PROJECT`; None means the shipped demo."""
    return folder or _path(environ, PROJECT_VARIABLE)


def demo_folder() -> Path:
    """The folder of the shipped demo in the user's cache; another one whenever the generator changes."""
    return user_cache_path("rapport", appauthor=False) / f"demo-{_generation()}"


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _provide_demo(folder: Path) -> None:
    """Generate the demo beside its place and move it there, so that a half-written one is never seen."""
    if folder.is_dir():
        return
    from connectors.demo import project as demo

    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder.parent))
    try:
        demo.write(draft)
        draft.rename(folder)
    except OSError:
        # Another process was faster: its demo is the same.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@cache
def _generation() -> str:
    """A digest of the demo's generator and its parameters."""
    digest = blake2b(digest_size=4)
    for source in sorted(_generator_files(), key=lambda file: file.name):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _generator_files() -> list[Traversable]:
    folders = (files("connectors") / "demo", files("config") / "demo")
    return [file for folder in folders for file in folder.iterdir() if file.is_file()]
