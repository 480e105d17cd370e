"""Charts of lifetime value: revenue so far against P(alive), and what came against what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import POINTED, Chart, Show, axis, label_room, layout
from dashboard.charts.retention import Curve, curves
from dashboard.theme import GRID, QUIET, SERIES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Customers as points: P(alive), an amount above zero, the quadrant, and what the tooltip says."""

    alive: Values
    amount: Values
    group: Sequence[str]
    notes: Sequence[str]


def quadrants(
    points: Points,
    names: Mapping[str, str],
    cut: tuple[float, float],
    show: Show,
    percent: Show,
    alt: str,
    *,
    height: int = 360,
) -> Chart:
    """Points in four quadrants about `cut` (P(alive), amount); amounts in logs, names in corners."""
    ticks = _decades(points.amount)
    frame = layout(height, left=label_room([show(tick) for tick in ticks]), right=12, top=22, bottom=34)
    frame |= POINTED
    low, high = np.log10(max(points.amount.min(), ticks[0])), np.log10(points.amount.max())
    frame["yaxis"] |= {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [show(tick) for tick in ticks],
        "range": [low - 0.4, high + 0.3],
    }
    at = [0.0, 0.25, 0.5, 0.75, 1.0]
    frame["xaxis"] |= axis() | {
        "range": [-0.03, 1.03],
        "tickmode": "array",
        "tickvals": at,
        "ticktext": [percent(tick) for tick in at],
    }
    frame["shapes"] = _cross(cut)
    frame["annotations"] = _corners(names)
    traces = [_cloud(points, group, colour) for group, colour in zip(names, SERIES, strict=False)]
    return Chart({"data": traces, "layout": frame}, alt, height)


def _decades(amounts: Values) -> list[float]:
    first, last = np.floor(np.log10([amounts.min(), amounts.max()])).astype(int)
    return [10.0**power for power in range(max(first, last - 3), last + 1)]


def _cloud(points: Points, group: str, colour: str) -> dict[str, Any]:
    chosen = np.array([each == group for each in points.group], dtype=bool)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": points.alive[chosen],
        "y": points.amount[chosen],
        "marker": {"color": colour, "size": 6, "opacity": 0.65, "line": {"width": 0}},
        "customdata": [note for note, taken in zip(points.notes, chosen, strict=True) if taken],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _cross(cut: tuple[float, float]) -> list[dict[str, Any]]:
    line = {"type": "line", "line": {"color": QUIET, "width": 1, "dash": "dot"}}
    across = {"xref": "paper", "x0": 0, "x1": 1, "y0": cut[1], "y1": cut[1]}
    return [line | {"x0": cut[0], "x1": cut[0], "yref": "paper", "y0": 0, "y1": 1}, line | across]


def _corners(names: Mapping[str, str]) -> list[dict[str, Any]]:
    places = {
        "keep": (1, 1, "right", "bottom"),
        "win_back": (0, 1, "left", "bottom"),
        "develop": (1, 0, "right", "bottom"),
        "let_go": (0, 0, "left", "bottom"),
    }
    return [
        {
            "xref": "paper",
            "yref": "paper",
            "x": x,
            "y": y,
            "xanchor": across,
            "yanchor": up,
            "text": names[group],
            "showarrow": False,
            "font": {"size": 12, "color": colour},
        }
        for (group, (x, y, across, up)), colour in zip(places.items(), SERIES, strict=False)
    ]


def followed(
    actual: Values, expected: Values, names: tuple[str, str], split: float, show: Show, across: Show, alt: str
) -> Chart:
    """What came and what was expected, period by period; the holdout begins at the dotted line."""
    at = np.arange(1, len(actual) + 1, dtype=np.float64)
    lines = [Curve(names[0], at, actual), Curve(names[1], at, expected)]
    chart = curves(lines, show, across, alt)
    if split > 0:
        rule = {"type": "line", "x0": split, "x1": split, "yref": "paper", "y0": 0, "y1": 1}
        chart.figure["layout"]["shapes"] = [rule | {"line": {"color": GRID, "width": 2, "dash": "dot"}}]
    return chart
