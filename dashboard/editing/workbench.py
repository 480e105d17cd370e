"""What the Definitions page asks of a desk: drafts, what an edit would do, and what sources give."""

from dataclasses import replace
from pathlib import Path

from config.documents import Document
from config.errors import ConfigError, Problem
from connectors.sources import Sources, find_sources
from dashboard.definitions import Definitions, definitions, loaded_attributes
from dashboard.desk import Desk
from dashboard.editing.drafts import Draft, draft_of
from dashboard.editing.effect import Changed, effect
from dashboard.examples import failures
from dashboard.tiles import Figure, figures_of
from metrics.catalog import Catalog
from metrics.figures import compute
from metrics.periods import Window


def what_if(desk: Desk, file: Path, text: str) -> Definitions:
    """The definitions if a file said `text`."""
    attributes = loaded_attributes(desk.version)
    folder = desk.workspace.folder
    return desk.kept(f"what if {file}: {text}", lambda: definitions(folder, attributes, {file: text}))


def changes(desk: Desk, after: Definitions) -> list[Changed]:
    """What changes when other definitions hold, by month and by every attribute that people filter by."""
    split, before = tuple(desk.attributes), desk.catalog
    return desk.kept(f"changes {after.digest}", lambda: effect(before, after.catalog, desk.whole, split))


def failing(desk: Desk, after: Definitions, name: str) -> list[Problem]:
    """The examples of a metric that other definitions no longer meet, as warnings."""
    if name not in after.catalog.plans:
        return []
    folder, calendar = desk.workspace.folder, desk.calendar
    found = desk.kept(
        f"examples {after.digest} {name}", lambda: list(failures(after, calendar, [name], folder))
    )
    return [replace(problem, severity="warning") for problem in found]


def whole_figure(desk: Desk, found: Definitions, name: str) -> Figure:
    """A figure over all of history by some definitions; empty where there is none."""
    if name not in found.catalog.plans:
        return Figure(None)
    return desk.kept(f"whole {found.digest} {name}", lambda: _whole(desk, found.catalog, name))


def _whole(desk: Desk, catalog: Catalog, name: str) -> Figure:
    return figures_of(compute(catalog, [name], desk.whole, Window()), name).get(0, Figure(None))


def draft(desk: Desk, name: str) -> Draft:
    """The text of a metric's definition, in the project's own file."""
    return draft_of(desk.workspace.folder, desk.definitions.located[name])


def is_own(desk: Desk, document: Document) -> bool:
    """Whether a document is a file of this project, not one that comes with the product."""
    return desk.workspace.folder in Path(document.path).parents


def sources(desk: Desk) -> Sources | None:
    """Where the project's tables come from; None while `sources.yaml` cannot be read."""
    try:
        return find_sources(desk.workspace.folder)
    except ConfigError:
        return None
