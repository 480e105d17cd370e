"""Association of pairs: the textbook baskets, SQL, scipy, mlxtend's formulas by hand, identities."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats

from config.documents import Document
from config.load import Located
from connectors.tables import INSTANT, MONEY
from metrics.affinity import association, pair_counts
from metrics.catalog import catalog
from metrics.crossbuying import basket_rows
from metrics.crossbuying_definitions import Affinity
from metrics.figures import compute
from metrics.periods import Window


def baskets(*contents):
    rows = [(at, item) for at, items in enumerate(contents) for item in items]
    return pl.LazyFrame(rows, schema=["order", "category"], orient="row")


def random_baskets(seed=6, n=3000, items=15):
    random = np.random.default_rng(seed)
    popular = random.dirichlet(np.ones(items))
    frame = pl.DataFrame(
        {
            "order": random.integers(0, n // 3, n),
            "category": [f"c{at:02}" for at in random.choice(items, n, p=popular)],
        }
    )
    return frame.with_columns(customer=pl.col("order") % 200)


def test_tea_and_cookies():
    """Eight baskets, 5 with tea, 6 with cookies, 4 with both: .5 .8 1.0667 .03125 1.25, chi-square .1778."""
    pairs = pl.DataFrame({"x": ["tea"], "y": ["cookies"], "n_x": [5], "n_y": [6], "n_xy": [4]})
    row = association(pairs, 8).row(0, named=True)
    names = ("support", "confidence", "lift", "leverage", "conviction", "chi_square")
    assert [row[name] for name in names] == pytest.approx(
        [0.5, 0.8, 1.0666667, 0.03125, 1.25, 0.1777778], abs=1e-6
    )
    assert row["test"] == "fisher"


def test_tea_and_cookies_from_the_baskets_themselves(open_marts):
    """The same eight baskets as order lines: through counts, and as definitions in YAML."""
    contents = [("tea", "cookies")] * 4 + [("tea",)] + [("cookies", "milk")] * 2 + [("milk",)]
    lines = pl.DataFrame(
        [
            (f"o{at}", item, f"c{at}", datetime(2024, 1, 1 + at, tzinfo=UTC), item)
            for at, items in enumerate(contents)
            for item in items
        ],
        schema=["order_id", "line_id", "customer_id", "ordered_at", "category"],
        orient="row",
    ).with_columns(
        ordered_on=pl.col("ordered_at").dt.date(),
        net_amount=pl.lit(1).cast(MONEY),
        is_return=pl.lit(value=False),
    )
    marts = open_marts({"order_lines": lines.with_columns(pl.col("ordered_at").cast(INSTANT))})
    pairs, n = pair_counts(basket_rows(marts).lazy())
    row = association(pairs, n).row(
        by_predicate=(pl.col("x") == "cookies") & (pl.col("y") == "tea"), named=True
    )
    names = ("support", "confidence_back", "lift", "leverage", "chi_square")
    expected = [0.5, 0.8, 1.0666667, 0.03125, 0.1777778]
    assert [row[name] for name in names] == pytest.approx(expected, abs=1e-6)
    said = {"kind": "affinity", "first": "tea", "second": "cookies", "description": "One."}
    values = ("support", "confidence", "lift", "leverage")
    ours = [
        Affinity(**said, name=name, label=name, value=name, unit="ratio" if name == "lift" else "rate")
        for name in values
    ]
    found = catalog([Located(each, Document("metrics.yaml")) for each in ours])
    figures = compute(found, values, marts, Window())
    assert dict(figures.select("metric", "value").iter_rows()) == pytest.approx(
        dict(zip(values, expected[:4], strict=True)), abs=1e-6
    )


def test_hyper_lift_is_over_the_quantile_of_chance():
    """Oracle: scipy's hypergeometric distribution."""
    pairs, n = pair_counts(random_baskets().lazy())
    table = association(pairs, n)
    quantiles = stats.hypergeom.ppf(0.99, n, table["n_x"].to_numpy(), table["n_y"].to_numpy())
    expected = [float(count / q) if q else None for count, q in zip(table["n_xy"], quantiles, strict=True)]
    assert table["hyper_lift"].to_list() == pytest.approx(expected)


def test_p_values_are_adjusted_over_all_pairs():
    """Oracle: scipy's Benjamini and Hochberg."""
    table = association(*pair_counts(random_baskets().lazy()))
    expected = stats.false_discovery_control(table["p_value"].to_numpy())
    assert table["p_adjusted"].to_list() == pytest.approx(expected.tolist())


def test_counts_by_hand():
    pairs, n = pair_counts(baskets("ab", "abc", "c", "aa"))
    assert n == 4
    assert pairs.rows() == [("a", "b", 3, 2, 2), ("a", "c", 3, 2, 1), ("b", "c", 2, 2, 1)]


@pytest.mark.parametrize("unit", ["order", "customer"])
def test_counts_equal_sql(unit):
    frame = random_baskets()
    sql = f"""with held as (select distinct "{unit}" as u, category as c from frame)
              select a.c, b.c, count(*) from held a join held b on a.u = b.u and a.c < b.c
              group by all order by all"""
    pairs, n = pair_counts(frame.lazy(), unit)
    assert pairs.select("x", "y", "n_xy").rows() == duckdb.sql(sql).fetchall()
    assert n == frame[unit].n_unique()


def test_tests_equal_scipy():
    pairs, n = pair_counts(random_baskets().lazy())
    for row in association(pairs, n).to_dicts():
        a, b, c = row["n_xy"], row["n_x"] - row["n_xy"], row["n_y"] - row["n_xy"]
        square = [[a, b], [c, n - a - b - c]]
        found = stats.chi2_contingency(square, correction=False)
        assert row["chi_square"] == pytest.approx(found.statistic)
        thin = found.expected_freq.min() < 5
        assert row["test"] == ("fisher" if thin else "chi-square")
        p_value = stats.fisher_exact(square).pvalue if thin else found.pvalue
        assert row["p_value"] == pytest.approx(p_value)
    assert any(row["test"] == "fisher" for row in association(pairs, n).to_dicts())


def test_what_always_holds():
    pairs, n = pair_counts(random_baskets().lazy())
    table = association(pairs, n)
    swapped = association(pairs.rename({"x": "y", "y": "x", "n_x": "n_y", "n_y": "n_x"}), n)
    both = table.join(swapped, left_on=["x", "y"], right_on=["y", "x"])
    assert both["lift"].to_list() == pytest.approx(both["lift_right"].to_list())
    assert both["confidence"].to_list() == pytest.approx(both["confidence_back_right"].to_list())
    assert table["leverage"].is_sorted(descending=True)
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_a_certain_rule_convinces_without_end():
    pairs, n = pair_counts(baskets("ab", "ab", "b", "c"))
    row = association(pairs, n).row(0, named=True)
    assert row["conviction"] == float("inf")


def test_a_rare_pair_does_not_come_first():
    """Two rare items that met once have a lift of 100; a frequent pair leads by leverage."""
    contents = ["ab"] * 30 + ["a"] * 15 + ["b"] * 15 + ["xy"] + ["c"] * 39
    table = association(*pair_counts(baskets(*contents)))
    assert table.select("x", "y").row(0) == ("a", "b")
    rare = table.row(by_predicate=pl.col("x") == "x", named=True)
    assert rare["lift"] == pytest.approx(100)
    assert rare["hyper_lift"] is None or rare["hyper_lift"] <= 1


def test_no_pairs():
    pairs, n = pair_counts(baskets("a", "b"))
    assert association(pairs, n).is_empty()
    none, zero = pair_counts(baskets("a").clear())
    assert zero == 0
    assert association(none, zero).is_empty()


@pytest.mark.parametrize("items", [40, 3000])
def test_counts_of_few_and_of_many_items_are_those_of_a_self_join(items):
    """Oracle: a self-join in Polars; units may be texts."""
    rng = np.random.default_rng(items)
    rows = pl.DataFrame(
        {"order": rng.integers(0, 900, 4000), "category": rng.integers(0, items, 4000)}
    ).with_columns(pl.format("o{}", "order").alias("order"), pl.format("c{}", "category").alias("category"))
    held = rows.unique()
    joined = (
        held.join(held, on="order", suffix="_y")
        .filter(pl.col("category") < pl.col("category_y"))
        .group_by(x="category", y="category_y")
        .agg(n_xy=pl.len().cast(pl.Int64))
        .sort("x", "y")
    )
    pairs, n = pair_counts(rows.lazy())
    assert n == rows["order"].n_unique()
    assert pairs.select("x", "y", "n_xy").equals(joined)
