"""The scorecard of a project: the shipped one, with what its own `scorecard.yaml` says."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import yaml

from config.errors import Fault, Problem
from config.load import Located, read, read_many
from metrics.scorecard_changes import PLAN_KEYS
from metrics.scorecard_plan import OwnPlan, Plan, merged

FILE: Final = "scorecard.yaml"


@dataclass(frozen=True)
class Scorecard:
    """The plan to compute with: the shipped one where the project's file has `problems`."""

    plan: Plan
    problems: tuple[Problem, ...] = ()


def shipped_plan() -> Plan:
    """The scorecard that comes with the product."""
    with as_file(files("config") / FILE) as path:
        return read(path, Plan, environ=None)


def scorecard_plan(folder: Path, text: str | None = None) -> Scorecard:
    """The scorecard of the project in a folder; `text` is its file while it is edited."""
    path = folder / FILE
    shipped = shipped_plan()
    if text is None and not path.is_file():
        return Scorecard(shipped)
    found = read_many([path], OwnPlan, unsaved=None if text is None else {path: text})
    if found.problems or not found.items:
        return Scorecard(shipped, found.problems)
    return _merged(shipped, found.items[0])


def _merged(shipped: Plan, own: Located[OwnPlan]) -> Scorecard:
    try:
        return Scorecard(merged(shipped, own.value))
    except Fault as fault:
        at = fault.at if own.value.drivers else ()
        return Scorecard(shipped, (own.problem(at, fault.fault, fault.remedy, rule="weights"),))


def as_yaml(plan: Plan) -> str:
    """The whole plan as the text of a project's `scorecard.yaml`."""
    whole, shipped = plan.model_dump(), shipped_plan().model_dump()
    differing = {name: whole[name] for name in PLAN_KEYS if whole[name] != shipped[name]}
    told = differing | plan.model_dump(exclude_defaults=True)
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110)
