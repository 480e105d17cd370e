"""What the expression language means where SQL leaves a choice, and what it refuses."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.expressions import (
    KNOWN_AGGREGATES,
    KNOWN_FUNCTIONS,
    Compiled,
    ExpressionError,
    column_kinds,
    compile_aggregate,
    compile_derived,
    compile_expression,
)

COLUMNS = {
    "quantity": pl.Int64(),
    "price": pl.Decimal(18, 4),
    "score": pl.Float64(),
    "region": pl.String(),
    "ordered_on": pl.Date(),
    "gift": pl.Boolean(),
}


def value(text: str, **columns: pl.Series) -> object:
    """The value of an expression over one row of columns."""
    row = pl.DataFrame(columns) if columns else pl.DataFrame({"": [0]})
    return row.select(value=compile_expression(text, row.schema).expr)["value"].item()


def refusal(text: str, columns: dict[str, pl.DataType] | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, COLUMNS if columns is None else columns)
    return caught.value


# What it means


@pytest.mark.parametrize("text", ["7 / 0", "7.5 / 0.0", "7 % 0", "7.5 % 0", "0 / 0"])
def test_division_by_zero_is_null(text: str) -> None:
    assert value(text) is None


def test_division_is_never_whole() -> None:
    assert value("7 / 2") == 3.5


def test_written_decimals_are_exact() -> None:
    assert value("0.1 + 0.2 = 0.3") is True
    assert value("1.10 * 1.10") == Decimal("1.2100")


HALVES = [("2.5", 3), ("-2.5", -3), ("0.05", 0), ("0.5", 1), ("-0.5", -1)]


@pytest.mark.parametrize(("text", "rounded"), HALVES)
def test_halves_are_rounded_away_from_zero(text: str, rounded: int) -> None:
    assert value(f"round({text})") == rounded
    assert value(f"round(CAST({text} AS DOUBLE))") == rounded
    assert value(f"CAST({text} AS INTEGER)") == rounded
    assert value(f"CAST(CAST({text} AS DOUBLE) AS INTEGER)") == rounded


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt32, pl.UInt64])
def test_small_whole_numbers_do_not_overflow(dtype: type[pl.DataType]) -> None:
    column = pl.Series([100], dtype=dtype)
    assert value("a * a * a - 1000001", a=column) == -1
    assert value("0 - a", a=column) == -100


@pytest.mark.parametrize("kind", ["INTEGER", "DOUBLE", "DECIMAL(18, 4)", "BOOLEAN", "DATE", "TIMESTAMP"])
def test_cast_of_what_cannot_be_read_is_null(kind: str) -> None:
    assert value(f"CAST(a AS {kind})", a=pl.Series(["2024-02-30"])) is None


def test_cast_passes_over_spaces() -> None:
    assert value("CAST(' 12.50 ' AS DECIMAL(18, 4))") == Decimal("12.5000")


def test_categories_compare_as_text() -> None:
    for dtype in (pl.Enum(["b", "a"]), pl.Categorical()):
        column = pl.Series(["a"], dtype=dtype)
        assert value("a < 'b' AND a IN ('a', 'unheard of')", a=column) is True


def test_times_with_a_zone_compare_with_dates_and_written_times_in_that_zone() -> None:
    utc = pl.Series(["2024-01-01T00:30:00+0000"]).str.to_datetime(time_unit="us")
    column = utc.dt.convert_time_zone("America/New_York")
    assert value("a < DATE '2024-01-01'", a=column) is True
    assert value("TIMESTAMP '2023-12-31 19:30:00' = a", a=column) is True
    assert value("CAST(a AS DATE)", a=column) == date(2023, 12, 31)
    assert value("year(a)", a=column) == 2023
    assert value("date_diff('day', a, DATE '2024-01-01')", a=column) == 1


def test_date_and_interval_stay_a_date() -> None:
    assert value("DATE '2024-01-31' + INTERVAL 1 MONTH") == date(2024, 2, 29)
    assert value("DATE '2024-03-01' - INTERVAL '1 day'") == date(2024, 2, 29)
    assert value("DATE '2024-03-01' - DATE '2024-02-01'") == 29


def test_null_in_a_list_makes_the_unmatched_unknown() -> None:
    assert value("5 IN (1, NULL)") is None
    assert value("1 IN (1, NULL)") is True


def test_patterns_take_every_other_sign_literally() -> None:
    assert value("'a.b' LIKE 'a_b'") is True
    assert value("'axb' LIKE 'a.b'") is False
    assert value("'50 %' LIKE '50 !%' ESCAPE '!'") is True
    assert value("'ab' LIKE 'a'") is False


def test_functions_outside_their_domain_are_null() -> None:
    assert [value(text) for text in ("sqrt(-1)", "ln(0)", "power(0, -1)", "power(-8, 0.5)")] == [None] * 4


def test_sum_over_nothing_is_null_and_count_is_zero() -> None:
    empty = pl.DataFrame(schema=COLUMNS)
    for text, expected in (("sum(price)", None), ("count(*)", 0), ("count(price)", 0), ("avg(price)", None)):
        assert empty.select(compile_aggregate(text, COLUMNS).expr).item() == expected


# Names


def test_odd_names_stand_in_quotes_or_backticks() -> None:
    columns = {'net "amount"': pl.Int64(), "Unit Price": pl.Int64(), "單價": pl.Int64(), "order": pl.Int64()}
    text = '"net ""amount""" + `Unit Price` + 單價 + "order" + "單價"'
    assert compile_expression(text, columns).columns == frozenset(columns)


def test_columns_are_those_that_occur() -> None:
    text = "sum(price) FILTER (WHERE region = 'East') / count(DISTINCT quantity)"
    compiled = compile_aggregate(text, COLUMNS)
    assert compiled.columns == {"price", "region", "quantity"}
    assert (compiled.kind, compiled.dtype) == ("number", pl.Float64())
    assert compiled.references == frozenset()


def test_types_may_be_given_as_classes() -> None:
    assert compile_expression("a + 1", {"a": pl.Int32}).dtype == pl.Int64()  # type: ignore[dict-item]  # as schemas do


def test_derived_metric_reads_others_by_name_in_braces() -> None:
    metrics = {"net_revenue": pl.Decimal(38, 4), "orders": pl.Int64()}
    compiled = compile_derived("{net_revenue} / nullif({orders}, 0) * 100", metrics)
    assert (compiled.references, compiled.columns) == ({"net_revenue", "orders"}, frozenset())
    frame = pl.DataFrame({"net_revenue": [Decimal(3), Decimal(3)], "orders": [2, 0]})
    assert frame.select(compiled.expr.alias("value"))["value"].to_list() == [150.0, None]


def test_braces_within_texts_are_text() -> None:
    assert value("'{orders}' = '{orders}' -- {orders}") is True


def test_kind_that_is_asked_for_is_checked() -> None:
    assert compile_expression("gift", COLUMNS, kind="condition").kind == "condition"
    with pytest.raises(ExpressionError, match="`quantity` is a number, not a condition"):
        compile_expression("quantity", COLUMNS, kind="condition")


# Columns of files, whose type is still open


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Quantity * UnitPrice", {"Quantity": "number", "UnitPrice": "number"}),
        ("InvoiceNo LIKE 'C%'", {"InvoiceNo": "text"}),
        ("UnitPrice <= 0", {"UnitPrice": "number"}),
        ("'x' = InvoiceNo", {"InvoiceNo": "text"}),
        ("InvoiceDate >= DATE '2024-01-31'", {"InvoiceDate": "date"}),
        ("year(InvoiceDate) = 2010", {"InvoiceDate": "date"}),
        ("InvoiceNo IN ('a', 'b') OR Quantity BETWEEN 1 AND 2", {"InvoiceNo": "text", "Quantity": "number"}),
        (
            "CASE WHEN Quantity < 0 THEN '' ELSE InvoiceNo END",
            {"Quantity": "number", "InvoiceNo": "text"},
        ),
        ("coalesce(InvoiceNo, CustomerID)", {}),
        ("coalesce(InvoiceNo, 'none')", {"InvoiceNo": "text"}),
        ("InvoiceNo IS NULL", {}),
        ("InvoiceNo = CustomerID", {}),
        ("CAST(Quantity AS INTEGER)", {"Quantity": "text"}),
        ("trim(CustomerID) || '-' || InvoiceNo", {"CustomerID": "text", "InvoiceNo": "text"}),
    ],
)
def test_use_says_what_an_open_column_is(text: str, kinds: dict[str, str]) -> None:
    names = ["Quantity", "UnitPrice", "InvoiceNo", "InvoiceDate", "CustomerID"]
    assert column_kinds(text, names) == kinds


def test_open_columns_are_checked_like_others() -> None:
    with pytest.raises(ExpressionError, match="Did you mean `Quantity`"):
        column_kinds("Quantty * 2", ["Quantity"])


# What it refuses


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(SELECT 1)",
        "quantity IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "COPY t TO 'x'",
        "DROP TABLE t",
        "ATTACH 'x'",
        "SET x = 1",
        "PRAGMA version",
        "read_csv('/etc/passwd')",
        "getenv('HOME')",
        "current_date",
        "now()",
        "random()",
        "sum(quantity) OVER ()",
        "quantity; quantity",
        "lambda x: x",
        "[1, 2]",
        "{'a': 1}",
        "quantity[1]",
        "?",
        "$1",
        ":name",
        "*",
        "t.quantity",
        "quantity AS q",
        "quantity BETWEEN SYMMETRIC 1 AND 2",
        "region SIMILAR TO 'x'",
        "region LIKE ANY ('a', 'b')",
        "regexp_matches(region, 'x')",
        "region ~ 'x'",
        "region COLLATE nocase",
        "quantity // 2",
        "quantity & 1",
        "round(price, 1, 2)",
        "CAST(quantity AS JSON)",
        "trim(BOTH 'x' FROM region)",
        "INTERVAL 7 DAY",
        "CASE WHEN quantity THEN 1 END",
        "1e999",
        "9" * 40,
    ],
)
def test_whatever_is_not_on_the_list_is_refused(text: str) -> None:
    error = refusal(text)
    assert 0 <= error.offset <= len(text)
    assert error.fault


def test_refusal_points_at_the_wrong_word() -> None:
    text = "quantity + price * lowr(region)"
    assert text[refusal(text).offset :].startswith("lowr")


def test_refusal_points_into_the_second_line() -> None:
    text = "quantity\n  + pric"
    assert text[refusal(text).offset :] == "pric"


def test_where_is_kept_for_the_caller() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("pric", COLUMNS, where="metric `net_revenue`")
    assert caught.value.where == "metric `net_revenue`"


DEEP = ["(" * 3_000, "(" * 200 + "1" + ")" * 200, "NOT " * 500 + "gift", "-" * 500 + "1"]


@pytest.mark.parametrize("text", DEEP)
def test_deep_nesting_is_refused_and_no_crash(text: str) -> None:
    assert refusal(text).fault


def test_long_sums_and_long_expressions_have_a_limit() -> None:
    assert compile_expression(" + ".join(["quantity"] * 80), COLUMNS).columns == {"quantity"}
    assert "nested too deeply" in refusal(" + ".join(["quantity"] * 200)).fault
    assert "the limit is 4,000" in refusal("quantity " * 500).fault


ARGUMENTS = """
    quantity | region | ordered_on | quantity, 2 | price, 0.5 | * | region, 'a' | region, 1 | region, 'a', 1
    region, 'a', 'b' | 'day', ordered_on | 'day', ordered_on, ordered_on | gift, 1, 2 | month FROM ordered_on
"""


@pytest.mark.parametrize("name", [*KNOWN_FUNCTIONS, *KNOWN_AGGREGATES])
def test_every_known_function_works(name: str) -> None:
    compile_here = compile_aggregate if name in KNOWN_AGGREGATES else compile_expression
    calls = [
        f"{name}({given})" for line in ARGUMENTS.splitlines() for given in line.split("|") if given.strip()
    ]
    assert any(outcome(call, compile_here) is None for call in calls)


def outcome(text: str, compile_here: Callable[..., Compiled]) -> ExpressionError | None:
    """The refusal of an expression; none when it compiles, and then to the type that it says."""
    try:
        compiled = compile_here(text, COLUMNS)
    except ExpressionError as error:
        return error
    schema = pl.LazyFrame(schema=COLUMNS).select(value=compiled.expr).collect_schema()
    assert schema["value"] == compiled.dtype
    return None


WORDS = """
    + - * / % ( ) , . = < > { } ' " ` || :: ; -- /* NULL TRUE 1 0.5 'a' {orders} pric quantity price region
    gift ordered_on AND OR NOT IN IS LIKE BETWEEN CASE WHEN THEN ELSE END CAST AS sum count coalesce replace
    date_trunc split_part percentile substring FILTER WHERE DISTINCT SELECT FROM INTERVAL DATE DAY round
    '2024-01-31'
"""


@settings(max_examples=300, deadline=None)
@example("@")
@example("1 + @@")
@given(st.lists(st.sampled_from(WORDS.split()), max_size=10).map(" ".join) | st.text(max_size=30))
def test_any_text_is_compiled_or_refused_at_a_place_within_it(text: str) -> None:
    for compile_here in (compile_expression, compile_aggregate):
        error = outcome(text, compile_here)
        assert error is None or 0 <= error.offset <= len(text)


def test_guide_names_every_function() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", guide))
    assert set(KNOWN_FUNCTIONS) | set(KNOWN_AGGREGATES) <= words
