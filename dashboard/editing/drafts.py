"""Drafts: the text of one definition cut out of its file for editing, and put back among its neighbours.

A shipped definition is never edited: its draft is a copy in the project's own file of the same name, where it
overrides the shipped one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from config.documents import Document
from config.errors import Problem
from config.load import Located, open_document
from dashboard.definitions import UNDER
from metrics.catalog import Definition

INDENT: Final = "  "


@dataclass(frozen=True)
class Draft:
    """A part of a definition file: `text` is edited, the lines of `head` and `tail` stay.

    `text` is shown without its `indent`. A file that cannot be cut (its YAML is broken, or its list stands in
    brackets) is edited whole: head and tail are empty.
    """

    file: Path
    text: str
    head: str = ""
    tail: str = ""
    indent: str = ""

    @property
    def is_whole_file(self) -> bool:
        """Whether the draft is the file itself."""
        return not (self.head or self.tail)

    @property
    def first_line(self) -> int:
        """The line of the file in which the draft begins."""
        return self.head.count("\n") + 1

    def file_text(self, text: str) -> str:
        """The text of the file when the draft says `text`."""
        if self.is_whole_file:
            return text
        body = "".join(
            f"{self.indent}{line}" if line.strip() else line
            for line in _ended(text).splitlines(keepends=True)
        )
        return f"{self.head}{body}{self.tail}"

    def here(self, problem: Problem) -> Problem:
        """The problem with line and column within the draft; outside of it they lie before its first line."""
        if self.is_whole_file:
            return problem
        line = problem.line - self.first_line + 1
        return replace(problem, line=line, column=max(problem.column - len(self.indent), 1))


def own_file(folder: Path, document: Document) -> Path:
    """The project's own file for the definitions of a file, shipped or own: `metrics/<family>.yaml`."""
    return folder / UNDER / Path(document.path).name


def draft_of(folder: Path, located: Located[Definition]) -> Draft:
    """The draft of a definition in the project's own file, to which it is added when it is not there."""
    file = own_file(folder, located.document)
    written = cut(located.document, located.value.name)
    text = written.text if written else ""
    if not file.is_file():
        return Draft(file, text, head=f"{UNDER}:\n", indent=INDENT)
    document = open_document(file)
    if own := cut(document, located.value.name):
        return own
    if document.root is None or document.text.rstrip().endswith(("]", "}")) or not text:
        return Draft(file, document.text)
    indent = _indent_of(document) or INDENT
    return Draft(file, text, head=f"{_ended(document.text)}\n", indent=indent)


def cut(document: Document, name: str, under: str = UNDER) -> Draft | None:
    """The draft of a definition that stands in a file, on lines of its own; None when it does not.

    `under` is the key of the list in which it stands.
    """
    items = _items(document, under)
    at = next((at for at, item in enumerate(items) if _name_of(item) == name), None)
    if at is None:
        return None
    lines = document.text.splitlines(keepends=True)
    first = items[at].start_mark.line
    following = items[at + 1].start_mark.line if at + 1 < len(items) else len(lines)
    if following == first or not lines[first].lstrip().startswith("- "):
        return None
    last = _without_trailing_notes(lines, first, following)
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    text = "".join(line.removeprefix(indent) for line in lines[first:last])
    head, tail = "".join(lines[:first]), "".join(lines[last:])
    return Draft(Path(document.path), _ended(text), head, tail, indent)


def without(document: Document, name: str, under: str = UNDER) -> str | None:
    """The text of a file without one of its definitions; None when no other is left, or it cannot be cut."""
    draft = cut(document, name, under)
    if draft is None or len(_items(document, under)) == 1:
        return None
    lines = draft.head.splitlines(keepends=True)
    return "".join(lines[: _without_trailing_notes(lines, 0, len(lines))]) + draft.tail


def _items(document: Document, under: str) -> Sequence[yaml.Node]:
    root = document.root
    if not isinstance(root, yaml.MappingNode):
        return ()
    listed = (value for key, value in root.value if key.value == under)
    found = next(listed, None)
    return found.value if isinstance(found, yaml.SequenceNode) and not found.flow_style else ()


def _name_of(item: yaml.Node) -> str | None:
    if not isinstance(item, yaml.MappingNode):
        return None
    return next((value.value for key, value in item.value if key.value == "name"), None)


def _indent_of(document: Document) -> str:
    items = _items(document, UNDER)
    if not items:
        return ""
    line = document.text.splitlines()[items[0].start_mark.line]
    return line[: len(line) - len(line.lstrip())]


def _without_trailing_notes(lines: Sequence[str], first: int, last: int) -> int:
    """The end of a definition: blank lines and comments after it belong to the next one."""
    while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")):
        last -= 1
    return last


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
