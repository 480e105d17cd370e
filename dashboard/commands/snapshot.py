"""`rapport snapshot`, `rapport snapshots` and `rapport compare`: what pages showed, kept and compared."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from connectors.store import Store
from dashboard.category_trees import difference
from dashboard.commands.opening import opened, served
from dashboard.commands.terminal import CannotRun, ProblemFound, progress, say, show, show_json, show_table
from dashboard.format import Formatter
from dashboard.mail import Post, letter
from dashboard.snapshots.library import FOLDER, Library, Marks, Snapshot
from dashboard.snapshots.pins import prune
from dashboard.workspace import PROJECT_VARIABLE, STORE_VARIABLE, Workspace

if TYPE_CHECKING:
    from dashboard.snapshots.compare import Again, Side
    from dashboard.snapshots.reports import Report

NOW: Final = "now"
"""In place of a snapshot: its pages as they are now."""


@dataclass(frozen=True)
class Order:
    """What was typed: a report or pages, the folder to write to, title and maker."""

    report: str | None = None
    pages: Sequence[str] = ()
    out: Path | None = None
    title: str | None = None
    by: str = ""
    as_zip: bool = False
    mail: bool = False


def snapshot(project: Path | None, store: Path | None, order: Order, *, as_json: bool, now: datetime) -> None:
    """Draw the pages, write the snapshot, print where it lies."""
    workspace = opened(project, store)
    served(workspace)
    post = Post.of(os.environ) if order.mail else None
    wanted = _wanted(workspace, order)
    if post and not wanted.recipients:
        message = f"report `{wanted.name}` names no recipients. Add `recipients:` to it in reports.yaml"
        raise CannotRun(message)
    made = _made(workspace, wanted, order, now)
    placed = _delivered(made, order)
    if post:
        post.send(_letter(made, wanted))
    if as_json:
        manifest = made.manifest.model_dump(
            mode="json", include={"id", "title", "content_hash", "created_at"}
        )
        show_json(manifest | {"folder": made.folder, "delivered": placed, "files": list(made.manifest.files)})
    else:
        show(str(placed or made.folder))


def _wanted(workspace: Workspace, order: Order) -> "Report":
    """The report that was named, or one of the pages that were."""
    from dashboard.snapshots.reports import Report, ReportPage, report

    if not order.pages:
        return report(workspace.folder, order.report or "executive")
    try:
        pages = tuple(ReportPage(page=page) for page in order.pages)
    except ValidationError as error:
        raise CannotRun("; ".join(fault["msg"] for fault in error.errors())) from error
    return Report(name="pages", title=order.title or workspace.project.name, pages=pages)


def _made(workspace: Workspace, wanted: "Report", order: Order, now: datetime) -> Snapshot:
    from dashboard.snapshots.drawing import NotDrawn, drawn
    from dashboard.snapshots.make import Wish, make

    with progress() as tell, _named(workspace):
        shown = []
        try:
            for number, page in enumerate(wanted.pages):
                tell(page.page, 0.6 * number / len(wanted.pages))
                shown.append(drawn(page.page, page.address))
        except NotDrawn as fault:
            msg = f"report `{wanted.name}`: {fault}"
            raise CannotRun(msg) from fault
        return make(shown, Wish(order.title or wanted.title, order.by, now), tell)


def _letter(made: Snapshot, wanted: "Report") -> EmailMessage:
    """The report as PDF and HTML, with what it is and when it was true."""
    manifest = made.manifest
    words = (
        f"{manifest.title}\n{manifest.project}, data through {manifest.data.as_of}\n{wanted.description}\n"
    )
    files = {f"{made.id}.{kind}": (made.folder / f"report.{kind}").read_bytes() for kind in ("pdf", "html")}
    return letter(f"{manifest.title}: {manifest.project}", words, wanted.recipients, files)


def _delivered(made: Snapshot, order: Order) -> Path | None:
    """The snapshot in the folder that was named, as a folder or one zip."""
    if order.out is None:
        return None
    order.out.mkdir(parents=True, exist_ok=True)
    if order.as_zip:
        place = order.out / f"{made.id}.zip"
        place.write_bytes(made.archive())
        return place
    return Library(order.out).add(made.manifest, made.files()).folder


def list_snapshots(
    project: Path | None,
    store: Path | None,
    *,
    verify: bool,
    keep: int | None,
    as_json: bool,
    now: datetime,
) -> None:
    """Every snapshot of the project, the newest first; with `verify` also what was changed in any file.

    With `keep` all but the newest so many are deleted first, those with a tag or a note excepted.
    """
    workspace = opened(project, store)
    library = Library(workspace.folder / FOLDER)
    if keep is not None:
        gone = prune(library, Store(workspace.store), keep, now)
        say(f"{len(gone)} deleted: {', '.join(each.id for each in gone)}" if gone else "nothing to delete")
    found = library.snapshots()
    faults = {each.id: each.faults() if verify else [] for each in found}
    if as_json:
        kept = {"id", "title", "created_at", "created_by", "product", "content_hash"}
        rows = [each.manifest.model_dump(mode="json", include=kept) for each in found]
        show_json([row | {"faults": faults[str(row["id"])]} for row in rows])
    else:
        marks = library.notes().marks
        last = {each.id: ", ".join(marks.get(each.id, Marks()).tags) for each in found}
        if verify:
            last = {name: "; ".join(each) or "none" for name, each in faults.items()}
        head = ("snapshot", "title", "made", "by", "data through", "faults" if verify else "tags")
        show_table(head, [(*_line(workspace, each), last[each.id]) for each in found])
    if any(faults.values()):
        raise ProblemFound("\n".join(f"{name}: {'; '.join(each)}" for name, each in faults.items() if each))


def _line(workspace: Workspace, snapshot: Snapshot) -> tuple[str, ...]:
    """What a snapshot is, its moment in the time zone of the project."""
    manifest, project = snapshot.manifest, workspace.project
    show = Formatter(project.locale, project.currency)
    made = show.moment(manifest.created_at.astimezone(ZoneInfo(project.timezone)))
    return (snapshot.id, manifest.title, made, manifest.created_by, show.day(manifest.data.as_of))


def compare(
    project: Path | None,
    store: Path | None,
    names: tuple[str, str],
    *,
    page: Path | None = None,
    as_json: bool,
    now: datetime,
) -> None:
    """What changed between two snapshots and why, the older one first; `now` is the same pages today.

    With `page` it is written there as HTML.
    """
    from dashboard.snapshots import comparison
    from dashboard.snapshots.compare import Side, compared
    from dashboard.snapshots.told import as_rows, rounded

    workspace = opened(project, store)
    library = Library(workspace.folder / FOLDER)
    older = library.find(names[0])
    before = Side(older.manifest, older.said())
    if names[1] == NOW:
        after = _today(workspace, before, now)
    else:
        newer = library.find(names[1])
        after = Side(newer.manifest, newer.said())
    changes = compared(before, after, _reckoner(workspace, after.manifest.data.version))
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(comparison.page(changes, before, after))
    if as_json:
        show_json([rounded(change) for change in changes])
    elif page is not None:
        show(str(page))
    else:
        manifest = after.manifest
        head = ("page", "figure", ">before", ">after", ">change", "why")
        show_table(head, as_rows(changes, Formatter(manifest.locale, manifest.currency)))
        versions = (each.manifest.data.version for each in (before, after))
        if differing := difference(Store(workspace.store), *versions):
            say(differing)


def _today(workspace: Workspace, before: "Side", now: datetime) -> "Side":
    """The pages of a snapshot as they are now, under the same choices."""
    from dashboard.snapshots.compare import Side
    from dashboard.snapshots.drawing import NotDrawn, drawn
    from dashboard.snapshots.make import Wish, composed

    served(workspace)
    try:
        with progress() as tell, _named(workspace):
            shown = [drawn(page.path, page.address) for page in before.content.pages]
            return Side(*composed(shown, Wish(before.manifest.title, "", now), tell))
    except NotDrawn as fault:
        message = f"snapshot `{before.manifest.id}`: {fault}"
        raise CannotRun(message) from fault


def _reckoner(workspace: Workspace, version: str) -> "Again | None":
    """What reckons figures anew; None where the project is not that of the snapshots."""
    from dashboard import data
    from dashboard.snapshots.again import reckoner

    with _named(workspace):
        desk = data.open_desk()
    return None if desk is None else reckoner(desk, version)


@contextmanager
def _named(workspace: Workspace) -> Iterator[None]:
    """Names the project where pages look for it."""
    named = {PROJECT_VARIABLE: str(workspace.folder), STORE_VARIABLE: str(workspace.store)}
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
