"""The terms on which worth is reckoned: the discount rate, and when margins are taken to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import streamlit as st

from dashboard.text import gettext as _

T = TypeVar("T", bound=str)
PER_CENT = 10.0


def terms_of(page: str, conventions: Mapping[T, str]) -> tuple[float, T]:
    """The yearly discount rate, 0 to 0.5, and the chosen one of the conventions; both lie in the URL."""
    with st.popover(_("Terms"), icon=":material/tune:", help=_("Discount rate, and when margins come")):
        rate = st.number_input(
            _("Discount rate, % a year"),
            0.0,
            50.0,
            PER_CENT,
            0.5,
            key=f"{page}.discount_rate",
            bind="query-params",
        )
        first = st.radio(
            _("Margins come"),
            list(conventions),
            format_func=lambda name: _(conventions[name]),
            key=f"{page}.convention",
            bind="query-params",
        )
    return rate / 100, first or next(iter(conventions))
