"""A chart in a card: the finding as title, unit, n and as-of under it, a menu with table and downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import polars as pl
import streamlit as st
from plotly.basedatatypes import BaseFigure

from dashboard import sheet
from dashboard.charts.layout import Chart
from dashboard.parts import downloads
from dashboard.parts.markup import Column, facts, keys, table
from dashboard.text import gettext as _


@dataclass(frozen=True)
class Card:
    """What a card says around its chart; its table and files are made when they are asked for.

    `title` states the finding, or the measure where there is none; `note` unit, n and as-of. `columns` and
    `rows` make the chart's table, `frame` the file to download.
    """

    key: str
    title: str
    note: str
    definition: Mapping[str, str]
    columns: Sequence[Column]
    rows: Callable[[], Sequence[Sequence[str]]]
    frame: Callable[[], pl.DataFrame]


class ReadyFigure(BaseFigure):  # type: ignore[misc]  # Plotly has no types
    """A figure dict that tests have checked, so that Plotly does not check it again at every click (6 ms)."""

    def __init__(self, figure: dict[str, Any]) -> None:
        self._ready = figure

    def to_dict(self) -> dict[str, Any]:
        """The dict itself."""
        return self._ready


Chosen = Callable[[int, int], None]
"""What a click on a chart does: takes the place of its trace and of the point in it."""


def chart_card(
    card: Card,
    chart: Chart | None,
    otherwise: str = "",
    chosen: Chosen | None = None,
    control: Callable[[], None] | None = None,
) -> None:
    """The card with its chart, or with the sentence `otherwise` when there is nothing to draw.

    `chosen` is called at a click on a point or bar, before the page is drawn again; `control` draws what
    chooses between charts of the card, under its head.
    """
    sheet.record(lambda: _block(card, chart, otherwise))
    with st.container(border=True, key=f"card-{card.key}", height="stretch"):
        _card_head(card, chart)
        if control:
            control()
        if chart and st.session_state.get(f"{card.key}.as_table"):
            st.html(table(card.columns, card.rows(), card.title))
        elif chart is None:
            st.html(f'<div class="state"><p>{escape(otherwise)}</p></div>')
        else:
            if chart.keys:
                st.html(keys(chart.keys))
            st.plotly_chart(
                ReadyFigure(chart.on_screen),
                height="stretch",
                theme="streamlit",
                key=f"chart-{card.key}",
                config=chart.config,
                alt=chart.alt,
                on_select=partial(_clicked, f"chart-{card.key}", chosen) if chosen else "ignore",
                selection_mode="points",
            )


def _clicked(key: str, chosen: Chosen) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        chosen(int(points[0]["curve_number"]), int(points[0]["point_index"]))


def _block(card: Card, chart: Chart | None, otherwise: str) -> sheet.Picture:
    """A card as data: what a report needs to draw it again, and the rows behind it."""
    return sheet.Picture(
        key=card.key,
        title=card.title,
        note=card.note,
        definition=card.definition,
        heads=tuple(column.title for column in card.columns),
        kinds=tuple(column.kind for column in card.columns),
        rows=tuple(tuple(row) for row in card.rows()) if chart else (),
        figure=sheet.plain(chart.figure) if chart else None,
        alt=chart.alt if chart else "",
        height=chart.height if chart else 0,
        otherwise=otherwise,
        has_frame=chart is not None,
        frame=card.frame() if chart else None,
    )


def _card_head(card: Card, chart: Chart | None) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
        st.html(
            f'<h3 class="card-title">{escape(card.title)}</h3><p class="card-note">{escape(card.note)}</p>'
        )
        with st.popover(
            _("About this chart"),
            icon=":material/more_horiz:",
            key=f"menu-{card.key}",
            type="tertiary",
            help=_("Definition, table and download"),
        ):
            st.html(facts(card.definition))
            if chart:
                st.toggle(_("Show as table"), key=f"{card.key}.as_table")
                downloads.buttons(card.key, card.frame, card.key)
