"""SQLite: a file that is opened read only, and whose cells are asked for their types."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from connectors.encodings import MARKED
from connectors.engines.session import (
    BATCH_ROWS,
    INTEGER,
    NUMBER,
    TEXT,
    Column,
    Columns,
    Dialect,
    EngineError,
    Session,
    SqlSession,
    as_is,
    opened,
)
from connectors.errors import SourceError

_ALLOWED: Final = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION)
)
_TEXTS_OF: Final = partial(str, encoding="utf-8", errors=MARKED)
"""Text as it is, bytes that are none marked."""
_LARGE: Final = "large integer"
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
_STEPS: Final = 100_000
"""Instructions of SQLite's machine between two looks at the clock: some milliseconds."""


def existing(url: sa.URL, folder: Path) -> Path:
    """The file that an address names. Raises SourceError where there is none, so that none is made."""
    path = folder / (url.database or "")
    if not path.is_file():
        where = f"`{url.database}`"
        raise SourceError(where, "there is no such file", "Check `connection:`")
    return path


class SQLite(Dialect):
    """SQLite, whose cells have types and whose columns have none: the cells are asked first."""

    grammar = "sqlite"

    @contextmanager
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> Iterator[Session]:
        """`query_only`, and an authorizer: a read-only file may still ATTACH another and write there."""
        address = f"{existing(url, folder).absolute().as_uri()}?mode=ro"

        def made() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)

        with opened(sa.create_engine("sqlite://", creator=made, poolclass=sa.NullPool)) as connection:
            _guard(connection.connection.driver_connection, seconds)
            connection.exec_driver_sql("BEGIN")
            yield SQLiteSession(connection)


def _guard(raw: object, seconds: float) -> None:
    if not isinstance(raw, sqlite3.Connection):  # the engine above opens no other
        raise TypeError(raw)
    raw.execute("PRAGMA query_only = ON")
    raw.create_function("exact_text", 1, _exact_text, deterministic=True)
    raw.text_factory = _TEXTS_OF
    raw.set_authorizer(_authorized)
    ends = monotonic() + seconds
    raw.set_progress_handler(lambda: monotonic() > ends, _STEPS)


def _authorized(action: int, first: str | None, second: str | None, *_: object) -> int:
    match action:
        case sqlite3.SQLITE_FUNCTION:
            harmless = second != "load_extension"
        case _:
            harmless = action in _ALLOWED
    return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY


class SQLiteSession(SqlSession):
    """A guarded connection.

    A column of integers stays integer, one with fractions is Float64, everything else is text; integers
    beyond 2^53 beside fractions are text too, so that no digit is lost.
    """

    def has_table(self, name: str, schema: str | None = None) -> bool:
        """Whether there is a table or a view of that name."""
        return name in self.tables(schema)

    def tables(self, schema: str | None = None) -> list[str]:
        """The tables and views of the file, whose only schema is `main`."""
        if schema not in (None, "main"):
            return []
        return [str(name) for (name,) in self.run(_TABLES) if not str(name).startswith("sqlite_")]

    def columns(self, relation: str) -> Columns:
        """Types by the cells: one pass over all rows, in the transaction that reads them."""
        names = [column[0] for column in self.described(relation)]
        kinds: dict[str, set[str]] = {}
        for at in range(0, len(names), _AT_ONCE):
            kinds |= self._kinds(relation, names[at : at + _AT_ONCE])
        bytes_only = tuple(name for name, found in kinds.items() if "blob" in found)
        kept = (name for name in kinds if name not in bytes_only)
        return Columns(tuple(_column(name, self.quoted(name), kinds[name]) for name in kept), bytes_only)

    def _kinds(self, relation: str, names: Sequence[str]) -> dict[str, set[str]]:
        """The types of the cells of some columns, and whether integers beside fractions lose digits."""
        types = ", ".join(f"typeof({self.quoted(name)})" for name in names)
        rows = self.run(f"SELECT DISTINCT {types} FROM {relation}").all()
        kinds = {name: {str(row[at]) for row in rows} - {"null"} for at, name in enumerate(names)}
        for name in names:
            if kinds[name] == {"integer", "real"}:
                cell = self.quoted(name)
                large = f"typeof({cell}) = 'integer' AND {cell} NOT BETWEEN -{_EXACT} AND {_EXACT}"
                found = self.run(f"SELECT EXISTS (SELECT 1 FROM {relation} WHERE {large})").scalar()
                kinds[name] |= {_LARGE} if found else set()
        return kinds

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows straight from SQLite's own cursor."""
        raw = self.connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # the engine above opens no other
        try:
            cursor = raw.execute(statement)
            while frames := [_framed(rows, columns) for rows in islice(_fetched(raw, cursor), _TAKEN)]:
                yield pl.concat(frames)
        except sqlite3.Error as error:
            raise EngineError(str(error)) from None


_AT_ONCE: Final = 8
"""Columns whose types are asked for together: one pass each, and few combinations of types."""

_EXACT: Final = 2**53
"""The largest whole number up to which all are exact as fractions."""


_FEW: Final = 1_000
"""Rows that are fetched at a time: they stay in the processor's cache until they are a frame."""

_TAKEN: Final = BATCH_ROWS // _FEW


def _fetched(raw: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    """The rows, few at a time, their texts as bytes: decoding whole columns takes half the time."""
    rows = [()]
    while rows:
        raw.text_factory = bytes
        try:
            rows = cursor.fetchmany(_FEW)
        finally:
            raw.text_factory = _TEXTS_OF
        if rows:
            yield rows


def _framed(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column]) -> pl.DataFrame:
    values = zip(*rows, strict=True)
    return pl.DataFrame([_series(column, cells) for column, cells in zip(columns, values, strict=True)])


def _series(column: Column, cells: Sequence[Any]) -> pl.Series:
    if column.wire != TEXT:
        return pl.Series(column.name, cells, column.wire)
    given = pl.Series(column.name, cells, pl.Binary)
    try:
        return given.cast(TEXT)
    except pl.exceptions.ComputeError:  # bytes that are no text
        texts = [None if cell is None else _TEXTS_OF(cell) for cell in cells]
        return pl.Series(column.name, texts, TEXT)


def _column(name: str, sql: str, kinds: set[str]) -> Column:
    if kinds == {"integer"}:
        return as_is(name, sql, INTEGER)
    if kinds in ({"real"}, {"integer", "real"}):
        return as_is(name, f"CAST({sql} AS REAL)", NUMBER)
    if kinds <= {"text"}:
        return as_is(name, sql, TEXT)
    return as_is(name, f"exact_text({sql})", TEXT)


def _exact_text(value: object) -> str | None:
    """A cell as the shortest text that gives it back; SQLite's own cast keeps 15 digits of a number."""
    return None if value is None else str(value)
