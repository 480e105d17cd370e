"""The numbers drawn on paper are those of the page: read back from the drawing, they equal the figure's."""

import re

import numpy as np
import pytest

from dashboard.charts.bars import bars
from dashboard.charts.trend import Trend, trend
from dashboard.charts.waterfall import Step, waterfall
from dashboard.sheet import plain
from dashboard.snapshots.canvas import NotDrawable
from dashboard.snapshots.svg import svg


def paths(drawing, colour):
    """The points of each line of a colour."""
    found = re.findall(rf'<path d="M([^"Z]*)" fill="none" stroke="{colour}"', drawing)
    return [np.array([[float(n) for n in pair.split()] for pair in path.split("L")]) for path in found]


def boxes(drawing, *colours):
    """x, y, width, height of each box of these colours, in order."""
    found = re.findall(
        r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"[^>]*fill="(#\w+)', drawing
    )
    return np.array([[float(n) for n in box[:4]] for box in found if box[4] in colours])


def test_a_trend_read_back_by_its_grid_is_the_series():
    values = np.array([120.5, 80.25, np.nan, 310.0, 95.75, 240.125])
    chart = trend(Trend([f"m{at}" for at in range(6)], values), str, str, "alt")
    drawing = svg(plain(chart.figure), 500, 300)
    ticks = np.array(chart.figure["layout"]["yaxis"]["tickvals"], dtype=float)
    grid = [path[0][1] for path in paths(drawing, "#E3E6EB") if path[0][1] == path[1][1]]
    slope, start = np.polyfit(grid, ticks, 1)
    drawn = np.concatenate([path[:, 1] for path in paths(drawing, "#0072B2")])
    assert slope * drawn + start == pytest.approx(values[~np.isnan(values)], abs=0.5)


def test_bars_are_as_long_as_their_values():
    values = [564.0, 462.0, 451.0, 40.0]
    chart = bars(["North", "West", "South", "East"], values, str, "alt")
    widths = boxes(svg(plain(chart.figure), 500, 200), "#0072B2")[:, 2]
    assert widths / widths[0] == pytest.approx(np.array(values) / values[0], abs=1e-3)


def test_a_bridge_ends_where_it_should():
    steps = [
        Step("before", 200.0, total=True),
        Step("won", 60.0),
        Step("lost", -90.0),
        Step("after", 170.0, total=True),
    ]
    drawing = svg(plain(waterfall(steps, str, str, "alt").figure), 500, 200)
    found = boxes(drawing, "#7E8899", "#0F7B5F", "#C2410C")
    scale = found[0][2] / 200.0
    assert found[:, 2] / scale == pytest.approx([200, 60, 90, 170], abs=0.5)
    left, right = found[:, 0], found[:, 0] + found[:, 2]
    assert left[1] == pytest.approx(right[0], abs=0.1)
    assert right[2] == pytest.approx(right[1], abs=0.1)
    assert left[2] == pytest.approx(right[3], abs=0.1)


def test_stacked_areas_reach_their_sum():
    data = [
        {"type": "scatter", "stackgroup": "a", "x": [0, 1], "y": [1.0, 2.0], "line": {"width": 1, "color": c}}
        for c in ("#111111", "#222222")
    ]
    layout = {
        "xaxis": {"range": [0, 1]},
        "yaxis": {"range": [0, 4], "tickvals": [0, 4], "showgrid": True},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    }
    drawing = svg({"data": data, "layout": layout}, 100, 100)
    assert paths(drawing, "#222222")[0][:, 1] == pytest.approx([50.0, 0.0])


def test_an_unknown_kind_of_trace_is_told():
    with pytest.raises(NotDrawable, match="pie"):
        svg({"data": [{"type": "pie"}], "layout": {}}, 100, 100)
