"""Databases that are documented, not tested here: any driver of SQLAlchemy, row by row, types by the cells.

The server's own guard is an account that may only SELECT; what a session can say besides is said.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import polars as pl
import sqlalchemy as sa

from connectors.engines.session import (
    BATCH_ROWS,
    INSTANT,
    INTEGER,
    MOMENT,
    NUMBER,
    TEXT,
    Column,
    Columns,
    Dialect,
    Session,
    SqlSession,
    as_is,
    opened,
)
from connectors.errors import SourceError

UNTESTED: Final = "this kind of database is not tested with Rapport: compare the totals with your own"
_LARGEST: Final = 2**63
_EXACT: Final = 2**53


@dataclass(frozen=True)
class Documented(Dialect):
    """A driver of SQLAlchemy, the extra that installs it, and what its session is told."""

    grammar: str
    driver: str
    extra: str
    guards: tuple[str, ...] = ()
    tested: bool = field(default=False, init=False)

    @contextmanager
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> Iterator[Session]:
        """A session under the guards of its kind; `{seconds}` in one becomes the time limit."""
        named = url if "+" in url.drivername else url.set(drivername=self.driver)
        try:
            engine = sa.create_engine(named)
        except (ImportError, sa.exc.NoSuchModuleError):
            where, fault = f"`{url.get_backend_name()}`", "its driver is not installed"
            remedy = f'Install it: pip install "rapport-dashboard[{self.extra}]"'
            raise SourceError(where, fault, remedy) from None
        with opened(engine) as connection:
            for guard in self.guards:
                connection.exec_driver_sql(guard.format(seconds=f"{seconds:.0f}", ms=f"{seconds * 1000:.0f}"))
            yield DocumentedSession(connection)


class DocumentedSession(SqlSession):
    """Rows as Python values, kept as text until all are there: then each column's type is known."""

    warnings = (UNTESTED,)

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._kinds: dict[str, set[str]] = {}

    def columns(self, relation: str) -> Columns:
        """The names; their types show in the cells."""
        result = self.run(f"SELECT * FROM {relation} WHERE 1 = 0")
        names = list(result.keys())
        result.close()
        return Columns(tuple(as_is(name, self.quoted(name), TEXT) for name in names))

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows as text; the kinds of their cells are noted."""
        names = [column.name for column in columns]
        self._kinds = {name: set() for name in names}
        result = self.connection.execution_options(stream_results=True).exec_driver_sql(statement)
        for rows in result.partitions(BATCH_ROWS):
            cells = {name: self._texts(name, [row[at] for row in rows]) for at, name in enumerate(names)}
            yield pl.DataFrame(cells, schema=dict.fromkeys(names, TEXT))

    def _texts(self, name: str, values: Sequence[object]) -> list[str | None]:
        told = [(None, "") if value is None else _told(value) for value in values]
        self._kinds[name] |= {kind for _, kind in told if kind}
        return [text for text, _ in told]

    def settled(self, columns: Columns) -> Columns:
        """The columns with the types that all their cells have."""
        kept = tuple(
            Column(column.name, column.sql, TEXT, _dtype(self._kinds[column.name])) for column in columns.kept
        )
        return Columns(kept, columns.left_out)


_FORMS: Final[Sequence[tuple[type, Callable[..., tuple[str, str]]]]] = (
    (bool, lambda value: (str(value).lower(), "bool")),
    (int, lambda value: (str(value), "int" if abs(value) < _EXACT else _wide(value))),
    (float, lambda value: (repr(value), "float")),
    (Decimal, lambda value: (f"{value:f}", f"decimal {max(-int(value.as_tuple().exponent), 0)}")),
    (datetime, lambda value: _moment(value)),
    (date, lambda value: (value.isoformat(), "date")),
    (bytes, lambda value: (value.hex(), "text")),
)


def _told(value: object) -> tuple[str, str]:
    """A cell as the text that gives it back, and its kind."""
    return next((form(value) for kind, form in _FORMS if isinstance(value, kind)), (str(value), "text"))


def _wide(value: int) -> str:
    return "wide int" if abs(value) < _LARGEST else "decimal 0"


def _moment(value: datetime) -> tuple[str, str]:
    if value.tzinfo is None:
        return value.isoformat(" "), "moment"
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" "), "instant"


def _dtype(kinds: set[str]) -> pl.DataType:
    """The type that holds every kind of cell without losing a digit."""
    single: dict[str, pl.DataType] = {
        "bool": pl.Boolean(),
        "date": pl.Date(),
        "moment": MOMENT,
        "instant": INSTANT,
    }
    if len(kinds) == 1 and (only := next(iter(kinds))) in single:
        return single[only]
    if kinds and kinds <= {"int", "wide int"}:
        return INTEGER
    if kinds and kinds <= {"int", "float"}:
        return NUMBER
    scales = [int(kind.split()[1]) for kind in kinds if kind.startswith("decimal")]
    if scales and all(kind.startswith("decimal") or kind.endswith("int") for kind in kinds):
        return pl.Decimal(38, min(max(scales), 38))
    return TEXT


DOCUMENTED: Final = {
    "mssql": Documented("tsql", "mssql+pyodbc", "mssql", ("SET LOCK_TIMEOUT {ms}",)),
    "snowflake": Documented(
        "snowflake",
        "snowflake",
        "snowflake",
        ("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {seconds}", "ALTER SESSION SET TIMEZONE = 'UTC'"),
    ),
    "bigquery": Documented("bigquery", "bigquery", "bigquery"),
    "trino": Documented("trino", "trino", "trino", ("SET SESSION query_max_run_time = '{seconds}s'",)),
    "redshift": Documented(
        "redshift",
        "redshift+redshift_connector",
        "redshift",
        ("SET default_transaction_read_only = on", "SET statement_timeout = {ms}"),
    ),
    "clickhousedb": Documented("clickhouse", "clickhousedb", "clickhouse", ("SET readonly = 1",)),
}
"""Kinds of databases by the scheme of their addresses."""
