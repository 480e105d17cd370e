"""The metric definitions of a project: the shipped ones, and the project's own, which override and add."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import polars as pl

from config.errors import Problem
from config.load import Loaded, read_many
from connectors.sources import Sources
from connectors.store import Version
from metrics.catalog import ATTRIBUTES, DEFINITION, Catalog, Definition, catalog
from metrics.people import attribute_names
from metrics.selection import plain

UNDER: Final = "metrics"
"""The key that holds the list of definitions in every file."""


@dataclass(frozen=True)
class Definitions:
    """The catalogue to compute with, and every problem of the files that it was read from."""

    catalog: Catalog
    problems: tuple[Problem, ...]


def definitions(
    folder: Path, attributes: Mapping[str, pl.DataType], unsaved: Mapping[Path, str] | None = None
) -> Definitions:
    """The definitions of the project in a folder; a broken one is left out, with its problems.

    `attributes` are the customer columns that conditions may name, `unsaved` the texts of files that are
    still being edited.
    """
    shipped, own = (
        shipped_definitions(),
        read_many(own_files(folder), DEFINITION, under=UNDER, unsaved=unsaved),
    )
    compiled = catalog((*shipped.items, *own.items), {**ATTRIBUTES, **attributes})
    return Definitions(compiled, (*shipped.problems, *own.problems, *compiled.problems))


def shipped_definitions() -> Loaded[Definition]:
    """The definitions that come with the product, in the order of their files."""
    with as_file(files("config") / "metrics") as folder:
        return read_many(sorted(folder.glob("*.yaml")), DEFINITION, under=UNDER)


def own_files(folder: Path) -> list[Path]:
    """The definition files of a project, in the order in which they count."""
    return sorted((folder / "metrics").glob("*.yaml"))


def loaded_attributes(version: Version) -> Mapping[str, pl.DataType]:
    """The customer attributes of a version of the store, as conditions see them."""
    people = version.scan("customer_summary").head(0).collect()
    return plain({name: people.schema[name] for name in attribute_names(people)})


def mapped_attributes(sources: Sources) -> dict[str, pl.DataType]:
    """The attributes that `sources.yaml` promises, for a project that was not loaded yet."""
    tables = ("customers", "order_lines")
    return {name: pl.String() for source in sources.sources if source.table in tables for name in source.kept}
