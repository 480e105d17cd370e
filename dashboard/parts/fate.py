"""What became of the rows that were read, as a sum that a person can check by eye."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import streamlit as st

from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.theme import QUIET, SERIES


@dataclass(frozen=True)
class Fate:
    """Rows read, and the four things that can become of a row; the four add up to the first."""

    read: int
    accepted: int
    quarantined: int
    filtered: int
    merged: int


def fate(rows: Fate, show: Formatter) -> None:
    """One bar split by what became of the rows, with the sum written out under it."""
    parts = (
        (_("accepted"), rows.accepted, SERIES[0]),
        (_("quarantined"), rows.quarantined, SERIES[5]),
        (_("filtered"), rows.filtered, SERIES[1]),
        (_("merged duplicates"), rows.merged, QUIET),
    )
    bars = "".join(
        f'<i style="flex:{n} 0 {3 if n else 0}px;background:{colour}" title="{escape(name)}"></i>'
        for name, n, colour in parts
    )
    plus = " + ".join(
        f'<span style="--key:{colour}"><b>{escape(show.decimal(n, 0))}</b>'
        f' <em class="muted">{escape(name)}</em></span>'
        for name, n, colour in parts
    )
    read = escape(_("{n} rows read").format(n=show.decimal(rows.read, 0)))
    st.html(
        f'<div class="fate" aria-hidden="true">{bars}</div><div class="fate-key"><b>{read}</b> = {plus}</div>'
    )
