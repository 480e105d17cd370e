"""The legend of a chart on paper: a swatch and a name for each trace, in rows above or below the plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dashboard.charts.layout import letters
from dashboard.snapshots.canvas import INK, Canvas, dashes
from dashboard.snapshots.marks import Trace, hue

ROW: Final = 18
"""Pixels from one row to the next."""
SWATCH: Final = 16
SIZE: Final = 11.5
_LETTER: Final = 0.56 * SIZE


def rows(traces: Sequence[Trace], layout: Mapping[str, Any], width: float) -> list[list[Trace]]:
    """The traces that the legend names, as many in a row as fit; none where the chart shows no legend."""
    found: list[list[Trace]] = []
    room = 0.0
    for number, trace in enumerate(traces):
        if not (layout.get("showlegend") and trace.get("name") and trace.get("showlegend", True)):
            continue
        needed = _width(trace)
        if not found or needed > room:
            found.append([])
            room = width
        found[-1].append({**trace, "_number": number})
        room -= needed
    return found


def is_above(layout: Mapping[str, Any]) -> bool:
    """Whether the legend stands above the plot."""
    return float(layout.get("legend", {}).get("y", 1)) > 0.5


def draw(canvas: Canvas, found: Sequence[Sequence[Trace]], left: float, top: float) -> None:
    """The rows from a corner on."""
    for row, traces in enumerate(found):
        y = top + ROW * (row + 0.5)
        for x, trace in _placed(traces, left):
            _swatch(canvas, trace, x, y)
            canvas.text(x + SWATCH + 6, y, str(trace["name"]), size=SIZE, colour=INK)


def _placed(traces: Sequence[Trace], left: float) -> Iterator[tuple[float, Trace]]:
    for trace in traces:
        yield left, trace
        left += _width(trace)


def _width(trace: Trace) -> float:
    return SWATCH + 6 + letters(str(trace["name"])) * _LETTER + 18


def _swatch(canvas: Canvas, trace: Trace, x: float, y: float) -> None:
    """A box for bars, a dot for dots, a line for lines."""
    marker, line = trace.get("marker", {}), trace.get("line", {})
    middle = x + SWATCH / 2
    if trace.get("type") == "bar":
        canvas.box(x + 2, y - 6, x + 14, y + 6, hue(trace, "marker", "color"), 2)
    elif "markers" in trace.get("mode", "lines") and "lines" not in trace.get("mode", "lines"):
        edge = marker.get("line", {})
        rim = edge.get("color", "") if edge.get("width") else ""
        canvas.dot(middle, y, 5.5, hue(trace, "marker", "color"), rim, marker.get("opacity", 1.0))
    else:
        ends = [(x, y), (x + SWATCH, y)]
        canvas.line(ends, hue(trace, "line", "color"), line.get("width", 2), dashes(line.get("dash", "")))
