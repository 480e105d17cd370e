"""Marts: the tables that figures are computed from, made once per version of the store.

| mart | grain, in the order of its rows |
|---|---|
| customer_summary | customer, numbered from 0 in the order of customer_id: attributes, all-time sums |
| orders | customer x order x day (customer, ordered_on, order) |
| baskets | category x customer x order x day (category, customer, ordered_on, order) |
| customer_weeks, _months, _quarters, _years | period x customer (period, customer) |
| answers | survey answer (instrument, item, part, day) |
| contacts, contracts, spending | contact, contract, spend entry (day) |

Only marts whose tables are given are made; `customer_summary` always is. Unknown customers have a null
number, last in every order. Days are the project's own. What no source gives is null, not zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import narwhals.stable.v2 as nw
import polars as pl
from narwhals.stable.v2.typing import IntoLazyFrame

from connectors.tables import MONEY, dtypes
from metrics.events import complete, event_marts
from metrics.orders import orders_of, with_selling
from metrics.panels import panel, with_derived, without
from metrics.people import customer_summary, customer_totals, enum_of, numbered
from metrics.periods import Calendar, Grain
from metrics.rollup import (
    AMOUNTS,
    COUNTS,
    KEYS,
    QUANTITIES,
    Lines,
    baskets,
    collected,
    distinct_values,
    opened,
)

PART_LINES: Final = 1_000_000
MOST_VALUES: Final = 500
"""A text column of order lines with more values than this is no dimension."""

PANELS: Final[Mapping[Grain, str]] = {
    Grain.WEEK: "customer_weeks",
    Grain.MONTH: "customer_months",
    Grain.QUARTER: "customer_quarters",
    Grain.YEAR: "customer_years",
}
_OPTIONAL: Final = ("quantity", "cost", "discount", "category")
_SUMMED: Final = ("quantity", "net_amount", "cost", "discount", "is_return")


@dataclass(frozen=True)
class _Coding:
    """What the texts of order lines are coded with."""

    people: pl.DataFrame
    categories: pl.Enum
    dimensions: Mapping[str, pl.Enum]


@dataclass
class _Parts:
    """What the parts of the order lines have given so far."""

    baskets: list[pl.DataFrame] = field(default_factory=list)
    orders: list[pl.DataFrame] = field(default_factory=list)
    totals: list[pl.DataFrame] = field(default_factory=list)
    taken: int = 0
    """How many order numbers are taken."""


def build(
    tables: Mapping[str, Any], calendar: Calendar, as_of: date, *, part_lines: int = PART_LINES
) -> dict[str, pl.LazyFrame | pl.DataFrame]:
    """Every mart that the tables allow.

    `tables` holds canonical tables by name as Polars lazy frames; `order_lines` may be a lazy frame of any
    engine that narwhals knows (DuckDB, Spark), whose rows are then summed there. Lines after the as-of day do
    not count. Fastest when order_lines are sorted by customer_id; right in any order.
    """
    people = numbered(tables)
    marts: dict[str, pl.LazyFrame | pl.DataFrame] = dict(event_marts(tables, people, calendar, as_of))
    totals = None
    if "order_lines" in tables:
        made, totals = order_marts(tables["order_lines"], people, calendar, as_of, part_lines=part_lines)
        marts |= made
    return marts | {"customer_summary": customer_summary(people, tables.get("customers"), totals)}


def order_marts(
    table: IntoLazyFrame,
    people: pl.DataFrame,
    calendar: Calendar,
    as_of: date,
    *,
    categories: pl.Enum | None = None,
    home: pl.DataFrame | None = None,
    part_lines: int = PART_LINES,
) -> tuple[dict[str, pl.LazyFrame | pl.DataFrame], pl.DataFrame]:
    """The marts of order lines, and the sums of each customer who has any.

    `people` gives the number of every customer_id, `categories` codes the categories where that is settled.
    `home`: see `metrics.orders.with_selling`.
    """
    lines = opened(complete(table, "order_lines") if isinstance(table, pl.LazyFrame) else table)
    coding = _Coding(
        people, categories or enum_of(distinct_values(lines, "category")), line_dimensions(lines)
    )
    parts = _Parts()
    for rolled, order_ids in _rolled(lines, coding, as_of, part_lines):
        _add(parts, rolled, order_ids, coding, home)
    missing = _missing(lines)
    totals = without(pl.concat(parts.totals).lazy(), missing).collect()
    return _assembled(parts, calendar, missing), totals


def line_dimensions(lines: Lines) -> dict[str, pl.Enum]:
    """Text columns of order lines to group orders by: `channel` and what is no canonical column."""
    ours = set(dtypes("order_lines")) - {"channel"}
    texts = [
        name for name, dtype in lines.collect_schema().items() if dtype == nw.String and name not in ours
    ]
    values = {name: distinct_values(lines, name) for name in texts}
    return {name: enum_of(found) for name, found in values.items() if len(found) <= MOST_VALUES}


def _missing(lines: Lines) -> list[str]:
    """The optional columns that no line gives."""
    counts = collected(lines.select(nw.col(*_OPTIONAL).count()))
    return [name for name in _OPTIONAL if not counts[name].item()]


def _rolled(
    lines: Lines, coding: _Coding, as_of: date, part_lines: int
) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """Coded baskets of whole customers, part by part, each with its order ids; in one part from an engine."""
    dimensions = tuple(coding.dimensions)
    native = nw.to_native(lines)
    if not isinstance(native, pl.LazyFrame):
        counted = lines.filter(nw.col("ordered_on") <= nw.lit(as_of))
        yield _coded(collected(baskets(counted, dimensions)), coding)
        return
    for part in _customer_parts(native, part_lines):
        rows = part.filter(pl.col("ordered_on") <= as_of).select(*KEYS, *_SUMMED, *dimensions).collect()
        coded, order_ids = _coded(rows, coding)
        yield collected(baskets(opened(coded.lazy()), dimensions)), order_ids


def _customer_parts(lines: pl.LazyFrame, part_lines: int) -> Iterator[pl.LazyFrame]:
    """Slices of about `part_lines` lines that end where a customer ends; lines of unknown ones last."""
    ids = lines.select("customer_id").collect().to_series()
    if not (ids.is_sorted() or ids.is_sorted(nulls_last=True)):
        lines, ids = lines.sort("customer_id").collect().lazy(), ids.sort()
    unknown = ids.null_count()
    known_from = unknown if unknown and ids[0] is None else 0
    known = ids.slice(known_from, len(ids) - unknown)
    ends = known.rle().struct.field("len").cum_sum()
    first = 0
    while first < len(known):
        last = int(ends[int(ends.search_sorted(min(first + part_lines, len(known))))])
        yield lines.slice(known_from + first, last - first)
        first = last
    if unknown or not len(ids):
        yield lines.slice(0 if known_from else len(known), unknown)


def _coded(rows: pl.DataFrame, coding: _Coding) -> tuple[pl.DataFrame, pl.Series]:
    """Rows with numbers for customers and orders and Enums for texts; and the order ids by number."""
    ids = rows.select("customer_id")
    customers = ids.join(coding.people, on="customer_id", how="left", maintain_order="left")["customer"]
    orders, order_ids = _numbers(rows["order_id"])
    enums = {"category": coding.categories, **coding.dimensions}
    texts = (pl.col(name).cast(enum) for name, enum in enums.items())
    return rows.with_columns(customers.alias("customer_id"), orders.alias("order_id"), *texts), order_ids


def _numbers(ids: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The place of each id among the sorted ids, and these; cheap where equal ids stand together."""
    runs = ids.rle().struct
    heads = runs.field("value")
    names = heads.unique().sort()
    places = heads.to_frame("id").join(
        names.to_frame("id").with_row_index("place"), on="id", how="left", maintain_order="left"
    )["place"]
    return places.gather(ids.rle_id()), names


def _add(
    parts: _Parts,
    rolled: pl.DataFrame,
    order_ids: pl.Series,
    coding: _Coding,
    home: pl.DataFrame | None,
) -> None:
    """Take up the baskets of a part of the customers, their orders, their sums."""
    dimensions = tuple(coding.dimensions)
    named = rolled.rename({"customer_id": "customer", "order_id": "order"}).with_columns(
        pl.col(*COUNTS).cast(pl.Int32), pl.col(*QUANTITIES, *AMOUNTS).fill_null(0)
    )
    rows = with_selling(named.with_columns(pl.col(*AMOUNTS).cast(MONEY)), home)
    orders = orders_of(rows, dimensions)
    parts.totals.append(customer_totals(orders, rows, dimensions))
    parts.orders.append(
        orders.with_columns(
            order_ids.gather(orders["order"]).alias("order_id"), pl.col("order") + parts.taken
        )
    )
    parts.baskets.append(rows.drop(dimensions).with_columns(pl.col("order") + parts.taken))
    parts.taken += len(order_ids)


def _assembled(
    parts: _Parts, calendar: Calendar, missing: Sequence[str]
) -> dict[str, pl.LazyFrame | pl.DataFrame]:
    orders = pl.concat(parts.orders).lazy()
    rows = pl.concat(parts.baskets).lazy().sort("category", maintain_order=True, nulls_last=True)
    panels = {
        name: without(panel(orders, calendar.codes(pl.col("ordered_on"), grain)), missing)
        for grain, name in PANELS.items()
    }
    return {
        "orders": without(with_derived(orders), missing),
        "baskets": without(with_derived(rows), missing),
        **panels,
    }
