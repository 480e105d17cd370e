"""A page as a snapshot keeps it, drawn again read-only, from its own figures and rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import polars as pl
import streamlit as st

from dashboard import sheet
from dashboard.charts.layout import Chart
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.sheet import Block, Picture
from dashboard.snapshots import html


def sheet_view(blocks: Sequence[Block], key: str) -> None:
    """The blocks of a page in their order; two charts that follow each other stand side by side."""
    with sheet.aside():
        for are_charts, group in groupby(blocks, key=lambda block: isinstance(block, Picture)):
            if not are_charts:
                st.html("".join(html.piece(each) for each in group))
                continue
            charts = [block for block in group if isinstance(block, Picture)]
            for at in range(0, len(charts), 2):
                pair = charts[at : at + 2]
                for column, chart in zip(st.columns(len(pair)), pair, strict=True):
                    with column:
                        chart_card(_card(chart, f"{key}-{chart.key}"), _chart(chart), chart.otherwise)


def _card(block: Picture, key: str) -> Card:
    kinds = block.kinds or ("",) * len(block.heads)
    return Card(
        key=key,
        title=block.title,
        note=block.note,
        definition=block.definition,
        columns=[Column(head, kind) for head, kind in zip(block.heads, kinds, strict=True)],
        rows=lambda: block.rows,
        frame=lambda: pl.DataFrame() if block.frame is None else block.frame,
    )


def _chart(block: Picture) -> Chart | None:
    return None if block.figure is None else Chart(block.figure, block.alt, block.height)
