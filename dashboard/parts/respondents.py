"""The drawer with the customers behind a figure of a survey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard.charts.layout import Chart
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.chart_card import Chosen
from dashboard.parts.customer_list import customer_list
from dashboard.parts.states import guarded
from dashboard.text import gettext as _
from metrics.definitions import Unit

WIDTH: Final = 760
OPEN: Final = "satisfaction.open"


def choose(name: str) -> None:
    """Take a figure as the one whose respondents are shown in this run."""
    st.session_state[OPEN] = name


def of_chart(chart: Chart | None) -> Chosen | None:
    """What a click on a chart does: it takes the name that the point has among the `ids` of its trace."""
    if chart is None:
        return None

    def chosen(trace: int, point: int) -> None:
        names = chart.figure["data"][trace].get("ids", ())
        if point < len(names):
            choose(str(names[point]))

    return chosen


def taken() -> str | None:
    """The figure that was chosen just now; it is given out once."""
    found = st.session_state.pop(OPEN, None)
    return None if found is None else str(found)


def may_open(desk: Desk, n: int, least: int) -> bool:
    """Whether the project lets a figure of so many respondents be opened."""
    return desk.project.access.respondents and n >= least


def drawer(
    desk: Desk,
    title: str,
    words: str,
    rows: Callable[[], pl.DataFrame],
    names: Mapping[str, str],
    units: Mapping[str, Unit] | None = None,
) -> None:
    """Open the drawer; `rows` has `customer_id` first, `words` say what the figure is."""

    def draw() -> None:
        markup.note(words)
        customer_list(
            desk,
            rows(),
            key="satisfaction.respondents",
            file="respondents",
            label=title,
            names={"answered_on": _("Answered"), **names},
            units=units,
        )

    st.dialog(title, position="right", width=WIDTH)(guarded(draw))()
