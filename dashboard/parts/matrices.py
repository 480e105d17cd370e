"""A matrix on a page, and as a table with its shades in the sheet of the page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import sheet
from dashboard.charts.matrix import MatrixRow, matrix


def show_matrix(corner: tuple[str, str], heads: Sequence[str], rows: Sequence[MatrixRow], label: str) -> None:
    """Draw a matrix; see `dashboard.charts.matrix.matrix`."""
    listed = tuple(rows)
    sheet.record(lambda: _block(corner, heads, listed, label))
    st.html(matrix(corner, heads, listed, label))


def _block(
    corner: tuple[str, str], heads: Sequence[str], rows: Sequence[MatrixRow], label: str
) -> sheet.Table:
    texts = ((row.name, row.size, *("" if cell is None else cell.text for cell in row.cells)) for row in rows)
    shades = (
        (None, None, *(None if cell is None or cell.masked else cell.shade for cell in row.cells))
        for row in rows
    )
    return sheet.Table(
        key=label.lower().replace(" ", "-"),
        title=label,
        heads=(*corner, *heads),
        kinds=("", *("number" for _ in range(len(heads) + 1))),
        rows=tuple(texts),
        heat=tuple(shades),
    )
