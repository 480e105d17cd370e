"""Customers: their numbers, their sums over all history, their attributes."""

from collections.abc import Mapping
from typing import Final

import polars as pl
from narwhals.stable.v2.typing import IntoLazyFrame

from connectors.tables import dtypes
from metrics.orders import MEASURES
from metrics.panels import in_money, with_derived
from metrics.rollup import distinct_values, opened

MOST_ATTRIBUTE_VALUES: Final = 500
"""An attribute with more values than this is kept, but not to filter or group by."""

_PEOPLE_TABLES: Final = ("customers", "order_lines", "survey_answers", "interactions", "subscriptions")
_FACTS: Final = ("first_order_on", "last_order_on", "categories", *MEASURES)


def numbered(tables: Mapping[str, IntoLazyFrame], merged: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Every customer that any table names: `customer_id` (sorted) and its number `customer` from 0.

    One that was `merged` into another is that one.
    """
    named = [_ids(tables[name]) for name in _PEOPLE_TABLES if name in tables]
    ids = (
        pl.concat(named).replace(merged or {}).unique() if named else pl.Series("customer_id", [], pl.String)
    )
    return ids.drop_nulls().sort().to_frame().with_row_index("customer").select("customer_id", "customer")


def _ids(table: IntoLazyFrame) -> pl.Series:
    return distinct_values(opened(table), "customer_id").cast(pl.String)


def customer_totals(orders: pl.DataFrame, baskets: pl.DataFrame, dimensions: tuple[str, ...]) -> pl.DataFrame:
    """One row a known customer with order lines: sums, first and last order day, categories bought.

    `orders` are sorted by (customer, ordered_on, order), baskets by (category, customer, ...). A dimension
    takes its value on the customer's first row.
    """
    ordered_on = pl.when(pl.col("orders") > 0).then("ordered_on")
    rows = orders.lazy().filter(pl.col("customer").is_not_null())
    sums = rows.group_by("customer").agg(
        ordered_on.min().alias("first_order_on"),
        ordered_on.max().alias("last_order_on"),
        *(pl.col(name).sum() for name in MEASURES),
        *(pl.col(name).first() for name in dimensions),
    )
    return (
        sums.sort("customer")
        .collect()
        .join(_categories(baskets), on="customer", how="left", maintain_order="left")
    )


def _categories(baskets: pl.DataFrame) -> pl.DataFrame:
    bought = (
        baskets.lazy()
        .select("customer", "category", "purchases")
        .filter((pl.col("purchases") > 0) & pl.col("category").is_not_null())
    )
    new = (pl.col("customer") != pl.col("customer").shift(1)) | (
        pl.col("category").to_physical() != pl.col("category").to_physical().shift(1)
    )
    distinct = bought.filter(new.fill_null(value=True))
    return distinct.group_by("customer").agg(pl.len().cast(pl.Int32).alias("categories")).collect()


def customer_summary(
    people: pl.DataFrame, customers: pl.LazyFrame | None, totals: pl.DataFrame | None
) -> pl.DataFrame:
    """One row a customer, sorted by number: id, attributes, then sums of all history where there are orders.

    Attributes come from the customers table; what it does not give (`channel`, further columns of order
    lines) is what the customer's first order says. A customer without order lines has sums of zero.
    """
    rows = people.lazy()
    given = customers.join(rows, on="customer_id") if customers is not None else rows
    attributes = given.unique("customer_id", keep="first").collect()
    joined = rows.collect().join(
        attributes.drop("customer_id"), on="customer", how="left", maintain_order="left"
    )
    if totals is not None:
        joined = with_totals(joined, totals)
    return coded_attributes(joined)


def with_totals(people: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Customers with their sums, zero for those who have none."""
    named = people.join(totals, on="customer", how="left", maintain_order="left", suffix=" of orders")
    given = [name for name in (*MEASURES, "categories") if totals[name].count()]
    filled = [pl.col(name).fill_null(0) for name in given]
    whole = in_money(with_derived(named.lazy().with_columns(filled)))
    return _first_orders_say(whole.collect())


def _first_orders_say(rows: pl.DataFrame) -> pl.DataFrame:
    """Attributes of the customers table, filled from the first order where the table gives none at all."""
    doubled = [name.removesuffix(" of orders") for name in rows.columns if name.endswith(" of orders")]
    empty = [name for name in doubled if rows[name].null_count() == len(rows)]
    return rows.with_columns(pl.col(f"{name} of orders").alias(name) for name in empty).drop(
        f"{name} of orders" for name in doubled
    )


def coded_attributes(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with every attribute of few values as an Enum in alphabetical order; ids and names stay text."""
    personal = {"customer_id", "name", "email"}
    texts = [n for n, t in rows.schema.items() if t == pl.String and n not in personal]
    few = [name for name in texts if rows[name].n_unique() <= MOST_ATTRIBUTE_VALUES]
    return rows.with_columns(pl.col(name).cast(enum_of(rows[name])) for name in few)


def enum_of(values: pl.Series) -> pl.Enum:
    """The Enum of the values of a column, in alphabetical order."""
    return pl.Enum(values.cast(pl.String).drop_nulls().unique().sort())


def attribute_names(summary: pl.DataFrame) -> tuple[str, ...]:
    """The columns of a customer summary to filter and group by: few values, not personal."""
    canonical = dtypes("customers")
    return tuple(
        name
        for name, dtype in summary.schema.items()
        if (isinstance(dtype, pl.Enum) or dtype == pl.Boolean) and (name not in _FACTS or name in canonical)
    )
