"""From one total to another by steps: the revenue bridge. On its side, so that it also reads on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.charts.layout import POINTED, Chart, Show, axis, label_room, layout
from dashboard.theme import BAD, GOOD, QUIET


@dataclass(frozen=True)
class Step:
    """One bar: a total from zero, or a change from where the last one ended."""

    name: str
    value: float
    total: bool = False


def waterfall(
    steps: Sequence[Step], show: Show, show_change: Show, alt: str, *, height: int = 0, room: float = 0.26
) -> Chart:
    """The bridge over `steps`, from top to bottom; `room` is the part of the span that labels take."""
    height = height or 36 * len(steps) + 16
    trace = {
        "type": "waterfall",
        "orientation": "h",
        "x": np.array([step.value for step in steps]),
        "y": np.arange(len(steps)),
        "measure": ["absolute" if step.total else "relative" for step in steps],
        "text": [(show if step.total else show_change)(step.value) for step in steps],
        "textposition": "outside",
        "cliponaxis": False,
        "constraintext": "none",
        "increasing": {"marker": {"color": GOOD, "line": {"width": 0}}},
        "decreasing": {"marker": {"color": BAD, "line": {"width": 0}}},
        "totals": {"marker": {"color": QUIET, "line": {"width": 0}}},
        "connector": {"mode": "between", "line": {"color": QUIET, "width": 1, "dash": "dot"}},
        "customdata": [f"{step.name}: {(show if step.total else show_change)(step.value)}" for step in steps],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    left = label_room([step.name for step in steps])
    frame = layout(height, left=left, right=4, top=0, bottom=0)
    frame |= POINTED
    frame["waterfallgap"] = 0.42
    frame["xaxis"] = axis() | {"showticklabels": False, "range": _range(steps, room)}
    frame["yaxis"] = axis() | {
        "tickmode": "array",
        "tickvals": np.arange(len(steps)),
        "ticktext": [f"<b>{step.name}</b>  " if step.total else f"{step.name}  " for step in steps],
        "range": [len(steps) - 0.5, -0.5],
    }
    return Chart({"data": [trace], "layout": frame}, alt, height)


def _range(steps: Sequence[Step], part: float) -> list[float]:
    """From the lowest to the highest point that a bar reaches, with room for the labels."""
    reached, level = [0.0], 0.0
    for step in steps:
        level = step.value if step.total else level + step.value
        reached.append(level)
    low, high = min(reached), max(reached)
    room = (high - low) * part or 1.0
    return [low - (room if low < 0 else 0.0), high + room]
