"""Figures of groups of customers by period: the share that a segment holds, that of RFM segments; and who."""

from datetime import date, timedelta
from typing import Final, TypeAlias

import polars as pl

from metrics.customer_facts import CUSTOMER
from metrics.frames import Marts
from metrics.intervals import wilson
from metrics.past import past
from metrics.periods import Grain, Window
from metrics.points import Point, nothing
from metrics.relations import PANEL, RELATIONS
from metrics.rfm import Rfm, rfm
from metrics.segment_definitions import SegmentShare
from metrics.selection import Missing

Grouped: TypeAlias = SegmentShare | Rfm
"""Every kind that speaks of groups of customers."""

NOBODY: Final = "nobody ordered in the period"
NOTHING: Final = "nothing to divide by in this period"
_QUANTITY: Final = {"revenue": "net_amount", "orders": "orders"}


def shares(definition: Grouped, marts: Marts, window: Window) -> dict[int, Point]:
    """The share of each period with its Wilson interval; that of revenue has none, being a full count.

    `n` counts the customers in the base. Raises Missing where a source or the segment is lacking.
    """
    counted = isinstance(definition, Rfm) or definition.of != "revenue"
    found = nothing(window, NOBODY if counted else NOTHING)
    rows = group_customers(definition, marts, window)
    sums = rows.group_by("period").agg(
        pl.col("numerator", "denominator").sum().cast(pl.Float64), pl.len().alias("n")
    )
    for period, above, below, n in sums.iter_rows():
        if below > 0 and counted:
            lower, upper = wilson([above], [below])
            found[period] = Point(above / below, n, float(lower[0]), float(upper[0]), "wilson")
        elif below > 0:
            found[period] = Point(above / below, n)
    return found


def group_customers(definition: Grouped, marts: Marts, window: Window) -> pl.DataFrame:
    """The customers behind such figures: `period`, `customer`, `numerator`, `denominator`.

    Raises Missing where the segment, or a source, is not there.
    """
    if isinstance(definition, Rfm):
        return _scored(definition, marts, window)
    if definition.segment not in marts.segments:
        fault = f"there is no segment `{definition.segment}`, or it is broken"
        raise Missing(fault)
    return _shared(definition, marts, window)


def _shared(definition: SegmentShare, marts: Marts, window: Window) -> pl.DataFrame:
    belongs = marts.segments[definition.segment]
    rows = marts.rows(RELATIONS[PANEL], window, frozenset({"orders", "net_amount"}))
    if definition.of == "customers":
        kept = rows.filter(pl.col("orders") > 0, pl.col(CUSTOMER).is_not_null())
        rows = kept.with_columns(denominator=pl.lit(1, pl.Int64))
    else:
        rows = rows.with_columns(pl.col(_QUANTITY[definition.of]).alias("denominator"))
    parts = []
    for (period,), part in rows.partition_by("period", as_dict=True).items():
        inside = belongs(_day(definition, marts, window, int(str(period)))).gather(part[CUSTOMER])
        theirs = pl.when(inside.fill_null(value=False)).then("denominator").otherwise(0)
        parts.append(part.with_columns(theirs.cast(part.schema["denominator"]).alias("numerator")))
    empty = rows.clear().with_columns(numerator=pl.col("denominator"))
    return pl.concat([empty, *parts]).select("period", CUSTOMER, "numerator", "denominator")


def _day(definition: SegmentShare, marts: Marts, window: Window, period: int) -> date:
    """The day on which a customer must belong for a period to count him."""
    if definition.belongs == "as_of" or window.grain is Grain.ALL:
        return marts.as_of
    if definition.belongs == "end":
        return min(marts.calendar.end(period, window.grain), marts.as_of)
    return marts.calendar.start(period, window.grain) - timedelta(days=1)


def _scored(definition: Rfm, marts: Marts, window: Window) -> pl.DataFrame:
    """Every scored customer at the end of each period, and whether in the segments that count."""
    if "orders" not in marts.frames:
        fault = "no source gives `order_lines`"
        raise Missing(fault)
    parts = []
    for period in window.periods:
        end = marts.as_of if window.grain is Grain.ALL else marts.calendar.end(period, window.grain)
        found = rfm(past(marts, min(end, marts.as_of)), definition)
        if marts.mask is not None:
            found = found.filter(marts.mask.gather(found[CUSTOMER]))
        counted = pl.col("rfm_segment").cast(pl.String).is_in(list(definition.counts))
        parts.append(
            found.select(
                pl.lit(period, pl.Int32).alias("period"),
                CUSTOMER,
                counted.fill_null(value=False).cast(pl.Int64).alias("numerator"),
                pl.lit(1, pl.Int64).alias("denominator"),
            )
        )
    return pl.concat(parts)
