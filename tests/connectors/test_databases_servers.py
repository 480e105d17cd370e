"""Databases behind a server: every type exact, nothing written, nothing endless, no password told."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from connectors.databases import read_database, session
from connectors.engines.session import WRITER, SqlSession
from connectors.errors import SourceError
from connectors.kinds import DatabaseSource
from connectors.raw import COLUMN, REASON, ROW, VALUE, Raw

pytestmark = pytest.mark.database

CANARY = "kanarien%20vogel&7261"
POSTGRES = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE everything (
    id int8, small int2, price numeric(10,2), fine numeric, share float4, ratio float8, told boolean,
    name text, code char(5), on_day date, at timestamp, instant timestamptz, span interval, key uuid,
    mood mood, extra json, host inet, paid money, photo bytea, tags text[]
);
INSERT INTO everything VALUES
    (9007199254740993, 7, 1.1, 1, 8.95, 0.1, true, 'Zoë ''x''', 'ab', '2026-01-05', '2026-01-05 10:00:00.5',
     '2026-01-05 00:30:00+02', '1 day 2 hours', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'bad', '{"a": 1}',
     '10.0.0.1', 12.5, 'x', '{a,b}'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL);
CREATE TABLE late AS
    SELECT n AS id, CASE WHEN n > 120 THEN 1.129 ELSE 1.1 END AS amount FROM generate_series(1, 150) AS n;
CREATE TABLE odd AS SELECT * FROM (VALUES
    (1, 'infinity'::date, 1.5::numeric, now()), (2, '2026-01-05', 'NaN', now()),
    (3, '2026-01-06', 2, '-infinity'),
    (4, '2026-01-07', 3, '2026-01-07 12:00:00+00')) AS v (id, on_day, amount, at);
CREATE SCHEMA "the shop";
CREATE TABLE "the shop"."주문 lines" (id int);
CREATE FUNCTION sneaky() RETURNS int AS 'INSERT INTO late VALUES (0, 0); SELECT 1' LANGUAGE sql;
CREATE ROLE rapport_test_reader LOGIN;
"""


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[str]:
    engine = sa.create_engine(postgres_url.replace("://", "+psycopg://", 1))
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS rapport_test_reader")
        connection.connection.driver_connection.execute(POSTGRES)  # type: ignore[union-attr]
        connection.exec_driver_sql("GRANT SELECT ON late TO rapport_test_reader")
        connection.commit()
        yield postgres_url
        connection.exec_driver_sql("DROP OWNED BY rapport_test_reader")
        connection.exec_driver_sql("DROP ROLE rapport_test_reader")
        connection.commit()
    engine.dispose()


def source(connection: str, **given: Any) -> DatabaseSource:
    return DatabaseSource.model_validate(
        {"name": "shop", "kind": "database", "connection": connection} | given
    )


def read(folder: Path, connection: str, **given: Any) -> Raw:
    return read_database(source(connection, **given), folder, folder / "work")


def rows(raw: Raw) -> pl.DataFrame:
    return raw.frame.drop(ROW).collect()


def fault(folder: Path, connection: str, **given: Any) -> str:
    with pytest.raises(SourceError) as raised:
        read(folder, connection, **given)
    assert raised.value.__cause__ is None
    return str(raised.value)


# --- PostgreSQL


def test_postgres_every_type_is_read_exactly(postgres: str, tmp_path: Path):
    raw = read(tmp_path, postgres, **{"from": "everything"})
    first, empty = rows(raw).to_dicts()
    assert first == {
        "id": 9007199254740993,
        "small": 7,
        "price": Decimal("1.10"),
        "fine": Decimal("1.000000000000"),
        "share": 8.95,
        "ratio": 0.1,
        "told": True,
        "name": "Zoë 'x'",
        "code": "ab",
        "on_day": date(2026, 1, 5),
        "at": datetime(2026, 1, 5, 10, 0, 0, 500_000),  # noqa: DTZ001  (the database knows no zone)
        "instant": datetime(2026, 1, 4, 22, 30, tzinfo=UTC),
        "span": 93_600.0,
        "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "mood": "bad",
        "extra": '{"a": 1}',
        "host": "10.0.0.1/32",
        "paid": Decimal("12.50"),
        "tags": "{a,b}",
    }
    assert set(empty.values()) == {None}
    assert "column `photo` holds bytes and is left out" in raw.notes
    assert rows(read(tmp_path, postgres, query="SELECT * FROM everything")).equals(rows(raw))


def test_postgres_decimals_past_the_first_hundred_rows_are_not_rounded(postgres: str, tmp_path: Path):
    """`polars.read_database` takes the scale from the first hundred rows and makes 1.129 of these 1.1."""
    frame = rows(read(tmp_path, postgres, **{"from": "late"}))
    assert frame["amount"].sum() == 120 * Decimal("1.1") + 30 * Decimal("1.129")


def test_postgres_an_empty_result_has_the_types_of_a_full_one(postgres: str, tmp_path: Path):
    full = rows(read(tmp_path, postgres, **{"from": "everything"}))
    empty = read(tmp_path / "empty", postgres, query="SELECT * FROM everything WHERE false")
    assert_frame_equal(rows(empty), full.clear())
    assert empty.rows == 0


def test_postgres_cells_that_are_no_value_are_rejected_with_their_rows(postgres: str, tmp_path: Path):
    raw = read(tmp_path, postgres, query="SELECT * FROM odd ORDER BY id")
    assert rows(raw)["id"].to_list() == [4]
    assert raw.rows == 4
    assert raw.rejected.select(ROW, COLUMN, VALUE, REASON, "id").rows() == [
        (0, "on_day", "infinity", "`on_day` is no date that fits", "1"),
        (1, "amount", "NaN", "`amount` is no number that fits", "2"),
        (2, "at", "-infinity", "`at` is no time that fits", "3"),
    ]


def test_postgres_schemas_and_names_are_taken_literally(postgres: str, tmp_path: Path):
    assert list(read(tmp_path, postgres, **{"from": "the shop.주문 lines"}).columns) == ["id"]
    message = fault(tmp_path, postgres, **{"from": "the shop.orders"})
    assert message == "source `shop`: there is no table `the shop.orders`. Known: 주문 lines"
    assert fault(tmp_path, postgres, **{"from": "lat"}).endswith("Did you mean `late`?")


def test_postgres_a_function_that_writes_is_refused_by_the_server(postgres: str, tmp_path: Path):
    message = fault(tmp_path, postgres, query="SELECT sneaky()")
    assert "cannot execute INSERT in a read-only transaction" in message
    assert read(tmp_path, postgres, **{"from": "late"}).rows == 150


def test_postgres_a_percent_sign_is_no_parameter(postgres: str, tmp_path: Path):
    raw = read(tmp_path, postgres, query="SELECT id FROM late WHERE id::text LIKE '15%' AND '%s' <> ''")
    assert raw.rows == 2


def test_postgres_a_slow_statement_is_ended(postgres: str, tmp_path: Path):
    message = fault(tmp_path, postgres, query="SELECT id, pg_sleep(0.1)::text AS nap FROM late", timeout=1)
    assert "canceling statement due to statement timeout. Read less" in message


def test_postgres_an_account_that_could_write_is_told(postgres: str, tmp_path: Path):
    assert WRITER in read(tmp_path, postgres, **{"from": "late"}).warnings
    reader = sa.make_url(postgres).set(username="rapport_test_reader").render_as_string(hide_password=False)
    assert WRITER not in read(tmp_path, reader, **{"from": "late"}).warnings
    assert fault(tmp_path, reader, **{"from": "odd"}) == (
        "source `shop`: permission denied for table odd. Ask for an account that may SELECT from it"
    )


def test_postgres_no_message_holds_the_password(postgres: str, tmp_path: Path):
    url = sa.make_url(postgres).set(password=CANARY)
    shown = url.render_as_string(hide_password=False)

    def asked(**changed: str | int) -> str:
        return fault(tmp_path, url.set(**changed).render_as_string(hide_password=False), query="SELECT 1")

    faults = [
        fault(tmp_path, shown, **{"from": "none"}),
        fault(tmp_path, shown, query=f"SELECT '{CANARY}'::int"),
        fault(tmp_path, shown, query=f"SELECT 1 FROM {CANARY}"),
        asked(port=1),
        asked(host="no such host"),
        asked(username="nobody_here"),
        asked(database="none"),
    ]
    for message in faults:
        assert message.startswith("source `shop`: ")
        assert "kanarien" not in message
    assert "Check that it runs" in faults[3]


def test_postgres_a_server_that_is_down_may_be_asked_again(postgres: str, tmp_path: Path):
    url = sa.make_url(postgres).set(host="127.0.0.1", port=1).render_as_string(hide_password=False)
    with pytest.raises(SourceError) as raised:
        read(tmp_path, url, query="SELECT 1")
    assert raised.value.retryable


# --- MariaDB

MARIADB = (
    "CREATE TABLE everything (id BIGINT UNSIGNED, small TINYINT, price DECIMAL(10,2), share FLOAT,"
    " ratio DOUBLE, name VARCHAR(20), on_day DATE, at DATETIME(6), instant TIMESTAMP NULL, extra JSON,"
    " mood ENUM('good','bad'))",
    "INSERT INTO everything VALUES (18446744073709551615, 7, 1.1, 8.95, 0.1, 'Zoë', '2026-01-05',"
    " '2026-01-05 10:00:00.5', '2026-01-05 00:30:00', '{\"a\": 1}', 'bad'),"
    " (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE odd (id INT, on_day DATE)",
    "SET SESSION sql_mode = ''",
    "INSERT INTO odd VALUES (1, '0000-00-00'), (2, '2026-01-05')",
)


@pytest.fixture(scope="module")
def mariadb(mariadb_url: str) -> str:
    engine = sa.create_engine(mariadb_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET SESSION time_zone = '+02:00'")
        for statement in MARIADB:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()
    return mariadb_url


def test_mariadb_every_type_is_read_exactly(mariadb: str, tmp_path: Path):
    first, empty = rows(read(tmp_path, mariadb, **{"from": "everything"})).to_dicts()
    assert first == {
        "id": Decimal(18446744073709551615),
        "small": 7,
        "price": Decimal("1.10"),
        "share": 8.95,
        "ratio": 0.1,
        "name": "Zoë",
        "on_day": date(2026, 1, 5),
        "at": datetime(2026, 1, 5, 10, 0, 0, 500_000),  # noqa: DTZ001  (the database knows no zone)
        "instant": datetime(2026, 1, 4, 22, 30, tzinfo=UTC),
        "extra": '{"a": 1}',
        "mood": "bad",
    }
    assert set(empty.values()) == {None}
    assert rows(read(tmp_path, mariadb, query="SELECT * FROM everything WHERE name LIKE 'Z%'")).height == 1


def test_mariadb_dates_that_are_none_are_rejected(mariadb: str, tmp_path: Path):
    raw = read(tmp_path, mariadb, **{"from": "odd"})
    assert raw.rejected.select(COLUMN, VALUE).rows() == [("on_day", "0000-00-00")]
    assert rows(raw)["id"].to_list() == [2]


def test_mariadb_the_session_reads_only(mariadb: str, tmp_path: Path):
    with session(source(mariadb, query="SELECT 1"), tmp_path) as opened:
        assert isinstance(opened, SqlSession)
        with pytest.raises(sa.exc.DBAPIError, match="READ ONLY transaction"):
            opened.run("INSERT INTO odd VALUES (3, NULL)")
        assert opened.run("SELECT @@max_statement_time").scalar() == 60


def test_mariadb_a_slow_statement_is_ended(mariadb: str, tmp_path: Path):
    message = fault(tmp_path, mariadb, query="SELECT id, sleep(2) AS nap FROM odd", timeout=1)
    assert "max_statement_time exceeded" in message


def test_mariadb_no_message_holds_the_password(mariadb: str, tmp_path: Path):
    url = sa.make_url(mariadb).set(username="nobody", password=CANARY)
    message = fault(tmp_path, url.render_as_string(hide_password=False), query="SELECT 1")
    assert "Access denied" in message
    assert "kanarien" not in message
