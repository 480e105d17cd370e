"""Calendars: codes, starts, ends and labels of periods agree with each other and with worked days."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.periods import Calendar, Grain, Weekday, Window

GRAINS = [grain for grain in Grain if grain is not Grain.ALL]
calendars = st.builds(
    Calendar,
    week_start=st.sampled_from(["monday", "wednesday", "saturday", "sunday"]),
    fiscal_year_start=st.integers(1, 12),
)
days = st.dates(date(1960, 1, 1), date(2090, 12, 31))


@given(calendars, days, st.sampled_from(GRAINS))
def test_a_period_holds_its_days_and_its_neighbours_touch_it(
    calendar: Calendar, day: date, grain: Grain
) -> None:
    code = calendar.code(day, grain)
    start, end = calendar.start(code, grain), calendar.end(code, grain)
    assert start <= day <= end
    assert calendar.code(start, grain) == calendar.code(end, grain) == code
    assert calendar.start(code + 1, grain) == end + timedelta(days=1)
    assert calendar.code(start - timedelta(days=1), grain) == code - 1


@given(calendars, st.lists(days, min_size=1, max_size=50), st.sampled_from(list(Grain)))
def test_columns_get_the_same_codes(calendar: Calendar, every: list[date], grain: Grain) -> None:
    found = pl.DataFrame({"day": every}).select(calendar.codes(pl.col("day"), grain)).to_series()
    assert found.dtype == pl.Int32
    assert found.to_list() == [calendar.code(day, grain) for day in every]


@given(calendars, days, st.sampled_from(GRAINS))
def test_a_period_is_complete_from_its_last_day_on(calendar: Calendar, day: date, grain: Grain) -> None:
    code = calendar.code(day, grain)
    end = calendar.end(code, grain)
    assert calendar.is_complete(code, grain, end)
    assert not calendar.is_complete(code, grain, end - timedelta(days=1))
    assert calendar.last_complete(grain, end) == code
    assert calendar.last_complete(grain, end - timedelta(days=1)) == code - 1


@given(calendars, days)
def test_quarters_and_years_are_made_of_months(calendar: Calendar, day: date) -> None:
    quarter, year = calendar.code(day, Grain.QUARTER), calendar.code(day, Grain.YEAR)
    assert quarter // 4 == year
    assert calendar.start(year, Grain.YEAR).month == calendar.fiscal_year_start
    months = calendar.code(calendar.end(year, Grain.YEAR), Grain.MONTH) - calendar.code(
        calendar.start(year, Grain.YEAR), Grain.MONTH
    )
    assert months == 11
    assert calendar.end(year, Grain.YEAR).year == year


@pytest.mark.parametrize(
    ("start", "day", "label"),
    [
        (1, date(2024, 4, 1), "Q2 2024"),
        (4, date(2024, 4, 1), "Q1 FY2025"),
        (4, date(2024, 3, 31), "Q4 FY2024"),
        (12, date(2024, 12, 1), "Q1 FY2025"),
        (12, date(2024, 11, 30), "Q4 FY2024"),
    ],
)
def test_fiscal_quarters(start: int, day: date, label: str) -> None:
    calendar = Calendar(fiscal_year_start=start)
    assert calendar.label(calendar.code(day, Grain.QUARTER), Grain.QUARTER) == label


@pytest.mark.parametrize(
    ("week_start", "first"),
    [("monday", date(2024, 5, 6)), ("sunday", date(2024, 5, 12)), ("saturday", date(2024, 5, 11))],
)
def test_weeks_start_on_the_day_that_is_said(week_start: Weekday, first: date) -> None:
    calendar = Calendar(week_start=week_start)
    assert calendar.start(calendar.code(date(2024, 5, 12), Grain.WEEK), Grain.WEEK) == first


def test_labels() -> None:
    calendar = Calendar()
    day = date(2024, 5, 8)
    words = {grain: calendar.label(calendar.code(day, grain), grain) for grain in Grain}
    assert words == {
        Grain.ALL: "All time",
        Grain.DAY: "8 May 2024",
        Grain.WEEK: "Week of 6 May 2024",
        Grain.MONTH: "May 2024",
        Grain.QUARTER: "Q2 2024",
        Grain.YEAR: "2024",
    }


def test_a_year_back_is_the_same_weekday_for_weeks_and_days() -> None:
    calendar = Calendar()
    for grain, expected in (
        (Grain.WEEK, date(2023, 5, 8)),
        (Grain.DAY, date(2023, 5, 8)),
        (Grain.MONTH, date(2023, 5, 1)),
    ):
        code = calendar.code(date(2024, 5, 6), grain)
        assert calendar.start(calendar.year_before(code, grain), grain) == expected


def test_a_window_between_days_is_plain_where_periods_are_whole() -> None:
    calendar = Calendar()
    assert Window.between(calendar, date(2024, 1, 1), date(2024, 3, 31), Grain.MONTH) == Window(
        Grain.MONTH, 24290, 3
    )
    cut = Window.between(calendar, date(2024, 1, 5), date(2024, 3, 31), Grain.MONTH)
    assert cut.is_cut
    assert list(cut.periods) == [24288, 24289, 24290]
    assert cut.day_range(calendar) == (date(2024, 1, 5), date(2024, 3, 31))
    span = Window.between(calendar, date(2024, 1, 5), date(2024, 3, 31))
    assert (span.grain, span.count, span.day_range(calendar)) == (
        Grain.ALL,
        1,
        (date(2024, 1, 5), date(2024, 3, 31)),
    )


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends on 2024-01-01, before it starts on 2024-02-01"):
        Window.between(Calendar(), date(2024, 2, 1), date(2024, 1, 1))
    with pytest.raises(ValueError, match="at least one period"):
        Window(Grain.MONTH, 24290, 0)
