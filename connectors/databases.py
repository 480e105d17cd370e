"""Tables and queries of databases to raw rows: read only, exact, one statement, in batches through files.

The SELECT is generated: every column is fetched in a form that loses nothing (see `dialects.py`). What the
account is allowed to do is the real guard; the session is read only besides.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import polars as pl
import sqlalchemy as sa
import sqlglot
from sqlglot import TokenType, exp

from config.errors import suggestion
from connectors.content import Content, content_of
from connectors.dialects import DIALECTS, TIMEOUT_SECONDS, Columns, Dialect, quoted
from connectors.errors import SourceError
from connectors.manifest import SourceFile
from connectors.raw import COLUMN, REASON, REJECTED, ROW, VALUE, Piece, Raw
from connectors.sources import DatabaseSource

BATCH_ROWS: Final = 50_000
_WRITES: Final = (exp.DDL, exp.DML, exp.Into, exp.Lock, exp.Command)
_HIDDEN: Final = re.compile(r"/\*M?!")
"""A comment that MySQL and MariaDB carry out."""


def read_database(source: DatabaseSource, folder: Path, workdir: Path) -> Raw:
    """The raw rows of a table or a query, with the types that the database gives; none for an empty table.

    Rows with a cell that is no value (an infinite date, a number that is none) are in `rejected`. `workdir`
    takes the rows in batches. Raises SourceError, with the password left out, when they cannot be read.
    """
    url = _url(source)
    dialect = DIALECTS[url.get_backend_name()]
    with _told(source, url), dialect.connected(url, folder) as connection:
        relation = _relation(source, dialect, connection)
        columns = dialect.columns(connection, relation)
        _refuse_twins([column.name for column in columns.kept], f"source `{source.name}`")
        pull = _Pull(connection, relation, columns, workdir / source.name)
        piece = pull.piece(f"{url.get_backend_name()}: {source.relation or 'query'}")
    return Raw.of(source.name, [piece])


@dataclass(frozen=True)
class _Pull:
    """One SELECT, carried out batch by batch."""

    connection: sa.Connection
    relation: str
    columns: Columns
    folder: Path

    def piece(self, shown: str) -> Piece:
        """All rows; one empty batch where there are none, so that the types are known."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content, rejected, paths = Content(), list[pl.DataFrame](), list[Path]()
        for batch in self._batches():
            numbered = batch.with_row_index(ROW, content.rows)
            unfit = self._unfit(numbered)
            paths.append(self.folder / f"{len(paths):06}.parquet")
            self._parsed(numbered, unfit).write_parquet(paths[-1], compression="lz4", statistics=False)
            rejected.append(unfit)
            content += content_of(batch)
        file = SourceFile(path=shown, rows=content.rows, fingerprint=content.hex)
        frame = pl.scan_parquet(paths, glob=False)
        return Piece(frame, file, self._notes(), pl.concat(rejected))

    def _batches(self) -> Iterator[pl.DataFrame]:
        kept = self.columns.kept
        names = ", ".join(f"{column.sql} AS {quoted(self.connection, column.name)}" for column in kept)
        schema = {column.name: column.wire for column in kept}
        streaming = self.connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)
        result = streaming.exec_driver_sql(f"SELECT {names} FROM {self.relation}")
        yield pl.DataFrame(schema=schema)
        for rows in result.partitions(BATCH_ROWS):
            yield pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")

    def _unfit(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with a cell that cannot be parsed, as rejected rows: the first such cell of each."""
        parsed = [column for column in self.columns.kept if column.wire != column.dtype]
        found = [
            rows.filter(pl.col(column.name).is_not_null() & column.parsed.is_null()).select(
                ROW,
                pl.lit(column.name).alias(COLUMN),
                pl.col(column.name).alias(VALUE),
                pl.lit(f"`{column.name}` is no {_kind(column.dtype)} that fits").alias(REASON),
                *(pl.col(other.name).cast(pl.String) for other in self.columns.kept),
            )
            for column in parsed
        ]
        schema = {**REJECTED, **dict.fromkeys((column.name for column in self.columns.kept), pl.String)}
        return pl.concat([pl.DataFrame(schema=schema), *found]).unique(ROW, keep="first").sort(ROW)

    def _parsed(self, rows: pl.DataFrame, unfit: pl.DataFrame) -> pl.DataFrame:
        fit = rows.join(unfit, on=ROW, how="anti", maintain_order="left") if unfit.height else rows
        return fit.with_columns(column.parsed.alias(column.name) for column in self.columns.kept)

    def _notes(self) -> tuple[str, ...]:
        left_out = (f"column `{name}` holds bytes and is left out" for name in self.columns.left_out)
        return (*left_out, *self.columns.notes)


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_decimal():
        return "number"
    return "date" if dtype == pl.Date else "time"


def _url(source: DatabaseSource) -> sa.URL:
    where = f"source `{source.name}`"
    example = "Write it as `postgresql://user:password@host/database` or `sqlite:///file.db`"
    try:
        url = sa.make_url(source.connection)
        known = url.get_backend_name() in DIALECTS
    except (sa.exc.ArgumentError, ValueError):
        raise SourceError(where, "its `connection:` is no address of a database", example) from None
    if not known:
        fault = f"no connector for `{url.get_backend_name()}`"
        raise SourceError(where, fault, suggestion(url.get_backend_name(), DIALECTS))
    return url


def _relation(source: DatabaseSource, dialect: Dialect, connection: sa.Connection) -> str:
    """What the generated SELECT reads from: the quoted table, or the query in parentheses."""
    if source.query is not None:
        text = _checked(source.query, dialect, f"source `{source.name}`")
        return f"(\n{text}\n) AS rapport"
    return _table(source, connection)


def _table(source: DatabaseSource, connection: sa.Connection) -> str:
    name, inspector = source.relation or "", sa.inspect(connection)
    if inspector.has_table(name):
        return quoted(connection, name)
    schema, _, table = name.partition(".")
    if table and inspector.has_table(table, schema):
        return f"{quoted(connection, schema)}.{quoted(connection, table)}"
    known = inspector.get_table_names(schema if table else None)
    known += inspector.get_view_names(schema if table else None)
    remedy = suggestion(table or name, sorted(known)) or "Check `from:` and what the account may see"
    where = f"source `{source.name}`"
    raise SourceError(where, f"there is no table `{name}`", remedy)


def _checked(query: str, dialect: Dialect, where: str) -> str:
    """The query without a closing semicolon. SourceError unless it is one statement that only reads."""
    remedy = "Write one SELECT under `query:`"
    try:
        parsed = sqlglot.parse(query, read=dialect.grammar)
    except sqlglot.errors.SqlglotError as error:
        fault = f"`query:` cannot be read: {_first_line(str(error))}"
        raise SourceError(where, fault, remedy) from None
    statements = [tree for tree in parsed if tree and not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1:
        fault = f"`query:` holds {len(statements)} statements"
        raise SourceError(where, fault, remedy)
    statement = statements[0]
    if not isinstance(statement, exp.Query) or _HIDDEN.search(query) or statement.find(*_WRITES):
        raise SourceError(where, "`query:` does more than read", remedy)
    _refuse_twins(statement.named_selects, where)
    tokens = sqlglot.tokenize(query, read=dialect.grammar)
    ends = (token.start for token in tokens if token.token_type is TokenType.SEMICOLON)
    return query[: next(ends, None)].strip()


def _refuse_twins(names: Sequence[str], where: str) -> None:
    twice = [name for at, name in enumerate(names) if name in names[:at] and name != "*"]
    if twice:
        fault = f"`query:` gives two columns named `{twice[0]}`"
        raise SourceError(where, fault, "Name each with AS")


@contextmanager
def _told(source: DatabaseSource, url: sa.URL) -> Iterator[None]:
    """Faults of the database in its own first line, without secrets, with what to do."""
    where = f"source `{source.name}`"
    try:
        yield
    except SourceError as error:
        if error.where.startswith("source "):
            raise
        fault = f"{error.where}: {error.fault}"
        raise SourceError(where, fault, error.remedy) from None
    except (sa.exc.SQLAlchemyError, OSError, ImportError) as error:
        raised = getattr(error, "orig", None) or error
        text = redacted(_first_line(str(raised)), url)
        remedy, retryable = _advice(raised, text)
        raise SourceError(where, text, remedy, retryable=retryable) from None


def redacted(text: str, url: sa.URL) -> str:
    """The text without the password of the address, in every form in which it may stand there.

    >>> redacted("no entry for a%20b, a b", sa.make_url("postgresql://me:a%20b@host/shop"))
    'no entry for ***, ***'
    """
    password = str(url.password or "")
    for form in sorted({password, quote(password), quote_plus(password), quote(password, safe="")} - {""}):
        text = text.replace(form, "***")
    return text


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "no reason given")


_ADVICE: Final = (
    (r"password|authentication|access denied|role .* does not exist", "Check user and password", False),
    (r"permission denied|command denied", "Ask for an account that may SELECT from it", False),
    (
        r"timeout|time exceeded|interrupted",
        f"Read less than fits {TIMEOUT_SECONDS} seconds, or add an index",
        True,
    ),
    (
        r"refused|could not connect|can't connect|not known|no route|timed out|closed",
        "Check that it runs",
        True,
    ),
    (r"deadlock|lock|recovery|starting up|shutting down|terminating|too many", "Try again later", True),
    (
        r"does not exist|no such|unknown|doesn't exist",
        "Check names in `connection:`, `from:`, `query:`",
        False,
    ),
    (r"read-only|not authorized|prohibited", "Write one SELECT under `query:`", False),
)
"""What a driver's words tell of a fault, what to do, and whether the same may work later."""


def _advice(error: object, text: str) -> tuple[str, bool]:
    for pattern, remedy, retryable in _ADVICE:
        if re.search(pattern, text, re.IGNORECASE):
            return remedy, retryable
    return "Check `connection:` and `query:`", isinstance(error, sa.exc.OperationalError)
