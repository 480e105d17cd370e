"""Lives: what begins a relationship, and in which periods after it the customer came back.

A life begins with the first event of its kind, or anew with every period that has one (`any_order`). The
customer comes back by an order, a contact, an answer or a running contract, counted by the calendar or in
periods of equal length from the customer's own first day.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import polars as pl

from metrics.frames import Marts
from metrics.periods import Grain, Window
from metrics.relations import RELATIONS, Relation
from metrics.runs import in_order, starts, sums
from metrics.selection import Selection, check
from metrics.standings import everybody, is_selected

Start = Literal["first_order", "any_order", "contact", "survey_answer", "contract"]
Back = Literal["order", "contact", "survey_answer", "contract"]

ROLLING_DAYS: Final = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 30, Grain.QUARTER: 91, Grain.YEAR: 365}
"""Length of a period that is counted from a customer's own first day."""

MEASURES: Final = ("orders", "net_amount", "margin")
LIFE: Final = ("life", "customer", "cohort", "age", "counts", *MEASURES)
_TABLES: Final = {
    "contact": "interactions",
    "survey_answer": "survey_answers",
    "contract": "subscriptions",
}
_KIND: Final[dict[Start, Back]] = {
    "first_order": "order",
    "any_order": "order",
    "contact": "contact",
    "survey_answer": "survey_answer",
    "contract": "contract",
}


_NONE: Final = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Events:
    """What starts a life and what continues it; a category narrows an order to lines of that category."""

    start: Start = "first_order"
    back: Back = "order"
    start_category: str | None = None
    back_category: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether a life starts with the very kind of event that continues it."""
        return _KIND[self.start] == self.back and self.start_category == self.back_category


def lives(marts: Marts, events: Events, grain: Grain, *, rolling: bool = False) -> pl.DataFrame:
    """Activity by life and age: one row each, in no order that counts.

    life (a number), customer, cohort (the period in which the life began), age (periods since), counts
    (whether the customer came back in it; a return of goods alone is money but no coming back), orders,
    net_amount and margin (in units of 0.0001, margin null where no source gives a cost); with `rolling` also
    first_on. A customer has one life, with `any_order` one for each period with an order. There is always a
    row at age 0. What happened before the start, and what nobody known did, is left out.

    Raises Missing where no source gives the events, Fault for an unknown category.
    """
    if rolling:
        return _rolling_lives(marts, events, grain)
    back = activity(marts, events.back, grain, events.back_category)
    if events.is_plain and events.start != "any_order":
        return _aged(back, _first(back))
    started = activity(marts, _KIND[events.start], grain, events.start_category)
    if events.start == "any_order":
        return _every_start(started, back)
    return _with_starts(_aged(back, _first(started)), _first(started))


def kept_lives(marts: Marts, events: Events, grain: Grain, *, rolling: bool = False) -> pl.DataFrame:
    """The same; rolling ones, which take long, out of those of all customers, which are kept."""
    if not rolling:
        return lives(marts, events, grain)
    whole = everybody(marts)
    question = ("lives", events, grain, whole.selection.categories)
    found = marts.kept(question, lambda: lives(whole, events, grain, rolling=True))
    return found if marts.mask is None else found.filter(is_selected(marts, found["customer"]))


def activity(marts: Marts, back: Back, grain: Grain, category: str | None = None) -> pl.DataFrame:
    """One row a known customer and period with an event of that kind, sorted by period.

    customer, period, counts (false for returned goods alone), orders, net_amount, margin; the last three are
    zero where the event is no order.
    """
    if back == "contract":
        return _under_contract(marts, grain)
    if back == "order":
        chosen = _of_category(marts, category)
        panel = _whole(chosen, RELATIONS["customer_periods"], grain, frozenset(MEASURES))
        known = panel.filter(pl.col("customer").is_not_null())
        return known.select(
            "customer", "period", pl.col("orders").cast(pl.Int64), *MEASURES[1:], counts=pl.col("orders") > 0
        )
    relation = RELATIONS[_TABLES[back]]
    rows = _whole(marts, relation, grain, frozenset())
    seen = rows.filter(pl.col("customer").is_not_null()).select("customer", "period").unique()
    return _without_amounts(seen.sort("period", "customer"), counts=True)


def _of_category(marts: Marts, category: str | None) -> Marts:
    """The marts narrowed to one category beside what is already selected."""
    if category is None:
        return marts
    check(Selection(categories=(category,)), {}, marts.categories)
    return replace(marts, selection=replace(marts.selection, categories=(category,)))


def _whole(marts: Marts, relation: Relation, grain: Grain, columns: frozenset[str]) -> pl.DataFrame:
    """Every row of a relation up to the as-of day, amounts in units."""
    last = marts.calendar.code(marts.as_of, grain)
    first = marts.since(relation, grain)
    window = Window(grain, last, max(last - first + 1, 1))
    return marts.rows(relation, window, columns, exact=frozenset())


def _without_amounts(rows: pl.DataFrame, *, counts: bool) -> pl.DataFrame:
    nothing = [pl.lit(0, pl.Int64).alias(name) for name in MEASURES]
    return rows.with_columns(*nothing, counts=pl.lit(counts))


def _under_contract(marts: Marts, grain: Grain) -> pl.DataFrame:
    """The periods in which a contract ran for a day at least; one that never ran has none."""
    rows = _whole(marts, RELATIONS["subscriptions"], grain, frozenset({"started_on", "ended_on"}))
    as_of = pl.lit(marts.as_of)
    last = pl.min_horizontal(pl.col("ended_on").dt.offset_by("-1d").fill_null(as_of), as_of)
    ran = rows.filter(pl.col("customer").is_not_null(), pl.col("started_on") <= last)
    first, end = (marts.calendar.codes(day, grain) for day in (pl.col("started_on"), last))
    periods = ran.select("customer", pl.int_ranges(first, end + 1, dtype=pl.Int32).alias("period"))
    return _without_amounts(periods.explode("period").unique().sort("period", "customer"), counts=True)


def _first(rows: pl.DataFrame) -> pl.Series:
    """By customer number, the first period that counts of rows sorted by it; null where there is none."""
    rows = rows.select("customer", "period", "counts").filter("counts")
    customers = rows["customer"].to_numpy()
    first = np.full(int(customers.max(initial=0)) + 1, _NONE, dtype=np.int32)
    first[customers[::-1]] = rows["period"].to_numpy()[::-1]
    series = pl.Series("cohort", first)
    return series.set(series == _NONE, None)


def _aged(back: pl.DataFrame, first: pl.Series) -> pl.DataFrame:
    """Activity from the start on, with cohort and age; the life of a customer has her number."""
    known = (
        back if back["customer"].max() in range(len(first)) else back.filter(pl.col("customer") < len(first))
    )
    cohort = first.gather(known["customer"])
    age = known["period"] - cohort
    aged = known.with_columns(cohort, age.alias("age"), pl.col("customer").alias("life"))
    if age.null_count() or (age < 0).any():
        aged = aged.filter(pl.col("age") >= 0)
    return aged.select(LIFE)


def _with_starts(rows: pl.DataFrame, first: pl.Series) -> pl.DataFrame:
    """The rows, with one at age 0 for those who began and did nothing that counts in that period."""
    begun = pl.DataFrame({"cohort": first}).with_row_index("customer").drop_nulls()
    here = rows.filter(pl.col("age") == 0).select("customer")
    silent = begun.join(here, on="customer", how="anti").with_columns(
        pl.lit(0, pl.Int32).alias("age"), pl.col("customer").alias("life")
    )
    return pl.concat([rows, _without_amounts(silent, counts=False).select(rows.columns)])


def _every_start(started: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    """One life for each period with a start: a customer belongs to as many cohorts."""
    begun = (
        started.filter("counts").select("customer", pl.col("period").alias("cohort")).with_row_index("life")
    )
    pairs = begun.join(back, on="customer").filter(pl.col("period") >= pl.col("cohort"))
    aged = pairs.with_columns(age=pl.col("period") - pl.col("cohort")).select(LIFE)
    here = aged.filter(pl.col("age") == 0).select("life")
    silent = begun.join(here, on="life", how="anti").with_columns(pl.lit(0, pl.Int32).alias("age"))
    return pl.concat([aged, _without_amounts(silent, counts=False).select(LIFE)])


def _rolling_lives(marts: Marts, events: Events, grain: Grain) -> pl.DataFrame:
    """Activity in periods of equal length from each customer's own first day (age 0 begins on it)."""
    back = _days(marts, events.back, events.back_category)
    started = back if events.is_plain else _days(marts, _KIND[events.start], events.start_category)
    first = _first_days(started)
    known = back.filter(pl.col("customer") < len(first))
    begun = first.gather(known["customer"])
    since = known.with_columns(cohort=begun, age=(known["day"] - begun) // ROLLING_DAYS[grain])
    rows = _summed(since.filter(pl.col("age") >= 0))
    whole = rows if events.is_plain else _with_starts(rows, first)
    first_on = first.cast(pl.Date).alias("first_on")
    cohort = first_on.to_frame().select(marts.calendar.codes(pl.col("first_on"), grain)).to_series()
    return whole.with_columns(
        first_on.gather(whole["customer"]), cohort.gather(whole["customer"]).alias("cohort")
    )


def _first_days(days: pl.DataFrame) -> pl.Series:
    """By customer number, the first day that counts of rows sorted by customer and day; null without one."""
    rows = days.filter("counts")
    at = starts(rows["customer"])
    customers = rows["customer"].to_numpy()[at]
    first = np.full(int(customers.max(initial=0)) + 1, _NONE, dtype=np.int32)
    first[customers] = rows["day"].to_numpy()[at]
    series = pl.Series("cohort", first)
    return series.set(series == _NONE, None)


def _summed(days: pl.DataFrame) -> pl.DataFrame:
    """Rows by customer and day as one row a customer and age."""
    at = starts(days["customer"], days["age"])
    heads = days.select("customer", "cohort", "age")[at]
    counts = np.logical_or.reduceat(days["counts"].to_numpy(), at) if len(at) else np.zeros(0, np.bool_)
    rows = heads.with_columns(
        *sums(days, MEASURES, at), pl.col("customer").alias("life"), pl.Series("counts", counts)
    )
    return rows.select(LIFE)


def _days(marts: Marts, back: Back, category: str | None) -> pl.DataFrame:
    """Rows by customer and day, sorted by both: customer, day, counts, orders, net_amount, margin."""
    if back == "order":
        relation = RELATIONS["orders"]
        rows = _of_category(marts, category).rows(
            relation, Window(), frozenset({"ordered_on", *MEASURES}), exact=frozenset()
        )
        known = rows.filter(pl.col("customer").is_not_null()).with_columns(
            pl.col("ordered_on").to_physical().alias("day"), pl.col("orders").cast(pl.Int64)
        )
        return known.select("customer", "day", *MEASURES, counts=pl.col("orders") > 0)
    found = in_order(activity(marts, back, Grain.DAY), ("customer", "period"))
    return found.select("customer", pl.col("period").alias("day"), "counts", *MEASURES)
