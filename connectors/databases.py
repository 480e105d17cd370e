"""Tables and queries of databases to raw rows: read only, exact, one statement, in batches through files.

The SELECT is generated: every column is fetched in a form that loses nothing (see `engines/`). What the
account is allowed to do is the real guard; the session is read only besides.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from connectors.dialects import DIALECTS
from connectors.encodings import BROKEN
from connectors.engines.documented import DocumentedSession
from connectors.engines.session import TEXT, Column, Columns, Dialect, EngineError, Session
from connectors.errors import SourceError
from connectors.kinds import DatabaseSource
from connectors.manifest import SourceFile
from connectors.raw import COLUMN, REASON, REJECTED, ROW, VALUE, Piece, Raw

_UNCLEAN: Final = rf"[\x00{BROKEN}]"
_WRAP: Final = 1 << 64
_WRITES: Final = (exp.DDL, exp.DML, exp.Into, exp.Lock, exp.Command)
_HIDDEN: Final = re.compile(r"/\*M?!")
"""A comment that MySQL and MariaDB carry out."""


Pulled = Callable[[int], None]
"""Told how many rows have been read so far; what it raises ends the reading."""


def unheard(rows: int) -> None:
    """The callback of a caller who does not count."""


def read_database(source: DatabaseSource, folder: Path, workdir: Path, pulled: Pulled = unheard) -> Raw:
    """The raw rows of a table or a query, with the types that the database gives; none for an empty table.

    Rows with a cell that is no value (an infinite date, a number that is none) are in `rejected`. `workdir`
    takes the rows in batches. Raises SourceError, with the password left out, when they cannot be read.
    """
    with session(source, folder) as opened:
        relation = relation_of(source, opened)
        piece = pull(source, opened, relation, workdir / source.name, pulled)
    return Raw.of(source.name, [piece])


def read_head(source: DatabaseSource, folder: Path, workdir: Path, rows: int) -> Raw:
    """About the first `rows` rows, for a look at columns; all of them where a database knows no LIMIT."""
    with session(source, folder) as opened:
        relation = relation_of(source, opened)
        if _dialect(source).tested:
            relation = f"(SELECT * FROM {relation} LIMIT {rows}) AS rapport"
        piece = pull(source, opened, relation, workdir / source.name)
    return Raw.of(source.name, [piece])


@contextmanager
def session(source: DatabaseSource, folder: Path) -> Iterator[Session]:
    """A guarded session of a source; faults within it are told as those of the source."""
    url = _url(source)
    dialect = DIALECTS[url.get_backend_name()]
    with _told(source, url), dialect.connected(url, folder, source.timeout) as opened:
        yield opened


def pull(
    source: DatabaseSource, opened: Session, relation: str, folder: Path, pulled: Pulled = unheard
) -> Piece:
    """All rows of `FROM relation`, written to `folder` batch by batch."""
    columns = opened.columns(relation)
    _refuse_twins([column.name for column in columns.kept], f"source `{source.name}`")
    shown = f"{_url(source).get_backend_name()}: {source.relation or 'query'}"
    return _Pull(opened, relation, columns, folder, pulled).piece(shown)


@dataclass(frozen=True)
class _Pull:
    """One SELECT, carried out batch by batch."""

    session: Session
    relation: str
    columns: Columns
    folder: Path
    pulled: Pulled

    def piece(self, shown: str) -> Piece:
        """All rows; one empty batch where there are none, so that the types are known."""
        self.folder.mkdir(parents=True, exist_ok=True)
        rows, prints, rejected, paths = 0, 0, list[pl.DataFrame](), list[Path]()
        for batch in self._batches():
            fit, unfit = self._sorted_out(batch.with_row_index(ROW, rows))
            paths.append(self.folder / f"{len(paths):06}.parquet")
            fit.write_parquet(paths[-1], compression="lz4", statistics=False)
            rejected.append(unfit)
            rows += batch.height
            prints = (prints + _fingerprint(batch)) % _WRAP
            self.pulled(rows)
        file = SourceFile(path=shown, rows=rows, fingerprint=f"{prints:016x}{rows:x}")
        frame, notes = self._settled(pl.scan_parquet(paths, glob=False)), self._notes()
        return Piece(frame, file, notes, pl.concat(rejected), warnings=self.session.warnings)

    def _batches(self) -> Iterator[pl.DataFrame]:
        kept = self.columns.kept
        names = ", ".join(f"{column.sql} AS {self.session.quoted(column.name)}" for column in kept)
        none = pl.DataFrame(schema={column.name: column.wire for column in kept})
        yield none
        for batch in self.session.batches(f"SELECT {names} FROM {self.relation}", kept):
            if batch.height:
                yield batch

    def _settled(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with the types that only all of them show."""
        if not isinstance(self.session, DocumentedSession):
            return rows
        settled = self.session.settled(self.columns).kept
        return rows.with_columns(column.parsed.alias(column.name) for column in settled)

    def _sorted_out(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows with their cells parsed, and those with a cell that cannot be: the first such of each."""
        kept = self.columns.kept
        parsed = rows.with_columns(column.parsed.alias(column.name) for column in kept)
        odd = [_odd(column, rows[column.name], parsed[column.name], self.session.unclean) for column in kept]
        schema = {**REJECTED, **dict.fromkeys((column.name for column in kept), pl.String)}
        found = [_unfit(rows, kept, *one) for one in odd if one is not None]
        unfit = pl.concat([pl.DataFrame(schema=schema), *found]).unique(ROW, keep="first").sort(ROW)
        fit = parsed.join(unfit, on=ROW, how="anti", maintain_order="left") if unfit.height else parsed
        return fit, unfit

    def _notes(self) -> tuple[str, ...]:
        return tuple(f"column `{name}` holds bytes and is left out" for name in self.columns.left_out)


def _odd(
    column: Column, fetched: pl.Series, parsed: pl.Series, unclean: bool
) -> tuple[Column, pl.Series, str] | None:
    """The cells of a column that are no value, with what is told of them; None where all are one."""
    if column.wire != column.dtype:
        if parsed.null_count() == fetched.null_count():
            return None
        flags = parsed.is_null() & fetched.is_not_null()
        return column, flags, f"`{column.name}` is no {_kind(column.dtype)} that fits"
    if not unclean or column.wire != TEXT:
        return None
    flags = fetched.str.contains(_UNCLEAN).fill_null(value=False)
    return (column, flags, f"`{column.name}` holds bytes that are no text") if flags.any() else None


def _unfit(
    rows: pl.DataFrame, kept: Sequence[Column], odd: Column, flags: pl.Series, why: str
) -> pl.DataFrame:
    texts = {name: pl.col(name).cast(pl.String) for name in (column.name for column in kept)}
    shown = {name: text.str.replace_all(_UNCLEAN, "") for name, text in texts.items()}
    return rows.filter(flags).select(
        ROW,
        pl.lit(odd.name).alias(COLUMN),
        shown[odd.name].alias(VALUE),
        pl.lit(why).alias(REASON),
        *(text.alias(name) for name, text in shown.items()),
    )


def _fingerprint(batch: pl.DataFrame) -> int:
    """A sum over the rows, whatever their order."""
    return int(batch.hash_rows().sum() or 0) if batch.height else 0


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


def relation_of(source: DatabaseSource, opened: Session) -> str:
    """What the generated SELECT reads from: the quoted table, or the query in parentheses."""
    if source.query is not None:
        text = _checked(source.query, _dialect(source).grammar, f"source `{source.name}`")
        return f"(\n{text}\n) AS rapport"
    return _table(source, opened)


def _dialect(source: DatabaseSource) -> Dialect:
    return DIALECTS[_url(source).get_backend_name()]


def _table(source: DatabaseSource, opened: Session) -> str:
    name = source.relation or ""
    if opened.has_table(name):
        return opened.quoted(name)
    schema, _, table = name.partition(".")
    if table and opened.has_table(table, schema):
        return f"{opened.quoted(schema)}.{opened.quoted(table)}"
    known = opened.tables(schema if table else None)
    remedy = suggestion(table or name, known) or "Check `from:` and what the account may see"
    where = f"source `{source.name}`"
    raise SourceError(where, f"there is no table `{name}`", remedy)


def _checked(query: str, grammar: str, where: str) -> str:
    """The query without a closing semicolon. SourceError unless it is one statement that only reads."""
    remedy = "Write one SELECT under `query:`"
    try:
        parsed = sqlglot.parse(query, read=grammar)
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
    tokens = sqlglot.tokenize(query, read=grammar)
    ends = (token.start for token in tokens if token.token_type is TokenType.SEMICOLON)
    return query[: next(ends, None)].strip()


def _refuse_twins(names: Sequence[str], where: str) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1 and name != "*"]
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
    except BaseException as error:
        if not isinstance(error, _FAULTS) and type(error).__name__ != "PanicException":
            raise  # a panic of a driver in Rust is no Exception
        raised = getattr(error, "orig", None) or error
        text = redacted(_first_line(str(raised)), url)
        remedy, retryable = _advice(raised, text)
        raise SourceError(where, text, remedy, retryable=retryable) from None


_FAULTS: Final = (sa.exc.SQLAlchemyError, EngineError, OSError, ImportError, UnicodeError)
"""What drivers raise, besides panics."""


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
        "Read less, add an index, or give it longer: `timeout:`",
        False,
    ),
    (
        r"refused|could not connect|can't connect|not known|no route|timed out|closed|lost connection"
        r"|gone away|broken pipe|reset by peer|no connection to the server|consuming input",
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
    return "Check `connection:` and `query:`", False
