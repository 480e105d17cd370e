"""A choice of one thing or none, which a click elsewhere on the page or a link may make too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st


def optional(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    placeholder: str,
    format_func: Callable[[str], str] = str,
    width: int | Literal["stretch"] = "stretch",
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> str | None:
    """One of the options or None; it stands in the address, and is forgotten when it is no longer offered."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = None
    return st.selectbox(
        label,
        options,
        index=None,
        placeholder=placeholder,
        format_func=format_func,
        key=key,
        bind="query-params",
        width=width,
        label_visibility=label_visibility,
    )
