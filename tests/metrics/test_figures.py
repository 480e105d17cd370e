"""Every shipped metric of orders against SQL in DuckDB: at every grain, in cut windows, under filters."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from config.errors import Fault
from metrics.catalog import Catalog
from metrics.figures import FIGURE, compute
from metrics.frames import Marts
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Selection

AS_OF = date(2024, 6, 20)
CALENDAR = Calendar()
SCRIPT = (Path(__file__).parent / "shop.sql").read_text(encoding="utf-8")
PERIODS = {
    Grain.WEEK: "floor((date_diff('day', DATE '1970-01-01', day) - 4) / 7)::INTEGER",
    Grain.MONTH: "year(day) * 12 + month(day) - 1",
    Grain.QUARTER: "year(day) * 4 + quarter(day) - 1",
    Grain.YEAR: "year(day)",
    Grain.ALL: "0",
}
FILTERS: Mapping[str, tuple[Selection, str]] = {
    "nothing": (Selection(), "true"),
    "attribute": (Selection({"region": ("North",)}), "region = 'North'"),
    "attributes": (
        Selection({"region": ("North", "West"), "vip": ("true",), "channel": ("app", "web")}),
        "region IN ('North', 'West') AND vip AND won_by IN ('app', 'web')",
    ),
    "customers": (Selection(where="region = 'West' OR vip"), "region = 'West' OR vip"),
    "category": (Selection(categories=("tea",)), "category = 'tea'"),
    "categories": (Selection(categories=("toys", "books")), "category IN ('books', 'toys')"),
    "both": (Selection({"vip": ("false",)}, ("games", "tea")), "category IN ('games', 'tea') AND NOT vip"),
    "lines": (
        Selection(where="net_amount > 5 AND (category <> 'tea' OR category IS NULL)"),
        "net_amount > 5 AND (category <> 'tea' OR category IS NULL)",
    ),
    "lines and attribute": (
        Selection({"region": ("East",)}, where="quantity > 1 AND category IS NOT NULL"),
        "quantity > 1 AND category IS NOT NULL AND region = 'East'",
    ),
}


def oracle(shop: Mapping[str, pl.DataFrame], period: str, keep: str) -> dict[tuple[str, int], Any]:
    """(metric, period) -> value."""
    with duckdb.connect() as connection:
        for name, table in shop.items():
            connection.register(name, table)
        connection.execute(SCRIPT.format(period=period, keep=keep, as_of=f"DATE '{AS_OF}'")).fetchall()
        rows = connection.execute("SELECT * FROM figures").fetchall()
        names = [row[0] for row in connection.execute("DESCRIBE figures").fetchall()]
    return {(n, row[0]): value for row in rows for n, value in zip(names[1:], row[1:], strict=True)}


def history(grain: Grain) -> Window:
    return Window.between(CALENDAR, date(2023, 1, 1), AS_OF, grain) if grain is not Grain.ALL else Window()


def whole(window: Window) -> Window:
    """The window without its cut ends."""
    return Window(window.grain, window.last, window.count)


def assert_equal(figures: pl.DataFrame, expected: Mapping[tuple[str, int], Any], window: Window) -> None:
    names = {name for name, _ in expected}
    found = {(row["metric"], row["period"]): row for row in figures.iter_rows(named=True)}
    assert {name for name, _ in found} == names
    for (name, period), row in found.items():
        wanted = expected.get((name, period))
        wanted = (
            None if name == "retention_rate" and window.grain is Grain.ALL and not window.is_cut else wanted
        )
        if wanted is None:
            assert not row["value"], (name, period, row)
            assert row["value"] == 0 or row["reason"], (name, period, row)
        else:
            assert row["value"] == pytest.approx(
                float(wanted), rel=1e-12, abs=1e-3 if "sell" in name else 1e-9
            ), (
                name,
                period,
                row,
                wanted,
            )
            if row["amount"] is not None and "sell" not in name and "up" not in name:
                assert row["amount"] == wanted, (name, period)


@pytest.mark.parametrize("grain", list(PERIODS))
@pytest.mark.parametrize("kept", list(FILTERS))
def test_figures_agree_with_sql_at_every_grain_and_filter(
    shop: dict[str, pl.DataFrame], shop_marts: Marts, shipped: Catalog, grain: Grain, kept: str
) -> None:
    selection, keep = FILTERS[kept]
    expected = oracle(shop, PERIODS[grain], keep)
    window = whole(history(grain))
    figures = compute(shipped, sorted({name for name, _ in expected}), shop_marts.select(selection), window)
    assert_equal(figures, expected, window)


@pytest.mark.parametrize("kept", ["nothing", "attribute", "category", "lines"])
@pytest.mark.parametrize(("start", "end"), [("2023-09-05", "2023-11-21"), ("2024-06-01", "2024-06-20")])
def test_a_window_of_any_days_is_one_period(
    shop: dict[str, pl.DataFrame], shop_marts: Marts, shipped: Catalog, kept: str, start: str, end: str
) -> None:
    selection, keep = FILTERS[kept]
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    before = first - timedelta(days=(last - first).days + 1)
    period = (
        f"CASE WHEN day BETWEEN DATE '{first}' AND DATE '{last}' THEN 0 "
        f"WHEN day BETWEEN DATE '{before}' AND DATE '{first}' THEN -1 END"
    )
    expected = {key: value for key, value in oracle(shop, period, keep).items() if key[1] == 0}
    window = Window.between(CALENDAR, first, last)
    figures = compute(shipped, sorted({name for name, _ in expected}), shop_marts.select(selection), window)
    assert_equal(figures, expected, window)


def test_a_cut_window_leaves_out_days_at_both_ends(
    shop: dict[str, pl.DataFrame], shop_marts: Marts, shipped: Catalog
) -> None:
    first, last = date(2023, 9, 5), date(2023, 11, 21)
    window = Window.between(CALENDAR, first, last, Grain.MONTH)
    month = PERIODS[Grain.MONTH]
    other = f"{month} NOT BETWEEN {window.first} AND {window.last}"
    period = f"CASE WHEN {other} OR day BETWEEN DATE '{first}' AND DATE '{last}' THEN {month} END"
    expected = oracle(shop, period, "true")
    figures = compute(shipped, sorted({name for name, _ in expected}), shop_marts, window)
    assert figures["period"].unique().to_list() == list(window.periods)
    assert_equal(figures, expected, window)


@pytest.mark.parametrize("by", ["region", "vip", "channel"])
def test_a_split_by_an_attribute_is_the_filter_for_each_value(
    shop_marts: Marts, shipped: Catalog, by: str
) -> None:
    names = list(shipped.plans)
    window = Window(Grain.QUARTER, CALENDAR.code(date(2024, 3, 1), Grain.QUARTER), 4)
    parts = compute(shipped, names, shop_marts, window, by=by).filter(pl.col("by").is_not_null())
    for value in parts["by"].unique().to_list():
        alone = compute(shipped, names, shop_marts.select(Selection({by: (value,)})), window)
        part = parts.filter(pl.col("by") == value).drop("by")
        # A mean of amounts is a sum of floats, whose last digit depends on the order of the rows.
        assert_frame_equal(part.drop("reason"), alone.drop("reason"), rel_tol=1e-13)


def test_a_split_by_category_is_the_filter_for_each_category(shop_marts: Marts, shipped: Catalog) -> None:
    names = [
        "net_revenue",
        "orders",
        "active_customers",
        "new_customers",
        "retention_rate",
        "up_sell_revenue",
    ]
    window = Window(Grain.MONTH, CALENDAR.code(date(2024, 5, 1), Grain.MONTH), 6)
    parts = compute(shipped, names, shop_marts, window, by="category").filter(pl.col("by").is_not_null())
    assert parts["by"].unique().sort().to_list() == ["books", "games", "tea", "toys"]
    for value in shop_marts.categories:
        alone = compute(shipped, names, shop_marts.select(Selection(categories=(value,))), window)
        assert parts.filter(pl.col("by") == value).drop("by").equals(alone, null_equal=True)


def test_a_period_that_still_runs_is_marked(shop_marts: Marts, shipped: Catalog) -> None:
    window = Window(Grain.MONTH, CALENDAR.code(AS_OF, Grain.MONTH), 3)
    assert compute(shipped, ["orders"], shop_marts, window)["complete"].to_list() == [True, True, False]
    assert compute(shipped, ["orders"], shop_marts, Window())["complete"].to_list() == [True]


def test_before_the_data_begins_there_is_a_reason_and_no_zero(shop_marts: Marts, shipped: Catalog) -> None:
    window = Window(Grain.YEAR, 2022, 1)
    rows = compute(shipped, ["net_revenue", "retention_rate", "satisfaction"], shop_marts, window)
    assert rows["value"].null_count() == 3
    assert all(rows["reason"])


def test_figures_have_one_shape(shop_marts: Marts, shipped: Catalog) -> None:
    rows = compute(shipped, ["orders", "nps"], shop_marts, Window())
    assert dict(rows.schema) == FIGURE
    assert compute(shipped, [], shop_marts, Window()).is_empty()
    split = compute(shipped, ["orders"], shop_marts, Window(), by="region")
    assert list(split.schema)[:3] == ["metric", "by", "period"]


def test_unknown_names_are_refused_with_a_suggestion(shop_marts: Marts, shipped: Catalog) -> None:
    with pytest.raises(Fault, match=r"unknown metric `net_revenu`.*Did you mean `net_revenue`"):
        compute(shipped, ["net_revenu"], shop_marts, Window())
    with pytest.raises(Fault, match=r"unknown column to split by `regoin`.*`region`"):
        compute(shipped, ["orders"], shop_marts, Window(), by="regoin")
    with pytest.raises(Fault, match=r"unknown region `Nort`.*`North`"):
        shop_marts.select(Selection({"region": ("Nort",)}))
    with pytest.raises(Fault, match="unknown category"):
        shop_marts.select(Selection(categories=("coffee",)))


def test_names_in_another_order_give_the_same_figures_in_a_longer_window(
    shop: Mapping[str, pl.DataFrame], open_marts: Callable[..., Marts], shipped: Catalog
) -> None:
    marts, fresh = open_marts(shop), open_marts(shop)
    names = ["retention_rate", "active_customers", "repeat_customers"]
    last = CALENDAR.code(AS_OF, Grain.MONTH)
    compute(shipped, names, marts, Window(Grain.MONTH, last, 2))
    longer = compute(shipped, names[::-1], marts, Window(Grain.MONTH, last, 6))
    assert longer.equals(compute(shipped, names[::-1], fresh, Window(Grain.MONTH, last, 6)))
