"""Problems as SARIF 2.1.0, the format in which code hosts and editors take findings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from config.errors import Problem, sentence

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION: Final = "2.1.0"
ROOT: Final = "PROJECT"
"""The name under which paths are relative to the project folder."""


def sarif(problems: Sequence[Problem], folder: Path, product: str) -> dict[str, Any]:
    """A SARIF log with one run of `rapport check`; paths within `folder` are relative to it.

    `product` is the version of Rapport.
    """
    rules = sorted({_rule(problem) for problem in problems})
    driver = {
        "name": "rapport check",
        "semanticVersion": product,
        "rules": [{"id": rule, "name": _title(rule)} for rule in rules],
    }
    results = [_result(problem, rules.index(_rule(problem)), folder) for problem in problems]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"uri": f"{folder.resolve().as_uri()}/"}},
        "results": results,
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _rule(problem: Problem) -> str:
    return problem.rule or "problem"


def _title(rule: str) -> str:
    """`unknown-key` as `UnknownKey`, as SARIF names rules."""
    return "".join(word.capitalize() for word in rule.split("-"))


def _result(problem: Problem, rule: int, folder: Path) -> dict[str, Any]:
    where = f"{problem.where}: " if problem.where else ""
    place = {
        "artifactLocation": _artifact(Path(problem.path), folder),
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }
    return {
        "ruleId": _rule(problem),
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": f"{where}{sentence(problem.fault, problem.remedy)}"},
        "locations": [{"physicalLocation": place}],
    }


def _artifact(path: Path, folder: Path) -> dict[str, str]:
    home, found = folder.resolve(), path.resolve()
    if home in found.parents:
        return {"uri": found.relative_to(home).as_posix(), "uriBaseId": ROOT}
    return {"uri": found.as_uri()}
