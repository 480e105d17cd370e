"""A table that a page draws in a way of its own, with bars or shades in its cells; kept in words."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser

import streamlit as st

from dashboard import sheet
from dashboard.parts.markup import Column, table_block


def own_table(html: str, label: str) -> None:
    """Draw a table of ours; a snapshot keeps the texts of its cells under `label`."""
    sheet.record(lambda: in_words(html, label))
    st.html(html)


def in_words(html: str, label: str) -> sheet.Table:
    """The table in a piece of HTML as a block.

    >>> in_words("<table><tr><th>R</th><th>n</th></tr><tr><th>5</th><td>12</td></tr></table>", "x").rows
    (('5', '12'),)
    """
    reader = _Cells()
    reader.feed(html)
    head, *rows = reader.rows or [[]]
    whole = [row for row in rows if len(row) == len(head)]
    columns = [Column(text, _kind([row[at] for row in whole]) if at else "") for at, text in enumerate(head)]
    return table_block(columns, whole, label)


def _kind(texts: Sequence[str]) -> str:
    """How a column of these texts is set: as numbers where none of them has a letter."""
    return "" if any(letter.isalpha() for text in texts for letter in text) else "number"


class _Cells(HTMLParser):
    """The texts of the cells of a table, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.is_open = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """A row or a cell begins."""
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        """A cell ends."""
        if tag in ("td", "th"):
            self.is_open = False

    def handle_data(self, data: str) -> None:
        """Text within a cell."""
        if self.is_open:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()
