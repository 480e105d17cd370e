"""Two snapshots, or a snapshot and a newer one, side by side: what changed, and why."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from connectors.store import Store
from dashboard import category_trees
from dashboard.desk import Desk
from dashboard.format import Formatter
from dashboard.parts import downloads, markup
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.snapshots import told
from dashboard.snapshots.again import reckoner
from dashboard.snapshots.compare import Change, Side, compared
from dashboard.snapshots.library import Snapshot
from dashboard.text import gettext as _
from dashboard.text import ngettext


def draw(desk: Desk, found: Sequence[Snapshot]) -> None:
    """Choose two, see every figure of both."""
    if len(found) < 2:
        markup.note(_("A comparison needs two snapshots. Keep another one later, and come back."))
        return
    before, after = _chosen(desk, found)
    if before.id == after.id:
        markup.note(_("Choose two different snapshots."))
        return
    versions = (each.manifest.data.version for each in (before, after))
    if differing := category_trees.difference(Store(desk.workspace.store), *versions):
        markup.notice(differing)
    changes = _changes(desk, before, after)
    show = Formatter(after.manifest.locale, after.manifest.currency)
    moved = [change for change in changes if change.difference]
    title = _finding(changes, len(moved))
    with st.container(border=True, key="card-comparison"):
        said = f"{before.manifest.title} \N{RIGHTWARDS ARROW} {after.manifest.title}"
        st.html(markup.card_head(title, said))
        st.html(markup.table(_columns(), told.as_rows(changes, show), title))
        downloads.buttons("comparison", lambda: _file(changes, show), "comparison")
    _why(moved, show)


def _finding(changes: Sequence[Change], moved: int) -> str:
    """How many of the figures in both changed; what stands in one alone has not changed."""
    both = sum(1 for change in changes if change.before and change.after)
    if not both:
        return _("The two have no figure in common")
    text = ngettext("{moved} of {n} figure in both changed", "{moved} of {n} figures in both changed", both)
    return text.format(moved=moved, n=both)


def _chosen(desk: Desk, found: Sequence[Snapshot]) -> tuple[Snapshot, Snapshot]:
    def named(snapshot: Snapshot) -> str:
        return f"{snapshot.manifest.title}, {desk.show.moment(desk.local_time(snapshot.manifest.created_at))}"

    left, right = st.columns(2)
    with left:
        before = st.selectbox(_("Older"), found, 1, format_func=named, key="snapshots.before")
    with right:
        after = st.selectbox(_("Newer"), found, 0, format_func=named, key="snapshots.after")
    return before or found[1], after or found[0]


def _changes(desk: Desk, before: Snapshot, after: Snapshot) -> list[Change]:
    sides = [Side(each.manifest, each.said()) for each in (before, after)]
    question = f"compare {before.manifest.content_hash} {after.manifest.content_hash}"
    again = reckoner(desk, after.manifest.data.version)
    return desk.kept(question, lambda: compared(sides[0], sides[1], again))


def _columns() -> list[Column]:
    return [
        Column(_("Page")),
        Column(_("Figure")),
        Column(_("Before"), "number"),
        Column(_("After"), "number"),
        Column(_("Change"), "number"),
        Column(_("Why"), "wide"),
    ]


def _file(changes: Sequence[Change], show: Formatter) -> pl.DataFrame:
    heads = ("page", "figure", "before", "after", "change", "why")
    rows = list(told.as_rows(changes, show))
    return pl.DataFrame(rows, schema=dict.fromkeys(heads, pl.String()), orient="row")


def _why(moved: Sequence[Change], show: Formatter) -> None:
    """One figure taken apart: by regions, channels or categories, and by volume, mix and rate."""
    known = [change for change in moved if change.parts]
    if not known:
        return
    markup.section(_("What moved a figure"), _("The effects of the parts add up to the change"))
    left, right = st.columns(2)
    with left:
        change = st.selectbox(_("Figure"), known, format_func=lambda each: each.label, key="snapshots.figure")
    change = change or known[0]
    with right:
        by = st.selectbox(_("By"), list(change.parts), format_func=heading, key="snapshots.by")
    st.html(_sides(change, show))
    st.html(_parts(change, by or next(iter(change.parts)), show))


def _sides(change: Change, show: Formatter) -> str:
    if change.sides is None:
        return ""
    pairs = {
        _("Volume"): (change.sides.volume, _("how much was counted")),
        _("Mix"): (change.sides.mix, _("which parts it came from")),
        _("Rate"): (change.sides.rate, _("what each part did itself")),
    }
    return markup.facts(
        {name: f"{told.written(value, change.unit, show)}, {words}" for name, (value, words) in pairs.items()}
    )


def _parts(change: Change, by: str, show: Formatter) -> str:
    columns = [
        Column(heading(by)),
        Column(_("Before"), "number"),
        Column(_("After"), "number"),
        Column(_("Effect"), "number"),
    ]
    rows = [
        [
            row["by"] or _("not known"),
            told.value(row["reference"], change.unit, show),
            told.value(row["current"], change.unit, show),
            told.written(row["effect"], change.unit, show),
        ]
        for row in change.parts[by].iter_rows(named=True)
    ]
    whole = "" if change.difference is None else told.written(change.difference, change.unit, show)
    return markup.table(columns, rows, heading(by), total=[_("All"), "", "", whole])
