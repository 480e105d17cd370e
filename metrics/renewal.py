"""Marts after a change of some customers: theirs are made anew, those of all others stay.

Every row of a mart of order lines belongs to one customer and depends on that customer's lines alone. So the
marts of the customers in whose lines something changed, beside the rows of all others, are the marts of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from metrics.category_tree import MART as TREE
from metrics.category_tree import renewed_tree
from metrics.events import complete, event_marts
from metrics.marts import MOST_VALUES, PANELS, STORED, line_dimensions, missing_columns, order_marts
from metrics.merging import MERGED
from metrics.people import customer_summary, enum_of, numbered
from metrics.periods import Calendar
from metrics.rollup import distinct_values, opened

Frame = pl.LazyFrame | pl.DataFrame

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "customer_totals": ("customer",),
    "orders": ("customer",),
    "baskets": ("category", "customer"),
    **{PANELS[grain]: ("period", "customer") for grain in STORED},
}
"""What marts of order lines are sorted by, up to the customer."""

_UNKNOWN: Final = 2**32 - 1
_TELLS: Final = {
    "quantity": "quantity",
    "cost": "cost",
    "discount": "discount",
    "category": "cross_sell_amount",
}
"""The column of totals that is empty throughout where no line gives an optional column."""


@dataclass(frozen=True)
class Renewed:
    """Marts after a change; see `connectors.refresh.Renewed`, which says what is done with them."""

    whole: Mapping[str, Frame]
    rows: Mapping[str, Frame]
    order: Mapping[str, tuple[str, ...]]
    numbers: pl.Series


def renew(
    calendar: Calendar,
    tables: Mapping[str, pl.LazyFrame],
    changed: pl.Series,
    lines: pl.LazyFrame,
    went: pl.LazyFrame,
    before: Mapping[str, pl.LazyFrame],
    as_of: date,
    before_as_of: date,
) -> Renewed | None:
    """The marts of `tables`, made from those of `before` and the lines of the customers who `changed`.

    `changed` has ids, null for unknown customers, and `lines` all their lines, sorted by customer_id; who has
    lines after the day of `before` is added. `went` has the lines that are no longer there. Other rows may
    come in any order. None where new marts of some cannot stand beside those of the others: the day went
    back, customers are merged, order lines have other dimensions, or give other optional columns.
    """
    customers = tables.get("customers")
    merging = customers is not None and MERGED in customers.collect_schema()
    if merging or as_of < before_as_of or not {"customer_totals", "baskets"} <= before.keys():
        return None
    every, own, gone = (complete(rows, "order_lines") for rows in (tables["order_lines"], lines, went))
    late = (
        every.filter(pl.col("ordered_on") > before_as_of).select("customer_id").unique().collect().to_series()
    )
    more = late.filter(~late.is_in(changed.implode(), nulls_equal=True))
    if more.len():
        added = every.filter(pl.col("customer_id").is_in(more.implode(), nulls_equal=True))
        own = pl.concat([own, added]).sort("customer_id", maintain_order=True).collect().lazy()
    renewal = _Renewal({**tables, "order_lines": every}, own, gone, before, calendar, as_of)
    return renewal.made(pl.concat([changed.cast(pl.String), more]))


@dataclass(frozen=True)
class _Renewal:
    tables: Mapping[str, pl.LazyFrame]
    lines: pl.LazyFrame
    went: pl.LazyFrame
    before: Mapping[str, pl.LazyFrame]
    calendar: Calendar
    as_of: date

    def made(self, changed: pl.Series) -> Renewed | None:
        totals = self.before["customer_totals"].collect()
        coding = self._coding()
        if coding is None or not self._fit(totals):
            return None
        old = self.before["customer_summary"].select("customer_id").collect().to_series()
        stays = _stays(old, changed)
        kept = totals.filter(stays.gather(totals["customer"]))
        people = self._people(old.gather(kept["customer"]))
        numbers = _numbers(old, people, stays)
        made, own = order_marts(
            self.lines,
            people,
            self.calendar,
            self.as_of,
            categories=coding.pop("category"),
            dimensions=coding,
            first_order=self._orders(),
        )
        whole = self._whole(people, kept, own, numbers)
        return Renewed(whole, made | {"customer_totals": own}, ORDER, numbers)

    def _coding(self) -> dict[str, pl.Enum] | None:
        """What codes the texts of lines; None where they have other dimensions than before."""
        orders, baskets = (self.before[name].collect_schema() for name in ("orders", "baskets"))
        before = {name: dtype for name, dtype in orders.items() if isinstance(dtype, pl.Enum)}
        known = {**before, "category": baskets["category"]}
        lines, every = opened(self.lines), opened(self.tables["order_lines"])

        def values(name: str) -> pl.Series:
            """All values of a column: its own where all that were known are here, else looked for."""
            own, coded = distinct_values(lines, name), known.get(name)
            told = isinstance(coded, pl.Enum) and coded.categories.is_in(own.implode()).all()
            return own if told or own.count() > MOST_VALUES else distinct_values(every, name)

        dimensions = line_dimensions(lines, values)
        if dimensions.keys() != before.keys():
            return None
        return {**dimensions, "category": enum_of(values("category"))}

    def _fit(self, totals: pl.DataFrame) -> bool:
        """Whether the lines give the same optional columns as those before."""
        given = {name for name, column in _TELLS.items() if totals[column].count()}
        own = _TELLS.keys() - missing_columns(opened(self.lines))
        return bool(totals.height) and (given == own or not self.lines.head(1).collect().height)

    def _people(self, kept: pl.Series) -> pl.DataFrame:
        """All customers with their numbers, found without looking through all lines."""
        named = numbered({**self.tables, "order_lines": self.lines})["customer_id"]
        more = named.filter(~named.is_in(kept.implode()))
        ids = pl.concat([kept.alias("customer_id"), more]).sort()
        return ids.to_frame().with_row_index("customer").select("customer_id", "customer")

    def _orders(self) -> int:
        """The first order number that is not taken."""
        most = self.before["orders"].select(pl.col("order").max()).collect().item()
        return 0 if most is None else most + 1

    def _whole(
        self, people: pl.DataFrame, kept: pl.DataFrame, own: pl.DataFrame, numbers: pl.Series
    ) -> dict[str, Frame]:
        moved = kept.with_columns(numbers.gather(kept["customer"]).alias("customer"))
        totals = pl.concat([moved.cast(own.schema), own]).sort("customer")
        summary = customer_summary(people, self.tables.get("customers"), totals)
        events = event_marts(self.tables, people, self.calendar, self.as_of)
        return {**events, TREE: self._tree(), "customer_summary": summary}

    def _tree(self) -> pl.DataFrame:
        every, products = self.tables["order_lines"], self.tables.get("products")
        return renewed_tree(self.before[TREE].collect(), self.lines, self.went, every, products, self.as_of)


def _stays(old: pl.Series, changed: pl.Series) -> pl.Series:
    """The customers of before, and the unknown ones, of whom no line changed."""
    known = ~old.is_in(changed.implode())
    return pl.concat([known, pl.Series([not changed.null_count()])])


def _numbers(old: pl.Series, people: pl.DataFrame, stays: pl.Series) -> pl.Series:
    """The number that each customer of before has now; null for one who changed; last the unknown ones."""
    if old.equals(people["customer_id"]):
        known = people["customer"]
    else:
        ids = old.alias("customer_id").to_frame()
        known = ids.join(people, on="customer_id", how="left", maintain_order="left")["customer"]
    every = pl.concat([known.cast(pl.UInt32), pl.Series([_UNKNOWN], dtype=pl.UInt32)])
    return pl.select(pl.when(stays).then(every)).to_series()
