"""`rapport check`: every problem of every file of a project, found by the loader that the pages use."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from config.errors import ConfigError, Problem
from config.model import find_project
from connectors.sources import find_sources
from dashboard.commands.opening import opened
from dashboard.commands.terminal import CannotRun, ProblemFound, say, show, show_json
from dashboard.definitions import definitions, mapped_attributes
from dashboard.workspace import project_folder

T = TypeVar("T")


def check(project: Path | None, *, as_json: bool) -> None:
    """Print the problems of a project. Raises ProblemFound when one of them is an error."""
    folder = project_folder(project) or opened(None, None).folder
    if not folder.is_dir():
        message = f"project `{folder}`: there is no such folder. Write one with `rapport init {folder}`"
        raise CannotRun(message)
    problems = tuple(problems_of(folder))
    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        show_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            show(f"{problem.severity}: {problem.render()}")
        if not problems:
            say(f"project `{folder}`: no problems")
    if errors:
        message = f"project `{folder}`: {errors} {'error' if errors == 1 else 'errors'}"
        raise ProblemFound(message)


def problems_of(folder: Path) -> Iterator[Problem]:
    """Every problem of rapport.yaml, sources.yaml and the metric definitions, file by file."""
    yield from _found(find_project, folder)[1]
    sources, problems = _found(find_sources, folder)
    yield from problems
    yield from definitions(folder, mapped_attributes(sources) if sources else {}).problems


def _found(read: Callable[[Path], T], folder: Path) -> tuple[T | None, tuple[Problem, ...]]:
    try:
        return read(folder), ()
    except ConfigError as error:
        return None, error.problems
