"""`rapport run`: the dashboard in a browser."""

import os
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from config.errors import ConfigError
from connectors.errors import SourceError, StoreError
from connectors.sources import FILE_NAME
from connectors.store import Store, Version
from dashboard.commands.opening import opened
from dashboard.commands.refresh import is_outdated, load
from dashboard.commands.terminal import CannotRun, say
from dashboard.workspace import Workspace


def run(
    project: Path | None, store: Path | None, *, host: str, port: int, browser: bool | None, now: datetime
) -> None:
    """Serve the pages until the process is stopped; the first time load the data before.

    Raises CannotRun when the port is taken.
    """
    workspace = opened(project, store)
    _require_free(host, port)
    _provide_data(workspace, now)
    say(f"Rapport is at http://{host}:{port} (Ctrl+C stops it)")

    from dashboard.server import serve

    opening = opens_browser(browser, watched=sys.stderr.isatty(), environ=os.environ, platform=sys.platform)
    serve(workspace.folder, host, port, store=workspace.store, open_browser=opening)


def opens_browser(asked: bool | None, *, watched: bool, environ: Mapping[str, str], platform: str) -> bool:
    """Whether to open a browser: as asked, else where a person started the command at a screen.

    >>> opens_browser(None, watched=True, environ={"DISPLAY": ":0"}, platform="linux")
    True
    >>> opens_browser(None, watched=True, environ={"SSH_TTY": "/dev/pts/1"}, platform="linux")
    False
    """
    if asked is not None:
        return asked
    screen = platform in ("darwin", "win32") or "DISPLAY" in environ or "WAYLAND_DISPLAY" in environ
    return watched and screen


def _provide_data(workspace: Workspace, now: datetime) -> None:
    """Load what was never loaded or was loaded by other settings; an old version is better than none."""
    name, current = workspace.project.name, _current(workspace)
    if current is None and not (workspace.folder / FILE_NAME).exists():
        say(f"{name}: no source is connected yet; the page Connect begins one")
    elif current is None:
        say(f"{name}: loading the data for the first time")
        load(workspace, now=now)
    elif is_outdated(workspace, current):
        say(f"{name}: the settings or Rapport itself changed since the last refresh, loading again")
        try:
            load(workspace, now=now)
        except (ConfigError, SourceError) as error:
            say(str(error))
            say(f"The version of {current.manifest.refreshed_at:%Y-%m-%d %H:%M} UTC stays served")


def _current(workspace: Workspace) -> Version | None:
    """The version that is served; None also where a store cannot be read any more."""
    try:
        return Store(workspace.store).current()
    except StoreError:
        return None


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"{host}:{port} cannot be used ({error.strerror}). Try `rapport run --port {port + 1}`"
            raise CannotRun(message) from error
