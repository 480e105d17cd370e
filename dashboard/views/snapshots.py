"""Snapshots: what pages showed, kept as it was; listed, opened, checked, compared, sent and received."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from html import escape
from typing import Final

import streamlit as st

from dashboard import data
from dashboard.annotations import Annotation, noted
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.markup import Column
from dashboard.parts.sheet_view import sheet_view
from dashboard.snapshots.content import Content
from dashboard.snapshots.errors import SnapshotError
from dashboard.snapshots.html import page_name
from dashboard.snapshots.library import FOLDER, Library, Marks, Remark, Snapshot
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.views import snapshot_comparison, snapshot_pruning

OPEN: Final = "snapshots.open"
ZIP: Final = "application/zip"


def render() -> None:
    """Draw the list, or the snapshot that is open."""
    desk = data.desk()
    library = Library(desk.workspace.folder / FOLDER)
    found = library.snapshots()
    count = ngettext("{n} snapshot", "{n} snapshots", len(found)).format(n=len(found))
    markup.head(_("Snapshots"), f"{desk.project.name} \N{MIDDLE DOT} {count}")
    opened = next((each for each in found if each.id == st.query_params.get(OPEN)), None)
    if opened is not None:
        _opened(desk, library, opened)
        return
    _received(library)
    if not found:
        words = _("Keep a page with the button Snapshot at its top, or a report with `rapport snapshot`.")
        states.empty("photo_camera", _("No snapshots yet"), words.replace("`", ""))
        return
    names = [_("All snapshots"), _("Compare two"), _("Notes on dates"), _("Delete old ones")]
    listed, compared, noted_, old = st.tabs(names)
    with noted_:
        _dates(desk)
    with listed:
        _list(desk, library, found)
    with compared:
        snapshot_comparison.draw(desk, found)
    with old:
        snapshot_pruning.draw(desk, library, found)


def _dates(desk: Desk) -> None:
    """What happened on which day: the list, and a form for another note."""
    markup.note(_("Notes on dates stand on the charts of the figures that they concern, and in reports."))
    labels = {name: plan.definition.label for name, plan in desk.catalog.plans.items()}
    columns = [Column(_("Day")), Column(_("Note"), "wide"), Column(_("Concerns"), "wide"), Column(_("By"))]
    every = _("every figure")
    rows = [
        [
            desk.show.day(note.on),
            note.text,
            ", ".join(labels.get(name, name) for name in note.metrics) or every,
            note.by,
        ]
        for note in desk.notes
    ]
    if rows:
        markup.show_table(columns, rows, _("Notes on dates"))
    with st.form("snapshots.date", border=True, clear_on_submit=True):
        left, right = st.columns([1, 2])
        day = left.date_input(_("Day"), desk.as_of, key="snapshots.date.day")
        text = right.text_input(_("What happened"), key="snapshots.date.text", max_chars=80)
        names = left.multiselect(
            _("Concerns"),
            sorted(labels),
            format_func=labels.__getitem__,
            key="snapshots.date.names",
            placeholder=every,
        )
        by = right.text_input(_("Your name"), key="snapshots.date.by", max_chars=60)
        if (
            st.form_submit_button(_("Add the note"), type="primary")
            and text.strip()
            and isinstance(day, date)
        ):
            _note_down(desk, Annotation(on=day, text=text.strip(), metrics=tuple(names), by=by.strip()))


def _note_down(desk: Desk, note: Annotation) -> None:
    try:
        noted(desk.workspace.folder, note)
    except (OSError, ValueError) as fault:
        st.html(f'<p class="notice" role="alert">{markup.marked(str(fault))}</p>')
        return
    st.rerun()


def _list(desk: Desk, library: Library, found: Sequence[Snapshot]) -> None:
    marks = library.notes().marks
    term = st.text_input(
        _("Search"),
        key="snapshots.search",
        icon=":material/search:",
        placeholder=_("Title, maker, tag or note"),
        label_visibility="collapsed",
    )
    matching = [each for each in found if term.lower() in _searched(each, marks.get(each.id, Marks()))]
    if not matching:
        markup.note(_("No snapshot matches."))
    for each in matching:
        _row(desk, each, marks.get(each.id, Marks()))


def _searched(snapshot: Snapshot, marks: Marks) -> str:
    manifest = snapshot.manifest
    words = (manifest.id, manifest.title, manifest.created_by, *marks.tags, *(r.text for r in marks.remarks))
    return " ".join(words).lower()


def _row(desk: Desk, snapshot: Snapshot, marks: Marks) -> None:
    """One snapshot of the list: a card with a button to open it."""
    manifest, show = snapshot.manifest, desk.show
    made = _("made {moment}").format(moment=_made(desk, snapshot))
    through = _("data through {day}").format(day=show.day(manifest.data.as_of))
    line = " \N{MIDDLE DOT} ".join(part for part in (through, made, *marks.tags) if part)
    with st.container(border=True, key=f"card-{snapshot.id}"):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.html(markup.card_head(manifest.title, line))
            if st.button(_("Open"), key=f"snapshot-view-{snapshot.id}", icon=":material/visibility:"):
                st.query_params[OPEN] = snapshot.id
                st.rerun()
        if marks.remarks:
            st.html("".join(f'<p class="note">{escape(remark.text)}</p>' for remark in marks.remarks[-2:]))


def _received(library: Library) -> None:
    with st.expander(_("Open a snapshot that was sent to you"), icon=":material/upload_file:"):
        file = st.file_uploader(
            _("Its zip archive"), type="zip", key="snapshots.archive", max_upload_size=200
        )
        if file is None or not st.button(_("Check and add"), key="snapshots.receive", type="primary"):
            return
        try:
            snapshot = library.receive(file.getvalue())
        except SnapshotError as fault:
            st.html(f'<p class="notice" role="alert">{markup.marked(str(fault))}</p>')
            return
        st.query_params[OPEN] = snapshot.id
        st.rerun()


def _opened(desk: Desk, library: Library, snapshot: Snapshot) -> None:
    """A snapshot as it was: its pages, its notes, whether it is whole."""
    _bar(snapshot)
    try:
        faults, content = snapshot.faults(), snapshot.content()
    except SnapshotError as fault:
        states.empty("broken_image", _("This snapshot cannot be opened"), str(fault).replace("`", ""))
        return
    if faults:
        said = _("This snapshot is not as it was made: {faults}.").format(faults=", ".join(faults))
        st.html(f'<p class="notice" role="alert">{markup.marked(said)}</p>')
    _facts(desk, snapshot, is_whole=not faults)
    _marks(library, snapshot)
    _pages(snapshot, content)


def _bar(snapshot: Snapshot) -> None:
    with st.container(horizontal=True, gap="small"):
        if st.button(_("All snapshots"), key="snapshots.back", icon=":material/arrow_back:"):
            del st.query_params[OPEN]
            st.rerun()
        st.download_button(
            _("All files"),
            snapshot.archive,
            f"{snapshot.id}.zip",
            ZIP,
            key="snapshots.zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
        for name, label, kind in (
            ("report.html", _("HTML"), "text/html"),
            ("report.pdf", _("PDF"), "application/pdf"),
            ("report.xlsx", _("XLSX"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ):
            path = snapshot.folder / name
            if path.is_file():
                st.download_button(
                    label,
                    path.read_bytes,
                    f"{snapshot.id}{path.suffix}",
                    kind,
                    key=f"snapshots.{name}",
                    icon=":material/download:",
                    on_click="ignore",
                )


def _made(desk: Desk, snapshot: Snapshot) -> str:
    """When it was made, in the project's time zone, and by whom."""
    manifest = snapshot.manifest
    when = desk.show.moment(desk.local_time(manifest.created_at))
    by = _("{moment} by {name}").format(moment=when, name=manifest.created_by)
    return by if manifest.created_by else when


def _facts(desk: Desk, snapshot: Snapshot, *, is_whole: bool) -> None:
    manifest, show = snapshot.manifest, desk.show
    whole = _("every file is as it was made") if is_whole else _("changed since it was made")
    pairs = {
        _("Title"): manifest.title,
        _("Made"): _made(desk, snapshot),
        _("Data through"): show.day(manifest.data.as_of),
        _("Checked"): whole,
        _("Hash"): manifest.content_hash[:16],
    }
    st.html(markup.facts(pairs))


def _marks(library: Library, snapshot: Snapshot) -> None:
    """Tags and notes, which stand beside the snapshot and change nothing in it."""
    marks = library.notes().marks.get(snapshot.id, Marks())
    for remark in marks.remarks:
        who = f"{remark.by}: " if remark.by else ""
        markup.note(f"{who}{remark.text}")
    with st.expander(_("Tags and notes"), icon=":material/sell:"):
        tags = st.text_input(
            _("Tags"), ", ".join(marks.tags), key=f"tags-{snapshot.id}", placeholder=_("board, approved")
        )
        text = st.text_area(_("A note"), key=f"note-{snapshot.id}", max_chars=2_000)
        by = st.text_input(_("Your name"), key=f"note-by-{snapshot.id}", max_chars=60)
        if st.button(_("Save"), key=f"mark-{snapshot.id}", type="primary"):
            now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
            remarks = (Remark(text=text.strip(), by=by.strip(), at=now),) if text.strip() else ()
            named = tuple(dict.fromkeys(tag.strip() for tag in tags.split(",") if tag.strip()))
            library.mark(snapshot.id, Marks(tags=named, remarks=(*marks.remarks, *remarks)))
            st.rerun()


def _pages(snapshot: Snapshot, content: Content) -> None:
    titles = [page_name(page) for page in content.pages]
    tabs = st.tabs(titles) if len(titles) > 1 else [st.container()]
    for number, (tab, page) in enumerate(zip(tabs, content.pages, strict=True)):
        with tab:
            sheet_view(page.blocks, f"{snapshot.id}-{number}")
