"""The button on every page that keeps what the page shows as a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import streamlit as st

from connectors.errors import StoreError
from dashboard.parts.markup import marked
from dashboard.parts.states import guarded
from dashboard.snapshots.compose import SHOWN, Shown
from dashboard.text import gettext as _

MADE: Final = "snapshot.made"
ZIP: Final = "application/zip"


def offer(shown: Shown) -> None:
    """Draw the button for a page that has been drawn; the visit keeps the page for it."""
    st.session_state[SHOWN] = shown
    with st.container(key="page-snapshot"):
        asked = st.button(
            _("Snapshot"),
            key="snapshot.open",
            icon=":material/photo_camera:",
            type="tertiary",
            help=_("Keep what this page shows as files that open anywhere"),
        )
    if asked:
        st.session_state.pop(MADE, None)
        st.dialog(_("Keep this page"))(guarded(_ask))(shown)


def _ask(shown: Shown) -> None:
    """Title and name, then the files."""
    made = st.session_state.get(MADE)
    if made:
        _hand_out(*made)
        return
    words = _(
        "An HTML page, a PDF, a workbook and the figures, with their definitions. They stay as they are; "
        "the page Snapshots lists and compares them."
    )
    st.html(f'<p class="note">{marked(words)}</p>')
    title = st.text_input(_("Title"), value=_title(shown), key="snapshot.title", max_chars=120)
    by = st.text_input(_("Made by"), key="snapshot.by", max_chars=60)
    if st.button(_("Keep"), key="snapshot.keep", type="primary", disabled=not title.strip()):
        _make(shown, title.strip(), by.strip())
        st.rerun(scope="fragment")


def _title(shown: Shown) -> str:
    if shown.scope is None:
        return shown.title
    period = shown.desk.read.period(shown.scope.period, shown.scope.grain)
    return f"{shown.title}, {period}"


def _make(shown: Shown, title: str, by: str) -> None:
    # Typst, XlsxWriter and their like are loaded when somebody wants a snapshot.
    from dashboard.snapshots.make import Wish, make

    now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
    with st.spinner(_("Writing the files")):
        try:
            snapshot = make([shown], Wish(title, by, now))
        except (OSError, StoreError) as error:
            st.session_state[MADE] = ("", str(error), b"")
            return
    st.session_state[MADE] = (snapshot.id, "", snapshot.archive())


def _hand_out(name: str, fault: str, archive: bytes) -> None:
    if fault:
        said = _("It could not be kept: {fault}").format(fault=fault)
        st.html(f'<p class="notice" role="alert">{marked(said)}</p>')
        return
    said = _("Kept as `{name}`.").format(name=name)
    st.html(f'<p class="notice" role="status">{marked(said)}</p>')
    st.download_button(
        _("Download all files"),
        archive,
        f"{name}.zip",
        ZIP,
        key="snapshot.zip",
        icon=":material/download:",
        on_click="ignore",
    )
