"""Curves and layers of cohorts: who is still there by age, and which cohort's money a period is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import POINTED, Chart, Show, label_room, layout, spread, value_ticks
from dashboard.theme import QUIET, SERIES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line with its interval over ages; `id`, a point's place behind it, names what a click opens."""

    name: str
    x: Values
    y: Values
    lower: Values = field(default_factory=lambda: np.empty(0))
    upper: Values = field(default_factory=lambda: np.empty(0))
    notes: Sequence[str] = ()
    id: str = ""


def curves(
    lines: Sequence[Curve],
    show: Show,
    across: Show,
    alt: str,
    *,
    steps: bool = False,
    low: float = 0.0,
    high: float | None = None,
    height: int = 320,
) -> Chart:
    """Curves with shaded intervals, each named at its end; `across` writes the ticks below."""
    top = high if high is not None else max(float(np.nanmax(_top(line))) for line in lines)
    scale = value_ticks(low, top, show)
    names = [line.name for line in lines]
    frame = layout(height, left=label_room(scale["ticktext"]), right=label_room(names), bottom=40)
    frame["yaxis"] |= scale
    last = max(float(line.x[-1]) for line in lines)
    ticks = _ages(last)
    frame["xaxis"] |= {
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [across(float(tick)) for tick in ticks],
        "tickangle": 0,
        "range": [-0.01 * last, last * 1.01],
    }
    frame |= POINTED if steps else {"hovermode": "x unified"}
    frame["annotations"] = _ends(lines, top - low, height)
    traces = [
        trace
        for line, colour in zip(lines, _colours(len(lines)), strict=True)
        for trace in _traces(line, colour, show, steps)
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def _colours(count: int) -> list[str]:
    return [SERIES[at % len(SERIES)] for at in range(count)]


def _top(line: Curve) -> Values:
    return line.upper if line.upper.size and not np.isnan(line.upper).all() else line.y


def _ages(last: float) -> list[float]:
    """Round ticks from zero."""
    step = next(step for step in (1, 2, 3, 6, 12, 30, 60, 90, 180, 365, 730, 3650) if last / step <= 6)
    return [float(at) for at in range(0, int(last) + 1, step)]


def _traces(line: Curve, colour: str, show: Show, steps: bool) -> list[dict[str, Any]]:
    shape = "hv" if steps else "linear"
    traces: list[dict[str, Any]] = []
    if line.lower.size:
        lower = np.where(np.isnan(line.lower), line.y, line.lower)
        upper = np.where(np.isnan(line.upper), line.y, line.upper)
        quiet = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "x": line.x}
        quiet["line"] = {"width": 0, "shape": shape}
        traces.append(quiet | {"y": lower})
        traces.append(quiet | {"y": upper, "fill": "tonexty", "fillcolor": _pale(colour)})
    notes = line.notes or [show(float(value)) for value in line.y]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines" if len(line.x) > 1 else "markers",
            "name": line.name,
            "x": line.x,
            "y": line.y,
            "line": {"color": colour, "width": 2.25, "shape": shape},
            "customdata": [f"{line.name}: {note}" for note in notes],
            "hovertemplate": "%{customdata}<extra></extra>",
            **(_clickable(line) if line.id else {}),
        }
    )
    return traces


def _clickable(line: Curve) -> dict[str, Any]:
    """Marks that nobody sees, since Plotly lets points be chosen and not lines; it draws each id once."""
    unseen = {"opacity": 0}
    marks = {"mode": "lines+markers", "marker": {"size": 10, **unseen}}
    return marks | {
        "ids": [f"{line.id}|{at}" for at in range(len(line.x))],
        "selected": {"marker": unseen},
        "unselected": {"marker": unseen},
    }


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.14)"


def _ends(lines: Sequence[Curve], span: float, height: int) -> list[dict[str, Any]]:
    """The name of each line at its end, moved apart where two would touch."""
    order = sorted(range(len(lines)), key=lambda at: -float(lines[at].y[-1]))
    room = span * 16 / max(height - 48, 1)
    places: dict[int, float] = {}
    above = float("inf")
    for at in order:
        places[at] = min(float(lines[at].y[-1]), above - room)
        above = places[at]
    return [
        {
            "x": float(max(each.x[-1] for each in lines)),
            "y": places[at],
            "text": line.name,
            "xanchor": "left",
            "yanchor": "middle",
            "xshift": 8,
            "showarrow": False,
            "font": {"size": 12, "color": colour},
        }
        for at, (line, colour) in enumerate(zip(lines, _colours(len(lines)), strict=True))
    ]


def layer_cake(
    periods: Sequence[str],
    layers: Sequence[str],
    values: NDArray[np.float64],
    show: Show,
    tick: Show,
    alt: str,
    *,
    height: int = 320,
) -> Chart:
    """Stacked areas: each layer is one cohort group's money; `values` has a row a layer, oldest first."""
    scale = value_ticks(min(0.0, float(values.sum(axis=0).min())), float(values.sum(axis=0).max()), tick)
    frame = layout(height, left=label_room(scale["ticktext"]), right=label_room(layers), bottom=40)
    frame["yaxis"] |= scale
    at = spread(len(periods))
    frame["xaxis"] |= {
        "tickmode": "array",
        "tickvals": at,
        "ticktext": [periods[position] for position in at],
        "tickangle": 0,
    }
    frame["hovermode"] = "x unified"
    frame["annotations"] = _layer_names(layers, values, len(periods) - 1)
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "cohorts",
            "x": np.arange(len(periods)),
            "y": row,
            "name": name,
            "line": {"width": 0.5, "color": colour},
            "fillcolor": colour,
            "customdata": [f"{name}: {show(float(value))}" for value in row],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for name, row, colour in zip(layers, values, _layer_colours(len(layers)), strict=True)
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def _layer_colours(count: int) -> list[str]:
    """Old layers pale grey, young ones in the series colours."""
    return ([QUIET, *SERIES] * (count // (len(SERIES) + 1) + 1))[:count]


def _layer_names(layers: Sequence[str], values: NDArray[np.float64], last: int) -> list[dict[str, Any]]:
    tops = values[:, -1].cumsum()
    total = float(tops[-1]) or 1.0
    return [
        {
            "x": last,
            "y": float(top - size / 2),
            "text": name,
            "xanchor": "left",
            "yanchor": "middle",
            "xshift": 8,
            "showarrow": False,
            "font": {"size": 11.5},
        }
        for name, top, size in zip(layers, tops, values[:, -1], strict=True)
        if size / total > 0.05
    ]
