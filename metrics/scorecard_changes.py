"""Single changes to a scorecard: a plan that nobody has written, as a page edits it and a link carries it.

A change has a path and a value. The path names a key of the plan (`discount_rate`), a driver and its key
(`retention`, `cost`), or a segment, a driver and its key (`web`, `retention`, `cost`).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from metrics.scorecard_plan import GIVEN, Change, DriverPlan, Plan

Path: TypeAlias = tuple[str, ...]
Changes: TypeAlias = Mapping[Path, Any]
M = TypeVar("M", bound=BaseModel)

PLAN_KEYS: Final = tuple(name for name in Plan.model_fields if name not in ("drivers", "segments"))
DRIVER_KEYS: Final = tuple(name for name in DriverPlan.model_fields if name != "driver")
SEGMENT_KEYS: Final = tuple(name for name in Change.model_fields if name not in ("segment", "driver"))
ENTERED: Final = "entered on the page"
"""The source of an external target that a change does not name."""


def standing(plan: Plan, path: Path) -> object:
    """What a plan says at a path; None where it says nothing."""
    *whose, key = path
    if not whose:
        return plan.model_dump().get(key)
    owner = plan.by_driver.get(whose[0]) if len(whose) == 1 else _own(plan).get((whose[0], whose[1]))
    return getattr(owner, key, None)


def differing(plan: Plan, changes: Changes) -> dict[Path, Any]:
    """The changes that say something else than the plan."""
    return {path: value for path, value in changes.items() if value != standing(plan, path)}


def changed(plan: Plan, changes: Changes) -> tuple[Plan, dict[Path, str]]:
    """The plan with its changes; and what is wrong, by key, driver, or segment and driver.

    What does not go together stays as it was: a key, a driver, a driver of a segment. A target of one's own
    makes the basis `manual`, and a basis that finds its target takes none.
    """
    faults: dict[Path, str] = {}
    found = plan
    for path, value in changes.items():
        if len(path) == 1:
            found = _made(Plan, found.model_dump() | {path[0]: value}, path, faults) or found
    drivers = tuple(_driver(each, changes, faults) for each in found.drivers)
    segments = _own(found)
    for segment, driver in dict.fromkeys(path[:2] for path in changes if len(path) == 3):
        before = segments.get((segment, driver))
        told = before.model_dump() if before else {"segment": segment, "driver": driver}
        made = _made(Change, told | _of(changes, (segment, driver)), (segment, driver), faults)
        if made is not None:
            segments[segment, driver] = made
    kept = (each for each in segments.values() if any(getattr(each, key) is not None for key in SEGMENT_KEYS))
    return found.model_copy(update={"drivers": drivers, "segments": tuple(kept)}), faults


def _own(plan: Plan) -> dict[tuple[str, str], Change]:
    """What differs in single segments, by segment and driver."""
    return {(each.segment, each.driver): each for each in plan.segments}


def _of(changes: Changes, whose: Path) -> dict[str, Any]:
    """The changes of one driver, or of one segment's driver, by key."""
    return {path[-1]: value for path, value in changes.items() if path[:-1] == whose}


def _driver(plan: DriverPlan, changes: Changes, faults: dict[Path, str]) -> DriverPlan:
    ours = _of(changes, (plan.driver,))
    told = plan.model_dump() | ours
    if ours.get("target") is not None and told["basis"] not in GIVEN:
        told["basis"] = "manual"
    if told["basis"] not in GIVEN:
        told["target"] = None
    if told["basis"] == "external" and not told["source"]:
        told["source"] = ENTERED
    return (_made(DriverPlan, told, (plan.driver,), faults) if ours else None) or plan


def _made(model: type[M], told: Mapping[str, Any], path: Path, faults: dict[Path, str]) -> M | None:
    """The model of what is told; None and a fault where that is not allowed."""
    try:
        return model.model_validate(told)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        words = fault["msg"].removeprefix("Value error, ")
        faults[path] = f"{place}: {words}" if place else words
        return None


def as_parameters(changes: Changes) -> list[str]:
    """The changes as texts that a link can carry, one each.

    >>> as_parameters({("retention", "cost"): 500.0})
    ['["retention","cost",500.0]']
    """
    return [json.dumps([*path, value], separators=(",", ":")) for path, value in changes.items()]


def from_parameters(texts: Iterable[str]) -> dict[Path, Any]:
    """The changes that a link carries; texts that are none are left out.

    >>> from_parameters(['["web","retention","cost",500.0]', "nonsense", '["retention","colour",1]'])
    {('web', 'retention', 'cost'): 500.0}
    """
    found = (_change(text) for text in texts)
    return dict(each for each in found if each is not None)


def _change(text: str) -> tuple[Path, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    if (
        not isinstance(told, list)
        or not 2 <= len(told) <= 4
        or not all(isinstance(part, str) for part in told[:-1])
    ):
        return None
    *path, value = told
    known = (PLAN_KEYS, DRIVER_KEYS, SEGMENT_KEYS)[len(path) - 1]
    return (tuple(path), value) if path[-1] in known else None
