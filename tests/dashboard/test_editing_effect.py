"""What an edit does: the figures that change, and no others."""

from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from connectors.sources import read_sources
from connectors.tables import dtypes
from dashboard.definitions import definitions
from dashboard.editing.drafts import draft_of
from dashboard.editing.effect import affected, effect
from dashboard.lineage import above, below, lineage
from metrics.frames import Marts
from metrics.marts import build
from metrics.periods import Calendar

FOLDER = Path("/project")
AS_OF = date(2024, 3, 31)
ORDERS = [
    ("o1", "ann", date(2024, 1, 5), 10, "North"),
    ("o2", "ann", date(2024, 1, 5), 10, "North"),
    ("o3", "bob", date(2024, 1, 9), 10, "South"),
    ("o4", "bob", date(2024, 2, 9), 10, "South"),
    ("o5", "cid", date(2024, 2, 9), 10, "South"),
    ("o6", "cid", date(2024, 2, 9), 10, "South"),
    ("o7", "dot", date(2024, 3, 1), 10, "North"),
]


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    names = ("order_id", "customer_id", "ordered_on", "net_amount", "region")
    given = pl.DataFrame(ORDERS, schema=names, orient="row").with_columns(
        pl.lit("1").alias("line_id"),
        pl.lit(value=False).alias("is_return"),
        pl.col("ordered_on").cast(pl.Datetime("us", "UTC")).alias("ordered_at"),
    )
    wanted = dtypes("order_lines")
    missing = [pl.lit(None, dtype).alias(n) for n, dtype in wanted.items() if n not in given.columns]
    return given.with_columns(missing).with_columns(pl.col(n).cast(t) for n, t in wanted.items())


@pytest.fixture(scope="module")
def marts(lines) -> Marts:
    return Marts(build({"order_lines": lines.lazy()}, Calendar(), AS_OF), Calendar(), AS_OF)


def edited(name, old, new):
    """The catalogues before and after an edit of a shipped definition."""
    before = definitions(FOLDER, {})
    draft = draft_of(FOLDER, before.located[name])
    assert old in draft.text
    after = definitions(FOLDER, {}, {draft.file: draft.file_text(draft.text.replace(old, new))})
    return before.catalog, after.catalog


def test_two_orders_become_two_days(marts, lines):
    """Oracle: DuckDB."""
    found = effect(*edited("repeat_customers", "orders >= 2", "order_days >= 2"), marts, ["region"])
    frame = lines.to_arrow()
    orders, days = duckdb.sql(
        "SELECT count(*) FILTER (orders >= 2), count(*) FILTER (days >= 2) FROM (SELECT customer_id, "
        "count(DISTINCT order_id) AS orders, count(DISTINCT ordered_on) AS days FROM frame GROUP BY 1)"
    ).fetchall()[0]
    assert frame.num_rows == len(ORDERS)
    assert [(each.name, each.is_edited) for each in found] == [
        ("repeat_customers", True),
        ("repeat_purchase_rate", False),
    ]
    assert (found[0].before, found[0].after) == (orders, days) == (3, 1)
    assert (found[1].before, found[1].after) == (0.75, 0.25)
    assert (found[1].n_before, found[1].n_after) == (4, 4)


def test_months_and_segments_stand_side_by_side(marts):
    change = effect(*edited("repeat_customers", "orders >= 2", "order_days >= 2"), marts, ["region"])[0]
    assert change.months["period"].to_list() == list(range(2024 * 12 - 10, 2024 * 12 + 3))
    assert change.months.tail(3).select("before", "after").rows() == [(1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
    assert change.segments["region"].rows() == [("North", 1.0, 0.0), ("South", 2.0, 1.0)]


def test_a_change_of_words_changes_no_figure(marts):
    catalogs = edited("repeat_customers", "label: Repeat customers", "label: Came twice")
    assert affected(*catalogs) == {}
    assert effect(*catalogs, marts) == []


def test_another_formula_with_the_same_figures_is_not_told(marts):
    catalogs = edited("repeat_customers", "orders >= 2", "orders > 1")
    assert set(affected(*catalogs)) == {"repeat_customers", "repeat_purchase_rate"}
    assert effect(*catalogs, marts, ["region"]) == []


def test_a_new_metric_has_no_figures_before(marts):
    (change,) = effect(*edited("repeat_customers", "name: repeat_customers", "name: came_twice"), marts)
    assert (change.name, change.before, change.after) == ("came_twice", None, 3.0)
    assert change.is_new


def test_a_metric_that_is_taken_out_has_no_figures_after(marts):
    before, after = edited("repeat_customers", "name: repeat_customers", "name: came_twice")
    (change,) = effect(after, before, marts)
    assert (change.name, change.before, change.after) == ("came_twice", 3.0, None)
    assert not change.is_new


def test_no_edit_changes_nothing(marts):
    catalog = definitions(FOLDER, {}).catalog
    assert effect(catalog, catalog, marts, ["region"]) == []


SOURCES = """
sources:
  - name: till
    table: order_lines
    kind: csv
    location: till.csv
    columns: {order_id: receipt, line_id: row_number, customer_id: card, ordered_at: at, net_amount: paid * 2}
"""


def test_lineage_leads_from_a_metric_to_the_columns_of_sources(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(SOURCES)
    catalog = definitions(FOLDER, {}).catalog
    found = lineage(catalog, "repeat_purchase_rate", read_sources(path))
    assert {(step.metric, step.relation, step.column) for step in found} == {
        (metric, "customer_periods", column)
        for metric in ("repeat_customers", "active_customers")
        for column in ("customer", "orders")
    }
    theirs = {step.table_column: (step.origin.source, step.origin.text) for step in found}
    assert theirs == {
        "customer_id": ("till", "card"),
        "order_id": ("till", "receipt"),
        "is_return": ("till", "net_amount < 0"),
    }
    (amount, *_) = lineage(catalog, "net_revenue", read_sources(path))
    assert (amount.column, amount.origin.text) == ("net_amount", "paid * 2")


def test_what_no_source_gives_is_said(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(SOURCES)
    catalog = definitions(FOLDER, {}).catalog
    found = lineage(catalog, "satisfaction", read_sources(path))
    assert found
    assert all(step.table == "survey_answers" and not step.origin.source for step in found)


def test_readers_and_what_is_read():
    catalog = definitions(FOLDER, {}).catalog
    assert below(catalog, "repeat_purchase_rate") == ["repeat_customers", "active_customers"]
    assert "repeat_purchase_rate" in above(catalog, "active_customers")
    assert below(catalog, "active_customers") == []


def test_a_table_is_not_taken_for_the_metric_of_its_name():
    before = definitions(FOLDER, {})
    draft = draft_of(FOLDER, before.located["repeat_customers"])
    text = "- {name: all_of_them, kind: simple, label: All, description: All orders., unit: count, "
    text += "table: orders, expression: count(*)}"
    catalog = definitions(FOLDER, {}, {draft.file: draft.file_text(text)}).catalog
    assert "orders" in catalog.plans
    assert below(catalog, "all_of_them") == []


def test_every_shipped_metric_has_a_lineage(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(SOURCES)
    catalog, sources = definitions(FOLDER, {}).catalog, read_sources(path)
    assert [name for name in catalog.plans if not lineage(catalog, name, sources)] == []
