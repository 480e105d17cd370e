"""`rapport run`: the dashboard in a browser."""

import socket
from datetime import datetime
from pathlib import Path

from connectors.store import Store
from dashboard.commands.refresh import load
from dashboard.commands.terminal import CannotRun, say
from dashboard.workspace import open_workspace


def run(
    project: Path | None, store: Path | None, *, host: str, port: int, browser: bool, now: datetime
) -> None:
    """Serve the pages until the process is stopped; the first time load the data before.

    Raises CannotRun when the port is taken.
    """
    workspace = open_workspace(project, store)
    _require_free(host, port)
    if Store(workspace.store).current() is None:
        say(f"{workspace.project.name}: loading the data for the first time")
        load(workspace, now=now)
    say(f"Rapport is at http://{host}:{port} (Ctrl+C stops it)")

    from dashboard.server import serve

    serve(workspace.folder, host, port, store=workspace.store, open_browser=browser)


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"{host}:{port} cannot be used ({error.strerror}). Try `rapport run --port {port + 1}`"
            raise CannotRun(message) from error
