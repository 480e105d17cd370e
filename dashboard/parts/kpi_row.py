"""A row of tiles: label, value, change, sparkline, n. Each is a card and a button that opens its details."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import streamlit as st

from dashboard import sheet
from dashboard.charts.spark import sparkline
from dashboard.parts.markup import marked
from dashboard.text import gettext as _
from dashboard.tiles import Tile


def kpi_row(tiles: Sequence[Tile], open_details: Callable[[str], None]) -> None:
    """The tiles side by side, two a row on a phone; `open_details` takes the name of the metric clicked."""
    sheet.record(lambda: sheet.Tiles(numbers=tuple(_number(tile) for tile in tiles)))
    with st.grid(len(tiles), min_column_width=150, gap="small"):
        for tile in tiles:
            _tile(tile, open_details)


def _number(tile: Tile) -> sheet.Number:
    """A tile as data."""
    figure, change = tile.figure, tile.change
    return sheet.Number(
        label=tile.label,
        shown=tile.value,
        under=tile.n,
        change=change.text if change else "",
        tone=change.tone if change else "flat",
        arrow=change.arrow if change else "",
        against=tile.against,
        history=tuple(tile.history),
        metric=tile.name,
        unit=tile.unit,
        period=tile.period,
        value=figure.value,
        amount=None if figure.amount is None else str(figure.amount),
        n=figure.n,
        lower=figure.lower,
        upper=figure.upper,
        interval=figure.interval,
        reason=figure.reason,
    )


def _tile(tile: Tile, open_details: Callable[[str], None]) -> None:
    name = tile.name
    with st.container(border=True, key=f"tile-{name}", height="stretch"):
        st.html(_face(tile))
        label = _("Details of {metric}").format(metric=tile.spoken or tile.label)
        if st.button(label, key=f"open-{name}"):
            open_details(name)


def _face(tile: Tile) -> str:
    go = '<span class="go">\N{RIGHTWARDS ARROW}</span>'
    head = f'<div class="label"><span>{escape(tile.label)}</span>{go}</div>'
    figure = f'<div class="figure">{escape(tile.value)}</div>'
    if tile.figure.shown is None:
        return f'<div class="tile lacking">{head}{figure}{_needs(tile)}</div>'
    return (
        f'<div class="tile{_edge(tile)}">{head}{figure}{change_line(tile)}{goal_line(tile)}'
        f'<div class="n">{escape(tile.n)}</div>{_spark(tile)}</div>'
    )


def _edge(tile: Tile) -> str:
    """The colour of a tile's edge, where its figure is good or bad by its target or thresholds."""
    return f" {tile.goal.tone}" if tile.goal and tile.goal.tone != "flat" else ""


def goal_line(tile: Tile) -> str:
    """What the figure was to be, and whether it is; nothing without a target or thresholds."""
    if tile.goal is None:
        return ""
    return f'<div class="goal {tile.goal.tone}"><i></i>{escape(tile.goal.text)}</div>'


def _needs(tile: Tile) -> str:
    """Why there is no figure, and where a source would be named."""
    reason = tile.figure.reason or ""
    remedy = _(" Map one in `sources.yaml`.") if reason.startswith("no source gives") else ""
    return f'<p class="needs">{marked(sentence(reason) + remedy)}</p>'


def sentence(reason: str) -> str:
    """A reason as a sentence: a capital first, a full stop last."""
    return f"{reason[:1].upper()}{reason[1:]}".rstrip(".") + "." if reason else ""


def change_line(tile: Tile) -> str:
    """The change as a chip with its arrow and the period it is against, or why there is none."""
    if tile.change is None:
        words = _("period not over") if not tile.figure.complete else _("nothing to compare with")
        return f'<div class="change"><span class="vs">{escape(words)}</span></div>'
    arrow = f'<span aria-hidden="true">{tile.change.arrow}</span>' if tile.change.arrow else ""
    chip = f'<span class="chip {tile.change.tone}">{arrow}{escape(tile.change.text)}</span>'
    return f'<div class="change">{chip}<span class="vs">{escape(tile.against)}</span></div>'


def _spark(tile: Tile) -> str:
    line = sparkline(tile.history)
    if not line:
        return '<div class="spark" style="visibility:hidden"></div>'
    return f'<div class="spark" aria-hidden="true" style="--spark:{escape(line)}"></div>'
