"""The command line: `rapport run | refresh | query | check | init | sources | demo | version`.

Exit codes: 0 fine, 1 a problem was found in what was asked or checked, 2 the command cannot run. Results go
to standard output, everything else to standard error. Each command imports what it needs when it runs, so
that `rapport version` waits for no data frames and only `run` loads Streamlit. The clock enters here.
"""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from dashboard.commands import terminal

Folder = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="Project folder; default: the shipped demo.")
]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help="Store folder; default: inside the project.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Commands(TyperGroup):
    """The commands, with one place where an error becomes a message and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer makes no other context
        """Run the command; a fault is told in its own words, without a traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):  # Typer's own; it prints them itself
            raise
        except Exception as error:
            raise typer.Exit(terminal.explained(error)) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def rapport() -> None:
    """Rapport joins what customers do with what they feel."""


@app.command()
def version(project: Folder = None, store: StoreFolder = None, as_json: Json = False) -> None:
    """Print the version of Rapport, and of the store that is served where one is named."""
    from dashboard.commands.version import print_version

    print_version(project, store, as_json=as_json)


@app.command()
def check(project: Folder = None, store: StoreFolder = None, as_json: Json = False) -> None:
    """Check rapport.yaml, sources.yaml and the metric definitions; print every problem at once."""
    from dashboard.commands.check import check as check_project

    check_project(project, as_json=as_json)


@app.command()
def sources(project: Folder = None, store: StoreFolder = None, as_json: Json = False) -> None:
    """List the sources with rows read, accepted, quarantined and filtered, and why."""
    from dashboard.commands.sources import print_sources

    print_sources(project, store, as_json=as_json)


def main() -> None:
    """The console script `rapport`."""
    # A pipe on Windows would otherwise not take every name of a customer.
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    app()
