"""Comments: what respondents wrote, word for word; they leave the page only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard.desk import Desk
from dashboard.parts import downloads, markup, states
from dashboard.parts.filter_bar import heading
from dashboard.parts.listing import matching
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext

PAGE: Final = 20


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section: search, the comments, and their file once it is asked for."""
    if not desk.project.access.verbatims:
        text = _("The project does not show what people wrote: see `access.verbatims` in `rapport.yaml`.")
        states.empty("visibility_off", _("Comments are hidden"), text)
        return
    rows = asked.comments(desk, scope)
    if rows is None or rows.is_empty():
        text = _(
            "No answer up to this period carries a comment. Keep a column `comment` of the survey's source."
        )
        states.empty("chat_bubble", _("No comments"), text)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        term = st.text_input(
            _("Search"),
            key="satisfaction.comments",
            placeholder=_("Search in comments, ids and attributes"),
            icon=":material/search:",
            label_visibility="collapsed",
        )
        wanted = st.toggle(_("Allow a file with the words"), key="satisfaction.words")
    found = matching(rows, term)
    if wanted:
        downloads.buttons("comments", lambda: found, "satisfaction.comments.files")
    count = ngettext("{n} comment", "{n} comments", len(found)).format(n=desk.show.decimal(len(found), 0))
    markup.note(
        _("{count}, the latest first. They are sent nowhere and are in no report.").format(count=count)
    )
    pages = -(-len(found) // PAGE)
    slot = st.container()
    page = st.pagination(pages, key="satisfaction.comments.page") if pages > 1 else 1
    slot.html(_quotes(desk, found.slice((page - 1) * PAGE, PAGE)))


def _quotes(desk: Desk, rows: pl.DataFrame) -> str:
    items = "".join(_quote(desk, row) for row in rows.iter_rows(named=True))
    return f'<ul class="quotes">{items}</ul>'


def _quote(desk: Desk, row: Mapping[str, object]) -> str:
    """A comment with who wrote it and when; attributes that are known stand beside it."""
    about = [str(row["customer_id"] or _("not identified")), desk.show.day(row["answered_on"])]  # type: ignore[arg-type]  # a date
    about += [f"{heading(name)}: {row[name]}" for name in desk.attributes if row.get(name)][:3]
    meta = escape(" \N{MIDDLE DOT} ".join(about))
    return f"<li><p>{escape(str(row['comment']))}</p><span>{meta}</span></li>"
