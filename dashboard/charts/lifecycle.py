"""Who came, stayed, came back and went: bars with losses below the axis, and flows between two periods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import POINTED, Chart, Show, label_room, layout, spread, value_ticks
from dashboard.theme import BAD, QUIET, SERIES

COLOURS: Final = {
    "new": SERIES[2],
    "retained": SERIES[0],
    "reactivated": SERIES[4],
    "dormant": QUIET,
    "lost": BAD,
    "churned": BAD,
    "unborn": QUIET,
    "expansion": SERIES[4],
    "reactivation": SERIES[0],
    "contraction": SERIES[1],
    "churn": BAD,
}


@dataclass(frozen=True)
class Layer:
    """One kind of movement: its key, its name, its size by period (losses negative)."""

    key: str
    name: str
    values: NDArray[np.float64]


def balance(
    periods: Sequence[str], layers: Sequence[Layer], show: Show, tick: Show, alt: str, *, height: int = 320
) -> Chart:
    """Stacked bars, gains above and losses below the axis."""
    stacked = np.stack([layer.values for layer in layers])
    low = float(np.minimum(stacked, 0).sum(axis=0).min())
    high = float(np.maximum(stacked, 0).sum(axis=0).max())
    scale = value_ticks(low, high or 1.0, tick)
    scale["range"][0] = max(scale["range"][0], low - 0.07 * (high - low))
    frame = layout(
        height,
        left=label_room(scale["ticktext"]),
        right=16,
        top=6 + 20 * math.ceil(len(layers) / 2),
        bottom=40,
    )
    at = spread(len(periods))
    frame["barmode"] = "relative"
    frame["bargap"] = 0.25
    frame["hovermode"] = "x unified"
    frame["yaxis"] |= scale | {"zeroline": True, "zerolinecolor": QUIET, "zerolinewidth": 1}
    frame["xaxis"] |= {
        "tickmode": "array",
        "tickvals": at,
        "ticktext": [periods[position] for position in at],
        "tickangle": 0,
    }
    frame["showlegend"] = True  # on a phone two names stand in a row: the room above holds them all
    frame["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}}
    traces = [
        {
            "type": "bar",
            "name": layer.name,
            "x": np.arange(len(periods)),
            "y": layer.values,
            "marker": {"color": COLOURS[layer.key], "line": {"width": 0}},
            "customdata": [f"{layer.name}: {show(abs(float(value)))}" for value in layer.values],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for layer in layers
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def flow(
    before: Mapping[str, str],
    now: Mapping[str, str],
    moves: Mapping[tuple[str, str], int],
    show: Show,
    alt: str,
) -> Chart:
    """A Sankey from the states of the period before to those of this one; the maps name the states."""
    left, right = list(before), list(now)
    nodes = [*(before[key] for key in left), *(now[key] for key in right)]
    links = [(pair, count) for pair, count in moves.items() if pair[0] in before and pair[1] in now and count]
    trace: dict[str, Any] = {
        "type": "sankey",
        "arrangement": "snap",
        "textfont": {"shadow": "none"},
        "node": {
            "label": nodes,
            "color": [COLOURS[key] for key in (*left, *right)],
            "pad": 18,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{label}: %{value:,}<extra></extra>",
        },
        "link": {
            "source": [left.index(pair[0]) for pair, _count in links],
            "target": [len(left) + right.index(pair[1]) for pair, _count in links],
            "value": [count for _pair, count in links],
            "color": [_pale(COLOURS[pair[1]]) for pair, _count in links],
            "customdata": [
                f"{before[pair[0]]} \N{RIGHTWARDS ARROW} {now[pair[1]]}: {show(count)}"
                for pair, count in links
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    }
    height = 320
    frame = layout(height, left=4, right=4, top=6, bottom=10)
    frame |= POINTED
    return Chart({"data": [trace], "layout": frame}, alt, height)


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.35)"
