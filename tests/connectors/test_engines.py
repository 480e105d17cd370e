"""Kinds of databases side by side: fast and slow ways give one frame, every trap is stepped over."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import adbc_driver_manager as dm
import duckdb
import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

import connectors.engines.mariadb
import connectors.engines.postgresql
from config.model import Project
from connectors.databases import read_database, relation_of, session
from connectors.dialects import DIALECTS
from connectors.engines.documented import DOCUMENTED, UNTESTED, DocumentedSession
from connectors.engines.session import WRITER, SqlSession, as_is
from connectors.errors import SourceError
from connectors.kinds import DatabaseSource
from connectors.raw import COLUMN, REASON, ROW, Raw
from connectors.sources import Sources
from connectors.staging import stage


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
    return str(raised.value)


# --- DuckDB


@pytest.fixture
def duck(tmp_path: Path) -> str:
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        connection.execute(
            "CREATE TABLE everything (id BIGINT, small TINYINT, large UBIGINT, price DECIMAL(10,2),"
            ' share FLOAT, ratio DOUBLE, told BOOLEAN, name VARCHAR, on_day DATE, "at" TIMESTAMP,'
            " instant TIMESTAMPTZ,"
            " span INTERVAL, key UUID, extra JSON, mood ENUM('good', 'bad'), tags INTEGER[], photo BLOB)"
        )
        connection.execute(
            "INSERT INTO everything VALUES (9007199254740993, 7, 18446744073709551615, 1.1, 8.95, 0.1, true,"
            " 'Zoë', '2026-01-05', '2026-01-05 10:00:00.5', '2026-01-05 00:30:00+02', INTERVAL '26 hours',"
            """ 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'bad', [1, 2], 'x'),"""
            f" ({', '.join(['NULL'] * 17)})"
        )
        connection.execute("CREATE TABLE odd AS SELECT 1 AS id, 'infinity'::DATE AS on_day")
        connection.execute('CREATE SCHEMA "the shop"')
        connection.execute('CREATE TABLE "the shop"."주문 lines" (id INTEGER)')
    return "duckdb:///shop.duckdb"


def test_duckdb_every_type_is_read_exactly(duck: str, tmp_path: Path):
    raw = read(tmp_path, duck, **{"from": "everything"})
    first, empty = rows(raw).to_dicts()
    assert first == {
        "id": 9007199254740993,
        "small": 7,
        "large": Decimal(18446744073709551615),
        "price": Decimal("1.10"),
        "share": 8.95,
        "ratio": 0.1,
        "told": True,
        "name": "Zoë",
        "on_day": date(2026, 1, 5),
        "at": datetime(2026, 1, 5, 10, 0, 0, 500_000),  # noqa: DTZ001  (the database knows no zone)
        "instant": datetime(2026, 1, 4, 22, 30, tzinfo=UTC),
        "span": 93_600.0,
        "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "extra": '{"a": 1}',
        "mood": "bad",
        "tags": "[1, 2]",
    }
    assert set(empty.values()) == {None}
    assert raw.notes == ("column `photo` holds bytes and is left out",)
    none = read(tmp_path / ".", duck, query="SELECT * FROM everything WHERE false")
    assert_frame_equal(rows(none), rows(raw).clear())


def test_duckdb_names_faults_and_cells_that_are_no_value(duck: str, tmp_path: Path):
    assert list(read(tmp_path, duck, **{"from": "the shop.주문 lines"}).columns) == ["id"]
    assert fault(tmp_path, duck, **{"from": "evrything"}).endswith("Did you mean `everything`?")
    odd = read(tmp_path, duck, **{"from": "odd"}).rejected
    assert odd.select(COLUMN, REASON).row(0) == ("on_day", "`on_day` is no date that fits")
    (tmp_path / "bad.duckdb").write_text("x" * 5000)
    assert "not a valid DuckDB database" in fault(tmp_path, "duckdb:///bad.duckdb", query="SELECT 1")
    assert "there is no such file" in fault(tmp_path, "duckdb:///none.duckdb", query="SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x (a INT)",
        "DELETE FROM everything",
        "ATTACH 'other.duckdb'",
        "COPY everything TO 'stolen.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SET enable_external_access = true",
    ],
)
def test_duckdb_itself_refuses_to_write_and_to_leave_its_file(duck: str, tmp_path: Path, statement: str):
    with pytest.raises(SourceError), session(source(duck, query="SELECT 1"), tmp_path) as opened:
        list(opened.batches(statement, ()))
    assert not list(tmp_path.glob("*.csv"))
    assert read(tmp_path, duck, **{"from": "everything"}).rows == 2


def test_duckdb_a_slow_statement_is_ended(duck: str, tmp_path: Path):
    endless = "SELECT count(*) AS n FROM range(100000000000) a, range(1000000) b"
    assert "INTERRUPT" in fault(tmp_path, duck, query=endless, timeout=0.3).upper()


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_the_greatest_number_of_columns(tmp_path: Path, kind: str):
    count = {"duckdb": 10_000, "sqlite": 2_000}[kind]
    names = ", ".join(f"c{at} INTEGER" for at in range(count))
    engine = duckdb.connect(tmp_path / "wide.db") if kind == "duckdb" else sa_sqlite(tmp_path / "wide.db")
    with engine as connection:
        connection.execute(f"CREATE TABLE wide ({names})")
        connection.execute("INSERT INTO wide (c0) VALUES (7)")
        connection.commit()
    raw = read(tmp_path, f"{kind}:///wide.db", **{"from": "wide"})
    assert len(raw.columns) == count
    assert raw.frame.select("c0").collect().item() == 7


def sa_sqlite(path: Path) -> Any:
    import sqlite3

    return sqlite3.connect(path)


# --- documented kinds, shown through a driver that is here


def documented(monkeypatch: pytest.MonkeyPatch, folder: Path, *statements: str) -> str:
    """The address of an SQLite file that is read in the way of the documented kinds."""
    raw = sa_sqlite(folder / "plain.db")
    for statement in statements:
        raw.execute(statement)
    raw.commit()
    raw.close()
    engine = sa.create_engine
    monkeypatch.setattr(sa, "create_engine", lambda url, **given: engine(f"sqlite:///{folder}/plain.db"))
    monkeypatch.setitem(DOCUMENTED, "trino", DOCUMENTED["bigquery"])
    return "bigquery://project/shop"


def test_documented_kinds_take_their_types_from_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = documented(
        monkeypatch,
        tmp_path,
        "CREATE TABLE t (n INTEGER, x REAL, s TEXT, mixed)",
        "INSERT INTO t VALUES (1, 0.1, 'a', 1), (9007199254740993, 2, NULL, 'b')",
    )
    raw = read(tmp_path, address, **{"from": "t"})
    assert rows(raw).to_dict(as_series=False) == {
        "n": [1, 9007199254740993],
        "x": [0.1, 2.0],
        "s": ["a", None],
        "mixed": ["1", "b"],
    }
    assert raw.warnings == (UNTESTED,)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, None], pl.Int64()),
        ([2**64], pl.Decimal(38, 0)),
        ([1, 0.5], pl.Float64()),
        ([2**60, 0.5], pl.String()),
        ([Decimal("1.1")] * 100 + [Decimal("1.129"), 2], pl.Decimal(38, 3)),
        ([Decimal("1.1"), 0.5], pl.String()),
        ([True, None], pl.Boolean()),
        ([date(2026, 1, 5)], pl.Date()),
        ([datetime(2026, 1, 5)], pl.Datetime("us")),  # noqa: DTZ001  (a database without zones)
        ([datetime(2026, 1, 5, tzinfo=UTC)], pl.Datetime("us", "UTC")),
        ([date(2026, 1, 5), datetime(2026, 1, 5, tzinfo=UTC)], pl.String()),
        ([None], pl.String()),
    ],
)
def test_a_type_holds_every_cell_of_its_column(values: list[Any], dtype: pl.DataType):
    class Result:
        def partitions(self, size: int) -> Iterator[list[tuple[Any]]]:
            yield [(value,) for value in values]

    class Connection:
        def execution_options(self, **given: Any) -> Any:
            return self

        def exec_driver_sql(self, statement: str) -> Any:
            return Result()

    opened = DocumentedSession(Connection())  # type: ignore[arg-type]
    column = as_is("v", "v", pl.String())
    (frame,) = opened.batches("", [column])
    (settled,) = opened.settled(connectors.engines.postgresql.Columns((column,))).kept
    assert settled.dtype == dtype
    back = frame.select(settled.parsed)["v"].to_list()
    if dtype != pl.String():
        assert back == values


def test_a_driver_that_is_not_installed_is_named_with_its_extra(tmp_path: Path):
    message = fault(tmp_path, "snowflake://me:canary-7261@host/shop", query="SELECT 1")
    assert 'Install it: pip install "rapport-dashboard[snowflake]"' in message
    assert "canary" not in message


def test_every_kind_is_documented_with_what_is_tested(repository: Path):
    guide = (repository / "docs" / "databases.md").read_text(encoding="utf-8")
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    for name, dialect in DIALECTS.items():
        assert f"`{name}://" in guide
        if isinstance(dialect, type(DOCUMENTED["trino"])):
            assert not dialect.tested
            assert f"{dialect.extra} = [" in project


# --- PostgreSQL: ADBC and psycopg

SERVER = """
CREATE TYPE mood2 AS ENUM ('good', 'bad');
CREATE TABLE types (
    id int8, small int2, price numeric(10,2), fine numeric, huge numeric(60,2), share float4, ratio float8,
    told boolean, name text, code char(5), on_day date, at timestamp, instant timestamptz, span interval,
    key uuid, mood mood2, extra json, more jsonb, host inet, paid money, tags text[]
);
INSERT INTO types
    SELECT 9007199254740993 + n, n % 7, n * 1.1, n / 3.0, n, n * 1.1, n / 7.0, n % 2 = 0, 'Zoë ''' || n, 'ab',
        date '2026-01-05' + n, timestamp '2026-01-05 10:00:00.5' + n * interval '1 hour',
        timestamptz '2026-01-05 00:30:00+02' + n * interval '1 hour', n * interval '1 day 2 hours',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'bad', '{"a": 1}', '{"a": 1}', '10.0.0.1', n, '{a,b}'
    FROM generate_series(1, 300) AS n;
INSERT INTO types (id) SELECT NULL FROM generate_series(1, 50);
CREATE TABLE "say ""hi"" 주문" ("a b" int, "select" text);
"""


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> str:
    engine = sa.create_engine(postgres_url.replace("://", "+psycopg://", 1))
    with engine.begin() as connection:
        connection.connection.driver_connection.execute(SERVER)  # type: ignore[union-attr]
    engine.dispose()
    return postgres_url


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes ADBC say that it cannot."""

    def unable(*_: object) -> Iterator[pl.DataFrame]:
        raise connectors.engines.postgresql.InternalError("no", status_code=dm.AdbcStatusCode.INTERNAL)
        yield

    monkeypatch.setattr(connectors.engines.postgresql.PostgreSQLSession, "_arrow", unable)


@pytest.mark.database
def test_postgres_fast_and_slow_way_give_one_frame(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fast = rows(read(tmp_path / "fast", postgres, **{"from": "types"}))
    none = rows(read(tmp_path / "none", postgres, query="SELECT * FROM types WHERE false"))
    slow(monkeypatch)
    other = rows(read(tmp_path / "slow", postgres, **{"from": "types"}))
    assert_frame_equal(fast, other)
    assert_frame_equal(none, other.clear())
    assert fast.height == 350


@pytest.mark.database
def test_postgres_both_connections_only_read_and_see_one_state(postgres: str, tmp_path: Path):
    settings = (
        "SELECT current_setting('transaction_read_only') AS reading,"
        " current_setting('transaction_isolation') AS level, current_setting('timezone') AS zone,"
        " current_setting('default_transaction_read_only') AS later,"
        " current_setting('statement_timeout') AS ends"
    )
    with session(source(postgres, query="SELECT 1", timeout=30), tmp_path) as opened:
        assert isinstance(opened, SqlSession)
        slow_way = tuple(opened.run(settings).one())
        (fast_way,) = opened.batches(settings, [as_is("reading", "reading", pl.String())])
        assert slow_way == fast_way.row(0) == ("on", "repeatable read", "UTC", "on", "30s")


@pytest.mark.database
def test_postgres_a_reading_ends_when_its_caller_wants(postgres: str, tmp_path: Path):
    class Enough(Exception):
        pass

    def stop(read_so_far: int) -> None:
        if read_so_far:
            raise Enough

    statement = source(
        postgres, query="SELECT n, 'cancelled-here' AS tag FROM generate_series(1, 5000000) AS n"
    )
    with pytest.raises(Enough):
        read_database(statement, tmp_path, tmp_path / "work", stop)
    driven = postgres.replace("://", "+psycopg://", 1)
    engine = sa.create_engine(driven, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%cancelled-here%%'"
        )
        own = "AND pid <> pg_backend_pid()"
        until = time.monotonic() + 15  # the server notices when it next writes to the closed connection
        while connection.exec_driver_sql(f"{running} {own}").scalar() and time.monotonic() < until:
            time.sleep(0.1)
        assert connection.exec_driver_sql(f"{running} {own}").scalar() == 0
    engine.dispose()


@pytest.mark.database
@pytest.mark.parametrize("way", ["fast", "slow"])
def test_postgres_a_connection_that_dies_mid_read_is_told_and_may_be_tried_again(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
):
    if way == "slow":
        slow(monkeypatch)
    engine = sa.create_engine(postgres.replace("://", "+psycopg://", 1), isolation_level="AUTOCOMMIT")

    def kill(read_so_far: int) -> None:
        if read_so_far:
            with engine.connect() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    statement = source(
        postgres,
        query="SELECT n, repeat('x', 500) AS tag, 'killed-here' AS t FROM generate_series(1, 300000) AS n",
    )
    with pytest.raises(SourceError) as raised:
        read_database(statement, tmp_path, tmp_path / "work", kill)
    engine.dispose()
    assert raised.value.where == "source `shop`"
    assert raised.value.retryable


@pytest.mark.database
def test_postgres_a_lock_and_wide_tables(postgres: str, tmp_path: Path):
    names = ", ".join(f"c{at} int" for at in range(1600))
    engine = sa.create_engine(postgres.replace("://", "+psycopg://", 1))
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE wide ({names})")
        connection.exec_driver_sql("CREATE TABLE held (id int)")
        connection.commit()
        connection.exec_driver_sql("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        message = fault(tmp_path, postgres, query="SELECT * FROM held", timeout=0.5)
        connection.rollback()
    engine.dispose()
    assert "statement timeout" in message
    assert len(read(tmp_path, postgres, **{"from": "wide"}).columns) == 1600
    assert list(read(tmp_path, postgres, **{"from": 'say "hi" 주문'}).columns) == ["a b", "select"]


# --- MariaDB: ConnectorX and PyMySQL


@pytest.fixture(scope="module")
def mariadb(mariadb_url: str) -> Iterator[tuple[str, str]]:
    """The addresses of the administrator and of an account that may only SELECT."""
    engine = sa.create_engine(mariadb_url)
    base = sa.make_url(mariadb_url)
    name = f"reader_{os.getpid()}"
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE types (id BIGINT UNSIGNED, small TINYINT, price DECIMAL(10,2), share FLOAT,"
            " ratio DOUBLE, name VARCHAR(20), old VARCHAR(20) CHARACTER SET latin1, on_day DATE,"
            " at DATETIME(6), instant TIMESTAMP NULL, extra JSON, mood ENUM('good','bad'))",
            "INSERT INTO types SELECT 18446744073709551615 - seq, seq % 7, seq * 1.1, seq * 1.1, seq / 7,"
            " concat('Zoë ', seq), 'Zoë', '2026-01-05' + INTERVAL seq DAY,"
            " '2026-01-05 10:00:00.5' + INTERVAL seq HOUR, '2026-01-05 00:30:00' + INTERVAL seq DAY,"
            " '{\"a\": 1}', 'bad' FROM seq_1_to_300",
            "INSERT INTO types (id) SELECT NULL FROM seq_1_to_50",
            "INSERT INTO types (name, old) VALUES (x'610062', x'E9FF81')",
            f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'kanarien'",
            f"GRANT SELECT ON `{base.database}`.* TO {name}@'127.0.0.1'",
        ):
            connection.exec_driver_sql(statement.replace("%", "%%"))
    reader = base.set(username=name, password="kanarien").render_as_string(hide_password=False)
    yield mariadb_url, reader
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP USER {name}@'127.0.0.1'")
    engine.dispose()


@pytest.mark.database
def test_mariadb_fast_and_slow_way_give_one_frame(mariadb: tuple[str, str], tmp_path: Path):
    admin, reader = mariadb
    slow_way = read(tmp_path / "slow", admin, **{"from": "types"})
    fast_way = read(tmp_path / "fast", reader, **{"from": "types"})
    assert slow_way.warnings == (WRITER,)
    assert fast_way.warnings == ()
    assert_frame_equal(rows(slow_way), rows(fast_way))
    none = read(tmp_path / "none", reader, query="SELECT * FROM types WHERE 1 = 0")
    assert_frame_equal(rows(none), rows(fast_way).clear())
    assert fast_way.rejected.select(COLUMN, REASON).rows() == [
        ("name", "`name` holds bytes that are no text")
    ]


@pytest.mark.database
def test_mariadb_only_an_account_that_can_only_read_takes_the_way_without_guards(
    mariadb: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(connectors.engines.mariadb.MariaDBSession, "_arrow", forbidden)
    assert read(tmp_path, mariadb[0], **{"from": "types"}).rows == 351
    with pytest.raises(AssertionError):
        read(tmp_path, mariadb[1], **{"from": "types"})


@pytest.mark.database
def test_mariadb_the_fast_way_ends_in_time_and_hides_the_password(mariadb: tuple[str, str], tmp_path: Path):
    message = fault(tmp_path, mariadb[1], query="SELECT id, sleep(2) AS nap FROM types", timeout=1)
    assert "max_statement_time" in message
    assert "kanarien" not in fault(tmp_path, mariadb[1], **{"from": "none"})


@pytest.mark.database
def test_mariadb_a_panic_of_the_fast_way_is_survived(mariadb: tuple[str, str], tmp_path: Path):
    """ConnectorX panics at a column that is always NULL, and a panic is no Exception."""
    assert read(tmp_path, mariadb[1], query="SELECT NULL AS nothing, small FROM types").rows == 351


@pytest.mark.database
def test_mariadb_a_connection_that_dies_mid_read_is_told(mariadb: tuple[str, str], tmp_path: Path):
    engine = sa.create_engine(mariadb[0])
    killed = threading.Event()

    def kill(read_so_far: int) -> None:
        if read_so_far and not killed.is_set():
            killed.set()
            with engine.connect() as connection:
                found = connection.exec_driver_sql(
                    "SELECT id FROM information_schema.processlist"
                    " WHERE info LIKE '%%killed-here%%' AND id <> connection_id()"
                ).scalars()
                for number in list(found):
                    connection.exec_driver_sql(f"KILL {number}")

    statement = source(
        mariadb[0], query="SELECT seq, repeat('x', 500) AS tag, 'killed-here' AS t FROM seq_1_to_400000"
    )
    with pytest.raises(SourceError) as raised:
        read_database(statement, tmp_path, tmp_path / "work", kill)
    engine.dispose()
    assert raised.value.retryable


# --- SQLite


def test_sqlite_bytes_that_are_no_text_cost_their_row_alone(tmp_path: Path):
    connection = sa_sqlite(tmp_path / "shop.db")
    connection.execute("CREATE TABLE t (id INTEGER, name TEXT)")
    connection.execute(
        "INSERT INTO t VALUES (1, 'Zoë'), (2, CAST(x'5AE9' AS TEXT)), (3, 'a' || char(0) || 'b')"
    )
    connection.commit()
    connection.close()
    raw = read(tmp_path, "sqlite:///shop.db", **{"from": "t"})
    assert rows(raw)["name"].to_list() == ["Zoë"]
    assert raw.rejected["id"].to_list() == ["2", "3"]
    assert raw.rejected[REASON].unique().to_list() == ["`name` holds bytes that are no text"]


# --- injection


def corpus() -> list[str]:
    """A hundred texts that try to become part of a statement."""
    quotes = ["'", '"', "`", "''", '""', "\\'", "]", "\x00'"]
    tails = [
        "; DROP TABLE orders --",
        " OR 1=1 --",
        " UNION SELECT * FROM secrets --",
        "); DELETE FROM orders; --",
        "; ATTACH 'x.db' AS x; --",
        "/**/; UPDATE orders SET id = 9; --",
        "\n;DROP TABLE orders",
        "$$; DROP TABLE orders; $$",
        "%27; DROP TABLE orders --",
        " /*! ; DROP TABLE orders */",
        "; COPY orders TO PROGRAM 'id'; --",
        "' INTO OUTFILE '/tmp/x",
        "; SET query_only = 0; --",
    ]
    return [f"orders{quote}{tail}" for quote in quotes for tail in tails][:100]


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_hundred_injections_through_names_reach_no_statement(tmp_path: Path, kind: str):
    engine = duckdb.connect(tmp_path / "shop.db") if kind == "duckdb" else sa_sqlite(tmp_path / "shop.db")
    with engine as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
        connection.execute("CREATE TABLE secrets (id INTEGER)")
        connection.execute("INSERT INTO orders VALUES (1)")
        connection.execute("INSERT INTO secrets VALUES (666)")
        connection.commit()
    texts = corpus()
    assert len(texts) == 100
    address = f"{kind}:///shop.db"
    with session(source(address, query="SELECT 1"), tmp_path) as opened:
        for text in texts:
            with pytest.raises(SourceError, match="there is no table"):
                relation_of(source(address, **{"from": text}), opened)
    for text in texts[::10]:
        with contextlib.suppress(SourceError):  # what is one SELECT may be read
            read(tmp_path, address, query=f"SELECT * FROM {text}; {text}")
        assert fault(tmp_path, f"{kind}:///{text}", query="SELECT 1")
    assert rows(read(tmp_path, address, **{"from": "orders"}))["id"].to_list() == [1]
    assert {path.name for path in tmp_path.iterdir()} == {"shop.db", "work"}


@pytest.mark.database
def test_a_hundred_injections_reach_no_statement_of_a_server(postgres: str, tmp_path: Path):
    with session(source(postgres, query="SELECT 1"), tmp_path) as opened:
        for text in corpus():
            if "\x00" not in text:
                assert not opened.has_table(text)
    assert read(tmp_path, postgres, **{"from": "types"}).rows == 350


@pytest.mark.parametrize("text", corpus()[::7])
def test_injections_through_filters_are_refused_or_mean_nothing(tmp_path: Path, text: str):
    connection = sa_sqlite(tmp_path / "shop.db")
    connection.execute("CREATE TABLE orders (id TEXT, at TEXT, amount REAL)")
    connection.execute("INSERT INTO orders VALUES ('1', '2026-01-05', 9.0)")
    connection.commit()
    connection.close()
    columns = {"order_id": "id", "line_id": "row_number", "customer_id": "id"}
    columns |= {"ordered_at": "at", "net_amount": "amount"}
    given = source("sqlite:///shop.db", **{"from": "orders"}).model_dump(by_alias=True, exclude_defaults=True)
    given |= {"kind": "database", "table": "order_lines", "columns": columns}
    given["filters"] = [{"drop": text, "reason": "test"}]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(SourceError):
        stage(tmp_path, Project(name="Shop", currency="EUR"), Sources.model_validate({"sources": [given]}),
              now=now, workdir=tmp_path / "work")  # fmt: skip
    assert rows(read(tmp_path, "sqlite:///shop.db", **{"from": "orders"}))["id"].to_list() == ["1"]


# --- one state of the data


@pytest.mark.database
@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_a_table_that_changes_while_it_is_read_is_read_in_one_state(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str
):
    url = request.getfixturevalue(f"{engine}_url")
    driven = url.replace("postgresql://", "postgresql+psycopg://", 1)
    admin = sa.create_engine(driven, isolation_level="AUTOCOMMIT")
    series = "generate_series(1, 120000) AS n" if engine == "postgres" else "seq_1_to_120000"
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS moving")
        connection.exec_driver_sql(
            f"CREATE TABLE moving AS SELECT 1 AS state, repeat('x', 200) AS pad FROM {series}"
        )
    changed = threading.Event()

    def change(read_so_far: int) -> None:
        if read_so_far and not changed.is_set():
            changed.set()
            with admin.connect() as connection:
                connection.exec_driver_sql("UPDATE moving SET state = 2")

    raw = read_database(source(url, **{"from": "moving"}), tmp_path, tmp_path / "work", change)
    assert changed.is_set()
    assert rows(raw)["state"].unique().to_list() == [1]
    with admin.connect() as connection:
        assert connection.exec_driver_sql("SELECT max(state) FROM moving").scalar() == 2
        connection.exec_driver_sql("DROP TABLE moving")
    admin.dispose()


@pytest.mark.database
def test_mariadb_the_greatest_number_of_columns(mariadb: tuple[str, str], tmp_path: Path):
    names = ", ".join(f"c{at} TINYINT" for at in range(1017))
    engine = sa.create_engine(mariadb[0])
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE wide ({names})")
        connection.exec_driver_sql("INSERT INTO wide (c0) VALUES (7)")
    engine.dispose()
    for address in mariadb:
        raw = read(tmp_path, address, **{"from": "wide"})
        assert len(raw.columns) == 1017
        assert raw.frame.select("c0").collect().item() == 7
