"""Dates and times: the stated instant, or a reason; never a guess."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.dates import SKIPPED, Dates, candidates, moments
from connectors.steps import inline

CELL = pl.col("cell")


def read(
    cells: Sequence[object], *formats: str, timezone: str = "UTC", dtype: pl.DataType | None = None
) -> list[object]:
    """The instant of every cell, or the reason for which it has none."""
    found = moments(inline, CELL, dtype or pl.String(), "bought", Dates(formats, timezone, timezone)).instants
    reasons = (pl.when(bad).then(pl.lit(reason)) for reason, bad in found.faults)
    frame = pl.DataFrame({"cell": pl.Series(cells, dtype=dtype or pl.String())})
    rows = frame.select(value=found.expr, fault=pl.coalesce(pl.lit(None, pl.String), *reasons)).rows()
    return [fault if fault is not None else value for value, fault in rows]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year, month, day and more


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-03-31", "%Y-%m-%d"), ("2024/3/31", "%Y/%m/%d"), ("20240331", "%Y%m%d"),
        ("31.03.2024", "%d.%m.%Y"), ("3/31/2024", "%m/%d/%Y"), ("31-03-2024", "%d-%m-%Y"),
        ("31 Mar 2024", "%d %b %Y"), ("Mar 31, 2024", "%b %d, %Y"), ("31-Mar-2024", "%d-%b-%Y"),
        ("31/03/24", "%d/%m/%y"), ("1711843200", "unix"),
    ],
)  # fmt: skip
def test_days_in_the_stated_format(text: str, form: str) -> None:
    assert read([text], form) == [utc(2024, 3, 31)]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-03-31 10:05", "%Y-%m-%d %H:%M"), ("2024-03-31T10:05:00.000000", "%Y-%m-%dT%H:%M:%S%.f"),
        ("3/31/2024 10:05", "%m/%d/%Y %H:%M"), ("3/31/2024 10:05 AM", "%m/%d/%Y %I:%M %p"),
        ("2024-03-31T10:05:00Z", "%Y-%m-%dT%H:%M:%SZ"), ("2024-03-31T12:05:00+02:00", "%Y-%m-%dT%H:%M:%S%z"),
        ("2024-03-31 12:05:00+02", "%Y-%m-%d %H:%M:%S%z"),
    ],
)  # fmt: skip
def test_times_in_the_stated_format(text: str, form: str) -> None:
    assert read([text], form) == [utc(2024, 3, 31, 10, 5)]


def test_several_formats_in_one_column() -> None:
    cells = ["2024-03-31", "31.03.2024", "2024-03-31T12:05:00+02:00", "31/03"]
    found = read(cells, "%Y-%m-%d", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%S%z")
    assert found[:3] == [utc(2024, 3, 31), utc(2024, 3, 31), utc(2024, 3, 31, 10, 5)]
    assert found[3] == "`bought` is not a date in the form `%Y-%m-%d` or `%d.%m.%Y` or `%Y-%m-%dT%H:%M:%S%z`"


def test_text_that_two_formats_read_differently_is_refused() -> None:
    found = read(["03/04/2024", "13/04/2024", "05/05/2024"], "%d/%m/%Y", "%m/%d/%Y")
    assert found == ["`bought` can be read as two different dates", utc(2024, 4, 13), utc(2024, 5, 5)]


@pytest.mark.parametrize("text", ["2023-02-29", "2024-13-01", "2024-00-10", "0024-01-01", "9999-01-01"])
def test_impossible_dates_are_told(text: str) -> None:
    assert read([text], "%Y-%m-%d") == ["`bought` is an impossible date"]


@pytest.mark.parametrize("text", ["soon", "2024-03", "24-03-31", "2024-03-31 10:00", "2024-03-31x"])
def test_what_is_no_date_is_told(text: str) -> None:
    assert read([text], "%Y-%m-%d") == ["`bought` is not a date in the form `%Y-%m-%d`"]


ZONES = [
    "America/Sao_Paulo",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kolkata",
]
TIMES = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2030-01-01"))
CHANGES = ["2011-12-29", "2017-10-14", "2018-02-17", "2024-03-09", "2024-03-30", "2024-10-05", "2024-10-26"]


@settings(deadline=None, max_examples=40)
@given(st.lists(TIMES, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_times_without_a_zone_are_local(times: list[datetime], zone: str) -> None:
    assert_local(times, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarter_hour_around_the_changes_of_the_clock(zone: str) -> None:
    starts = [datetime.fromisoformat(text) for text in CHANGES]
    assert_local([start + timedelta(minutes=15 * at) for start in starts for at in range(4 * 60)], zone)


def assert_local(times: list[datetime], zone: str) -> None:
    # Oracle: zoneinfo, whose fold 0 is the earlier of two times and takes the offset before a gap.
    expected = [time.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) for time in times]
    assert read(times, timezone=zone, dtype=pl.Datetime("us")) == expected
    texts = [time.isoformat(" ", "microseconds") for time in times]
    assert read(texts, "%Y-%m-%d %H:%M:%S%.f", timezone=zone) == expected


def test_skipped_times_move_forward_and_are_counted() -> None:
    form, zone = "%Y-%m-%d %H:%M", "Europe/Berlin"
    found = moments(inline, CELL, pl.String(), "bought", Dates((form,), zone, zone)).instants
    cells = pl.DataFrame({"cell": ["2024-03-31 01:59", "2024-03-31 02:30", "2024-10-27 02:30"]})
    local = cells.select(found.expr.dt.convert_time_zone(zone).dt.to_string("%H:%M %z"))["cell"].to_list()
    assert local == ["01:59 +0100", "03:30 +0200", "02:30 +0200"]
    ((what, skipped),) = found.repairs
    assert what == SKIPPED
    assert cells.select(skipped)["cell"].to_list() == [False, True, False]


def test_day_of_a_time_is_the_projects_day() -> None:
    dates = Dates(("%Y-%m-%d %H:%M",), "America/Sao_Paulo", "Asia/Tokyo")
    found = moments(inline, CELL, pl.String(), "bought", dates)
    cells = pl.DataFrame({"cell": ["2024-05-01 11:00", "2024-05-01 12:00"]})
    assert found.instants.day is not None
    assert cells.select(found.instants.day)["cell"].to_list() == [date(2024, 5, 1), date(2024, 5, 2)]
    assert cells.select(found.days.expr)["cell"].to_list() == [date(2024, 5, 1)] * 2


def test_typed_times_and_days() -> None:
    assert read([date(2024, 3, 31)], dtype=pl.Date(), timezone="Europe/Berlin") == [utc(2024, 3, 30, 23)]
    zoned = pl.Datetime("ns", "Europe/Berlin")
    assert read([utc(2024, 3, 31, 10)], dtype=zoned, timezone="Asia/Tokyo") == [utc(2024, 3, 31, 10)]


def test_formats_are_told_from_what_is_written() -> None:
    shown = candidates(
        ["2024-03-31", "3/4/2024 9:05", "31.12.2024 23:59:59", "2024-03-31T10:00:00.123Z", "soon"]
    )
    assert list(shown) == [
        ("%Y-%m-%d",),
        ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"),
        ("%d.%m.%Y %H:%M:%S%.f",),
        ("%Y-%m-%dT%H:%M:%S%.f%#z",),
    ]
