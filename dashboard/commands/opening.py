"""What every command begins with: the project that is meant, and the version of its store that is served."""

from pathlib import Path

from connectors.store import Store, Version
from dashboard.commands.terminal import CannotRun, progress
from dashboard.workspace import Workspace, demo_folder, open_workspace, project_folder


def opened(project: Path | None, store: Path | None) -> Workspace:
    """The project that was named, else the shipped demo, which is generated the first time."""
    if project_folder(project) or demo_folder().is_dir():
        return open_workspace(project, store)
    with progress() as report:
        report("generating the demo", None)
        return open_workspace(project, store)


def served(workspace: Workspace) -> Version:
    """The version that is served. Raises CannotRun before the first refresh."""
    version = Store(workspace.store).current()
    if version is None:
        message = f"store `{workspace.store}`: nothing was loaded yet. Run `rapport refresh` first"
        raise CannotRun(message)
    return version
