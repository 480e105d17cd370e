"""A chart as SVG, for paper: drawn from the same Plotly figure that the page shows, number by number.

Charts of this product set their own ranges and ticks, so that what Plotly would work out is known: what is
drawn here lies where it lies on the page. A figure with a trace of another kind raises NotDrawable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dashboard.snapshots import legend
from dashboard.snapshots.canvas import GRID, INK, MUTED, Axis, Canvas, Extent, dashes
from dashboard.snapshots.marks import draw, extent

GAP: Final = 12
"""Pixels between a legend above and the plot."""
UNDER: Final = 34
"""Pixels between the plot and a legend below it, where the ticks of an axis have their names."""


def svg(figure: Mapping[str, Any], width: float, height: float) -> str:
    """The figure at a size in pixels. Raises NotDrawable for a kind of trace that it does not know."""
    layout = figure.get("layout", {})
    traces = [trace for trace in figure.get("data", ()) if trace.get("visible", True) is True]
    margin = {"l": 8, "r": 8, "t": 8, "b": 28} | layout.get("margin", {})
    named = legend.rows(traces, layout, width - margin["l"] - margin["r"])
    top = 0.0
    if named and legend.is_above(layout):
        margin["t"] = len(named) * legend.ROW + GAP
    elif named:
        margin["b"] = len(named) * legend.ROW + UNDER
        top = height - margin["b"] + UNDER
    canvas = Canvas(
        width,
        height,
        _axis(layout.get("xaxis", {}), margin["l"], width - margin["r"], extent(traces, layout, "x")),
        _axis(layout.get("yaxis", {}), height - margin["b"], margin["t"], extent(traces, layout, "y")),
    )
    legend.draw(canvas, named, margin["l"], top)
    if not any(trace["type"] == "sankey" for trace in traces):
        _frame(canvas, layout)
    _shapes(canvas, layout, below=True)
    draw(canvas, traces, layout)
    _shapes(canvas, layout, below=False)
    _annotations(canvas, layout, margin)
    return canvas.svg()


def _axis(layout: Mapping[str, Any], start: float, end: float, extent: Extent) -> Axis:
    low, high, names = extent
    if layout.get("range"):
        low, high = (float(bound) for bound in layout["range"])
    elif layout.get("autorange") == "reversed":
        low, high = high, low
    values = layout.get("tickvals")
    if values is None:
        ticks = [(float(at), name) for at, name in enumerate(names)]
    else:
        texts = layout.get("ticktext") or [f"{value:g}" for value in values]
        ticks = [(float(value), str(text)) for value, text in zip(values, texts, strict=True)]
    if layout.get("showticklabels", True) is False or layout.get("visible", True) is False:
        ticks = [(value, "") for value, _text in ticks]
    is_log = layout.get("type") == "log"
    if not is_log:
        ticks = [tick for tick in ticks if min(low, high) <= tick[0] <= max(low, high)]
    return Axis(start, end, low, high, names, is_log, tuple(ticks), bool(layout.get("showgrid")))


def _frame(canvas: Canvas, layout: Mapping[str, Any]) -> None:
    """Hairlines at ticks, and their texts."""
    x, y = canvas.x, canvas.y
    size = {name: layout.get(name, {}).get("tickfont", {}).get("size", 11.5) for name in ("xaxis", "yaxis")}
    for value, words in y.ticks:
        place = y.at(value)
        if y.has_grid:
            canvas.line([(x.start, place), (x.end, place)], GRID, 1)
        canvas.text(x.start - 6, place, words, anchor="end", size=size["yaxis"], colour=MUTED)
    for value, words in x.ticks:
        place = x.at(value)
        if x.has_grid:
            canvas.line([(place, y.start), (place, y.end)], GRID, 1)
        lines = words.count("<br") + 1
        canvas.text(
            place,
            max(y.start, y.end) + 5 + lines * size["xaxis"] * 0.62,
            words,
            anchor="middle",
            size=size["xaxis"],
            colour=MUTED,
        )


def _place(axis: Axis, value: Any, ref: str) -> float:  # noqa: ANN401 - as in `Axis.at`
    """A place by a reference: a share of the plot for `paper`, else a value of the axis."""
    if "paper" in ref or "domain" in ref:
        return axis.start + float(value) * (axis.end - axis.start)
    return axis.at(value)


def _shapes(canvas: Canvas, layout: Mapping[str, Any], *, below: bool) -> None:
    for shape in layout.get("shapes", ()):
        if (shape.get("layer", "above") == "below") != below:
            continue
        xref, yref = shape.get("xref", "x"), shape.get("yref", "y")
        x0, x1 = (_place(canvas.x, shape[name], xref) for name in ("x0", "x1"))
        y0, y1 = (_place(canvas.y, shape[name], yref) for name in ("y0", "y1"))
        line = shape.get("line", {})
        if shape.get("type") == "rect":
            canvas.box(x0, y0, x1, y1, shape.get("fillcolor", "rgba(0,0,0,0)"))
        else:
            canvas.line(
                [(x0, y0), (x1, y1)],
                line.get("color", MUTED),
                line.get("width", 1),
                dashes(line.get("dash", "")),
            )


def _annotations(canvas: Canvas, layout: Mapping[str, Any], margin: Mapping[str, float]) -> None:
    anchors = {"left": "start", "center": "middle", "right": "end"}
    for note in layout.get("annotations", ()):
        font = note.get("font", {})
        size = font.get("size", 12)
        lift = {"top": size * 0.6, "bottom": -size * 0.6}.get(note.get("yanchor", "middle"), 0)
        canvas.text(
            _place(canvas.x, note["x"], note.get("xref", "x")) + note.get("xshift", 0),
            _place(canvas.y, note["y"], note.get("yref", "y")) - note.get("yshift", 0) + lift,
            str(note.get("text", "")),
            anchor=anchors[note.get("xanchor", "center") if note.get("xanchor") != "auto" else "center"],
            size=size,
            colour=font.get("color", INK),
            opacity=note.get("opacity", 1.0),
        )
