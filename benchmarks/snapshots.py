"""Snapshots at full size: a report of ten pages, opening it, and the comparison of two of them.

The project is that of the overview's benchmark. Each piece of work runs in a process of its own, the start of
the interpreter left out: ten pages drawn cold, every file written; then two months compared as the command
line does it, each figure with its causes and its parts. The HTML is opened from disk in Chromium, where there
is one: from the beginning of loading to the first chart, by the browser's own clock.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks.lines import Size
from benchmarks.measure import Result, measured
from benchmarks.overview import NOW, provided

SECONDS, MEGABYTES, COMPARED, OPENED = 20.0, 1_500.0, 2.0, 2.0
MONTHS = ("Sep 2026", "Oct 2026")
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
    """Time and memory of the full report, time of opening it and of a comparison."""
    project = provided(size)
    people, timed = f"{size.customers:,} customers", not size.quick
    for month in MONTHS:
        made = measured("benchmarks.snapshots:ten_pages", project, month)
    bound = SECONDS if timed else None
    yield Result(f"report of ten pages of {people}", made.seconds, bound, "s", made)
    yield Result(f"report of ten pages of {people}, peak memory", made.peak_mb, MEGABYTES, "MB", made)
    seconds = opened(newest(project)[0] / "report.html")
    if seconds is not None:
        yield Result(f"first chart of the report of {people}", seconds, OPENED if timed else None, "s")
    cost = measured("benchmarks.snapshots:comparison", project)
    yield Result(
        f"comparison of two reports of {people}", cost.seconds, COMPARED if timed else None, "s", cost
    )


def ten_pages(project: str, month: str) -> None:
    """Draw ten pages and write all files of their snapshot; say which page took how long."""
    from dashboard.snapshots.drawing import drawn
    from dashboard.snapshots.make import Wish, make
    from dashboard.workspace import PROJECT_VARIABLE

    os.environ[PROJECT_VARIABLE] = project
    shown = []
    for path, address in TEN:
        start, cpu = time.perf_counter(), time.process_time()
        shown.append(drawn(path, {**address, "period": (month,)}))
        say(f"{path} {address}", start, cpu)
    start, cpu = time.perf_counter(), time.process_time()
    make(shown, Wish(f"Benchmark of {month}", "", NOW))
    say("files", start, cpu)


def say(what: str, start: float, cpu: float) -> None:
    """How long a piece took, on standard error."""
    wall, own = time.perf_counter() - start, time.process_time() - cpu
    print(f"     {what}: {wall:.1f} s, {own:.1f} s of processors", file=sys.stderr, flush=True)


def newest(project: str | Path) -> list[Path]:
    """The folders of the snapshots, the newest first."""
    from dashboard.snapshots.library import FOLDER, Library

    return [each.folder for each in Library(Path(project) / FOLDER).snapshots()]


def comparison(project: str) -> None:
    """Compare the last two snapshots as the command line does."""
    from dashboard.commands.snapshot import compare

    after, before = (each.name for each in newest(project)[:2])
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        compare(Path(project), None, (before, after), as_json=True, now=NOW)


def opened(page: Path) -> float | None:
    """Seconds from the beginning of loading to the first chart, at best of three; None without a browser."""
    import shutil

    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return None
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        seconds = []
        for _time in range(3):
            tab = chromium.new_context(offline=True).new_page()
            tab.add_init_script(FIRST_CHART)
            tab.goto(page.resolve().as_uri())
            tab.wait_for_function("() => window.firstChart !== undefined", timeout=60_000)
            seconds.append(tab.evaluate("window.firstChart") / 1000)
            tab.context.close()
        chromium.close()
    return min(seconds)


FIRST_CHART = """
new MutationObserver((_changes, watch) => {
  if (document.querySelector(".chart svg.main-svg")) {
    window.firstChart = performance.now();
    watch.disconnect();
  }
}).observe(document, {childList: true, subtree: true});
"""
