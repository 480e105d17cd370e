"""Horizontal bars with the value at the end of each: a share or a size by region, channel or category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.charts.layout import POINTED, Chart, Show, axis, clipped, label_room, layout
from dashboard.theme import BAD, GOOD, SERIES

ROW = 34
"""The height of one bar with its gap, in pixels."""


def bars(names: Sequence[str], values: Sequence[float], show: Show, alt: str, *, height: int = 0) -> Chart:
    """One bar a name, the first at the top; `show` writes the value at its end."""
    height = height or max(120, ROW * len(names) + 16)
    return _bars(names, values, show, alt, height, [SERIES[0]] * len(names))


def effects(
    names: Sequence[str], values: Sequence[float], show: Show, alt: str, *, good_when_up: bool | None = True
) -> Chart:
    """Bars to both sides of zero: what raised and what lowered a figure, coloured by what is good."""
    colours = [_colour(value, good_when_up) for value in values]
    return _bars(names, values, show, alt, max(110, 30 * len(names) + 16), colours)


def _colour(value: float, good_when_up: bool | None) -> str:
    if good_when_up is None:
        return SERIES[0]
    return GOOD if (value >= 0) == good_when_up else BAD


def _bars(
    names: Sequence[str], values: Sequence[float], show: Show, alt: str, height: int, colours: list[str]
) -> Chart:
    numbers = np.asarray(values, dtype=np.float64)
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": numbers,
        "y": np.arange(len(names)),
        "marker": {"color": colours, "line": {"width": 0}, "cornerradius": 3},
        "text": [show(float(value)) for value in numbers],
        "textposition": "outside",
        "cliponaxis": False,
        "constraintext": "none",
        "customdata": [f"{name}: {show(float(value))}" for name, value in zip(names, numbers, strict=True)],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    shown = clipped(names)
    frame = layout(height, left=label_room(shown), right=4, top=0, bottom=0)
    frame |= POINTED
    frame["xaxis"] = axis() | {"showticklabels": False, "range": _range(numbers)}
    frame["yaxis"] = axis() | {
        "tickmode": "array",
        "tickvals": np.arange(len(names)),
        "ticktext": [f"{name}  " for name in shown],
        "range": [len(names) - 0.5, -0.5],
    }
    return Chart({"data": [trace], "layout": frame}, alt, height)


def _range(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Room for the labels: a quarter of the span beyond each end that has bars."""
    low, high = min(0.0, float(np.nanmin(values))), max(0.0, float(np.nanmax(values)))
    room = (high - low) * 0.24 or 1.0
    return [low - (room if low < 0 else 0), high + (room if high > 0 else 0)]
