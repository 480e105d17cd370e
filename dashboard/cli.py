"""The command line: `rapport run`, `refresh`, `query`, `check`, `snapshot`, `compare` and others.

Exit codes: 0 fine, 1 a problem was found in what was asked or checked, 2 the command cannot run. Results go
to standard output, everything else to standard error. Each command imports what it needs when it runs, so
that `rapport version` waits for no data frames and only `run` loads Streamlit. The clock enters here.
"""

import io
import sys
from datetime import UTC, datetime
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

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # narrower - Typer makes no other
        """Run the command; a fault is told in its own words, without a traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):  # Typer deals with these itself
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
def refresh(
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: refresh as often as `refresh.every` in rapport.yaml says.")
    ] = False,
) -> None:
    """Read every source and publish a new version; print what was read, accepted, set aside and why."""
    from dashboard.commands.refresh import refresh as refresh_project
    from dashboard.commands.watch import watch as watch_project

    if watch:
        watch_project(project, store, clock=_now)
        return
    refresh_project(project, store, as_json=as_json, now=_now())


@app.command()
def query(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of metrics.")],
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN|GRAIN", help="Split by a column or by week, month, quarter, year."),
    ] = None,
    where: Annotated[str | None, typer.Option(metavar="EXPR", help="Which customers or lines count.")] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only customers of this segment; of several, of any of them."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="First day: 2026-05-31, 2026-05, 2026-Q2, 2026."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day, written like --from.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DAY", help="Count what had happened by this day.")
    ] = None,
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Print figures by name, over all of history unless a window is given."""
    from dashboard.commands.query import Question
    from dashboard.commands.query import query as print_figures

    question = Question(names, tuple(by or ()), where, tuple(segment or ()), start, end, as_of)
    print_figures(project, store, question, as_json=as_json)


@app.command()
def check(
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0 for code hosts.")] = False,
    tests: Annotated[bool, typer.Option("--tests", help="Run the examples of the definitions too.")] = False,
) -> None:
    """Check the project's files and whether its sources fit them; print every problem at once."""
    from dashboard.commands.check import Form
    from dashboard.commands.check import check as check_project

    check_project(project, Form(as_json, as_sarif, tests), now=_now())


@app.command()
def schema(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder; default: schemas.")] = None,
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Write JSON Schemas with which an editor completes and explains the project's files."""
    from dashboard.commands.schema import write_schemas

    write_schemas(folder, as_json=as_json)


@app.command()
def sources(project: Folder = None, store: StoreFolder = None, as_json: Json = False) -> None:
    """List the sources with rows read, accepted, quarantined and filtered, and why."""
    from dashboard.commands.sources import print_sources

    print_sources(project, store, as_json=as_json)


@app.command()
def init(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of the new project.")] = None,
    sample: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="CSV, Parquet or Excel file to propose sources.yaml from."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the project; default: the folder's.")] = None,
    survey: Annotated[
        Path | None,
        typer.Option(
            "--survey",
            metavar="FILE",
            help="Draft an instrument from the headers of a survey's file.",
        ),
    ] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="Without a source: connect one on the page Connect.")
    ] = False,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of all amounts.")] = "USD",
    timezone: Annotated[str, typer.Option(help="Time zone in which days are cut.")] = "UTC",
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Write a project to start from, on an example or on a file of your own."""
    from dashboard.commands.starter import Start
    from dashboard.commands.starter import init as write_project
    from dashboard.commands.survey_draft import write_draft

    home = folder or project or Path()
    if survey is not None:
        write_draft(home, survey, as_json=as_json)
        return
    title = name or home.resolve().name
    write_project(Start(home, sample, title, currency, timezone, blank), as_json=as_json)


@app.command()
def snapshot(
    report: Annotated[
        str | None, typer.Option(metavar="NAME", help="A report of reports.yaml; default: executive.")
    ] = None,
    page: Annotated[list[str] | None, typer.Option(metavar="PAGE", help="Single pages instead.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write it here; it always stays in the project.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title; default: that of the report.")] = None,
    by: Annotated[str, typer.Option(help="Who makes it.")] = "",
    as_zip: Annotated[bool, typer.Option("--zip", help="One zip in DIR instead of a folder.")] = False,
    mail: Annotated[
        bool, typer.Option("--mail", help="Send it to the report's recipients (RAPPORT_SMTP_HOST ...).")
    ] = False,
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Keep pages as files that open anywhere: HTML, PDF, Excel, Parquet, with their definitions."""
    from dashboard.commands.snapshot import Order
    from dashboard.commands.snapshot import snapshot as make_snapshot

    order = Order(report, tuple(page or ()), out, title, by, as_zip, mail)
    make_snapshot(project, store, order, as_json=as_json, now=_now())


@app.command()
def snapshots(
    project: Folder = None,
    store: StoreFolder = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the hash of every file.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--prune", min=1, help="Delete all but the newest so many and those with a tag or note."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the snapshots of the project, the newest first."""
    from dashboard.commands.snapshot import list_snapshots

    list_snapshots(project, store, verify=verify, keep=keep, as_json=as_json, now=_now())


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="The older snapshot: its name, or a folder.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The newer one; `latest`, or `now`.")],
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")
    ] = None,
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Say which figures changed between two snapshots, by how much, and why."""
    from dashboard.commands.snapshot import compare as compare_snapshots

    compare_snapshots(project, store, (before, after), page=page, as_json=as_json, now=_now())


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project.")],
    customers: Annotated[int, typer.Option(min=1, help="Customers to generate.")] = 20_000,
    months: Annotated[int, typer.Option(min=1, help="Months of history.")] = 36,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another demo.")] = None,
    project: Folder = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Write a generated demo project of any size."""
    from dashboard.commands.demo import write_demo

    write_demo(folder, customers=customers, months=months, seed=seed, as_json=as_json)


@app.command()
def run(
    project: Folder = None,
    store: StoreFolder = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the dashboard.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser", help="Open it in a browser; default: where there is a screen."
        ),
    ] = None,
) -> None:
    """Open the dashboard, after a first refresh where nothing was loaded yet."""
    from dashboard.commands.run import run as run_dashboard

    run_dashboard(project, store, host=host, port=port, browser=browser, now=_now())


def _now() -> datetime:
    """The time of the command: the one place where the clock is read."""
    return datetime.now(UTC)  # noqa: TID251  # the clock enters here - and is passed down


def main() -> None:
    """The console script `rapport`."""
    # A pipe on Windows would otherwise not take every name of a customer.
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    app()
