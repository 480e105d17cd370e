"""Tile = list: the quantities of the customers behind a figure give the figure."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from metrics.catalog import Catalog
from metrics.definitions import Change, Cumulative, Derived, NetPromoterScore, Ratio, Simple
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Missing, Selection
from metrics.worth_definitions import Concentration

WITHOUT_CUSTOMERS = {"acquisition_spend", "acquisition_spend_to_date"}
SELECTIONS = {
    "everybody": Selection(),
    "region": Selection({"region": ("North", "East")}),
    "category": Selection(categories=("tea", "toys")),
    "lines": Selection({"vip": ("true",)}, where="net_amount > 5"),
}
WINDOWS = {
    "month": Window(Grain.MONTH, 2024 * 12 + 2),
    "all": Window(),
    "days": Window.between(Calendar(), date(2024, 2, 3), date(2024, 3, 9)),
}


@pytest.mark.parametrize(
    ("kept", "window"), [*((kept, "month") for kept in SELECTIONS), ("region", "all"), ("everybody", "days")]
)
def test_every_list_adds_up_to_its_tile(shop_marts: Marts, shipped: Catalog, kept: str, window: str) -> None:
    marts = shop_marts.select(SELECTIONS[kept])
    figures = compute(shipped, list(shipped.plans), marts, WINDOWS[window])
    rebuilt = set()
    for row in figures.iter_rows(named=True):
        name = row["metric"]
        try:
            people = customers_behind(shipped, name, marts, WINDOWS[window])
        except Missing:
            assert row["value"] is None or name in WITHOUT_CUSTOMERS, name
            continue
        sums = {column: people[column].sum() for column in people.columns[3:]}
        found = figure(shipped, name, sums)
        if row["value"] is not None and found is not None:
            assert found == pytest.approx(row["value"], rel=1e-9), name
            rebuilt.add(name)
        if row["amount"] is not None and isinstance(shipped.definition(name), Simple):
            assert Decimal(sums["value"]) == row["amount"], name
        assert people.filter(pl.col("customer_id").is_not_null())["customer_id"].is_unique().all(), name
    assert len(rebuilt) >= (15 if kept in ("category", "lines") else 30)


def figure(catalog: Catalog, name: str, sums: dict[str, Any], prefix: str = "") -> float | None:
    """The figure from the sums of a list; None where it is no function of sums, or not all is listed."""
    plan = catalog.plan(name)
    match definition := plan.definition:
        case Simple():
            return simple(definition.expression, sums, prefix)
        case NetPromoterScore():
            above = sums.get("promoters", 0) - sums.get("detractors", 0)
            return None if prefix else divided(100 * above, sums["answers"])
        case Ratio():
            labels = zip(("numerator", "denominator"), plan.parts, strict=True)
            above, below = (term(catalog, part, label, sums, prefix) for label, part in labels)
            return divided(above, below, definition.scale)
        case Cumulative():
            return figure(catalog, definition.metric, sums, prefix)
        case Change():
            sides = [
                figure(catalog, definition.metric, sums, f"{prefix}{side}.") for side in ("now", "before")
            ]
            return change(definition, *sides)
        case Derived():
            read = {part: figure(catalog, part, sums, f"{prefix}{part}.") for part in plan.references}
            known = None not in read.values()
            return pl.DataFrame(read).select(plan.formula.expr.cast(pl.Float64)).item() if known else None
        case Concentration():
            return None
        case _:
            whole = sums.get(f"{prefix}value")
            return divided(whole, 1) if whole is not None else term_of(sums, prefix)


def simple(expression: str, sums: dict[str, Any], prefix: str) -> float | None:
    if any(word in expression for word in ("median", "percentile", "min(", "max(")):
        return None
    if "distinct" in expression and "customer" not in expression:
        return None  # what several customers share is in the list of each
    return divided(sums.get(f"{prefix}value"), sums.get(f"{prefix}value_n", 1))


def term(catalog: Catalog, part: Any, label: str, sums: dict[str, Any], prefix: str) -> Any:
    if isinstance(part, str):
        return figure(catalog, part, sums, f"{prefix}{label}.")
    return sums.get(f"{prefix}{label}")


def change(definition: Change, now: float | None, before: float | None) -> float | None:
    if now is None or before is None:
        return None
    return now / before - 1 if definition.value == "relative" else now - before


def term_of(sums: dict[str, Any], prefix: str) -> float | None:
    return divided(sums.get(f"{prefix}numerator"), sums.get(f"{prefix}denominator"))


def divided(above: Any, below: Any, scale: float = 1) -> float | None:
    return None if above is None or not below else scale * float(above) / float(below)


def test_a_list_shows_the_largest_first_and_nobody_who_adds_nothing(
    shop_marts: Marts, shipped: Catalog
) -> None:
    people = customers_behind(shipped, "net_revenue", shop_marts, Window())
    assert people.columns == ["period", "customer_id", "customer", "value"]
    assert people["value"].to_list() == sorted(people["value"].to_list(), reverse=True)
    assert (people["value"] != 0).all()
    assert people["customer_id"].null_count() == 1  # sales to nobody known, as one row


def test_retention_lists_who_was_active_before(shop_marts: Marts, shipped: Catalog) -> None:
    march = Window(Grain.MONTH, 2024 * 12 + 2)
    february = Window(Grain.MONTH, 2024 * 12 + 1)
    behind = customers_behind(shipped, "retention_rate", shop_marts, march)
    active = [
        set(customers_behind(shipped, "active_customers", shop_marts, window)["customer_id"])
        for window in (february, march)
    ]
    assert set(behind["customer_id"]) == active[0]
    assert set(behind.filter(pl.col("numerator") == 1)["customer_id"]) == active[0] & active[1]


def test_money_spent_has_no_customers(shop_marts: Marts, shipped: Catalog) -> None:
    with pytest.raises(Missing, match="`acquisition_spend` is not recorded by customer"):
        customers_behind(shipped, "acquisition_spend", shop_marts, Window())
