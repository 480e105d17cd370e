"""The questions of comparison, overlap, migration and size over time; every answer is kept by the desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import polars as pl

from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.clusters import FEATURES, Clusters, Method, clusters
from metrics.families import side
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.periods import Grain, Window
from metrics.reasons import Reason
from metrics.rfm import Rfm, bins_of, rfm
from metrics.segment_comparison import differences
from metrics.segment_moves import movers, moves, overlaps
from metrics.selection import SEGMENT

REST: Final = "{rest}"
"""The customers who are not in the segment that is compared."""

YEAR: Final = timedelta(days=365)
PARTITIONS: Final = ("rfm_segment", "value_tier", "lifecycle")
"""Facts that put every customer into one group, in the order in which they are offered."""


def window(desk: Desk, scope: Scope, which: str) -> Window:
    """The days that are compared: the scope's period, the year up to the as-of day, or all of history."""
    match which:
        case "period":
            return Window(scope.grain, scope.period)
        case "year":
            return Window.between(desk.calendar, desk.as_of - YEAR + timedelta(days=1), desk.as_of)
        case _:
            return Window()


def began(desk: Desk, asked: Window) -> date:
    """The day before a window begins."""
    if asked == Window():
        return desk.as_of
    return asked.day_range(desk.calendar)[0] - timedelta(days=1)


def members(desk: Desk, names: Sequence[str], day: date) -> dict[str, pl.Series]:
    """By customer number, who belonged to each segment on a day; REST are those outside the first one."""
    book = segment_data.book(desk)
    found = {name: book.members_on(name, day) for name in names if name != REST}
    if REST in names:
        found[REST] = ~found[names[0]]
    return {name: found[name] for name in names}


def figures(
    desk: Desk, scope: Scope, names: Sequence[str], metrics: Sequence[str], which: str, day: date
) -> pl.DataFrame:
    """Figures of some metrics `by` segment, as `metrics.figures.compute` gives them."""
    asked, other = window(desk, scope, which), segment_data.without_segments(scope)
    question = f"compare {names} {metrics} {asked} {day} {other.filters}"
    return desk.kept(
        question,
        lambda: compute(desk.catalog, metrics, _beside(desk, other, names, day), asked, by=SEGMENT),
    )


def behind(
    desk: Desk, scope: Scope, names: Sequence[str], of: str, metric: str, which: str, day: date
) -> pl.DataFrame:
    """The customers behind a metric of one of the segments compared: what each adds, and why he is in it.

    Raises Missing where a figure is not recorded by customer.
    """
    asked, other = window(desk, scope, which), segment_data.without_segments(scope)
    alone = side(_beside(desk, other, names, day), of)
    rows = customers_behind(desk.catalog, metric, alone, asked).drop("period", "customer_id")
    known = rows.filter(pl.col("customer").is_not_null())
    return segment_data.described(desk, known.insert_column(1, _why(desk, of, known["customer"], day)))


def _why(desk: Desk, of: str, numbers: pl.Series, day: date) -> pl.Series:
    """Why customers are in a segment on a day, or among the rest."""
    if of == REST:
        return pl.repeat(_("Everybody else"), len(numbers), eager=True).alias("reason")
    then = segment_data.book(desk).on(day)
    return segment_data.said(segment_data.reasons(desk, then.rule(of), numbers, then))


def _beside(desk: Desk, other: Scope, names: Sequence[str], day: date) -> Marts:
    """The marts with the segments side by side, whose sums are kept for other metrics and other days."""
    chosen = desk.marts(replace(other, categories=()))
    question = f"beside {names} {day} {other.filters}"
    return desk.kept(question, lambda: chosen.beside(members(desk, names, day)))


def difference(rows: pl.DataFrame, a: str, b: str) -> pl.DataFrame:
    """What two of the segments differ by; see `metrics.segment_comparison.differences`."""
    return differences(rows.filter(pl.col("by") == a), rows.filter(pl.col("by") == b))


def shared(desk: Desk, scope: Scope, names: Sequence[str]) -> pl.DataFrame:
    """How the segments overlap within the scope's other filters; see `metrics.segment_moves.overlaps`."""
    other = segment_data.without_segments(scope)
    question = f"overlap {names} {other.filters}"
    return desk.kept(
        question, lambda: overlaps(members(desk, names, desk.as_of), segment_data.base(desk, other))
    )


def partitions(desk: Desk) -> list[str]:
    """The facts that put every customer into one group, as far as this project has them."""
    return [name for name in PARTITIONS if name in segment_data.facts(desk).offered]


def groups_on(desk: Desk, by: str, day: date) -> pl.Series:
    """By customer number, the group on a day: of a fact that divides all, or `in` and `out` of a segment."""
    book = segment_data.book(desk).on(day)

    def made() -> pl.Series:
        if by in PARTITIONS:
            return book.facts.frame([by]).to_series()
        inside = book.members(by)
        return (
            pl.DataFrame([inside.alias("in")])
            .select(pl.when("in").then(pl.lit("in")).otherwise(pl.lit("out")))
            .to_series()
        )

    return desk.kept(f"groups {by} {day}", made)


def migration(desk: Desk, scope: Scope, by: str, start: date, end: date) -> pl.DataFrame:
    """How customers moved between two dates; see `metrics.segment_moves.moves`."""
    other = segment_data.without_segments(scope)
    question = f"moves {by} {start} {end} {other.filters}"
    return desk.kept(
        question,
        lambda: moves(groups_on(desk, by, start), groups_on(desk, by, end), segment_data.base(desk, other)),
    )


def moved(
    desk: Desk, scope: Scope, by: str, start: date, end: date, origin: str | None, to: str | None
) -> pl.DataFrame:
    """The customers behind a cell of the migration, the most valuable first.

    `before` and `after` are their groups, `reason` says what they did in between: `orders`, `last_order_on`.
    """
    within = segment_data.base(desk, segment_data.without_segments(scope))
    rows = movers(groups_on(desk, by, start), groups_on(desk, by, end), origin, to, within)
    book = segment_data.book(desk)
    if "orders" in book.facts.offered:
        before, after = (book.on(day).facts.frame(["orders"])["orders"] for day in (start, end))
        made = after.fill_null(0).cast(pl.Int64) - before.fill_null(0).cast(pl.Int64)
        rows = rows.with_columns(made.gather(rows["customer"]).alias("orders_between"))
    return segment_data.described(desk, segment_data.valued(desk, rows))


def over_time(desk: Desk, scope: Scope, names: Sequence[str], count: int = 12) -> pl.DataFrame:
    """How large each segment was at the end of the last periods, and what it brought in them.

    Columns: segment, period, customers, revenue (net, of the period, by those who belonged at its end).
    """
    last = desk.calendar.last_complete(scope.grain, desk.as_of)
    first = max(last - count + 1, desk.calendar.code(desk.first_day, scope.grain))
    other = segment_data.without_segments(scope)

    def made() -> pl.DataFrame:
        within = segment_data.base(desk, other)
        rows = []
        for code in range(first, last + 1):
            end = desk.calendar.end(code, scope.grain)
            for name, inside in members(desk, names, end).items():
                held = inside if within is None else inside & within
                rows.append((name, code, int(held.sum()), _revenue(desk, scope.grain, code, held)))
        schema = ["segment", "period", "customers", "revenue"]
        return pl.DataFrame(rows, schema=schema, orient="row")

    return desk.kept(f"sizes {names} {scope.grain} {first} {last} {other.filters}", made)


def _revenue(desk: Desk, grain: Grain, code: int, inside: pl.Series) -> float:
    def by_customer() -> pl.DataFrame:
        start, end = desk.calendar.start(code, grain), desk.calendar.end(code, grain)
        rows = desk.whole.in_units("orders", ("customer", "ordered_on", "net_amount"))
        held = rows.filter(pl.col("ordered_on").is_between(start, end), pl.col("customer").is_not_null())
        return held.group_by("customer").agg(pl.col("net_amount").sum())

    sums = desk.kept(f"revenue {grain} {code}", by_customer)
    return float(sums.filter(inside.gather(sums["customer"]))["net_amount"].sum()) / 10_000


def scoring(desk: Desk) -> Rfm | None:
    """How customers are scored by RFM."""
    plan = desk.catalog.plans.get("rfm")
    definition = plan.definition if plan else None
    return definition if isinstance(definition, Rfm) else None


def scores(desk: Desk, scope: Scope, spec: Rfm) -> pl.DataFrame:
    """The scores of the customers in the scope; bins are those of all customers."""
    other = segment_data.without_segments(scope)

    def made() -> pl.DataFrame:
        found, within = rfm(desk.whole, spec), segment_data.base(desk, other)
        return found if within is None else found.filter(within.gather(found["customer"]))

    return desk.kept(f"rfm {other.filters}", made)


def bins(rows: pl.DataFrame, spec: Rfm) -> pl.DataFrame:
    """The bins with their edges and sizes; see `metrics.rfm.bins_of`."""
    return bins_of(rows, spec.bins)


def labels(desk: Desk, by: str) -> Mapping[str, str]:
    """The groups of a partition by name, in their order, with their labels."""
    if by == "rfm_segment":
        spec = scoring(desk)
        return {segment.name: segment.label for segment in spec.segments} if spec else {}
    if by in PARTITIONS:
        dtype = segment_data.facts(desk).offered[by].dtype
        names = dtype.categories.to_list() if isinstance(dtype, pl.Enum) else []
        return {name: name if len(name) == 1 else name.capitalize() for name in names}
    return {}


def behaviour(desk: Desk, scope: Scope, method: Method) -> Clusters | Reason:
    """The behaviour clusters of the customers in the scope; see `metrics.clusters.clusters`."""
    other = segment_data.without_segments(scope)
    found = segment_data.facts(desk)

    def made() -> Clusters | Reason:
        names = [name for name in FEATURES if name in found.offered]
        rows = found.frame(names).with_columns(desk.whole.frame("customer_summary")["customer"])
        within = segment_data.base(desk, other)
        return clusters(rows if within is None else rows.filter(within), method)

    return desk.kept(f"clusters {method} {other.filters}", made)
