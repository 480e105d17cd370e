"""The editor of a definition: its faults as one types, the figure that it would give, what it changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import streamlit as st

from config.errors import Problem
from dashboard import data
from dashboard.definitions import Definitions
from dashboard.desk import Desk
from dashboard.editing import history, workbench
from dashboard.editing.drafts import Draft
from dashboard.parts import markup
from dashboard.parts.states import guarded
from dashboard.parts.yaml_editor import yaml_editor
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.views import definition_effect
from metrics.relations import RELATIONS

LINE, LOWEST, HIGHEST = 21, 300, 620
"""Pixels a line of the editor, and the bounds of its height."""


def draw(name: str) -> None:
    """Draw the editor of a metric; typing draws only this part of the page again."""
    st.fragment(guarded(_draw))(name)


def _draw(name: str) -> None:
    desk = data.desk()
    draft = workbench.draft(desk, name)
    base = _base(name, draft)
    text = _typed(name, base)
    after = workbench.what_if(desk, draft.file, draft.file_text(text))
    own = [problem for problem in after.problems if problem.path == str(draft.file)]
    if not any(problem.severity == "error" for problem in own):
        own += workbench.failing(desk, after, name)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _editor(desk, name, draft, base, own)
        _buttons(desk, name, draft, text, own)
    with right:
        _outcome(desk, name, after, own, changed=text != draft.text)


def _base(name: str, draft: Draft) -> str:
    """The text that the editor starts from; a file that changes under an edit is announced, not taken."""
    kept = _key(name, "base")
    base = str(st.session_state.setdefault(kept, draft.text))
    if base == draft.text:
        return base
    if _typed(name, base) not in (base, draft.text):
        markup.notice(
            _("The file was changed elsewhere while you were editing. Saving replaces that change.")
        )
        if not st.button(_("Take the file's text"), key=_key(name, "take"), icon=":material/sync:"):
            return base
    st.session_state[kept] = draft.text
    st.session_state[_key(name, "revision")] = _revision(name) + 1
    return draft.text


def _revision(name: str) -> int:
    """How often the editor's text was replaced. Saving replaces nothing: a person may be typing on."""
    return int(st.session_state.get(_key(name, "revision"), 0))


def _typed(name: str, base: str) -> str:
    """What the person has typed so far. Until the editor took over a new base, that is the base."""
    state = st.session_state.get(_key(name), {})
    taken = st.session_state.get(_key(name, "taken")) == _revision(name)
    return str(state.get("text", base)) if taken else base


def _key(name: str, part: str = "text") -> str:
    return f"editor.{name}.{part}"


def _editor(desk: Desk, name: str, draft: Draft, base: str, own: Sequence[Problem]) -> None:
    place = desk.place(str(draft.file))
    if draft.file.is_file():
        markup.note(_("In `{file}`").format(file=place))
    else:
        markup.note(_("Saving writes `{file}` in this project; the shipped file stays.").format(file=place))
    yaml_editor(
        base,
        key=_key(name),
        label=_("Definition of {name}").format(name=name),
        problems=[draft.here(problem) for problem in own],
        names=_words(desk),
        revision=str(_revision(name)),
        first_line=draft.first_line,
        height=min(max(base.count("\n") * LINE + 40, LOWEST), HIGHEST),
    )
    st.session_state[_key(name, "taken")] = _revision(name)


def _words(desk: Desk) -> list[str]:
    """What may be typed: the keys of definitions, the names of metrics, tables and columns."""
    located = desk.definitions.located
    keys = {key for each in located.values() for key in type(each.value).model_fields}
    columns = {column for relation in RELATIONS.values() for column in relation.columns}
    return sorted({*keys, *located, *RELATIONS, *columns, *desk.attributes})


def _buttons(desk: Desk, name: str, draft: Draft, text: str, own: Sequence[Problem]) -> None:
    errors = sum(problem.severity == "error" for problem in own)
    changed, writable = text != draft.text, _is_writable(desk, draft)
    label = ngettext("Save with {n} error", "Save with {n} errors", errors).format(n=errors)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="editor-buttons"):
        saved = st.button(
            label if errors and changed else _("Save"),
            type="secondary" if errors else "primary",
            disabled=not (changed and writable),
            key=_key(name, "save"),
            icon=":material/save:",
        )
        markup.note(_advice(changed=changed, writable=writable, errors=errors))
    if saved:
        _save(desk, name, draft, text)


def _is_writable(desk: Desk, draft: Draft) -> bool:
    there = (draft.file, draft.file.parent, desk.workspace.folder)
    return os.access(next(path for path in there if path.exists()), os.W_OK)


def _advice(*, changed: bool, writable: bool, errors: int) -> str:
    if not writable:
        return _("The project folder cannot be written from here; edit the file itself.")
    if errors:
        return _("Until it is mended, the last good definition stays served.")
    return _("The old text is kept under History.") if changed else _("Nothing is changed yet.")


def _save(desk: Desk, name: str, draft: Draft, text: str) -> None:
    now = datetime.now(UTC)  # noqa: TID251  # the clock of a click; it is passed down
    history.save(draft.file, draft.file_text(text), now)
    st.session_state[_key(name, "base")] = text
    st.toast(_("Saved {file}").format(file=desk.place(str(draft.file))), icon=":material/check:")
    st.rerun()


def _outcome(desk: Desk, name: str, after: Definitions, own: Sequence[Problem], *, changed: bool) -> None:
    """What the text is worth: its faults, else the figure and what else changes."""
    if own:
        _found(desk, own)
    if any(problem.severity == "error" for problem in own):
        definition_effect.preview(desk, name, desk.definitions, _("Served until it is mended"))
        return
    title = _("All history, as of {day}").format(day=desk.show.day(desk.as_of))
    definition_effect.preview(desk, name, after, title, changed=changed)
    if changed:
        definition_effect.draw(desk, name, workbench.changes(desk, after))


def _found(desk: Desk, problems: Sequence[Problem]) -> None:
    """The faults as `path:line:column` and a sentence each."""
    listed = "".join(
        f'<li class="{problem.severity}"><span class="place">{escape(_place(desk, problem))}</span>'
        f"{markup.marked(_sentence(problem))}</li>"
        for problem in problems
    )
    st.html(f'<ul class="found" role="alert">{listed}</ul>')


def _place(desk: Desk, problem: Problem) -> str:
    return f"{desk.place(problem.path)}:{problem.line}:{problem.column}"


def _sentence(problem: Problem) -> str:
    return problem.render().removeprefix(f"{problem.path}:{problem.line}:{problem.column}: ")
