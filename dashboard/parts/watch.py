"""The watch on a project's files: an open page follows them within a second.

The browser asks for a short text three times a second; no script runs until that text is another one.
"""

from importlib.resources import files

import streamlit as st

ADDRESS = "/api/stamp"
EVERY_MS = 300

_COMPONENT = st.components.v2.component(
    "rapport_watch",
    html="<span hidden></span>",
    js=(files("dashboard") / "assets" / "watch" / "watch.js").read_text(encoding="utf-8"),
)


def watch(stamp: str) -> None:
    """Rerun the page as soon as the server's stamp is another one than `stamp`."""
    with st.container(key="watch"):
        data = {"stamp": stamp, "address": ADDRESS, "every": EVERY_MS}
        _COMPONENT(key="watch-files", data=data, on_changed_change=lambda: None)
