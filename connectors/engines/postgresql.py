"""PostgreSQL: described through psycopg, read through ADBC, both under the same guards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl
import psycopg
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager import InternalError, NotSupportedError
from adbc_driver_postgresql import dbapi

from connectors.engines.session import (
    INSTANT,
    INTEGER,
    MOMENT,
    NUMBER,
    TEXT,
    UNSCALED,
    WRITER,
    Column,
    Columns,
    Dialect,
    EngineError,
    Session,
    SqlSession,
    ahead,
    as_is,
    frame_of,
    opened,
)

_WRITER: Final = """
    SELECT rolsuper OR EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        AND has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    ) FROM pg_roles WHERE rolname = current_user"""
_NATIVE: Final[Mapping[str, pl.DataType]] = {"bool": pl.Boolean(), "int8": INTEGER, "float8": NUMBER}
_CAST: Final[Mapping[str, tuple[str, pl.DataType]]] = {
    **dict.fromkeys(("int2", "int4", "oid"), ("int8", INTEGER)),
    "float4": ("text::float8", NUMBER),  # its shortest decimal, not the binary digits behind it
}
_PARSED: Final[Mapping[str, tuple[str, pl.DataType]]] = {
    "money": ("{}::numeric::text", pl.Decimal(38, 2)),
    "date": ("{}::text", pl.Date()),
    "timestamp": ("{}::text", MOMENT),
    "timestamptz": ("({} AT TIME ZONE 'UTC')::text", INSTANT),
}
"""Types that are fetched as text: how, and what the text becomes."""


class PostgreSQL(Dialect):
    """PostgreSQL; what a password may not do is settled by the server for each of the two connections."""

    grammar = "postgres"

    @contextmanager
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> Iterator[Session]:
        """A session whose transaction only reads and sees one state of the data."""
        plain = url.set(drivername="postgresql")
        arguments = {"connect_timeout": 10}
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), connect_args=arguments)
        with opened(engine) as connection:
            for statement in _guards(seconds):
                connection.exec_driver_sql(statement)
            yield PostgreSQLSession(connection, plain, seconds)


def _guards(seconds: float) -> tuple[str, ...]:
    """Read only for this transaction and by default; values in fixed forms."""
    settings = (
        "TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "default_transaction_read_only = on",
        f"LOCAL statement_timeout = '{seconds * 1000:.0f}ms'",
        "LOCAL datestyle = 'ISO, YMD'",
        "LOCAL timezone = 'UTC'",
        "LOCAL extra_float_digits = 1",
        "LOCAL jit = off",
    )
    return tuple(f"SET {setting}" for setting in settings)


class PostgreSQLSession(SqlSession):
    """A guarded connection, and beside it one of ADBC for the rows."""

    unclean = False

    def __init__(self, connection: sa.Connection, url: sa.URL, seconds: float) -> None:
        super().__init__(connection)
        self._url = url
        self._seconds = seconds
        self.warnings = (WRITER,) if self.run(_WRITER).scalar() else ()
        self._plain_text = self.run("SHOW server_encoding").scalar() != "SQL_ASCII"

    def columns(self, relation: str) -> Columns:
        """Types by the server's description of the statement."""
        described = self.described(relation)
        kept = (_column(self.quoted(column.name), column) for column in described)
        left_out = tuple(str(column.name) for column in described if column.type_display == "bytea")
        return Columns(tuple(filter(None, kept)), left_out)

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows through ADBC; through psycopg where ADBC cannot."""
        if not columns or not self._plain_text:
            yield from super().batches(statement, columns)
            return
        begun = False
        try:
            for batch in ahead(self._arrow(statement)):
                begun = True
                yield batch
        except (NotSupportedError, InternalError):
            if begun:
                raise
            yield from super().batches(statement, columns)

    def _arrow(self, statement: str) -> Iterator[pl.DataFrame]:
        waiting = self._url.update_query_dict({"connect_timeout": "10"})
        try:
            with (
                dbapi.connect(waiting.render_as_string(hide_password=False), autocommit=True) as connection,
                connection.cursor() as cursor,
            ):
                for guard in ("BEGIN", *_guards(self._seconds)):
                    cursor.execute(guard)
                cursor.execute(statement)
                for batch in cursor.fetch_record_batch():
                    yield frame_of(batch)
        except (NotSupportedError, InternalError):
            raise
        except (AdbcError, pa.ArrowException) as error:
            raise EngineError(_plain_words(str(error))) from None


def _plain_words(text: str) -> str:
    """What the server said, without what ADBC puts around it."""
    words = text.partition("ERROR:")[2] or text.partition("FATAL:")[2] or text.partition("[libpq]")[2] or text
    return words.partition("SQLSTATE:")[0].strip()


def _column(sql: str, described: psycopg.Column) -> Column | None:
    name, kind, scale = described.name, described.type_display.partition("(")[0], described.scale
    if kind in _NATIVE:
        return as_is(name, sql, _NATIVE[kind])
    if kind in _CAST:
        into, dtype = _CAST[kind]
        return as_is(name, f"{sql}::{into}", dtype)
    if kind in _PARSED:
        text, dtype = _PARSED[kind]
        return Column(name, text.format(sql), TEXT, dtype)
    match kind:
        case "bytea":
            return None
        case "numeric" if scale is not None and (described.precision or 0) <= 38:
            return Column(name, f"{sql}::text", TEXT, pl.Decimal(38, max(scale, 0)))
        case "numeric":
            return Column(name, f"round({sql}, {UNSCALED})::text", TEXT, pl.Decimal(38, UNSCALED))
        case "interval":
            return as_is(name, f"extract(epoch FROM {sql})::float8", NUMBER)
        case _:
            return as_is(name, f"{sql}::text", TEXT)
