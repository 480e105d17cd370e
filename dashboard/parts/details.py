"""The drawer behind a tile: what the figure means, what moved it, and the customers it counts."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import data
from dashboard.parts.markup import facts
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.tiles import Tile


def open_details(scope: Scope, name: str) -> None:
    """Open the drawer for one metric."""
    tile = data.tiles((name,), scope)[0]
    st.dialog(tile.label, position="right", width=720)(_draw)(scope, tile)


def _draw(scope: Scope, tile: Tile) -> None:
    st.html(f'<div class="lead"><span class="figure">{escape(tile.value)}</span></div>')
    st.html(facts({_("Definition"): data.metric(tile.name).description}))
