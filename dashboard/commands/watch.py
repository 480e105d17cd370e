"""`rapport refresh --watch`: a refresh now and then, until it is stopped."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import count
from pathlib import Path

from config.errors import ConfigError
from connectors.attempts import attempts
from connectors.errors import SourceError
from dashboard.commands.opening import opened
from dashboard.commands.refresh import load
from dashboard.commands.sources import show_reports
from dashboard.commands.terminal import say
from dashboard.workspace import Workspace


def watch(
    project: Path | None,
    store: Path | None,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
    rounds: Iterable[int] | None = None,
) -> None:
    """Refresh as often as the project says: for every one of `rounds`, else until the process is stopped.

    The settings are read anew every time. A refresh that fails is told, and tried again when the next is due.
    """
    for _ in rounds or count():
        workspace = opened(project, store)
        sleep(_wait(workspace, clock()))
        try:
            show_reports(load(workspace, now=clock()))
        except (ConfigError, SourceError) as error:
            say(str(error))


def _wait(workspace: Workspace, now: datetime) -> float:
    """Seconds until the next refresh; none before the first."""
    last = attempts(workspace.store).last
    if last is None:
        return 0.0
    due = last.began_at + workspace.project.refresh.interval
    say(f"next refresh {max(due, now):%Y-%m-%d %H:%M} UTC")
    return max((due - now).total_seconds(), 0.0)
