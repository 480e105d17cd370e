"""The report on paper: a tagged PDF by Typst, with vector charts and no browser.

Texts go to the template as data, never as markup. A table wider than a page goes on in parts that repeat its
first column, so that nothing is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from typing import Any, Final

import orjson
import typst

from dashboard.charts.spark import spark
from dashboard.format import Formatter
from dashboard.sheet import Number, Picture, Table, Texts, Tiles
from dashboard.snapshots.canvas import NotDrawable
from dashboard.snapshots.content import Content, Manifest
from dashboard.snapshots.html import missing, source_rows
from dashboard.snapshots.paper import ROOM, Chapter, Unit, chapters, widths
from dashboard.snapshots.svg import svg
from dashboard.text import gettext as _
from dashboard.theme import SERIES

HALF, WHOLE = 560.0, 1160.0
"""Pixels across a chart that stands beside another, and of one that has the page to itself."""
FLAT: Final = 0.72
"""How high a chart is on paper by its height on a page, which is narrower."""
TALLEST: Final = 430
"""Pixels that a chart may be high, so that it stays on its page with its title."""

Data = dict[str, Any]


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


def _data(content: Content, manifest: Manifest) -> Data:
    show = Formatter(manifest.locale, manifest.currency)
    through = _("data through {day}").format(day=show.day(manifest.data.as_of))
    made = _("made {moment} with Rapport {version}").format(
        moment=show.moment(manifest.local(manifest.created_at)), version=manifest.product
    )
    return {
        "title": manifest.title,
        "author": manifest.created_by,
        "lang": manifest.locale.split("_")[0],
        "project": manifest.project,
        "through": through,
        "made": made,
        "hash": manifest.content_hash[:12],
        "has_cover": len(content.pages) > 1,
        "words": {"contents": _("Contents"), "by": _("by {name}").format(name=manifest.created_by)},
        "chapters": [_chapter(chapter) for chapter in chapters(content)],
        "definitions": {"title": _("Definitions"), "parts": list(_definitions(content))},
        "about": {"title": _("About this report"), "tables": list(_about(content, manifest, show))},
    }


def _chapter(chapter: Chapter) -> Data:
    parts = [
        {"name": part.name, "runs": [[_unit(unit, run) for unit in run] for run in part.runs()]}
        for part in chapter.parts
    ]
    return {"title": chapter.title, "scope": chapter.scope, "parts": parts}


def _unit(unit: Unit, run: Sequence[Unit]) -> Data:
    told: Data = {
        "kind": "text",
        "narrow": unit.is_narrow,
        "heading": unit.heading and unit.heading.model_dump(include={"title", "caption"}),
        "notes": [{"text": note.text.replace("`", ""), "notice": note.notice} for note in unit.notes],
    }
    match unit.body:
        case Table():
            return told | _table(unit.body)
        case Tiles():
            return told | {"kind": "tiles", "numbers": [_tile(number) for number in unit.body.numbers]}
        case Picture():
            return told | _picture(unit.body, is_last=unit is run[-1])
        case _:
            return told


def _tile(number: Number) -> Data:
    under = number.reason if number.reason and number.value is None else number.under
    told = number.model_dump(include={"label", "shown", "change", "tone", "arrow", "against"})
    return told | {"under": under, "spark": spark(number.history, SERIES[0])}


def _table(block: Table) -> Data:
    rows = (*block.rows, block.total) if block.total else block.rows
    return {
        "kind": "table",
        "title": block.title,
        "note": block.note,
        "missing": missing(block) if block.missing else "",
        "parts": list(_parts(block.heads, block.kinds, rows, block.heat, is_summed=bool(block.total))),
    }


def _picture(block: Picture, *, is_last: bool) -> Data:
    """A chart as a drawing; as a table where it has no form on paper. The last of a run may stand alone."""
    told: Data = {"kind": "chart", "title": block.title, "note": block.note, "alt": block.alt or block.title}
    told |= {"otherwise": block.otherwise, "svg": "", "broad": "", "parts": []}
    if block.figure is None:
        return told
    height = min(FLAT * (block.height or 300), TALLEST)
    try:
        told["svg"] = svg(block.figure, HALF, height)
        told["broad"] = svg(block.figure, WHOLE, height) if is_last else ""
    except NotDrawable:
        told["parts"] = list(_parts(block.heads, block.kinds, block.rows))
    return told


def _parts(
    heads: Texts,
    kinds: Texts,
    rows: Sequence[Texts],
    heat: Sequence[Sequence[float | None]] = (),
    *,
    is_summed: bool = False,
) -> Iterator[Data]:
    """A table in parts that fit across a page, each with the first column."""
    if not rows:
        return
    kinds = kinds or ("",) * len(heads)
    letters = widths(heads, kinds, rows)
    for columns in _fitting(letters):
        yield {
            "heads": [heads[at] for at in columns],
            "kinds": [kinds[at] for at in columns],
            "sizes": [letters[at] for at in columns],
            "rows": [[row[at].replace("`", "") for at in columns] for row in rows],
            "heat": [[line[at] for at in columns] for line in heat],
            "summed": is_summed,
        }


def _fitting(letters: Sequence[int]) -> Iterator[list[int]]:
    """The columns of each part: as few parts as fit across a page, about equally wide."""
    first, rest = letters[0], sum(letters[1:])
    each = rest / max(math.ceil(rest / (ROOM - first)), 1)
    columns, used = [0], 0.0
    for at, width in enumerate(letters[1:], 1):
        if len(columns) > 1 and used + width / 2 > each:
            yield columns
            columns, used = [0], 0.0
        columns.append(at)
        used += width
    yield columns


def _definitions(content: Content) -> Iterator[Data]:
    heads = (_("Figure"), _("What it means"), _("Formula"), _("Direction"))
    rows = [(each.label, each.description, each.formula, each.direction) for each in content.definitions]
    return _parts(heads, ("", "wide", "wide", ""), rows)


def _about(content: Content, manifest: Manifest, show: Formatter) -> Iterator[Data]:
    """Where the figures come from, and what became of the rows of each source."""
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
    yield from _parts((_("About"), ""), ("", "wide"), [row for row in rows if row[1]])
    yield from _parts(*source_rows(manifest, show))


def _filters(content: Content) -> Iterator[str]:
    """What was chosen on each page, in words, each choice once."""
    found: dict[str, None] = {}
    for page in content.pages:
        chosen = page.choices
        if chosen is not None:
            values = [value for values in chosen.attributes.values() for value in values]
            found[f"{page.title}: {', '.join((chosen.name, *values, *chosen.categories))}"] = None
    yield from found
