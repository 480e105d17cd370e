"""What differs between databases: how a session is guarded, and how each type of column is fetched exactly.

Whatever a driver might round, shift or refuse (decimals, dates, instants) is fetched as text in a fixed form
and parsed by whole columns, so that a cell that cannot be parsed is set aside with its own text.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import polars as pl
import psycopg
import sqlalchemy as sa

from connectors.errors import SourceError

TIMEOUT_SECONDS: Final = 60
UNSCALED: Final = 12
"""Decimals kept of numbers whose column declares none; further ones are rounded by the database."""

_TEXT: Final = pl.String()
_NUMBER: Final = pl.Float64()
_INTEGER: Final = pl.Int64()
_MOMENT: Final = pl.Datetime("us")
_INSTANT: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """A column as it is fetched: the expression in the SELECT, what the driver gives, what it becomes."""

    name: str
    sql: str
    wire: pl.DataType
    dtype: pl.DataType

    @property
    def parsed(self) -> pl.Expr:
        """The fetched column as its type; null where its text is none."""
        fetched = pl.col(self.name)
        if self.wire == self.dtype:
            return fetched
        if isinstance(self.dtype, pl.Datetime):
            moment = fetched.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
            return moment.dt.replace_time_zone(self.dtype.time_zone)
        if self.dtype == pl.Date:
            return fetched.str.to_date("%Y-%m-%d", strict=False)
        return fetched.cast(self.dtype, strict=False)


@dataclass(frozen=True)
class Columns:
    """The columns of a relation; `left_out` names those that hold bytes, `notes` what people should know."""

    kept: tuple[Column, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Dialect(ABC):
    """One kind of database."""

    grammar: str
    """What sqlglot calls it."""

    @abstractmethod
    def engine(self, url: sa.URL, folder: Path) -> sa.Engine:
        """How to connect; nothing is opened yet. A relative file lies in `folder`."""

    @abstractmethod
    def guard(self, connection: sa.Connection) -> None:
        """Begins a transaction that cannot write, sees one state of the data and ends statements in time."""

    @abstractmethod
    def columns(self, connection: sa.Connection, relation: str) -> Columns:
        """The columns of `FROM relation`, found without reading its rows where the database tells types."""

    @contextmanager
    def connected(self, url: sa.URL, folder: Path) -> Iterator[sa.Connection]:
        """A guarded connection."""
        engine = self.engine(url, folder)
        try:
            with engine.connect().execution_options(no_parameters=True) as connection:
                self.guard(connection)
                yield connection
        finally:
            engine.dispose()

    def _described(self, connection: sa.Connection, relation: str) -> Sequence[Any]:
        statement = f"SELECT * FROM {relation} LIMIT 0"
        result = connection.exec_driver_sql(statement)
        description: Sequence[Any] = result.cursor.description if result.cursor else ()
        result.close()
        return description


def quoted(connection: sa.Connection, name: str) -> str:
    """A name as an identifier that the database takes literally."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


class PostgreSQL(Dialect):
    """PostgreSQL through psycopg."""

    grammar = "postgres"
    _WRITER: Final = """
        SELECT rolsuper OR EXISTS (
            SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
            AND has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        ) FROM pg_roles WHERE rolname = current_user"""
    _NATIVE: Final[Mapping[str, pl.DataType]] = {
        "bool": pl.Boolean(),
        **dict.fromkeys(("int2", "int4", "int8", "oid"), _INTEGER),
        **dict.fromkeys(("float4", "float8"), _NUMBER),
        **dict.fromkeys(("text", "varchar"), _TEXT),
    }

    def engine(self, url: sa.URL, folder: Path) -> sa.Engine:
        """psycopg, with ten seconds to connect."""
        arguments = {"connect_timeout": 10}
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), connect_args=arguments)

    def guard(self, connection: sa.Connection) -> None:
        """Read only for this transaction and by default; values in fixed forms."""
        for setting in (
            "TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "default_transaction_read_only = on",
            f"LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'",
            "LOCAL datestyle = 'ISO, YMD'",
            "LOCAL timezone = 'UTC'",
            "LOCAL extra_float_digits = 1",
        ):
            connection.exec_driver_sql(f"SET {setting}")

    def columns(self, connection: sa.Connection, relation: str) -> Columns:
        """Types by the server's description of the statement."""
        described = self._described(connection, relation)
        kept = (self._column(connection, column) for column in described)
        left_out = tuple(str(column.name) for column in described if column.type_display == "bytea")
        writer = connection.exec_driver_sql(self._WRITER).scalar()
        advice = "the database account could write: give a role that may only SELECT"
        return Columns(tuple(filter(None, kept)), left_out, (advice,) if writer else ())

    def _column(self, connection: sa.Connection, described: psycopg.Column) -> Column | None:
        name, kind = described.name, described.type_display.partition("(")[0]
        sql, scale = quoted(connection, name), described.scale
        if kind in self._NATIVE:
            return Column(name, sql, self._NATIVE[kind], self._NATIVE[kind])
        match kind:
            case "bytea":
                return None
            case "numeric" if scale is not None and (described.precision or 0) <= 38:
                return Column(name, f"{sql}::text", _TEXT, pl.Decimal(38, max(scale, 0)))
            case "numeric":
                return Column(name, f"round({sql}, {UNSCALED})::text", _TEXT, pl.Decimal(38, UNSCALED))
            case "money":
                return Column(name, f"{sql}::numeric::text", _TEXT, pl.Decimal(38, 2))
            case "date":
                return Column(name, f"{sql}::text", _TEXT, pl.Date())
            case "timestamp":
                return Column(name, f"{sql}::text", _TEXT, _MOMENT)
            case "timestamptz":
                return Column(name, f"({sql} AT TIME ZONE 'UTC')::text", _TEXT, _INSTANT)
            case "interval":
                return Column(name, f"extract(epoch FROM {sql})::float8", _NUMBER, _NUMBER)
            case _:
                return Column(name, f"{sql}::text", _TEXT, _TEXT)


class SQLite(Dialect):
    """SQLite, whose cells have types and whose columns have none: the cells are asked first.

    A column of integers stays integer, one with fractions is Float64, everything else is text; integers
    beyond 2^53 beside fractions are text too, so that no digit is lost.
    """

    grammar = "sqlite"
    _ALLOWED: Final = frozenset(
        (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION)
    )
    _INTEGERS, _REALS, _TEXTS, _BYTES, _LARGE = 1, 2, 4, 8, 16
    _STEPS: Final = 100_000
    """Instructions of SQLite's machine between two looks at the clock: some milliseconds."""

    def engine(self, url: sa.URL, folder: Path) -> sa.Engine:
        """The file, opened read only."""
        path = folder / (url.database or "")
        if not path.is_file():
            where = f"`{url.database}`"
            raise SourceError(where, "there is no such file", "Check `connection:`")

        def opened() -> sqlite3.Connection:
            return sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )

        return sa.create_engine("sqlite://", creator=opened, poolclass=sa.NullPool)

    def guard(self, connection: sa.Connection) -> None:
        """`query_only`, and an authorizer: a read-only file may still ATTACH another and write there."""
        raw = connection.connection.driver_connection
        if not isinstance(raw, sqlite3.Connection):  # the engine above opens no other
            raise TypeError(raw)
        raw.execute("PRAGMA query_only = ON")
        raw.create_function("exact_text", 1, _exact_text, deterministic=True)
        raw.set_authorizer(self._authorized)
        ends = monotonic() + TIMEOUT_SECONDS
        raw.set_progress_handler(lambda: monotonic() > ends, self._STEPS)
        raw.execute("BEGIN")

    def _authorized(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        match action:
            case sqlite3.SQLITE_FUNCTION:
                harmless = second != "load_extension"
            case sqlite3.SQLITE_PRAGMA:
                harmless = first in ("table_info", "table_xinfo")
            case _:
                harmless = action in self._ALLOWED
        return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY

    def columns(self, connection: sa.Connection, relation: str) -> Columns:
        """Types by the cells: one pass over all rows, in the transaction that reads them."""
        names = [column[0] for column in self._described(connection, relation)]
        census = ", ".join(self._census(quoted(connection, name)) for name in names)
        found = connection.exec_driver_sql(f"SELECT {census} FROM {relation}").one()
        kinds = {name: kind or 0 for name, kind in zip(names, found, strict=True)}
        kept = (self._column(name, quoted(connection, name), kind) for name, kind in kinds.items())
        bytes_only = tuple(name for name, kind in kinds.items() if kind & self._BYTES)
        return Columns(tuple(column for column in kept if column.name not in bytes_only), bytes_only)

    def _census(self, sql: str) -> str:
        """The kinds of cells in a column as the sum of their codes."""
        kinds = {"integer": self._INTEGERS, "real": self._REALS, "text": self._TEXTS, "blob": self._BYTES}
        sums = [f"{code} * max(typeof({sql}) = '{kind}')" for kind, code in kinds.items()]
        large = f"typeof({sql}) = 'integer' AND {sql} NOT BETWEEN -9007199254740992 AND 9007199254740992"
        return " + ".join((*sums, f"{self._LARGE} * max({large})"))

    def _column(self, name: str, sql: str, kind: int) -> Column:
        if kind in (self._INTEGERS, self._INTEGERS | self._LARGE):
            return Column(name, sql, _INTEGER, _INTEGER)
        if kind in (self._REALS, self._INTEGERS | self._REALS):
            return Column(name, f"CAST({sql} AS REAL)", _NUMBER, _NUMBER)
        if kind in (0, self._TEXTS):
            return Column(name, sql, _TEXT, _TEXT)
        return Column(name, f"exact_text({sql})", _TEXT, _TEXT)


def _exact_text(value: object) -> str | None:
    """A cell as the shortest text that gives it back; SQLite's own cast keeps 15 digits of a number."""
    return None if value is None else str(value)


class MariaDB(Dialect):
    """MariaDB and MySQL through PyMySQL."""

    grammar = "mysql"
    _GUARDS: Final = (
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION time_zone = '+00:00'",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )

    def engine(self, url: sa.URL, folder: Path) -> sa.Engine:
        """PyMySQL, with ten seconds to connect."""
        arguments = {"connect_timeout": 10, "charset": "utf8mb4"}
        return sa.create_engine(url.set(drivername="mysql+pymysql"), connect_args=arguments)

    def guard(self, connection: sa.Connection) -> None:
        """Read only for the session; MySQL counts its time limit in milliseconds, MariaDB in seconds."""
        version = str(connection.exec_driver_sql("SELECT version()").scalar())
        limit = f"max_statement_time = {TIMEOUT_SECONDS}"
        if "MariaDB" not in version:
            limit = f"max_execution_time = {TIMEOUT_SECONDS * 1000}"
        connection.rollback()
        for statement in (f"SET SESSION {limit}", *self._GUARDS):
            connection.exec_driver_sql(statement)

    def columns(self, connection: sa.Connection, relation: str) -> Columns:
        """Types by the server's description of the statement."""
        described = self._described(connection, relation)
        return Columns(tuple(self._column(connection, column) for column in described))

    def _column(self, connection: sa.Connection, described: Sequence[Any]) -> Column:
        from pymysql.constants import FIELD_TYPE as KIND

        name, kind, scale = described[0], described[1], described[5]
        sql = quoted(connection, name)
        text = f"CAST({sql} AS CHAR)"
        match kind:
            case KIND.TINY | KIND.SHORT | KIND.LONG | KIND.INT24 | KIND.YEAR:
                return Column(name, sql, _INTEGER, _INTEGER)
            case KIND.LONGLONG:  # unsigned ones exceed 64 bits with a sign
                return Column(name, text, _TEXT, pl.Decimal(38, 0))
            case KIND.FLOAT | KIND.DOUBLE:
                return Column(name, sql, _NUMBER, _NUMBER)
            case KIND.DECIMAL | KIND.NEWDECIMAL:
                return Column(name, text, _TEXT, pl.Decimal(38, scale))
            case KIND.DATE | KIND.NEWDATE:
                return Column(name, text, _TEXT, pl.Date())
            case KIND.DATETIME:
                return Column(name, text, _TEXT, _MOMENT)
            case KIND.TIMESTAMP:
                return Column(name, text, _TEXT, _INSTANT)
            case _:
                return Column(name, text, _TEXT, _TEXT)


DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgresql": PostgreSQL(),
    "sqlite": SQLite(),
    "mysql": MariaDB(),
    "mariadb": MariaDB(),
}
