"""`rapport refresh`: read every source, publish a new version of the store."""

from datetime import datetime
from functools import cache, partial
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

from connectors.attempts import noted
from connectors.refresh import Progress, definitions_of
from connectors.refresh import refresh as refresh_store
from connectors.sources import find_sources
from connectors.store import Store, Version
from dashboard import engines
from dashboard.commands.opening import opened
from dashboard.commands.sources import show_reports, source_facts
from dashboard.commands.terminal import progress, show_json
from dashboard.workspace import Workspace
from metrics import renewal


def refresh(project: Path | None, store: Path | None, *, as_json: bool, now: datetime) -> None:
    """Load the project and print what became of every row."""
    version = load(opened(project, store), now=now)
    if as_json:
        show_json(
            {
                "version": version.id,
                "refreshed_at": version.manifest.refreshed_at,
                "as_of": version.manifest.as_of,
                "content_hash": version.manifest.content_hash,
                "sources": [source_facts(report) for report in version.manifest.sources],
                "notes": version.manifest.notes,
            }
        )
    else:
        show_reports(version)


def load(workspace: Workspace, *, now: datetime) -> Version:
    """The version that a refresh publishes, or the served one when nothing has changed.

    Raises ConfigError or SourceError; the version served before stays served then.
    """
    with progress() as report:
        return loaded(workspace, now=now, report=report)


def loaded(workspace: Workspace, *, now: datetime, report: Progress) -> Version:
    """The same, with `report` told how far it is; what became of the refresh is noted in the store."""
    store = Store(workspace.store)
    sources = find_sources(workspace.folder)
    return noted(
        store,
        now,
        lambda: refresh_store(
            workspace.folder,
            workspace.project,
            sources,
            store,
            partial(engines.build, workspace),
            renew=partial(renewal.renew, workspace.calendar),
            now=now,
            progress=report,
            rules=mart_rules(),
            keep=workspace.project.refresh.keep,
        ),
    )


def is_outdated(workspace: Workspace, version: Version) -> bool:
    """Whether the marts of a version were made by other settings or another release than today's."""
    return version.manifest.definitions != definitions_of(workspace.project, mart_rules())


@cache
def mart_rules() -> str:
    """A digest of the code that makes marts, so that a change to it makes them anew."""
    digest = blake2b(digest_size=8)
    for module in sorted(files("metrics").iterdir(), key=lambda file: file.name):
        if module.name.endswith(".py"):
            digest.update(module.read_bytes())
    return digest.hexdigest()
