"""Charts of the scorecard: bars in cells, and the quadrant of what is worth doing first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np

from dashboard.charts.layout import POINTED, Chart, Show, axis, clipped, label_room, layout, value_ticks
from dashboard.theme import GRID, QUIET, SERIES

LARGEST: Final = 34.0
"""Pixels across the largest bubble."""
NAMED: Final = 5


@dataclass(frozen=True)
class Move:
    """One bubble: feasibility (0 to 1), what is to be expected, customers, driver, name and tooltip.

    `lines` are the two lines that name it in the chart: its driver and its segment.
    """

    feasible: float
    expected: float
    customers: float
    driver: str
    name: str
    note: str
    lines: tuple[str, str]


def priorities(
    moves: Sequence[Move], names: Mapping[str, str], show: Show, percent: Show, alt: str, *, height: int = 400
) -> Chart:
    """Moves by feasibility and expected value; size is customers, colour the driver; the best are named."""
    values = [move.expected for move in moves]
    scale = value_ticks(min(0.0, *values), max(values), show)
    frame = layout(height, left=label_room(scale["ticktext"]), right=12, top=24, bottom=40)
    frame |= POINTED
    span = scale["range"][1] - scale["range"][0]
    frame["yaxis"] |= scale | {"range": [scale["range"][0] - 0.06 * span, scale["range"][1] + 0.12 * span]}
    spread = [move.feasible for move in moves]
    low, high = max(0.0, min(spread) - 0.06), min(1.0, max(spread) + 0.1)
    at = [tick / 10 for tick in range(0, 11) if low <= tick / 10 <= high]
    frame["xaxis"] |= axis() | {
        "range": [low, high],
        "tickmode": "array",
        "tickvals": at,
        "ticktext": [percent(tick) for tick in at],
    }
    frame["shapes"] = _cross(float(np.median(spread)), float(np.median(values)))
    most = max(move.customers for move in moves) or 1.0
    traces = [
        _bubbles(moves, driver, colour_of(names, driver), most) | {"name": names[driver]} for driver in names
    ]
    frame["annotations"] = _labels(moves, low + 0.6 * (high - low))
    frame["showlegend"] = True
    frame["legend"] = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.1, "yanchor": "top"}
    drawn = [trace for trace in traces if len(trace["x"])]
    keys = [(str(trace["name"]), str(trace["marker"]["color"])) for trace in drawn]
    return Chart({"data": drawn, "layout": frame}, alt, height, keys=keys)


def colour_of(names: Mapping[str, str], driver: str) -> str:
    """The colour of a driver by its place among those named; what has no colour of its own is grey."""
    at = list(names).index(driver)
    return SERIES[at] if at < len(SERIES) else QUIET


def _bubbles(moves: Sequence[Move], driver: str, colour: str, most: float) -> dict[str, Any]:
    ours = [move for move in moves if move.driver == driver]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": np.array([move.feasible for move in ours]),
        "y": np.array([move.expected for move in ours]),
        "marker": {
            "color": colour,
            "opacity": 0.72,
            "size": np.array([max(7.0, LARGEST * np.sqrt(move.customers / most)) for move in ours]),
            "line": {"width": 0},
        },
        "cliponaxis": False,
        "customdata": [move.note for move in ours],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _cross(x: float, y: float) -> list[dict[str, Any]]:
    line = {"type": "line", "line": {"color": GRID, "width": 1.5, "dash": "dot"}}
    return [
        line | {"x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1},
        line | {"xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y},
    ]


def _labels(moves: Sequence[Move], turn: float) -> list[dict[str, Any]]:
    """The names of the best moves beside their bubbles, further apart than two lines are high.

    From `turn` on they stand to the left of their bubbles, where there is room.
    """
    best = sorted(moves, key=lambda move: -move.expected)[:NAMED]
    span = (max(move.expected for move in moves) - min(0.0, *(move.expected for move in moves))) or 1.0
    taken: list[Move] = []
    for move in best:
        near = (
            abs(move.expected - each.expected) < 0.12 * span and abs(move.feasible - each.feasible) < 0.16
            for each in taken
        )
        if not any(near):
            taken.append(move)
    return [_label(move, before=move.feasible > turn) for move in taken]


def _label(move: Move, *, before: bool) -> dict[str, Any]:
    return {
        "x": move.feasible,
        "y": move.expected,
        "text": "<br>".join(escape(line) for line in clipped(move.lines, 22)),
        "showarrow": False,
        "align": "right" if before else "left",
        "xanchor": "right" if before else "left",
        "xshift": -20 if before else 20,
        "font": {"size": 11.5, "color": QUIET},
    }


@dataclass(frozen=True)
class Line:
    """A row of the scorecard: the texts by column, and the length of its two bars (0 to 1)."""

    texts: Sequence[str]
    band: str
    band_word: str
    alone: float
    expected: float
    closed: bool = False


def scorecard_table(
    heads: Sequence[tuple[str, str]], lines: Sequence[Line], bars: tuple[int, int], label: str
) -> str:
    """The scorecard as an HTML table; `heads` are titles with a kind, `bars` the columns that carry bars.

    The first two columns are the rank and the name of the row; the third carries the sign of the band.
    """
    head = "".join(f'<th scope="col" class="{kind}">{escape(title)}</th>' for title, kind in heads)
    body = "".join(_line(heads, line, bars) for line in lines)
    return (
        f'<div class="table-wrap" role="region" aria-label="{escape(label, quote=True)}" tabindex="0">'
        f'<table class="plain scorecard"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _line(heads: Sequence[tuple[str, str]], line: Line, bars: tuple[int, int]) -> str:
    cells = "".join(_cell(heads[at][1], text, line, at, bars) for at, text in enumerate(line.texts))
    return f'<tr class="{"closed" if line.closed else ""}">{cells}</tr>'


def _cell(kind: str, text: str, line: Line, at: int, bars: tuple[int, int]) -> str:
    if at == 2:
        sign = (
            f'<i class="band {line.band}" title="{escape(line.band_word, quote=True)}"></i>'
            if line.band
            else ""
        )
        spoken = f'<span class="spoken">{escape(line.band_word)} </span>' if line.band else ""
        return f'<td class="{kind}">{sign}{spoken}{escape(text)}</td>'
    if at in bars:
        size = line.alone if at == bars[0] else line.expected
        side = "below" if size < 0 else ""
        return (
            f'<td class="{kind} barred"><span>{escape(text)}</span>'
            f'<i class="inbar {side}" style="--size:{min(abs(size), 1.0) * 100:.0f}%"></i></td>'
        )
    return f'<td class="{kind}">{escape(text)}</td>'
