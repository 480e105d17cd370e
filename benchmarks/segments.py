"""Segments at full size: a count while building, many segments by many metrics, one customer's page.

The demonstration project with a million customers, as for the Overview. What is timed is the answer to a
question that was not asked before; the facts that rules read are computed once per version and told apart.
"""

import os
import time
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.lines import Size
from benchmarks.measure import Cost, Result
from benchmarks.overview import provided
from dashboard import customer_data, data, segment_data
from dashboard import segment_questions as asked
from dashboard.desk import Desk
from dashboard.state import Scope
from dashboard.workspace import PROJECT_VARIABLE
from metrics.definitions import Computed
from metrics.periods import Grain
from metrics.segment_definitions import Segment

COUNT_MS, TABLE_MS, PAGE_MS = 100.0, 1000.0, 150.0
FEW = ("orders", "recency_days", "net_amount", "region", "categories", "complaints", "lifecycle")


def run(size: Size) -> Iterator[Result]:
    """Every question, each with its bound at full size."""
    os.environ[PROJECT_VARIABLE] = str(provided(size))
    desk = data.open_desk()
    if desk is None:
        raise SystemExit("nothing was loaded")
    scope = Scope(Grain.MONTH, desk.calendar.last_complete(Grain.MONTH, desk.as_of))
    people = f"{size.customers:,} customers"
    first = timed(lambda: segment_data.facts(desk).frame(FEW))
    yield Result(f"facts of {people}, once per version", first.seconds * 1000, None, "ms", first)
    for name, work, bound in (
        ("count while building", lambda n: count(desk, scope, n), COUNT_MS),
        ("20 segments by 20 metrics, a new window", lambda n: table(desk, scope, n), TABLE_MS),
        ("page of a customer", lambda n: page(desk, n), PAGE_MS),
    ):
        warm_up = timed(lambda work=work: work(0))
        yield Result(f"{name}, {people}, the first time", warm_up.seconds * 1000, None, "ms", warm_up)
        costs = [timed(lambda work=work, n=n: work(n)) for n in range(1, 8)]
        typical = Cost(
            median(cost.seconds for cost in costs), median(cost.cpu_seconds for cost in costs), 0.0
        )
        limit = None if size.quick else bound
        yield Result(f"{name}, {people}", typical.seconds * 1000, limit, "ms", typical)


def timed(work: Callable[[], object]) -> Cost:
    """What a piece of work in this process takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0)


def count(desk: Desk, scope: Scope, number: int) -> object:
    """The rule of a draft, in words, and how many it holds."""
    often = f"(orders >= {2 + number} OR complaints > {number})"
    where = f"{often} AND region IN ('East', 'West') AND NOT {{lost_customers}}"
    segment = Segment(name="draft", label="Draft", where=where)
    found = segment_data.rule(desk, segment)
    said = segment_data.words(desk).sentence(segment)
    return said, segment_data.size(desk, scope, segment_data.held(desk, found))


def table(desk: Desk, scope: Scope, number: int) -> object:
    """Twenty segments by twenty metrics in a month that was not asked for."""
    names = list(desk.segments.book.rules)[:20]
    metrics = [name for name in desk.catalog.plans if not isinstance(desk.metric(name), Computed)][:20]
    month = Scope(scope.grain, scope.period - number)
    return asked.figures(desk, month, names, metrics, "period", desk.as_of)


def page(desk: Desk, number: int) -> object:
    """Everything that one customer's page asks."""
    rows = customer_data.people(desk)
    place = (number * 7919 + 13) % len(rows)
    known = customer_data.facts(desk, place)
    return (
        customer_data.memberships(desk, place),
        customer_data.timeline(desk, place),
        customer_data.bought(desk, place),
        customer_data.averages(desk, customer_data.peers(desk, known)),
    )
