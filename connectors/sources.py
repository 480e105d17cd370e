"""The model of `sources.yaml`: where data comes from and how its columns become ours."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from zoneinfo import available_timezones

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlglot import exp

from config.errors import ConfigError, Fault, Location, Problem, suggestion
from config.expressions import ExpressionError, compile_expression
from config.load import Located, read_located
from config.model import one_of
from config.parsing import parse
from connectors.tables import DERIVED, TABLES, dtypes, required

FILE_NAME: Final = "sources.yaml"
ROW_NUMBER: Final = "row_number"
"""The word in `columns` that stands for the number of the row within its source."""

Constant: TypeAlias = int | float | bool
Timezone = Annotated[str, one_of("time zone", available_timezones, "Europe/Berlin")]
Mark = Literal[".", ","]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


def _checked_format(text: str) -> str:
    if text == "unix" or "%" in text:
        return text
    fault = f"`{text}` is no date format"
    raise Fault(fault, "Write one such as `%d/%m/%Y %H:%M`, or `unix`")


def _file_name(text: str) -> str:
    if re.fullmatch(r"\w[\w .-]*", text):
        return text
    fault = f"`{text}` cannot name a source"
    raise Fault(fault, "Use letters, digits, spaces and `_ - .`")


class ColumnMap(_Model):
    """How one of their columns becomes one of ours, where a name or an expression alone does not say it."""

    source: str = Field(alias="from", min_length=1, description="Their column, or an expression over them.")
    formats: tuple[Annotated[str, AfterValidator(_checked_format)], ...] = Field(
        (), description="Formats of dates and times, such as `%d/%m/%Y %H:%M`; every one that occurs."
    )
    timezone: Timezone | None = Field(
        None, description="Time zone of times without one; default: the source's."
    )
    values: Mapping[str, str | Constant | None] = Field(
        default_factory=dict, description="Their values and what each becomes: `{canceled: cancelled}`."
    )
    otherwise: Literal["keep", "null", "quarantine"] = Field(
        "keep", description="What becomes of a value that `values` does not list."
    )
    blanks: tuple[str, ...] = Field((), description="Further texts that mean an empty cell in this column.")
    decimal: Mark | None = Field(None, description="The decimal mark of this column; default: the source's.")
    type: Literal["text", "number", "date", "time", "flag"] | None = Field(
        None, description="Type of an attribute; default: text for text files, the column's own for others."
    )


Mapped: TypeAlias = str | Constant | ColumnMap


class Join(_Model):
    """Another source whose columns are set beside this one's."""

    source: str = Field(min_length=1, description="Name of the other source.")
    on: str | tuple[str, ...] | Mapping[str, str] = Field(
        description="The column that both have, a list of them, or `{ours: theirs}`."
    )
    how: Literal["inner", "left"] = Field(
        "inner", description="inner: rows without a match are filtered and counted; left: they stay."
    )
    reason: str = Field("", description="Name under which the unmatched rows of this source are counted.")
    many: bool = Field(
        False, description="Whether a row may meet several of the other source; then it counts once for each."
    )

    @property
    def keys(self) -> Mapping[str, str]:
        """Columns of the rows so far and the columns of the other source that they must equal."""
        if isinstance(self.on, Mapping):
            return self.on
        return {name: name for name in ([self.on] if isinstance(self.on, str) else self.on)}


class Filter(_Model):
    """Rows to leave out, under a name that is counted."""

    drop: str = Field(min_length=1, description="Condition of the rows to leave out, over their columns.")
    reason: str = Field(min_length=1, description="Name under which these rows are counted.")


class _Source(_Model):
    """What every kind of source has."""

    name: Annotated[str, AfterValidator(_file_name)] = Field(
        min_length=1, description="Name of the source, unique in the file."
    )
    table: Annotated[str, one_of("table", lambda: TABLES)] = Field(
        "", description="Canonical table that it fills; empty for one that is only joined."
    )
    timezone: Timezone | None = Field(
        None, description="Time zone of times without one; default: the project's."
    )
    joins: tuple[Join, ...] = Field((), description="Other sources whose columns are set beside this one's.")
    columns: Mapping[str, Mapped] = Field(
        default_factory=dict, description="Our columns: their column, an expression, a constant, or a map."
    )
    attributes: tuple[str, ...] | Mapping[str, str | ColumnMap] = Field(
        (), description="Further columns to keep as dimensions: a list, or `{our name: theirs}`."
    )
    filters: tuple[Filter, ...] = Field((), description="Rows to leave out, each kind with a reason.")
    duplicates: Literal["keep", "merge"] = Field(
        "keep", description="merge: rows that are equal in every column count once."
    )
    blanks: tuple[str, ...] = Field((), description="Texts that mean an empty cell, besides nothing at all.")
    decimal: Mark | None = Field(None, description="The decimal mark; detected when not said.")
    thousands: Literal[".", ",", " ", "'", ""] | None = Field(
        None, description="The mark between thousands; default: whatever the decimal mark leaves."
    )

    @property
    def kept(self) -> Mapping[str, str | ColumnMap]:
        """Attributes: our names and what each is made of."""
        if isinstance(self.attributes, Mapping):
            return self.attributes
        return {name: name for name in self.attributes}


class _FileSource(_Source):
    location: str | tuple[str, ...] = Field(
        description="Path, glob or list of them, relative to the project folder."
    )


class _TextSource(_FileSource):
    encoding: str | None = Field(None, description="Encoding; UTF-8 and cp1252 are detected, others named.")
    header: tuple[str, ...] = Field((), description="Names of the columns of a file without a header.")
    skip_rows: int = Field(0, ge=0, description="Lines to pass over before the header.")

    @model_validator(mode="after")
    def _names_differ(self) -> "_TextSource":
        twice = [name for at, name in enumerate(self.header) if name in self.header[:at]]
        if twice:
            fault = f"two columns are named `{twice[0]}`"
            raise Fault(fault, "Rename one of the two", at=("header",))
        return self


class CsvSource(_TextSource):
    """Text with a delimiter: CSV, TSV and their kin."""

    kind: Literal["csv"] = Field(description="Text with a delimiter between the columns.")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="The delimiter; `,` `;` `|` and tab are detected."
    )


class TextSource(_TextSource):
    """Text whose columns are separated by white space, without a header."""

    kind: Literal["text"] = Field(description="Text with white space between the columns, without a header.")
    header: tuple[str, ...] = Field(min_length=1, description="Names of the columns, in order.")


class ParquetSource(_FileSource):
    """Apache Parquet."""

    kind: Literal["parquet"] = Field(description="Apache Parquet.")


class ExcelSource(_FileSource):
    """A sheet of a workbook."""

    kind: Literal["excel"] = Field(description="A sheet of an Excel workbook.")
    sheet: str | None = Field(None, description="Name of the sheet; default: the first.")
    header: tuple[str, ...] = Field((), description="Names of the columns of a sheet without a header.")
    skip_rows: int = Field(0, ge=0, description="Rows to pass over before the header.")


class DatabaseSource(_Source):
    """A table or a query of a database, read only."""

    kind: Literal["database"] = Field(description="A table or a query of a database.")
    connection: str = Field(min_length=1, description="Address of the database, as `${NAME}`.")
    relation: str | None = Field(None, alias="from", description="The table to read: `schema.table`.")
    query: str | None = Field(None, description="A SELECT to read instead of a table.")
    timeout: float = Field(
        60, gt=0, le=86_400, description="Seconds after which the server ends a statement."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "DatabaseSource":
        if (self.relation is None) == (self.query is None):
            fault = "a database source needs `from:` or `query:`, one of the two"
            raise Fault(fault, "Keep one")
        return self


FileSource: TypeAlias = CsvSource | TextSource | ParquetSource | ExcelSource
Source: TypeAlias = Annotated[FileSource | DatabaseSource, Field(discriminator="kind")]


class Sources(_Model):
    """All sources of a project."""

    sources: tuple[Source, ...] = Field(min_length=1, description="The sources, in any order.")

    def named(self, name: str) -> Source:
        """The source of that name; KeyError when there is none."""
        return {source.name: source for source in self.sources}[name]


def find_sources(folder: Path) -> Sources:
    """The sources of a project folder. Raises ConfigError with every problem of its `sources.yaml`."""
    return read_sources(folder / FILE_NAME)


def read_sources(path: Path, *, environ: Mapping[str, str] = os.environ) -> Sources:
    """The sources in a file; see `locate_sources`."""
    return locate_sources(path, environ=environ).value


def locate_sources(path: Path, *, environ: Mapping[str, str] = os.environ) -> Located[Sources]:
    """The sources in a file with their places.

    Raises ConfigError with every problem in it, those across sources included. `environ` holds what `${NAME}`
    may name.
    """
    located = read_located(path, Sources, environ=environ)
    problems = tuple(_problems(located))
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return located


def _problems(located: Located[Sources]) -> Iterator[Problem]:
    sources = located.value.sources
    for at, source in enumerate(sources):
        here: Location = ("sources", at)
        yield from _name_problems(located, here, sources, at)
        yield from _table_problems(located, here, source)
        yield from _join_problems(located, here, source, [other.name for other in sources])
        yield from _use_problems(located, here, source, sources)
        yield from _filter_problems(located, here, source)


def _name_problems(
    located: Located[Sources], here: Location, sources: tuple[Source, ...], at: int
) -> Iterator[Problem]:
    name = sources[at].name
    if name in [source.name for source in sources[:at]]:
        fault = f"two sources are named `{name}`"
        yield located.problem((*here, "name"), fault, "Rename one of the two", rule="duplicate-name")


def _table_problems(located: Located[Sources], here: Location, source: Source) -> Iterator[Problem]:
    if not source.table:
        return
    ours, derived = dtypes(source.table), DERIVED.get(source.table, ())
    for name in source.columns:
        if name not in ours or name in derived:
            yield _unknown_column(located, (*here, "columns", name), source.table, name)
    for name in source.kept:
        if name in ours:
            remedy = "Map it under `columns:`" if name not in derived else "Choose another name"
            fault = f"`{name}` is a column of `{source.table}`, not an attribute"
            yield located.problem((*here, "attributes"), fault, remedy, rule="attribute")
    missing = [name for name in required(source.table) if name not in source.columns]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        fault = f"`{source.table}` needs {listed}"
        yield located.problem(
            (*here, "columns"), fault, "Map each to a column", rule="missing-column", key=True
        )


def _unknown_column(located: Located[Sources], at: Location, table: str, name: str) -> Problem:
    if name in DERIVED.get(table, ()):
        fault, remedy = f"`{name}` is filled in by the refresh", "Leave it out"
    else:
        known = [column for column in dtypes(table) if column not in DERIVED.get(table, ())]
        fault = f"`{table}` has no column `{name}`"
        remedy = f"{suggestion(name, known)} To keep it as a dimension, list it under `attributes:`"
    return located.problem(at, fault, remedy, rule="unknown-column", key=True)


def _join_problems(
    located: Located[Sources], here: Location, source: Source, names: list[str]
) -> Iterator[Problem]:
    for at, join in enumerate(source.joins):
        place = (*here, "joins", at, "source")
        if join.source not in names:
            others = [name for name in names if name != source.name]
            fault = f"unknown source `{join.source}`"
            yield located.problem(place, fault, suggestion(join.source, others), rule="unknown-source")
        if join.source == source.name:
            yield located.problem(place, "a source cannot be joined to itself", "Name another", rule="join")
        if not join.keys:
            yield located.problem((*place[:-1], "on"), "a join needs a column", "Name one", rule="join")


def _use_problems(
    located: Located[Sources], here: Location, source: Source, sources: tuple[Source, ...]
) -> Iterator[Problem]:
    if source.table:
        return
    if source.columns:
        fault = "`columns:` without a `table:` to fill"
        yield located.problem((*here, "columns"), fault, "Name the table", rule="missing-key", key=True)
    elif source.name not in {join.source for other in sources for join in other.joins}:
        fault = f"`{source.name}` fills no table and no source joins it"
        yield located.problem(here, fault, "Add `table:` and `columns:`", rule="unused")


def _filter_problems(located: Located[Sources], here: Location, source: Source) -> Iterator[Problem]:
    """Conditions that no column could make right; whether the columns exist shows when the source is read."""
    for at, one in enumerate(source.filters):
        try:
            tree, _ = parse(one.drop)
            names = {column.name for column in tree.find_all(exp.Column)}
            compile_expression(one.drop, dict.fromkeys(names, pl.Unknown()), kind="condition")
        except ExpressionError as error:
            yield located.blame((*here, "filters", at, "drop"), error)
