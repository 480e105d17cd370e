"""The marts of a version, opened: the rows of any relation, for a window and a selection.

A selection narrows the business to some customers, categories or order lines, and everything is counted
within it: a customer is new to a category when she first buys it. Only what was cross-sold keeps its meaning,
because it compares with the customer's first order of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

import polars as pl

from config.errors import unknown
from connectors.tables import MONEY
from metrics.marts import PANELS, order_marts
from metrics.orders import LINE_SUMS, MEASURES, flagged
from metrics.panels import in_money, missing_from, panel, with_derived, without
from metrics.people import attribute_names, with_totals
from metrics.periods import Calendar, Grain, Window
from metrics.relations import PANEL, Relation
from metrics.selection import (
    Missing,
    Selection,
    attribute_values,
    check,
    line_condition,
    lines_where,
    mask,
)

Frame = pl.LazyFrame | pl.DataFrame
CATEGORY: Final = "category"

_NOUNS: Final[Mapping[str, str]] = {
    "survey_answers": "survey answers",
    "interactions": "contacts",
    "subscriptions": "contracts",
}
_TABLES: Final[Mapping[str, str]] = {
    "answers": "survey_answers",
    "contacts": "interactions",
    "contracts": "subscriptions",
    "spending": "spend",
}


@dataclass(frozen=True)
class Marts:
    """The marts of one version under a selection; `frames` are marts and canonical tables by name.

    Frames are read when first needed and then kept; selections of the same version share them. `mask` says
    by customer number who counts, None for everybody. `of_lines`: the frames were rebuilt from some of the
    order lines.
    """

    frames: Mapping[str, Frame]
    calendar: Calendar
    as_of: date
    selection: Selection = field(default_factory=Selection)
    mask: pl.Series | None = None
    of_lines: bool = False
    opened: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)

    def frame(self, name: str) -> pl.DataFrame:
        """A whole mart. Raises Missing when no source gives it."""
        if name not in self.opened:
            if name not in self.frames:
                table = _TABLES.get(name, "order_lines")
                fault = f"no source gives `{table}`"
                raise Missing(fault)
            self.opened[name] = self.frames[name].lazy().collect()
        return self.opened[name]

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """The customer attributes to filter and group by, each with its values in alphabetical order."""
        people = self.frame("customer_summary")
        return attribute_values(people, attribute_names(people))

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories in alphabetical order; none without order lines."""
        if "baskets" not in self.frames:
            return ()
        dtype = self.frames["baskets"].lazy().collect_schema()[CATEGORY]
        return tuple(dtype.categories) if isinstance(dtype, pl.Enum) else ()

    def select(self, selection: Selection) -> "Marts":
        """The same marts under a selection, on top of none other.

        Raises Fault for an unknown attribute, value or category, and for a condition that does not compile.
        """
        check(selection, self.attributes, self.categories)
        people = self.frame("customer_summary")
        chosen = mask(people, selection.attributes)
        if not selection.where:
            return replace(self, selection=selection, mask=chosen)
        lines = self._lines()
        condition = line_condition(selection.where, lines, people)
        if condition.columns <= set(people.columns) - set(lines.collect_schema().names()) | {"customer_id"}:
            able = people.select(condition.expr.fill_null(value=False)).to_series()
            return replace(self, selection=selection, mask=able if chosen is None else able & chosen)
        return replace(self._rebuilt(lines_where(lines, people, condition)), selection=selection, mask=chosen)

    def _lines(self) -> pl.LazyFrame:
        return self.frames["order_lines"].lazy() if "order_lines" in self.frames else pl.LazyFrame()

    def _rebuilt(self, lines: pl.LazyFrame) -> "Marts":
        """Marts of some of the order lines, with the same customers under the same numbers."""
        people = self.frame("customer_summary")
        numbers = people.select("customer_id", "customer")
        home = self._home()
        coding = home.schema[CATEGORY]
        frames, totals = order_marts(
            lines,
            numbers,
            self.calendar,
            self.as_of,
            categories=coding if isinstance(coding, pl.Enum) else None,
            home=home,
        )
        attributes = people.drop(*(set(people.columns) & set(totals.columns)) - {"customer"}, strict=False)
        frames["customer_summary"] = with_totals(attributes, totals)
        return replace(self, frames={**self.frames, **frames}, of_lines=True, opened={})

    def _home(self) -> pl.DataFrame:
        """The categories of each customer's first order."""
        first = self.frame("orders").lazy().filter(pl.col("first_orders") > 0).select("customer", "order")
        bought = self.frame("baskets").lazy().filter(pl.col("purchases") > 0)
        return bought.join(first, on=["customer", "order"], how="semi").select("customer", CATEGORY).collect()

    def check_split(self, by: str) -> None:
        """Raise Fault unless figures can be split by that column: a customer attribute or `category`."""
        known = (*self.attributes, *([CATEGORY] if "baskets" in self.frames else []))
        if by not in known:
            what = "column to split by"
            raise unknown(what, by, known)

    def empty_columns(self, relation: Relation) -> frozenset[str]:
        """The columns of a relation that no source gives."""
        rows = self.frame("orders" if relation.name == PANEL else relation.mart)
        return frozenset(name for name in rows.columns if rows[name].null_count() == len(rows) > 0)

    def since(self, relation: Relation, grain: Grain) -> int:
        """The period of a grain in which the rows of a relation begin; 0 when they are not dated."""
        rows = self.frame("orders" if relation.of_lines else relation.mart)
        day = "ordered_on" if relation.of_lines else relation.day
        first = rows[day].min() if day else None
        return self.calendar.code(first, grain) if isinstance(first, date) else 0

    def rows(
        self,
        relation: Relation,
        window: Window,
        columns: frozenset[str],
        by: str | None = None,
        before: int = 0,
    ) -> pl.DataFrame:
        """The rows of a relation in a window: `period`, `customer`, the columns, and `by` where asked for.

        `by` is a customer attribute or `category`; `before` adds periods ahead of the window. Raises Missing
        when such rows are not to be had.
        """
        self._check_answerable(relation, by)
        split = by == CATEGORY
        rows = (
            self._panel(window, before, split)
            if relation.name == PANEL
            else self._dated(relation, window, before, split)
        )
        return self._of_customers(rows, columns, by)

    def _check_answerable(self, relation: Relation, by: str | None) -> None:
        if (self.selection.categories or by == CATEGORY or self.of_lines) and not relation.of_lines:
            fault = f"{_noun(relation)} cannot be split by category or order line"
            raise Missing(fault)
        if (self.mask is not None or by is not None) and not relation.of_customers:
            fault = f"{_noun(relation)} cannot be split by customer"
            raise Missing(fault)

    def _panel(self, window: Window, before: int, by_category: bool) -> pl.DataFrame:
        whole = not (self.selection.categories or by_category or window.is_cut)
        if whole and window.grain is Grain.ALL:
            return _all_time(self.frame("customer_summary"), self.frame("customer_years"))
        if whole and window.grain in PANELS:
            return _between(self.frame(PANELS[window.grain]), "period", window.first - before, window.last)
        orders = self._order_rows(by_category)
        rows = without(_panel_of(orders, window, self.calendar, by_category), missing_from(orders))
        return rows.filter(pl.col("period").is_between(window.first - before, window.last)).collect()

    def _order_rows(self, by_category: bool) -> pl.DataFrame:
        """Order rows of the selected categories; those of each category apart with `by_category`."""
        if not (self.selection.categories or by_category):
            return self.frame("orders")
        split = [CATEGORY] if by_category else []
        keys = [*split, "customer", "order", "ordered_on"]
        sums = [pl.col(name).sum() for name in LINE_SUMS]
        rows = self._baskets().lazy().group_by(keys).agg(sums).sort(keys, nulls_last=True)
        flags = in_money(with_derived(flagged(rows.collect(), split).lazy()))
        return without(flags, missing_from(self.frame("orders"))).collect()

    def _baskets(self) -> pl.DataFrame:
        baskets = self.frame("baskets")
        if not self.selection.categories:
            return baskets
        wanted = pl.Series(self.selection.categories, dtype=baskets.schema[CATEGORY]).implode()
        return baskets.filter(pl.col(CATEGORY).is_in(wanted))

    def _dated(self, relation: Relation, window: Window, before: int, by_category: bool) -> pl.DataFrame:
        match relation.name:
            case "orders":
                rows = self._order_rows(by_category)
            case "baskets":
                rows = self._baskets()
            case _:
                rows = self.frame(relation.mart)
        if relation.day is None:
            return _undated(rows, relation, window)
        if window == Window():
            return rows.with_columns(pl.lit(0, pl.Int32).alias("period"))
        earlier = replace(window, count=window.count + before, start=None if before else window.start)
        day = pl.col(relation.day)
        inside = rows.filter(day.is_between(*earlier.day_range(self.calendar)))
        return inside.with_columns(self.calendar.codes(day, window.grain).alias("period"))

    def _of_customers(self, rows: pl.DataFrame, columns: frozenset[str], by: str | None) -> pl.DataFrame:
        """The rows of the selected customers, with the attributes asked for."""
        own = [name for name in rows.columns if name in columns or name in ("period", "customer")]
        split = [pl.col(CATEGORY).alias("by")] if by == CATEGORY else []
        kept = rows.select(*own, *split)
        if self.mask is not None:
            kept = kept.filter(self.mask.gather(kept["customer"]).fill_null(value=False))
        theirs = {name: name for name in columns.difference(own)}
        if by and not split:
            theirs["by"] = by
        if not theirs:
            return kept
        people = self.frame("customer_summary")
        return kept.with_columns(
            people[source].gather(kept["customer"]).alias(name) for name, source in theirs.items()
        )


def _noun(relation: Relation) -> str:
    return _NOUNS.get(relation.name, relation.name)


def _undated(rows: pl.DataFrame, relation: Relation, window: Window) -> pl.DataFrame:
    if window != Window():
        fault = f"{_noun(relation)} are not dated: ask for all of history"
        raise Missing(fault)
    return rows.with_columns(pl.lit(0, pl.Int32).alias("period"))


def _all_time(people: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """The panel of all of history as one period: every customer with order lines, then the unknown ones."""
    sums = [
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).cast(people.schema[name]).alias(name)
        for name in MEASURES
    ]
    nobody = years.lazy().filter(pl.col("customer").is_null()).group_by("customer").agg(sums)
    known = people.lazy().filter(pl.col("lines") > 0).select("customer", *MEASURES)
    return (
        in_money(with_derived(pl.concat([known, nobody])))
        .with_columns(
            pl.lit(0, pl.Int32).alias("period"),
            (pl.col("first_orders") > 0).alias("is_first"),
            pl.lit(value=False).alias("active_before"),
            pl.lit(value=False).alias("active_next"),
            pl.lit(0).cast(MONEY).alias("net_before"),
        )
        .collect()
    )


def _between(frame: pl.DataFrame, column: str, first: int, last: int) -> pl.DataFrame:
    """The contiguous rows whose sorted column lies between two values."""
    start = int(frame[column].search_sorted(first, side="left"))
    return frame.slice(start, int(frame[column].search_sorted(last, side="right")) - start)


def _panel_of(orders: pl.DataFrame, window: Window, calendar: Calendar, by_category: bool) -> pl.LazyFrame:
    """The panel of order rows for a window and the periods beside it.

    Beside a cut window without a grain lie as many days just before it.
    """
    day = pl.col("ordered_on")
    first, last = window.day_range(calendar)
    split = [CATEGORY] if by_category else []
    if window.grain is not Grain.ALL:
        period = calendar.codes(day, window.grain)
        reach = calendar.start(window.first - 1, window.grain), calendar.end(window.last + 1, window.grain)
        cut = (period >= window.first) & (period <= window.last) & ~day.is_between(first, last)
        return panel(orders.lazy().filter(day.is_between(*reach) & ~cut), period, split)
    if not window.is_cut:
        return panel(orders.lazy(), pl.lit(0, pl.Int32), split)
    earliest = first - min(last - first + timedelta(days=1), first - date.min)
    period = pl.when(day >= first).then(0).otherwise(-1).cast(pl.Int32)
    return panel(orders.lazy().filter(day.is_between(earliest, last)), period, split)
