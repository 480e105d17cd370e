"""Data: where the figures come from, what became of every row, and what was set aside."""

from __future__ import annotations

import polars as pl
import streamlit as st

from connectors.store import Manifest, SourceReport
from dashboard import data
from dashboard.desk import Desk
from dashboard.format import Formatter
from dashboard.parts import markup, states
from dashboard.parts.fate import Fate, fate
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from dashboard.views import data_identities, data_refreshes


def render() -> None:
    """Draw the page."""
    desk = data.desk()
    manifest, show = desk.manifest, desk.show
    caption = _("{project} \N{MIDDLE DOT} data through {day} \N{MIDDLE DOT} refreshed {moment}")
    moment = show.moment(desk.local(manifest))
    markup.head(
        _("Data"), caption.format(project=desk.project.name, day=show.day(manifest.as_of), moment=moment)
    )
    warned = (f"`{report.name}`: {words}" for report in manifest.sources for words in report.warnings)
    for text in (*warned, *manifest.notes):
        markup.notice(text)
    _rows(manifest, show)
    _sources(manifest, show)
    _set_aside(manifest, show)
    _quarantine(desk)
    data_identities.render(desk)
    data_refreshes.render(desk)
    _versions(desk)
    _meaning(desk)


def _rows(manifest: Manifest, show: Formatter) -> None:
    markup.section(_("What became of every row"), _("Each row that was read is in exactly one of these"))
    with st.container(border=True, key="card-data-rows"):
        fate(_fate(manifest.sources), show)


def _fate(reports: tuple[SourceReport, ...]) -> Fate:
    return Fate(
        read=sum(report.rows_read for report in reports),
        accepted=sum(report.accepted for report in reports),
        quarantined=sum(sum(report.quarantined.values()) for report in reports),
        filtered=sum(sum(report.filtered.values()) for report in reports),
        merged=sum(report.merged for report in reports),
    )


def _sources(manifest: Manifest, show: Formatter) -> None:
    markup.section(_("Sources"))
    columns = [
        Column(_("Source")),
        Column(_("Feeds")),
        Column(_("From")),
        *(
            Column(title, "number")
            for title in (_("Read"), _("Accepted"), _("Quarantined"), _("Filtered"), _("Merged"))
        ),
    ]
    rows = [
        [report.name, report.table or _("joined only"), _origin(report, show), *_counts((report,), show)]
        for report in manifest.sources
    ]
    total = [_("All"), "", "", *_counts(manifest.sources, show)]
    markup.show_table(columns, rows, _("Sources"), total=total)
    _notes(manifest)


def _notes(manifest: Manifest) -> None:
    """How the files were understood, folded away: it is read when a figure surprises."""
    notes = [[report.name, text] for report in manifest.sources for text in report.notes]
    if notes:
        with st.expander(_("How the files were read")):
            markup.show_table([Column(_("Source")), Column(_("Found"), "wide")], notes, _("Notes"))


def _origin(report: SourceReport, show: Formatter) -> str:
    if not report.files:
        return ""
    first = report.files[0]
    name = first.path.replace("\\", "/").rsplit("/", 1)[-1]
    size = sum(file.bytes for file in report.files)
    more = (
        _("{name} and {n} more").format(name=name, n=len(report.files) - 1) if len(report.files) > 1 else name
    )
    return f"{more}, {show.size(size)}" if size else more


def _counts(reports: tuple[SourceReport, ...], show: Formatter) -> list[str]:
    row = _fate(reports)
    return [show.decimal(n, 0) for n in (row.read, row.accepted, row.quarantined, row.filtered, row.merged)]


def _set_aside(manifest: Manifest, show: Formatter) -> None:
    rows = [
        [report.name, kind, reason, show.decimal(n, 0)]
        for report in manifest.sources
        for kind, counts in (
            (_("quarantined"), report.quarantined),
            (_("filtered"), report.filtered),
            (_("repaired cells"), report.repaired),
            (_("counted again"), _again(report)),
        )
        for reason, n in counts.items()
    ]
    if rows:
        markup.section(
            _("Reasons"), _("Quarantined rows could not be read; filtered rows were left out on purpose")
        )
        columns = [
            Column(_("Source")),
            Column(_("What")),
            Column(_("Reason"), "wide"),
            Column(_("Rows"), "number"),
        ]
        markup.show_table(columns, rows, _("Reasons"))


def _again(report: SourceReport) -> dict[str, int]:
    if not report.repeated:
        return {}
    return {_("equal to another row in every column; `duplicates: merge` counts it once"): report.repeated}


def _quarantine(desk: Desk) -> None:
    manifest, show = desk.manifest, desk.show
    markup.section(_("Quarantine"), _("Rows set aside, with every original value; mend them and refresh"))
    sources = [report.name for report in manifest.sources if report.quarantined]
    if not sources:
        states.empty(
            "task_alt", _("Nothing was set aside"), _("Every row that was read could be understood.")
        )
        return
    with st.container(horizontal=True, gap="small"):
        source = st.selectbox(_("Source"), sources, key="data.quarantine_source")
        frame = desk.quarantine(source)
        reasons = frame["reason"].unique().sort().to_list()
        reason = st.selectbox(_("Reason"), [_("All reasons"), *reasons], key="data.quarantine_reason")
    rows = frame.filter(pl.col("reason") == reason) if reason in reasons else frame
    shown = _arranged(rows)
    listing(
        shown,
        [Column(_heading(name), "wide" if name.startswith("reason") else "") for name in shown.columns],
        lambda page: [["" if cell is None else str(cell) for cell in row] for row in page.iter_rows()],
        show,
        key="data.quarantine",
        file=f"quarantine-{source}",
        label=_("Quarantined rows of {source}").format(source=source),
        placeholder=_("Search in the rows"),
    )


def _arranged(rows: pl.DataFrame) -> pl.DataFrame:
    """What is wrong first, then the original values, the file last; all reasons where there are several."""
    first = [name for name in ("row", "reason", "column", "value") if name in rows.columns]
    last = [name for name in ("reasons", "file") if name in rows.columns]
    if "reasons" in last and rows["reasons"].equals(rows["reason"]):
        last.remove("reasons")
    original = [name for name in rows.columns if name not in (*first, "reasons", "file")]
    return rows.select(*first, *original, *last)


def _heading(name: str) -> str:
    ours = {
        "row": _("Row"),
        "reason": _("Reason"),
        "reasons": _("All reasons"),
        "column": _("Column"),
        "value": _("Value"),
        "file": _("File"),
    }
    return ours.get(name, name)


def _versions(desk: Desk) -> None:
    manifest, show = desk.manifest, desk.show
    markup.section(_("Versions"), _("Each refresh publishes a new one; the newest is served"))
    columns = [
        Column(_("Version"), "code"),
        Column(_("Refreshed")),
        Column(_("Data through")),
        Column(_("Rows accepted"), "number"),
        Column(_("Content"), "code"),
        Column(_("State")),
    ]
    rows = [
        [
            each.id,
            show.moment(desk.local(each)),
            show.day(each.as_of),
            show.decimal(_fate(each.sources).accepted, 0),
            each.content_hash[:12],
            _("served") if each.id == manifest.id else "",
        ]
        for each in desk.versions()
    ]
    markup.show_table(columns, rows, _("Versions"))


def _meaning(desk: Desk) -> None:
    manifest, show = desk.manifest, desk.show
    rule = desk.project.as_of
    if rule == "last_day":
        said = _("the last complete day of the data (`as_of: last_day` in rapport.yaml)")
    else:
        said = _("the day that `as_of` in rapport.yaml names")
    text = _(
        "As of {day}: figures count what happened up to the end of that day, in the time zone {zone}. "
        "It is {rule}. A period that ends later is not over, and is never compared."
    )
    markup.note(text.format(day=show.day(manifest.as_of), zone=desk.project.timezone, rule=said))
