"""The catalogue: what is wrong with a definition, where, and what becomes of those that refer to it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from config.load import read_many
from metrics.catalog import DEFINITION, Catalog, catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Window

GOOD = """
  - name: good
    kind: simple
    label: Good
    description: Orders.
    table: customer_periods
    expression: sum(orders)
    unit: count
"""
SIMPLE = """
  - name: bad
    kind: simple
    label: Bad
    description: Wrong.
    table: {table}
    expression: {expression}
    where: {where}
    unit: count
"""
DERIVED = """
  - {{name: {name}, kind: derived, label: L, description: D, unit: count, expression: "{expression}"}}
"""


def read(folder: Path, *definitions: str, attributes: Any = None) -> tuple[Catalog, list[str]]:
    """The catalogue of a file and its problems as a person reads them, without the path."""
    path = folder / "metrics.yaml"
    path.write_text("metrics:" + "".join(definitions), encoding="utf-8")
    loaded = read_many([path], DEFINITION, under="metrics")
    made = catalog(loaded.items, **({"attributes": attributes} if attributes else {}))
    problems = [problem.render().removeprefix(f"{path}:") for problem in (*loaded.problems, *made.problems)]
    return made, problems


ONE_CALL = (
    "is not one aggregate around one value. "
    "Write sum(net_amount), count(*) or the like; a quotient is `kind: ratio`"
)
FAULTS = {
    "table: customer_period": ("14:12", "unknown table `customer_period`. Did you mean `customer_periods`?"),
    "expression: sum(order)": ("15:21", "unknown column `order`. Did you mean `orders`?"),
    "expression: sums(orders)": ("15:17", "unknown aggregate `sums`. Did you mean `sum`?"),
    "expression: orders": ("15:17", f"`orders` {ONE_CALL}"),
    "expression: sum(orders) / count(*)": ("15:17", f"`sum(orders) / count(*)` {ONE_CALL}"),
    "expression: sum(distinct orders)": ("15:17", "DISTINCT is for count() only. Remove it"),
    "expression: percentile(orders)": (
        "15:17",
        "a percentile needs its place between 0 and 1. Write percentile(net_amount, 0.9)",
    ),
    "expression: avg(is_first)": ("15:21", "`is_first` is a condition, not a number"),
    "where: ordrs > 0": ("16:12", "unknown column `ordrs`. Did you mean `orders`?"),
    "where: orders": ("16:12", "`orders` is a number, not a condition"),
}


@pytest.mark.parametrize("wrong", list(FAULTS))
def test_a_fault_names_the_place_and_what_to_do(tmp_path: Path, wrong: str) -> None:
    parts = {"table": "customer_periods", "expression": "sum(orders)", "where": "orders > 0"}
    key, _, text = wrong.partition(": ")
    made, problems = read(tmp_path, GOOD, SIMPLE.format(**{**parts, key: text}))
    place, message = FAULTS[wrong]
    assert len(problems) == 1
    assert problems[0].startswith(f"{place}: metrics[bad].{key}: {message}"), problems[0]
    assert list(made.plans) == ["good"]
    assert list(made.broken) == ["bad"]


def test_a_broken_metric_takes_down_only_what_refers_to_it(tmp_path: Path) -> None:
    bad = SIMPLE.format(table="customer_periods", expression="sum(ordrs)", where="lines > 0")
    made, problems = read(
        tmp_path,
        DERIVED.format(name="second", expression="{bad} + 1"),
        GOOD,
        bad,
        DERIVED.format(name="fine", expression="{good} * 2"),
    )
    assert list(made.plans) == ["good", "fine"]
    assert "it refers to `bad`, which is broken. Mend that one first" in "\n".join(problems)
    assert len(problems) == 2


def test_a_circle_is_named_whole(tmp_path: Path) -> None:
    made, problems = read(
        tmp_path,
        DERIVED.format(name="a", expression="{b} + 1"),
        DERIVED.format(name="b", expression="{c} + 1"),
        DERIVED.format(name="c", expression="{a} + 1"),
        DERIVED.format(name="self", expression="{self} * 2"),
    )
    assert not made.plans
    assert any("a circle: a -> b -> c -> a" in problem for problem in problems)
    assert any("a circle: self -> self" in problem for problem in problems)


def test_an_unknown_reference_suggests_a_name(tmp_path: Path) -> None:
    _, problems = read(tmp_path, GOOD, DERIVED.format(name="bad", expression="{goood} + 1"))
    assert "unknown metric `goood`. Did you mean `good`?" in problems[0]
    head = "name: bad, kind: ratio, label: L, description: D, unit: ratio"
    ratio = f"\n  - {{{head}, numerator: goood, denominator: good}}\n"
    _, problems = read(tmp_path, GOOD, ratio)
    assert "metrics[bad].numerator: unknown metric `goood`. Did you mean `good`?" in problems[0]


def test_an_inline_measure_is_placed_below_its_key(tmp_path: Path) -> None:
    ratio = """
  - name: bad
    kind: ratio
    label: L
    description: D
    unit: ratio
    numerator: {table: customer_periods, expression: sum(orders), where: ordrs > 0}
    denominator: good
"""
    _, problems = read(tmp_path, GOOD, ratio)
    assert "metrics[bad].numerator.where: unknown column `ordrs`. Did you mean `orders`?" in problems[0]


def test_a_project_s_own_definition_counts_before_the_shipped_one(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped.yaml", tmp_path / "own.yaml"
    shipped.write_text("metrics:" + GOOD, encoding="utf-8")
    own.write_text("metrics:" + GOOD.replace("sum(orders)", "sum(order_days)"), encoding="utf-8")
    loaded = [read_many([path], DEFINITION, under="metrics").items for path in (shipped, own)]
    made = catalog([item for items in loaded for item in items])
    assert made.definition("good").model_dump()["expression"] == "sum(order_days)"


def test_attributes_may_stand_in_conditions(tmp_path: Path, shop_marts: Marts) -> None:
    definition = SIMPLE.format(
        table="customer_periods", expression="sum(net_amount)", where="vip AND region = 'North'"
    )
    made, problems = read(tmp_path, definition, attributes={"region": pl.String(), "vip": pl.Boolean()})
    assert not problems
    people = shop_marts.frame("customer_summary").filter(pl.col("vip"), pl.col("region") == "North")
    found = compute(made, ["bad"], shop_marts, Window())
    assert found["amount"].item() == people["net_amount"].sum()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sum(orders)", lambda rows: rows["orders"].sum()),
        ("count(*)", lambda rows: len(rows)),
        ("count(region)", lambda rows: rows["region"].count()),
        ("count(distinct region)", lambda rows: rows["region"].drop_nulls().n_unique()),
        ("avg(net_amount)", lambda rows: rows["net_amount"].cast(pl.Float64).mean()),
        ("median(net_amount)", lambda rows: rows["net_amount"].cast(pl.Float64).median()),
        ("percentile(net_amount, 0.9)", lambda r: r["net_amount"].cast(pl.Float64).quantile(0.9, "linear")),
        ("share(orders > 3)", lambda rows: (rows["orders"] > 3).mean()),
        ("min(net_amount)", lambda rows: float(rows["net_amount"].min())),
        ("max(orders)", lambda rows: rows["orders"].max()),
        ("sum(net_amount - 2 * margin)", lambda r: r["net_amount"].sum() - 2 * r["margin"].sum()),
        ("sum(gross_amount - margin + cost)", lambda r: (r["gross_amount"] - r["margin"] + r["cost"]).sum()),
        ("sum(-discount)", lambda rows: float(-rows["discount"].sum())),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["lines > 0", "net_amount > 100", "region = 'West'"])
def test_every_aggregate(tmp_path: Path, shop_marts: Marts, expression: str, value: Any, where: str) -> None:
    made, problems = read(tmp_path, SIMPLE.format(table="customers", expression=expression, where=where))
    assert not problems
    people = shop_marts.frame("customer_summary")
    rows = people.filter(
        {"lines > 0": pl.col("lines") > 0, "net_amount > 100": pl.col("net_amount") > 100}.get(
            where, pl.col("region") == "West"
        )
    )
    assert compute(made, ["bad"], shop_marts, Window())["value"].item() == pytest.approx(
        float(value(rows)), rel=1e-12
    )


def test_formulas_are_exact_for_money_and_guard_division(
    tmp_path: Path, shop_marts: Marts, shipped: Catalog
) -> None:
    money = GOOD.replace("sum(orders)", "sum(net_amount)").replace("unit: count", "unit: money")
    none = (
        GOOD.replace("name: good", "name: none").replace("sum(orders)", "count(customer)")
        + "    where: orders > 1000000\n"
    )
    made, problems = read(
        tmp_path,
        money,
        none,
        DERIVED.format(name="twice", expression="{good} + {good}"),
        DERIVED.format(name="undefined", expression="{good} / {none}"),
    )
    assert not problems
    rows = {row["metric"]: row for row in compute(made, list(made.plans), shop_marts, Window()).to_dicts()}
    assert rows["twice"]["amount"] == 2 * rows["good"]["amount"]
    assert (rows["undefined"]["value"], rows["undefined"]["reason"]) == (
        None,
        "nothing to divide by in this period",
    )


def test_too_few_are_not_shown(tmp_path: Path, shop_marts: Marts) -> None:
    few = GOOD.replace("sum(orders)", "avg(orders)") + "    where: orders > 11\n    min_n: 50\n"
    made, problems = read(tmp_path, few)
    assert not problems
    row = compute(made, ["good"], shop_marts, Window()).row(0, named=True)
    assert row["value"] is None
    assert row["lower"] is None
    assert row["reason"] == "fewer than 50, too few to show"
