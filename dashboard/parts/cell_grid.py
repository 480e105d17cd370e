"""A table whose cells can be chosen: a click, or the arrow keys and Enter, name the cell."""

from collections.abc import Callable
from importlib.resources import files

import streamlit as st

_COMPONENT = st.components.v2.component(
    "rapport_cells",
    html='<div class="cells-root"></div>',
    js=(files("dashboard") / "assets" / "grid" / "grid.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def cell_grid(html: str, *, key: str, chosen: Callable[[str], None]) -> None:
    """Show a table of ours whose cells are `<button data-cell="...">`; `chosen` takes the name of a cell."""

    def changed() -> None:
        cell = getattr(st.session_state.get(key), "cell", None)
        if cell:
            chosen(str(cell))

    _COMPONENT(key=key, data={"html": html}, on_cell_change=changed)
