"""The questions of the scorecard page; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import polars as pl

from dashboard.desk import Desk
from dashboard.equity_data import ends_on
from dashboard.equity_data import marts as whole_customers
from dashboard.scorecard_files import Scorecard, scorecard_plan
from dashboard.state import Scope
from metrics.bridge import bridge
from metrics.equity_drivers import year_ends
from metrics.frames import Marts
from metrics.lifetime.values import months_after
from metrics.periods import Window
from metrics.reasons import Reason
from metrics.scorecard import Economics, equity
from metrics.scorecard_drivers import MEASURED, SEGMENT, drawn, driver_rows, measured, sizes
from metrics.scorecard_link import fitted_link
from metrics.scorecard_plan import Plan
from metrics.scorecard_targets import Facts, Link, current, priced
from metrics.selection import SEGMENT as GROUP

USUAL: Final = ("loyal", "one_order", "big_spenders", "gone_quiet")
"""The segments that are compared until others are chosen."""
MOST_SEGMENTS: Final = 12
_SHORT: Final = (
    "The scorecard needs orders of two full years before {day}. Load older orders, or choose a later period"
)


@dataclass(frozen=True)
class Split:
    """How rows are made: the values of an attribute, or some segments of the book, which may overlap."""

    by: str
    names: tuple[str, ...] = ()

    @property
    def overlaps(self) -> bool:
        """Whether a customer can be in several rows, so that rows do not add up to a total."""
        return self.by == GROUP


def plan(desk: Desk) -> Scorecard:
    """What `scorecard.yaml` says, read anew every time."""
    return scorecard_plan(desk.workspace.folder)


def peers_by(desk: Desk, split: Split, chosen: Plan) -> str | None:
    """The attribute that makes sub-segments: that of the plan, else the first other one."""
    names = [chosen.peers, "region", "channel", *desk.attributes]
    return next((name for name in names if name in desk.attributes and name != split.by), None)


def facts(desk: Desk, scope: Scope, split: Split, chosen: Plan) -> Facts | Reason:
    """What was measured of the segments for the year that ends with the scope's period."""
    at = ends_on(desk, scope)
    about = f"{chosen.referral} {chosen.satisfaction} {chosen.peers} {chosen.periods}"
    question = f"scorecard {at} {split} {sorted(scope.attributes)} {about}"
    return desk.kept(question, lambda: _facts(desk, scope, split, chosen, at))


def _facts(desk: Desk, scope: Scope, split: Split, chosen: Plan, at: date) -> Facts | Reason:
    if desk.first_day - timedelta(days=1) > year_ends(at)[2]:
        return Reason("short_history", _SHORT.format(day=desk.show.day(at)))
    marts = whole_customers(desk, scope)
    members = _members(desk, split, at)
    rows = driver_rows(marts, at, chosen).join(members, on="customer")
    if not rows["now"].sum():
        return Reason("no_customers", "Nobody of these segments ordered in the year. Widen the filters")
    link = fitted_link(marts, chosen)
    return Facts(
        measured(rows),
        _peers(desk, rows, peers_by(desk, split, chosen)),
        _earlier(desk, marts, chosen, members, at),
        sizes(rows),
        drawn(rows),
        link if isinstance(link, Link) else None,
        link.text if isinstance(link, Reason) else "",
    )


def _members(desk: Desk, split: Split, at: date) -> pl.DataFrame:
    """Who is in which row: `customer`, `segment`. Segments of the book as they were when the year began."""
    if not split.overlaps:
        people = desk.whole.frame("customer_summary")
        return people.select("customer", pl.col(split.by).cast(pl.String).alias(SEGMENT)).drop_nulls()
    book, start = desk.segments.book, year_ends(at, 1)[1]
    parts = [
        pl.DataFrame({"customer": book.members_on(name, start).arg_true().cast(pl.UInt32)}).with_columns(
            pl.lit(book.labels[name]).alias(SEGMENT)
        )
        for name in split.names
        if name in book.rules
    ]
    empty = pl.DataFrame(schema={"customer": pl.UInt32, SEGMENT: pl.String})
    return pl.concat([empty, *parts])


def _peers(desk: Desk, rows: pl.DataFrame, other: str | None) -> pl.DataFrame:
    """The drivers of the sub-segments; those of the segments where there is no other attribute."""
    if other is None:
        return measured(rows)
    theirs = desk.whole.frame("customer_summary")[other].cast(pl.String).gather(rows["customer"])
    cells = rows.with_columns(pl.format("{} / {}", pl.col(SEGMENT), theirs.alias("other")).alias(SEGMENT))
    return measured(cells.drop_nulls(SEGMENT))


def _earlier(desk: Desk, marts: Marts, chosen: Plan, members: pl.DataFrame, at: date) -> pl.DataFrame:
    """The drivers of years that ended at the end of earlier quarters, as far as the data go back."""
    wanted = sorted({each.driver for each in chosen.drivers if each.basis == "own_best"})
    parts = [pl.DataFrame(schema=MEASURED | {"ends_on": pl.Date()})]
    for back in range(chosen.periods if wanted else 0):
        end = months_after(at, -3 * back)
        if desk.first_day - timedelta(days=1) > year_ends(end)[2]:
            break
        rows = driver_rows(marts, end, chosen, wanted).join(members, on="customer")
        parts.append(measured(rows, drivers=wanted).with_columns(ends_on=pl.lit(end, pl.Date())))
    return pl.concat(parts)


def table(chosen: Plan, found: Facts) -> pl.DataFrame:
    """The scorecard; what has a gap first, the best expected value ahead."""
    rows = priced(chosen, found).with_columns(open=pl.col("gap") != 0)
    among = pl.when("open").then("expected").rank("ordinal", descending=True)
    order = ["open", "rank", "segment", "driver"]
    return rows.with_columns(rank=among).sort(order, descending=[True, False, False, False], nulls_last=True)


def equity_today(chosen: Plan, found: Facts) -> float:
    """Customer equity of all segments as they are."""
    base = current(found)
    values = {name: base[name].to_numpy() for name in base.columns if name != SEGMENT}
    return float(equity(values, Economics(chosen.discount_rate, chosen.acquisition_periods)).sum())


def flow(desk: Desk, scope: Scope, split: Split) -> pl.DataFrame:
    """How each segment's revenue came from the period before: `segment`, `item`, `amount`, `customers`.

    The last rows, without a segment, are those of all chosen customers together.
    """
    window = Window(scope.grain, scope.period)
    question = f"scorecard flow {window} {split} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _flow(desk, scope, split, window))


def _flow(desk: Desk, scope: Scope, split: Split, window: Window) -> pl.DataFrame:
    parts = []
    for value, label in _values(desk, scope, split):
        others = tuple(pair for pair in scope.attributes if pair[0] != split.by)
        narrowed = replace(scope, attributes=(*others, (split.by, (value,))), categories=())
        rows = bridge(desk.marts(narrowed), window)
        parts.append(rows.with_columns(pl.lit(label).alias(SEGMENT)))
    whole = bridge(whole_customers(desk, scope), window)
    parts.append(whole.with_columns(pl.lit(None, pl.String).alias(SEGMENT)))
    return pl.concat(parts)


def _values(desk: Desk, scope: Scope, split: Split) -> list[tuple[str, str]]:
    """The values of the split that the filters leave, each with its label."""
    held = dict(scope.attributes).get(split.by)
    if split.overlaps:
        labels = desk.segments.book.labels
        return [(name, labels[name]) for name in split.names if name in labels]
    return [(value, value) for value in desk.attributes[split.by] if not held or value in held]
