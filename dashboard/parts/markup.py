"""Pieces of HTML with every text escaped. Streamlit cleans what passes through `st.html` a second time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

import polars as pl
import streamlit as st

from dashboard import sheet


@dataclass(frozen=True)
class Column:
    """A column of a table. `kind`: empty for short texts, `number`, `code`, `wide` for our sentences.

    `customer` holds ids of customers, each a link to the page on that one; `opens` holds buttons, see
    `dashboard.parts.opening_table`.
    """

    title: str
    kind: str = ""


def head(title: str, caption: str, actions: Callable[[], None] | None = None) -> None:
    """The one H1 of a page and the caption that states its scope; `actions` are drawn at the top right."""
    sheet.record(lambda: sheet.Head(title=title, caption=caption))
    words = f'<div class="head"><h1>{escape(title)}</h1><p>{escape(caption)}</p></div>'
    if actions is None:
        st.html(words)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="page-head"):
        st.html(words)
        actions()


def section(title: str, caption: str = "") -> None:
    """A heading within a page, with a few words that say what it groups."""
    sheet.record(lambda: sheet.Section(title=title, caption=caption))
    words = f"<p>{escape(caption)}</p>" if caption else ""
    st.html(f'<div class="section"><h2>{escape(title)}</h2>{words}</div>')


def card_head(title: str, words: str) -> str:
    """The title of a card, and the line under it with unit, n and as-of."""
    return f'<h3 class="card-title">{escape(title)}</h3><p class="card-note">{escape(words)}</p>'


def note(text: str) -> None:
    """A line of small, muted text."""
    sheet.record(lambda: sheet.Note(text=text))
    st.html(f'<p class="note">{marked(text)}</p>')


def notice(text: str) -> None:
    """A line that a person should read before the figures."""
    sheet.record(lambda: sheet.Note(text=text, notice=True))
    st.html(f'<p class="notice" role="status">{marked(text)}</p>')


def marked(text: str) -> str:
    """A text as HTML, with what stands in backticks set as code."""
    parts = text.split("`")
    return "".join(
        f"<code>{escape(part)}</code>" if odd % 2 else escape(part) for odd, part in enumerate(parts)
    )


def keys(named: Sequence[tuple[str, str]]) -> str:
    """What each colour of a chart stands for: names with colours, as words that wrap."""
    items = (
        f'<li><i style="background:{escape(colour, quote=True)}"></i>{escape(name)}</li>'
        for name, colour in named
    )
    return f'<ul class="keys">{"".join(items)}</ul>'


def facts(pairs: Mapping[str, str], *, code: Iterable[str] = ()) -> str:
    """A definition list; the names in `code` hold formulas."""
    formulas = set(code)
    rows = (
        f"<dt>{escape(name)}</dt><dd>{_code(text) if name in formulas else escape(text)}</dd>"
        for name, text in pairs.items()
    )
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def show_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    label: str,
    *,
    total: Sequence[str] | None = None,
) -> None:
    """Draw a table; see `table`."""
    listed = [tuple(row) for row in rows]
    sheet.record(lambda: table_block(columns, listed, label, total))
    st.html(table(columns, listed, label, total=total))


def table_block(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    label: str,
    total: Sequence[str] | None = None,
    *,
    note: str = "",
    missing: int = 0,
    frame: pl.DataFrame | None = None,
) -> sheet.Table:
    """A table as a block of a sheet; see `dashboard.sheet.Table`."""
    return sheet.Table(
        key=re.sub(r"\W+", "-", label.lower()).strip("-"),
        title=label,
        heads=tuple(column.title for column in columns),
        kinds=tuple(column.kind for column in columns),
        rows=tuple(tuple(row) for row in rows),
        total=None if total is None else tuple(total),
        note=note,
        missing=missing,
        has_frame=frame is not None,
        frame=frame,
    )


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    label: str,
    *,
    total: Sequence[str] | None = None,
) -> str:
    """A real table: it is read aloud, wraps nothing and scrolls sideways on a phone."""
    heads = "".join(
        f'<th scope="col" class="{column.kind}">{escape(column.title)}</th>' for column in columns
    )
    body = "".join(_row(columns, row) for row in rows) + (_row(columns, total, "total") if total else "")
    return (
        f'<div class="table-wrap" role="region" aria-label="{escape(label)}" tabindex="0">'
        f'<table class="plain"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(columns: Sequence[Column], cells: Sequence[str], kind: str = "") -> str:
    filled = "".join(
        f'<td class="{column.kind}">{_cell(column, cell)}</td>'
        for column, cell in zip(columns, cells, strict=True)
    )
    return f'<tr class="{kind}">{filled}</tr>'


def _cell(column: Column, cell: str) -> str:
    match column.kind:
        case "wide":
            return marked(cell)
        case "customer" if cell.strip():
            address = f"customers?customers.id={quote(cell, safe='')}"
            return f'<a href="{escape(address)}" target="_self">{escape(cell)}</a>'
        case "opens":
            return f'<button type="button" data-cell="{escape(cell)}">{escape(cell)}</button>'
        case _:
            return escape(cell)
