"""Tile = list: the quantities of the customers behind a figure give the figure."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from metrics.catalog import Catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.periods import Calendar, Grain, Window
from metrics.retention_definitions import Followed
from metrics.selection import Missing, Selection
from metrics.worth_definitions import Worth

NAMES = (
    "acquisition_cost_per_new_customer", "active_customers", "average_customer_value",
    "average_order_value", "average_profit_per_order", "complaints", "complaints_per_1000_orders",
    "contacts", "cross_and_up_sell_share", "cross_sell_revenue", "customers", "discount_rate",
    "gross_margin", "gross_margin_rate", "gross_revenue", "net_revenue", "new_customer_share",
    "new_customers", "nps", "orders", "orders_per_customer", "reactivated_customers", "repeat_customers",
    "repeat_purchase_rate", "retention_rate", "return_rate", "returned_value", "returning_customers",
    "satisfaction", "service_cost", "service_cost_per_active_customer", "units_per_order",
    "up_sell_revenue",
)  # fmt: skip
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


def test_every_shipped_metric_is_listed_here(shipped: Catalog) -> None:
    elsewhere = {
        name for name, plan in shipped.plans.items() if isinstance(plan.definition, Followed | Worth)
    }
    assert set(NAMES) == set(shipped.plans) - {"acquisition_spend"} - elsewhere


@pytest.mark.parametrize(
    ("kept", "window"), [*((kept, "month") for kept in SELECTIONS), ("region", "all"), ("everybody", "days")]
)
@pytest.mark.parametrize("name", NAMES)
def test_the_list_adds_up_to_the_tile(
    shop_marts: Marts, shipped: Catalog, name: str, kept: str, window: str
) -> None:
    marts = shop_marts.select(SELECTIONS[kept])
    row = compute(shipped, [name], marts, WINDOWS[window]).row(0, named=True)
    try:
        people = customers_behind(shipped, name, marts, WINDOWS[window])
    except Missing:
        assert row["value"] is None
        return
    sums = {column: people[column].sum() for column in people.columns[3:]}
    if row["value"] is not None:
        assert figure(name, shipped, sums, row) == pytest.approx(row["value"], rel=1e-12)
    if row["amount"] is not None:
        assert Decimal(sums["value"]) == row["amount"]
    assert people.filter(pl.col("customer_id").is_not_null())["customer_id"].is_unique().all()


def figure(name: str, catalog: Catalog, sums: dict[str, Any], row: dict[str, Any]) -> float:
    """The figure from the sums of a list."""
    definition = catalog.definition(name)
    match definition.kind:
        case "simple":
            return float(sums["value"]) / float(sums.get("value_n", 1))
        case "nps":
            return 100 * (sums["promoters"] - sums["detractors"]) / sums["answers"]
        case "ratio" if (
            "numerator" not in sums
        ):  # money spent has no customers: only the denominator is listed
            return row["value"] if sums["denominator"] == row["n"] else float("nan")
        case _:
            return getattr(definition, "scale", 1) * float(sums["numerator"]) / float(sums["denominator"])


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
