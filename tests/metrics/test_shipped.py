"""What the shipped definitions are as a whole: many, of many kinds, no two alike, none incomplete."""

from typing import Any

import pytest

from config.load import read_many
from metrics.catalog import DEFINITION, Catalog
from metrics.definitions import Metric

WORDS = {*Metric.model_fields} - {"interval"}
"""What definitions say beside how they count."""


def counting(value: Any) -> Any:
    """A definition without its words and without any `where`."""
    if isinstance(value, dict):
        return {
            key: counting(held) for key, held in value.items() if key not in {*WORDS, "where", "interval"}
        }
    return value


def test_there_are_sixty_of_eight_kinds_at_least(shipped: Catalog) -> None:
    assert len(shipped.plans) >= 60
    assert len({plan.definition.kind for plan in shipped.plans.values()}) >= 8


def test_no_two_are_equal_up_to_their_where(shipped: Catalog) -> None:
    seen: dict[str, str] = {}
    for name, plan in shipped.plans.items():
        form = repr(counting(plan.definition.model_dump(mode="json")))
        assert form not in seen, (name, seen[form])
        seen[form] = name


def test_each_says_what_a_reader_asks_for(shipped: Catalog) -> None:
    for name, plan in shipped.plans.items():
        said = plan.definition
        assert all((said.description, said.source, said.owner, said.tests)), name
        assert "direction" in said.model_fields_set or said.direction == "neutral", name


@pytest.mark.parametrize(
    "tag",
    [
        "acquisition",
        "retention",
        "revenue",
        "margin",
        "service",
        "satisfaction",
        "crossbuying",
        "concentration",
        "cost",
    ],
)
def test_every_family_of_figures_is_there(shipped: Catalog, tag: str) -> None:
    assert [name for name, plan in shipped.plans.items() if tag in plan.definition.tags]


def test_the_nine_goals_are_there_with_both_costs(shipped: Catalog) -> None:
    """Five indirect and four direct goals of customer relationship management, and what keeping costs."""
    goals = [name for name, plan in shipped.plans.items() if "goal" in plan.definition.tags]
    assert len(goals) >= 9
    assert {"acquisition_cost_per_new_customer", "retention_cost_per_kept_customer"} <= set(goals)


def test_families_are_files(pytestconfig) -> None:
    files = sorted((pytestconfig.rootpath / "config" / "metrics").glob("*.yaml"))
    sizes = {file.stem: len(read_many([file], DEFINITION, under="metrics").items) for file in files}
    assert len(sizes) >= 8
    assert min(sizes.values()) >= 1
