"""The marts of a version, opened: the rows of any relation, for a window and a selection.

A selection narrows the business to some customers, categories or order lines, and everything is counted
within it: a customer is new to a category when she first buys it. Only what was cross-sold keeps its meaning,
because it compares with the customer's first order of all.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, Final, TypeVar

import polars as pl

from config.errors import unknown
from metrics.instruments import Instrument
from metrics.marts import GRAIN_OF, PANELS, columns_of_panel, line_panel, order_marts
from metrics.money import amounts, units
from metrics.orders import LINE_SUMS
from metrics.panels import DERIVED, EVERY_SUM, FOLLOWS, MONEY_COLUMNS, NEIGHBOURS, panel, summed_for
from metrics.people import attribute_names, with_totals
from metrics.periods import Calendar, Grain, Window
from metrics.relations import PANEL, Relation
from metrics.selection import (
    SEGMENT,
    Missing,
    Selection,
    attribute_values,
    check,
    check_values,
    line_condition,
    lines_where,
    mask,
)
from metrics.sides import Sides
from metrics.slices import ORDER_KEYS, Merged, between, fully_split, is_empty, places, reached

Frame = pl.LazyFrame | pl.DataFrame
T = TypeVar("T")
CATEGORY: Final = "category"
NEVER: Final = 2**31 - 1
KEPT: Final = 128
"""How many intermediate results are kept for the next question."""

_UNASKED: Final[Any] = object()

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
    order lines. `segments` maps the names of segments to what gives, for a day, who belongs by number, `book`
    is another text for other segments, `instruments` maps those of questionnaires to what reads their
    answers. `sides` are the groups of customers that figures are split by as SEGMENT, see `beside`.
    """

    frames: Mapping[str, Frame]
    calendar: Calendar
    as_of: date
    selection: Selection = field(default_factory=Selection)
    mask: pl.Series | None = None
    of_lines: bool = False
    segments: Mapping[str, Callable[[date], pl.Series]] = field(default_factory=dict, repr=False)
    book: str = ""
    instruments: Mapping[str, Instrument] = field(default_factory=dict, repr=False)
    sides: Sides | None = field(default=None, repr=False)
    opened: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)
    answers: dict[object, Any] = field(default_factory=dict, repr=False)

    def frame(self, name: str) -> pl.DataFrame:
        """A whole mart. Raises Missing when no source gives it."""
        if name not in self.opened:
            self.opened[name] = self._lazy(name).collect()
        return self.opened[name]

    def in_units(self, name: str, columns: Collection[str]) -> pl.DataFrame:
        """Columns of a whole mart, its amounts in units of 0.0001; those it does not have are left out.

        Raises Missing when no source gives the mart.
        """
        key = f"{name} in units"
        rows, held = self._lazy(name), self.opened.get(key, pl.DataFrame())
        has = rows.collect_schema()
        more = [column for column in has if column in columns and column not in held.columns]
        if more:
            # In one piece: columns cut differently would be copied to be alike at every look.
            loaded = self._loaded(name, rows, more).rechunk()
            self.opened[key] = held = held.hstack(loaded) if held.columns else loaded
        return held.select(column for column in has if column in columns)

    def columns(self, name: str, *columns: str) -> pl.DataFrame:
        """Columns of a whole mart, amounts as decimals; see `in_units`."""
        found = self.in_units(name, columns)
        return found.with_columns(amounts(pl.col(each)) for each in found.columns if each in MONEY_COLUMNS)

    def _loaded(self, name: str, rows: pl.LazyFrame, columns: list[str]) -> pl.DataFrame:
        """Columns of a mart in units; those of a panel that is not stored are made of the orders."""
        if name in self.frames:
            money = [units(pl.col(column)) for column in columns if column in MONEY_COLUMNS]
            return rows.select(columns).with_columns(money).collect()
        orders = self.in_units("orders", {"customer", "ordered_on", *summed_for(columns)})
        return columns_of_panel(orders, self.calendar, GRAIN_OF[name], columns)

    def kept(self, question: object, make: Callable[[], T]) -> T:
        """The answer to a question about these marts, made once and kept for a while."""
        found: T = self.answers.get(self._asked(question), _UNASKED)
        if found is _UNASKED:
            found = make()
        self.keep(question, found)
        return found

    def keep(self, question: object, answer: object) -> None:
        """Keep the answer to a question, and drop those that nobody has asked for the longest."""
        self.answers.pop(self._asked(question), None)
        self.answers[self._asked(question)] = answer
        for oldest in list(self.answers)[:-KEPT]:
            self.answers.pop(oldest, None)

    def _asked(self, question: object) -> object:
        """A question about the customers of a segment is another one when the segment is."""
        return (self.book, question) if self.selection.attributes.get(SEGMENT) else question

    def _lazy(self, name: str) -> pl.LazyFrame:
        if name not in self.frames and name in GRAIN_OF and "orders" in self.frames:
            made = partial(line_panel, self.frames["orders"].lazy(), self.calendar, GRAIN_OF[name])
            return self.kept(("panel", name), made)
        if name not in self.frames:
            fault = f"no source gives `{_TABLES.get(name, 'order_lines')}`"
            raise Missing(fault)
        return self.frames[name].lazy()

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

        Raises Fault for an unknown attribute, value, segment or category, and for a condition that does not
        compile.
        """
        check(selection, {**self.attributes, SEGMENT: tuple(self.segments)}, self.categories)
        people = self.frame("customer_summary")
        chosen = mask(people, selection.attributes, lambda name: self.segments[name](self.as_of))
        if not selection.where:
            return replace(self, selection=selection, mask=chosen)
        lines = self.frames["order_lines"].lazy() if "order_lines" in self.frames else pl.LazyFrame()
        condition = line_condition(selection.where, lines, people)
        if condition.columns <= set(people.columns) - set(lines.collect_schema().names()) | {"customer_id"}:
            able = people.select(condition.expr.fill_null(value=False)).to_series()
            return replace(self, selection=selection, mask=able if chosen is None else able & chosen)
        key = ("where", selection.where)
        rebuilt = self.kept(key, lambda: self._rebuilt(lines_where(lines, people, condition)))
        return replace(rebuilt, selection=selection, mask=chosen)

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
        sums_of_all = (set(people.columns) & set(totals.columns)) - {"customer", *self.attributes}
        frames["customer_summary"] = with_totals(people.drop(sums_of_all, *DERIVED, strict=False), totals)
        return replace(self, frames={**self.frames, **frames}, of_lines=True, opened={}, answers={})

    def _home(self) -> pl.DataFrame:
        """The categories of each customer's first order."""
        first = self._lazy("orders").filter(pl.col("first_orders") > 0).select("customer", "order")
        bought = self._lazy("baskets").filter(pl.col("purchases") > 0)
        return bought.join(first, on=["customer", "order"], how="semi").select("customer", CATEGORY).collect()

    def check_where(self, where: str) -> None:
        """Raise Fault for a condition that does not compile, or compares a column with a text it never is.

        A misspelt value would only give 0; where nobody has it, that is worth a word.
        """
        people = self.frame("customer_summary")
        lines = self.frames["order_lines"].lazy() if "order_lines" in self.frames else pl.LazyFrame()
        check_values(line_condition(where, lines, people), lines, people.lazy())

    def beside(self, members: Mapping[str, pl.Series]) -> "Marts":
        """The same, split as SEGMENT by groups of customers: by number, who is in each; they may overlap."""
        return replace(self, sides=Sides.of(members, self.mask, self.answers))

    def split_by(self, by: str | None) -> "Marts":
        """The same, ready to be split by a column: a customer attribute, `category`, or SEGMENT.

        Segments are those of the as-of day where no other groups were given. Raises Fault for any other one.
        """
        if by == SEGMENT and (self.sides or self.segments):
            question = ("beside", self.book, str(self.selection))
            return self if self.sides else self.kept(question, self._by_segment)
        known = (*self.attributes, *([CATEGORY] if "baskets" in self.frames else []))
        if by is not None and by not in known:
            what = "column to split by"
            raise unknown(what, by, known)
        return self

    def _by_segment(self) -> "Marts":
        return self.beside({name: belongs(self.as_of) for name, belongs in self.segments.items()})

    def empty_columns(self, relation: Relation, columns: Collection[str]) -> frozenset[str]:
        """Those of the columns of a relation that no source gives."""
        name = "customer_years" if relation.of_lines else relation.mart
        own = self._lazy(name).collect_schema().names()
        asked = FOLLOWS.keys() if relation.of_lines else own
        found = (column for column in columns if column in asked and column in own)
        return frozenset(column for column in found if self._is_empty(name, column))

    def _is_empty(self, name: str, column: str) -> bool:
        return self.kept(("empty", name, column), lambda: is_empty(self._lazy(name), column))

    def since(self, relation: Relation, grain: Grain) -> int:
        """The period of a grain in which the rows of a relation begin; NEVER without rows, 0 if not dated."""
        name, day = ("orders", "ordered_on") if relation.of_lines else (relation.mart, relation.day)
        if day is None:
            return 0
        first = self.kept(
            ("since", name), lambda: self._lazy(name).select(pl.col(day).min()).collect().item()
        )
        return self.calendar.code(first, grain) if isinstance(first, date) else NEVER

    def rows(
        self,
        relation: Relation,
        window: Window,
        columns: frozenset[str],
        by: str | None = None,
        before: int = 0,
        exact: frozenset[str] | None = None,
    ) -> pl.DataFrame:
        """The rows of a relation in a window: `period`, `customer`, the columns, and `by` where asked for.

        `by` is a customer attribute or `category`; `before` adds periods ahead of the window. Of the columns
        of panels, orders and baskets those in `exact` are decimals and the other amounts are in units; with
        None all are decimals. Raises Missing when such rows are not to be had.
        """
        self._check_answerable(relation, by)
        split = by == CATEGORY
        if relation.name == PANEL:
            rows = self._panel(window, before, columns, split)
        else:
            rows = self._dated(relation, window, before, columns, split)
        find = self._of_customers if relation.of_customers else self._of_nobody
        found = find(rows, columns, by)
        money = [
            name
            for name in found.columns
            if name in MONEY_COLUMNS and found.schema[name] == pl.Int64 and (exact is None or name in exact)
        ]
        return found.with_columns(amounts(pl.col(name)) for name in money) if money else found

    def _check_answerable(self, relation: Relation, by: str | None) -> None:
        if (self.selection.categories or by == CATEGORY or self.of_lines) and not relation.of_lines:
            fault = f"{relation.noun} cannot be split by category or order line"
            raise Missing(fault)
        if relation.of_customers:
            return
        asked = {name for name, values in self.selection.attributes.items() if values} | (
            {by} if by else set()
        )
        by_where = self.mask is not None and not asked
        if by_where or not asked <= relation.columns.keys():
            fault = f"{relation.noun} cannot be split by customer"
            raise Missing(fault)

    def is_whole(self, window: Window, by: str | None) -> bool:
        """Whether a stored panel answers, so that nothing has to be rebuilt from orders or baskets."""
        split = self.selection.categories or by == CATEGORY
        return not (split or window.is_cut) and (window.grain is Grain.ALL or window.grain in PANELS)

    def _panel(self, window: Window, before: int, columns: frozenset[str], by_category: bool) -> pl.DataFrame:
        if self.is_whole(window, CATEGORY if by_category else None):
            if window.grain is Grain.ALL:
                return self.kept("all time", self._all_time)
            rows = self.in_units(PANELS[window.grain], {"period", "customer", *columns})
            return between(rows, "period", window.first - before, window.last)
        split = [CATEGORY] if by_category else []
        neighbours, summed = not columns.isdisjoint(NEIGHBOURS), summed_for(columns)
        orders, period = reached(self._order_rows(by_category, frozenset(summed)), window, self.calendar)
        made = panel(orders, period, split, summed, neighbours=neighbours)
        return made.filter(pl.col("period").is_between(window.first - before, window.last))

    def _all_time(self) -> pl.DataFrame:
        """The panel of all of history as one period: customers with order lines, then the unknown ones."""
        years, people = (
            self.in_units(name, {"customer", *EVERY_SUM}).lazy()
            for name in ("customer_years", "customer_summary")
        )
        unknown_buyers = years.filter(pl.col("customer").is_null())
        known = people.filter(pl.col("lines") > 0)
        orders = pl.concat(
            [each.select("customer", *EVERY_SUM) for each in (known, unknown_buyers)]
        ).collect()
        return panel(orders, pl.zeros(len(orders), pl.Int32, eager=True))

    def _order_rows(self, by_category: bool, columns: frozenset[str]) -> pl.DataFrame:
        """Order rows of the selected categories, by customer and day; of each category apart if so asked."""
        wanted, read = self.selection.categories, columns | {"customer", "ordered_on"}
        if not (wanted or by_category):
            return self.in_units("orders", read)
        if by_category or len(wanted) == 1:
            return self._baskets(read | {CATEGORY})
        held = self.kept("orders of several categories", Merged)
        if held.categories != wanted:
            held = Merged.of(wanted, self._baskets({CATEGORY, *ORDER_KEYS, "purchases"}))
        more = sorted(columns & {*LINE_SUMS, *DERIVED} - set(held.rows.columns))
        held = held.with_sums(self._baskets({CATEGORY, *more}), more)
        self.keep("orders of several categories", held)
        return held.rows

    def _baskets(self, columns: frozenset[str] | set[str]) -> pl.DataFrame:
        """The baskets of the selected categories, category by category."""
        baskets = self.in_units("baskets", columns)
        if not self.selection.categories:
            return baskets
        where = self.kept("places of categories", lambda: places(baskets[CATEGORY]))
        chosen = [where[name] for name in sorted(self.selection.categories) if name in where]
        return pl.concat([baskets.slice(*place) for place in chosen]) if chosen else baskets.clear()

    def _dated(
        self, relation: Relation, window: Window, before: int, columns: frozenset[str], by_category: bool
    ) -> pl.DataFrame:
        match relation.name:
            case "orders":
                rows = self._order_rows(by_category, columns)
            case "baskets":
                rows = self._baskets(columns | {CATEGORY, "customer", "ordered_on"})
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
        if by and by not in (CATEGORY, SEGMENT):
            theirs["by"] = by
        if theirs:
            people = self.frame("customer_summary")
            kept = kept.with_columns(
                people[source].gather(kept["customer"]).alias(name) for name, source in theirs.items()
            )
        if by == SEGMENT and self.sides:
            return self.sides.split(kept, self.sides.part_of.gather(kept["customer"]))
        return kept

    def _of_nobody(self, rows: pl.DataFrame, columns: frozenset[str], by: str | None) -> pl.DataFrame:
        """The rows of what is not recorded by customer, selected by columns of their own."""
        for name, values in self.selection.attributes.items():
            if values:
                rows = fully_split(rows, name).filter(pl.col(name).cast(pl.String).is_in(list(values)))
        split = [fully_split(rows, by)[by].alias("by")] if by else []
        return rows.select("period", *columns, *split)


def _undated(rows: pl.DataFrame, relation: Relation, window: Window) -> pl.DataFrame:
    if window != Window():
        fault = f"{relation.noun} are not dated: ask for all of history"
        raise Missing(fault)
    return rows.with_columns(pl.lit(0, pl.Int32).alias("period"))
