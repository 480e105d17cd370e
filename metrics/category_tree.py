"""The category tree: in which category, and department, each product stands, and when it was put elsewhere.

Whoever buys the same product before and after it was put into another category looks like a cross-buyer. So
every version of the store keeps the tree that its order lines carry, and figures are compared under one tree,
or it is said how many products moved.
"""

from datetime import date
from hashlib import sha256
from typing import Final

import narwhals.stable.v2 as nw
import polars as pl

from metrics.rollup import Lines, collected, opened

MART: Final = "category_tree"
SCHEMA: Final = pl.Schema(
    {"product_id": pl.String(), "category": pl.String(), "department": pl.String(), "first_on": pl.Date()}
)
_PLACE: Final = ("product_id", "category")


def category_tree(lines: Lines, products: pl.LazyFrame | None, as_of: date) -> pl.DataFrame:
    """In which category each product was sold, and from which day on; sorted by product and day.

    One row a product and category, as in SCHEMA: a product with two rows was moved, or stands in both. The
    department is that of the products today. No rows where lines name no products.
    """
    if not {"product_id", "category"} <= set(lines.collect_schema()):
        return pl.DataFrame(schema=SCHEMA)
    return _with_departments(_sold(lines, as_of), products)


def renewed_tree(
    before: pl.DataFrame,
    own: pl.LazyFrame,
    went: pl.LazyFrame,
    every: pl.LazyFrame,
    products: pl.LazyFrame | None,
    as_of: date,
) -> pl.DataFrame:
    """The tree of `every` line, made from the one before, the lines of changed customers and those that went.

    Only where a line went that was the first of its product and category are all lines looked through.
    """
    known = before.drop("department")
    first = went.select(*_PLACE, first_on="ordered_on").unique().collect()
    doubtful = known.join(first, on=known.columns, how="semi").select(_PLACE)
    found = [known.join(doubtful, on=_PLACE, how="anti"), _sold(opened(own), as_of)]
    if doubtful.height:
        again = every.filter(pl.col("product_id").is_in(doubtful["product_id"].implode()))
        found.append(_sold(opened(again), as_of))
    sold = pl.concat(rows.select(known.columns) for rows in found).group_by(_PLACE).min()
    return _with_departments(sold, products)


def _sold(lines: Lines, as_of: date) -> pl.DataFrame:
    known = lines.filter(
        ~nw.col("product_id").is_null(), ~nw.col("category").is_null(), nw.col("ordered_on") <= nw.lit(as_of)
    )
    return collected(known.group_by(*_PLACE).agg(nw.col("ordered_on").min().alias("first_on")))


def _with_departments(sold: pl.DataFrame, products: pl.LazyFrame | None) -> pl.DataFrame:
    rows = sold.join(_departments(products), on="product_id", how="left")
    return rows.select(SCHEMA.names()).cast(SCHEMA).sort("product_id", "first_on", "category")


def _departments(products: pl.LazyFrame | None) -> pl.DataFrame:
    if products is None or "department" not in products.collect_schema():
        return pl.DataFrame(schema={"product_id": pl.String, "department": pl.String})
    return products.select("product_id", "department").collect()


def tree_on(tree: pl.DataFrame, day: date) -> pl.DataFrame:
    """Where each product stood on a day: the category in which it was first sold last; sorted by product."""
    past = tree.filter(pl.col("first_on") <= day).sort("product_id", "first_on", "category")
    return (
        past.group_by("product_id", maintain_order=True).last().select("product_id", "category", "department")
    )


def version(standing: pl.DataFrame) -> str:
    """The name of a tree of `tree_on`: eight hexadecimal digits, equal for equal products and places."""
    return sha256(standing.write_csv().encode()).hexdigest()[:8]


def moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The products of two `tree_on` that stand in another category or department in the second.

    `product_id`, `before`, `after` (categories), sorted. A product that only one of them has did not move.
    """
    both = before.join(after, on="product_id", suffix="_after")
    other = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in ("category", "department")
    )
    return (
        both.filter(other).select("product_id", before="category", after="category_after").sort("product_id")
    )
