"""MariaDB and MySQL: through PyMySQL, or through ConnectorX where the account can only read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from connectors.engines.session import (
    BATCH_ROWS,
    INSTANT,
    INTEGER,
    MOMENT,
    NUMBER,
    TEXT,
    WRITER,
    Column,
    Columns,
    Dialect,
    EngineError,
    Session,
    SqlSession,
    as_is,
    frame_of,
    opened,
)

_GUARDS: Final = (
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION time_zone = '+00:00'",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_READING: Final = frozenset(("SELECT", "USAGE", "SHOW VIEW", "SHOW DATABASES", "PROCESS"))
_GRANT: Final = re.compile(r"GRANT (.+?) ON ")
_COLUMNS_OF: Final = re.compile(r"\([^)]*\)")


class MariaDB(Dialect):
    """MariaDB and MySQL."""

    grammar = "mysql"

    @contextmanager
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> Iterator[Session]:
        """Read only for the session; MySQL counts its time limit in milliseconds, MariaDB in seconds."""
        arguments = {"connect_timeout": 10, "charset": "utf8mb4"}
        engine = sa.create_engine(url.set(drivername="mysql+pymysql"), connect_args=arguments)
        with opened(engine) as connection:
            version = str(connection.exec_driver_sql("SELECT version()").scalar())
            mariadb = "MariaDB" in version
            limit = f"max_execution_time = {seconds * 1000:.0f}"
            if mariadb:
                limit = f"max_statement_time = {seconds:g}"
            connection.rollback()
            for statement in (f"SET SESSION {limit}", *_GUARDS):
                connection.exec_driver_sql(statement)
            yield MariaDBSession(connection, url, seconds if mariadb else None)


class MariaDBSession(SqlSession):
    """A guarded connection; ConnectorX opens one of its own, so that only a reading account may use it."""

    def __init__(self, connection: sa.Connection, url: sa.URL, fast: float | None) -> None:
        super().__init__(connection)
        self._url = url
        only_reads = self._only_reads()
        self.warnings = () if only_reads else (WRITER,)
        self._seconds = fast if only_reads else None

    def _only_reads(self) -> bool:
        """Whether every grant of the account is one to read."""
        grants = [str(row[0]) for row in self.run("SHOW GRANTS")]
        found = [match[1] for grant in grants if (match := _GRANT.match(grant))]
        listed = [one.strip() for grant in found for one in _COLUMNS_OF.sub("", grant).split(",")]
        return len(found) == len(grants) and set(listed) <= _READING

    def columns(self, relation: str) -> Columns:
        """Types by the server's description of the statement."""
        return Columns(tuple(_column(self.quoted(one[0]), one) for one in self.described(relation)))

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows through ConnectorX where that is allowed and able, else through PyMySQL."""
        if self._seconds is None or not columns:
            yield from super().batches(statement, columns)
            return
        stream = self._arrow(statement)
        if stream is None:
            yield from super().batches(statement, columns)
            return
        schema = {column.name: column.wire for column in columns}
        for batch in _told(stream):
            yield batch.cast(schema)  # type: ignore[arg-type]  # names to types, as Polars takes them

    def abandon(self, cursor: Any) -> None:  # noqa: ANN401  (whatever the driver has)
        """Ends a reading half way; without its connection, PyMySQL does not read on to the last row first."""
        cursor.connection, result = None, cursor._result
        if result is not None:
            result.unbuffered_active = False
        super().abandon(cursor)

    def _arrow(self, statement: str) -> Iterable[object] | None:
        """Batches of Arrow from a connection that the server ends in time; None where ConnectorX cannot."""
        limited = (
            f"SET STATEMENT max_statement_time = {self._seconds:g}, time_zone = '+00:00',"
            f" tx_read_only = 1 FOR {statement}"
        )
        address = self._url.set(drivername="mysql", query={}).render_as_string(hide_password=False)
        try:
            import connectorx

            stream: Iterable[object] = connectorx.read_sql(
                address, limited, return_type="arrow_stream", batch_size=BATCH_ROWS
            )
            return stream
        except ImportError:
            return None
        except BaseException as error:
            if type(error).__name__ not in ("PanicException", "RuntimeError"):
                raise
            return None


def _told(stream: Iterable[object]) -> Iterator[pl.DataFrame]:
    """The batches; a panic of ConnectorX, which is no Exception, as an ordinary fault."""
    try:
        for batch in stream:
            yield frame_of(batch)
    except GeneratorExit:
        raise
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise EngineError(str(error)) from None
        raise


def _column(sql: str, described: Sequence[Any]) -> Column:
    from pymysql.constants import FIELD_TYPE as KIND

    name, kind, scale = described[0], described[1], described[5]
    text = f"CAST({sql} AS CHAR)"
    match kind:
        case KIND.TINY | KIND.SHORT | KIND.LONG | KIND.INT24 | KIND.YEAR:
            return as_is(name, sql, INTEGER)
        case KIND.LONGLONG:  # unsigned ones exceed 64 bits with a sign
            return Column(name, text, TEXT, pl.Decimal(38, 0))
        case KIND.FLOAT:  # its shortest decimal, not the binary digits behind it
            return Column(name, text, TEXT, NUMBER)
        case KIND.DOUBLE:
            return as_is(name, sql, NUMBER)
        case KIND.DECIMAL | KIND.NEWDECIMAL:
            return Column(name, text, TEXT, pl.Decimal(38, scale))
        case KIND.DATE | KIND.NEWDATE:
            return Column(name, text, TEXT, pl.Date())
        case KIND.DATETIME:
            return Column(name, text, TEXT, MOMENT)
        case KIND.TIMESTAMP:
            return Column(name, text, TEXT, INSTANT)
        case _:
            return as_is(name, text, TEXT)
