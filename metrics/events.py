"""Marts of what is no order: survey answers, contacts, contracts, money spent; by customer number and day."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from connectors.tables import dtypes
from metrics.people import MOST_ATTRIBUTE_VALUES, enum_of
from metrics.periods import Calendar

EVENTS: Final[Mapping[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "survey_answers": ("answers", "answered_at", "answered_on", ("instrument", "item", "part")),
    "interactions": ("contacts", "occurred_at", "occurred_on", ()),
    "subscriptions": ("contracts", "started_on", "started_on", ()),
    "spend": ("spending", "spent_on", "spent_on", ()),
}
"""Canonical table -> its mart, the column that dates it, the day made of it, what sorts before the day."""

_MORE_DAYS: Final[Mapping[str, Mapping[str, str]]] = {"interactions": {"resolved_on": "resolved_at"}}
"""Further days of a canonical table, each with the instant that it is made of."""

_IDS: Final = frozenset({"customer_id", "response_id", "order_id", "interaction_id", "subscription_id"})


def event_marts(
    tables: Mapping[str, pl.LazyFrame], people: pl.DataFrame, calendar: Calendar, as_of: date
) -> dict[str, pl.DataFrame]:
    """The event marts of the tables that are given; what happened after the as-of day does not count."""
    return {
        EVENTS[name][0]: _events(name, tables[name], people, calendar, as_of)
        for name in EVENTS
        if name in tables
    }


def _events(
    name: str, table: pl.LazyFrame, people: pl.DataFrame, calendar: Calendar, as_of: date
) -> pl.DataFrame:
    _, instant, day, before = EVENTS[name]
    rows = complete(table, name)
    days = {day: instant, **_MORE_DAYS.get(name, {})}
    rows = rows.with_columns(_local_day(rows, at, calendar).alias(on) for on, at in days.items())
    rows = rows.filter(pl.col(day) <= as_of)
    if name != "spend":
        rows = rows.join(people.lazy(), on="customer_id", how="left").drop("customer_id")
    return _coded(rows.collect()).sort(*before, day, maintain_order=True, nulls_last=True)


def complete(table: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """A table with every canonical column, null where the source has none."""
    has = table.collect_schema()
    return table.with_columns(
        pl.lit(None, dtype).alias(column) for column, dtype in dtypes(name).items() if column not in has
    )


def _local_day(table: pl.LazyFrame, column: str, calendar: Calendar) -> pl.Expr:
    dtype = table.collect_schema()[column]
    value = pl.col(column)
    return value if dtype == pl.Date else value.dt.convert_time_zone(calendar.timezone).dt.date()


def _coded(rows: pl.DataFrame) -> pl.DataFrame:
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String and name not in _IDS]
    few = [name for name in texts if rows[name].n_unique() <= MOST_ATTRIBUTE_VALUES]
    return rows.with_columns(pl.col(name).cast(enum_of(rows[name])) for name in few)
