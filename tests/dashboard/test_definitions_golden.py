"""Every broken file in tests/golden/definitions gives the messages beside it, word for word.

`case.yaml` is a file of a project's metrics/ folder and `case.txt` what a person reads about it, one problem
a line, as `rapport check` prints it. To add a case, write both files. Which names are known grows with the
product, so a list after `Known:` may differ.
"""

import re
from pathlib import Path

import polars as pl
import pytest

from config.errors import Problem
from dashboard.definitions import definitions

GOLDEN = Path(__file__).parents[1] / "golden" / "definitions"
FOLDER = Path("/project")
ATTRIBUTES = {"loyalty": pl.String()}


def problems_of(case: str) -> tuple[Problem, ...]:
    text = (GOLDEN / f"{case}.yaml").read_text(encoding="utf-8")
    return definitions(FOLDER, ATTRIBUTES, {FOLDER / "metrics" / f"{case}.yaml": text}).problems


def without_list(message: str) -> str:
    return re.sub(r"Known: .*", "Known:", message)


def cases() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("case", cases())
def test_broken_definition_gives_these_messages(case: str) -> None:
    messages = [f"{problem.severity}: {problem.render()}" for problem in problems_of(case)]
    expected = (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").splitlines()
    told = [message.replace(f"{FOLDER / 'metrics'}/", "") for message in messages]
    assert list(map(without_list, told)) == list(map(without_list, expected))


@pytest.mark.parametrize("case", cases())
def test_every_problem_has_a_rule_and_a_place_in_the_file(case: str) -> None:
    lines = (GOLDEN / f"{case}.yaml").read_text(encoding="utf-8").split("\n")
    for problem in problems_of(case):
        assert problem.rule
        assert problem.path.endswith(f"{case}.yaml")
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


def test_every_case_has_its_messages_and_every_message_its_case() -> None:
    assert cases() == sorted(path.stem for path in GOLDEN.glob("*.txt"))
    assert len(cases()) >= 60


@pytest.mark.parametrize("case", cases())
def test_what_is_broken_disables_nothing_else(case: str) -> None:
    text = (GOLDEN / f"{case}.yaml").read_text(encoding="utf-8")
    found = definitions(FOLDER, ATTRIBUTES, {FOLDER / "metrics" / f"{case}.yaml": text})
    shipped = definitions(FOLDER, ATTRIBUTES)
    assert set(shipped.catalog.plans) <= set(found.catalog.plans)
