"""Marts: equal on every engine, for any order of rows and size of parts; whole with tables missing."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from connectors.tables import INSTANT, MONEY
from metrics.catalog import Catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.marts import PANELS, build
from metrics.periods import Calendar, Grain, Window
from metrics.relations import PANEL, RELATIONS, SUMS
from metrics.rollup import KEYS, baskets, collected, opened
from metrics.selection import Missing

AS_OF = date(2024, 6, 20)
ORDER_MARTS = ("orders", "baskets", "customer_summary", *PANELS.values())
Tables = Mapping[str, pl.DataFrame]


def made(tables: Mapping[str, Any], **options: Any) -> dict[str, pl.DataFrame]:
    lazy = {name: t.lazy() if isinstance(t, pl.DataFrame) else t for name, t in tables.items()}
    marts = {name: mart.lazy().collect() for name, mart in build(lazy, Calendar(), AS_OF, **options).items()}
    panels = PANELS.values() if "orders" in marts else ()
    return {**marts, **{name: Marts(marts, Calendar(), AS_OF).frame(name) for name in panels}}


@pytest.fixture(scope="module")
def shop_made(shop: Tables) -> dict[str, pl.DataFrame]:
    return made(shop)


def without_numbers(mart: pl.DataFrame) -> pl.DataFrame:
    """A mart without order numbers, which go by the parts, in an order of its own."""
    rows = mart.drop("order", strict=False)
    keys = [
        name for name in ("category", "period", "customer", "ordered_on", "order_id") if name in rows.columns
    ]
    sums = [name for name in ("gross_amount", "returned_amount", "cost", "lines") if name in rows.columns]
    return rows.sort(*keys, *sums, nulls_last=True)


def assert_same(left: Tables, right: Tables) -> None:
    for name in ORDER_MARTS:
        assert_frame_equal(
            without_numbers(left[name]), without_numbers(right[name]), check_column_order=False
        )


@pytest.mark.parametrize("part_lines", [1, 50, 400])
def test_the_size_of_the_parts_changes_nothing(shop: Tables, shop_made: Tables, part_lines: int) -> None:
    assert_same(made(shop, part_lines=part_lines), shop_made)


@pytest.mark.parametrize("nulls_last", [True, False])
def test_the_order_of_the_lines_changes_nothing(shop: Tables, shop_made: Tables, nulls_last: bool) -> None:
    lines = shop["order_lines"].sort("customer_id", "order_id", nulls_last=nulls_last)
    assert_same(made({**shop, "order_lines": lines}, part_lines=300), shop_made)


def test_duckdb_gives_the_same_marts(shop: Tables, shop_made: Tables) -> None:
    with duckdb.connect() as connection:
        connection.register("order_lines", shop["order_lines"])
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        lines = connection.sql("SELECT * FROM order_lines")
        assert_same(made({**shop, "order_lines": lines}), shop_made)


def test_duckdb_rolls_lines_up_alike(shop: Tables) -> None:
    lines = shop["order_lines"]
    with duckdb.connect() as connection:
        connection.register("order_lines", lines)
        theirs = collected(baskets(opened(connection.sql("SELECT * FROM order_lines")), ["channel"]))
    ours = collected(baskets(opened(lines.lazy()), ["channel"]))
    sums = [
        "returned_amount",
        "gross_amount",
        "cost",
        "costed_amount",
        "discount",
        "quantity",
        "bought_quantity",
    ]
    filled = [frame.with_columns(pl.col(sums).fill_null(0)).sort(KEYS) for frame in (ours, theirs)]
    assert_frame_equal(*filled, check_dtypes=False)


def test_panels_add_up_to_the_lines(shop: Tables, shop_made: Tables) -> None:
    lines = shop["order_lines"].filter(pl.col("ordered_on") <= AS_OF)
    for name in PANELS.values():
        assert shop_made[name]["net_amount"].sum() == lines["net_amount"].sum()
        assert shop_made[name]["lines"].sum() == len(lines)
        assert shop_made[name]["orders"].sum() == lines.filter(~pl.col("is_return"))["order_id"].n_unique()


@pytest.mark.parametrize("name", PANELS.values())
def test_panels_are_sorted_and_know_their_neighbours(shop_made: Tables, name: str) -> None:
    rows = shop_made[name]
    assert rows.select("period", "customer").equals(
        rows.select("period", "customer").sort("period", "customer", nulls_last=True)
    )
    assert not rows.select("period", "customer").is_duplicated().any()
    active = {(r["customer"], r["period"]): r["net_amount"] for r in rows.to_dicts() if r["orders"] > 0}
    every = {(r["customer"], r["period"]): r["net_amount"] for r in rows.to_dicts()}
    first: dict[int, int] = {}
    for customer, period in sorted(key for key in active if key[0] is not None):
        first.setdefault(customer, period)
    for row in rows.to_dicts():
        customer, period = row["customer"], row["period"]
        if customer is None:
            assert (row["is_first"], row["active_before"], row["active_next"]) == (False, False, False)
            continue
        assert row["is_first"] == (first.get(customer) == period)
        assert row["active_before"] == ((customer, period - 1) in active)
        assert row["active_next"] == ((customer, period + 1) in active)
        assert row["net_before"] == every.get((customer, period - 1), 0)


@pytest.mark.parametrize("name", PANELS.values())
def test_columns_of_a_panel_are_those_of_the_whole(shop_made: Tables, name: str) -> None:
    marts = Marts({"orders": shop_made["orders"]}, Calendar(), AS_OF)
    for columns in ({"customer", "period", "lines"}, {"net_amount", "net_before", "active_next"}):
        found = marts.in_units(name, columns)
        money = [pl.col(amount).cast(MONEY) / 10_000 for amount in found.columns if amount.startswith("net_")]
        whole = shop_made[name].select(found.columns)
        assert_frame_equal(found.with_columns(money), whole.with_columns(pl.col(MONEY)), check_dtypes=False)


def test_marts_have_the_columns_that_definitions_may_name(shop_made: Tables) -> None:
    for relation in RELATIONS.values():
        mart = "customer_months" if relation.name == PANEL else relation.mart
        if mart not in shop_made:
            continue
        schema = shop_made[mart].schema
        for column, dtype in relation.columns.items():
            assert column in schema or relation.name == "customers", (mart, column)
            held = schema.get(column, dtype)
            assert held == dtype or (isinstance(held, pl.Enum) and dtype == pl.String), (mart, column, held)


def test_an_order_counts_on_its_first_day_and_its_money_on_each(open_marts: Any, shipped: Catalog) -> None:
    lines = pl.DataFrame(
        {
            "order_id": ["a", "a", "a"],
            "line_id": ["1", "2", "3"],
            "customer_id": ["x"] * 3,
            "ordered_on": [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)],
            "net_amount": pl.Series([10, 5, -3]).cast(MONEY),
            "is_return": [False, False, True],
        }
    )
    figures = compute(
        shipped, ["orders", "net_revenue"], open_marts({"order_lines": lines}), Window(Grain.MONTH, 24289, 2)
    )
    assert figures.sort("metric", "period")["value"].to_list() == [10, 2, 1, 0]


def test_days_are_cut_in_the_project_s_time_zone(open_marts: Any, shipped: Catalog) -> None:
    """Half past three in the night of UTC is still the day, month and year before in New York."""
    moment = (
        pl.Series([date(2024, 1, 1)])
        .cast(pl.Datetime("us"))
        .dt.offset_by("3h30m")
        .dt.replace_time_zone("UTC")
    )
    contacts = pl.DataFrame(
        {"interaction_id": ["i"], "customer_id": ["x"], "kind": ["complaint"], "occurred_at": moment}
    )
    for zone, expected in (("America/New_York", [1, 0]), ("UTC", [0, 1])):
        calendar = Calendar(timezone=zone)
        marts = open_marts({"interactions": contacts}, calendar)
        counts = compute(shipped, ["complaints"], marts, Window(Grain.YEAR, 2024, 2))
        assert counts["value"].fill_null(0).to_list() == expected


def test_lines_after_the_as_of_day_do_not_count(shop: Tables, shipped: Catalog, open_marts: Any) -> None:
    early = open_marts(shop, as_of=date(2023, 6, 30))
    revenue = compute(shipped, ["net_revenue"], early, Window())["amount"].item()
    kept = shop["order_lines"].filter(pl.col("ordered_on") <= date(2023, 6, 30))
    assert revenue == kept["net_amount"].sum()


def test_attributes_come_from_customers_or_else_from_the_first_order(shop: Tables) -> None:
    lines = shop["order_lines"].with_columns(
        country=pl.col("channel").replace({"web": "DE", "app": "AT", "store": "CH"})
    )
    people = made({"order_lines": lines})["customer_summary"]
    assert {"channel", "country"} <= set(people.columns)
    first = (
        lines.filter(pl.col("ordered_on") <= AS_OF, pl.col("customer_id").is_not_null())
        .sort("customer_id", "ordered_on", "order_id", "channel")
        .unique("customer_id", keep="first", maintain_order=True)
    )
    joined = people.select("customer_id", "country").join(
        first.select("customer_id", first="country"), on="customer_id"
    )
    assert (
        joined["country"].cast(pl.String) == joined["first"]
    ).mean() > 0.95  # else two orders of a first day
    given = made({"order_lines": lines, "customers": shop["customers"]})["customer_summary"]
    want = shop["customers"].sort("customer_id")["channel"].to_list()
    assert (
        given.join(shop["customers"].select("customer_id"), on="customer_id")
        .sort("customer_id")["channel"]
        .to_list()
        == want
    )


def test_what_no_source_gives_is_missing_and_not_zero(
    shop: Tables, shipped: Catalog, open_marts: Any
) -> None:
    bare = shop["order_lines"].drop("cost", "discount", "category", "quantity")
    marts = open_marts({"order_lines": bare})
    for window in (
        Window(),
        Window(Grain.MONTH, 2024 * 12 + 2, 3),
        Window.between(Calendar(), date(2024, 2, 3), date(2024, 3, 4)),
    ):
        rows = compute(
            shipped,
            ["gross_margin", "discount_rate", "cross_sell_revenue", "units_per_order", "net_revenue"],
            marts,
            window,
        )
        said = dict(rows.select("metric", "reason").iter_rows())
        assert said == {
            "gross_margin": "no source gives `cost`",
            "discount_rate": "no source gives `discount`",
            "cross_sell_revenue": "no source gives `category`",
            "units_per_order": "no source gives `quantity`",
            "net_revenue": "",
        }


ALONE = ("order_lines", "customers", "survey_answers", "interactions", "spend")


@pytest.mark.parametrize("table", ALONE)
def test_any_table_alone_gives_figures_or_reasons(
    shop: Tables, shipped: Catalog, open_marts: Any, table: str
) -> None:
    marts = open_marts({table: shop[table]})
    for window in (Window(), Window(Grain.MONTH, 2024 * 12 + 3, 13)):
        rows = compute(shipped, list(shipped.plans), marts, window)
        assert (rows["value"].is_not_null() | (rows["reason"] != "")).all()
    first = {
        "order_lines": "net_revenue",
        "survey_answers": "satisfaction",
        "interactions": "contacts",
        "spend": "acquisition_spend",
    }
    if table in first:
        assert compute(shipped, [first[table]], marts, Window())["value"].item()


def test_subscriptions_alone_open(shipped: Catalog, open_marts: Any) -> None:
    contracts = pl.DataFrame(
        {
            "subscription_id": ["s1", "s2"], "customer_id": ["x", "y"], "plan": ["box", "box"],
            "started_on": [date(2024, 1, 1), date(2024, 2, 1)], "ended_on": [None, date(2024, 3, 1)],
            "amount": pl.Series([9, 9]).cast(MONEY), "billing_period": ["month", "month"],
        }
    )  # fmt: skip
    marts = open_marts({"subscriptions": contracts})
    assert marts.frame("contracts")["customer"].to_list() == [0, 1]
    assert (
        compute(shipped, ["net_revenue"], marts, Window())["reason"].item() == "no source gives `order_lines`"
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_no_line_or_one(shop: Tables, shipped: Catalog, open_marts: Any, rows: int) -> None:
    one = shop["order_lines"].filter(~pl.col("is_return"), pl.col("customer_id").is_not_null()).head(rows)
    marts = open_marts({"order_lines": one})
    for window in (
        Window(),
        Window(Grain.MONTH, 2024 * 12 + 3, 3),
        Window.between(Calendar(), date(2023, 1, 1), AS_OF),
    ):
        figures = compute(shipped, list(shipped.plans), marts, window)
        assert (figures["value"].is_not_null() | (figures["reason"] != "")).all()
    assert compute(shipped, ["orders"], marts, Window())["value"].item() == (1.0 if rows else None)


def test_nobody_known(shop: Tables, shipped: Catalog, open_marts: Any) -> None:
    lines = shop["order_lines"].with_columns(pl.lit(None, pl.String).alias("customer_id"))
    rows = compute(
        shipped,
        ["customers", "net_revenue", "orders", "retention_rate"],
        open_marts({"order_lines": lines}),
        Window(),
    )
    values = dict(rows.select("metric", "value").iter_rows())
    said = dict(rows.select("metric", "reason").iter_rows())
    assert (values["customers"], said["customers"]) == (None, "no source gives `customer_id`")
    assert values["net_revenue"] == float(lines.filter(pl.col("ordered_on") <= AS_OF)["net_amount"].sum())
    assert values["retention_rate"] is None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_rows_in_any_order_and_names_in_any_coding_give_the_same_figures(
    shop: Tables, shop_marts: Marts, shipped: Catalog, open_marts: Callable[..., Marts], seed: int
) -> None:
    names = ["net_revenue", "retention_rate", "cross_and_up_sell_share", "average_order_value"]
    window = Window(Grain.QUARTER, 2024 * 4, 4)
    shuffled = {name: table.sample(fraction=1, shuffle=True, seed=seed) for name, table in shop.items()}
    again = compute(shipped, names, open_marts(shuffled), window)
    assert_frame_equal(again, compute(shipped, names, shop_marts, window))


def test_sums_are_declared_alike() -> None:
    assert set(SUMS) <= set(RELATIONS[PANEL].columns)


def test_a_missing_mart_says_which_table_it_needs(open_marts: Any, shop: Tables) -> None:
    marts = open_marts({"customers": shop["customers"]})
    for mart, table in (
        ("answers", "survey_answers"),
        ("contacts", "interactions"),
        ("orders", "order_lines"),
    ):
        with pytest.raises(Missing, match=f"no source gives `{table}`"):
            marts.frame(mart)
    assert INSTANT.time_zone == "UTC"
