"""The history of a definition: what it said when, what changed each time, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import streamlit as st

from config.load import open_document
from dashboard.definitions import shipped_definitions
from dashboard.desk import Desk
from dashboard.editing import history, workbench
from dashboard.editing.drafts import cut, own_file, without
from dashboard.parts import states
from dashboard.text import gettext as _


@dataclass(frozen=True)
class Said:
    """What a definition said from a moment on; None for the moment stands for as shipped."""

    text: str
    since: datetime | None


def draw(desk: Desk, name: str) -> None:
    """Draw the history of a metric."""
    said = sayings(desk, name)
    if len(said) < 2:
        states.empty(
            "history",
            _("Nothing was changed yet"),
            _("Every saved edit is kept here with its date, and can be restored."),
        )
        return
    for at, (each, earlier) in enumerate(zip(said, [*said[1:], None], strict=True)):
        with st.container(border=True, key=f"card-history-{at}"):
            with st.container(horizontal=True, horizontal_alignment="distribute", key=f"history-head-{at}"):
                mark = escape(_mark(desk, name, at, each))
                st.html(f'<p class="when">{escape(_when(desk, each))}<small>{mark}</small></p>')
                if at and st.button(_("Restore"), key=f"history.{name}.{at}", icon=":material/restore:"):
                    _restore(desk, name, each)
            if earlier is not None:
                st.html(_difference(earlier.text, each.text))


def sayings(desk: Desk, name: str) -> list[Said]:
    """What the definition of a metric said, the newest first; versions that left it alone are passed over."""
    file = own_file(desk.workspace.folder, desk.definitions.located[name].document)
    shipped = _shipped(name)
    found = [Said(_part(file, text, name) or shipped, since) for text, since in _texts(file)]
    if shipped:
        found = [*([] if file.is_file() else [Said(shipped, None)]), *found, Said(shipped, None)]
    older = [said.text for said in found[1:]] + [""]
    return [said for said, before in zip(found, older, strict=True) if said.text != before]


def _texts(file: Path) -> list[tuple[str, datetime]]:
    """What a file said since when, the newest first; an edit by hand that is not kept yet among them."""
    kept = [(version.text, version.since) for version in history.versions(file)]
    now = file.read_text(encoding="utf-8") if file.is_file() else None
    if now is None or (kept and kept[0][0] == now):
        return kept
    return [(now, datetime.fromtimestamp(file.stat().st_mtime, UTC)), *kept]


def _part(file: Path, text: str, name: str) -> str:
    """The text of one definition in a version of its file; empty when it does not stand there."""
    draft = cut(open_document(file, text=text), name)
    return draft.text if draft else ""


def _shipped(name: str) -> str:
    found = (each.document for each in shipped_definitions().items if each.value.name == name)
    return next((draft.text for document in found if (draft := cut(document, name))), "")


def _when(desk: Desk, said: Said) -> str:
    if said.since is None:
        return _("As shipped")
    return desk.show.moment(said.since.astimezone(ZoneInfo(desk.project.timezone)))


def _mark(desk: Desk, name: str, at: int, said: Said) -> str:
    state = _("broken, not served") if name in desk.definitions.kept else _("in force")
    notes = [state if at == 0 else "", _("comes with the product") if said.since is None else ""]
    return ", ".join(note for note in notes if note)


def _restore(desk: Desk, name: str, said: Said) -> None:
    """Let an old text hold again; as shipped, the project's own text is taken out of its file."""
    now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
    draft = workbench.draft(desk, name)
    text: str | None = draft.file_text(said.text)
    if said.text == _shipped(name):
        text = without(open_document(draft.file), name)
    if text is None:
        history.remove(draft.file)
    else:
        history.save(draft.file, text, now)
    st.toast(_("Restored {name}").format(name=name), icon=":material/restore:")
    st.rerun()


def _difference(before: str, after: str) -> str:
    kinds = {"-": "out", "+": "in"}
    lines = "".join(
        f'<span class="{kinds.get(line.sign, "")}">{escape(line.sign + " " + line.text)}</span>'
        for line in history.difference(before, after)
    )
    return (
        f'<div class="diff" role="region" tabindex="0" aria-label="{escape(_("Difference"))}">{lines}</div>'
    )
