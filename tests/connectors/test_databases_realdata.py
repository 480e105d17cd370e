"""Northwind and Chinook through sources.yaml alone: the same figures from every engine that holds them."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from config.model import Project
from connectors.content import content_of
from connectors.sources import Sources
from connectors.staging import stage

pytestmark = pytest.mark.realdata

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NET_SALES = Decimal("1265793.0395")


def staged(folder: Path, *sources: dict[str, Any]) -> pl.DataFrame:
    """The order lines that the first source fills."""
    project = Project(name="Sample", currency="USD")
    model = Sources.model_validate({"sources": list(sources)})
    result = stage(folder, project, model, now=NOW, workdir=folder / "work")
    for report in result.reports:
        explained = report.accepted + report.merged + sum(report.quarantined.values())
        assert report.rows_read == explained + sum(report.filtered.values())
        assert not report.quarantined
    return result.tables["order_lines"].collect()


def northwind(folder: Path, connection: str, names: dict[str, str]) -> pl.DataFrame:
    lines = {
        "name": "lines",
        "table": "order_lines",
        "kind": "database",
        "connection": connection,
        "from": names["lines"],
        "joins": [{"source": "orders", "on": names["order"]}],
        "columns": {
            "order_id": names["order"],
            "line_id": names["product"],
            "customer_id": names["customer"],
            "ordered_at": names["date"],
            "product_id": names["product"],
            "quantity": names["quantity"],
            "net_amount": f"{names['price']} * {names['quantity']} * (1 - {names['discount']})",
            "is_return": False,
        },
    }
    orders = {"name": "orders", "kind": "database", "connection": connection, "from": names["orders"]}
    return staged(folder, lines, orders)


SQLITE_NAMES = {
    "lines": "Order Details",
    "orders": "Orders",
    "order": "OrderID",
    "product": "ProductID",
    "customer": "CustomerID",
    "date": "OrderDate",
    "quantity": "Quantity",
    "price": "UnitPrice",
    "discount": "Discount",
}
POSTGRES_NAMES = {
    "lines": "order_details",
    "orders": "orders",
    "order": "order_id",
    "product": "product_id",
    "customer": "customer_id",
    "date": "order_date",
    "quantity": "quantity",
    "price": "unit_price",
    "discount": "discount",
}


def northwind_figures(lines: pl.DataFrame) -> None:
    assert lines.height == 2155
    assert lines["order_id"].n_unique() == 830
    assert lines["customer_id"].n_unique() == 89
    assert lines["net_amount"].sum() == NET_SALES
    spent = lines.group_by("customer_id").agg(pl.col("net_amount").sum()).sort("net_amount").row(-1)
    assert spent == ("QUICK", Decimal("110277.3050"))
    orders = lines.group_by("customer_id").agg(pl.col("order_id").n_unique())
    assert orders.filter(pl.col("order_id") > 1).height == 88


def test_northwind_on_sqlite(real_data: Path, tmp_path: Path):
    file = real_data / "northwind" / "northwind_original_830.sqlite"
    northwind_figures(northwind(tmp_path, f"sqlite:///{file}", SQLITE_NAMES))


@pytest.mark.database
def test_northwind_on_postgres_has_the_lines_of_northwind_on_sqlite(
    real_data: Path, tmp_path: Path, postgres_url: str
):
    load(postgres_url, (real_data / "northwind" / "northwind_postgres.sql").read_text(encoding="utf-8"))
    lines = northwind(tmp_path, postgres_url, POSTGRES_NAMES)
    northwind_figures(lines)
    file = real_data / "northwind" / "northwind_original_830.sqlite"
    other = northwind(tmp_path / "sqlite", f"sqlite:///{file}", SQLITE_NAMES)
    assert content_of(lines) == content_of(other)


def chinook(folder: Path, connection: str, names: dict[str, str]) -> pl.DataFrame:
    return staged(
        folder,
        {
            "name": "invoices",
            "table": "order_lines",
            "kind": "database",
            "connection": connection,
            "from": names["invoice"],
            "columns": {
                "order_id": names["id"],
                "line_id": "row_number",
                "customer_id": names["customer"],
                "ordered_at": names["date"],
                "net_amount": names["total"],
                "is_return": False,
            },
        },
    )


CAMEL = {
    "invoice": "Invoice",
    "id": "InvoiceId",
    "customer": "CustomerId",
    "date": "InvoiceDate",
    "total": "Total",
}
SNAKE = {
    "invoice": "invoice",
    "id": "invoice_id",
    "customer": "customer_id",
    "date": "invoice_date",
    "total": "total",
}


def chinook_figures(invoices: pl.DataFrame) -> None:
    assert invoices.height == 412
    assert invoices["net_amount"].sum() == Decimal("2328.6000")
    assert invoices["customer_id"].n_unique() == 59


def test_chinook_on_sqlite(real_data: Path, tmp_path: Path):
    file = real_data / "chinook" / "Chinook_Sqlite.sqlite"
    chinook_figures(chinook(tmp_path, f"sqlite:///{file}", CAMEL))


@pytest.mark.database
def test_chinook_has_one_content_on_three_engines(
    real_data: Path, tmp_path: Path, postgres_url: str, mariadb_url: str
):
    folder = real_data / "chinook"
    load(postgres_url, after(folder / "Chinook_PostgreSql.sql", "\\c chinook;"))
    load(mariadb_url, after(folder / "Chinook_MySql.sql", "USE `Chinook`;"))
    contents = set()
    for connection, names in (
        (f"sqlite:///{folder / 'Chinook_Sqlite.sqlite'}", CAMEL),
        (postgres_url, SNAKE),
        (mariadb_url, CAMEL),
    ):
        invoices = chinook(tmp_path / names["invoice"] / connection[:6].strip(":/"), connection, names)
        chinook_figures(invoices)
        contents.add(content_of(invoices))
    assert len(contents) == 1


def after(script: Path, line: str) -> str:
    """The script without the statements that choose a database."""
    return script.read_text(encoding="utf-8-sig").split(line, 1)[1]


def load(url: str, script: str) -> None:
    """Runs a script as its own administrator would, in one go."""
    if url.startswith("postgresql"):
        engine = sa.create_engine(url.replace("://", "+psycopg://", 1))
        with engine.begin() as connection:
            connection.connection.driver_connection.execute(script)  # type: ignore[union-attr]
    else:
        from pymysql.constants import CLIENT

        engine = sa.create_engine(url, connect_args={"client_flag": CLIENT.MULTI_STATEMENTS})
        with engine.begin() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(script)
            while cursor.nextset():
                pass
    engine.dispose()
