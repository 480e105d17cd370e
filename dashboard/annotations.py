"""Notes on dates: what happened outside the data, drawn on the charts of a project.

annotations:
- {on: 2026-03-14, text: New warehouse opened, metrics: [net_revenue]}
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from config.load import Loaded, read_many
from connectors.durable import replace_text

FILE: Final = "annotations.yaml"
UNDER: Final = "annotations"


class Annotation(BaseModel):
    """A note on a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: date = Field(description="The day on which it happened.")
    text: str = Field(min_length=1, max_length=80, description="What happened, in a few words.")
    metrics: tuple[str, ...] = Field((), description="Figures that it concerns; all when left out.")
    by: str = Field("", max_length=60, description="Who noted it.")

    def concerns(self, metric: str) -> bool:
        """Whether the charts of a metric show it."""
        return not self.metrics or metric in self.metrics


def read_annotations(folder: Path) -> Loaded[Annotation]:
    """The notes of a project in the order of its file, and every problem of it."""
    file = folder / FILE
    if not file.is_file():
        return Loaded((), ())
    return read_many([file], Annotation, under=UNDER, name="")


def noted(folder: Path, note: Annotation) -> None:
    """Add a note to the file of a project. Raises ValueError while it has problems, OSError as the disk."""
    found = read_annotations(folder)
    if found.problems:
        fault = f"{FILE} has problems: {found.problems[0].render()}"
        raise ValueError(fault)
    rows = [
        each.model_dump(mode="json", exclude_defaults=True)
        for each in sorted((*found.values, note), key=lambda each: each.on)
    ]
    text = yaml.safe_dump({UNDER: rows}, sort_keys=False, allow_unicode=True)
    replace_text(folder / FILE, text)
