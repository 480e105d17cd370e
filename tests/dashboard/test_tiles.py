from decimal import Decimal

import polars as pl
import pytest

from dashboard import text
from dashboard.format import Formatter
from dashboard.tiles import Figure, Moment, changed, disabled, figures_of, goal, series, supported, tile, wave
from metrics.definitions import Simple, Thresholds

US = Formatter()


@pytest.fixture(autouse=True)
def english():
    text.use("en_US", text.FOLDER)


def metric(unit="money", direction="up_is_good", **more):
    return Simple(
        **more,
        kind="simple",
        name="sales",
        label="Sales",
        description="x",
        unit=unit,
        direction=direction,
        table="orders",
        expression="sum(net_amount)",
    )


def test_a_total_changes_by_a_share_with_sign_and_arrow():
    change = changed(metric(), Figure(107.4, Decimal("107.4")), Figure(100, Decimal(100)), US)
    assert (change.text, change.tone, change.arrow) == ("+7.4\u202f%", "good", "\N{UPWARDS ARROW}")


def test_less_cost_is_good():
    change = changed(metric(direction="down_is_good"), Figure(90), Figure(100), US)
    assert (change.text, change.tone, change.arrow) == ("-10.0\u202f%", "good", "\N{DOWNWARDS ARROW}")


def test_a_rate_changes_by_points():
    assert changed(metric("rate"), Figure(0.563), Figure(0.567), US).text == "-0.4\xa0pp"


def test_neither_way_is_better_for_some():
    assert changed(metric(direction="neutral"), Figure(2), Figure(1), US).tone == "flat"


def test_no_arrow_without_support():
    now, before = Figure(0.563, lower=0.55, upper=0.576), Figure(0.567, lower=0.554, upper=0.58)
    change = changed(metric("rate"), now, before, US)
    assert (change.text, change.tone, change.arrow) == ("no clear change", "flat", "")


def test_what_rounds_to_nothing_is_no_change():
    assert changed(metric(), Figure(100.0001), Figure(100), US).text == "no change"


@pytest.mark.parametrize(
    ("now", "before"),
    [(Figure(None), Figure(1)), (Figure(1), Figure(None)), (Figure(1, complete=False), Figure(1))],
)
def test_nothing_is_compared_with_nothing_or_while_a_period_runs(now, before):
    assert changed(metric(), now, before, US) is None


def test_support_is_the_interval_of_the_difference():
    """Oracle: Newcombe (1998), Statistics in Medicine 17:873, method 10, 56/70 against 48/80.

    Wilson 0.6919..0.8777 (56/70 = 0.8) and 0.4904..0.7004 (48/80 = 0.6); the published interval of the
    difference is 0.0524 to 0.3339, which leaves out zero.
    """
    one = Figure(0.8, lower=0.6919, upper=0.8777)
    other = Figure(0.6, lower=0.4904, upper=0.7004)
    assert supported(one, other)
    assert supported(other, one)
    assert not supported(one, Figure(0.75, lower=0.6404, upper=0.8354))


def test_a_change_from_below_zero_has_no_share():
    assert changed(metric(), Figure(5), Figure(-5), US).text == "+$10.00"


def test_a_survey_speaks_of_its_latest_wave():
    figures = {1: Figure(5.0), 2: Figure(None), 4: Figure(5.5), 6: Figure(None)}
    assert wave(figures, 6, None) == (4, 1)
    assert wave(figures, 6, 3) == (4, 1)
    assert wave(figures, 0, None) == (0, None)
    assert wave({4: Figure(1.0)}, 6, None) == (4, None)


def test_a_tile_names_the_wave_it_speaks_of():
    figures = {4: Figure(5.5, n=80), 1: Figure(5.0, n=70)}
    moment = Moment(4, 1, "vs Jan", "Apr 2026")
    shown = tile(metric("score"), figures, moment, [5.0, None, 5.5], US, counts="answers")
    assert (shown.value, shown.n, shown.against) == ("5.50", "Apr 2026, n = 80 answers", "vs Jan")
    assert shown.spoken == "Sales, 5.50, +0.50 vs Jan, Apr 2026, n = 80 answers"


def test_sales_to_nobody_known_rest_on_no_customers():
    shown = tile(metric(), {1: Figure(120.0, n=0)}, Moment(1, None), [], US, counts="customers")
    assert shown.n == "no known customers"


def test_a_disabled_metric_says_why():
    shown = disabled("net_revenue", "unknown column `x`")
    assert (shown.label, shown.figure.reason) == ("Net revenue", "unknown column `x`")


def test_figures_are_read_by_period():
    frame = pl.DataFrame(
        {
            "metric": ["a", "a", "b"],
            "period": [1, 2, 1],
            "value": [1.0, None, 3.0],
            "amount": [Decimal("1.00"), None, None],
            "n": [5, 0, 2],
            "lower": [0.5, None, None],
            "upper": [1.5, None, None],
            "interval": ["t", None, None],
            "complete": [True, False, True],
            "reason": [None, "no data", None],
        }
    )
    figures = figures_of(frame, "a")
    assert figures[1].shown == Decimal("1.00")
    assert figures[2].reason == "no data"
    line = series(figures, range(1, 3), 1)
    assert line.values.tolist()[0] == 1.0
    assert line.prior.tolist()[1] == 1.0
    assert line.running


@pytest.mark.parametrize(
    ("figure", "text", "tone"),
    [
        (Figure(0.47), "Target 45.0\u202f%: reached", "good"),
        (Figure(0.43), "Target 45.0\u202f%: missed by 2.0\xa0pp", "bad"),
        (Figure(0.44, lower=0.42, upper=0.46), "Target 45.0\u202f%: too close to tell", "flat"),
        (Figure(0.3, complete=False), "Target 45.0\u202f%", "flat"),
    ],
)
def test_a_target_is_judged_in_words(figure, text, tone):
    said = goal(metric("rate"), figure, 0.45, US)
    assert (said.text, said.tone) == (text, tone)


def test_thresholds_are_judged_in_words():
    limits = metric("rate", thresholds=Thresholds(good=0.5, bad=0.3))
    assert [goal(limits, Figure(value), None, US).text for value in (0.6, 0.4, 0.2)] == [
        "Good, 50.0\u202f% or more",
        "Watch, good is 50.0\u202f%",
        "Bad, 30.0\u202f% or less",
    ]
    few = metric("count", "down_is_good", thresholds=Thresholds(good=3, bad=9))
    assert [goal(few, Figure(n), None, US).text for n in (2, 9)] == ["Good, 3 or less", "Bad, 9 or more"]
    assert goal(limits, Figure(0.2, complete=False), None, US) is None
    assert goal(metric(), Figure(1), None, US) is None


def test_a_tile_says_its_target_aloud():
    drawn = tile(metric(), {5: Figure(90)}, Moment(5, None), (), US, 100.0)
    assert drawn.goal.text == "Target $100.00: missed by 10.0\u202f%"
    assert drawn.goal.text in drawn.spoken


def test_a_format_changes_how_a_figure_is_written():
    points, number = metric("rate", format="points"), metric("rate", format="number")
    shown = [tile(each, {5: Figure(-0.034)}, Moment(5, None), (), US).value for each in (points, number)]
    assert shown == ["-3.4\xa0pp", "-0.03"]
