"""The model of `sources.yaml`: where data comes from and how its columns become ours."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import polars as pl
from pydantic import Field
from sqlglot import exp

from config.errors import ConfigError, Location, Problem, suggestion
from config.expressions import ExpressionError, compile_expression
from config.load import Located, read_located
from config.parsing import parse
from connectors.kinds import Model, Source
from connectors.tables import DERIVED, dtypes, required

FILE_NAME: Final = "sources.yaml"


class Sources(Model):
    """All sources of a project."""

    sources: tuple[Source, ...] = Field(min_length=1, description="The sources, in any order.")

    apart: tuple[tuple[str, str], ...] = Field(
        (),
        description="Pairs of ids, each as `system:id`, that are not one customer whatever keys say.",
    )

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
        yield from _identity_problems(located, here, source, sources)
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


def _identity_problems(
    located: Located[Sources], here: Location, source: Source, sources: tuple[Source, ...]
) -> Iterator[Problem]:
    """Keys of a kind that is not known, and keys of customers whose system is not named."""
    known = ["email", "phone", *(other.system for other in sources if other.system)]
    for kind in source.identity:
        if kind not in known:
            fault = f"`{kind}` is no kind of key and no system"
            place = (*here, "identity", kind)
            yield located.problem(place, fault, suggestion(kind, known), rule="identity", key=True)
    if source.identity and not source.system:
        fault, remedy = "`identity:` without a `system:`", "Name the system whose ids these are"
        yield located.problem((*here, "identity"), fault, remedy, rule="identity", key=True)


def _filter_problems(located: Located[Sources], here: Location, source: Source) -> Iterator[Problem]:
    """Conditions that no column could make right; whether the columns exist shows when the source is read."""
    for at, one in enumerate(source.filters):
        try:
            tree, _ = parse(one.drop)
            names = {column.name for column in tree.find_all(exp.Column)}
            compile_expression(one.drop, dict.fromkeys(names, pl.Unknown()), kind="condition")
        except ExpressionError as error:
            yield located.blame((*here, "filters", at, "drop"), error)
