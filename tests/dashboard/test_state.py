from datetime import date

import pytest

from dashboard import state, text
from dashboard.format import Formatter
from dashboard.state import Reader, Scope
from metrics.periods import Calendar, Grain

PLAIN = Calendar()
FISCAL = Calendar(fiscal_year_start=4)
US = Reader(PLAIN, Formatter("en_US", "USD"))
MAY = PLAIN.code(date(2026, 5, 1), Grain.MONTH)


@pytest.fixture(autouse=True)
def english():
    text.use("en_US", text.FOLDER)


@pytest.mark.parametrize(
    ("grain", "name", "tick"),
    [
        (Grain.WEEK, "Week of May 4, 2026", "May 4<br>2026"),
        (Grain.MONTH, "May 2026", "May<br>2026"),
        (Grain.QUARTER, "Q2 2026", "Q2<br>2026"),
        (Grain.YEAR, "2026", "2026"),
    ],
)
def test_periods_have_names(grain, name, tick):
    code = PLAIN.code(date(2026, 5, 6), grain)
    assert (US.period(code, grain), US.tick(code, grain)) == (name, tick)


def test_periods_are_named_in_the_project_s_locale():
    reader = Reader(PLAIN, Formatter("de_DE", "EUR"))
    assert reader.period(MAY, Grain.MONTH, long=True) == "Mai 2026"


def test_a_fiscal_year_says_so():
    reader = Reader(FISCAL, Formatter())
    code = FISCAL.code(date(2026, 5, 1), Grain.YEAR)
    assert reader.period(code, Grain.YEAR) == "FY2027"


def test_the_reference_of_a_comparison():
    assert Scope(Grain.MONTH, MAY).reference(PLAIN) == MAY - 1
    assert Scope(Grain.MONTH, MAY, "year").reference(PLAIN) == MAY - 12
    week = PLAIN.code(date(2026, 5, 6), Grain.WEEK)
    assert Scope(Grain.WEEK, week, "year").reference(PLAIN) == week - 52


def test_the_reference_is_named_without_the_year_it_shares():
    assert US.against(MAY - 1, Scope(Grain.MONTH, MAY)) == "vs Apr"
    assert US.against(MAY - 12, Scope(Grain.MONTH, MAY)) == "vs May 2025"


def test_a_scope_in_words():
    scope = Scope(Grain.MONTH, MAY, attributes=(("region", ("East", "West")), ("tier", ("a", "b", "c", "d"))))
    words = "May 2026, compared with April 2026 \N{MIDDLE DOT} East, West \N{MIDDLE DOT} a, b and 2 more"
    assert US.chosen(scope) == words
    assert US.chosen(Scope(Grain.MONTH, MAY)).endswith("all customers")


def test_the_window_holds_the_reference():
    assert Scope(Grain.MONTH, MAY).window(PLAIN, 6).first == MAY - 6
    assert Scope(Grain.MONTH, MAY, "year").window(PLAIN, 6).first == MAY - 12


@pytest.mark.parametrize(
    ("last", "as_of", "latest"),
    [
        (date(2026, 5, 30), date(2026, 5, 31), date(2026, 5, 1)),
        (date(2026, 5, 30), date(2026, 5, 30), date(2026, 4, 1)),
        (date(2026, 3, 2), date(2026, 5, 31), date(2026, 3, 1)),
        (date(2026, 1, 9), date(2026, 1, 9), date(2026, 1, 1)),
    ],
)
def test_the_latest_period_is_over_and_has_orders(last, as_of, latest):
    code = state.latest(PLAIN, Grain.MONTH, date(2026, 1, 5), last, as_of)
    assert PLAIN.start(code, Grain.MONTH) == latest


def test_periods_go_back_to_the_first_day():
    codes = state.periods(PLAIN, Grain.QUARTER, date(2025, 12, 31), date(2026, 5, 31))
    assert [US.period(code, Grain.QUARTER) for code in codes] == ["Q2 2026", "Q1 2026", "Q4 2025"]


def test_parameters_never_clash():
    assert state.parameter("region") == "region"
    assert state.parameter("period") == "attribute.period"


def test_filters_with_the_same_meaning_have_the_same_key():
    one = Scope(Grain.MONTH, MAY, attributes=(("a", ("x",)), ("b", ("y",))))
    other = Scope(Grain.QUARTER, 1, attributes=(("b", ("y",)), ("a", ("x",))))
    assert one.filters == other.filters
    assert one.filters != Scope(Grain.MONTH, MAY, categories=("x",)).filters
