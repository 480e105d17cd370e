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
from dashboard.snapshots import comparison, told
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
        st.html(markup.table(comparison.columns(), told.as_rows(changes, show), title))
        downloads.buttons("comparison", lambda: _file(changes, show), "comparison")
        st.download_button(
            _("HTML"),
            lambda: comparison.page(changes, *_sides(before, after)),
            f"{before.id}-{after.id}.html",
            "text/html",
            key="snapshots.comparison.html",
            icon=":material/download:",
            on_click="ignore",
        )
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
    question = f"compare {before.manifest.content_hash} {after.manifest.content_hash}"
    again = reckoner(desk, after.manifest.data.version)
    return desk.kept(question, lambda: compared(*_sides(before, after), again))


def _sides(before: Snapshot, after: Snapshot) -> tuple[Side, Side]:
    return Side(before.manifest, before.said()), Side(after.manifest, after.said())


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
    st.html(markup.facts(comparison.sides(change, show)))
    by = by or next(iter(change.parts))
    columns, rows, total = comparison.parts(change, by, show)
    st.html(markup.table(columns, rows, heading(by), total=total))
