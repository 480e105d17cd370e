"""Charts of customer equity: what each lever moves, and how unevenly customers bring money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import POINTED, Chart, Show, axis, label_room, layout
from dashboard.charts.retention import Curve, curves
from dashboard.theme import SERIES

Values = NDArray[np.float64]
_ROW = 44


def tornado(names: Sequence[str], low: Values, high: Values, show: Show, alt: str) -> Chart:
    """Two bars a lever from zero: what less of it and what more of it does, the widest at the top."""
    height = _ROW * len(names) + 8
    frame = layout(height, left=label_room(names), right=4, top=0, bottom=0)
    frame |= POINTED
    frame["barmode"] = "overlay"
    both = np.concatenate([low, high, [0.0]])
    room = float(np.nanmax(both) - np.nanmin(both)) * 0.3 or 1.0
    frame["xaxis"] = axis() | {
        "showticklabels": False,
        "range": [float(np.nanmin(both)) - room, float(np.nanmax(both)) + room],
    }
    frame["yaxis"] = axis() | {
        "tickmode": "array",
        "tickvals": np.arange(len(names)),
        "ticktext": [f"{name}  " for name in names],
        "range": [len(names) - 0.5, -0.5],
    }
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "x": values,
            "y": np.arange(len(names)),
            "marker": {"color": colour, "line": {"width": 0}, "cornerradius": 3},
            "text": [show(float(value)) for value in values],
            "textposition": "outside",
            "cliponaxis": False,
            "constraintext": "none",
            "customdata": [f"{name}: {show(float(v))}" for name, v in zip(names, values, strict=True)],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for values, colour in ((low, SERIES[1]), (high, SERIES[0]))
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def cumulative(
    x: Values, y: Values, names: tuple[str, str], reference: Values, percent: Show, alt: str, *, at: float
) -> Chart:
    """A curve of cumulative shares beside its reference, in per cent of customers and of the total.

    The curve's name stands below it at the share `at` of customers.
    """
    lines = [
        Curve(names[0], 100 * x, y, notes=_notes(x, y, percent)),
        Curve(names[1], 100 * x, reference, notes=_notes(x, reference, percent)),
    ]
    top = max(1.0, float(np.nanmax(y)))
    chart = curves(lines, percent, lambda tick: percent(tick / 100), alt, high=top)
    chart.figure["layout"]["margin"]["r"] = 12
    chart.figure["layout"]["annotations"] = [
        _name(names[0], x, y, at, SERIES[0], {"xanchor": "left", "xshift": 8, "yshift": -10}),
        _name(names[1], x, reference, 0.35, SERIES[1], {"xanchor": "right", "yshift": 11}),
    ]
    return chart


def _name(name: str, x: Values, y: Values, at: float, colour: str, place: dict[str, Any]) -> dict[str, Any]:
    """The name of a curve beside it, since both end in one point."""
    nearest = int(np.abs(x - at).argmin())
    spot = {"x": 100 * float(x[nearest]), "y": float(y[nearest]), "text": name, "showarrow": False}
    return spot | {"font": {"size": 12, "color": colour}} | place


def _notes(x: Values, y: Values, percent: Show) -> list[str]:
    return [f"{percent(float(b))} ({percent(float(a))})" for a, b in zip(x, y, strict=True)]
