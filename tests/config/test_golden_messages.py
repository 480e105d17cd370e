"""Every broken file in tests/golden/config gives the messages beside it, word for word.

`case.yaml` is the broken file and `case.txt` what a person reads about it, one problem a line. The name says
what the file is read as: `project-*` as rapport.yaml, all others as a file of metrics (the models below),
whose expressions are checked against the columns of ORDERS. To add a case, write both files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from config.errors import ConfigError, Problem
from config.expressions import ExpressionError, compile_aggregate, compile_derived, compile_expression
from config.load import Located, read, read_many
from config.model import Project

GOLDEN = Path(__file__).parents[1] / "golden" / "config"
ORDERS = {
    "customer_id": pl.String(),
    "ordered_on": pl.Date(),
    "quantity": pl.Int64(),
    "net_amount": pl.Decimal(18, 4),
    "is_return": pl.Boolean(),
    "region": pl.String(),
    "單價": pl.Decimal(18, 4),
}


class Metric(BaseModel):
    """What every kind of metric says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="The name by which others refer to it.")
    label: str | dict[str, str] = Field("", description="What people read: a text, or one for each language.")
    where: str | None = Field(None, description="Which rows count.")
    target: float | None = Field(None, ge=0, description="The value to reach.")
    tags: tuple[str, ...] = Field((), max_length=3)
    shown: bool = True


class Simple(Metric):
    """A metric over the rows of a table."""

    kind: Literal["simple"]
    expression: str = Field(description="An aggregate, such as sum(net_amount).")


class Row(Metric):
    """A value of each row."""

    kind: Literal["row"]
    expression: str = Field(description="A value of one row, such as quantity * 2.")


class Derived(Metric):
    """Arithmetic on other metrics."""

    kind: Literal["derived"]
    expression: str = Field(description="Arithmetic, such as {net_revenue} / {orders}.")


AnyMetric = Annotated[Simple | Row | Derived, Field(discriminator="kind")]
METRICS: TypeAdapter[Simple | Row | Derived] = TypeAdapter(AnyMetric)


def problems_of(path: Path) -> tuple[Problem, ...]:
    if not path.name.startswith("project-"):
        loaded = read_many([path], METRICS, under="metrics")
        return (*loaded.problems, *(problem for item in loaded.items for problem in of_expressions(item)))
    with pytest.raises(ConfigError) as caught:
        read(path, Project, environ={"SHOP": "shop"})
    return caught.value.problems


def of_expressions(item: Located[Simple | Row | Derived]) -> Iterator[Problem]:
    metric = item.value
    try:
        match metric:
            case Simple():
                compile_aggregate(metric.expression, ORDERS)
            case Row():
                compile_expression(metric.expression, ORDERS)
            case Derived():
                compile_derived(metric.expression, {"net_revenue": pl.Float64(), "orders": pl.Int64()})
    except ExpressionError as error:
        yield item.blame(("expression",), error)


def cases() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("case", cases())
def test_broken_file_gives_these_messages(case: str) -> None:
    messages = [problem.render() for problem in problems_of(GOLDEN / f"{case}.yaml")]
    expected = (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").splitlines()
    assert [message.removeprefix(f"{GOLDEN}/") for message in messages] == expected


def test_every_case_has_its_messages_and_every_message_its_case() -> None:
    assert cases() == sorted(path.stem for path in GOLDEN.glob("*.txt"))
    assert len(cases()) >= 25


@pytest.mark.parametrize("case", cases())
def test_every_problem_names_a_rule_and_points_into_the_file(case: str) -> None:
    lines = (GOLDEN / f"{case}.yaml").read_text(encoding="utf-8-sig").split("\n")
    for problem in problems_of(GOLDEN / f"{case}.yaml"):
        assert problem.rule
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
