"""Streamlit's scripts, compressed once for the browsers that load them over a network.

Streamlit leaves them as they are, 8.5 MB for a first visit; compressed they are a quarter of that. A browser
on the same machine gains nothing by it, so it gets the plain files.
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import anyio.to_thread
import streamlit
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_SCRIPT: Final = re.compile(r"/static/(?P<name>(?:js|css)/[\w.-]+\.(?P<kind>js|css))")
_FOLDER: Final = Path(streamlit.__file__).with_name("static") / "static"
_KINDS: Final = {"js": "text/javascript", "css": "text/css"}
_HOME: Final = frozenset({"127.0.0.1", "::1"})
KEPT_FOR: Final = "public, immutable, max-age=31536000"
"""The names of the files change with their content."""


class CompressedScripts:
    """Answers requests for Streamlit's scripts and styles with their compressed form."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a script, pass anything else on."""
        found = _SCRIPT.fullmatch(scope.get("path", "")) if _wants_compressed(scope) else None
        if found is None or not (_FOLDER / found["name"]).is_file():
            await self.app(scope, receive, send)
            return
        body = await anyio.to_thread.run_sync(_compressed, found["name"])
        headers = {"content-encoding": "gzip", "cache-control": KEPT_FOR, "vary": "accept-encoding"}
        await Response(body, media_type=_KINDS[found["kind"]], headers=headers)(scope, receive, send)


def _wants_compressed(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    client = scope.get("client")
    accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
    return b"gzip" in accepted and not (client and client[0] in _HOME)


@lru_cache(maxsize=512)
def _compressed(name: str) -> bytes:
    return gzip.compress((_FOLDER / name).read_bytes(), compresslevel=6, mtime=0)
