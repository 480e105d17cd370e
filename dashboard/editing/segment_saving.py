"""Saving a segment into the project's `segments.yaml`, among its neighbours; what stood there is kept."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import yaml

from config.documents import Document
from config.errors import Fault
from config.load import open_document
from dashboard.editing import history
from dashboard.editing.drafts import cut, without
from dashboard.segment_files import FILE, UNDER, own_segments
from metrics.segment_definitions import Segment

HEAD: Final = f"{UNDER}:\n"


def segment_text(segment: Segment) -> str:
    """A segment as an item of the list in YAML; texts are quoted wherever they could mean anything else."""
    said = segment.model_dump(mode="json", exclude_defaults=True)
    keys = ("name", "label", "family", "owner", "description", "where", "facts")
    order = [key for key in keys if key in said]
    text = yaml.safe_dump(
        [{key: said[key] for key in order}], sort_keys=False, allow_unicode=True, width=100, indent=2
    )
    return str(text)


def file_with(folder: Path, segment: Segment) -> str:
    """The text of `segments.yaml` with a segment in it, in place of the one of its name.

    Raises Fault when the file is broken or written in a form that cannot be cut.
    """
    path, item = folder / FILE, _indented(segment_text(segment))
    if not path.is_file() or not path.read_text(encoding="utf-8").strip():
        return HEAD + item
    document = _whole(path, folder)
    draft = cut(document, segment.name, UNDER)
    if draft is not None:
        return f"{draft.head}{item}{draft.tail}"
    text = document.text if document.text.endswith("\n") else f"{document.text}\n"
    made = f"{text}{item}"
    if segment.name not in {each.value.name for each in own_segments(folder, made).items}:
        fault = f"`{FILE}` is written in a form that cannot be added to"
        raise Fault(fault, "Put each segment on lines of its own that begin with `  - `")
    return made


def file_without(folder: Path, name: str) -> str:
    """The text of `segments.yaml` without a segment. Raises Fault like `file_with`."""
    path = folder / FILE
    document = _whole(path, folder)
    if len(own_segments(folder).items) == 1:
        return f"{UNDER}: []\n"
    text = without(document, name, UNDER)
    if text is None:
        fault = f"`{name}` does not stand on lines of its own in `{FILE}`"
        raise Fault(fault, "Take it out by hand")
    return text


def save(folder: Path, text: str, now: datetime) -> None:
    """Put a text into `segments.yaml`; what stood there is kept as a version."""
    history.save(folder / FILE, text, now)


def _whole(path: Path, folder: Path) -> Document:
    problems = own_segments(folder).problems
    if problems:
        raise Fault(problems[0].render(), "Mend the file before saving into it")
    return open_document(path)


def _indented(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))
