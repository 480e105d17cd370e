"""The segments of a project: the shipped ones, and those of its `segments.yaml`, which override and add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from config.errors import Problem
from config.load import Loaded, Located, read_many
from metrics.catalog import Catalog
from metrics.customer_facts import CustomerFacts
from metrics.fact_families import customer_facts
from metrics.frames import Marts
from metrics.rfm import Rfm
from metrics.segment_definitions import Segment
from metrics.segments import SegmentBook, segment_book

FILE: Final = "segments.yaml"
UNDER: Final = "segments"
SCORING: Final = "rfm"
"""The metric whose definition says how customers are scored."""

SEGMENTS: Final[TypeAdapter[Segment]] = TypeAdapter(Segment)


@dataclass(frozen=True)
class Segments:
    """The book of segments, and every problem of the project's own file.

    `own` are the names that the project's file gives, `located` says where each segment stands. A shipped
    segment for which this project has no source is left out without being a problem.
    """

    book: SegmentBook
    problems: tuple[Problem, ...] = ()
    own: frozenset[str] = frozenset()
    located: Mapping[str, Located[Segment]] = field(default_factory=dict)


def segments(folder: Path, facts: CustomerFacts) -> Segments:
    """The segments of the project in a folder over the facts of its customers."""
    shipped, own = shipped_segments(), own_segments(folder)
    documents = (*shipped.items, *own.items)
    book = segment_book(documents, facts)
    ours = frozenset(item.value.name for item in own.items)
    broken = (problem for name in book.broken if name in ours for problem in book.broken[name])
    located = {item.value.name: item for item in documents}
    return Segments(book, (*shipped.problems, *own.problems, *broken), ours, located)


def facts_of(marts: Marts, catalog: Catalog) -> CustomerFacts:
    """The facts of the customers of some marts, scored as the project scores."""
    return customer_facts(marts, scoring(catalog))


def scoring(catalog: Catalog) -> Rfm | None:
    """How customers are scored; None where that definition is missing or broken."""
    plan = catalog.plans.get(SCORING)
    definition = plan.definition if plan else None
    return definition if isinstance(definition, Rfm) else None


def shipped_segments() -> Loaded[Segment]:
    """The segments that come with the product."""
    with as_file(files("config") / FILE) as path:
        return read_many([path], SEGMENTS, under=UNDER)


def own_segments(folder: Path, text: str | None = None) -> Loaded[Segment]:
    """The segments of a project alone; none without a file."""
    path = folder / FILE
    if text is None and not path.is_file():
        return Loaded((), ())
    unsaved = None if text is None else {path: text}
    return read_many([path], SEGMENTS, under=UNDER, unsaved=unsaved)
