"""The terminal: results on standard output, everything said about them on standard error.

A table or JSON for the result, a progress bar where a person watches, one line for each problem. A traceback
never reaches the terminal: it goes to the log under an id, and the terminal names both.
"""

import json
import re
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import typer
from platformdirs import user_log_path
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

FINE: Final = 0
PROBLEM_FOUND: Final = 1
CANNOT_RUN: Final = 2

Report = Callable[[str, float | None], None]
"""Told what is being done and how much of it is done, 0 to 1; None where nobody knows."""

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]+@")
_WIDE = 200


class CannotRun(Exception):
    """A command that cannot do its work, in the words of the person who typed it."""


class ProblemFound(Exception):
    """A command that did its work and found something wrong with what it was asked."""


def say(text: str) -> None:
    """One line of explanation, on standard error."""
    typer.echo(text, err=True)


def show(text: str) -> None:
    """One line of the result, on standard output."""
    typer.echo(text)


def show_json(value: object) -> None:
    """The result for machines: decimals as text, so that no digit is lost, days and instants in ISO 8601."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def _plain(value: object) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime() | date():
            return value.isoformat()
        case Path():
            return value.as_posix()
        case _:
            message = f"{type(value).__name__} has no form in JSON"
            raise TypeError(message)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """The result for people; a column whose name starts with `>` is aligned to the right."""
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        table.add_row(*row)
    # A pipe has no width: never cut what a program or a file receives.
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False).print(table)


@contextmanager
def progress() -> Iterator[Report]:
    """A bar on standard error while something long runs; nothing where nobody watches."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done: bar.update(
            task, description=what, completed=done or 0, total=None if done is None else 1
        )


def explained(error: Exception) -> int:
    """Say on standard error what went wrong; the exit code that goes with it."""
    from config.errors import ConfigError, Fault
    from connectors.errors import SourceError
    from dashboard.mail import NotSent
    from dashboard.snapshots.errors import SnapshotError

    match error:
        case ProblemFound() | Fault():
            say(str(error))
            return PROBLEM_FOUND
        case CannotRun() | ConfigError() | SourceError() | SnapshotError() | NotSent():
            say(str(error))
        case _:
            number, log = logged(error)
            say(f"rapport: unexpected fault {number}. The details are in {log}")
    return CANNOT_RUN


def logged(error: Exception) -> tuple[str, Path]:
    """Write the details of a fault to the log, passwords left out; the id of the entry and the log's path."""
    number = uuid.uuid4().hex[:8]
    log = user_log_path("rapport", appauthor=False, ensure_exists=True) / "rapport.log"
    details = _PASSWORD.sub(r"\1:***@", "".join(traceback.format_exception(error)))
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{number} {' '.join(map(_argument, sys.argv[1:]))}\n{details}\n")
    return number, log


def _argument(argument: str) -> str:
    return _PASSWORD.sub(r"\1:***@", argument)
