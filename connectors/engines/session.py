"""What every kind of database offers: a guarded session that tells columns and gives rows in batches."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

BATCH_ROWS: Final = 50_000
UNSCALED: Final = 12
"""Decimals kept of numbers whose column declares none; further ones are rounded by the database."""

TEXT: Final = pl.String()
NUMBER: Final = pl.Float64()
INTEGER: Final = pl.Int64()
MOMENT: Final = pl.Datetime("us")
INSTANT: Final = pl.Datetime("us", "UTC")

WRITER: Final = "the database account could write: give Rapport one that may only SELECT"


class EngineError(Exception):
    """A fault in the words of a driver that SQLAlchemy does not stand before."""


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
        if self.dtype == pl.Boolean:
            return fetched.replace_strict(
                {"true": True, "false": False}, default=None, return_dtype=self.dtype
            )
        if self.dtype == pl.Boolean:
            return fetched.replace_strict(
                {"true": True, "false": False}, default=None, return_dtype=self.dtype
            )
        return fetched.cast(self.dtype, strict=False)


def as_is(name: str, sql: str, dtype: pl.DataType) -> Column:
    """A column that the driver gives as it is kept."""
    return Column(name, sql, dtype, dtype)


@dataclass(frozen=True)
class Columns:
    """The columns of a relation; `left_out` names those that hold bytes."""

    kept: tuple[Column, ...]
    left_out: tuple[str, ...] = ()


class Session(ABC):
    """An open connection that cannot write; `warnings` say what people should know of the account.

    `unclean` says whether its texts may hold zero bytes or bytes that are no text (marked by `BROKEN`).
    """

    warnings: tuple[str, ...] = ()
    unclean = True

    @abstractmethod
    def quoted(self, name: str) -> str:
        """A name as an identifier that the database takes literally."""

    @abstractmethod
    def has_table(self, name: str, schema: str | None = None) -> bool:
        """Whether there is a table or a view of that name."""

    @abstractmethod
    def tables(self, schema: str | None = None) -> list[str]:
        """The tables and views of a schema, by default of the account's own."""

    @abstractmethod
    def columns(self, relation: str) -> Columns:
        """The columns of `FROM relation`, found without reading its rows where the database tells types."""

    @abstractmethod
    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows of a statement with the wire types of its columns, some at a time."""

    def newest(self, relation: str, column: str) -> object:
        """The greatest value of a column, as the database gives it."""
        statement = f"SELECT max({self.quoted(column)}) AS {self.quoted('newest')} FROM {relation}"
        (frame,) = [batch for batch in self.batches(statement, ()) if batch.height]
        return frame.item()


class Dialect(ABC):
    """One kind of database; `tested` says whether it is proven by tests against the real thing."""

    grammar: str
    """What sqlglot calls it."""

    tested = True

    @abstractmethod
    def connected(self, url: sa.URL, folder: Path, seconds: float) -> AbstractContextManager[Session]:
        """A session on a relative file in `folder` or a server, whose statements end after some seconds."""


class SqlSession(Session):
    """A session of SQLAlchemy: the way that works with every driver, row by row."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def quoted(self, name: str) -> str:
        """A name as an identifier that the database takes literally."""
        return self.connection.dialect.identifier_preparer.quote_identifier(name)

    def has_table(self, name: str, schema: str | None = None) -> bool:
        """Whether there is a table or a view of that name."""
        return sa.inspect(self.connection).has_table(name, schema)

    def tables(self, schema: str | None = None) -> list[str]:
        """The tables and views of a schema, by default of the account's own."""
        inspector = sa.inspect(self.connection)
        return sorted(inspector.get_table_names(schema) + inspector.get_view_names(schema))

    def run(self, statement: str) -> sa.CursorResult[Any]:
        """Carry out a statement in which a percent sign means itself."""
        return self.connection.exec_driver_sql(statement)

    def described(self, relation: str) -> Sequence[Any]:
        """What the driver tells of the columns of `FROM relation`."""
        result = self.run(f"SELECT * FROM {relation} LIMIT 0")
        description: Sequence[Any] = result.cursor.description if result.cursor else ()
        result.close()
        return description

    def batches(self, statement: str, columns: Sequence[Column]) -> Iterator[pl.DataFrame]:
        """The rows of a statement with the wire types of its columns, some at a time."""
        streaming = self.connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)
        result = streaming.exec_driver_sql(statement)
        cursor: Any = result.cursor
        try:
            for rows in result.partitions(BATCH_ROWS):
                yield framed([tuple(row) for row in rows], columns)
        except BaseException:
            self.abandon(cursor)
            raise

    def abandon(self, cursor: Any) -> None:  # noqa: ANN401  (whatever the driver has)
        """Ends a reading half way: the connection goes, so that the server stops too."""
        self.connection.invalidate()
        with suppress(Exception):  # there is no connection left to tell
            cursor.close()


def framed(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> pl.DataFrame:
    """Rows of Python values as a frame, column by column: several times faster than row by row."""
    if not columns:
        return pl.DataFrame([tuple(row) for row in rows], orient="row")
    return pl.DataFrame(
        [pl.Series(column.name, [row[at] for row in rows], column.wire) for at, column in enumerate(columns)]
    )


def frame_of(batch: object) -> pl.DataFrame:
    """A batch of Arrow as a frame."""
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)  # a batch is no column
    return frame


def ahead(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same batches, each fetched in a thread of its own while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


@contextmanager
def opened(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One connection of an engine, closed at the end with the engine."""
    try:
        with engine.connect().execution_options(no_parameters=True) as connection:
            yield connection
    finally:
        engine.dispose()
