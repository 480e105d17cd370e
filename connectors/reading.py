"""One column of a source as values of one of our types, in the way that the source writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import polars as pl

from config.model import Project
from connectors import values
from connectors.dates import Dates, moments
from connectors.detection import UNKNOWN, Sample
from connectors.errors import SourceError
from connectors.kinds import ColumnMap, Source
from connectors.raw import Raw
from connectors.steps import Let
from connectors.values import Conventions, Parsed

INSTANT: Final = pl.Datetime("us", "UTC")

TYPES: Final[Mapping[str, pl.DataType]] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "date": pl.Date(),
    "time": INSTANT,
    "flag": pl.Boolean(),
}


@dataclass(frozen=True)
class Target:
    """What a cell is to become: a type, and whether it is an id; `exact` keeps six decimals of a number."""

    dtype: pl.DataType
    id: bool = False
    exact: bool = False

    @property
    def number(self) -> bool:
        """Whether it holds numbers."""
        return self.dtype.is_numeric()

    @property
    def temporal(self) -> bool:
        """Whether it holds days or instants."""
        return self.dtype.is_temporal()


def theirs(name: str) -> str:
    """What one of their columns is called beside its value within expressions."""
    return f"theirs:{name}"


PLAIN: Final = ColumnMap.model_validate({"from": "-"})
"""How a column is read of which nothing is said."""


@dataclass(frozen=True)
class Reader:
    """Reads the columns of one source.

    `numeric` names the text columns that are read as numbers: the decimal mark is found in them. `notes`
    takes what was found out.
    """

    raw: Raw
    source: Source
    project: Project
    let: Let
    numeric: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    def cell(self, name: str, target: Target, how: ColumnMap = PLAIN) -> Parsed:
        """Their column `name` as ours. Raises SourceError when its form cannot be told."""
        self._refuse_unclear(name)
        return self._value(pl.col(theirs(name)), self.raw.columns[name], target, name, how)

    def computed(
        self, expr: pl.Expr, dtype: pl.DataType, target: Target, subject: str, how: ColumnMap = PLAIN
    ) -> Parsed:
        """The values of an expression as one of our columns, which `subject` names."""
        return self._value(expr, dtype, target, subject, how)

    def _refuse_unclear(self, name: str) -> None:
        if name in self.raw.twice:
            fault = f"two columns are named `{name}`"
            raise SourceError(
                self._where, fault, "Rename one of them in the file, or name all under `header:`"
            )
        if name in self.raw.lacking:
            files = ", ".join(f"`{path}`" for path in self.raw.lacking[name][:3])
            raise SourceError(
                self._where, f"there is no column `{name}` in {files}", "Give every file the same columns"
            )

    @property
    def _where(self) -> str:
        return f"source `{self.source.name}`"

    def _value(
        self, column: pl.Expr, dtype: pl.DataType, target: Target, subject: str, how: ColumnMap
    ) -> Parsed:
        blanks = (*self._origin(subject).blanks, *how.blanks)
        if dtype.is_float() and "nan" in (blank.lower() for blank in blanks):
            column = self.let(column.fill_nan(None))
        if how.values:
            text = values.words(self.let, column, dtype, blanks)
            first = values.translated(text, how.values, how.otherwise, subject)
            return first.then(self._typed(first.expr, pl.String(), target, subject, how, ()))
        return self._typed(column, dtype, target, subject, how, blanks)

    def _typed(
        self,
        column: pl.Expr,
        dtype: pl.DataType,
        target: Target,
        subject: str,
        how: ColumnMap,
        blanks: tuple[str, ...],
    ) -> Parsed:
        if target.id:
            return values.ids(self.let, column, dtype, subject, blanks)
        if target.number:
            return self._number(column, dtype, target, subject, self._conventions(subject, how, blanks))
        if target.temporal:
            return self._moment(column, dtype, target, subject, how, blanks)
        if target.dtype == pl.Boolean:
            return values.flags(self.let, column, dtype, subject, blanks)
        text = values.words(self.let, column, dtype, blanks)
        if isinstance(target.dtype, pl.Enum):
            return values.choices(self.let, text, target.dtype.categories.to_list(), subject)
        return Parsed(text)

    def _number(
        self, column: pl.Expr, dtype: pl.DataType, target: Target, subject: str, written: Conventions
    ) -> Parsed:
        if target.exact:
            number = values.numbers(self.let, column, dtype, subject, written)
            return number.then(Parsed(number.expr.round(6, mode="half_away_from_zero").cast(values.EXACT)))
        if dtype == pl.Float64 and target.dtype.is_float():
            odd = (f"`{subject}` is not a number", ~column.is_finite())
            return Parsed(column.cast(pl.Float64), (odd,))
        number = values.numbers(self.let, column, dtype, subject, written)
        if target.dtype.is_decimal():
            return values.money(self.let, number, subject)
        return number.then(Parsed(number.expr.cast(target.dtype, strict=False)))

    def _moment(
        self,
        column: pl.Expr,
        dtype: pl.DataType,
        target: Target,
        subject: str,
        how: ColumnMap,
        blanks: tuple[str, ...],
    ) -> Parsed:
        text = column if dtype.is_temporal() else values.words(self.let, column, dtype, blanks)
        plain = dtype if dtype.is_temporal() else pl.String()
        found = moments(self.let, text, plain, subject, self._dates(subject, dtype, how, blanks))
        return found.days if target.dtype == pl.Date else found.instants

    def _dates(self, name: str, dtype: pl.DataType, how: ColumnMap, blanks: tuple[str, ...]) -> Dates:
        formats = how.formats
        if not formats and not dtype.is_temporal():
            formats = self._found_formats(name, blanks)
        timezone = how.timezone or self._origin(name).timezone or self.project.timezone
        return Dates(formats, timezone, self.project.timezone)

    def _found_formats(self, name: str, blanks: tuple[str, ...]) -> tuple[str, ...]:
        if name not in self.raw.columns:
            return UNKNOWN
        formats = self._sample.formats(name, blanks)
        self.notes.append(f"`{name}`: dates read as {Dates(formats).shown}")
        return formats

    def _conventions(self, name: str, how: ColumnMap, blanks: tuple[str, ...]) -> Conventions:
        origin = self._origin(name)
        decimal = how.decimal or origin.decimal or self._mark(name)
        return Conventions(blanks, decimal, origin.thousands, self.project.currency, self.project.locale)

    def _mark(self, name: str) -> str:
        """The decimal mark that the number columns of the same origin show."""
        if self.raw.columns.get(name) != pl.String:
            return "."
        return self._marks.get(self._origin(name).name) or "."

    @cached_property
    def _marks(self) -> dict[str, str]:
        unsaid = sorted(name for name in self.numeric if self._origin(name).decimal is None)
        origins: dict[str, list[str]] = {self._origin(name).name: [] for name in unsaid}
        for name in unsaid:
            origins[self._origin(name).name].append(name)
        marks = {origin: self._sample.decimal(names) for origin, names in origins.items()}
        self.notes.extend(f"{origin}: decimal mark `{mark}`" for origin, mark in marks.items())
        return marks

    @cached_property
    def _sample(self) -> Sample:
        return Sample(self.raw)

    def _origin(self, name: str) -> Source:
        """The source that a column comes from: another one for a joined column."""
        return self.raw.origins.get(name, self.source)
