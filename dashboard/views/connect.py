"""Connect: choose a file or a database, see its rows, map its columns, try it, load it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from config.errors import ConfigError, Fault
from connectors.errors import SourceError
from dashboard import data
from dashboard.connecting import places, rehearsal
from dashboard.connecting.places import Look
from dashboard.format import Formatter
from dashboard.parts import markup, states
from dashboard.parts.fate import Fate, fate
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import connect_mapping
from dashboard.workspace import Workspace

KEY: Final = "connect"
TRIED: Final = f"{KEY}.tried"
WAYS: Final = {
    "upload": later("Upload a file"),
    "file": later("A file of the project"),
    "database": later("A database"),
}
_ROWS: Final = 6


def render() -> None:
    """Draw the page."""
    ours = data.workspace()
    markup.head(_("Connect"), _("From a file or a database to figures, without YAML"))
    if data.is_demo():
        states.empty(
            "folder_off",
            _("The demo takes no sources"),
            _("Start a project of your own in a terminal; it opens on this page."),
            "rapport init shop --blank && rapport run --project shop",
        )
        return
    said = _place(ours)
    if said is None:
        return
    found = _looked(said, ours)
    if found is None:
        return
    said = _first_rows(said, found, ours)
    mapped = connect_mapping.render(said, found)
    _try(ours, mapped)


# Where it lies


def _place(ours: Workspace) -> dict[str, Any] | None:
    markup.section(_("1. Where it lies"), _("Nothing leaves this computer; nothing is changed at the source"))
    with st.container(border=True, key="card-connect-place"):
        way = st.segmented_control(
            _("Kind"),
            list(WAYS),
            default="upload",
            required=True,
            format_func=lambda name: _(WAYS[name]),
            key=f"{KEY}.way",
            label_visibility="collapsed",
        )
        try:
            return {"upload": _uploaded, "file": _chosen, "database": _database}[way or "upload"](ours)
        except (Fault, SourceError) as error:
            markup.notice(str(error))
            return None


def _uploaded(ours: Workspace) -> dict[str, Any] | None:
    given = st.file_uploader(
        _("CSV, TSV, Excel, Parquet or JSON lines"),
        type=[suffix.removeprefix(".") for suffix in places.KINDS],
        key=f"{KEY}.file",
    )
    if given is None:
        return None
    target = ours.folder / "data" / Path(given.name).name
    content = given.getvalue()
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    return places.file_place(f"data/{target.name}")


def _chosen(ours: Workspace) -> dict[str, Any] | None:
    options = places.files(ours.folder)
    location = st.selectbox(
        _("File, folder or pattern within the project, such as data/orders-*.csv"),
        options,
        index=None,
        placeholder=_("Choose a file, or type a pattern"),
        accept_new_options=True,
        key=f"{KEY}.location",
    )
    return places.file_place(places.whole_folder(ours.folder, location)) if location else None


def _database(ours: Workspace) -> dict[str, Any] | None:
    variable = st.text_input(
        _("Environment variable that holds the address"),
        placeholder="SHOP_DATABASE",
        help=_("Such as postgresql://user:password@host/database. The address itself is never written down."),
        key=f"{KEY}.variable",
        width=420,
    ).strip()
    if not variable:
        return None
    names = places.tables(variable, ours.folder)
    relation = st.selectbox(
        _("Table or view"), names, index=None, placeholder=_("Choose a table"), key=f"{KEY}.table", width=420
    )
    query = st.text_area(_("Or one SELECT"), key=f"{KEY}.query", height=90)
    if not relation and not query.strip():
        return None
    return places.database_place(variable, relation or "", query.strip())


# Its first rows


def _looked(said: dict[str, Any], ours: Workspace) -> Look | None:
    try:
        return data.looked(said, ours.folder)
    except (Fault, SourceError) as error:
        states.empty("error", _("It cannot be read"), str(error))
        return None


def _first_rows(said: dict[str, Any], found: Look, ours: Workspace) -> dict[str, Any]:
    shape = _("{columns} columns; the first rows as they stand").format(columns=found.rows.width)
    markup.section(_("2. The first rows"), shape)
    if found.guess:
        said = said | {"encoding": found.guess.encoding}
        text = _("The file is not UTF-8. It is {guess}. If these are not its words, save it as UTF-8.")
        markup.notice(text.format(guess=found.guess.shown))
    for warning in found.warnings:
        markup.notice(warning)
    _preview(found.rows.head(_ROWS))
    for text in found.notes:
        markup.note(text)
    return said


def _preview(rows: pl.DataFrame) -> None:
    columns = [Column(name, "number" if dtype.is_numeric() else "") for name, dtype in rows.schema.items()]
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows.iter_rows()]
    st.html(markup.table(columns, cells, _("First rows")))


# Trying and saving


def _try(ours: Workspace, said: dict[str, Any]) -> None:
    markup.section(_("4. Try it"), _("Every row is read and checked; nothing is saved"))
    with st.container(horizontal=True, key="connect-actions"):
        if st.button(_("Try it"), key=f"{KEY}.try", icon=":material/science:"):
            now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
            with st.spinner(_("Reading every row")):
                st.session_state[TRIED] = (said, rehearsal.rehearse(ours.folder, ours.project, said, now))
        tried, outcome = st.session_state.get(TRIED, (None, None))
        good = tried == said and outcome is not None and outcome.report and outcome.report.accepted
        wanted = st.button(
            _("Save and load"), type="primary", key=f"{KEY}.save", disabled=not good, icon=":material/check:"
        )
    if outcome is not None and tried == said:
        _outcome(outcome, Formatter(ours.project.locale, ours.project.currency))
    elif outcome is not None:
        markup.note(_("The mapping has changed since it was tried."))
    if wanted:
        _load(ours, said)


def _outcome(outcome: rehearsal.Rehearsal, show: Formatter) -> None:
    for fault in outcome.faults:
        markup.notice(fault)
    report = outcome.report
    if report is None:
        return
    rows = Fate(
        read=report.rows_read,
        accepted=report.accepted,
        quarantined=sum(report.quarantined.values()),
        filtered=sum(report.filtered.values()),
        merged=report.merged,
    )
    with st.container(border=True, key="card-connect-fate"):
        fate(rows, show)
    reasons = [
        [kind, reason, show.decimal(count, 0)]
        for kind, counts in ((_("quarantined"), report.quarantined), (_("filtered"), report.filtered))
        for reason, count in counts.items()
    ]
    if reasons:
        heads = [Column(_("What")), Column(_("Reason"), "wide"), Column(_("Rows"), "number")]
        st.html(markup.table(heads, reasons, _("Reasons")))
    if outcome.set_aside is not None:
        with st.expander(_("Rows that would be set aside")):
            _preview(outcome.set_aside.head(20))
    for text in report.notes:
        markup.note(text)


def _advance(bar: DeltaGenerator, words: str, share: float) -> None:
    bar.progress(min(max(share, 0.0), 1.0), words)


def _load(ours: Workspace, said: dict[str, Any]) -> None:
    """Save the source, read every source with progress, and open the first page."""
    bar = st.progress(0.0, _("Saving"))
    now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
    try:
        rehearsal.save(ours.folder, said)
        data.refresh(ours, now, lambda words, share: _advance(bar, words, share))
    except (Fault, ConfigError, SourceError) as error:
        bar.empty()
        states.empty("error", _("It could not be loaded"), str(error))
        return
    bar.empty()
    from dashboard.shell import open_first

    open_first()
