"""A row of plain figures: label, value and a line under it; for what is no metric and opens no details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import streamlit as st

from dashboard import sheet

LONG: Final = 9
"""A value of more characters than this is words, not a figure."""


@dataclass(frozen=True)
class Stated:
    """A figure in words: its label, its value, and the interval or the count behind it.

    `chip` is a change or a mark beside it, of a `tone` (good, bad, flat), `beside` the words after the chip.
    """

    label: str
    value: str
    under: str = ""
    chip: str = ""
    tone: str = "flat"
    beside: str = ""


def figure_row(stated: Sequence[Stated], key: str) -> None:
    """The figures side by side, two a row on a phone."""
    sheet.record(lambda: sheet.Tiles(numbers=tuple(_number(each) for each in stated)))
    with st.grid(len(stated), min_column_width=150, gap="small"):
        for place, each in enumerate(stated):
            with st.container(border=True, key=f"tile-{key}-{place}", height="stretch"):
                st.html(
                    '<div class="tile" style="min-height: 88px">'
                    f'<div class="label"><span>{escape(each.label)}'
                    f'</span></div><div class="figure {_kind(each.value)}">{escape(each.value)}</div>'
                    f"{chip(each)}"
                    f'<div class="n" style="white-space: normal">{escape(each.under)}</div></div>'
                )


def _number(stated: Stated) -> sheet.Number:
    return sheet.Number(label=stated.label, shown=stated.value, under=stated.under)


def _kind(value: str) -> str:
    """Words are set smaller than figures, so that they fit on a phone."""
    return "words" if len(value) > LONG else ""


def chip(each: Stated) -> str:
    """The chip of a figure as HTML, with the words beside it; empty where there is none."""
    if not each.chip:
        return ""
    words = f'<span class="vs">{escape(each.beside)}</span>'
    return f'<div class="change"><span class="chip {each.tone}">{escape(each.chip)}</span>{words}</div>'
