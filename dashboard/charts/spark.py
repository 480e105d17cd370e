"""A sparkline as a CSS mask: the style sheet colours it, so that it follows light and dark by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 120
HEIGHT: Final = 32
_SVG: Final = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' preserveAspectRatio='none'>"
    "<path d='{area}' fill='{colour}' fill-opacity='.14'/>"
    "<path d='{line}' fill='none' stroke='{colour}' stroke-width='1.75' stroke-linejoin='round' "
    "stroke-linecap='round' vector-effect='non-scaling-stroke'/></svg>"
)


def sparkline(values: Sequence[float | None]) -> str:
    """A CSS `url(...)` that draws `values` from left to right; empty when fewer than two are known.

    >>> sparkline([1.0]), sparkline([1.0, 2.0])[:19]
    ('', 'url("data:image/svg')
    """
    svg = spark(values)
    return svg and f'url("data:image/svg+xml,{quote(svg, safe="")}")'


def spark(values: Sequence[float | None], colour: str = "#000") -> str:
    """The same line as SVG; empty when fewer than two values are known."""
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    known = np.flatnonzero(~np.isnan(numbers))
    if known.size < 2:
        return ""
    points = _points(numbers, known)
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    area = f"{line}L{points[-1][0]:.1f} {HEIGHT}L{points[0][0]:.1f} {HEIGHT}Z"
    return _SVG.format(width=WIDTH, height=HEIGHT, area=area, line=line, colour=colour)


def _points(numbers: NDArray[np.float64], known: NDArray[np.intp]) -> list[tuple[float, float]]:
    low, high = float(numbers[known].min()), float(numbers[known].max())
    span = high - low
    step = WIDTH / (len(numbers) - 1)
    return [
        (step * int(at), HEIGHT - 4 - (HEIGHT - 8) * ((float(numbers[at]) - low) / span if span else 0.5))
        for at in known
    ]
