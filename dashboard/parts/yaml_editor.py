"""A YAML editor with line numbers, completion and the faults of the text marked where they stand."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import streamlit as st

from config.errors import Problem, sentence

_ASSETS = files("dashboard") / "assets" / "editor"
_FRAME = "#editor { border: 1px solid var(--st-border-color); border-radius: 8px; overflow: hidden; }"

_COMPONENT = st.components.v2.component(
    "rapport_yaml_editor",
    html='<div id="editor"></div>',
    css=_FRAME,
    js=(_ASSETS / "editor.js").read_text(encoding="utf-8"),
)


def yaml_editor(
    text: str,
    *,
    key: str,
    label: str,
    problems: Sequence[Problem] = (),
    names: Sequence[str] = (),
    revision: str = "",
    read_only: bool = False,
    first_line: int = 1,
    height: int = 420,
) -> str:
    """Show `text` for editing and return what it has become.

    `problems` are marked at their line and column. `names` complete what is typed. A change of `revision`
    replaces the edited text by `text`; as long as it stays the same, what the person types stands. A text
    that is a part of a file is numbered from `first_line`; problems count within the text.
    """
    data: dict[str, Any] = {
        "text": text,
        "revision": revision,
        "label": label,
        "readOnly": read_only,
        "firstLine": first_line,
        "height": height,
        "names": [{"label": name} for name in names],
        "faults": [_fault(problem) for problem in problems],
    }
    result = _COMPONENT(key=key, data=data, default={"text": text}, on_text_change=lambda: None)
    return str(result.text)


def _fault(problem: Problem) -> dict[str, Any]:
    return {
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": sentence(problem.fault, problem.remedy),
    }
