"""What all charts share: a quiet frame, at most five ticks, no ink colours (light and dark both read)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import NDArray

from dashboard.theme import GRID

Show = Callable[[float], str]
"""How a chart writes a value; the formatter and its unit are chosen by the page."""

TICKS: Final = 5
POINTED: Final[dict[str, Any]] = {"hovermode": "closest", "hoverdistance": 20}
"""For marks that are pointed at: with the endless distance of `layout` Plotly takes the last of them."""
CONFIG: Final[dict[str, Any]] = {
    "displayModeBar": False,
    "scrollZoom": False,
    "doubleClick": False,
    "showTips": False,
    "responsive": True,
}


@dataclass(frozen=True)
class Chart:
    """A Plotly figure as a plain dict, with the sentence that says what it shows.

    `keys` are names with their colours, set above the chart as words that wrap: on a phone Plotly's own
    legend, which paper has, would take a row for each.
    """

    figure: dict[str, Any]
    alt: str
    height: int
    config: dict[str, Any] = field(default_factory=lambda: dict(CONFIG))
    keys: Sequence[tuple[str, str]] = ()

    @property
    def on_screen(self) -> dict[str, Any]:
        """The figure without the legend that the keys stand for."""
        return (
            self.figure | {"layout": self.figure["layout"] | {"showlegend": False}}
            if self.keys
            else self.figure
        )


def layout(height: int, *, left: int = 8, right: int = 8, top: int = 8, bottom: int = 28) -> dict[str, Any]:
    """The frame of every chart: no title, no legend, no grid but the horizontal one, no dragging."""
    return {
        "height": height,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 0, "autoexpand": False},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "x",
        "hoverdistance": -1,
        "bargap": 0.42,
        "separators": ".,",
        "font": {"size": 12},
        "hoverlabel": {"font": {"size": 12}, "align": "left"},
        "xaxis": axis() | {"ticklabelstandoff": 5},  # else the first touches the lowest of the other axis
        "yaxis": axis(grid=True),
    }


def axis(*, grid: bool = False) -> dict[str, Any]:
    """An axis without line, title and zoom; `grid` draws hairlines at its ticks."""
    return {
        "showgrid": grid,
        "gridcolor": GRID,
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": False,
        "tickfont": {"size": 11.5},
        "title": {"text": ""},
    }


def value_ticks(low: float, high: float, show: Show, count: int = TICKS) -> dict[str, Any]:
    """Range and ticks of a value axis: round steps, written by `show`; the top stays close to the data."""
    ticks = nice_ticks(low, high, count)
    top = min(float(ticks[-1]), high + 0.07 * (high - low)) if high > low else float(ticks[-1])
    shown = ticks[ticks <= top + 1e-9 * abs(top)]
    return {
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [show(float(tick)) for tick in shown],
        "range": [float(ticks[0]), top],
    }


def nice_ticks(low: float, high: float, count: int = TICKS) -> NDArray[np.float64]:
    """At most `count` round numbers at equal steps that span `low` to `high`.

    >>> nice_ticks(0, 1.42).tolist()
    [0.0, 0.5, 1.0, 1.5]
    >>> nice_ticks(3, 3).tolist()
    [2.0, 3.0, 4.0]
    """
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        margin = _round_step(abs(low) / 4) if abs(low) > 1e-9 else 1.0
        return np.array([low - margin, low, low + margin])
    step = _round_step((high - low) / (count - 1))
    while math.ceil(high / step - 1e-9) - math.floor(low / step + 1e-9) > count - 1:
        step = _round_step(step * 1.01)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.round(np.arange(first, last + 1) * step, 12)


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def spread(count: int, most: int = TICKS) -> list[int]:
    """At most `most` positions out of `count`, evenly apart and ending on the last.

    >>> spread(24, 5)
    [3, 8, 13, 18, 23]
    """
    if count <= most:
        return list(range(count))
    step = math.ceil(count / most)
    return list(range((count - 1) % step, count, step))


def label_room(texts: Sequence[str]) -> int:
    """The pixels that the longest of `texts` takes at the size of ticks, for a margin that holds it."""
    return 14 + math.ceil(6.4 * max(map(letters, texts), default=0))


def letters(text: str) -> int:
    """How many letters wide a text is: Chinese, Japanese and Korean ones are twice as wide as others.

    >>> letters("North"), letters("北部")
    (5, 4)
    """
    wide = () if text.isascii() else (letter for letter in text if east_asian_width(letter) in "WF")
    return len(text) + sum(1 for _letter in wide)


def clipped(texts: Sequence[str], most: int = 22) -> list[str]:
    """Names short enough for an axis; the whole name stands in the tooltip and in the table.

    >>> clipped(["Coffee, tea and chocolate", "餐具与厨房用品和寝具以及家居装饰"])
    ['Coffee, tea and choco…', '餐具与厨房用品和寝具…']
    """
    return [text if letters(text) <= most else _cut(text, most - 1) for text in texts]


def _cut(text: str, most: int) -> str:
    fitting = next(at for at in range(min(len(text), most), 0, -1) if letters(text[:at]) <= most)
    return text[:fitting].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
