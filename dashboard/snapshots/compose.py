"""From what pages showed to the content of a snapshot: blocks, definitions, parts of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.errors import Fault
from dashboard import wording
from dashboard.desk import Desk
from dashboard.sheet import Block, Section, Sheet, Table
from dashboard.snapshots.content import Choices, Content, Definition, Group, PageSheet, Parts
from dashboard.state import Scope
from metrics.contributions import split
from metrics.frames import CATEGORY
from metrics.periods import Window
from metrics.selection import SEGMENT, Missing

SHOWN: Final = "snapshot.shown"
"""Where a visit keeps what its page showed last."""
Told = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Shown:
    """A page as a visit showed it: its sheet, the scope of its filters and its address."""

    path: str
    title: str
    sheet: Sheet
    desk: Desk
    scope: Scope | None
    address: Mapping[str, tuple[str, ...]]

    def page(self) -> PageSheet:
        """The page with its blocks made."""
        scope = self.scope
        return PageSheet(
            path=self.path,
            title=self.title,
            address=dict(sorted(self.address.items())),
            choices=None if scope is None else choices(scope, self.desk),
            blocks=tuple(_named_once(self.sheet.blocks())),
        )


def _named_once(blocks: Sequence[Block]) -> Iterator[Block]:
    """A table right below a section of the same name needs no title of its own."""
    before: Block | None = None
    for block in blocks:
        if isinstance(block, Table) and isinstance(before, Section) and before.title == block.title:
            yield block.model_copy(update={"title": ""})
        else:
            yield block
        before = block


def choices(scope: Scope, desk: Desk) -> Choices:
    """A scope as a snapshot keeps it."""
    return Choices(
        grain=scope.grain.value,
        period=scope.period,
        name=desk.read.period(scope.period, scope.grain),
        comparison=scope.comparison,
        attributes=dict(sorted(scope.attributes)),
        categories=scope.categories,
    )


def content(shown: Sequence[Shown], tell: Told = lambda _what, _share: None) -> Content:
    """Everything that a snapshot of these pages says."""
    pages = []
    parts: list[Parts] = []
    for number, each in enumerate(shown):
        tell(each.title, 0.6 + 0.3 * number / len(shown))
        page = each.page()
        pages.append(page)
        parts += _parts(each, page)
    names = dict.fromkeys(number.metric for page in pages for number in page.numbers if number.metric)
    desk = shown[0].desk
    return Content(
        pages=tuple(pages),
        definitions=tuple(_definitions(desk, names)),
        parts=tuple(parts),
        groups=tuple(_groups(desk, pages)),
    )


def _groups(desk: Desk, pages: Sequence[PageSheet]) -> Iterator[Group]:
    """The segments that any of the pages is filtered by."""
    chosen = (page.choices.attributes.get(SEGMENT, ()) for page in pages if page.choices)
    book = desk.segments.book
    for name in dict.fromkeys(name for names in chosen for name in names):
        written = book.rule(name).segment.model_dump_json(exclude_defaults=True)
        held = int(book.members(name).sum())
        yield Group(name=name, label=book.labels[name], written=written, customers=held)


def _definitions(desk: Desk, names: Iterable[str]) -> Iterator[Definition]:
    """The definitions of some metrics and of what they are made of."""
    known = [name for name in names if name in desk.catalog.plans]
    for name, plan in desk.catalog.needed(known).items():
        found = plan.definition
        yield Definition(
            name=name,
            label=found.label,
            description=found.description,
            formula=wording.formula(found, lambda each: desk.metric(each).label),
            unit=found.unit,
            direction=wording.direction(found),
            source=found.source,
            written=found.model_dump_json(exclude={"tests"}, exclude_defaults=True),
        )


def _parts(shown: Shown, page: PageSheet) -> Iterator[Parts]:
    """The figures of a page by each attribute and by category, wherever the parts add up."""
    desk, scope = shown.desk, shown.scope
    if scope is None:
        return
    marts = desk.marts(scope)
    splits = [*desk.attributes, *([CATEGORY] if desk.categories else [])]
    for number in page.numbers:
        if number.metric not in desk.catalog.plans or number.value is None or number.period is None:
            continue
        window = Window(scope.grain, number.period)
        for by in splits:
            try:
                found = split(desk.catalog, number.metric, marts, window, by)
            except (Missing, Fault):
                continue
            yield Parts.of(number.metric, page.path, by, found)
