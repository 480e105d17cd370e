"""Cross-buying on real data: Chinook's genres, Northwind's pairs; affinity and itemsets against mlxtend."""

import sqlite3
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from mlxtend.frequent_patterns import association_rules, fpgrowth

from connectors.tables import MONEY
from metrics.affinity import association, pair_counts
from metrics.crossbuying import basket_rows, breadth, holdings, summary
from metrics.frames import Marts
from metrics.itemsets import itemsets
from metrics.marts import build
from metrics.periods import Calendar


@pytest.mark.realdata
def test_chinook_genres_per_customer(real_data: Path):
    """7.458, from SQLite over invoice lines, tracks and genres."""
    query = """SELECT i.InvoiceId AS order_id, l.InvoiceLineId AS line_id, i.CustomerId AS customer_id,
        substr(i.InvoiceDate, 1, 10) AS day, g.Name AS category, l.Quantity AS quantity,
        l.UnitPrice * l.Quantity AS net_amount
        FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) JOIN Track USING (TrackId)
        JOIN Genre g USING (GenreId)"""
    marts = marts_of(read_sqlite(real_data / "chinook" / "Chinook_Sqlite.sqlite", query))
    rows = basket_rows(marts)
    found = summary(breadth(rows, holdings(rows)))
    assert found["categories"][0] == pytest.approx(7.458, abs=5e-4)


@pytest.mark.realdata
def test_northwind_category_pairs(real_data: Path):
    """Oracle: a self-join in SQLite."""
    path = real_data / "northwind" / "northwind_original_830.sqlite"
    query = """SELECT o.OrderID AS order_id, d.ProductID AS line_id, o.CustomerID AS customer_id,
        substr(o.OrderDate, 1, 10) AS day, c.CategoryName AS category, d.Quantity AS quantity,
        round(d.UnitPrice * d.Quantity * (1 - d.Discount), 4) AS net_amount
        FROM "Order Details" d JOIN Orders o USING (OrderID) JOIN Products USING (ProductID)
        JOIN Categories c USING (CategoryID)"""
    marts = marts_of(read_sqlite(path, query))
    pairs, n = pair_counts(basket_rows(marts).filter(pl.col("purchases") > 0).lazy())
    joined = read_sqlite(
        path,
        f"""WITH held AS (SELECT DISTINCT order_id, category FROM ({query}))
        SELECT a.category AS x, b.category AS y, count(*) AS n_xy FROM held a JOIN held b USING (order_id)
        WHERE a.category < b.category GROUP BY 1, 2 ORDER BY 1, 2""",
    )
    assert n == 830
    assert pairs.select("x", "y", "n_xy").rows() == joined.rows()


def read_sqlite(path: Path, query: str) -> pl.DataFrame:
    with sqlite3.connect(path) as base:
        cursor = base.execute(query)
        names = [column[0] for column in cursor.description]
        return pl.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)


def marts_of(lines: pl.DataFrame):
    day = pl.col("day").str.to_date()
    table = lines.with_columns(
        pl.col("order_id", "line_id", "customer_id").cast(pl.String),
        pl.col("quantity").cast(pl.Float64),
        pl.col("net_amount").cast(pl.Float64).round(4).cast(MONEY),
        ordered_on=day,
        ordered_at=day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        is_return=pl.lit(value=False),
    ).drop("day")
    last = date(2030, 1, 1)
    return Marts({**build({"order_lines": table.lazy()}, Calendar(), last)}, Calendar(), last)


@pytest.fixture(scope="module")
def held(shop_marts) -> pl.DataFrame:
    """Orders and what they hold, as the pairs are counted."""
    rows = basket_rows(shop_marts).filter(pl.col("purchases") > 0)
    return rows.select("order", pl.col("category").cast(pl.String)).unique()


def one_hot(held: pl.DataFrame):
    """The table that mlxtend reads."""
    wide = held.with_columns(value=pl.lit(value=True)).pivot(on="category", index="order", values="value")
    return wide.drop("order").fill_null(value=False).to_pandas()


def test_measures_are_those_of_mlxtend(held):
    pairs, n = pair_counts(held.lazy())
    ours = {(row["x"], row["y"]): row for row in association(pairs, n).iter_rows(named=True)}
    found = fpgrowth(one_hot(held), min_support=1 / n, use_colnames=True)
    theirs = association_rules(found, metric="support", min_threshold=0)
    compared = 0
    for row in theirs.to_dict("records"):
        if len(row["antecedents"]) + len(row["consequents"]) != 2:
            continue
        (x,), (y,) = row["antecedents"], row["consequents"]
        mine = ours[min(x, y), max(x, y)]
        measures = ("support", "lift", "leverage")
        assert [mine[name] for name in measures] == pytest.approx([row[name] for name in measures])
        confidence = mine["confidence"] if x < y else mine["confidence_back"]
        assert confidence == pytest.approx(row["confidence"])
        if x < y:
            assert mine["conviction"] == pytest.approx(row["conviction"])
        compared += 1
    assert compared == 2 * len(ours)


@pytest.mark.parametrize("least", [2, 15, 60])
def test_itemsets_are_those_of_mlxtend(held, least):
    ours = itemsets(held.lazy(), least)
    n = held["order"].n_unique()
    found = fpgrowth(one_hot(held), min_support=(least - 1e-6) / n, use_colnames=True)
    theirs = {
        frozenset(row["itemsets"]): round(row["support"] * n)
        for row in found.to_dict("records")
        if len(row["itemsets"]) > 1
    }
    assert {frozenset(items): count for items, count in ours.select("items", "n").iter_rows()} == theirs
    assert ours["n"].is_sorted(descending=True)


def test_no_itemsets_of_nothing(held):
    assert itemsets(held.clear().lazy(), 1).is_empty()
    assert itemsets(held.lazy(), 10**6).is_empty()
