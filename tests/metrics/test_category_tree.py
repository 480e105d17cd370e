"""The category tree: SQL, products that move, growth that is no move, lines without products."""

from datetime import date

import duckdb
import polars as pl
import pytest

from connectors.tables import MONEY
from metrics.category_tree import MART, moved, tree_on, version
from metrics.marts import build
from metrics.periods import Calendar

AS_OF = date(2024, 6, 30)


def lines(*rows):
    """Order lines of product, category and day; each an order of its own."""
    frame = pl.DataFrame(rows, schema=["product_id", "category", "ordered_on"], orient="row")
    at = pl.col("ordered_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return frame.with_row_index("order_id").with_columns(
        pl.col("order_id").cast(pl.String),
        line_id=pl.lit("1"),
        customer_id=pl.lit("ann"),
        ordered_at=at,
        net_amount=pl.lit(1).cast(MONEY),
        is_return=pl.lit(value=False),
    )


def tree(frame, **tables):
    given = {name: table.lazy() for name, table in tables.items()}
    return build({"order_lines": frame.lazy(), **given}, Calendar(), AS_OF)[MART]


MOVED = lines(
    ("pen", "office", date(2024, 1, 5)),
    ("pen", "gifts", date(2024, 3, 1)),
    ("pen", "gifts", date(2024, 3, 9)),
    ("ink", "office", date(2024, 2, 1)),
    ("mug", "gifts", date(2024, 5, 1)),
    (None, "office", date(2024, 1, 6)),
    ("cup", None, date(2024, 1, 6)),
    ("late", "office", date(2024, 7, 1)),
)


def test_the_tree_is_what_sql_says():
    """Oracle: DuckDB; lines without product or category, and after the as-of day, do not count."""
    rows = MOVED.select("product_id", "category", "ordered_on").to_arrow()
    assert rows.num_rows
    sql = f"""select product_id, category, min(ordered_on) from rows where ordered_on <= DATE '{AS_OF}'
              and product_id is not null and category is not null group by all order by 1, 3"""
    found = tree(MOVED)
    assert found.select("product_id", "category", "first_on").rows() == duckdb.sql(sql).fetchall()
    assert found["department"].null_count() == len(found)


def test_a_product_that_was_put_elsewhere_has_moved_and_a_new_one_has_not():
    found = tree(MOVED)
    january, april, june = (tree_on(found, date(2024, month, 30)) for month in (1, 4, 6))
    assert january.rows() == [("pen", "office", None)]
    assert moved(january, april).rows() == [("pen", "office", "gifts")]
    assert moved(april, june).is_empty()
    assert dict(june.select("product_id", "category").iter_rows()) == {
        "ink": "office",
        "mug": "gifts",
        "pen": "gifts",
    }


def test_the_name_of_a_tree_follows_products_and_places_alone():
    one = tree_on(tree(MOVED), AS_OF)
    assert version(one) == version(tree_on(tree(MOVED.reverse()), AS_OF))
    later = MOVED.with_columns(ordered_on=pl.col("ordered_on").dt.offset_by("3d"))
    assert version(one) == version(tree_on(tree(later), AS_OF))
    back = MOVED.with_columns(pl.col("category").replace("gifts", "office"))
    assert version(one) != version(tree_on(tree(back), AS_OF))


def test_a_department_is_part_of_the_tree():
    products = pl.DataFrame({"product_id": ["pen", "ink"], "department": ["Home", "Work"]})
    other = products.with_columns(department=pl.Series(["Home", "Home"]))
    before, after = (tree_on(tree(MOVED, products=each), AS_OF) for each in (products, other))
    assert dict(before.select("product_id", "department").iter_rows())["ink"] == "Work"
    assert moved(before, after)["product_id"].to_list() == ["ink"]
    assert version(before) != version(after)


@pytest.mark.parametrize("column", ["product_id", "category"])
def test_without_products_or_categories_there_is_no_tree(column):
    assert tree(MOVED.drop(column)).is_empty()
    assert tree(MOVED.with_columns(pl.lit(None, pl.String).alias(column))).is_empty()
