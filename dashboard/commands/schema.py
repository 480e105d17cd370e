"""`rapport schema`: JSON Schemas of the project's files, with which editors complete and explain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import config
from config import schemas
from config.model import Project
from connectors.presets import Preset
from connectors.sources import Sources
from dashboard import annotations, instruments, scenarios
from dashboard.commands.terminal import say, show, show_json
from dashboard.definitions import UNDER
from dashboard.segment_files import UNDER as SEGMENTS_UNDER
from dashboard.snapshots import reports
from metrics.catalog import Definition
from metrics.equity_scenarios import Scenario
from metrics.instruments import Instrument
from metrics.scorecard_plan import OwnPlan
from metrics.segment_definitions import Segment

SHIPPED: Final = Path(config.__file__).parent / "schemas"
MODELS: Final[Mapping[str, Any]] = {
    "rapport": Project,
    "sources": Sources,
    "presets": schemas.file_of("presets", Preset, "The presets, in any order."),
    "segments": schemas.file_of(SEGMENTS_UNDER, Segment, "The segments, in any order."),
    "metrics": schemas.file_of(UNDER, Definition, "The definitions, in any order."),
    "scorecard": OwnPlan,
    "scenarios": schemas.file_of(scenarios.UNDER, Scenario, "The scenarios, in any order."),
    "reports": schemas.file_of(reports.UNDER, reports.Report, "The reports, in any order."),
    "annotations": schemas.file_of(annotations.UNDER, annotations.Annotation, "The notes, in any order."),
    "instruments": schemas.file_of(instruments.UNDER, Instrument, "The questionnaires, in any order."),
}
"""The model of each file by the name of its schema."""


def write_schemas(folder: Path | None, *, as_json: bool) -> None:
    """Write the schemas to a folder, or to `schemas` here; print their paths and how files name them."""
    home = folder or Path("schemas")
    changed = set(schemas.write(MODELS, home))
    paths = [home / f"{name}.schema.json" for name in MODELS]
    if as_json:
        show_json([{"path": path, "changed": path in changed} for path in paths])
        return
    for path in paths:
        show(str(path))
    say(f"Name one in the first line of a file: # yaml-language-server: $schema={paths[0].as_posix()}")
