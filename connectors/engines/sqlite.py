"""SQLite: a file that is opened read only, and whose cells are asked for their types."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

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
    framed,
    opened,
)
from connectors.errors import SourceError

_ALLOWED: Final = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION)
)
_INTEGERS, _REALS, _TEXTS, _BYTES, _LARGE = 1, 2, 4, 8, 16
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
    raw.text_factory = partial(str, encoding="utf-8", errors=MARKED)
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
        kinds: dict[str, int] = {}
        for at in range(0, len(names), _AT_ONCE):
            some = names[at : at + _AT_ONCE]
            census = ", ".join(_census(self.quoted(name)) for name in some)
            found = self.run(f"SELECT {census} FROM {relation}").one()
            kinds |= {name: kind or 0 for name, kind in zip(some, found, strict=True)}
        bytes_only = tuple(name for name, kind in kinds.items() if kind & _BYTES)
        kept = (name for name in kinds if name not in bytes_only)
        return Columns(tuple(_column(name, self.quoted(name), kinds[name]) for name in kept), bytes_only)

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows straight from SQLite's own cursor."""
        raw = self.connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # the engine above opens no other
        try:
            cursor = raw.execute(statement)
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield framed(rows, columns)
        except sqlite3.Error as error:
            raise EngineError(str(error)) from None


_AT_ONCE: Final = 300
"""Columns that one statement asks for their types; SQLite refuses statements of a million characters."""


def _census(sql: str) -> str:
    """The kinds of cells in a column as the sum of their codes."""
    kinds = {"integer": _INTEGERS, "real": _REALS, "text": _TEXTS, "blob": _BYTES}
    sums = [f"{code} * max(typeof({sql}) = '{kind}')" for kind, code in kinds.items()]
    large = f"typeof({sql}) = 'integer' AND {sql} NOT BETWEEN -9007199254740992 AND 9007199254740992"
    return " + ".join((*sums, f"{_LARGE} * max({large})"))


def _column(name: str, sql: str, kind: int) -> Column:
    if kind in (_INTEGERS, _INTEGERS | _LARGE):
        return as_is(name, sql, INTEGER)
    if kind in (_REALS, _INTEGERS | _REALS):
        return as_is(name, f"CAST({sql} AS REAL)", NUMBER)
    if kind in (0, _TEXTS):
        return as_is(name, sql, TEXT)
    return as_is(name, f"exact_text({sql})", TEXT)


def _exact_text(value: object) -> str | None:
    """A cell as the shortest text that gives it back; SQLite's own cast keeps 15 digits of a number."""
    return None if value is None else str(value)
