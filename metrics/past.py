"""The marts as they were at the end of an earlier day: nothing that happened later counts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from metrics.events import EVENTS
from metrics.frames import Frame, Marts
from metrics.marts import PANELS, line_panel
from metrics.orders import MEASURES
from metrics.panels import DERIVED
from metrics.people import customer_totals, with_totals
from metrics.selection import Selection

_DAYS: Final[Mapping[str, str]] = {mart: day for mart, _instant, day, _before in EVENTS.values()}


def past(marts: Marts, day: date) -> Marts:
    """The marts of everybody on an earlier day, with the same customers under the same numbers.

    Orders, answers, contacts and contracts after the day are left out and all sums of history taken anew;
    attributes are those of today, since no source keeps old ones. A contract that ended later still runs.
    On the as-of day or after it the marts are as they are.
    """
    whole = replace(marts, selection=Selection(), mask=None)
    if day >= marts.as_of:
        return whole
    frames: dict[str, Frame] = dict(whole.frames)
    for mart, column in _DAYS.items():
        if mart in frames:
            frames[mart] = whole.frame(mart).filter(pl.col(column) <= day)
    if "orders" in frames:
        frames |= _orders(whole, day)
    return replace(whole, frames=frames, as_of=day, opened={}, answers={}, segments={})


def _orders(marts: Marts, day: date) -> dict[str, Frame]:
    """Orders and baskets up to a day, the sums of customers over them, the panels.

    Rows are read when they are asked for, and then the columns that are: whole they are as large as all
    else together.
    """
    rows = {
        name: marts.frames[name].lazy().filter(pl.col("ordered_on") <= day) for name in ("orders", "baskets")
    }
    orders = rows["orders"].select("customer", "ordered_on", *MEASURES).collect()
    baskets = rows["baskets"].select("customer", "category", "purchases").collect()
    totals = customer_totals(orders, baskets, ())
    people = marts.frame("customer_summary")
    sums = {*MEASURES, *DERIVED, "first_order_on", "last_order_on", "categories"}
    kept = people.drop(sums & set(people.columns))
    panels = {name: line_panel(rows["orders"], marts.calendar, grain) for grain, name in PANELS.items()}
    return {**rows, **panels, "customer_summary": with_totals(kept, totals).select(people.columns)}
