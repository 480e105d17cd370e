"""Old snapshots: which of them would go by the policy of the project, and a button that deletes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from connectors.errors import StoreError
from connectors.store import Store
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.markup import Column
from dashboard.snapshots.errors import SnapshotError
from dashboard.snapshots.library import Library, Snapshot
from dashboard.snapshots.pins import prune
from dashboard.text import gettext as _
from dashboard.text import ngettext

KEEP: Final = "snapshots.keep"
SAID: Final = "snapshots.pruned"
MEGABYTE: Final = 1_000_000


def draw(desk: Desk, library: Library, found: Sequence[Snapshot]) -> None:
    """How many stay, a preview of what goes, and the button."""
    said = st.session_state.pop(SAID, "")
    if said:
        st.html(f'<p class="notice" role="status">{markup.marked(said)}</p>')
    words = _(
        "The newest stay, and all with a tag or a note; `snapshots.keep` in rapport.yaml says how many. "
        "Versions of the data that only deleted snapshots needed go with the next refresh."
    )
    st.html(f'<p class="note">{markup.marked(words)}</p>')
    keep = st.number_input(
        _("Keep the newest"), 1, None, desk.project.snapshots.keep, key=KEEP, width=160, format="%d"
    )
    due = library.due(int(keep))
    if not due:
        markup.note(_("Nothing would be deleted."))
        return
    _preview(desk, due, len(found))
    label = ngettext("Delete {n} snapshot", "Delete {n} snapshots", len(due)).format(n=len(due))
    if st.button(label, key="snapshots.prune", icon=":material/delete:", type="primary"):
        st.session_state[SAID] = _deleted(desk, library, int(keep))
        st.rerun()


def _preview(desk: Desk, due: Sequence[Snapshot], count: int) -> None:
    """What goes, the newest first."""
    show = desk.show
    rows = [
        (
            each.manifest.title,
            show.moment(desk.local_time(each.manifest.created_at)),
            show.day(each.manifest.data.as_of),
            show.decimal(each.size / MEGABYTE, 1),
        )
        for each in due
    ]
    columns = [
        Column(_("Snapshot"), "wide"),
        Column(_("Made")),
        Column(_("Data through")),
        Column("MB", "number"),
    ]
    said = _("{n} of {count} would be deleted").format(n=len(due), count=count)
    st.html(markup.card_head(said, ""))
    st.html(markup.table(columns, rows, said))


def _deleted(desk: Desk, library: Library, keep: int) -> str:
    now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
    try:
        gone = prune(library, Store(desk.workspace.store), keep, now)
    except (OSError, SnapshotError, StoreError) as fault:
        return _("Not everything could be deleted: {fault}").format(fault=fault)
    return ngettext("{n} snapshot was deleted.", "{n} snapshots were deleted.", len(gone)).format(n=len(gone))
