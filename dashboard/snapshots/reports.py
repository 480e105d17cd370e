"""Reports: ordered sets of pages, defined in YAML; the shipped ones and those of the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from config.errors import unknown
from config.load import Loaded, Located, read_many
from config.model import one_of
from dashboard.pages import PAGES

FILE: Final = "reports.yaml"
UNDER: Final = "reports"


Address = Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$", max_length=254)]
"""An e-mail address, as far as a report needs to know."""


class ReportPage(BaseModel):
    """One page of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    page: Annotated[str, one_of("page", lambda: [page.path for page in PAGES if page.needs_data])] = Field(
        description="Address of the page, such as `overview`."
    )
    choices: Mapping[str, str | tuple[str, ...]] = Field(
        default_factory=dict,
        alias="with",
        description="What is chosen on the page, as in its address: `{region: East}`.",
    )

    @property
    def address(self) -> dict[str, tuple[str, ...]]:
        """The parameters of the address, each with its values."""
        return {
            name: (value,) if isinstance(value, str) else tuple(value) for name, value in self.choices.items()
        }


class Report(BaseModel):
    """A report: its pages in order, and who receives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)] = Field(
        description="What the report is called on the command line."
    )
    title: str = Field(min_length=1, max_length=120, description="The title on its first page.")
    description: str = Field("", description="What it is for.")
    pages: tuple[ReportPage, ...] = Field(min_length=1, description="Its pages in order.")
    recipients: tuple[Address, ...] = Field((), description="Who receives it with `rapport snapshot --mail`.")


def reports(folder: Path) -> Loaded[Report]:
    """The shipped reports and those of the project in a folder, which replace them by name."""
    with as_file(files("config") / FILE) as shipped:
        theirs = read_many([shipped], Report, under=UNDER)
    own_file = folder / FILE
    if not own_file.is_file():
        return theirs
    own = read_many([own_file], Report, under=UNDER)
    return Loaded(tuple(_merged(theirs.items, own.items)), (*theirs.problems, *own.problems))


def _merged(
    shipped: tuple[Located[Report], ...], own: tuple[Located[Report], ...]
) -> Iterator[Located[Report]]:
    named = {each.value.name: each for each in (*shipped, *own)}
    yield from named.values()


def report(folder: Path, name: str) -> Report:
    """The report of a name. Raises Fault for one that is not known."""
    known = {each.name: each for each in reports(folder).values}
    if name not in known:
        what = "report"
        raise unknown(what, name, known)
    return known[name]
