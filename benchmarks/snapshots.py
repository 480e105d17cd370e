"""Snapshots at full size: a report of ten pages, and the comparison of two of them.

The project is that of the overview's benchmark. Each piece of work runs in a process of its own, the start of
the interpreter left out: ten pages drawn cold, every file written; then two snapshots compared, each figure
with its causes and its parts.
"""

import os
import sys
import time
from collections.abc import Iterator

from benchmarks.lines import Size
from benchmarks.measure import Result, measured
from benchmarks.overview import NOW, provided

SECONDS, MEGABYTES, COMPARED = 20.0, 1_500.0, 2.0
TEN = (
    ("overview", {}),
    ("scorecard", {}),
    ("retention", {}),
    ("retention", {"retention.section": ("Lifecycle",)}),
    ("retention", {"retention.section": ("Contracts",)}),
    ("satisfaction", {}),
    ("lifetime", {}),
    ("equity", {}),
    ("cross-buying", {}),
    ("data", {}),
)
"""The pages of the report."""


def run(size: Size) -> Iterator[Result]:
    """Time and memory of the full report, time of a comparison."""
    project = provided(size)
    made = measured("benchmarks.snapshots:ten_pages", project)
    people = f"{size.customers:,} customers"
    bound = None if size.quick else SECONDS
    yield Result(f"report of ten pages of {people}", made.seconds, bound, "s", made)
    yield Result(f"report of ten pages of {people}, peak memory", made.peak_mb, MEGABYTES, "MB", made)
    measured("benchmarks.snapshots:ten_pages", project)
    seconds = measured("benchmarks.snapshots:comparison", project).seconds
    yield Result(f"comparison of two reports of {people}", seconds, None if size.quick else COMPARED, "s")


def ten_pages(project: str) -> None:
    """Draw ten pages and write all files of their snapshot; say which page took how long."""
    from dashboard.snapshots.drawing import drawn
    from dashboard.snapshots.make import Wish, make
    from dashboard.workspace import PROJECT_VARIABLE

    os.environ[PROJECT_VARIABLE] = project
    shown = []
    for path, address in TEN:
        start = time.perf_counter()
        shown.append(drawn(path, address))
        print(f"     {path} {address}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    start = time.perf_counter()
    make(shown, Wish("Benchmark", "", NOW))
    print(f"     files: {time.perf_counter() - start:.1f} s", file=sys.stderr)


def comparison(project: str) -> None:
    """Compare the two newest snapshots."""
    from pathlib import Path

    from dashboard.snapshots.compare import Side, compared
    from dashboard.snapshots.library import FOLDER, Library

    newest = Library(Path(project) / FOLDER).snapshots()[:2]
    after, before = (Side(each.manifest, each.content()) for each in newest)
    compared(before, after)
