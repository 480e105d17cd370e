"""The sections of a page: the buttons that choose one, and what stands there when it has nothing to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from dashboard.parts import states
from dashboard.parts.kpi_row import sentence
from dashboard.text import gettext as _
from metrics.selection import Missing


def chosen(key: str, sections: Mapping[str, tuple[str, Callable[..., None]]]) -> str:
    """The section that is chosen, at first the first; it stands in the address under `key`."""
    name = st.segmented_control(
        _("Section"),
        list(sections),
        default=next(iter(sections)),
        required=True,
        format_func=lambda each: _(sections[each][0]),
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return name or next(iter(sections))


@contextmanager
def reason_if_missing(icon: str = "inventory_2") -> Iterator[None]:
    """Where a figure is missing, an empty state with the reason takes the place of what was to be drawn."""
    try:
        yield
    except Missing as missing:
        states.empty(icon, _("Nothing to show here"), sentence(str(missing)))
