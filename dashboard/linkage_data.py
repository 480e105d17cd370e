"""The questions of the page on what feeling goes with; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import polars as pl

from dashboard import equity_data
from dashboard import satisfaction_data as surveys
from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from dashboard.text import later
from metrics.gap_comparisons import respondent_gaps
from metrics.instruments import Instrument
from metrics.linkage import (
    Curve,
    Link,
    banded,
    by_band,
    compared,
    curves,
    followed,
    linked,
    not_asked,
    quantile_edges,
    score_curve,
    slopes,
)
from metrics.reasons import Reason
from metrics.return_on_quality import Return, return_on_quality
from metrics.satisfaction import OVERALL
from metrics.standings import order_rows

EDGES: Final = {"nps": (7.0, 9.0), "csat": (3.0, 4.0, 5.0)}
GROUPS: Final = {
    "respondents": later("Answered"),
    "silent": later("Asked, silent"),
    "not asked": later("Not asked"),
}


@dataclass(frozen=True)
class Felt:
    """What was felt: a question of an instrument, or its overall gap."""

    instrument: Instrument
    code: str

    @property
    def is_gap(self) -> bool:
        """Whether it is the mean over dimensions."""
        return self.code == OVERALL and bool(self.instrument.dimensions)

    @property
    def key(self) -> str:
        """Its name in the URL and among questions."""
        return f"{self.instrument.name}.{self.code}"


def feelings(desk: Desk) -> list[Felt]:
    """Everything that can be set against orders: overall gaps first, then questions."""
    known = surveys.surveys(desk)
    gaps = [Felt(each, OVERALL) for each in known if each.dimensions and not each.has_zone]
    return gaps + [
        Felt(each, code) for each in known for code, q in each.questions.items() if q.kind != "overall"
    ]


def behaviour(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> pl.DataFrame:
    """What respondents did before and after each answer: see `metrics.linkage.followed`."""

    def made() -> pl.DataFrame:
        answers = surveys.chosen(desk, scope, instrument)
        columns = {code: pl.Series(values).fill_nan(None) for code, values in answers.single.items()}
        if instrument.dimensions:
            gaps = respondent_gaps(answers)
            columns = {**columns, **{name: gaps[name] for name in gaps.columns}}
        rows = answers.responses.select("customer", "answered_on").with_columns(
            values.alias(name) for name, values in columns.items()
        )
        end = _end(desk, scope)
        inside = rows.filter(pl.col("answered_on") <= end)
        return followed(inside, _orders(desk, scope, end), days, end, scores=tuple(columns))

    return desk.kept(f"behaviour {surveys.stamp(instrument)} {days} {_key(desk, scope)}", made)


def _key(desk: Desk, scope: Scope) -> str:
    return f"{_end(desk, scope)} {scope.attributes}"


def _end(desk: Desk, scope: Scope) -> date:
    return min(desk.calendar.end(scope.period, scope.grain), desk.as_of)


def _orders(desk: Desk, scope: Scope, end: date) -> pl.DataFrame:
    marts = desk.marts(replace(scope, categories=()))
    rows = order_rows(marts, frozenset({"net_amount"}))
    bought = rows.filter(pl.col("orders") > 0, pl.col("ordered_on") <= end)
    amount = pl.col("net_amount").cast(pl.Float64) / 10_000
    return bought.select("customer", "ordered_on", amount)


def edges(desk: Desk, scope: Scope, felt: Felt, days: int) -> tuple[float, ...]:
    """The edges of the bands: those of the kind of question, else quarters of the respondents."""
    kind = "" if felt.is_gap else felt.instrument.questions[felt.code].kind
    rows = behaviour(desk, scope, felt.instrument, days)
    return EDGES.get(kind) or quantile_edges(rows[felt.code])


def bands(desk: Desk, scope: Scope, felt: Felt, days: int) -> pl.DataFrame:
    """Return and spend by band of what was felt."""
    return by_band(_banded(desk, scope, felt, days))


def _banded(desk: Desk, scope: Scope, felt: Felt, days: int) -> pl.DataFrame:
    rows = behaviour(desk, scope, felt.instrument, days)
    return rows.with_columns(band=banded(rows[felt.code], edges(desk, scope, felt, days)))


def in_band(desk: Desk, scope: Scope, felt: Felt, days: int, band: int) -> pl.DataFrame:
    """The respondents of a band with what they felt and the days until their next order, the latest first."""
    rows = _banded(desk, scope, felt, days).filter(pl.col("band") == band)
    next_days = pl.when("observed").then("duration").alias("next_days")
    return _listed(desk, rows.select("customer", "answered_on", pl.col(felt.code).alias("score"), next_days))


def behind_slope(desk: Desk, scope: Scope, felt: Felt, days: int) -> pl.DataFrame:
    """The respondents that the slope of a dimension rests on, and whether they ordered in time."""
    found = link(desk, scope, felt.instrument, days)
    rows = behaviour(desk, scope, felt.instrument, days).clear() if isinstance(found, Reason) else found.rows
    return _listed(desk, rows.select("customer", "answered_on", pl.col(felt.code).alias("score"), "returned"))


def _listed(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    return with_ids(desk, rows.sort("answered_on", "customer", descending=[True, False]))


def survival(desk: Desk, scope: Scope, felt: Felt, days: int) -> tuple[pl.DataFrame, float | None]:
    """Time until the next order by band, with the log-rank test."""
    question = f"feeling curves {felt.key} {surveys.stamp(felt.instrument)} {_key(desk, scope)}"
    return desk.kept(question, lambda: curves(_banded(desk, scope, felt, days)))


def curve(desk: Desk, scope: Scope, felt: Felt, days: int) -> Curve | Reason:
    """The chance to return along a score."""
    question = f"feeling chance {felt.key} {surveys.stamp(felt.instrument)} {days} {_key(desk, scope)}"
    rows = behaviour(desk, scope, felt.instrument, days)
    return desk.kept(question, lambda: score_curve(rows, felt.code))


def link(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> Link | Reason:
    """The model of returning on the gaps of all dimensions together."""
    question = f"link {surveys.stamp(instrument)} {days} {_key(desk, scope)}"
    rows = behaviour(desk, scope, instrument, days)
    return desk.kept(question, lambda: linked(rows, tuple(instrument.dimensions)))


def slope_table(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> pl.DataFrame | Reason:
    """What each dimension moves, the others equal."""
    found = link(desk, scope, instrument, days)
    if isinstance(found, Reason):
        return found
    question = f"slopes {surveys.stamp(instrument)} {days} {_key(desk, scope)}"
    return desk.kept(question, lambda: slopes(found))


def returns(
    desk: Desk, scope: Scope, instrument: Instrument, days: int, points: float, cost: float
) -> list[Return] | Reason:
    """What closing the gap of each dimension is worth."""
    found = link(desk, scope, instrument, days)
    measured = equity_data.measured(desk, scope, equity_data.Terms())
    if isinstance(found, Reason):
        return found
    if isinstance(measured, Reason):
        return measured
    question = f"return on quality {surveys.stamp(instrument)} {days} {points} {cost} {_key(desk, scope)}"
    return desk.kept(
        question,
        lambda: [
            return_on_quality(found, name, points, measured.drivers, measured.draws, cost=cost)
            for name in instrument.dimensions
        ],
    )


def representation(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> pl.DataFrame | None:
    """Respondents against those asked in vain and those not asked, from the invitations of all waves.

    Those not asked are customers with an order in the half year before a wave, at the wave's middle day. None
    where no invitations are in the data.
    """
    asked = surveys.invitations(desk, scope, instrument)
    if asked is None:
        return None

    def made() -> pl.DataFrame:
        end = _end(desk, scope)
        orders = _orders(desk, scope, end)
        named = asked.select(
            "customer",
            "answered_on",
            group=pl.when("answered").then(pl.lit("respondents")).otherwise(pl.lit("silent")),
        )
        rest = not_asked(named, orders)
        everybody = pl.concat([named, rest]).filter(pl.col("answered_on") <= end)
        rows = followed(everybody, orders, days, end, scores=("group",))
        return compared(rows.filter(pl.col("orders_before") > 0), tuple(GROUPS))

    return desk.kept(f"representation {surveys.stamp(instrument)} {days} {_key(desk, scope)}", made)
