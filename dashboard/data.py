"""What the pages read, and the only caches: the project, the served version, its marts, figures.

A visit works at a `Desk` (dashboard/desk.py), found once a run and kept for the fragments of the page. Frames
lie in `st.cache_resource`, keyed on the version, the question and who asks. No frame is ever an argument of a
cached function: Streamlit hashes the printed text of a Polars frame, in which the middle rows do not appear,
so that two different frames count as one. Every cached function here takes one short text as its key, and
what it needs to compute in parameters that begin with `_`, which Streamlit does not hash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import polars as pl
import streamlit as st

from config.errors import ConfigError
from config.model import FILE_NAME, Project
from connectors.attempts import Attempt
from connectors.attempts import attempts as attempts_of
from connectors.errors import StoreError
from connectors.store import Store, Version
from dashboard.annotations import FILE as ANNOTATION_FILE
from dashboard.commands.refresh import loaded
from dashboard.connecting.places import Look, look
from dashboard.definitions import Definitions, definitions, loaded_attributes, own_files, remember
from dashboard.desk import Desk
from dashboard.format import Formatter
from dashboard.freshness import Freshness
from dashboard.freshness import freshness as freshness_of
from dashboard.instruments import Instruments, instrument_files, instruments
from dashboard.segment_files import FILE as SEGMENT_FILE
from dashboard.segment_files import facts_of, scoring, segments
from dashboard.state import Reader, Scope
from dashboard.tiles import Figure
from dashboard.workspace import PROJECT_VARIABLE, STORE_VARIABLE, Workspace, demo_folder, open_workspace
from metrics.catalog import Catalog, Definition
from metrics.customer_facts import CustomerFacts
from metrics.frames import Marts
from metrics.merging import unified
from metrics.periods import Calendar, Window
from metrics.segments import with_segments

T = TypeVar("T")

ANSWERS: Final = 512
"""Answers to questions that are kept; each is a small frame, or the marts under a selection."""
DESK: Final = "desk"


def workspace() -> Workspace:
    """The project that is served; read again whenever its file changes. Raises ConfigError."""
    folder, store = os.environ.get(PROJECT_VARIABLE, ""), os.environ.get(STORE_VARIABLE, "")
    written = _stamp([Path(folder) / FILE_NAME]) if folder else ""
    return _workspace(f"{folder}|{store}|{written}", folder, store)


@st.cache_resource(max_entries=4, show_spinner=False)
def _workspace(key: str, _folder: str, _store: str) -> Workspace:
    return open_workspace(Path(_folder) if _folder else None, Path(_store) if _store else None)


def _stamp(files: Sequence[Path]) -> str:
    """A text that changes when one of the files does."""
    return ";".join(f"{file.name} {_written(file)}" for file in files if file.exists())


def _written(file: Path) -> str:
    found = file.stat()
    return f"{found.st_mtime_ns} {found.st_size}"


def stamp() -> str:
    """A text that changes when a page would look different: the project's files, or the served version.

    Costs a look at each file, no reading of definitions. Empty while the project cannot be read.
    """
    try:
        ours = workspace()
        return f"{Store(ours.store).index().current} {_stamp(_files(ours))}"
    except (ConfigError, StoreError):
        return ""


def _files(ours: Workspace) -> list[Path]:
    single = [ours.folder / name for name in (FILE_NAME, SEGMENT_FILE, ANNOTATION_FILE)]
    return [*single, *own_files(ours.folder), *instrument_files(ours.folder)]


def locale() -> str:
    """The project's locale; English of the United States while its file cannot be read."""
    try:
        return workspace().project.locale
    except ConfigError:
        return "en_US"


def is_demo() -> bool:
    """Whether the shipped demo is served, which no one changes."""
    return workspace().folder == demo_folder().resolve()


def looked(said: Mapping[str, Any], folder: Path) -> Look:
    """The first rows of a source that is being connected; files are looked at again when they change."""
    location = str(said.get("location", ""))
    stamp = _stamp([folder / location]) if location else ""
    return cast(Look, _kept(f"look|{folder}|{sorted(said.items())}|{stamp}", lambda: look(said, folder)))


def refresh(ours: Workspace, now: datetime, progress: Callable[[str, float], None]) -> None:
    """Read every source and publish what they say. Raises ConfigError or SourceError."""
    loaded(ours, now=now, report=progress)


def attempts(found: Desk) -> tuple[Attempt, ...]:
    """The newest refreshes of the served project, the oldest first."""
    return attempts_of(found.workspace.store).attempts


def freshness(found: Desk) -> Freshness:
    """How fresh the served data are now."""
    now = datetime.now(UTC)  # noqa: TID251  # the clock of a page: data grow late while nobody does anything
    index, tried = Store(found.workspace.store).index(), attempts(found)
    last = tried[-1] if tried else None
    return freshness_of(found.project, found.manifest.refreshed_at, index.checked_at, last, now)


def refresh_command() -> str:
    """What to type to load this project."""
    folder = os.environ.get(PROJECT_VARIABLE)
    return f"rapport refresh --project {folder}" if folder else "rapport refresh"


def open_desk() -> Desk | None:
    """The desk of the project and version that are served now; None before the first refresh.

    The pointer of the store is read at every call, the version opened once. Raises ConfigError when the
    project cannot be read, StoreError when the version is not whole.
    """
    ours = workspace()
    current = Store(ours.store).index().current
    if current is None:
        return None
    return _desk(f"{ours.store}|{current}|{_stamp(_files(ours))}", ours, current)


def find_desk() -> Desk | None:
    """The desk of this visit, kept for its fragments; see `open_desk`."""
    found = open_desk()
    if found is not None:
        st.session_state[DESK] = found
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def _desk(key: str, _ours: Workspace, _version_id: str) -> Desk:
    version = Store(_ours.store).open(_version_id)
    found = definitions(_ours.folder, loaded_attributes(version))
    remember(_ours.folder, found)
    facts = _facts(_ours, version, found.catalog)
    groups = segments(_ours.folder, facts)
    whole = with_segments(facts.marts, groups.book)
    return Desk(f"{_ours.store}|{_version_id}", _ours, version, found, whole, _keep, groups)


def _facts(ours: Workspace, version: Version, catalog: Catalog) -> CustomerFacts:
    """The facts of a version over its marts; both outlast an edit that does not concern them."""
    forms = instruments(ours.folder)
    key = f"{ours.store}|{version.id}|{ours.project}|{forms.digest}"
    marts = _opened(key, ours, version, forms)
    return _known(f"{key}|{scoring(catalog)}", marts, catalog)


@st.cache_resource(max_entries=2, show_spinner=False)
def _opened(key: str, _ours: Workspace, _version: Version, _forms: Instruments) -> Marts:
    names = _version.manifest.tables
    tables = unified({name: _version.scan(name) for name in names})
    frames = {**{name: _version.scan(name) for name in _version.manifest.marts}, **tables}
    return Marts(frames, _ours.calendar, _version.manifest.as_of, instruments=_forms.named)


@st.cache_resource(max_entries=2, show_spinner=False)
def _known(key: str, _marts: Marts, _catalog: Catalog) -> CustomerFacts:
    return facts_of(_marts, _catalog)


def _keep(key: str, make: Callable[[], T]) -> T:
    return cast(T, _kept(key, make))


@st.cache_resource(max_entries=ANSWERS, show_spinner=False)
def _kept(key: str, _make: Callable[[], object]) -> object:
    return _make()


def desk() -> Desk:
    """The desk of this visit."""
    found = st.session_state[DESK]
    assert isinstance(found, Desk)
    return found


def project() -> Project:
    """What the project's `rapport.yaml` says."""
    return desk().project


def formatter() -> Formatter:
    """How the project writes its figures."""
    return desk().show


def reader() -> Reader:
    """How the project names its periods."""
    return desk().read


def calendar() -> Calendar:
    """How the project cuts time."""
    return desk().calendar


def as_of() -> date:
    """The last day that counts."""
    return desk().as_of


def catalogue() -> Definitions:
    """The metrics of the project, and what is wrong with those that are left out."""
    return desk().definitions


def metric(name: str) -> Definition:
    """The definition of a metric. Raises Fault for one that is unknown or broken."""
    return desk().metric(name)


def attributes() -> Mapping[str, tuple[str, ...]]:
    """The customer attributes to filter by, each with its values."""
    return desk().attributes


def marts(scope: Scope | None = None) -> Marts:
    """The marts of the served version; under the filters of a scope where one is given."""
    return desk().whole if scope is None else desk().marts(scope)


def kept(question: str, make: Callable[[], T]) -> T:
    """The answer to a question about the served version, made once for each role."""
    return desk().kept(question, make)


def figures(names: Sequence[str], window: Window, scope: Scope, by: str | None = None) -> pl.DataFrame:
    """Figures of some metrics under the filters of a scope; see `metrics.figures.compute`."""
    return desk().figures(names, window, scope, by)


def figure(name: str, period: int | None, scope: Scope) -> Figure:
    """One figure of one period under the filters of a scope."""
    return desk().figure(name, period, scope)


def readiness() -> dict[str, Any]:
    """Whether pages can be painted, and of which version; else why not."""
    try:
        ours = workspace()
        current = Store(ours.store).index().current
    except (ConfigError, StoreError) as error:
        return {"ready": False, "reason": str(error)}
    if current is None:
        return {"ready": False, "reason": f"nothing has been loaded; run `{refresh_command()}`"}
    return {"ready": True, "version": current}
