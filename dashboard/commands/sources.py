"""`rapport sources`, and the table of what a refresh read that `rapport refresh` prints too."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.store import SourceReport, Version
from dashboard.commands.opening import opened, served
from dashboard.commands.terminal import say, show, show_json, show_table

COLUMNS = (
    "source",
    "fills",
    ">rows read",
    ">accepted",
    ">quarantined",
    ">filtered",
    ">merged",
    "reasons",
)
PLACE = ("file", "row", "column", "value")


def print_sources(project: Path | None, store: Path | None, *, as_json: bool) -> None:
    """Print every source with its rows by fate. Raises CannotRun before the first refresh."""
    version = served(opened(project, store))
    if as_json:
        show_json([source_facts(report) for report in version.manifest.sources])
        return
    show_reports(version)
    for report in version.manifest.sources:
        for note in report.notes:
            say(f"{report.name}: {note}")


def show_reports(version: Version) -> None:
    """What became of every row, one line a source, then an example of each fault and what was repaired."""
    show_table(COLUMNS, map(_row, version.manifest.sources))
    for example in _examples(version):
        say(example)
    for report in version.manifest.sources:
        for what, count in report.repaired.items():
            say(f"{report.name}: repaired {what}: {count:,} cells")
        if report.repeated:
            say(f"{report.name}: {_repeated(report.repeated)}")
        for warning in report.warnings:
            say(f"warning: {report.name}: {warning}")
    for note in version.manifest.notes:
        say(note)
    show(f"version {version.id}, data to {version.manifest.as_of:%Y-%m-%d}")


def _repeated(rows: int) -> str:
    """What to know of rows that stand twice where nothing says what that means."""
    stand = "row equals another one in every column and counts" if rows == 1 else "rows equal another one"
    whole = stand if rows == 1 else f"{stand} in every column and count"
    return f"{rows:,} {whole} again. Say in `sources.yaml` what is meant: `duplicates: merge` or `keep`"


def _examples(version: Version) -> Iterator[str]:
    """The first row of every reason for which rows were set aside: its file, number, column and value."""
    for report in version.manifest.sources:
        if not report.quarantined:
            continue
        rows = version.quarantine(report.name).select(*PLACE, "reason").collect()
        for file, row, column, value, reason in rows.unique(
            "reason", keep="first", maintain_order=True
        ).rows():
            found = f", `{column}` is `{value}`" if value is not None else ""
            yield f"{report.name}: row {row:,} of `{file}`{found}: {reason}"


def source_facts(report: SourceReport) -> Mapping[str, Any]:
    """A report as JSON has it, with the totals that people ask for first."""
    return {
        **report.model_dump(mode="json"),
        "quarantined_rows": sum(report.quarantined.values()),
        "filtered_rows": sum(report.filtered.values()),
    }


def _row(report: SourceReport) -> tuple[str, ...]:
    quarantined, filtered = sum(report.quarantined.values()), sum(report.filtered.values())
    counts = (report.rows_read, report.accepted, quarantined, filtered, report.merged)
    reasons = _reasons((*report.quarantined.items(), *report.filtered.items()))
    return (report.name, report.table or "joins only", *(f"{count:,}" for count in counts), reasons)


def _reasons(counts: Iterable[tuple[str, int]]) -> str:
    return "; ".join(f"{reason}: {count:,}" for reason, count in counts)
