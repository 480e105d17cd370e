"""Snapshots at full size: the report of every page, and the comparison of two of them.

The project is that of the overview's benchmark. Each piece of work runs in a process of its own, the start of
the interpreter left out: every page drawn cold, every file written; then two snapshots compared, each figure
with its causes and its parts.
"""

import os
from collections.abc import Iterator

from benchmarks.lines import Size
from benchmarks.measure import Result, measured
from benchmarks.overview import NOW, provided

SECONDS, MEGABYTES, COMPARED = 20.0, 1_500.0, 2.0


def run(size: Size) -> Iterator[Result]:
    """Time and memory of the full report, time of a comparison."""
    project = provided(size)
    made = measured("benchmarks.snapshots:full_report", project)
    people = f"{size.customers:,} customers"
    bound = None if size.quick else SECONDS
    yield Result(f"full report of {people}", made.seconds, bound, "s", made)
    yield Result(f"full report of {people}, peak memory", made.peak_mb, MEGABYTES, "MB", made)
    measured("benchmarks.snapshots:full_report", project)
    seconds = measured("benchmarks.snapshots:comparison", project).seconds
    yield Result(f"comparison of two reports of {people}", seconds, None if size.quick else COMPARED, "s")


def full_report(project: str) -> None:
    """Draw every page of the shipped report and write all its files."""
    from pathlib import Path

    from dashboard.snapshots.drawing import drawn
    from dashboard.snapshots.make import Wish, make
    from dashboard.snapshots.reports import report
    from dashboard.workspace import PROJECT_VARIABLE

    os.environ[PROJECT_VARIABLE] = project
    wanted = report(Path(project), "full")
    shown = [drawn(page.page, page.address) for page in wanted.pages]
    make(shown, Wish("Benchmark", "", NOW))


def comparison(project: str) -> None:
    """Compare the two newest snapshots."""
    from pathlib import Path

    from dashboard.snapshots.compare import Side, compared
    from dashboard.snapshots.library import FOLDER, Library

    newest = Library(Path(project) / FOLDER).snapshots()[:2]
    after, before = (Side(each.manifest, each.content()) for each in newest)
    compared(before, after)
