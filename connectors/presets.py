"""Mappings for the exports of well-known systems, found by the columns that these have.

A preset is YAML alone (`config/presets`): a mapping to start from, written into `sources.yaml` where a person
sees and changes it. Nothing of it is consulted when a source is read.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import as_file, files
from typing import Annotated

from pydantic import Field

from config.errors import ConfigError
from config.load import read_many
from config.model import one_of
from connectors.kinds import ColumnMap, Filter, Mapped, Model
from connectors.tables import TABLES


class Preset(Model):
    """The export of one system and how it becomes one of our tables."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Its name.")
    label: str = Field(min_length=1, description="The name that people read.")
    found_by: tuple[str, ...] = Field(min_length=1, description="Columns that every such export has.")
    table: Annotated[str, one_of("table", lambda: TABLES)] = Field(
        description="Canonical table that it fills."
    )
    columns: Mapping[str, Mapped] = Field(description="Our columns, as in a source.")
    attributes: Mapping[str, str | ColumnMap] = Field(
        default_factory=dict, description="Further columns to keep, as in a source."
    )
    filters: tuple[Filter, ...] = Field((), description="Rows to leave out, as in a source.")
    notes: tuple[str, ...] = Field((), description="What a person should know of it.")


@cache
def presets() -> tuple[Preset, ...]:
    """The shipped presets, in the order of their files."""
    with as_file(files("config") / "presets") as folder:
        loaded = read_many(sorted(folder.glob("*.yaml")), Preset, under="presets")
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.values


def preset_of(columns: Iterable[str]) -> Preset | None:
    """The preset whose columns are all there; the one with most of them when several are."""
    there = set(columns)
    found = [preset for preset in presets() if there.issuperset(preset.found_by)]
    return max(found, key=lambda preset: len(preset.found_by), default=None)
