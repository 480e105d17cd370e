"""The customers behind a cell, a bar or a row of the page: for whom a rule holds, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import streamlit as st

from dashboard import segment_data as asked
from dashboard.desk import Desk
from dashboard.parts import choice, markup
from dashboard.parts.customer_list import customer_list
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views import segments_builder
from dashboard.views.segments_list import UNITS, headings
from metrics.segment_definitions import Segment


@dataclass(frozen=True)
class Cell:
    """What can be opened: a name that no other one has, its rule, and the day that is meant if not now."""

    label: str
    where: str
    day: date | None = None


def opener(key: str) -> Callable[[str], None]:
    """What a click does: takes the name of a cell as the one whose customers are listed under `key`."""
    return partial(_open, key)


def _open(key: str, name: str) -> None:
    st.session_state[key] = name


def cell_list(desk: Desk, scope: Scope, key: str, cells: Mapping[str, Cell]) -> None:
    """The chooser of a cell and, once one is chosen, its customers; it can become a segment."""
    chosen = choice.optional(
        _("Customers of"),
        list(cells),
        key,
        placeholder=_("Click one above, or choose it here"),
        format_func=lambda name: cells[name].label,
        width=420,
    )
    if chosen is not None:
        _listed(desk, scope, key, chosen, cells[chosen])


def _listed(desk: Desk, scope: Scope, key: str, name: str, cell: Cell) -> None:
    rule = asked.rule(desk, Segment(name="these_customers", label=cell.label[:40], where=cell.where))
    rows = asked.listed(desk, asked.without_segments(scope), rule, cell.day)
    markup.section(cell.label, asked.words(desk).sentence(rule.segment))
    if cell.day is None:
        st.button(
            _("Make it a segment"),
            icon=":material/bookmark_add:",
            key=f"{key}.keep",
            type="tertiary",
            on_click=segments_builder.begin_with,
            args=(desk, rule.segment),
        )
    customer_list(
        desk,
        rows,
        key=f"{key}.{name}",
        file=f"customers-{name}",
        label=_("Customers of {segment}").format(segment=cell.label),
        names=headings(),
        units=UNITS,
    )
