"""The questionnaires of a project: the shipped instruments, and the project's own, which override and add.

An own instrument that is broken is left out, also where one of its name is shipped: its answers would be read
by another form than the one that was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from config.errors import Problem
from config.load import Loaded, open_document, read_many
from metrics.instruments import Instrument

UNDER: Final = "instruments"
"""The key that holds the list of instruments in every file, and the folder of a project that holds them."""


@dataclass(frozen=True)
class Instruments:
    """The instruments by name, the shipped ones first, and every problem of the files of the project."""

    named: Mapping[str, Instrument]
    problems: tuple[Problem, ...]

    @cached_property
    def digest(self) -> str:
        """A text that is the same for the same instruments."""
        texts = "\n".join(each.model_dump_json() for each in self.named.values())
        return blake2b(texts.encode(), digest_size=8).hexdigest()


def instruments(folder: Path) -> Instruments:
    """The instruments of the project in a folder."""
    paths = instrument_files(folder)
    own = read_many(paths, Instrument, under=UNDER)
    named = {each.name: each for each in (*_shipped().values, *own.values)}
    good = {each.name for each in own.values}
    for name in {name for path in paths for name in _meant(path)} - good:
        named.pop(name, None)
    return Instruments(named, own.problems)


def instrument_files(folder: Path) -> list[Path]:
    """The instrument files of a project, in the order in which they count."""
    return sorted((folder / UNDER).glob("*.yaml"))


@lru_cache(maxsize=1)
def _shipped() -> Loaded[Instrument]:
    with as_file(files("config") / UNDER) as folder:
        return read_many(sorted(folder.glob("*.yaml")), Instrument, under=UNDER)


def _meant(path: Path) -> set[str]:
    """The names of the instruments that a file defines, whole or broken."""
    value = open_document(path).value
    listed = value.get(UNDER) if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return set()
    return {str(each["name"]) for each in listed if isinstance(each, dict) and "name" in each}
