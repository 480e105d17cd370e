"""The revenue bridge adds up to the cent, and its steps are who they say."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics.bridge import STEPS, bridge
from metrics.catalog import Catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Missing, Selection

MONTHS = range(2023 * 12 + 1, 2024 * 12 + 6)


def amounts(marts: Marts, window: Window) -> dict[str, Any]:
    return dict(bridge(marts, window).select("item", "amount").iter_rows())


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection({"region": ("North",)}),
        Selection(categories=("tea", "toys")),
        Selection(where="quantity > 1"),
    ],
    ids=["all", "attribute", "categories", "lines"],
)
def test_it_adds_up_in_every_month(shop_marts: Marts, shipped: Catalog, selection: Selection) -> None:
    marts = shop_marts.select(selection)
    revenue = compute(shipped, ["net_revenue"], marts, Window(Grain.MONTH, MONTHS[-1], len(MONTHS) + 1))
    booked = dict(revenue.select("period", "amount").iter_rows())
    for code in MONTHS:
        steps = amounts(marts, Window(Grain.MONTH, code))
        assert steps["after"] == booked[code]
        assert steps["before"] == booked[code - 1]
        assert sum(steps[step] for step in STEPS) == booked[code] - booked[code - 1]
        assert steps["expansion"] >= 0 >= steps["contraction"]


def test_its_customers_are_those_of_the_tiles(shop_marts: Marts, shipped: Catalog) -> None:
    names = ["active_customers", "new_customers", "reactivated_customers"]
    for code in MONTHS:
        window = Window(Grain.MONTH, code)
        figures = dict(compute(shipped, names, shop_marts, window).select("metric", "value").iter_rows())
        people = dict(bridge(shop_marts, window).select("item", "customers").iter_rows())
        assert people["new"] == figures["new_customers"]
        assert people["reactivated"] == figures["reactivated_customers"]
        assert people["after"] == figures["active_customers"]
        gained = people["new"] + people["reactivated"] - people["lost"]
        assert people["after"] == people["before"] + gained


def lines(*rows: tuple[str, str | None, date, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "order_id": order, "line_id": "1", "customer_id": who, "ordered_on": day,
                "net_amount": amount, "is_return": amount < 0,
            }
            for order, who, day, amount in rows
        ]
    ).with_columns(
        pl.col("net_amount").cast(pl.Decimal(18, 4)), pl.col("customer_id").cast(pl.String)
    )  # fmt: skip


def test_every_step_by_hand(open_marts: Any) -> None:
    january, february, march = date(2024, 1, 9), date(2024, 2, 9), date(2024, 3, 9)
    table = lines(
        ("1", "new", march, 10.0),
        ("2", "back", january, 5.0), ("3", "back", march, 7.0),
        ("4", "more", february, 5.0), ("5", "more", march, 8.5),
        ("6", "less", february, 9.0), ("7", "less", march, 8.0),
        ("8", "lost", february, 20.0), ("9", "lost", march, -2.0),
        ("10", "late", january, 30.0), ("11", "late", march, -4.0),
        ("12", None, february, 1.0), ("13", None, march, 1.25),
    )  # fmt: skip
    marts = open_marts({"order_lines": table})
    found = bridge(marts, Window(Grain.MONTH, Calendar().code(march, Grain.MONTH)))
    assert {row["item"]: (float(row["amount"]), row["customers"]) for row in found.iter_rows(named=True)} == {
        "before": (35.0, 3), "new": (10.0, 1), "reactivated": (7.0, 1), "expansion": (3.5, 1),
        "contraction": (-1.0, 1), "lost": (-22.0, 1), "late_returns": (-4.0, 1), "unidentified": (0.25, 0),
        "after": (28.75, 4),
    }  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 80), st.integers(-2000, 4000)), min_size=1, max_size=30
    )
)
def test_it_adds_up_whatever_happens(open_marts: Any, events: list[tuple[int, int, int]]) -> None:
    table = lines(
        *(
            (str(at), f"c{who}" if who else None, date.fromordinal(738_000 + day), cents / 100)
            for at, (who, day, cents) in enumerate(events)
        )
    )
    marts = open_marts({"order_lines": table})
    month = Calendar().code(date.fromordinal(738_040), Grain.MONTH)
    steps = amounts(marts, Window(Grain.MONTH, month))
    assert sum(steps[step] for step in STEPS) == steps["after"] - steps["before"]


def test_without_order_lines_there_is_none(open_marts: Any, shop: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(Missing, match="no source gives `order_lines`"):
        bridge(open_marts({"customers": shop["customers"]}), Window(Grain.MONTH, 24290))
