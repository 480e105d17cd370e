import math
import re
from datetime import date

import numpy as np
import orjson
import plotly.graph_objects
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.bars import bars, effects
from dashboard.charts.cohorts import Grid, Shade, Words, cohort_grid
from dashboard.charts.layout import Chart, nice_ticks, spread
from dashboard.charts.satisfaction_maps import Quarters, quarters
from dashboard.charts.spark import sparkline
from dashboard.charts.trend import Trend, trend
from dashboard.charts.waterfall import Step, waterfall
from dashboard.theme import BAD, GOOD

MONTHS = [f"M{month}" for month in range(24)]


def money(value: float) -> str:
    return f"${value:,.0f}"


def a_trend(**changes: object) -> Chart:
    values = np.linspace(1e6, 2e6, 24)
    data = {"periods": MONTHS, "values": values, "prior": values * 0.9, "prior_name": "Prior year"} | changes
    return trend(Trend(**data), money, money, "Net revenue by month")


CHARTS = {
    "trend": a_trend(),
    "running": a_trend(running=True),
    "gaps": a_trend(values=np.where(np.arange(24) % 5, np.linspace(1, 2, 24), np.nan), prior=None),
    "bars": bars(["East", "West"], [3, 1], money, "Customers by region"),
    "effects": effects(["East", "West"], [3, -1], money, "What changed"),
    "bridge": waterfall(
        [Step("May", 10, True), Step("New", 4), Step("Jun", 14, True)], money, money, "Bridge"
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_figure_is_a_plain_dict_that_plotly_accepts(name):
    figure = CHARTS[name].figure
    assert type(figure) is dict
    plotly.graph_objects.Figure(figure)
    assert len(orjson.dumps(figure, option=orjson.OPT_SERIALIZE_NUMPY)) < 20_000


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_what_it_shows_and_holds_no_ink(name):
    chart = CHARTS[name]
    assert chart.alt
    text = orjson.dumps(chart.figure, option=orjson.OPT_SERIALIZE_NUMPY).decode().lower()
    for ink in ("#000000", "#111827", "#ffffff", '"black"', '"white"'):
        assert ink not in text
    assert chart.figure["layout"]["showlegend"] is False


@pytest.mark.parametrize("name", CHARTS)
def test_no_axis_has_more_than_five_ticks_of_values(name):
    layout = CHARTS[name].figure["layout"]
    if name in ("trend", "running", "gaps"):
        assert len(layout["yaxis"]["tickvals"]) <= 5
        assert len(layout["xaxis"]["tickvals"]) <= 5
        assert layout["xaxis"]["showgrid"] is False
    else:
        assert layout["xaxis"]["showticklabels"] is False


def test_the_running_period_is_set_apart():
    finished, running = a_trend(running=True).figure["data"][1:]
    assert np.isnan(finished["y"][-1])
    assert running["line"]["dash"] == "dash"
    assert np.flatnonzero(~np.isnan(running["y"])).tolist() == [22, 23]


def test_the_prior_year_is_dotted_and_named_at_its_end():
    chart = a_trend()
    assert chart.figure["data"][0]["line"]["dash"] == "dot"
    assert [label["text"] for label in chart.figure["layout"]["annotations"]] == [
        "<b>$2,000,000</b>",
        "Prior year",
    ]


def test_labels_that_would_touch_are_moved_apart():
    values = np.linspace(1, 2, 24)
    first, second = a_trend(values=values, prior=values * 0.999).figure["layout"]["annotations"]
    assert first["yshift"] - second["yshift"] >= 14


def test_effects_are_coloured_by_what_is_good():
    up = CHARTS["effects"].figure["data"][0]["marker"]["color"]
    down = effects(["a", "b"], [3, -1], money, "x", good_when_up=False).figure["data"][0]["marker"]["color"]
    assert (up, down) == ([GOOD, BAD], [BAD, GOOD])


def test_a_waterfall_has_room_for_every_level():
    figure = waterfall(
        [Step("May", 100, True), Step("New", 80), Step("Lost", -200), Step("Jun", -20, True)],
        money,
        money,
        "x",
    ).figure
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < -20
    assert high > 180


@given(low=st.floats(-1e9, 1e9), width=st.floats(0, 1e9), count=st.integers(3, 6))
def test_ticks_are_few_round_and_span_the_values(low, width, count):
    high = low + width
    ticks = nice_ticks(low, high, count)
    assert len(ticks) <= max(count, 3)
    slack = 1e-6 * max(1, abs(low), width)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack


@given(st.integers(1, 500), st.integers(2, 8))
def test_spread_keeps_the_last_and_is_even(count, most):
    chosen = spread(count, most)
    assert chosen[-1] == count - 1
    assert len(chosen) <= most
    assert len(set(np.diff(chosen))) <= 1


def test_a_sparkline_needs_two_values():
    assert sparkline([]) == sparkline([1.0]) == sparkline([None, 1.0, None]) == ""


@given(st.lists(st.floats(-1e12, 1e12) | st.none(), min_size=2, max_size=60))
def test_a_sparkline_draws_what_is_known(values):
    drawn = sparkline(values)
    known = [value for value in values if value is not None]
    assert bool(drawn) == (len(known) >= 2)
    assert "nan" not in drawn
    assert all(math.isfinite(value) for value in known)


def test_a_difference_that_may_be_none_is_not_shaded():
    """Of two differences of the same size only the one whose interval leaves out zero has a colour."""
    rows = {"cohort": [1, 1], "age": [1, 2], "until_age": [1, 2], "size": [9, 9], "difference": [0.1, 0.1]}
    rows |= {
        "lower": [0.05, -0.02],
        "upper": [0.15, 0.22],
        "complete": [True] * 2,
        "young_history": [False] * 2,
    }
    table = pl.DataFrame(rows | {"closes_on": [None] * 2}, schema_overrides={"closes_on": pl.Date})
    words = Words(str, str, str, "Cohorts", ("Began in", "Customers"), "{day}", "old")
    html = cohort_grid(Grid(table, Shade("difference", str, diverging=True), words, lambda _cell: ""))
    assert re.findall(r'data-cell="1\.(\d)" class="(\w*)" style="--h:([\d.]+)"', html) == [
        ("1", "", "1.00"),
        ("2", "unsure", "0"),
    ]


def test_cells_that_still_run_are_no_zeros_and_old_cohorts_are_pale():
    """A running cell has the day on which it closes, a cell of few a dash with its reason, zero is a zero."""
    rows = {"cohort": [1, 1, 1, 2], "age": [0, 1, 2, 0], "until_age": [0, 1, 2, 0], "size": [4, 4, 4, 2]}
    rows |= {"rate": [1.0, 0.0, None, None], "complete": [True, True, False, True]}
    rows |= {"young_history": [True] * 3 + [False], "closes_on": [date(2024, 5, 31)] * 4}
    words = Words(str, lambda day: f"{day:%d %b}", str, "Cohorts", ("Began in", "Customers"), "{day}", "old")
    notes = lambda cell: "fewer than 5" if cell["complete"] and cell["rate"] is None else ""  # noqa: E731
    html = cohort_grid(Grid(pl.DataFrame(rows), Shade("rate", str), words, notes))
    pale, plain = re.findall(r"<tr[^>]*>.*?</tr>", html)[1:]
    assert 'class="young" title="old"' in pale
    assert "young" not in plain
    assert re.findall(r'data-cell="1\.(\d)"[^>]*>([^<]*)<', pale) == [
        ("0", "1.0"),
        ("1", "0.0"),
        ("2", "31 May"),
    ]
    assert '<span class="few" title="fewer than 5">' in plain


def test_names_of_points_that_lie_close_stand_apart():
    data = Quarters(
        names=["a", "b", "c"],
        x=np.array([1.0, 1.02, 3.0]),
        y=np.array([2.0, 2.05, 5.0]),
        notes=["", "", ""],
        cross=(2.0, 3.0),
        corners=("", "", "", ""),
        axes=("", ""),
    )
    (points,) = quarters(data, str, str, "").figure["data"]
    assert points["textposition"] == ["bottom center", "top center", "top center"]
