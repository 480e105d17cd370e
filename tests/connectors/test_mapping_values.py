"""Cells to values: exact, or refused with a reason; never changed in silence."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.steps import inline
from connectors.values import (
    Conventions,
    Parsed,
    choices,
    currency_marks,
    flags,
    ids,
    money,
    numbers,
    translated,
    words,
)

CELL = pl.col("cell")
EURO = Conventions(currency="EUR")
GERMAN = Conventions(decimal=",", currency="EUR", locale="de_DE")


def read(parsed: Parsed, cells: Sequence[object], dtype: pl.DataType | None = None) -> list[object]:
    """The value of every cell, or the reason for which it has none."""
    frame = pl.DataFrame({"cell": pl.Series(cells, dtype=dtype or pl.String())})
    reasons = (pl.when(bad).then(pl.lit(reason)) for reason, bad in parsed.faults)
    found = frame.select(value=parsed.expr, fault=pl.coalesce(pl.lit(None, pl.String), *reasons))
    return [fault if fault is not None else value for value, fault in found.rows()]


def amounts(
    cells: Sequence[object], conventions: Conventions = EURO, dtype: pl.DataType | None = None
) -> list[object]:
    number = numbers(inline, CELL, dtype or pl.String(), "paid", conventions)
    return read(money(inline, number, "paid"), cells, dtype)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", "10"), (" 10.5 ", "10.5"), ("+3", "3"), ("-3", "-3"), ("\u22123", "-3"), ("3-", "-3"),
        (".5", "0.5"), ("5.", "5"), ("(12.50)", "-12.5"), ("( 12.50 )", "-12.5"), ("1,234", "1234"),
        ("1,234,567.89", "1234567.89"), ("1 234.5", "1234.5"), ("1\u00a0234.5", "1234.5"),
        ("1'234.50", "1234.5"), ("12,34,567.00", "1234567"), ("€5", "5"), ("5 €", "5"), ("EUR 5", "5"),
        ("5.00eur", "5"), ("-€5", "-5"), ("€ -5", "-5"), ("(€5)", "-5"), ("1e3", "1000"),
        ("1.5E-2", "0.015"), ("1e-7", "0"), ("99999999999999.9999", "99999999999999.9999"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(text: str, value: str) -> None:
    assert amounts([text]) == [Decimal(value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", "10"),
        ("10,5", "10.5"),
        ("1.234,50", "1234.5"),
        ("1.234", "1234"),
        ("-1 234,5 €", "-1234.5"),
        (",5", "0.5"),
    ],
)
def test_amounts_with_a_decimal_comma(text: str, value: str) -> None:
    assert amounts([text], GERMAN) == [Decimal(value)]


@pytest.mark.parametrize(
    "text",
    ["ten", "1.2.3", "1,50", "1,2345", "12,34.5", "--5", "(5", "5)", "(-5)", "1_000", "0x10", "NaN", "inf",
     "-Infinity", "15%", "1 2", "\u0661", "#N/A", "1e", "-", "€"],
)  # fmt: skip
def test_what_is_no_number_is_told(text: str) -> None:
    assert amounts([text]) == ["`paid` is not a number"]


def test_blank_cells_are_empty_and_blank_codes_are_named() -> None:
    assert amounts(["", "  ", None]) == [None, None, None]
    assert amounts(["NA"]) == ["`paid` is not a number"]
    assert amounts(["NA", "-", " n/a "], Conventions(blanks=("NA", "-", "n/a"))) == [None, None, None]


def test_another_currency_is_never_counted_as_ours() -> None:
    told = "`paid` is in another currency than EUR"
    assert amounts(["$5", "5 USD", "£5", "R$ 5", "€5"]) == [told, told, told, told, Decimal(5)]
    assert amounts(["$5"], Conventions(currency="USD")) == [Decimal(5)]
    assert "R$" in currency_marks("BRL", "pt_BR")


def test_thousands_mark_may_be_named_or_ruled_out() -> None:
    assert amounts(["1'000"], Conventions(thousands=",")) == ["`paid` is not a number"]
    assert amounts(["1,000"], Conventions(thousands="")) == ["`paid` is not a number"]


def test_too_large_amounts_are_told() -> None:
    assert amounts(["100000000000000"]) == ["`paid` is too large"]


def test_more_than_four_decimals_are_rounded_half_up_and_counted() -> None:
    cells = ["1.00005", "-1.00005", "1.00004999999999999999", "1.23455", "1.2345", "0.00004"]
    parsed = money(inline, numbers(inline, CELL, pl.String(), "paid", EURO), "paid")
    assert read(parsed, cells) == [
        Decimal(t) for t in ("1.0001", "-1.0001", "1.0000", "1.2346", "1.2345", "0")
    ]
    ((what, rounded),) = parsed.repairs
    assert what == "amounts rounded to 4 decimals"
    assert pl.DataFrame({"cell": cells}).select(rounded)["cell"].to_list() == [
        True,
        True,
        True,
        True,
        False,
        True,
    ]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=20))
def test_text_amounts_equal_python_decimals(units: list[int]) -> None:
    values = [Decimal(unit).scaleb(-4) for unit in units]
    assert amounts([str(value) for value in values]) == values
    assert amounts([f"{value:,}" for value in values]) == values


def half_up(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("0.0001"), ROUND_HALF_UP)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-1e13, 1e13), min_size=1, max_size=50))
def test_doubles_go_through_their_shortest_decimal(values: list[float]) -> None:
    # Oracle: Python writes the shortest decimal of a double.
    assert amounts(values, dtype=pl.Float64()) == [half_up(repr(value)) for value in values]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=50))
def test_four_byte_floats_go_through_their_shortest_decimal(values: list[float]) -> None:
    # Oracle: NumPy writes the shortest decimal of a 4-byte float.
    assert amounts(values, dtype=pl.Float32()) == [half_up(str(np.float32(value))) for value in values]


def test_doubles_next_to_a_half_are_rounded_once() -> None:
    halves = [at / 100_000 for at in range(5, 200_000, 10)]
    around = [value for half in halves for value in (np.nextafter(half, 0), half, np.nextafter(half, 9))]
    assert amounts(around, dtype=pl.Float64()) == [half_up(repr(float(value))) for value in around]


def test_prices_kept_as_floats_stay_prices() -> None:
    cents = np.arange(0, 2_000_000, 7)
    for dtype in (pl.Float64(), pl.Float32()):
        frame = pl.DataFrame({"cell": pl.Series(cents / 100).cast(dtype)})
        parsed = money(inline, numbers(inline, CELL, dtype, "paid", EURO), "paid")
        assert (frame.select(parsed.expr)["cell"] * 100).cast(pl.Int64).to_list() == cents.tolist()


def test_floats_that_are_no_numbers_are_told() -> None:
    values = [float("nan"), float("inf"), 1e15, None, 8.95]
    told = "`paid` is not a number"
    assert amounts(values, dtype=pl.Float64()) == [told, told, "`paid` is too large", None, Decimal("8.95")]


def test_ids_stay_text() -> None:
    parsed = ids(inline, CELL, pl.String(), "no")
    kept = ["007", "A-1", "1e5", "12.50", "0x1", "1.0.0", "東京"]
    assert read(parsed, [*kept, " 7 ", "", None]) == [*kept, "7", None, None]
    assert read(ids(inline, CELL, pl.Int64(), "no"), [7, None], pl.Int64()) == ["7", None]


def test_ids_are_freed_from_number_formats_and_counted() -> None:
    parsed = ids(inline, CELL, pl.String(), "no")
    cells = ["17850.0", "9e+05", "1.5E+3", "000123.00", "17850"]
    assert read(parsed, cells) == ["17850", "900000", "1500", "123", "17850"]
    ((_, repaired),) = parsed.repairs
    assert pl.DataFrame({"cell": cells}).select(repaired.sum()).item() == 4
    assert read(ids(inline, CELL, pl.Float64(), "no"), [17850.0, None, 1.5, float("nan")], pl.Float64()) == [
        "17850", None, "`no` is no whole number and no id", "`no` is no whole number and no id",
    ]  # fmt: skip


def test_id_that_lost_its_digits_is_refused() -> None:
    told = "`no` lost digits to a spreadsheet"
    assert read(ids(inline, CELL, pl.String(), "no"), ["1.23457E+11", "1.23457E+05"]) == [told, "123457"]


def test_flags_words_and_lists_of_values() -> None:
    cells = ["TRUE", "no", "1", "f", "", "perhaps"]
    told = "`gone` is neither true nor false"
    assert read(flags(inline, CELL, pl.String(), "gone"), cells) == [True, False, True, False, None, told]
    month = choices(inline, words(inline, CELL, pl.String()), ["week", "month"], "billed")
    assert read(month, ["Month", "year", ""]) == ["month", "`billed` is none of week, month", None]


def test_value_maps_keep_null_or_refuse_what_they_do_not_list() -> None:
    values = {"canceled": "cancelled", "unknown": None, "R": True}
    kept = translated(CELL, values, "keep", "status")
    assert read(kept, ["canceled", "unknown", "R", "sold"]) == ["cancelled", None, "true", "sold"]
    assert read(translated(CELL, values, "null", "status"), ["canceled", "sold"]) == ["cancelled", None]
    told = "`status` is not among the listed values"
    assert read(translated(CELL, values, "quarantine", "status"), ["sold", "unknown", None]) == [
        told,
        None,
        None,
    ]
