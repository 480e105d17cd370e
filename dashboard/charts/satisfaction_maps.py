"""Maps of priorities: two sides of each point in four named quarters, and zones from minimum to desired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import Chart, Show, axis, label_room, layout, nice_ticks, value_ticks
from dashboard.theme import BAD, GOOD, QUIET, SERIES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Quarters:
    """Points by two sides. `corners` names the quarters: upper left, upper right, lower left, lower right.

    `cross` is where the quarters meet; `line` draws where both sides are equal, for sides on one scale;
    `judged` colours the quarters by what is good; `ids` name what a click on a point opens.
    """

    names: Sequence[str]
    x: Values
    y: Values
    notes: Sequence[str]
    cross: tuple[float, float]
    corners: tuple[str, str, str, str]
    axes: tuple[str, str]
    line: bool = False
    judged: bool = True
    ids: Sequence[str] = ()


def quarters(data: Quarters, across: Show, up: Show, alt: str, *, height: int = 430) -> Chart:
    """The points with their names, the cross-hair dotted, the quarters named in their corners."""
    bottom, side = (_scale(values, at) for values, at in ((data.x, data.cross[0]), (data.y, data.cross[1])))
    rows, columns = (value_ticks(*span, show) for span, show in ((side, up), (bottom, across)))
    frame = layout(height, left=label_room(rows["ticktext"]) + 22, right=16, top=10, bottom=46)
    frame["hovermode"] = "closest"
    title = {"font": {"size": 12}, "standoff": 8}
    frame["xaxis"] |= columns | {
        "range": list(bottom),
        "title": title | {"text": data.axes[0]},
        "tickangle": 0,
    }
    frame["yaxis"] |= rows | {"range": list(side), "showgrid": False, "title": title | {"text": data.axes[1]}}
    frame["shapes"] = _rules(data, bottom, side)
    frame["annotations"] = _corners(data)
    points = {
        "type": "scatter",
        "mode": "markers+text",
        "x": data.x,
        "y": data.y,
        "text": list(data.names),
        "textposition": _beside_points(data, bottom, side),
        "textfont": {"size": 12},
        "marker": {"size": 11, "color": SERIES[4]},
        "customdata": list(data.notes),
        "hovertemplate": "%{customdata}<extra></extra>",
        "cliponaxis": False,
    }
    points |= {"ids": list(data.ids)} if data.ids else {}
    return Chart({"data": [points], "layout": frame}, alt, height)


def _beside_points(data: Quarters, bottom: tuple[float, float], side: tuple[float, float]) -> list[str]:
    """Where names stand: above their points, below where another point lies close above."""
    x, y = (values / (high - low) for values, (low, high) in ((data.x, bottom), (data.y, side)))
    across, above = np.abs(x[:, None] - x), y - y[:, None]
    later = np.arange(len(x))[:, None] > np.arange(len(x))
    crowded = (across < 0.2) & (above < 0.08) & ((above > 0) | ((above == 0) & later))
    return ["bottom center" if any_above else "top center" for any_above in crowded.any(axis=1)]


def _scale(values: Values, cross: float) -> tuple[float, float]:
    """A range that holds every point and the cross, with room for names."""
    low, high = float(np.min(np.append(values, cross))), float(np.max(np.append(values, cross)))
    room = 0.14 * (high - low) or 0.1
    return low - room, high + room


def _rules(data: Quarters, bottom: tuple[float, float], side: tuple[float, float]) -> list[dict[str, Any]]:
    dotted = {"type": "line", "layer": "below", "line": {"color": QUIET, "width": 1.2, "dash": "dot"}}
    x, y = data.cross
    rules = [
        dotted | {"x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1},
        dotted | {"xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y},
    ]
    low, high = max(bottom[0], side[0]), min(bottom[1], side[1])
    if data.line and low < high:
        rules.append(
            dotted | {"x0": low, "x1": high, "y0": low, "y1": high, "line": {"color": QUIET, "width": 1}}
        )
    return rules


def _corners(data: Quarters) -> list[dict[str, Any]]:
    across, up = ("left", "right"), ("bottom", "top")
    places = [(x, y, across[x], up[y]) for y in (1, 0) for x in (0, 1)]
    colours = (BAD, GOOD, QUIET, SERIES[1]) if data.judged else (QUIET,) * 4
    return [
        {
            "xref": "paper",
            "yref": "paper",
            "x": x,
            "y": y,
            "xanchor": side,
            "yanchor": end,
            "text": name,
            "showarrow": False,
            "font": {"size": 12, "color": colour},
        }
        for name, (x, y, side, end), colour in zip(data.corners, places, colours, strict=True)
    ]


@dataclass(frozen=True)
class Zones:
    """Zones of tolerance, the first at the top: from what is accepted to what is wished, and what is seen."""

    names: Sequence[str]
    minimum: Values
    desired: Values
    perceived: Values
    notes: Sequence[str]
    words: tuple[str, str]
    ids: Sequence[str] = ()


def zones(data: Zones, show: Show, alt: str) -> Chart:
    """A band from minimum to desired with a dot where the service is seen."""
    count = len(data.names)
    height = 50 * count + 76
    ends = np.concatenate([data.minimum, data.desired, data.perceived])
    ticks = nice_ticks(float(ends.min()), float(ends.max()))
    frame = layout(height, left=label_room(data.names) + 22, right=16, top=46, bottom=26)
    frame["hovermode"] = "closest"
    frame["showlegend"] = True
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
    rows = np.arange(count, dtype=np.float64)
    band = {
        "type": "bar",
        "orientation": "h",
        "x": data.desired - data.minimum,
        "base": data.minimum,
        "y": rows,
        "width": 0.34,
        "marker": {"color": "rgba(126, 136, 153, 0.38)", "cornerradius": 3, "line": {"width": 0}},
        "hoverinfo": "skip",
        "name": data.words[0],
    }
    below, above = data.perceived < data.minimum, data.perceived > data.desired
    colours = np.where(below, BAD, np.where(above, GOOD, SERIES[4])).tolist()
    seen = {
        "type": "scatter",
        "mode": "markers",
        "x": data.perceived,
        "y": rows,
        "marker": {"size": 15, "color": colours},
        "customdata": list(data.notes),
        "hovertemplate": "%{customdata}<extra></extra>",
        "name": data.words[1],
    }
    seen |= {"ids": list(data.ids)} if data.ids else {}
    return Chart({"data": [band, seen], "layout": frame}, alt, height)
