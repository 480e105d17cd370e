"""What the pages read, and the only caches: the project, the served version, its marts, figures.

Frames lie in `st.cache_resource`, keyed on the version, the question and who asks. No frame is ever an
argument of a cached function: Streamlit hashes the printed text of a Polars frame, in which the middle rows
do not appear, so that two different frames count as one. Every cached function here takes short texts as
keys, and what it needs to compute in a parameter that begins with `_`, which Streamlit does not hash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from config.errors import ConfigError, Problem
from config.model import FILE_NAME, Project
from connectors.errors import StoreError
from connectors.store import Manifest, Store, Version
from dashboard.definitions import Definitions, definitions, loaded_attributes, own_files, remember
from dashboard.format import Formatter
from dashboard.state import HISTORY, Reader, Scope
from dashboard.text import gettext as _
from dashboard.tiles import Figure, Moment, Series, Tile, disabled, figures_of, series, tile, wave
from dashboard.workspace import PROJECT_VARIABLE, STORE_VARIABLE, Workspace, open_workspace
from metrics.bridge import bridge as revenue_bridge
from metrics.catalog import Definition
from metrics.contributions import contributions as effects_of
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.measures import Compute
from metrics.periods import Calendar, Window
from metrics.selection import Missing

T = TypeVar("T")

ANSWERS: Final = 512
"""Answers to questions that are kept; each is a small frame."""
SPARK: Final = 12
"""How many periods before its own a tile draws."""
MOST_CHOICES: Final = 60
"""An attribute with more values than this is no filter: nobody finds a value in such a list."""


def workspace() -> Workspace:
    """The project that is served; read again whenever its file changes. Raises ConfigError."""
    folder, store = os.environ.get(PROJECT_VARIABLE, ""), os.environ.get(STORE_VARIABLE, "")
    return _workspace(folder, store, _stamp([Path(folder) / FILE_NAME]) if folder else "")


@st.cache_resource(max_entries=4, show_spinner=False)
def _workspace(folder: str, store: str, stamp: str) -> Workspace:
    return open_workspace(Path(folder) if folder else None, Path(store) if store else None)


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
        files = [ours.folder / FILE_NAME, *own_files(ours.folder)]
        return f"{Store(ours.store).index().current} {_stamp(files)}"
    except (ConfigError, StoreError):
        return ""


def project() -> Project:
    """What the project's `rapport.yaml` says. Raises ConfigError."""
    return workspace().project


def locale() -> str:
    """The project's locale; English of the United States while its file cannot be read."""
    try:
        return project().locale
    except ConfigError:
        return "en_US"


def formatter() -> Formatter:
    """How this project writes its figures."""
    return Formatter(project().locale, project().currency)


def calendar() -> Calendar:
    """How this project cuts time."""
    return workspace().calendar


def reader() -> Reader:
    """How this project names its periods."""
    return Reader(calendar(), formatter())


def role() -> str:
    """Who asks, as far as it changes what is shown."""
    return project().access.personal_fields


def refresh_command() -> str:
    """What to type to load this project."""
    folder = os.environ.get(PROJECT_VARIABLE)
    return f"rapport refresh --project {folder}" if folder else "rapport refresh"


def version() -> Version | None:
    """The version that is served; None before the first refresh. Raises StoreError when it is not whole.

    The pointer is read at every call, the version opened once.
    """
    root = workspace().store
    current = Store(root).index().current
    return _version(str(root), current) if current else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _version(root: str, version_id: str) -> Version:
    return Store(Path(root)).open(version_id)


def served() -> Version:
    """The version that is served, where there must be one."""
    found = version()
    if found is None:
        raise StoreError(str(workspace().store), "nothing has been loaded", "Run `rapport refresh`")
    return found


def as_of() -> date:
    """The last day that counts."""
    return served().manifest.as_of


def local(manifest: Manifest) -> datetime:
    """The moment of a version's refresh in the project's time zone."""
    return manifest.refreshed_at.astimezone(ZoneInfo(project().timezone))


def versions() -> list[Manifest]:
    """Every version of the store, the newest first."""
    found = Store(workspace().store).versions()
    return [each.manifest for each in reversed(found)]


def quarantine(source: str) -> pl.DataFrame:
    """The rows of a source that were set aside, each with its place, reason and original values."""
    found = served()
    return kept(f"quarantine {source}", lambda: found.quarantine(source).collect())


def kept(question: str, make: Callable[[], T]) -> T:
    """The answer to a question about the served version, made once for each role."""
    return cast(T, _kept(served().id, question, role(), make))


@st.cache_resource(max_entries=ANSWERS, show_spinner=False)
def _kept(version_id: str, question: str, role: str, _make: Callable[[], object]) -> object:
    return _make()


def catalogue() -> Definitions:
    """The metrics of the project and what is wrong with those left out; read again when files change."""
    folder, found = workspace().folder, served()
    return _definitions(found.id, str(folder), _stamp(own_files(folder)), found)


@st.cache_resource(max_entries=4, show_spinner=False)
def _definitions(version_id: str, folder: str, stamp: str, _version: Version) -> Definitions:
    found = definitions(Path(folder), loaded_attributes(_version))
    remember(Path(folder), found)
    return found


def problems() -> tuple[Problem, ...]:
    """What is wrong with the project's definitions."""
    return catalogue().problems


def metric(name: str) -> Definition:
    """The definition of a metric. Raises Fault for one that is unknown or broken."""
    return catalogue().catalog.definition(name)


def marts(scope: Scope | None = None) -> Marts:
    """The marts of the served version; under the filters of a scope where one is given."""
    found = served()
    whole = _marts(str(workspace().store), found.id, found)
    if scope is None or not scope.is_filtered:
        return whole
    return _selected(found.id, scope.filters, whole, scope)


@st.cache_resource(max_entries=2, show_spinner=False)
def _marts(root: str, version_id: str, _version: Version) -> Marts:
    names = (*_version.manifest.marts, *_version.manifest.tables)
    frames = {name: _version.scan(name) for name in names}
    return Marts(frames, calendar(), _version.manifest.as_of)


@st.cache_resource(max_entries=32, show_spinner=False)
def _selected(version_id: str, filters: str, _whole: Marts, _scope: Scope) -> Marts:
    return _whole.select(_scope.selection)


def attributes() -> Mapping[str, tuple[str, ...]]:
    """The customer attributes to filter by, each with its values."""
    found = kept("attributes", lambda: marts().attributes)
    return {name: values for name, values in found.items() if 1 < len(values) <= MOST_CHOICES}


def categories() -> tuple[str, ...]:
    """The categories to filter by."""
    return kept("categories", lambda: marts().categories)


def first_day() -> date:
    """The first day with an order; the as-of day where there are none."""
    return kept("first day", _first_day)


def _first_day() -> date:
    people = marts().frame("customer_summary")
    if "first_order_on" not in people.columns:
        return as_of()
    return cast(date | None, people["first_order_on"].min()) or as_of()


def figures(names: Sequence[str], window: Window, scope: Scope, by: str | None = None) -> pl.DataFrame:
    """Figures of some metrics under the filters of a scope; see `metrics.figures.compute`."""
    ours = catalogue().catalog
    question = f"figures {','.join(names)} {window} {scope.filters} by {by} {catalogue().digest}"
    return kept(question, lambda: compute(ours, names, marts(scope), window, by=by))


def tiles(names: Sequence[str], scope: Scope) -> list[Tile]:
    """The tiles of some metrics; one that is broken or unknown says so in place of its figure."""
    known = [name for name in names if name in catalogue().catalog.plans]
    rows = figures(known, scope.window(calendar(), SPARK), scope)
    return [_tile(name, rows, scope) for name in names]


def _tile(name: str, rows: pl.DataFrame, scope: Scope) -> Tile:
    broken = catalogue().catalog.broken.get(name)
    if name not in catalogue().catalog.plans:
        return disabled(name, broken[0].render() if broken else _("No definition has this name."))
    found = figures_of(rows, name)
    back = range(scope.period - SPARK, scope.period + 1)
    line = [found[code].value if code in found else None for code in back]
    return tile(metric(name), found, _moment(name, found, scope), line, formatter())


def _moment(name: str, found: Mapping[int, Figure], scope: Scope) -> Moment:
    """The scope's own period, or for a survey that of its latest wave."""
    read, ours = reader(), calendar()
    if not _is_surveyed(name):
        return Moment(scope.period, scope.reference(ours), read.against(scope.reference(ours), scope))
    year = scope.period - ours.year_before(scope.period, scope.grain) if scope.comparison == "year" else None
    period, reference = wave(found, scope.period, year)
    against = "" if reference is None else read.against(reference, scope)
    asked = "" if period == scope.period else read.period(period, scope.grain)
    return Moment(period, reference, against, asked)


def _is_surveyed(name: str) -> bool:
    parts = catalogue().catalog.plan(name).parts
    return any(isinstance(part, Compute) and part.relation.name == "survey_answers" for part in parts)


def figure(name: str, period: int | None, scope: Scope) -> Figure:
    """One figure of one period under the filters of a scope."""
    if period is None:
        return Figure(None)
    rows = figures([name], Window(scope.grain, period), scope)
    return figures_of(rows, name).get(period, Figure(None))


def history(name: str, scope: Scope) -> Series:
    """A metric through time up to the scope's period, or the running one after it; with the year before."""
    ours = calendar()
    now = ours.code(as_of(), scope.grain)
    last = now if scope.period >= now - 1 else scope.period
    first = max(last - HISTORY[scope.grain] + 1, ours.code(first_day(), scope.grain))
    year_back = last - ours.year_before(last, scope.grain)
    window = Window(scope.grain, last, last - first + 1 + year_back)
    return series(figures_of(figures([name], window, scope), name), range(first, last + 1), year_back)


def split(name: str, by: str, scope: Scope, most: int = 8) -> pl.DataFrame:
    """A count of the scope's period by an attribute: the largest values first, the rest in one row."""
    rows = figures([name], Window(scope.grain, scope.period), scope, by).select(
        pl.col("by").cast(pl.String), pl.col("value").fill_null(0.0)
    )
    ranked = rows.filter(pl.col("value") > 0).sort("value", "by", descending=[True, False], nulls_last=True)
    if len(ranked) <= most:
        return ranked
    rest = pl.DataFrame({"by": [_("all others")], "value": [ranked["value"].slice(most - 1).sum()]})
    return pl.concat([ranked.head(most - 1), rest])


def bridge(scope: Scope) -> pl.DataFrame:
    """How the scope's revenue came from that of the period before; see `metrics.bridge.bridge`."""
    window = Window(scope.grain, scope.period)
    return kept(f"bridge {window} {scope.filters}", lambda: revenue_bridge(marts(scope), window))


def contributions(tile: Tile, scope: Scope, by: str) -> pl.DataFrame:
    """What each value of `by` contributed to a tile's change. Raises Missing where it does not split so."""
    ours, reference = catalogue().catalog, tile.reference
    if reference is None:
        raise Missing(_("there is nothing to compare with"))
    now, before = (Window(scope.grain, code) for code in (tile.period, reference))
    question = f"contributions {tile.name} {now} {before} {scope.filters} by {by} {catalogue().digest}"
    return kept(question, lambda: effects_of(ours, tile.name, marts(scope), now, before, by))


def customers(tile: Tile, scope: Scope) -> pl.DataFrame:
    """The customers behind a tile with what is known of them; names only where the project shows them.

    Raises Missing where a figure is not recorded by customer.
    """
    ours, window = catalogue().catalog, Window(scope.grain, tile.period)
    question = f"customers {tile.name} {window} {scope.filters} {catalogue().digest}"
    return kept(question, lambda: _described(customers_behind(ours, tile.name, marts(scope), window)))


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    people = marts().frame("customer_summary")
    personal = ("name", "email") if role() == "shown" else ()
    known = [name for name in (*personal, *attributes()) if name in people.columns]
    quantities = [name for name in rows.columns if name not in ("period", "customer_id", "customer")]
    described = [people[name].gather(rows["customer"]).alias(name) for name in known]
    names = [name for name in known if name in personal]
    rest = [name for name in known if name not in personal]
    return rows.with_columns(described).select("customer_id", *names, *quantities, *rest)


def exported(names: Sequence[str], scope: Scope) -> pl.DataFrame:
    """The figures of a page as a table to take along: the scope's period and its reference."""
    known = [name for name in names if name in catalogue().catalog.plans]
    both = (scope.reference(calendar()), scope.period)
    rows = figures(known, scope.window(calendar()), scope).filter(pl.col("period").is_in(both))
    named = {code: reader().period(code, scope.grain) for code in both}
    return rows.with_columns(pl.col("period").replace_strict(named, return_dtype=pl.String), as_of=as_of())


def readiness() -> dict[str, Any]:
    """Whether pages can be painted, and of which version; else why not."""
    try:
        found = version()
    except (ConfigError, StoreError) as error:
        return {"ready": False, "reason": str(error)}
    if found is None:
        return {"ready": False, "reason": f"nothing has been loaded; run `{refresh_command()}`"}
    return {"ready": True, "version": found.id, "as_of": found.manifest.as_of.isoformat()}


def warm_up() -> None:
    """Load what the first visit needs: the marts, the definitions, and the modules of the start page."""
    if version() is None:
        return
    catalogue()
    attributes()
    categories()
    first_day()
