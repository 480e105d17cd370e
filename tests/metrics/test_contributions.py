"""Contributions add up to the change exactly, and split into what they say they do."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from metrics.catalog import Catalog
from metrics.contributions import contributions
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Grain, Window
from metrics.selection import SEGMENT, Missing, Selection

NOW, BEFORE, YEAR_BEFORE = (Window(Grain.MONTH, 2024 * 12 + code) for code in (2, 1, -10))
SPLITS = ("region", "vip", "channel", "category")
SELECTIONS = {
    "everybody": Selection(),
    "attribute": Selection({"vip": ("false",)}),
    "category": Selection(categories=("tea", "toys")),
}


@pytest.mark.parametrize("reference", [BEFORE, YEAR_BEFORE], ids=["month", "year"])
@pytest.mark.parametrize("kept", list(SELECTIONS))
@pytest.mark.parametrize("by", SPLITS)
def test_effects_add_up_to_the_change(
    shop_marts: Marts, shipped: Catalog, by: str, kept: str, reference: Window
) -> None:
    marts = shop_marts.select(SELECTIONS[kept])
    explained = 0
    for name in shipped.plans:
        try:
            rows = contributions(shipped, name, marts, NOW, reference, by)
        except Missing:
            continue
        now, before = (
            compute(shipped, [name], marts, window).row(0, named=True) for window in (NOW, reference)
        )
        change = rows["effect"].sum()
        assert float(change) == pytest.approx(now["value"] - before["value"], rel=1e-9, abs=1e-9), name
        if now["amount"] is not None:
            assert change == now["amount"] - before["amount"], name
        explained += 1
    assert explained >= (5 if by == "category" or kept == "category" else 20)


def test_the_effect_of_a_segment_is_the_one_against_everybody_else(
    shop_marts: Marts, shipped: Catalog
) -> None:
    """Oracle: the same customers as the values of an attribute, whose effects add up."""
    people = shop_marts.frame("customer_summary")
    east = (people["region"].cast(pl.String) == "East").fill_null(value=False)
    groups = {"vip": people["vip"].fill_null(value=False), "east": east}
    beside, explained = shop_marts.beside(groups), 0
    for name in shipped.plans:
        try:
            found = contributions(shipped, name, beside, NOW, BEFORE, SEGMENT)
        except Missing:
            continue
        for group, by, value in (("vip", "vip", "true"), ("east", "region", "East")):
            rows = contributions(shipped, name, shop_marts, NOW, BEFORE, by)
            ours, theirs = (
                each.row(by_predicate=pl.col("by") == said)[1:]
                for each, said in ((found, group), (rows, value))
            )
            assert [*map(float, filter(None, ours))] == pytest.approx([*map(float, filter(None, theirs))])
        explained += 1
    assert explained >= 20


def test_parts_show_their_own_figures(shop_marts: Marts, shipped: Catalog) -> None:
    rows = contributions(shipped, "average_order_value", shop_marts, NOW, BEFORE, "region")
    split = compute(shipped, ["average_order_value"], shop_marts, NOW, by="region")
    assert dict(rows.select("by", "current").iter_rows()) == pytest.approx(
        dict(split.select("by", "value").iter_rows())
    )


def test_rate_and_mix_by_hand(open_marts: Any, shipped: Catalog) -> None:
    """Web sells 4 orders of 10, then 2 of 10; app 1 of 40, then 3 of 50: mean order 16 then 34, change 18."""
    february, march = date(2024, 2, 3), date(2024, 3, 3)
    sold = [("web", february, 10)] * 4 + [("app", february, 40)]
    sold += [("web", march, 10)] * 2 + [("app", march, 50)] * 3
    rows = [
        {"order_id": str(at), "line_id": "1", "customer_id": channel, "ordered_on": day, "net_amount": each}
        for at, (channel, day, each) in enumerate(sold)
    ]
    lines = pl.DataFrame(rows).with_columns(
        pl.col("net_amount").cast(pl.Decimal(18, 4)),
        pl.lit(value=False).alias("is_return"),
        pl.col("customer_id").alias("channel"),
    )
    found = contributions(
        shipped, "average_order_value", open_marts({"order_lines": lines}), NOW, BEFORE, "channel"
    )
    web, app = (found.row(by_predicate=pl.col("by") == name, named=True) for name in ("web", "app"))
    # rate of app: mean weight (1/5 + 3/5) / 2 = 0.4 times 50 - 40; mix: (45 - 25) * (3/5 - 1/5)
    assert (app["rate"], app["mix"], app["effect"]) == (pytest.approx(4), pytest.approx(8), Decimal(12))
    assert (web["rate"], web["mix"], web["effect"]) == (pytest.approx(0), pytest.approx(6), Decimal(6))


def test_what_does_not_split_says_why(shop_marts: Marts, shipped: Catalog) -> None:
    for name, by, words in (
        ("active_customers", "category", "several categories at once"),
        ("acquisition_cost_per_new_customer", "region", "money spent cannot be split by customer"),
        ("satisfaction", "category", "survey answers cannot be split by category"),
    ):
        with pytest.raises(Missing, match=words):
            contributions(shipped, name, shop_marts, NOW, BEFORE, by)


def test_a_quotient_of_nothing_has_no_contributions(shop_marts: Marts, shipped: Catalog) -> None:
    long_ago = Window(Grain.MONTH, 2019 * 12)
    with pytest.raises(Missing, match="nothing to divide by"):
        contributions(shipped, "average_order_value", shop_marts, NOW, long_ago, "region")
