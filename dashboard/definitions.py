"""The metric definitions of a project: the shipped ones, and the project's own, which override and add.

A definition that is broken where it stands is served as it last was: from the newest kept version of its file
in which it was whole, else as shipped. Its problems are told all the same.
"""

import re
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import polars as pl

from config.documents import Document
from config.errors import Problem
from config.load import Loaded, Located, open_document, read_many
from connectors.sources import Sources
from connectors.store import Version
from dashboard.editing.history import keep, versions
from metrics.catalog import ATTRIBUTES, DEFINITION, Catalog, Definition, catalog
from metrics.lint import warnings
from metrics.people import attribute_names
from metrics.selection import plain

UNDER: Final = "metrics"
"""The key that holds the list of definitions in every file."""

_UNKNOWN: Final = re.compile(r"unknown metric `(?P<name>\w+)`")

Texts = Mapping[Path, str]
"""Texts of files that are still being edited."""


@dataclass(frozen=True)
class Definitions:
    """The catalogue to compute with, and every problem of the files that it was read from.

    `located` says where each definition stands. `kept` are the metrics that are served as they last were,
    because what their file says now is broken.
    """

    catalog: Catalog
    problems: tuple[Problem, ...]
    located: Mapping[str, Located[Definition]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems for which a definition is not served as it stands."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @cached_property
    def digest(self) -> str:
        """A text that is the same for the same definitions."""
        texts = "\n".join(located.value.model_dump_json() for located in self.located.values())
        return blake2b(texts.encode(), digest_size=8).hexdigest()


def definitions(
    folder: Path, attributes: Mapping[str, pl.DataType], unsaved: Texts | None = None
) -> Definitions:
    """The definitions of the project in a folder; what is broken is told, and served as it last was.

    `attributes` are the customer columns that conditions may name, `unsaved` the texts of files that are
    still being edited.
    """
    columns = {**ATTRIBUTES, **attributes}
    shipped, own = shipped_definitions(), own_definitions(folder, unsaved)
    documents = (*shipped.items, *own.items)
    compiled = catalog(documents, columns)
    problems = (*shipped.problems, *own.problems, *compiled.problems)
    earlier = _earlier(folder, compiled, {**own_texts(folder), **(unsaved or {})}) if problems else {}
    problems = tuple(_explained(problem, earlier) for problem in problems)
    if any(earlier.values()):
        documents = _mended(documents, earlier, columns)
        compiled = catalog(documents, columns)
    located = {each.value.name: each for each in documents}
    problems = (*problems, *warnings(compiled, located))
    return Definitions(
        compiled, problems, located, frozenset(name for name, versions in earlier.items() if versions)
    )


def shipped_definitions() -> Loaded[Definition]:
    """The definitions that come with the product, in the order of their files."""
    with as_file(files("config") / "metrics") as folder:
        return read_many(sorted(folder.glob("*.yaml")), DEFINITION, under=UNDER)


def own_definitions(folder: Path, unsaved: Texts | None = None) -> Loaded[Definition]:
    """The definitions of a project alone, those of files that exist only as unsaved texts among them."""
    paths = sorted({*own_files(folder), *(unsaved or {})})
    return read_many(paths, DEFINITION, under=UNDER, unsaved=unsaved)


def own_files(folder: Path) -> list[Path]:
    """The definition files of a project, in the order in which they count."""
    return sorted((folder / UNDER).glob("*.yaml"))


def own_texts(folder: Path) -> dict[Path, str]:
    """The texts of the definition files of a project."""
    return {path: open_document(path).text for path in own_files(folder)}


def remember(folder: Path, found: Definitions) -> None:
    """Keep what the definition files of a project say, to be served when a later text is broken.

    Files with errors are passed over. A folder that cannot be written keeps nothing.
    """
    broken = {problem.path for problem in found.errors}
    for file in own_files(folder):
        if str(file) not in broken:
            with suppress(OSError):
                keep(file)


def _mended(
    documents: Sequence[Located[Definition]],
    earlier: Mapping[str, Sequence[Located[Definition]]],
    columns: Mapping[str, pl.DataType],
) -> tuple[Located[Definition], ...]:
    """The documents, with the broken ones as they were when they last compiled."""
    left = {name: list(versions) for name, versions in earlier.items() if versions}
    whole = [each for each in documents if each.value.name not in left]
    while True:
        mended = (*whole, *(versions[0] for versions in left.values()))
        broken = [name for name in catalog(mended, columns).broken if len(left.get(name, ())) > 1]
        if not broken:
            return mended
        for name in broken:
            left[name].pop(0)


def _earlier(folder: Path, compiled: Catalog, texts: Texts) -> dict[str, list[Located[Definition]]]:
    """What each broken definition of a project said before: the newest version first, shipped last."""
    broken = {name for name, problems in compiled.broken.items() if problems[0].rule != "broken-reference"}
    whole = {each.value.name for each in own_definitions(folder, texts).items} - broken
    shipped = shipped_definitions().items
    found: dict[str, list[Located[Definition]]] = {}
    for path, text in texts.items():
        kept = [
            read_many([path], DEFINITION, under=UNDER, unsaved={path: version.text}).items
            for version in versions(path)
        ]
        for name in _meant(open_document(path, text=text), kept) - whole:
            found[name] = [each for items in (*kept, shipped) for each in items if each.value.name == name]
    return found


def _explained(problem: Problem, broken: Container[str]) -> Problem:
    """The problem; a reference to a metric that could not be read is one to a broken, not an unknown one."""
    named = _UNKNOWN.fullmatch(problem.fault)
    if named is None or named["name"] not in broken:
        return problem
    fault = f"it refers to `{named['name']}`, which is broken"
    return replace(problem, fault=fault, remedy="Mend that one first", rule="broken-reference")


def _meant(document: Document, earlier: Sequence[Sequence[Located[Definition]]]) -> set[str]:
    """The names that a file defines, whole or broken; those it last defined when it cannot be read at all."""
    value = document.value
    listed = value.get(UNDER) if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return {each.value.name for each in next((items for items in earlier if items), ())}
    return {str(item["name"]) for item in listed if isinstance(item, dict) and "name" in item}


def loaded_attributes(version: Version) -> Mapping[str, pl.DataType]:
    """The customer attributes of a version of the store, as conditions see them."""
    people = version.scan("customer_summary").head(0).collect()
    return plain({name: people.schema[name] for name in attribute_names(people)})


def mapped_attributes(sources: Sources) -> dict[str, pl.DataType]:
    """The attributes that `sources.yaml` promises, for a project that was not loaded yet."""
    tables = ("customers", "order_lines")
    return {name: pl.String() for source in sources.sources if source.table in tables for name in source.kept}
