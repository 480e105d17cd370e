"""Marts: the tables that figures are computed from, made once per version of the store.

| mart | grain, in the order of its rows |
|---|---|
| customer_summary | customer, numbered from 0 in the order of customer_id: attributes, all-time sums |
| customer_totals | customer with order lines: all-time sums, first and last day, first dimensions |
| orders | customer x order x day (customer, ordered_on, order) |
| baskets | category x customer x order x day (category, customer, ordered_on, order) |
| customer_months, customer_years | period x customer (period, customer) |
| category_tree | product x category (product, first day) |
| answers | survey answer (instrument, item, part, day) |
| contacts, contracts, spending | contact, contract, spend entry (day) |

Only marts whose tables are given are made; `customer_summary` always is. Unknown customers have a null
number, last in every order. Days are the project's own. What no source gives is null, not zero.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import narwhals.stable.v2 as nw
import polars as pl
from narwhals.stable.v2.typing import IntoLazyFrame

from connectors.tables import dtypes
from metrics.category_tree import MART as TREE
from metrics.category_tree import category_tree
from metrics.events import complete, event_marts
from metrics.merging import merged, unified
from metrics.money import units
from metrics.orders import FLAGS, orders_of, with_selling
from metrics.panels import (
    EVERY_SUM,
    NEIGHBOURS,
    by_period,
    in_money,
    panel,
    with_derived,
    without,
)
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

PART_LINES: Final = 400_000
_AT_ONCE: Final = 2
"""Parts that are worked on side by side, since some steps take one processor alone."""

MOST_VALUES: Final = 500
"""A text column of order lines with more values than this is no dimension."""

PANELS: Final[Mapping[Grain, str]] = {
    Grain.WEEK: "customer_weeks",
    Grain.MONTH: "customer_months",
    Grain.QUARTER: "customer_quarters",
    Grain.YEAR: "customer_years",
}
GRAIN_OF: Final = {name: grain for grain, name in PANELS.items()}
STORED: Final = (Grain.MONTH, Grain.YEAR)
"""The panels that are stored; the others are made of orders when they are asked for (`metrics.frames`)."""

_OPTIONAL: Final = ("quantity", "cost", "discount", "category")
_AMOUNTS: Final = ("net_amount", "cost", "discount")
_SUMMED: Final = (*_AMOUNTS, "quantity", "is_return")


@dataclass(frozen=True)
class _Coding:
    """What the texts of order lines are coded with."""

    people: pl.DataFrame
    categories: pl.Enum
    dimensions: Mapping[str, pl.Enum]
    merged: Mapping[str, str]


@dataclass(frozen=True)
class _Part:
    """What some of the customers' lines give, money in units; orders are numbered from 0."""

    baskets: pl.DataFrame
    orders: pl.DataFrame
    totals: pl.DataFrame
    order_numbers: int


@dataclass
class _Parts:
    """What the parts of the order lines have given so far, money in units."""

    baskets: dict[object, list[pl.DataFrame]] = field(default_factory=dict)
    """By category."""
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
    not count, and merged customers are one (`metrics.merging`). Fastest when order_lines are sorted by
    customer_id; right in any order.
    """
    into = merged(tables.get("customers"))
    tables = unified(tables)
    people = numbered(tables, into)
    marts: dict[str, pl.LazyFrame | pl.DataFrame] = dict(event_marts(tables, people, calendar, as_of))
    totals = None
    if "order_lines" in tables:
        lines = tables["order_lines"]
        made, totals = order_marts(lines, people, calendar, as_of, merged=into, part_lines=part_lines)
        tree = category_tree(opened(tables["order_lines"]), tables.get("products"), as_of)
        marts |= made | {"customer_totals": totals, TREE: tree}
    return marts | {"customer_summary": customer_summary(people, tables.get("customers"), totals)}


def order_marts(
    table: IntoLazyFrame,
    people: pl.DataFrame,
    calendar: Calendar,
    as_of: date,
    *,
    categories: pl.Enum | None = None,
    dimensions: Mapping[str, pl.Enum] | None = None,
    home: pl.DataFrame | None = None,
    first_order: int = 0,
    merged: Mapping[str, str] | None = None,
    part_lines: int = PART_LINES,
) -> tuple[dict[str, pl.LazyFrame | pl.DataFrame], pl.DataFrame]:
    """The marts of order lines, and the sums of each customer who has any.

    `people` gives the number of every customer_id; `categories` and `dimensions` code the texts where that is
    settled; orders are numbered from `first_order`. `home`: see `metrics.orders.with_selling`.
    """
    lines = opened(complete(table, "order_lines") if isinstance(table, pl.LazyFrame) else table)
    coding = _Coding(
        people,
        categories or enum_of(distinct_values(lines, "category")),
        line_dimensions(lines) if dimensions is None else dimensions,
        merged or {},
    )
    parts = _Parts(taken=first_order)

    def made(rows: Lines) -> _Part:
        return _part(*_rolled(rows, coding, as_of), coding, home)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for part in pool.map(made, _customer_parts(lines, part_lines)):
            _add(parts, part)
    missing = missing_columns(lines)
    totals = without(in_money(pl.concat(parts.totals).lazy()), missing).collect()
    return _assembled(parts, calendar, missing), totals


def line_dimensions(lines: Lines, values: Callable[[str], pl.Series] | None = None) -> dict[str, pl.Enum]:
    """Text columns of order lines to group orders by: `channel` and what is no canonical column.

    `values` gives the values of a column where they are known already.
    """
    ours = set(dtypes("order_lines")) - {"channel"}
    texts = [
        name for name, dtype in lines.collect_schema().items() if dtype == nw.String and name not in ours
    ]
    found = {name: values(name) if values else distinct_values(lines, name) for name in texts}
    return {name: enum_of(each) for name, each in found.items() if each.count() <= MOST_VALUES}


def missing_columns(lines: Lines) -> list[str]:
    """The optional columns that no line gives."""
    given = (lines.select(name).filter(~nw.col(name).is_null()).head(1) for name in _OPTIONAL)
    return [name for name, value in zip(_OPTIONAL, given, strict=True) if not len(collected(value))]


def _rolled(lines: Lines, coding: _Coding, as_of: date) -> tuple[pl.DataFrame, pl.Series]:
    """Coded baskets of whole customers, and their order ids; an engine sums before anything is coded."""
    dimensions = tuple(coding.dimensions)
    counted = lines.filter(nw.col("ordered_on") <= nw.lit(as_of))
    if not isinstance(nw.to_native(lines), pl.LazyFrame):
        rolled = collected(baskets(counted, dimensions)).with_columns(units(pl.col(*AMOUNTS)))
        return _coded(_unified(rolled, coding), coding)
    rows = collected(counted.select(*KEYS, *_SUMMED, *dimensions))
    coded, order_ids = _coded(rows.with_columns(units(pl.col(*_AMOUNTS))), coding)
    return collected(baskets(opened(coded.lazy()), dimensions)), order_ids


def _unified(rolled: pl.DataFrame, coding: _Coding) -> pl.DataFrame:
    """Baskets that an engine summed, with merged customers as one."""
    if not coding.merged:
        return rolled
    one = rolled.with_columns(pl.col("customer_id").replace(coding.merged))
    sums = pl.col(*COUNTS, *QUANTITIES, *AMOUNTS).sum()
    return one.group_by(KEYS).agg(sums, *(pl.col(name).min() for name in coding.dimensions))


def _customer_parts(table: Lines, part_lines: int) -> Iterator[Lines]:
    """About `part_lines` lines of whole customers at a time; lines of unknown ones last.

    Rows of an engine are one part. Rows are chosen by ids, for which a scan looks at no other part of a file.
    """
    lines = nw.to_native(table)
    if not isinstance(lines, pl.LazyFrame):
        yield table
        return
    ids = lines.select("customer_id").collect().to_series()
    if not (ids.is_sorted() or ids.is_sorted(nulls_last=True)):
        lines, ids = lines.sort("customer_id").collect().lazy(), ids.sort()
    unknown = ids.null_count()
    known = ids.slice(unknown if unknown and ids[0] is None else 0, len(ids) - unknown)
    ends = known.rle().struct.field("len").cum_sum()
    customer, first = pl.col("customer_id"), 0
    while first < len(known):
        last = int(ends[int(ends.search_sorted(min(first + part_lines, len(known))))])
        yield opened(lines.filter(customer.is_between(pl.lit(known[first]), pl.lit(known[last - 1]))))
        first = last
    if unknown or not len(ids):
        yield opened(lines.filter(customer.is_null()))


def _coded(rows: pl.DataFrame, coding: _Coding) -> tuple[pl.DataFrame, pl.Series]:
    """Rows with numbers for customers and orders and Enums for texts; and the order ids by number."""
    orders, order_ids = _order_numbers(rows)
    enums = {"category": coding.categories, **coding.dimensions}
    texts = (pl.col(name).cast(enum) for name, enum in enums.items())
    coded = rows.with_columns(
        _customer_numbers(rows["customer_id"], coding.people), orders.alias("order_id"), *texts
    )
    return coded, order_ids


def _customer_numbers(ids: pl.Series, people: pl.DataFrame) -> pl.Series:
    """The numbers of customers; equal ids that stand together are looked up once, among those in between."""
    heads = ids.rle().struct.field("value").alias("customer_id")
    known = heads.drop_nulls()
    if len(known):
        every = people["customer_id"]
        first, last = (int(every.search_sorted(end)) for end in (str(known.min()), str(known.max())))
        people = people.slice(first, last - first + 1)
    found = heads.to_frame().join(people, on="customer_id", how="left", maintain_order="left")
    return found["customer"].gather(ids.rle_id()).alias("customer_id")


def _order_numbers(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """A number for each order, and the ids by number; orders of a customer's day go by their ids.

    Where the lines of an order stand together and the orders of a day in the order of their ids, the numbers
    are those of the runs; else the places of the ids among all of them sorted.
    """
    ids = rows["order_id"]
    runs = ids.rle_id()
    heads = rows.select("customer_id", "ordered_on", "order_id").filter(
        runs != runs.shift(1).fill_null(2**32 - 1)
    )
    before = heads.shift(1)
    same_day = heads["customer_id"].eq_missing(before["customer_id"]) & (
        heads["ordered_on"] == before["ordered_on"]
    )
    backwards = (same_day & (heads["order_id"] < before["order_id"])).any()
    if not backwards and heads["order_id"].n_unique() == len(heads):
        return runs, heads["order_id"]
    names = heads["order_id"].unique().sort()
    places = names.to_frame().with_row_index("place")
    found = heads.select("order_id").join(places, on="order_id", how="left", maintain_order="left")
    return found["place"].gather(runs), names


def _part(rolled: pl.DataFrame, order_ids: pl.Series, coding: _Coding, home: pl.DataFrame | None) -> _Part:
    """The baskets of a part of the customers, their orders, their sums."""
    dimensions = tuple(coding.dimensions)
    named = rolled.rename({"customer_id": "customer", "order_id": "order"}).with_columns(
        pl.col(*COUNTS).cast(pl.Int32), pl.col(*QUANTITIES, *AMOUNTS).fill_null(0)
    )
    rows = with_selling(named, home)
    orders = orders_of(rows, dimensions)
    totals = customer_totals(orders, rows, dimensions)
    ids = order_ids.gather(orders["order"]).alias("order_id")
    narrow = rows.drop(dimensions).with_columns(pl.col(FLAGS).cast(pl.Int8))
    return _Part(narrow, orders.with_columns(ids), totals, len(order_ids))


def _add(parts: _Parts, part: _Part) -> None:
    """Take up a part, its orders numbered on from those before."""
    number = (pl.col("order") + parts.taken).cast(pl.UInt32)
    parts.totals.append(part.totals)
    parts.orders.append(part.orders.with_columns(number))
    rows = part.baskets.with_columns(number)
    split = rows.partition_by("category", as_dict=True) or {(None,): rows}
    for (category,), each in split.items():
        parts.baskets.setdefault(category, []).append(each)
    parts.taken += part.order_numbers


def _assembled(
    parts: _Parts, calendar: Calendar, missing: Sequence[str]
) -> dict[str, pl.LazyFrame | pl.DataFrame]:
    """The marts from their parts; but for the orders, nothing is computed before it is asked for."""
    order = sorted(parts.baskets, key=lambda category: (category is None, str(category)))
    rows = pl.concat([part for category in order for part in parts.baskets[category]]).lazy()
    orders = without(with_derived(pl.concat(parts.orders).lazy()), missing).collect().rechunk().lazy()
    parts.orders.clear()
    panels = {PANELS[grain]: line_panel(orders, calendar, grain) for grain in STORED}
    return {
        "orders": in_money(orders),
        "baskets": in_money(without(with_derived(rows), missing)),
        **panels,
    }


def line_panel(orders: pl.LazyFrame, calendar: Calendar, grain: Grain) -> pl.LazyFrame:
    """The panel of order rows by customer and period of a grain, computed when it is asked for."""
    decimals = {name for name, dtype in orders.collect_schema().items() if dtype.is_decimal()}
    sums = [units(pl.col(name)) if name in decimals else pl.col(name) for name in EVERY_SUM]

    def made(rows: pl.LazyFrame) -> pl.DataFrame:
        given = rows.select("customer", "ordered_on", *sums).collect(engine="in-memory")
        period = given.select(calendar.codes(pl.col("ordered_on"), grain)).to_series()
        return by_period(panel(given, period))

    return in_money(pl.defer(lambda: made(orders), schema=made(orders.clear()).schema))


def columns_of_panel(
    orders: pl.DataFrame, calendar: Calendar, grain: Grain, columns: Sequence[str]
) -> pl.DataFrame:
    """Some columns of a panel, amounts in units, from order rows with the sums that `summed_for` names."""
    period = orders.select(calendar.codes(pl.col("ordered_on"), grain)).to_series()
    neighbours = not set(columns).isdisjoint(NEIGHBOURS)
    return by_period(panel(orders, period, columns=columns, neighbours=neighbours)).select(columns)
