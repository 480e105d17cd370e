"""The comparison of two snapshots as one HTML file, which opens anywhere and asks no network for anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from dashboard.format import Formatter
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column, facts, table
from dashboard.snapshots import told
from dashboard.snapshots.compare import Change, Side
from dashboard.snapshots.content import Manifest
from dashboard.snapshots.html import document
from dashboard.text import gettext as _


def page(changes: Sequence[Change], before: Side, after: Side) -> bytes:
    """Every figure old and new with its causes, then each that changed, taken apart."""
    manifest = after.manifest
    show = Formatter(manifest.locale, manifest.currency)
    title = _("What changed")
    parts = "".join(_apart(change, show) for change in changes if change.difference and change.parts)
    body = (
        f'<header class="cover"><h1>{escape(title)}</h1><p>{escape(manifest.project)}</p></header><main>'
        f'<section class="page">{_both(before.manifest, manifest, show)}'
        f"{table(columns(), told.as_rows(changes, show), title)}</section>{parts}</main>"
    )
    return document(body, title, manifest)


def columns() -> list[Column]:
    """The columns of the table of changes; its rows are those of `told.as_rows`."""
    return [
        Column(_("Page")),
        Column(_("Figure")),
        Column(_("Before"), "number"),
        Column(_("After"), "number"),
        Column(_("Change"), "number"),
        Column(_("Why"), "wide"),
    ]


def _both(before: Manifest, after: Manifest, show: Formatter) -> str:
    def said(each: Manifest) -> str:
        made = show.moment(each.local(each.created_at))
        words = _("{title}, made {moment}, data through {day}, {hash}")
        day = show.day(each.data.as_of)
        return words.format(title=each.title, moment=made, day=day, hash=each.content_hash[:12])

    return facts({_("Before"): said(before), _("After"): said(after)})


def _apart(change: Change, show: Formatter) -> str:
    """One figure by volume, mix and rate, and by the parts that add up to its change."""
    title = f"{change.label}: {told.difference(change, show)}"
    tables = "".join(_parts(change, by, show) for by in change.parts)
    return (
        f'<section class="page"><div class="head"><h2>{escape(title)}</h2></div>'
        f"{facts(sides(change, show))}{tables}</section>"
    )


def sides(change: Change, show: Formatter) -> dict[str, str]:
    """How much of a change is volume, mix and rate, in words; nothing where it is not taken apart."""
    if change.sides is None:
        return {}
    pairs = {
        _("Volume"): (change.sides.volume, _("how much was counted")),
        _("Mix"): (change.sides.mix, _("which parts it came from")),
        _("Rate"): (change.sides.rate, _("what each part did itself")),
    }
    return {
        name: f"{told.written(value, change.unit, show)}, {words}" for name, (value, words) in pairs.items()
    }


def _parts(change: Change, by: str, show: Formatter) -> str:
    heads, rows, total = parts(change, by, show)
    return f'<h4 class="card-title">{escape(heading(by))}</h4>{table(heads, rows, heading(by), total=total)}'


def parts(change: Change, by: str, show: Formatter) -> tuple[list[Column], list[list[str]], list[str]]:
    """What each value of a column did to a figure: columns, rows, and the whole change as their total."""
    heads = [
        Column(heading(by)),
        Column(_("Before"), "number"),
        Column(_("After"), "number"),
        Column(_("Effect"), "number"),
    ]
    whole = "" if change.difference is None else told.written(change.difference, change.unit, show)
    return heads, list(_part_rows(change, by, show)), [_("All"), "", "", whole]


def _part_rows(change: Change, by: str, show: Formatter) -> Iterator[list[str]]:
    for row in change.parts[by].iter_rows(named=True):
        yield [
            row["by"] or _("not known"),
            told.value(row["reference"], change.unit, show),
            told.value(row["current"], change.unit, show),
            told.written(row["effect"], change.unit, show),
        ]
