"""Segments: which of them hold the same customers (UpSet), and how customers move between groups (Sankey)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import (
    POINTED,
    Chart,
    Show,
    axis,
    clipped,
    label_room,
    layout,
    spread,
    value_ticks,
)
from dashboard.theme import QUIET, SERIES

Flags = NDArray[np.bool_]
Values = NDArray[np.float64]
ROW = 24
UPRIGHT = 6
"""Of more bars than this the numbers are turned, so that they stand apart on a phone."""
PAD, TOP, BOTTOM, LEFT = 16, 6, 10, 1e-3


def upset(names: Sequence[str], flags: Flags, counts: Sequence[int], show: Show, alt: str) -> Chart:
    """Bars of how many are in exactly these segments, over a grid of dots that says which.

    `flags` has a row for each bar and a column for each name.
    """
    many, rows = len(counts), len(names)
    low = 40 + ROW * rows
    height = 250 + low
    frame = layout(height, left=label_room(clipped(names)), right=6, top=40, bottom=8)
    frame |= POINTED
    split = low / height
    frame["xaxis"] = axis() | {"showticklabels": False, "range": [-0.6, many - 0.4], "anchor": "y2"}
    frame["yaxis"] |= {"domain": [split, 1], "showticklabels": False, "showgrid": False}
    frame["yaxis2"] = axis() | {
        "domain": [0, split - 0.03],
        "tickmode": "array",
        "tickvals": list(range(rows)),
        "ticktext": [f"{name}  " for name in clipped(names)],
        "range": [rows - 0.5, -0.5],
    }
    at, row = np.nonzero(flags)
    off_at, off_row = np.nonzero(~flags)
    traces = [
        _counts(counts, show, _combined(names, flags)),
        *_links(flags),
        _dots(off_at, off_row, "rgba(126, 136, 153, 0.25)"),
        _dots(at, row, SERIES[0]),
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def _combined(names: Sequence[str], flags: Flags) -> list[str]:
    return [" + ".join(name for name, held in zip(names, row, strict=True) if held) for row in flags]


def _counts(counts: Sequence[int], show: Show, combined: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": np.arange(len(counts)),
        "y": np.asarray(counts, dtype=np.float64),
        "marker": {"color": SERIES[0], "line": {"width": 0}, "cornerradius": 3},
        "text": [show(float(count)) for count in counts],
        "textposition": "outside",
        "cliponaxis": False,
        "constraintext": "none",
        "textangle": -90 if len(counts) > UPRIGHT else 0,
        "textfont": {"size": 11},
        "customdata": [f"{name}: {show(float(n))}" for name, n in zip(combined, counts, strict=True)],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _dots(x: NDArray[np.int64], y: NDArray[np.int64], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "yaxis": "y2",
        "marker": {"color": colour, "size": 10},
        "hoverinfo": "skip",
    }


def _links(flags: Flags) -> list[dict[str, Any]]:
    """The line that joins the dots of one bar."""
    links = []
    for at, row in enumerate(flags):
        held = np.flatnonzero(row)
        if len(held) > 1:
            line = {"type": "scatter", "mode": "lines", "x": [at, at], "y": [int(held[0]), int(held[-1])]}
            look = {"yaxis": "y2", "line": {"color": SERIES[0], "width": 2}, "hoverinfo": "skip"}
            links.append(line | look)
    return links


def migration(
    before: Mapping[str, str],
    after: Mapping[str, str],
    counts: Mapping[tuple[str, str], int],
    show: Show,
    alt: str,
) -> Chart:
    """A Sankey from the groups of one date to those of another; the maps name the groups in their order."""
    left, right = list(before), list(after)
    every = list(dict.fromkeys((*left, *right)))
    colours = {key: SERIES[at % len(SERIES)] if key != "none" else QUIET for at, key in enumerate(every)}
    links = [(pair, n) for pair, n in counts.items() if n]
    height = max(320, (PAD + 20) * max(len(left), len(right)))
    sums = [
        [sum(n for pair, n in links if pair[side] == key) for key in keys]
        for side, keys in enumerate((left, right))
    ]
    trace: dict[str, Any] = {
        "type": "sankey",
        "arrangement": "fixed",
        "textfont": {"shadow": "none"},
        "node": {
            "label": [*(before[key] for key in left), *(after[key] for key in right)],
            "color": [colours[key] for key in (*left, *right)],
            "x": [LEFT] * len(left) + [1 - LEFT] * len(right),
            "y": [
                place
                for side in sums
                for place in _places(side, height - TOP - BOTTOM, most=max(map(len, sums)))
            ],
            "pad": PAD,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{label}: %{value:,}<extra></extra>",
        },
        "link": {
            "source": [left.index(pair[0]) for pair, _n in links],
            "target": [len(left) + right.index(pair[1]) for pair, _n in links],
            "value": [n for _pair, n in links],
            "color": [_pale(colours[pair[0]]) for pair, _n in links],
            "customdata": [
                f"{before[pair[0]]} \N{RIGHTWARDS ARROW} {after[pair[1]]}: {show(n)}" for pair, n in links
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    }
    frame = layout(height, left=4, right=4, top=TOP, bottom=BOTTOM)
    frame |= POINTED
    return Chart({"data": [trace], "layout": frame}, alt, height)


def _places(sizes: Sequence[int], height: float, most: int) -> list[float]:
    """The middles of the nodes of one side from the top down, in their order, over the whole height.

    Plotly would order them anew. It makes the nodes of both sides as high as the fuller side allows.
    """
    total = sum(sizes)
    each = (height - PAD * (most - 1)) / total
    gap = (height - each * total) / max(len(sizes) - 1, 1)
    ends = np.cumsum([size * each + gap for size in sizes])
    return [float((end - gap - size * each / 2) / height) for end, size in zip(ends, sizes, strict=True)]


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.30)"


def sizes(
    periods: Sequence[str],
    lines: Mapping[str, Values],
    show: Show,
    tick: Show,
    alt: str,
    *,
    height: int = 300,
) -> Chart:
    """How large groups were at the end of each period: a line each, its name at its end."""
    height = 300
    top = max((float(np.nanmax(values)) for values in lines.values()), default=1.0)
    scale = value_ticks(0.0, top or 1.0, tick)
    room = label_room(clipped(list(lines)))
    frame = layout(height, left=label_room(scale["ticktext"]), right=room, bottom=40)
    at = spread(len(periods))
    frame["yaxis"] |= scale
    frame["xaxis"] |= {
        "tickmode": "array",
        "tickvals": at,
        "ticktext": [periods[place] for place in at],
        "tickangle": 0,
        "range": [-0.2, len(periods) - 0.8],
    }
    frame["hovermode"] = "x unified"
    colours = {name: SERIES[place % len(SERIES)] for place, name in enumerate(lines)}
    frame["annotations"] = _ends(lines, colours, scale["range"][1], height)
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": np.arange(len(values)),
            "y": values,
            "line": {"color": colours[name], "width": 2.25},
            "customdata": [f"{name}: {show(float(value))}" for value in values],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for name, values in lines.items()
    ]
    return Chart({"data": traces, "layout": frame}, alt, height)


def _ends(
    lines: Mapping[str, Values], colours: Mapping[str, str], top: float, height: int
) -> list[dict[str, Any]]:
    """The name of each line at its end, moved apart where two would touch."""
    room, above, found = top * 16 / max(height - 48, 1), float("inf"), []
    for name in sorted(lines, key=lambda name: -float(lines[name][-1])):
        above = min(float(lines[name][-1]), above - room)
        found.append(
            {
                "x": len(lines[name]) - 1,
                "y": above,
                "text": clipped([name])[0],
                "xanchor": "left",
                "yanchor": "middle",
                "xshift": 8,
                "showarrow": False,
                "font": {"size": 12, "color": colours[name]},
            }
        )
    return found
