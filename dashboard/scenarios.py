"""The named scenarios of a project, in its `scenarios.yaml`: read, kept and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from config.errors import ConfigError
from config.load import Loaded, open_document, read_many
from connectors.durable import replace_text
from metrics.equity_scenarios import Scenario

FILE_NAME: Final = "scenarios.yaml"
UNDER: Final = "scenarios"


def read_scenarios(folder: Path, unsaved: str | None = None) -> Loaded[Scenario]:
    """The scenarios of a project, in their order, and every problem of the file; none without a file.

    `unsaved` stands for the text of the file.
    """
    path = folder / FILE_NAME
    if unsaved is None and not path.is_file():
        return Loaded((), ())
    return read_many([path], Scenario, under=UNDER, unsaved=None if unsaved is None else {path: unsaved})


def as_yaml(scenario: Scenario) -> str:
    """The scenario as an item of the file's list, what it does not say left out."""
    told = scenario.model_dump(exclude_defaults=True)
    text = yaml.safe_dump([told], sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))


def keep(folder: Path, scenario: Scenario) -> None:
    """Add a scenario to the end of the file, which is written whole or not at all.

    Raises ConfigError when the file would not be whole with it (the name stands twice, the file is broken),
    OSError when the folder cannot be written.
    """
    path = folder / FILE_NAME
    text = open_document(path).text if path.is_file() else f"{UNDER}:\n"
    whole = (text if text.endswith("\n") else f"{text}\n") + as_yaml(scenario)
    _save(folder, whole)


def remove(folder: Path, name: str) -> None:
    """Take a scenario out of the file, its comments with it. Raises ConfigError or OSError as `keep` does."""
    found = next(each for each in read_scenarios(folder).items if each.value.name == name)
    lines = found.document.text.splitlines(keepends=True)
    first = found.document.place(found.at).line - 1
    later = [
        each.document.place(each.at).line - 1
        for each in read_scenarios(folder).items
        if each.document.place(each.at).line - 1 > first
    ]
    rest = "".join(lines[:first] + lines[min(later, default=len(lines)) :])
    if any(line.lstrip().startswith("- ") for line in rest.splitlines()):
        _save(folder, rest)
    else:
        (folder / FILE_NAME).unlink()


def _save(folder: Path, text: str) -> None:
    problems = read_scenarios(folder, text).problems
    if problems:
        raise ConfigError(problems)
    replace_text(folder / FILE_NAME, text)
