"""How a report lies on paper: chapters of units, each across the page or beside another.

Pages that follow each other under one title and scope make a chapter, and what they repeat is set once. A
unit is a row of figures, a table, a chart or a text, with the heading above it and the notes below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from dashboard.charts.layout import letters
from dashboard.sheet import Block, Head, Note, Picture, Section, Table, Texts, Tiles
from dashboard.snapshots.content import Content, PageSheet

BESIDE: Final = 84
"""Letters of a table that fit across half a page in full size."""
ROOM: Final = 240
"""Letters that fit across a page in the smallest size."""
WRAPPED: Final = 48
"""Letters of a column whose texts wrap."""

Body = Tiles | Table | Picture


@dataclass
class Unit:
    """What stays together: a heading, one block, and the notes on it."""

    heading: Section | None = None
    body: Body | None = None
    notes: list[Note] = field(default_factory=list)

    @property
    def is_narrow(self) -> bool:
        """Whether it may stand beside another."""
        match self.body:
            case Picture():
                return True
            case Table():
                return sum(widths(self.body.heads, self.body.kinds, self.body.rows)) <= BESIDE
            case _:
                return False


@dataclass(frozen=True)
class Part:
    """A page of a report within its chapter; `name` is that of its section."""

    name: str
    units: Sequence[Unit]

    def runs(self) -> Iterator[list[Unit]]:
        """Its units from top to bottom; narrow ones that follow each other are one run."""
        for are_narrow, group in groupby(self.units, key=lambda unit: unit.is_narrow):
            if are_narrow:
                yield list(group)
            else:
                yield from ([unit] for unit in group)


@dataclass(frozen=True)
class Chapter:
    """Pages under one title and scope."""

    title: str
    scope: str
    parts: Sequence[Part]


def chapters(content: Content) -> Iterator[Chapter]:
    """The pages of a report as chapters, in order."""
    for (title, scope), pages in groupby(content.pages, key=_opening):
        repeated: list[Block] = []
        parts = [Part(page.section, list(_units(page, repeated))) for page in pages]
        yield Chapter(title, scope, parts)


def _opening(page: PageSheet) -> tuple[str, str]:
    head = next((block for block in page.blocks if isinstance(block, Head)), None)
    return (head.title or page.title, head.caption) if head else (page.title, "")


def _units(page: PageSheet, repeated: list[Block]) -> Iterator[Unit]:
    """The units of a page without the figures that its chapter has shown already."""
    unit = Unit()
    for block in page.blocks:
        match block:
            case Head():
                continue
            case Note():
                unit.notes.append(block)
            case Tiles() if block in repeated:
                continue
            case Section() | Tiles() | Table() | Picture():
                is_begun = unit.body is not None or unit.notes
                if is_begun or (isinstance(block, Section) and unit.heading is not None):
                    yield unit
                    unit = Unit()
                if isinstance(block, Section):
                    unit.heading = block
                else:
                    unit.body = block
                    repeated += [block] if isinstance(block, Tiles) else []
    if unit != Unit():
        yield unit


def widths(heads: Texts, kinds: Texts, rows: Sequence[Texts]) -> list[int]:
    """Letters that each column of a table takes, with the space between columns; long texts wrap."""
    texts = [[head, *(row[at] for row in rows)] for at, head in enumerate(heads)]
    named = kinds or ("",) * len(heads)
    return [
        WRAPPED if kind == "wide" else min(max(map(letters, column)) + 3, WRAPPED)
        for kind, column in zip(named, texts, strict=True)
    ]
