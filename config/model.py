"""The project: what `rapport.yaml` says."""

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from babel.localedata import locale_identifiers
from babel.numbers import list_currencies
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.errors import Fault, unknown
from config.load import read

FILE_NAME = "rapport.yaml"
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def one_of(what: str, known: Callable[[], Iterable[str]], example: str = "") -> AfterValidator:
    """Check that a text is one of the known words; the fault names the nearest of them."""

    def check(word: str) -> str:
        words = set(known())
        if word not in words:
            raise unknown(what, word, sorted(words), example=example)
        return word

    return AfterValidator(check)


class Access(BaseModel):
    """Who may see what of a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    personal_fields: Literal["masked", "shown"] = Field(
        "masked", description="Whether names, e-mail addresses and other personal fields are masked or shown."
    )
    respondents: bool = Field(
        True, description="Whether a figure of a survey opens the customers who gave the answers."
    )
    verbatims: bool = Field(True, description="Whether the words that people wrote in surveys are shown.")


_LENGTH = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?")


def _checked_length(text: str) -> str:
    if _LENGTH.fullmatch(text):
        return text
    fault = f"`{text}` is no length of time"
    raise Fault(fault, "Write one such as `1 day` or `6 hours`")


Length = Annotated[str, AfterValidator(_checked_length)]


def length_of(text: str) -> timedelta:
    """A length of time in words.

    >>> length_of("6 hours")
    datetime.timedelta(seconds=21600)
    """
    count, unit = re.findall(_LENGTH, text)[0]
    return timedelta(**{f"{unit}s": int(count)})


class Refreshing(BaseModel):
    """How often the data are refreshed, and when they are late."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Length = Field(
        "1 day", description="How often `rapport refresh --watch` refreshes, such as `1 day` or `6 hours`."
    )
    late_after: Length = Field(
        "2 days", description="How long after the last look at the sources the data count as late."
    )
    keep: int = Field(5, ge=1, description="How many versions are kept, besides pinned ones.")

    @property
    def interval(self) -> timedelta:
        """How often to refresh."""
        return length_of(self.every)

    @property
    def patience(self) -> timedelta:
        """When data are late."""
        return length_of(self.late_after)


class Snapshots(BaseModel):
    """How many snapshots stay when the others are deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: int = Field(
        50, ge=1, description="How many of the newest stay, besides those with a tag or a note."
    )


class Project(BaseModel):
    """A project: its name, its money, its calendar and where it keeps its store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Name of the project, shown on every page.")
    currency: Annotated[str, one_of("currency", list_currencies, "EUR")] = Field(
        description="Currency of every amount: its ISO 4217 code, such as EUR."
    )
    timezone: Annotated[str, one_of("time zone", available_timezones, "Europe/Berlin")] = Field(
        "UTC", description="Time zone in which days, weeks and months are cut, such as Europe/Berlin."
    )
    locale: Annotated[str, one_of("locale", locale_identifiers, "de_DE")] = Field(
        "en_US", description="How numbers, dates and amounts are written, such as en_US or de_DE."
    )
    week_start: Weekday = Field("monday", description="The first day of a week.")
    fiscal_year_start: int = Field(1, ge=1, le=12, description="The first month of the fiscal year, 1 to 12.")
    as_of: Literal["last_day"] | date = Field(
        "last_day",
        description="Day up to which figures count: a date, or `last_day` for the last complete day.",
    )
    engine: Literal["polars", "duckdb", "spark"] = Field(
        "polars", description="What computes the heavy aggregates."
    )
    store: str = Field("store", min_length=1, description="Folder of the store, relative to the project.")
    min_n: int = Field(5, ge=1, description="Figures over fewer people or rows than this are not shown.")
    refresh: Refreshing = Field(Refreshing(), description="How often the data are refreshed.")
    snapshots: Snapshots = Field(Snapshots(), description="How many snapshots stay.")
    access: Access = Field(Access(), description="What of a person the pages show.")


def find_project(folder: Path) -> Project:
    """The project in a folder. Raises ConfigError with every problem of its `rapport.yaml`."""
    return read(folder / FILE_NAME, Project)
