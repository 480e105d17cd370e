"""The Overview at full size: the first visit, and changes of its filters that nobody asked for before.

The demonstration project with a million customers is generated, refreshed and kept between runs. The page is
drawn by Streamlit's own runner in this process, marts opened and taken out of the garbage collection as the
server does; what is timed is the drawing of the page, from reading the filters to its last element.

As by the server, single categories are prepared, in the latest month; what is chosen beside them is not.
"""

import gc
import itertools
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.lines import Size, folder
from benchmarks.measure import Cost, Result
from connectors.demo import project as demo
from connectors.errors import StoreError
from connectors.store import Store
from dashboard import data, shell, text, warm
from dashboard.commands.refresh import is_outdated, load
from dashboard.desk import Desk
from dashboard.pages import PAGES
from dashboard.workspace import PROJECT_VARIABLE, Workspace, open_workspace
from metrics.periods import Grain

SCRIPT = """
from benchmarks import overview
overview.draw({path!r})
"""
COSTS: list[Cost] = []
"""Of every drawing, in their order."""
NOW = datetime(2027, 1, 1, tzinfo=UTC)
MONTHS = 36
BOUND = 150.0

Link = Mapping[str, str | list[str]]


def run(size: Size) -> Iterator[Result]:
    """The first visit, then changes of every filter of the page."""
    logging.disable(logging.WARNING)  # Streamlit misses a server at every drawing
    os.environ[PROJECT_VARIABLE] = str(provided(size))
    warm.prepare(Grain.MONTH)
    warm.prepare_categories()
    visit({})
    gc.collect()
    gc.freeze()
    desk = data.open_desk()
    if desk is None:
        raise SystemExit("nothing was loaded")
    every: list[Cost] = []
    for name, links in asked(desk).items():
        costs = [visit(link) for link in links]
        every += costs
        yield Result(f"overview, change of {name}, 95th percentile", *late(costs))
    bound = None if size.quick else BOUND
    people = f"{size.customers:,} customers"
    value, _, unit, cost = late(every)
    yield Result(f"overview of {people}, any change, 95th percentile", value, bound, unit, cost)


def provided(size: Size) -> Path:
    """The folder of the loaded demonstration of this size, made on first use and after changes."""
    home = folder(size) / "demo"
    if not home.exists():
        draft = home.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        demo.write(draft, customers=size.customers, months=MONTHS)
        draft.rename(home)
    workspace = open_workspace(home)
    if is_stale(workspace):
        load(workspace, now=NOW)
    return home


def is_stale(workspace: Workspace) -> bool:
    """Whether nothing is loaded, or by definitions or a layout of the store that were others."""
    try:
        current = Store(workspace.store).current()
    except StoreError:
        return True
    return current is None or is_outdated(workspace, current)


def visit(link: Link, path: str = PAGES[0].path) -> Cost:
    """The cost of drawing a page, this one unless another is named, with these filters in its address."""
    page = AppTest.from_string(SCRIPT.format(path=path), default_timeout=120)
    for name, value in link.items():
        page.query_params[name] = value
    page.run()
    if page.exception:
        raise SystemExit(f"the page fails with {link}: {page.exception[0].message}")
    return COSTS[-1]


def draw(path: str) -> None:
    """What Streamlit runs for a visit."""
    wall, cpu = time.perf_counter(), time.process_time()
    text.use(data.locale(), text.FOLDER)
    shell.open_page(next(page for page in PAGES if page.path == path))
    COSTS.append(Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0))


def asked(desk: Desk) -> dict[str, list[Link]]:
    """Changes of filters, none of them asked before, but single categories by the warm-up."""
    regions, channels = desk.attributes["region"], desk.attributes["channel"]
    pairs = list(itertools.combinations(regions, 2))
    last = desk.calendar.code(desk.last_day, Grain.MONTH)
    return {
        "region": [{"region": [region]} for region in regions],
        "regions and channel": [
            {"region": list(pair), "channel": [channel]} for pair in pairs for channel in channels
        ][:20],
        "period": [{"period": desk.read.period(last - back, Grain.MONTH)} for back in range(2, 14)],
        "comparison": [{"vs": "year", "region": list(pair)} for pair in pairs],
        "category": [{"category": [category]} for category in desk.categories[1:]],
        "category and region": [
            {"category": [category], "region": [regions[0]]} for category in desk.categories[1:]
        ],
        "category and period": [
            {"category": [category], "period": desk.read.period(last - 3, Grain.MONTH)}
            for category in desk.categories
        ],
        "two categories": [{"category": list(pair)} for pair in itertools.pairwise(desk.categories)],
    }


def late(costs: list[Cost]) -> tuple[float, None, str, Cost]:
    """The 95th percentile of some times, in milliseconds."""
    slow = sorted(costs, key=lambda cost: cost.seconds)[min(int(len(costs) * 0.95), len(costs) - 1)]
    return slow.seconds * 1000, None, "ms", slow
