"""A list to look through: search, order, pages of rows, and the files of all rows found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Final

import polars as pl
import polars.selectors as cs
import streamlit as st

from dashboard import sheet
from dashboard.format import Formatter
from dashboard.parts import downloads
from dashboard.parts.markup import Column, note, table, table_block
from dashboard.text import gettext as _
from dashboard.text import ngettext

PAGE: Final = 25
Cells = Callable[[pl.DataFrame], list[list[str]]]
"""Writes the rows of one page as texts."""


def listing(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    cells: Cells,
    show: Formatter,
    *,
    key: str,
    file: str,
    label: str,
    placeholder: str,
    counted: Callable[[int], str] | None = None,
) -> None:
    """The rows of `frame` that hold what is searched for, in the order chosen, a page at a time.

    The count above the table, in the words of `counted`, is that of all rows found, and so are the rows of
    the files.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        term = st.text_input(
            _("Search"),
            key=f"{key}.search",
            placeholder=placeholder,
            icon=":material/search:",
            label_visibility="collapsed",
        )
        found = _sorted(matching(frame, term), columns, key)
        downloads.buttons(file, lambda: found, key)
    if found.is_empty():
        nothing = _("No row matches.") if len(frame) else _("There are no rows.")
        st.html(f'<div class="state"><p>{escape(nothing)}</p></div>')
        return
    said = _counted(len(found), len(frame), show, counted or partial(_rows, show))
    sheet.record(lambda: _block(found, columns, cells, label, said))
    with sheet.aside():  # the count stands in the block already
        note(said)
    pages = -(-len(found) // PAGE)
    slot = st.container()
    page = st.pagination(pages, key=f"{key}.page") if pages > 1 else 1
    rows = found.slice((page - 1) * PAGE, PAGE)
    slot.html(table(columns, cells(rows), label))


def _block(
    found: pl.DataFrame, columns: Sequence[Column], cells: Cells, label: str, said: str
) -> sheet.Table:
    """The first page in words, all rows as a frame."""
    first = cells(found.head(PAGE))
    return table_block(columns, first, label, note=said, missing=len(found) - len(first), frame=found)


def _sorted(found: pl.DataFrame, columns: Sequence[Column], key: str) -> pl.DataFrame:
    """The rows by a column that is chosen, numbers from the largest down; as they came while none is."""
    titles = dict(zip(found.columns, (column.title for column in columns), strict=True))
    chosen = st.selectbox(
        _("Sort by"),
        list(titles),
        index=None,
        placeholder=_("Sort by"),
        format_func=lambda name: titles[name],
        key=f"{key}.sort",
        label_visibility="collapsed",
        width=170,
    )
    if chosen is None:
        return found
    down = found.schema[chosen].is_numeric() or found.schema[chosen].is_temporal()
    return found.sort(chosen, descending=down, nulls_last=True, maintain_order=True)


def matching(frame: pl.DataFrame, term: str) -> pl.DataFrame:
    """The rows in which any text column holds `term`, whatever the case."""
    needle = term.strip().lower()
    texts = frame.select(cs.string() | cs.enum() | cs.categorical()).columns
    if not needle or not texts:
        return frame
    held = [
        pl.col(name)
        .cast(pl.String)
        .str.to_lowercase()
        .str.contains(needle, literal=True)
        .fill_null(value=False)
        for name in texts
    ]
    return frame.filter(pl.any_horizontal(held))


def _counted(found: int, of: int, show: Formatter, counted: Callable[[int], str]) -> str:
    if found == of:
        return counted(of)
    return _("{n} of {all}").format(n=show.decimal(found, 0), all=counted(of))


def _rows(show: Formatter, count: int) -> str:
    return ngettext("{n} row", "{n} rows", count).format(n=show.decimal(count, 0))
