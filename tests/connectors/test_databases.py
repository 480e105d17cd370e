"""Databases, shown on SQLite: exact values, one reading statement, read-only files, faults in words."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import connectors.databases
import connectors.engines.session
from connectors.databases import read_database, session
from connectors.engines.session import SqlSession
from connectors.errors import SourceError
from connectors.kinds import DatabaseSource
from connectors.raw import ROW, Raw

Shop = Callable[..., Path]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Writes a database from statements."""

    def write(*statements: str, rows: tuple[str, list[tuple[Any, ...]]] | None = None) -> Path:
        connection = sqlite3.connect(tmp_path / "shop.db")
        for statement in statements:
            connection.execute(statement)
        if rows:
            connection.executemany(*rows)
        connection.commit()
        connection.close()
        return tmp_path

    return write


def source(**given: Any) -> DatabaseSource:
    return DatabaseSource.model_validate(
        {"name": "shop", "kind": "database", "connection": "sqlite:///shop.db"} | given
    )


def read(folder: Path, **given: Any) -> Raw:
    return read_database(source(**given), folder, folder / "work")


def rows(raw: Raw) -> pl.DataFrame:
    return raw.frame.drop(ROW).collect()


def fault(folder: Path, **given: Any) -> str:
    with pytest.raises(SourceError) as raised:
        read(folder, **given)
    return str(raised.value)


ORDERS = (
    "CREATE TABLE orders (id TEXT, amount NUMERIC(10,2), placed DATETIME, units INTEGER)",
    "INSERT INTO orders VALUES "
    "('007', 0.99, '2026-01-05 10:00:00', 3), ('008', 12, NULL, 1), (NULL, -1.129, 'x', NULL)",
)


# --- values


def test_a_table_is_read_with_the_types_of_its_cells(shop: Shop):
    raw = read(shop(*ORDERS), **{"from": "orders"})
    expected = pl.DataFrame(
        {
            "id": ["007", "008", None],
            "amount": [0.99, 12.0, -1.129],
            "placed": ["2026-01-05 10:00:00", None, "x"],
            "units": [3, 1, None],
        }
    )
    assert_frame_equal(rows(raw), expected)
    assert raw.frame.collect()[ROW].to_list() == [0, 1, 2]
    assert raw.rows == 3
    assert [file.path for file in raw.files] == ["sqlite: orders"]


def test_a_query_is_read(shop: Shop):
    query = (
        "SELECT id, amount * 100 AS cents FROM orders WHERE id LIKE '0%' ORDER BY id DESC; -- the known ones"
    )
    raw = read(shop(*ORDERS), query=query)
    assert rows(raw).to_dict(as_series=False) == {"id": ["008", "007"], "cents": [1200.0, 99.0]}
    assert raw.files[0].path == "sqlite: query"


def test_cells_of_several_types_become_text_without_losing_a_digit(shop: Shop):
    folder = shop("CREATE TABLE t (a, b, c, d)", rows=("INSERT INTO t VALUES (?, ?, ?, ?)", [
        (1, 9_007_199_254_740_993, 2**63 - 1, 0.1),
        (0.1, 0.5, -(2**63), "17850"),
        ("x", None, 3, 3),
    ]))  # fmt: skip
    assert rows(read(folder, **{"from": "t"})).to_dict(as_series=False) == {
        "a": ["1", "0.1", "x"],
        "b": ["9007199254740993", "0.5", None],
        "c": [2**63 - 1, -(2**63), 3],
        "d": ["0.1", "17850", "3"],
    }


def test_a_column_that_changes_its_type_late_is_read_by_all_its_cells(shop: Shop):
    """Readers that look at the first hundred rows round the rest."""
    values = [(n,) for n in range(120_000)] + [(0.125,)]
    folder = shop("CREATE TABLE t (amount NUMERIC)", rows=("INSERT INTO t VALUES (?)", values))
    frame = rows(read(folder, **{"from": "t"}))
    assert frame["amount"][-1] == 0.125
    assert frame.height == 120_001


def test_bytes_are_left_out_and_said(shop: Shop):
    folder = shop("CREATE TABLE t (id TEXT, photo BLOB)", "INSERT INTO t VALUES ('a', x'00ff')")
    raw = read(folder, **{"from": "t"})
    assert list(raw.columns) == ["id"]
    assert raw.notes == ("column `photo` holds bytes and is left out",)


def test_an_empty_table_has_columns_and_no_rows(shop: Shop):
    raw = read(shop(ORDERS[0]), **{"from": "orders"})
    assert raw.rows == 0
    assert rows(raw).schema == dict.fromkeys(("id", "amount", "placed", "units"), pl.String)
    assert raw.rejected.height == 0


def test_rows_are_numbered_over_batches(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connectors.engines.session, "BATCH_ROWS", 7)
    folder = shop("CREATE TABLE t (n INTEGER)", rows=("INSERT INTO t VALUES (?)", [(n,) for n in range(50)]))
    frame = read(folder, **{"from": "t"}).frame.collect()
    assert frame[ROW].to_list() == frame["n"].to_list() == list(range(50))


@pytest.mark.parametrize("name", ["Order Details", 'say "hi"', "주문", "a.b", "semi;colon", "select"])
def test_names_are_taken_literally(shop: Shop, name: str):
    quoted = name.replace('"', '""')
    folder = shop(f'CREATE TABLE "{quoted}" ("{quoted}" INTEGER)', f'INSERT INTO "{quoted}" VALUES (1)')
    assert rows(read(folder, **{"from": name})).to_dict(as_series=False) == {name: [1]}


def test_the_same_rows_have_the_same_fingerprint(shop: Shop):
    folder = shop(*ORDERS)
    first = read(folder, **{"from": "orders"}).files[0]
    again = read(folder, query="SELECT * FROM orders ORDER BY id DESC").files[0]
    other = read(folder, query="SELECT * FROM orders WHERE id = '007'").files[0]
    assert first.fingerprint == again.fingerprint != other.fingerprint


# --- reading only


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("DELETE FROM orders", "does more than read"),
        ("SELECT 1; DROP TABLE orders", "holds 2 statements"),
        ("", "holds 0 statements"),
        ("ATTACH 'other.db' AS other", "does more than read"),
        ("PRAGMA query_only = OFF", "does more than read"),
        ("CREATE TABLE x AS SELECT 1", "does more than read"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "does more than read"),
        ("SELECT * FROM orders WHERE (", "cannot be read"),
        ("SELECT 1 /*! INTO OUTFILE '/tmp/x' */", "does more than read"),
    ],
)
def test_only_one_reading_statement_is_accepted(shop: Shop, query: str, told: str):
    folder = shop(*ORDERS)
    message = fault(folder, query=query)
    assert message.startswith("source `shop`: `query:`")
    assert told in message
    assert message.endswith("Write one SELECT under `query:`")
    assert read(folder, **{"from": "orders"}).rows == 3


def test_the_connection_itself_refuses_to_write_here_and_elsewhere(shop: Shop, tmp_path: Path):
    with session(source(query="SELECT 1"), shop(*ORDERS)) as opened:
        assert isinstance(opened, SqlSession)
        for statement in (
            "DELETE FROM orders",
            f"ATTACH '{tmp_path / 'other.db'}' AS other",
            "PRAGMA query_only = OFF",
            "CREATE TEMP TABLE t (a)",
            "SELECT load_extension('x')",
        ):
            with pytest.raises(
                connectors.databases.sa.exc.DatabaseError, match=r"not authorized|readonly|prohibited"
            ):
                opened.run(statement)
    assert not (tmp_path / "other.db").exists()


def test_a_statement_that_takes_too_long_is_ended(shop: Shop):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS rows FROM n"
    assert "interrupted. Read less" in fault(shop(*ORDERS), query=endless, timeout=0.05)


# --- faults


def test_an_unknown_table_suggests_the_known_one(shop: Shop):
    message = fault(shop(*ORDERS), **{"from": "order"})
    assert message == "source `shop`: there is no table `order`. Did you mean `orders`?"


def test_a_missing_file_is_told_and_not_created(tmp_path: Path):
    message = fault(tmp_path, connection="sqlite:///none.db", **{"from": "orders"})
    assert message == "source `shop`: `none.db`: there is no such file. Check `connection:`"
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path):
    (tmp_path / "shop.db").write_text("id;amount\n" * 100)
    assert "file is not a database" in fault(tmp_path, **{"from": "orders"})


def test_an_address_that_is_none_and_an_unknown_kind_are_told(tmp_path: Path):
    message = fault(tmp_path, connection="canary-7261", query="SELECT 1")
    assert message.startswith("source `shop`: its `connection:` is no address of a database. Write it as")
    assert "canary" not in message
    message = fault(tmp_path, connection="postgres://me:canary-7261@host/shop", query="SELECT 1")
    assert message == "source `shop`: no connector for `postgres`. Did you mean `postgresql`?"


def test_two_columns_of_one_name_are_told(shop: Shop):
    query = "SELECT a.id, b.id FROM orders AS a JOIN orders AS b USING (id)"
    message = fault(shop(*ORDERS), query=query)
    assert message == "source `shop`: `query:` gives two columns named `id`. Name each with AS"


def test_an_unknown_column_is_told_in_the_words_of_the_database(shop: Shop):
    assert "no such column: colour" in fault(shop(*ORDERS), query="SELECT colour FROM orders")
