"""Charts of what customers feel: expectation against perception, scores through time with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import (
    POINTED,
    Chart,
    Show,
    axis,
    label_room,
    layout,
    nice_ticks,
    spread,
    value_ticks,
)
from dashboard.theme import BAD, GOOD, QUIET, SERIES

Values = NDArray[np.float64]
ROW = 54
"""The height of one row of a dumbbell chart, in pixels."""


@dataclass(frozen=True)
class Dumbbells:
    """What a dumbbell chart draws, the first row at the top.

    `low` and `high` bound the gap itself: they are drawn around the perception, where the gap ends. `notes`
    are the whole sentences of the tooltips, `words` the two names in the legend.
    """

    names: Sequence[str]
    expected: Values
    perceived: Values
    low: Values
    high: Values
    gaps: Sequence[str]
    notes: Sequence[str]
    words: tuple[str, str]
    ids: Sequence[str] = ()


def dumbbells(data: Dumbbells, show: Show, alt: str) -> Chart:
    """Expectation as a ring, perception as a dot, the gap between them and, in figures, at the right."""
    count = len(data.names)
    height = ROW * count + 78
    ends = np.concatenate(
        [data.expected, data.perceived, data.expected + data.low, data.expected + data.high]
    )
    ticks = nice_ticks(float(np.nanmin(ends)), float(np.nanmax(ends)))
    room = 0.03 * (ticks[-1] - ticks[0])
    left, right = label_room(data.names) + 22, label_room(data.gaps) + 16
    frame = layout(height, left=left, right=right, top=46, bottom=26)
    frame |= POINTED
    frame["showlegend"] = True
    frame["legend"] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    frame["xaxis"] = axis(grid=True) | {
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [show(float(tick)) for tick in ticks],
        "range": [float(ticks[0]) - room, float(ticks[-1]) + room],
    }
    frame["yaxis"] = axis() | {
        "tickmode": "array",
        "tickvals": np.arange(count),
        "ticktext": [f"{name}  " for name in data.names],
        "tickfont": {"size": 13},
        "range": [count - 0.5, -0.5],
    }
    frame["annotations"] = [_gap(data, at) for at in range(count)]
    return Chart({"data": _dumbbell_traces(data), "layout": frame}, alt, height)


def _dumbbell_traces(data: Dumbbells) -> list[dict[str, Any]]:
    rows = np.arange(len(data.names), dtype=np.float64)
    links = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [data.expected[at], data.perceived[at]],
            "y": [at, at],
            "line": {"color": colour(data.low[at], data.high[at]), "width": 5},
            "opacity": 0.42,
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for at in range(len(rows))
    ]
    ring = {"size": 15, "color": "rgba(0, 0, 0, 0)", "line": {"color": QUIET, "width": 2.5}}
    shared = {"type": "scatter", "mode": "markers", "y": rows, "customdata": list(data.notes)}
    shared |= {"ids": list(data.ids)} if data.ids else {}
    shared["hovertemplate"] = "%{customdata}<extra></extra>"
    gap = data.perceived - data.expected
    whisker = {
        "type": "data",
        "symmetric": False,
        "array": data.high - gap,
        "arrayminus": gap - data.low,
        "color": SERIES[4],
        "thickness": 1.6,
        "width": 5,
    }
    dot = {"size": 15, "color": SERIES[4], "line": {"width": 0}}
    expected = shared | {"x": data.expected, "marker": ring, "name": data.words[0]}
    perceived = shared | {"x": data.perceived, "marker": dot, "name": data.words[1], "error_x": whisker}
    return [*links, expected, perceived]


def colour(low: float, high: float) -> str:
    """The colour of a difference: good or bad where its interval leaves out zero, else quiet."""
    if low <= 0 <= high or np.isnan(low):
        return QUIET
    return GOOD if low > 0 else BAD


def _gap(data: Dumbbells, at: int) -> dict[str, Any]:
    return {
        "xref": "paper",
        "x": 1,
        "xshift": 10,
        "xanchor": "left",
        "y": at,
        "yanchor": "middle",
        "text": f"<b>{data.gaps[at]}</b>",
        "showarrow": False,
        "font": {"size": 15, "color": colour(data.low[at], data.high[at])},
    }


@dataclass(frozen=True)
class Waves:
    """A score through time: values with their bounds, NaN where there is none; `notes` word the tooltips.

    `compared` are the positions of the wave and of the one that it is compared with.
    """

    ticks: Sequence[str]
    values: Values
    lower: Values
    upper: Values
    notes: Sequence[str]
    compared: Sequence[int] = ()
    ids: Sequence[str] = ()


def waves(data: Waves, show: Show, tick: Show, alt: str, *, height: int = 300) -> Chart:
    """Points joined by a line, with a band; the compared ones are filled."""
    bounds = np.concatenate([data.lower, data.upper, data.values])
    scale = value_ticks(float(np.nanmin(bounds)), float(np.nanmax(bounds)), tick)
    last = int(np.flatnonzero(~np.isnan(data.values))[-1])
    end = show(float(data.values[last]))
    frame = layout(height, left=label_room(scale["ticktext"]), right=label_room([end]) + 8, bottom=40)
    places = spread(len(data.ticks), 6)
    frame["xaxis"] |= {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [data.ticks[place] for place in places],
        "tickangle": 0,
        "range": [-0.35, len(data.ticks) - 0.65],
    }
    frame["yaxis"] |= scale
    frame |= POINTED
    frame["annotations"] = [
        {
            "x": last,
            "y": float(data.values[last]),
            "text": f"<b>{end}</b>",
            "xanchor": "left",
            "xshift": 12,
            "showarrow": False,
        }
    ]
    return Chart({"data": _wave_traces(data), "layout": frame}, alt, height)


def _wave_traces(data: Waves) -> list[dict[str, Any]]:
    at = np.arange(len(data.values), dtype=np.float64)
    known = ~np.isnan(data.values)
    quiet = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "line": {"width": 0}}
    band = [
        quiet | {"x": at[known], "y": data.lower[known]},
        quiet
        | {
            "x": at[known],
            "y": data.upper[known],
            "fill": "tonexty",
            "fillcolor": "rgba(58, 149, 209, 0.16)",
        },
    ]
    sizes = [11 if place in data.compared else 7 for place in range(len(at))]
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": at,
        "y": data.values,
        "line": {"color": SERIES[4], "width": 2.25},
        "marker": {"size": sizes, "color": SERIES[4]},
        "customdata": list(data.notes),
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    points |= {"ids": list(data.ids)} if data.ids else {}
    return [*band, points]


@dataclass(frozen=True)
class Dots:
    """Figures with their intervals, one a row from the top; `beside` are others to compare with, or NaN."""

    names: Sequence[str]
    values: Values
    lower: Values
    upper: Values
    notes: Sequence[str]
    beside: Values
    words: tuple[str, str]
    ids: Sequence[str] = ()


def dots(data: Dots, show: Show, alt: str, *, zero: bool = False) -> Chart:
    """Dots with whiskers; what they are compared with as rings. `zero` draws a line at zero."""
    count = len(data.names)
    height = 46 * count + 70
    ends = np.concatenate([data.lower, data.upper, data.values, data.beside, [0.0] if zero else []])
    ticks = nice_ticks(float(np.nanmin(ends)), float(np.nanmax(ends)))
    frame = layout(height, left=label_room(data.names) + 22, right=56, top=46, bottom=26)
    frame |= POINTED
    frame["showlegend"] = not np.isnan(data.beside).all()
    frame["legend"] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    frame["xaxis"] = axis(grid=True) | {
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [show(float(tick)) for tick in ticks],
        "range": [float(ticks[0]), float(ticks[-1])],
    }
    frame["yaxis"] = axis() | {
        "tickmode": "array",
        "tickvals": np.arange(count),
        "ticktext": [f"{name}  " for name in data.names],
        "tickfont": {"size": 13},
        "range": [count - 0.5, -0.5],
    }
    if zero:
        rule = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
        frame["shapes"] = [rule | {"line": {"color": QUIET, "width": 1.5}}]
    frame["annotations"] = [_at_end(show(float(value)), at) for at, value in enumerate(data.values)]
    return Chart({"data": _dot_traces(data), "layout": frame}, alt, height)


def _at_end(text: str, at: int) -> dict[str, Any]:
    place = {"xref": "paper", "x": 1, "xshift": 6, "xanchor": "left", "y": at, "yanchor": "middle"}
    return place | {"text": f"<b>{text}</b>", "showarrow": False, "font": {"size": 13}}


def _dot_traces(data: Dots) -> list[dict[str, Any]]:
    rows = np.arange(len(data.names), dtype=np.float64)
    shared = {"type": "scatter", "mode": "markers", "y": rows, "customdata": list(data.notes)}
    shared |= {"hovertemplate": "%{customdata}<extra></extra>"}
    shared |= {"ids": list(data.ids)} if data.ids else {}
    whisker = {
        "type": "data",
        "symmetric": False,
        "array": data.upper - data.values,
        "arrayminus": data.values - data.lower,
        "color": SERIES[4],
        "thickness": 1.8,
        "width": 6,
    }
    ring = {"size": 13, "color": "rgba(0, 0, 0, 0)", "line": {"color": QUIET, "width": 2.25}}
    own = shared | {"x": data.values, "marker": {"size": 13, "color": SERIES[4]}, "error_x": whisker}
    return [shared | {"x": data.beside, "marker": ring, "name": data.words[1]}, own | {"name": data.words[0]}]
