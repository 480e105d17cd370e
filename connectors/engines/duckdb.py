"""DuckDB: a file that is opened read only, without any way to other files."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
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
    EngineError,
    Session,
    frame_of,
)
from connectors.engines.sqlite import existing

_AS_TEXT: Final = "CAST({} AS VARCHAR)"
_CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": "false",
    "lock_configuration": "true",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_SMALL: Final[Mapping[str, pl.DataType]] = {  # thousands of casts would take DuckDB minutes to plan
    "TINYINT": pl.Int8(),
    "SMALLINT": pl.Int16(),
    "INTEGER": pl.Int32(),
    "UTINYINT": pl.UInt8(),
    "USMALLINT": pl.UInt16(),
    "UINTEGER": pl.UInt32(),
}
_TYPES: Final[Mapping[str, tuple[str, pl.DataType, pl.DataType]]] = {
    "BIGINT": ("{}", INTEGER, INTEGER),
    "BOOLEAN": ("{}", pl.Boolean(), pl.Boolean()),
    "DOUBLE": ("{}", NUMBER, NUMBER),
    **{name: ("{}", wire, INTEGER) for name, wire in _SMALL.items()},
    "FLOAT": ("CAST(CAST({} AS VARCHAR) AS DOUBLE)", NUMBER, NUMBER),  # its shortest decimal
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), (_AS_TEXT, TEXT, pl.Decimal(38, 0))),
    "DATE": (_AS_TEXT, TEXT, pl.Date()),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), (_AS_TEXT, TEXT, MOMENT)),
    "TIMESTAMP WITH TIME ZONE": ("CAST({} AT TIME ZONE 'UTC' AS VARCHAR)", TEXT, INSTANT),
    "INTERVAL": ("epoch({})", NUMBER, NUMBER),
}
"""How a type is fetched, as what, and what that becomes; any other one is text."""
_TABLES: Final = """SELECT table_name FROM information_schema.tables
    WHERE table_catalog = current_database() AND table_schema = $schema ORDER BY table_name"""


class DuckDB(Dialect):
    """DuckDB; a file that another process writes cannot be opened meanwhile, so one state is seen."""

    grammar = "duckdb"

    @contextmanager
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> Iterator[Session]:
        """A file without a way out; what takes too long is interrupted."""
        path = existing(url, folder)
        with _told():
            connection = duckdb.connect(path, read_only=True, config=_CLOSED)
        ends = threading.Timer(seconds, connection.interrupt)
        ends.daemon = True
        ends.start()
        try:
            yield DuckDBSession(connection)
        finally:
            ends.cancel()
            connection.close()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise EngineError(str(error).partition("Error: ")[2] or str(error)) from None


class DuckDBSession(Session):
    """A connection to a file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def quoted(self, name: str) -> str:
        """A name as an identifier that the database takes literally."""
        return '"' + name.replace('"', '""') + '"'

    def has_table(self, name: str, schema: str | None = None) -> bool:
        """Whether there is a table or a view of that name."""
        return name in self.tables(schema)

    def tables(self, schema: str | None = None) -> list[str]:
        """The tables and views of a schema, by default of `main`."""
        with _told():
            found = self._connection.execute(_TABLES, {"schema": schema or "main"}).fetchall()
        return [str(name) for (name,) in found]

    def columns(self, relation: str) -> Columns:
        """Types by DuckDB's description of the statement."""
        with _told():
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        kept = tuple(_column(name, self.quoted(name), kind) for name, kind, *_ in described if kind != "BLOB")
        return Columns(kept, tuple(name for name, kind, *_ in described if kind == "BLOB"))

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows of a statement, batch by batch through Arrow."""
        with _told():
            for batch in self._connection.sql(statement).to_arrow_reader(BATCH_ROWS):
                yield frame_of(batch)


def _column(name: str, sql: str, kind: str) -> Column:
    if kind.startswith("DECIMAL") and kind.endswith(")"):
        dtype: pl.DataType = pl.Decimal(38, int(kind.partition(",")[2].rstrip(")")))
        return Column(name, _AS_TEXT.format(sql), TEXT, dtype)
    how, wire, dtype = _TYPES.get(kind, (_AS_TEXT, TEXT, TEXT))
    return Column(name, how.format(sql), wire, dtype)
