"""Cumulative and rolling metrics and changes: SQL in DuckDB over the same lines, and hand-worked cases."""

from datetime import date

import duckdb
import polars as pl
import pytest

from config.documents import Document
from config.load import Located
from metrics.catalog import catalog
from metrics.definitions import Change, Cumulative
from metrics.figures import compute
from metrics.intervals import difference, quotient, wilson
from metrics.lists import customers_behind
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Selection

MONTHS = Window(Grain.MONTH, 2024 * 12 + 4, 5)
SAID = {"name": "figure", "label": "Figure", "description": "One.", "unit": "count"}
CALENDAR = Calendar()


def with_metric(shipped, *definitions):
    document = Document("metrics.yaml")
    every = [*(plan.definition for plan in shipped.plans.values()), *definitions]
    found = catalog([Located(each, document) for each in every])
    assert not found.problems
    return found


def cumulative(metric, **said):
    return Cumulative(kind="cumulative", **SAID, metric=metric, **said)


def change(metric, **said):
    return Change(kind="change", **SAID, metric=metric, **said)


def values(shipped, definition, marts, window=MONTHS, by=None):
    return compute(with_metric(shipped, definition), ["figure"], marts, window, by=by)


@pytest.fixture(scope="module")
def database(shop):
    with duckdb.connect() as connection:
        for name in ("order_lines", "customers"):
            connection.register(name, shop[name])
        connection.execute(
            "CREATE TABLE l AS SELECT * FROM order_lines LEFT JOIN customers USING (customer_id)"
        )
        yield connection


def sql(database, select, start, end, keep="true"):
    lines = f"""
        SELECT *, ordered_on = min(ordered_on) FILTER (NOT is_return)
            OVER (PARTITION BY order_id, customer_id) AS is_order
        FROM l WHERE {keep}"""
    span = f"ordered_on BETWEEN DATE '{start}' AND DATE '{end}'"
    return database.execute(f"SELECT {select} FROM ({lines}) WHERE {span}").fetchone()[0]


CUSTOMERS = "count(DISTINCT customer_id) FILTER (NOT is_return AND is_order)"
ORDERS = "count(DISTINCT order_id) FILTER (NOT is_return AND is_order)"
REVENUE = "coalesce(sum(net_amount), 0)::DOUBLE"
ENDS = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31)]


@pytest.mark.parametrize(
    ("said", "starts"),
    [
        ({"window": "3 months"}, ["2023-11-01", "2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01"]),
        ({"window": "1 year"}, ["2023-02-01", "2023-03-01", "2023-04-01", "2023-05-01", "2023-06-01"]),
        ({"window": "30 days"}, ["2024-01-02", "2024-01-31", "2024-03-02", "2024-04-01", "2024-05-02"]),
        ({"window": "2 weeks"}, ["2024-01-18", "2024-02-16", "2024-03-18", "2024-04-17", "2024-05-18"]),
        ({"to_date": "quarter"}, ["2024-01-01"] * 3 + ["2024-04-01"] * 2),
        ({"to_date": "year"}, ["2024-01-01"] * 5),
        ({}, ["2000-01-01"] * 5),
    ],
)
@pytest.mark.parametrize(
    ("selection", "keep"),
    [
        (Selection(), "true"),
        (Selection({"region": ("North",)}), "region = 'North'"),
        (Selection(categories=("tea",)), "category = 'tea'"),
        (Selection(categories=("toys", "books")), "category IN ('books', 'toys')"),
    ],
)
def test_stretches_equal_sql(shipped, database, shop_marts, said, starts, selection, keep):
    """Customers are counted once over the whole stretch, and money adds up."""
    for metric, select in (("active_customers", CUSTOMERS), ("net_revenue", REVENUE)):
        rows = values(shipped, cumulative(metric, **said), shop_marts.select(selection))
        expected = [sql(database, select, start, end, keep) for start, end in zip(starts, ENDS, strict=True)]
        assert rows["value"].to_list() == pytest.approx(expected), (metric, said)


@pytest.mark.parametrize("by", ["region", "vip"])
@pytest.mark.parametrize(("grain", "last"), [(Grain.MONTH, MONTHS.last), (Grain.QUARTER, 2024 * 4 + 1)])
def test_customers_of_stretches_split_by_what_they_are(shipped, database, shop_marts, by, grain, last):
    rows = values(
        shipped, cumulative("active_customers", window="6 months"), shop_marts, Window(grain, last, 2), by
    )
    assert rows["by"].n_unique() > 1
    for value, code, n in rows.filter(pl.col("by").is_not_null()).select("by", "period", "value").rows():
        end = CALENDAR.end(code, grain)
        start = (pl.Series([end]).dt.offset_by("1d").dt.offset_by("-6mo")).item()
        assert n == sql(database, CUSTOMERS, start, end, f"{by}::TEXT = '{value}'"), (value, code)


def test_a_split_of_a_selection_has_the_values_selected(shipped, shop_marts):
    definition = cumulative("active_customers", window="6 months")
    ends = shop_marts.select(Selection({"region": ("East", "West")}))
    whole = values(shipped, definition, shop_marts, by="region")
    kept = values(shipped, definition, ends, by="region").filter(pl.col("value") > 0)
    expected = whole.filter(pl.col("by").is_in(["East", "West"]), pl.col("value") > 0)
    assert kept.select("by", "period", "value").equals(expected.select("by", "period", "value"))


def test_money_stays_exact_and_splits(shipped, shop_marts):
    whole = values(shipped, cumulative("net_revenue", to_date="year"), shop_marts)
    parts = values(shipped, cumulative("net_revenue", to_date="year"), shop_marts, by="region")
    per_period = parts.group_by("period").agg(pl.col("amount").sum()).sort("period")
    assert whole["amount"].null_count() == 0
    assert per_period["amount"].to_list() == whole["amount"].to_list()


@pytest.mark.parametrize(("grain", "last"), [(Grain.QUARTER, 2024 * 4), (Grain.WEEK, 2830), (Grain.ALL, 0)])
def test_every_grain_ends_its_stretch_with_the_period(shipped, database, shop_marts, grain, last):
    rows = values(shipped, cumulative("orders", window="6 months"), shop_marts, Window(grain, last))
    end = shop_marts.as_of if grain is Grain.ALL else CALENDAR.end(last, grain)
    start = (pl.Series([end]).dt.offset_by("1d").dt.offset_by("-6mo")).item()
    assert rows["value"].item() == sql(database, ORDERS, start, end)


def test_a_stretch_that_begins_before_the_data_has_no_figure(shipped, shop_marts):
    rows = values(
        shipped, cumulative("orders", window="12 months"), shop_marts, Window(Grain.MONTH, 2023 * 12 + 11, 2)
    )
    assert rows["value"].is_null().to_list() == [True, False]
    assert rows["reason"][0] == "the data do not reach back far enough"


def test_the_list_of_a_stretch_adds_up_to_it(shipped, shop_marts):
    found = with_metric(shipped, cumulative("repeat_purchase_rate", window="6 months"))
    rows = compute(found, ["figure"], shop_marts, MONTHS)
    people = customers_behind(found, "figure", shop_marts, MONTHS)
    sums = people.group_by("period").agg(pl.col("numerator", "denominator").sum()).sort("period")
    assert (sums["numerator"] / sums["denominator"]).to_list() == pytest.approx(rows["value"].to_list())
    assert rows["interval"].unique().to_list() == ["wilson"]


@pytest.mark.parametrize(("against", "back"), [("previous", 1), ("year", 12)])
@pytest.mark.parametrize("by", [None, "region"])
def test_changes_are_those_of_the_figures(shipped, shop_marts, against, back, by):
    """Oracle: the figures themselves, asked for in either period."""
    found = compute(shipped, ["net_revenue"], shop_marts, Window(Grain.MONTH, MONTHS.last, 5 + back), by=by)
    keys = ["period", *(["by"] if by else [])]
    earlier = found.select(pl.col("period") + back, *keys[1:], before="value")
    both = found.join(earlier, on=keys, nulls_equal=True).filter(pl.col("period") >= MONTHS.first)
    relative = values(shipped, change("net_revenue", against=against), shop_marts, by=by)
    absolute = values(shipped, change("net_revenue", against=against, value="difference"), shop_marts, by=by)
    for row in both.iter_rows(named=True):
        at = pl.all_horizontal(pl.col(key).eq_missing(row[key]) for key in keys)
        if row["before"] > 0:
            assert relative.filter(at)["value"].item() == pytest.approx(row["value"] / row["before"] - 1)
        assert absolute.filter(at)["value"].item() == pytest.approx(row["value"] - row["before"])


def test_a_running_period_is_compared_with_nothing(shipped, shop_marts):
    rows = values(shipped, change("orders"), shop_marts, Window(Grain.MONTH, 2024 * 12 + 5))
    assert (rows["value"].item(), rows["reason"].item().split(",")[0]) == (None, "the period is not over")


def test_days_that_are_no_periods_have_no_change(shipped, shop_marts):
    rows = values(shipped, change("orders"), shop_marts, Window())
    assert rows["reason"].item().startswith("ask for whole periods")


def test_a_change_lists_both_periods(shipped, shop_marts):
    found = with_metric(shipped, change("orders"))
    people = customers_behind(found, "figure", shop_marts, Window(Grain.MONTH, MONTHS.last))
    now, before = (people[f"{side}.value"].sum() for side in ("now", "before"))
    row = compute(found, ["figure"], shop_marts, Window(Grain.MONTH, MONTHS.last)).row(0, named=True)
    assert now / before - 1 == pytest.approx(row["value"])


def test_bounds_of_a_change_of_rates(shipped, shop_marts):
    """Of Wilson's, Newcombe's method 10: Statistics in Medicine 17:873 (1998), 56/70 less 48/80."""
    row = values(shipped, change("repeat_purchase_rate", value="difference"), shop_marts).row(4, named=True)
    assert row["interval"] == "mover"
    assert row["lower"] < row["value"] < row["upper"]
    (first, second), (above, below) = wilson([56, 48], [70, 80]), (0.8, 0.6)
    theirs = difference((above, first[0], second[0]), (below, first[1], second[1]))
    assert theirs == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_bounds_of_a_quotient_hold_it_as_often_as_they_say():
    """95 % intervals of a quotient of two normal means cover it in about 95 % of 2,000 draws."""
    import numpy as np

    random = np.random.default_rng(1)
    draws = random.normal((10, 8), (0.8, 0.5), (2000, 2))
    covered = 0
    for a, b in draws:
        lower, upper = quotient((a, a - 1.96 * 0.8, a + 1.96 * 0.8), (b, b - 1.96 * 0.5, b + 1.96 * 0.5))
        covered += lower <= 10 / 8 <= upper
    assert 0.94 <= covered / 2000 <= 0.965
    assert np.isnan(quotient((1, 0.5, 2), (1, 0, 2))).all()
