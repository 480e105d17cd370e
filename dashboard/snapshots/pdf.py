"""The report on paper: a tagged PDF by Typst, with vector charts and no browser.

Texts go to the template as data, never as markup. A table wider than a page goes on in parts that repeat its
first column, so that nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from itertools import groupby
from typing import Any, Final

import orjson
import typst

from dashboard.format import Formatter
from dashboard.sheet import Block, Note, Picture, Table, Texts, Tiles
from dashboard.snapshots.canvas import NotDrawable
from dashboard.snapshots.content import Content, Manifest
from dashboard.snapshots.html import missing
from dashboard.snapshots.svg import svg
from dashboard.text import gettext as _

BESIDE, ALONE = 380, 780
"""Pixels across a chart that stands beside another, and of one that has the page to itself."""
TALLEST: Final = 460
"""Pixels that a chart may be high, so that it stays on its page with its title."""
ROOM: Final = 150
"""Letters that fit across a page in the size of its tables."""

Part = dict[str, Any]


def report(content: Content, manifest: Manifest) -> bytes:
    """The report as PDF, the same bytes for the same snapshot."""
    data = orjson.dumps(_data(content, manifest)).decode()
    template = (files("dashboard") / "assets" / "report" / "report.typ").read_bytes()
    with as_file(files("dashboard") / "assets" / "inter") as fonts:
        return typst.compile(
            template,
            format="pdf",
            sys_inputs={"data": data},
            font_paths=typst.Fonts(font_paths=[str(fonts)]),
            timestamp=manifest.created_at.replace(microsecond=0),
        )


def _data(content: Content, manifest: Manifest) -> dict[str, Any]:
    show = Formatter(manifest.locale, manifest.currency)
    through = _("data through {day}").format(day=show.day(manifest.data.as_of))
    made = _("made {moment} with Rapport {version}").format(
        moment=show.moment(manifest.local(manifest.created_at)), version=manifest.product
    )
    return {
        "title": manifest.title,
        "author": manifest.created_by,
        "lang": manifest.locale.split("_")[0],
        "scope": f"{manifest.project} \N{MIDDLE DOT} {through}",
        "foot": f"{made} \N{MIDDLE DOT} {manifest.content_hash[:12]}",
        "pages": [list(_rows_of(page.blocks)) for page in content.pages],
        "definitions": {"title": _("Definitions"), "parts": list(_definitions(content))},
        "about": {"title": _("About this report"), "parts": list(_about(content, manifest, show))},
    }


def _rows_of(blocks: Sequence[Block]) -> Iterator[Part]:
    """The blocks from top to bottom; two charts that follow each other stand side by side, as on the page."""
    for are_charts, group in groupby(blocks, key=lambda block: isinstance(block, Picture)):
        if not are_charts:
            yield from map(_block, group)
            continue
        charts = [block for block in group if isinstance(block, Picture)]
        for at in range(0, len(charts), 2):
            pair = charts[at : at + 2]
            width = BESIDE if len(pair) == 2 else ALONE
            yield {"kind": "charts", "charts": [_picture(chart, width) for chart in pair]}


def _block(block: Block) -> Part:
    match block:
        case Table():
            said = missing(block) if block.missing else ""
            parts = list(_parts(block.heads, block.kinds, _rows(block), block.heat))
            return {
                "kind": "table",
                "title": block.title,
                "note": block.note,
                "missing": said,
                "parts": parts,
            }
        case Tiles():
            numbers = [
                number.model_dump(include={"label", "shown", "change", "tone", "arrow", "against"})
                | {"under": number.reason if number.reason and number.value is None else number.under}
                for number in block.numbers
            ]
            return {"kind": "tiles", "numbers": numbers}
        case Note():
            return {"kind": "note", "text": block.text.replace("`", "")}
        case _:
            return block.model_dump()


def _rows(block: Table) -> tuple[Texts, ...]:
    return (*block.rows, block.total) if block.total else block.rows


def _picture(block: Picture, width: int) -> Part:
    """A chart as a drawing; as a table where it has no form on paper."""
    told: Part = {"kind": "chart", "title": block.title, "note": block.note, "alt": block.alt or block.title}
    told |= {"otherwise": block.otherwise, "svg": "", "parts": []}
    if block.figure is None:
        return told
    try:
        return told | {"svg": svg(block.figure, width, min(block.height or 300, TALLEST))}
    except NotDrawable:
        return told | {"parts": list(_parts(block.heads, block.kinds, block.rows))}


def _parts(
    heads: Texts,
    kinds: Texts,
    rows: Sequence[Texts],
    heat: Sequence[Sequence[float | None]] = (),
) -> Iterator[Part]:
    """A table in parts that fit across a page, each with the first column."""
    if not rows:
        return
    kinds = kinds or ("",) * len(heads)
    widths = [
        _width(kind, [head, *(row[at] for row in rows)])
        for at, (head, kind) in enumerate(zip(heads, kinds, strict=True))
    ]
    for columns in _fitting(widths):
        yield {
            "heads": [heads[at] for at in columns],
            "kinds": [kinds[at] for at in columns],
            "rows": [[row[at].replace("`", "") for at in columns] for row in rows],
            "heat": [[line[at] for at in columns] for line in heat],
        }


def _width(kind: str, texts: Sequence[str]) -> int:
    """Letters that a column takes; wide ones wrap."""
    return 40 if kind == "wide" else max(map(len, texts)) + 2


def _fitting(widths: Sequence[int]) -> Iterator[list[int]]:
    small = ROOM * 1.5 if len(widths) > 14 else ROOM
    columns = [0]
    for at in range(1, len(widths)):
        if sum(widths[each] for each in columns) + widths[at] > small and len(columns) > 1:
            yield columns
            columns = [0]
        columns.append(at)
    yield columns


def _definitions(content: Content) -> Iterator[Part]:
    heads = (_("Figure"), _("What it means"), _("Formula"), _("Direction"))
    rows = [(each.label, each.description, each.formula, each.direction) for each in content.definitions]
    return _parts(heads, ("", "wide", "wide", ""), rows)


def _about(content: Content, manifest: Manifest, show: Formatter) -> Iterator[Part]:
    rows = [
        (_("Data through"), show.day(manifest.data.as_of)),
        (_("Refreshed"), show.moment(manifest.local(manifest.data.refreshed_at))),
        (_("Version of the store"), manifest.data.version),
        (_("Made by"), manifest.created_by),
        (_("Personal fields"), manifest.role),
        (_("Filters"), "; ".join(_filters(content)) or _("none")),
        (_("Hash of the data"), manifest.data.content_hash),
        (_("Hash of the definitions"), manifest.definitions_hash),
        (_("Hash of the content"), manifest.content_hash),
    ]
    return _parts((_("About"), ""), ("", "wide"), [row for row in rows if row[1]])


def _filters(content: Content) -> Iterator[str]:
    """What was chosen on each page, in words."""
    for page in content.pages:
        chosen = page.choices
        if chosen is not None:
            values = [value for values in chosen.attributes.values() for value in values]
            yield f"{page.title}: {', '.join((chosen.name, *values, *chosen.categories))}"
