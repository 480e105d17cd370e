"""`rapport snapshot`, `rapport snapshots` and `rapport compare`: what pages showed, kept and compared."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dashboard.commands.opening import opened, served
from dashboard.commands.terminal import CannotRun, progress, show, show_json
from dashboard.snapshots.library import Library, Snapshot
from dashboard.workspace import PROJECT_VARIABLE, STORE_VARIABLE, Workspace


@dataclass(frozen=True)
class Order:
    """What was typed: a report or pages, the folder to write to, title and maker."""

    report: str | None = None
    pages: Sequence[str] = ()
    out: Path | None = None
    title: str | None = None
    by: str = ""
    as_zip: bool = False


def snapshot(project: Path | None, store: Path | None, order: Order, *, as_json: bool, now: datetime) -> None:
    """Draw the pages, write the snapshot, print where it lies."""
    workspace = opened(project, store)
    served(workspace)
    made = _made(workspace, order, now)
    placed = _delivered(made, order)
    if as_json:
        manifest = made.manifest.model_dump(
            mode="json", include={"id", "title", "content_hash", "created_at"}
        )
        show_json(manifest | {"folder": made.folder, "delivered": placed, "files": list(made.manifest.files)})
    else:
        show(str(placed or made.folder))


def _made(workspace: Workspace, order: Order, now: datetime) -> Snapshot:
    from dashboard.snapshots.drawing import NotDrawn, drawn
    from dashboard.snapshots.make import Wish, make
    from dashboard.snapshots.reports import Report, ReportPage, report

    # Pages find their project where the server finds it.
    os.environ[PROJECT_VARIABLE], os.environ[STORE_VARIABLE] = str(workspace.folder), str(workspace.store)
    if order.pages:
        pages = tuple(ReportPage(page=page) for page in order.pages)
        wanted = Report(name="pages", title=order.title or workspace.project.name, pages=pages)
    else:
        wanted = report(workspace.folder, order.report or "executive")
    with progress() as tell:
        shown = []
        try:
            for number, page in enumerate(wanted.pages):
                tell(page.page, 0.6 * number / len(wanted.pages))
                shown.append(drawn(page.page, page.address))
        except NotDrawn as fault:
            msg = f"report `{wanted.name}`: {fault}"
            raise CannotRun(msg) from fault
        return make(shown, Wish(order.title or wanted.title, order.by, now), tell)


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
