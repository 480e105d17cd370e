"""The worked examples of definitions, run: each that does not give its figure is a problem at its place."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from polars.exceptions import PolarsError

from config.errors import Fault, Problem
from config.load import Located
from dashboard.definitions import Definitions
from dashboard.instruments import instruments
from dashboard.segment_files import own_segments, shipped_segments
from metrics.catalog import Definition
from metrics.definitions import Test
from metrics.examples import Segments, outcome
from metrics.instruments import Instrument
from metrics.periods import Calendar

RULE = "test"


def failures(
    found: Definitions, calendar: Calendar, names: Iterable[str] | None = None, folder: Path | None = None
) -> Iterator[Problem]:
    """The examples that fail, of some metrics or of all that are served; `folder` is that of the project."""
    segments = (*shipped_segments().items, *(own_segments(folder).items if folder else ()))
    forms = instruments(folder or Path()).named
    for name in found.catalog.plans if names is None else names:
        located = found.located[name]
        for at, test in enumerate(located.value.tests):
            yield from _failure(found, located, at, test, calendar, segments, forms)


def _failure(
    found: Definitions,
    located: Located[Definition],
    at: int,
    test: Test,
    calendar: Calendar,
    segments: Segments,
    forms: Mapping[str, Instrument],
) -> Iterator[Problem]:
    try:
        result = outcome(found.catalog, located.value.name, test, calendar, segments, forms)
    except (Fault, PolarsError, ValueError, KeyError) as error:
        fault = f"the example cannot be computed: {str(error).splitlines()[0]}"
        remedy = "Check the tables and columns of its rows"
        yield located.problem(("tests", at, "rows"), fault, remedy, rule=RULE)
        return
    if not result.is_as_expected:
        reason = f" ({result.reason})" if result.reason else ""
        fault = f"expected {_number(test.expect)}, got {_number(result.value)}{reason}"
        remedy = "Mend the definition, or the example if it is the one that is wrong"
        yield located.problem(("tests", at, "expect"), fault, remedy, rule=RULE)


def _number(value: float | None) -> str:
    return "no figure" if value is None else f"{value:.10g}"
