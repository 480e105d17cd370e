"""The paper that charts are drawn on: axes in pixels, and lines, areas, boxes, dots and texts as SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any, Final

INK: Final = "#111827"
MUTED: Final = "#6B7280"
GRID: Final = "#E3E6EB"
FONT: Final = "Inter, Noto Sans, Noto Sans CJK SC, Noto Sans CJK KR, sans-serif"
_TAG: Final = re.compile(r"<(/?)(b|i|br|span)\b[^>]*>")

Extent = tuple[float, float, tuple[str, ...]]
"""The lowest and highest value on an axis, and its categories where values are names."""


class NotDrawable(Exception):
    """A figure that cannot be drawn on paper; its table can."""


@dataclass(frozen=True)
class Axis:
    """One axis: where its values lie between `start` and `end` in pixels."""

    start: float
    end: float
    low: float
    high: float
    names: tuple[str, ...] = ()
    is_log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    has_grid: bool = False

    def at(self, value: Any) -> float:  # noqa: ANN401 - a number, or the name of a category
        """The place of a value in pixels; NaN for none."""
        if value is None:
            return math.nan
        number = float(self.names.index(value)) if isinstance(value, str) and self.names else float(value)
        if self.is_log:
            number = math.log10(number) if number > 0 else math.nan
        return self.start + (number - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


@dataclass
class Canvas:
    """A drawing under way: its size, its two axes, and the marks that were made."""

    width: float
    height: float
    x: Axis
    y: Axis
    marks: list[str] = field(default_factory=list)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "") -> None:
        """Lines through points; one at which a value is missing parts them."""
        for part in runs(points):
            path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in part)
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            self.marks.append(
                f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes} '
                'stroke-linejoin="round"/>'
            )

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """A filled outline."""
        known = [point for point in points if not any(map(math.isnan, point))]
        if len(known) > 2:
            path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in known) + "Z"
            self.marks.append(f'<path d="{path}" {paint(colour)}/>')

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: str, radius: float = 0) -> None:
        """A filled rectangle between two corners."""
        left, top = min(x0, x1), min(y0, y1)
        self.marks.append(
            f'<rect x="{left:.2f}" y="{top:.2f}" width="{abs(x1 - x0):.2f}" height="{abs(y1 - y0):.2f}" '
            f'rx="{radius:g}" {paint(colour)}/>'
        )

    def dot(
        self, x: float, y: float, radius: float, colour: str, edge: str = "", opacity: float = 1.0
    ) -> None:
        """A round mark."""
        if not (math.isnan(x) or math.isnan(y)):
            rim = f' stroke="{edge}" stroke-width="1.5"' if edge else ""
            faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
            self.marks.append(
                f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" {paint(colour)}{rim}{faint}/>'
            )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        size: float = 12,
        colour: str = INK,
        opacity: float = 1.0,
    ) -> None:
        """A text with its middle line at `y`; `<br>` begins a new line, `<b>` sets it bold."""
        lines = re.split(r"<br\s*/?>", words)
        for number, line in enumerate(lines):
            weight = ' font-weight="600"' if "<b>" in line else ""
            faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
            shown = escape(unescape(_TAG.sub("", line)).strip())
            place = y + size * 0.36 + (number - (len(lines) - 1) / 2) * size * 1.25
            self.marks.append(
                f'<text x="{x:.2f}" y="{place:.2f}" text-anchor="{anchor}" font-size="{size:g}" '
                f'fill="{colour}"{weight}{faint}>{shown}</text>'
            )

    def svg(self) -> str:
        """The whole drawing."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        marks = "".join(self.marks)
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">{marks}</svg>'


def paint(colour: str) -> str:
    """A fill, with its opacity apart: PDF writers know no `rgba`."""
    found = re.fullmatch(r"rgba\(([^)]*)\)", colour.strip())
    if not found:
        return f'fill="{colour}"'
    red, green, blue, alpha = (float(part) for part in found[1].split(","))
    return f'fill="#{int(red):02x}{int(green):02x}{int(blue):02x}" fill-opacity="{alpha:g}"'


def runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The stretches of points between missing ones."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if any(map(math.isnan, point)):
            found.append([])
        else:
            found[-1].append(point)
    return [part for part in found if part]


def dashes(name: str) -> str:
    """A Plotly dash as SVG writes it."""
    return {"dot": "2 3", "dash": "7 4", "dashdot": "7 3 2 3"}.get(name, "")
