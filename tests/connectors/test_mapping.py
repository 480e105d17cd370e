"""Mapping: forms that are found out, types that files bring along, and what a mapping may not leave open."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from config.model import Project
from connectors.errors import SourceErrors
from connectors.manifest import SourceReport
from connectors.sources import Sources
from connectors.staging import stage

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PROJECT = Project(name="Shop", currency="EUR", timezone="Europe/Berlin")
COLUMNS = {"order_id": "no", "line_id": "row_number", "ordered_at": "day", "net_amount": "paid"}
Load = Callable[..., tuple[pl.DataFrame, SourceReport]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Order lines of one file: CSV text, or a frame as Parquet; further keys change the source."""

    def load(content: str | pl.DataFrame, **changes: object) -> tuple[pl.DataFrame, SourceReport]:
        kind = "csv" if isinstance(content, str) else "parquet"
        path = tmp_path / f"orders.{kind}"
        if isinstance(content, str):
            path.write_text(content)
        else:
            content.write_parquet(path)
        source = {
            "name": "orders",
            "table": "order_lines",
            "kind": kind,
            "location": path.name,
            "columns": COLUMNS,
        }
        sources = Sources.model_validate({"sources": [{**source, **changes}]})
        staged = stage(tmp_path, PROJECT, sources, now=NOW, workdir=tmp_path / "work")
        return staged.tables["order_lines"].collect(), staged.reports[0]

    return load


def text(*rows: str, mark: str = ";") -> str:
    return "\n".join([mark.join(("no", "day", "paid")), *rows]) + "\n"


def days(values: list[str]) -> str:
    return text(*(f"A{at};{value};1" for at, value in enumerate(values)))


def test_decimal_mark_is_found_in_the_numbers(load: Load) -> None:
    rows, _ = load(text("A1;2024-03-01;1,5", "A2;2024-03-01;1.234,50", "A3;2024-03-01;7"))
    assert rows["net_amount"].to_list() == [Decimal("1.5"), Decimal("1234.5"), Decimal(7)]


def test_decimal_mark_is_found_however_late_it_shows(load: Load) -> None:
    whole = [f"A{at};2024-03-01;{at}" for at in range(6_000)]
    rows, _ = load(text(*whole, "Z;2024-03-01;2,5"))
    assert rows["net_amount"][-1] == Decimal("2.5")


def test_one_odd_number_among_many_does_not_stop_the_load(load: Load) -> None:
    rows, report = load(text(*(f"A{at};2024-03-01;{at}.25" for at in range(100)), "Z;2024-03-01;2,5"))
    assert rows.height == 100
    assert report.quarantined == {"`paid` is not a number": 1}


def test_decimal_mark_may_be_said_for_a_source_or_a_column(load: Load) -> None:
    assert load(text("A1;2024-03-01;1,234"), decimal=",")[0]["net_amount"].item() == Decimal("1.234")
    columns = {**COLUMNS, "net_amount": {"from": "paid", "decimal": "."}}
    assert load(text("A1;2024-03-01;1,234"), columns=columns)[0]["net_amount"].item() == Decimal(1234)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["13/04/2024", "03/04/2024"], [date(2024, 4, 13), date(2024, 4, 3)]),
        (["04/13/2024", "03/04/2024"], [date(2024, 4, 13), date(2024, 3, 4)]),
        (["31.12.2023", "01.02.2024"], [date(2023, 12, 31), date(2024, 2, 1)]),
        (["2024-01-02", "2024-01-02 23:30", "2024-01-02T23:30:00.5"], [date(2024, 1, 2)] * 3),
        (["2024-01-02T23:30:00Z", "2024-01-02T23:30:00+01:00"], [date(2024, 1, 3), date(2024, 1, 2)]),
        (["Jan 2, 2024"], [date(2024, 1, 2)]),
        (["02-Jan-2024 10:00"], [date(2024, 1, 2)]),
    ],
)
def test_date_formats_are_found_in_the_dates(load: Load, values: list[str], expected: list[date]) -> None:
    assert load(days(values))[0]["ordered_on"].to_list() == expected


def test_order_of_day_and_month_is_found_however_late_it_shows(load: Load) -> None:
    rows, _ = load(days([*["03/04/2024"] * 6_000, "13/04/2024"]))
    assert rows["ordered_on"].value_counts().sort("count").rows() == [
        (date(2024, 4, 13), 1),
        (date(2024, 4, 3), 6_000),
    ]


def test_one_odd_date_among_many_does_not_stop_the_load(load: Load) -> None:
    rows, report = load(days([*["2024-03-01"] * 100, "01.03.2024", "soon", ""]))
    assert rows.height == 100
    assert sum(report.quarantined.values()) == 3


def test_one_odd_date_among_few_costs_its_row_alone(load: Load) -> None:
    rows, report = load(days(["2024-03-01", "2024-03-02", "03.03.2024"]))
    assert rows.height == 2
    assert report.quarantined == {"`day` is not a date in the form `%Y-%m-%d`": 1}


def test_dates_of_a_later_file_are_looked_at_too(load: Load, tmp_path: Path) -> None:
    (tmp_path / "orders-2.csv").write_text(days(["31.03.2024"] * 50))
    with pytest.raises(SourceErrors, match="writes dates in several formats"):
        load(days(["2024-03-01"] * 50), location=["orders.csv", "orders-2.csv"])


def test_times_without_a_zone_are_the_projects_the_sources_or_the_columns(load: Load) -> None:
    midnight = text("A1;2024-03-01 00:30;1")
    column = {**COLUMNS, "ordered_at": {"from": "day", "timezone": "Asia/Tokyo"}}
    found = [
        load(midnight)[0]["ordered_at"].item(),
        load(midnight, timezone="America/New_York")[0]["ordered_at"].item(),
        load(midnight, timezone="America/New_York", columns=column)[0]["ordered_at"].item(),
    ]
    assert [at.astimezone(UTC).strftime("%d %H:%M") for at in found] == ["29 23:30", "01 05:30", "29 15:30"]


def test_types_of_parquet_become_ours(load: Load) -> None:
    frame = pl.DataFrame(
        {
            "no": [17850.0, 900000.0],
            "day": [date(2024, 3, 1), date(2024, 3, 2)],
            "paid": pl.Series([8.95, 1e-5], dtype=pl.Float32),
            "n": [3, None],
            "late": [True, False],
        }
    )
    columns = {**COLUMNS, "quantity": "n", "status": "late"}
    rows, report = load(frame, columns=columns, attributes=["n", "late"])
    assert rows.select("order_id", "net_amount", "quantity", "status", "n", "late").rows() == [
        ("17850", Decimal("8.95"), 3.0, "true", 3, True),
        ("900000", Decimal(0), None, "false", None, False),
    ]
    assert sum(report.repaired.values()) == 3


def test_numbers_that_are_days_and_columns_without_any_value(load: Load) -> None:
    frame = pl.DataFrame({"no": [1], "day": [20240301], "paid": [1], "n": pl.Series([None], dtype=pl.Null)})
    columns = {**COLUMNS, "status": "n", "cost": "n", "delivered_at": "n"}
    rows, _ = load(frame, columns=columns, attributes=["n"])
    assert rows.select("ordered_on", "status", "cost", "delivered_at", "n").rows() == [
        (date(2024, 3, 1), None, None, None, None)
    ]


def test_floats_that_are_no_numbers_are_refused_unless_they_are_named_blanks(load: Load) -> None:
    frame = pl.DataFrame(
        {"no": ["A1", "A2"], "day": [date(2024, 3, 1)] * 2, "paid": [1.0, 2.0], "n": [float("nan"), 1.0]}
    )
    columns = {**COLUMNS, "quantity": "n"}
    assert load(frame, columns=columns)[1].quarantined == {"`n` is not a number": 1}
    assert load(frame, columns=columns, blanks=["NaN"])[0]["quantity"].to_list() == [None, 1.0]


def test_products_of_floats_are_exact(load: Load) -> None:
    # Oracle: DuckDB on decimals.
    frame = pl.DataFrame({"q": list(range(-500, 500)), "p": [at / 1000 for at in range(1000)]})
    frame = frame.with_columns(no=pl.lit("A"), day=pl.lit(date(2024, 3, 1)))
    rows, _ = load(frame, columns={**COLUMNS, "net_amount": "q * p"})
    sql = "SELECT sum(q::DECIMAL(18, 4) * p::DECIMAL(18, 4)) FROM frame"
    expected = duckdb.connect().execute(sql).fetchall()[0][0] if frame.height else None
    assert rows["net_amount"].sum() == expected


def test_text_is_taken_for_what_expressions_ask(load: Load) -> None:
    columns = {
        **COLUMNS,
        "net_amount": "coalesce(paid, listed)",
        "status": "CASE WHEN no LIKE '0%' THEN 'old' END",
    }
    content = "no;day;paid;listed\n007;2024-03-01;;3,5\n8;2024-03-01;5;9\n"
    rows, _ = load(content, columns=columns)
    assert rows.select("order_id", "net_amount", "status").rows() == [
        ("007", Decimal("3.5"), "old"),
        ("8", Decimal(5), None),
    ]


def test_column_cannot_be_text_and_number_at_once(load: Load) -> None:
    columns = {**COLUMNS, "net_amount": "paid * no", "is_return": "no LIKE 'R%'"}
    with pytest.raises(SourceErrors, match="CAST"):
        load(text("1;2024-03-01;2"), columns=columns)
    rows, _ = load(
        text("1;2024-03-01;2"), columns={**columns, "net_amount": "paid * CAST(no AS DECIMAL(18, 4))"}
    )
    assert rows["net_amount"].item() == 2


def test_number_in_an_expression_that_is_none_names_its_own_column(load: Load) -> None:
    _, report = load(
        text("A1;2024-03-01;five", "A2;2024-03-01;5"), columns={**COLUMNS, "net_amount": "paid * 2"}
    )
    assert report.quarantined == {"`paid` is not a number": 1}


def test_future_is_what_comes_after_the_refresh_except_for_promises(load: Load) -> None:
    columns = {**COLUMNS, "promised_at": "promise"}
    content = "no;day;paid;promise\nA1;2024-05-31;1;2031-01-01\nA2;2024-06-02;1;2024-06-03\n"
    rows, report = load(content, columns=columns)
    assert rows["order_id"].to_list() == ["A1"]
    assert report.quarantined == {"`day` is in the future": 1}
