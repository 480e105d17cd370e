"""What one source in `sources.yaml` may say: where it lies, how its columns become ours."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, TypeAlias
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.errors import Fault
from config.model import Length, length_of, one_of
from connectors.tables import SURVEY_PARTS, TABLES

ROW_NUMBER: Final = "row_number"
"""The word in `columns` that stands for the number of the row within its source."""

Constant: TypeAlias = int | float | bool
Timezone = Annotated[str, one_of("time zone", available_timezones, "Europe/Berlin")]
Mark = Literal[".", ","]


class Model(BaseModel):
    """A strict, immutable part of `sources.yaml`."""

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


class ColumnMap(Model):
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


class Join(Model):
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


class Filter(Model):
    """Rows to leave out, under a name that is counted."""

    drop: str = Field(min_length=1, description="Condition of the rows to leave out, over their columns.")
    reason: str = Field(min_length=1, description="Name under which these rows are counted.")


class _Source(Model):
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
    system: str | None = Field(
        None, pattern=r"^\w+$", description="The system whose customer ids it holds, where there are several."
    )
    identity: Mapping[str, str] = Field(
        default_factory=dict,
        description="Keys by which its customers are known elsewhere: `email`, `phone` or another system's "
        "name, and the column of each.",
    )
    drift: Literal["report", "stop"] = Field(
        "report", description="What happens when its columns change: it is told, or nothing is published."
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


class EncodedSource(_FileSource):
    """Text in some encoding."""

    encoding: str | None = Field(None, description="Encoding; UTF-8 and cp1252 are detected, others named.")
    skip_rows: int = Field(0, ge=0, description="Lines to pass over before the header.")


class _TextSource(EncodedSource):
    header: tuple[str, ...] = Field((), description="Names of the columns of a file without a header.")

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


class FixedSource(EncodedSource):
    """Text whose columns have fixed widths."""

    kind: Literal["fixed"] = Field(description="Text whose columns have fixed widths, without a header.")
    widths: Mapping[str, Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="Names of the columns in order, each with its number of characters."
    )


class JsonSource(EncodedSource):
    """One JSON object a line."""

    kind: Literal["jsonl"] = Field(description="JSON lines: one object a line; `a.b` is a field within `a`.")


class ParquetSource(_FileSource):
    """Apache Parquet."""

    kind: Literal["parquet"] = Field(description="Apache Parquet.")


class ExcelSource(_FileSource):
    """A sheet of a workbook."""

    kind: Literal["excel"] = Field(description="A sheet of an Excel workbook.")
    sheet: str | None = Field(None, description="Name of the sheet; default: the first.")
    header: tuple[str, ...] = Field((), description="Names of the columns of a sheet without a header.")
    skip_rows: int = Field(0, ge=0, description="Rows to pass over before the header.")


class Increment(Model):
    """How a source is read without reading all of it."""

    watermark: str = Field(min_length=1, description="The column that grows whenever a row changes.")
    key: str | tuple[str, ...] = Field(description="The column, or columns, that name a row.")
    look_back: Length = Field(
        "3 days", description="How far before the newest watermark rows are read again."
    )
    compare_keys: Length = Field(
        "7 days", description="After which time all keys are compared, which finds deleted rows."
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that name a row."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def window(self) -> timedelta:
        """How far to look back."""
        return length_of(self.look_back)

    @property
    def interval(self) -> timedelta:
        """How often keys are compared."""
        return length_of(self.compare_keys)


class DatabaseSource(_Source):
    """A table or a query of a database, read only."""

    kind: Literal["database"] = Field(description="A table or a query of a database.")
    connection: str = Field(min_length=1, description="Address of the database, as `${NAME}`.")
    relation: str | None = Field(None, alias="from", description="The table to read: `schema.table`.")
    query: str | None = Field(None, description="A SELECT to read instead of a table.")
    timeout: float = Field(
        60, gt=0, le=86_400, description="Seconds after which the server ends a statement."
    )
    incremental: Increment | None = Field(
        None, description="How to read what changed alone; default: everything, every time."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "DatabaseSource":
        if (self.relation is None) == (self.query is None):
            fault = "a database source needs `from:` or `query:`, one of the two"
            raise Fault(fault, "Keep one")
        return self


class Answers(Model):
    """Some columns of a survey export, and the items that were answered in them."""

    columns: str = Field(
        min_length=1, description="Name of the columns with `{item}` where the item stands: `Q1_{item}`."
    )
    item: str = Field("{item}", description="Code of the item, such as `T{item}`; default: `{item}`.")
    part: Literal[*SURVEY_PARTS] = Field("score", description="Which side of the item was asked.")  # type: ignore[valid-type]  # the tuple is a constant
    kind: Literal["scale", "ticked", "listed"] = Field(
        "scale",
        description="scale: one answer; ticked: a column for each choice, filled where chosen; listed: the "
        "choices in one cell.",
    )
    separator: str = Field(",", min_length=1, description="What stands between listed choices.")
    values: Mapping[str, str | Constant | None] = Field(
        default_factory=dict, description="Answers in words and the code of each: `{Very good: 5}`."
    )


SURVEY_COLUMNS: Final = {
    "response_id": "response",
    "item": "item",
    "part": "part",
    "answered_at": "answered",
    "instrument": "instrument",
    "score": "score",
}
"""What a survey's columns are, unless the source says otherwise."""


class SurveySource(EncodedSource):
    """The export of a survey tool: a row a response, made into a row an answer."""

    kind: Literal["survey"] = Field(description="The export of a survey tool, one row a response.")
    format: Literal["qualtrics", "surveymonkey", "limesurvey", "google_forms", "typeform", "spss"] = Field(
        description="The tool that wrote it."
    )
    instrument: str = Field(min_length=1, description="Name of the instrument that was asked.")
    answers: tuple[Answers, ...] = Field(min_length=1, description="Which columns answer which items.")
    response: str | None = Field(None, description="Column that names a response; default: the tool's own.")
    answered: str | None = Field(
        None, description="Column with the time of the answers; default: the tool's own."
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="The delimiter; `,` `;` `|` and tab are detected."
    )
    sheet: str | None = Field(None, description="Name of the sheet of a workbook; default: the first.")

    @model_validator(mode="before")
    @classmethod
    def _fills_the_survey(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        columns = given.get("columns", {})
        filled = {"columns": {**SURVEY_COLUMNS, **columns}} if isinstance(columns, dict) else {}
        return {"table": "survey_answers", **given, **filled}


FileSource: TypeAlias = (
    CsvSource | TextSource | FixedSource | JsonSource | ParquetSource | ExcelSource | SurveySource
)
Source: TypeAlias = Annotated[FileSource | DatabaseSource, Field(discriminator="kind")]
