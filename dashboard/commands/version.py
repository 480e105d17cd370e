"""`rapport version`."""

import platform
from importlib.metadata import version
from pathlib import Path

from dashboard.commands.terminal import show, show_json

DISTRIBUTION = "rapport-dashboard"


def print_version(project: Path | None, store: Path | None, *, as_json: bool) -> None:
    """Print the versions of Rapport and Python, and of the served store when a project or store is named."""
    facts = {"rapport": version(DISTRIBUTION), "python": platform.python_version()}
    if project or store:
        facts["store"] = _served(project, store)
    if as_json:
        show_json(facts)
    else:
        show(", ".join(f"{name} {value}" for name, value in facts.items()))


def _served(project: Path | None, store: Path | None) -> str:
    from connectors.store import Store
    from dashboard.commands.opening import opened

    current = Store(opened(project, store).store).current()
    return current.id if current else "empty"
