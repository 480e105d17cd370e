"""The web server around the pages: routes, headers, warm-up, settings.

`serve` is what `rapport run` calls. `streamlit run dashboard/app.py` builds the same application, because
app.py makes it from the parts below.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.compression import CompressedScripts
from dashboard.pages import PAGES
from dashboard.parts.watch import ADDRESS
from dashboard.theme import ASSETS
from dashboard.workspace import PROJECT_VARIABLE, STORE_VARIABLE

APP: Final = Path(__file__).with_name("app.py")
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "worker-src 'self' blob:",
        "frame-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""Everything from this server alone; Streamlit itself needs inline styles, inline scripts and eval."""

HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
}


def serve(
    project_folder: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8501,
    *,
    store: Path | None = None,
    open_browser: bool = False,
) -> None:
    """Serve the pages of a project until the process is stopped.

    Without a folder the project of `RAPPORT_PROJECT` is served, else the shipped demo. Streamlit exits with
    code 1 when the port is taken.
    """
    _name_project(project_folder, store)
    if open_browser:
        threading.Thread(target=_open_when_ready, args=(host, port), daemon=True).start()
    # Streamlit looks for `.streamlit/config.toml` beside the file that `sys.argv` names.
    sys.argv = [str(APP)]
    application().run(config=settings(host, port))


def application() -> st.App:
    """The ASGI application of the pages; also for servers of one's own (`uvicorn dashboard.app:app`)."""
    from dashboard.app import app

    return app


def settings(host: str, port: int) -> dict[str, Any]:
    """What is set on top of `.streamlit/config.toml` when the command line starts the server."""
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
    }


def routes() -> list[BaseRoute]:
    """Our own addresses: the assets of the pages and the readiness check."""
    return [
        Route("/api/ready", ready),
        Route(ADDRESS, stamp),
        Route(f"/{PAGES[0].path}", first_page),
        Mount("/assets", LongLivedFiles(directory=ASSETS), name="assets"),
    ]


def middleware() -> list[Middleware]:
    """What every answer passes through."""
    return [Middleware(SecurityHeaders), Middleware(CompressedScripts)]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Prepare the start page while the first browser loads what it needs."""
    from dashboard import warm

    warm.start()
    yield {}


async def ready(request: Request) -> JSONResponse:
    """200 with the served version when the pages can be painted without delay, else 503 with the reason.

    The built-in health page answers `ok` even when no page can be shown.
    """
    from dashboard import data, warm

    state = data.readiness() if warm.is_warm() else {"ready": False, "reason": "warming up"}
    return JSONResponse(
        state, status_code=200 if state["ready"] else 503, headers={"cache-control": "no-store"}
    )


async def stamp(request: Request) -> JSONResponse:
    """A text that changes when an open page would look different; pages ask for it while they are open."""
    from dashboard import data

    return JSONResponse({"stamp": data.stamp()}, headers={"cache-control": "no-store"})


async def first_page(request: Request) -> RedirectResponse:
    """To the first page, which Streamlit keeps at the bare address, with the filters of the link."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{query}")


class LongLivedFiles(StaticFiles):
    """Assets that a browser keeps for a week; their names change when their content does."""

    async def get_response(self, path: str, scope: Any) -> Any:  # noqa: ANN401  # as in Starlette
        """The file, to be kept."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=604800"
        return response


class SecurityHeaders:
    """Adds the security headers to every HTTP answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                added = ((name.encode(), value.encode()) for name, value in HEADERS.items())
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in known)]
            await send(message)

        await self.app(scope, receive, with_headers)


def _open_when_ready(host: str, port: int) -> None:
    """Open a browser once the server answers; Streamlit opens none for an application of one's own."""
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    for _try in range(240):
        try:
            urlopen(f"{address}/api/ready", timeout=2).close()
        except HTTPError:
            break  # it answers, and the page itself says what is missing
        except OSError:
            time.sleep(0.25)
        else:
            break
    webbrowser.open(address)


def _name_project(folder: Path | None, store: Path | None) -> None:
    """Tell the pages by environment, which also reaches them when another server runs the application."""
    for name, path in ((PROJECT_VARIABLE, folder), (STORE_VARIABLE, store)):
        if path is not None:
            os.environ[name] = str(path.resolve())
