"""A figure through time: the line, the year before in dotted grey, the running period set apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.charts.layout import Chart, Show, clipped, label_room, layout, spread, value_ticks
from dashboard.theme import QUIET, SERIES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """What a trend chart draws. Missing values are NaN and leave a gap.

    `periods` names each value and `ticks`, shorter, its place on the axis; `prior` holds the values of one
    year before each, or nothing; `running` says that the last period is not over. `events` are notes, each at
    the position of its period.
    """

    periods: Sequence[str]
    values: Values
    ticks: Sequence[str] = ()
    prior: Values | None = None
    running: bool = False
    name: str = ""
    prior_name: str = ""
    running_name: str = ""
    from_zero: bool = True
    events: Sequence[tuple[int, str]] = ()


def trend(data: Trend, show: Show, tick: Show, alt: str, *, height: int = 300) -> Chart:
    """The chart of `data`; `show` writes values in labels, `tick` those on the axis."""
    names = data.ticks or data.periods
    scale = value_ticks(*_range(data), tick)
    right = label_room(
        [show(float(value)) for value in data.values[-1:] if value == value] + [data.prior_name]
    )
    figure_layout = layout(height, left=label_room(scale["ticktext"]), right=right, bottom=40)
    positions = spread(len(data.periods))
    figure_layout["xaxis"] |= {
        "tickmode": "array",
        "tickvals": positions,
        "ticktext": [names[position] for position in positions],
        "tickangle": 0,
        "range": [-0.35, len(data.periods) - 0.65],
    }
    figure_layout["yaxis"] |= scale
    figure_layout["annotations"] = [*_labels(data, show), *_event_words(data)]
    figure_layout["shapes"] = [_event_line(position) for position, _words in data.events]
    figure_layout["hovermode"] = "x unified"
    return Chart({"data": _traces(data, show), "layout": figure_layout}, alt, height)


def _event_line(position: int) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": position,
        "x1": position,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": QUIET, "width": 1, "dash": "dot"},
    }


def _event_words(data: Trend) -> list[dict[str, Any]]:
    """The notes at the top of their lines, towards the middle of the chart, one below the other."""
    middle = (len(data.periods) - 1) / 2
    return [
        {
            "x": position,
            "y": 1 - 0.07 * number,
            "yref": "paper",
            "text": clipped([words], 26)[0],
            "xanchor": "left" if position <= middle else "right",
            "yanchor": "top",
            "xshift": 4 if position <= middle else -4,
            "showarrow": False,
            "font": {"size": 11},
            "opacity": 0.8,
        }
        for number, (position, words) in enumerate(data.events)
    ]


def _range(data: Trend) -> tuple[float, float]:
    known = np.concatenate([data.values, data.prior if data.prior is not None else data.values])
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    return (min(low, 0.0), max(high, 0.0)) if data.from_zero else (low, high)


def _traces(data: Trend, show: Show) -> list[dict[str, Any]]:
    """The prior year behind, the finished periods, then the step into the running one."""
    traces = []
    if data.prior is not None:
        dotted = {"color": QUIET, "width": 1.5, "dash": "dot"}
        traces.append(_line(data.periods, data.prior, show, data.prior_name) | {"line": dotted})
    finished, running = _split(data)
    solid = {"color": SERIES[0], "width": 2.25, "shape": "linear"}
    main = _line(data.periods, finished, show, data.name) | {"line": solid}
    if data.from_zero:
        main |= {"fill": "tozeroy", "fillcolor": "rgba(0, 114, 178, 0.07)"}
    traces.append(main)
    if running is not None:
        traces.append(_running(data, running, show))
    return traces


def _split(data: Trend) -> tuple[Values, Values | None]:
    if not data.running or len(data.values) < 2:
        return data.values, None
    finished, running = data.values.copy(), np.full(len(data.values), np.nan)
    finished[-1] = np.nan
    running[-2:] = data.values[-2:]
    return finished, running


def _line(periods: Sequence[str], values: Values, show: Show, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": np.arange(len(values)),
        "y": values,
        "customdata": [_shown(value, show) for value in values],
        "hovertemplate": "%{customdata}<extra></extra>"
        if not name
        else f"{name}: %{{customdata}}<extra></extra>",
        "connectgaps": False,
    }


def _running(data: Trend, values: Values, show: Show) -> dict[str, Any]:
    hollow = {
        "size": [0] * (len(values) - 1) + [8],
        "color": "rgba(0, 0, 0, 0)",
        "line": {"color": SERIES[0], "width": 2},
    }
    texts = ["" for _ in values[:-1]] + [_shown(values[-1], show)]
    return _line(data.periods, values, show, data.running_name) | {
        "mode": "lines+markers",
        "line": {"color": SERIES[0], "width": 2, "dash": "dash"},
        "marker": hollow,
        "customdata": texts,
        "hoverinfo": "skip" if np.isnan(values[-1]) else "all",
    }


def _labels(data: Trend, show: Show) -> list[dict[str, Any]]:
    """The name of each line at its end, moved apart where the two would touch."""
    last = _last(data.values)
    if last is None:
        return []
    labels = [_label(last, data.values[last], f"<b>{show(float(data.values[last]))}</b>")]
    before = _last(data.prior) if data.prior is not None else None
    if data.prior is not None and before is not None:
        labels.append(_label(before, data.prior[before], data.prior_name, opacity=0.75))
        _part(labels, *_range(data))
    return labels


def _last(values: Values) -> int | None:
    known = np.flatnonzero(~np.isnan(values))
    return int(known[-1]) if known.size else None


def _label(position: int, value: float, text: str, opacity: float = 1.0) -> dict[str, Any]:
    return {
        "x": position,
        "y": float(value),
        "text": text,
        "xanchor": "left",
        "yanchor": "middle",
        "xshift": 10,
        "yshift": 0,
        "showarrow": False,
        "opacity": opacity,
        "font": {"size": 12},
    }


def _part(labels: list[dict[str, Any]], low: float, high: float) -> None:
    first, second = labels
    gap = (first["y"] - second["y"]) / ((high - low) or 1.0)
    if abs(gap) < 0.09:
        first["yshift"], second["yshift"] = (9, -9) if gap >= 0 else (-9, 9)


def _shown(value: float, show: Show) -> str:
    return "" if np.isnan(value) else show(float(value))
