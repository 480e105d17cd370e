"""A row of plain figures: label, value and a line under it; for what is no metric and opens no details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from dashboard import sheet


@dataclass(frozen=True)
class Stated:
    """A figure in words: its label, its value, and the interval or the count behind it."""

    label: str
    value: str
    under: str = ""


def figure_row(stated: Sequence[Stated], key: str) -> None:
    """The figures side by side, two a row on a phone."""
    sheet.record(lambda: sheet.Tiles(numbers=tuple(_number(each) for each in stated)))
    with st.grid(len(stated), min_column_width=150, gap="small"):
        for place, each in enumerate(stated):
            with st.container(border=True, key=f"tile-{key}-{place}", height="stretch"):
                st.html(
                    '<div class="tile" style="min-height: 88px">'
                    f'<div class="label"><span>{escape(each.label)}'
                    f'</span></div><div class="figure">{escape(each.value)}</div>'
                    f'<div class="n" style="white-space: normal">{escape(each.under)}</div></div>'
                )


def _number(stated: Stated) -> sheet.Number:
    return sheet.Number(label=stated.label, shown=stated.value, under=stated.under)
