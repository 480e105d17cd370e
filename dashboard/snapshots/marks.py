"""The marks of a chart on paper: lines, areas, dots, bars, bridges and flows, from Plotly's traces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from dashboard.snapshots.canvas import INK, MUTED, Canvas, Extent, NotDrawable, dashes, paint
from dashboard.theme import BAD, GOOD, QUIET, SERIES

Trace = Mapping[str, Any]
Layout = Mapping[str, Any]
Points = list[tuple[float, float]]


@dataclass
class Drawing:
    """A figure under way: its traces, what bars and areas are stacked on, the line drawn last."""

    canvas: Canvas
    traces: Sequence[Trace]
    layout: Layout
    stacks: dict[Any, float] = field(default_factory=dict)
    beneath: Points = field(default_factory=list)


def draw(canvas: Canvas, traces: Sequence[Trace], layout: Layout) -> None:
    """Every trace, the first at the bottom."""
    drawing = Drawing(canvas, traces, layout)
    for number, trace in enumerate(traces):
        kind = trace.get("type", "scatter")
        if kind not in MARKS:
            fault = f"a chart of kind `{kind}` has no form on paper"
            raise NotDrawable(fault)
        MARKS[kind](drawing, {**trace, "_number": number})


def extent(traces: Sequence[Trace], layout: Layout, name: str) -> Extent:
    """The lowest and highest value on an axis, and its categories where values are names."""
    values = [value for trace in traces for value in trace.get(name, ()) or () if value is not None]
    names = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
    if names:
        return -0.5, len(names) - 0.5, names
    numbers = [float(value) for value in values]
    stacked = layout.get("barmode") in ("stack", "relative") or any(t.get("stackgroup") for t in traces)
    if stacked and name == "y":
        numbers += _sums(traces)
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    return low, high if high > low else low + 1.0, ()


def _sums(traces: Sequence[Trace]) -> list[float]:
    sums: dict[Any, float] = {}
    for trace in traces:
        for x, y in zip(trace.get("x", ()), trace.get("y", ()), strict=False):
            sums[x, (y or 0) >= 0] = sums.get((x, (y or 0) >= 0), 0.0) + (y or 0)
    return list(sums.values())


def hue(trace: Trace, *path: str, otherwise: str = "") -> str:
    """The colour of a trace at a place such as `marker`, `color`; where many are named, the first of them."""
    found: Any = trace
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, list | tuple) and found:
        found = found[0]
    return found if isinstance(found, str) else otherwise or SERIES[trace["_number"] % len(SERIES)]


def _each(value: Any, count: int) -> list[Any]:  # noqa: ANN401 - whatever Plotly takes one or many of
    """One value for each mark, whether one or many are given."""
    if isinstance(value, list | tuple):
        return list(value) + [None] * (count - len(value))
    return [value] * count


def _scatter(drawing: Drawing, trace: Trace) -> None:
    canvas, stacks = drawing.canvas, drawing.stacks
    xs, ys = list(trace.get("x", ())), list(trace.get("y", ()))
    base = [(canvas.x.at(x), canvas.y.at(stacks.get(x, 0.0))) for x in xs]
    if trace.get("stackgroup"):
        for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
            stacks[x] = ys[at] = stacks.get(x, 0.0) + (y or 0.0)
    points = [(canvas.x.at(x), canvas.y.at(y)) for x, y in zip(xs, ys, strict=True)]
    line = trace.get("line", {})
    path = _stairs(points) if line.get("shape") == "hv" else points
    _fill(drawing, trace, path, base)
    mode = trace.get("mode", "lines")
    if "lines" in mode and line.get("width", 2):
        canvas.line(path, hue(trace, "line", "color"), line.get("width", 2), dashes(line.get("dash", "")))
    _bars_of_error(canvas, trace, xs, ys)
    if "markers" in mode:
        _dots(canvas, trace, points)
    if "text" in mode:
        _texts(canvas, trace, points)
    drawing.beneath = path


def _stairs(points: Points) -> Points:
    """The points joined by steps: across first, then up or down."""
    if len(points) < 2:
        return points
    stairs = [points[0]]
    for (_x0, y0), (x1, y1) in pairwise(points):
        stairs += [(x1, y0), (x1, y1)]
    return stairs


def _fill(drawing: Drawing, trace: Trace, path: Points, base: Points) -> None:
    fill = trace.get("fill") or ("tonexty" if trace.get("stackgroup") else "none")
    if fill == "none" or not path:
        return
    colour = trace.get("fillcolor") or hue(trace, "line", "color")
    if trace.get("stackgroup"):
        under = base
    elif fill == "tonexty":
        under = drawing.beneath
    elif fill == "toself":
        under = []
    else:
        under = [(x, drawing.canvas.y.at(0)) for x, _y in path]
    drawing.canvas.area([*path, *reversed(under)], colour)


def _dots(canvas: Canvas, trace: Trace, points: Points) -> None:
    marker = trace.get("marker", {})
    sizes, colours = (_each(marker.get(name), len(points)) for name in ("size", "color"))
    around = marker.get("line", {})
    edges = _each(around.get("color") if around.get("width") else None, len(points))
    for (x, y), size, colour, rim in zip(points, sizes, colours, edges, strict=True):
        drawn = colour if isinstance(colour, str) else hue(trace, "line", "color")
        radius = (6.0 if size is None else float(size)) / 2
        if radius:
            edge = rim if isinstance(rim, str) else ""
            canvas.dot(x, y, radius, drawn, edge, marker.get("opacity", 1.0))


def _texts(canvas: Canvas, trace: Trace, points: Points) -> None:
    place = trace.get("textposition", "middle center")
    for (x, y), words in zip(points, _each(trace.get("text"), len(points)), strict=True):
        if words is None or math.isnan(x) or math.isnan(y):
            continue
        shift = {"left": -8, "right": 8}.get(str(place).rsplit(" ", 1)[-1], 0)
        anchor = {"left": "end", "right": "start"}.get(str(place).rsplit(" ", 1)[-1], "middle")
        lift = {"top": -11, "bottom": 11}.get(str(place).split(" ", 1)[0], 0)
        size = trace.get("textfont", {}).get("size", 11.5)
        canvas.text(x + shift, y + lift, str(words), anchor=anchor, size=size)


def _bars_of_error(canvas: Canvas, trace: Trace, xs: Sequence[Any], ys: Sequence[Any]) -> None:
    """The interval of each point, along x or y."""
    for name in ("error_x", "error_y"):
        error = trace.get(name)
        if not error or error.get("visible") is False:
            continue
        ups = _each(error.get("array"), len(xs))
        downs = _each(error.get("arrayminus") or error.get("array"), len(xs))
        colour = error.get("color") or hue(trace, "marker", "color", otherwise=hue(trace, "line", "color"))
        for x, y, up, down in zip(xs, ys, ups, downs, strict=True):
            if None in (x, y, up, down):
                continue
            ends = ((x - down, y), (x + up, y)) if name == "error_x" else ((x, y - down), (x, y + up))
            canvas.line(
                [(canvas.x.at(a), canvas.y.at(b)) for a, b in ends], colour, error.get("thickness", 1.5)
            )


def _bar(drawing: Drawing, trace: Trace) -> None:
    canvas = drawing.canvas
    across = trace.get("orientation") == "h"
    places, lengths = (trace["y"], trace["x"]) if across else (trace["x"], trace["y"])
    along, other = (canvas.x, canvas.y) if across else (canvas.y, canvas.x)
    colours = _each(trace.get("marker", {}).get("color"), len(places))
    bases = _each(trace.get("base"), len(places))
    half, shift = _width(drawing, trace)
    widths = _each(trace.get("width"), len(places))
    texts = _each(trace.get("text"), len(places))
    for at, (place, length) in enumerate(zip(places, lengths, strict=True)):
        if length is None:
            continue
        start = _start(drawing, place, length, bases[at])
        middle = other.names.index(place) if isinstance(place, str) and other.names else float(place)
        reach = half if widths[at] is None else float(widths[at]) / 2
        edges = other.at(middle + shift - reach), other.at(middle + shift + reach)
        ends = along.at(start), along.at(start + length)
        colour = colours[at] if isinstance(colours[at], str) else hue(trace, "marker", "color")
        corners = (ends[0], edges[0], ends[1], edges[1]) if across else (edges[0], ends[0], edges[1], ends[1])
        canvas.box(*corners, colour, 2)
        _label(canvas, texts[at], ends, sum(edges) / 2, trace, across=across)
    _bars_of_error(canvas, trace, trace["x"], trace["y"])


def _start(drawing: Drawing, place: object, length: float, base: float | None) -> float:
    """Where a bar begins: at its base, on what is stacked under it, or at zero."""
    if base is not None:
        return float(base)
    if drawing.layout.get("barmode") not in ("stack", "relative"):
        return 0.0
    key = (place, length >= 0)
    start = drawing.stacks.get(key, 0.0)
    drawing.stacks[key] = start + length
    return start


def _width(drawing: Drawing, trace: Trace) -> tuple[float, float]:
    """Half the width of a bar, and how far it lies from the middle of its place."""
    room = 1 - float(drawing.layout.get("bargap", 0.2))
    beside = [each for each in drawing.traces if each.get("type") == "bar"]
    if drawing.layout.get("barmode", "group") != "group" or len(beside) < 2:
        return room / 2, 0.0
    at = next(place for place, each in enumerate(beside) if each.get("y") is trace.get("y"))
    each_room = room / len(beside)
    return each_room / 2, (at - (len(beside) - 1) / 2) * each_room


def _label(
    canvas: Canvas, words: object, ends: tuple[float, float], middle: float, trace: Trace, *, across: bool
) -> None:
    """The text of a bar: beyond its end, or within it."""
    if words in (None, "") or trace.get("textposition") == "none":
        return
    inside = trace.get("textposition") == "inside"
    away = 1 if ends[1] >= ends[0] else -1
    size = trace.get("textfont", {}).get("size", 11.5)
    if inside:
        x, y = (sum(ends) / 2, middle) if across else (middle, sum(ends) / 2)
        canvas.text(x, y, str(words), anchor="middle", size=size, colour="#FFFFFF")
    elif across:
        canvas.text(ends[1] + 5 * away, middle, str(words), anchor="start" if away > 0 else "end", size=size)
    else:
        canvas.text(middle, ends[1] + 8 * away, str(words), anchor="middle", size=size)


def _waterfall(drawing: Drawing, trace: Trace) -> None:
    """A bridge on its side: totals from zero, changes from where the last one ended."""
    if trace.get("orientation") != "h":
        fault = "an upright bridge has no form on paper"
        raise NotDrawable(fault)
    canvas = drawing.canvas
    half = (1 - float(drawing.layout.get("bargap", 0.2))) / 2
    end = 0.0
    for place, value, measure, words in zip(
        trace["y"], trace["x"], trace["measure"], _each(trace.get("text"), len(trace["y"])), strict=True
    ):
        start = 0.0 if measure in ("absolute", "total") else end
        end = start + (value or 0.0)
        tone = QUIET if measure in ("absolute", "total") else GOOD if end >= start else BAD
        ends = canvas.x.at(start), canvas.x.at(end)
        edges = canvas.y.at(place - half), canvas.y.at(place + half)
        canvas.box(ends[0], edges[0], ends[1], edges[1], tone)
        _label(canvas, words, ends, sum(edges) / 2, trace, across=True)


def _sankey(drawing: Drawing, trace: Trace) -> None:
    """Flows from the nodes on the left to those on the right, each as thick as its value."""
    canvas = drawing.canvas
    node, link = trace["node"], trace["link"]
    links = list(zip(link["source"], link["target"], link["value"], strict=True))
    columns = _columns(links, len(node["label"]))
    sizes = [
        max(sum(v for s, _t, v in links if s == at), sum(v for _s, t, v in links if t == at))
        for at in range(len(node["label"]))
    ]
    tops, unit = _stacked(canvas, columns, sizes, node.get("pad", 18))
    thick, last = node.get("thickness", 14), max(columns, default=0) or 1
    lefts = [canvas.x.start + (canvas.x.end - canvas.x.start - thick) * column / last for column in columns]
    out, into = list(tops), list(tops)
    for at, (source, target, value) in enumerate(links):
        height = value * unit
        ends = (lefts[source] + thick, out[source], lefts[target], into[target])
        _ribbon(canvas, ends, height, _each(link.get("color"), len(links))[at] or "rgba(126,136,153,0.35)")
        out[source] += height
        into[target] += height
    for at, name in enumerate(node["label"]):
        height = sizes[at] * unit
        canvas.box(
            lefts[at],
            tops[at],
            lefts[at] + thick,
            tops[at] + height,
            _each(node.get("color"), len(sizes))[at],
        )
        leftmost = columns[at] < last
        canvas.text(
            lefts[at] + (thick + 5 if leftmost else -5),
            tops[at] + height / 2,
            name,
            anchor="start" if leftmost else "end",
            size=11.5,
            colour=INK if height > 3 else MUTED,
        )


def _columns(links: Sequence[tuple[int, int, float]], count: int) -> list[int]:
    """How many steps each node is from the left."""
    columns = [0] * count
    for _round in range(count):
        for source, target, _value in links:
            columns[target] = max(columns[target], columns[source] + 1)
    return columns


def _stacked(
    canvas: Canvas, columns: Sequence[int], sizes: Sequence[float], pad: float
) -> tuple[list[float], float]:
    """The top of each node, and the pixels of one unit."""
    room = abs(canvas.y.start - canvas.y.end)
    held = {
        column: [at for at, each in enumerate(columns) if each == column and sizes[at]]
        for column in set(columns)
    }
    units = [
        (room - pad * (len(nodes) - 1)) / sum(sizes[at] for at in nodes) for nodes in held.values() if nodes
    ]
    unit = min(units, default=1.0)
    tops = [min(canvas.y.start, canvas.y.end)] * len(sizes)
    for nodes in held.values():
        top = min(canvas.y.start, canvas.y.end)
        for at in nodes:
            tops[at] = top
            top += sizes[at] * unit + pad
    return tops, unit


def _ribbon(canvas: Canvas, ends: tuple[float, float, float, float], height: float, colour: str) -> None:
    x0, y0, x1, y1 = ends
    half = (x0 + x1) / 2
    path = (
        f"M{x0:.2f} {y0:.2f}C{half:.2f} {y0:.2f} {half:.2f} {y1:.2f} {x1:.2f} {y1:.2f}"
        f"L{x1:.2f} {y1 + height:.2f}C{half:.2f} {y1 + height:.2f} {half:.2f} {y0 + height:.2f} "
        f"{x0:.2f} {y0 + height:.2f}Z"
    )
    canvas.marks.append(f'<path d="{path}" {paint(colour)}/>')


MARKS: Final[Mapping[str, Callable[[Drawing, Trace], None]]] = {
    "scatter": _scatter,
    "bar": _bar,
    "waterfall": _waterfall,
    "sankey": _sankey,
}
