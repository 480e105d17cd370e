from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dashboard.format import MISSING, Formatter

US = Formatter("en_US", "USD")
DE = Formatter("de_DE", "EUR")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_424_311, "money", "$1.42M"),
        (Decimal("999999.99"), "money", "$1,000,000"),
        (23_567.4, "money", "$23,567"),
        (337.405, "money", "$337.41"),
        (-12.5, "money", "-$12.50"),
        (0, "money", "$0.00"),
        (23_567, "count", "23,567"),
        (1_234_567, "count", "1.23M"),
        (0.5634, "rate", "56.3\u202f%"),
        (42.4, "nps", "+42"),
        (5.414, "score", "5.41"),
        (31.25, "per_thousand", "31.3"),
        (12.34, "days", "12.3 days"),
        (None, "money", MISSING),
        (float("nan"), "rate", MISSING),
        (float("inf"), "ratio", MISSING),
    ],
)
def test_a_figure_reads_as_on_a_tile(value, unit, text):
    assert US.value(value, unit) == text


@pytest.mark.parametrize(
    ("change", "unit", "text"),
    [
        (-0.004, "rate", "-0.4\xa0pp"),
        (0.08, "score", "+0.08"),
        (-0.0001, "score", "0.00"),
        (3.4, "nps", "+3"),
        (1234.5, "money", "+$1,235"),
        (-2, "count", "-2"),
        (None, "rate", MISSING),
    ],
)
def test_a_change_carries_its_sign(change, unit, text):
    assert US.change(change, unit) == text


def test_money_is_rounded_half_up_like_an_invoice():
    halves = ("0.005", "0.015", "0.025", "2.675", "-0.005")
    assert [US.exact_money(Decimal(half)) for half in halves] == [
        "$0.01",
        "$0.02",
        "$0.03",
        "$2.68",
        "-$0.01",
    ]


def test_exact_money_keeps_the_cent_of_a_sum_beyond_floats():
    assert US.full(Decimal("90071992547409.93"), "money") == "$90,071,992,547,409.93"


def test_yen_has_no_decimals():
    assert Formatter("ja_JP", "JPY").exact_money(337.5).endswith("338")


def test_numbers_follow_the_locale():
    shown = (DE.value(23567, "count"), DE.value(0.563, "rate"), DE.value(337.4, "money"), DE.relative(0.074))
    assert shown == ("23.567", "56,3\u202f%", "337,40\xa0€", "+7,4\u202f%")
    assert Formatter("pt_BR", "BRL").value(1_424_311, "money") == "R$\xa01,42\xa0mi"


def test_dates_name_their_month_in_the_order_of_the_locale():
    day = date(2026, 6, 30)
    assert (US.day(day), DE.month(day, long=True), US.month(day)) == ("Jun 30, 2026", "Juni 2026", "Jun 2026")
    moment = datetime(2026, 7, 1, 4, 10, tzinfo=UTC)
    assert US.moment(moment).replace("\u202f", " ") == "Jul 1, 2026, 4:10 AM UTC"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "money", "$0"),
        (500_000, "money", "$500K"),
        (1_500_000, "money", "$1.5M"),
        (0.5, "rate", "50\u202f%"),
        (50.63821293242087, "count", "50.6"),
        (250_000, "count", "250K"),
    ],
)
def test_ticks_are_short(value, unit, text):
    assert US.axis(value, unit) == text


def test_sizes_of_files():
    assert [US.size(size) for size in (12, 12_345, 3_400_000)] == ["12\xa0B", "12\xa0kB", "3.4\xa0MB"]
