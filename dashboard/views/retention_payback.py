"""Payback: what customers have earned, age after age, against what winning them cost."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from dashboard import retention_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.desk import Desk
from dashboard.parts.chart_card import Card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from metrics.retention import Cohorts
from metrics.selection import Missing


def payback_card(desk: Desk, scope: Scope, plain: Cohorts) -> tuple[Card, Chart | None, str]:
    """What a customer has earned age after age against what winning him cost; the cohorts in the table."""
    show, grain = desk.show, _(GRAINS[scope.grain]).lower()
    try:
        curve, found = asked.payback_curve(desk, scope, plain), asked.paybacks(desk, scope, plain)
        lacking = ""
    except Missing as missing:
        curve, found, lacking = pl.DataFrame(), pl.DataFrame(), sentence(str(missing))
    rows = found.reverse() if len(found) else found
    card = Card(
        key="payback",
        title=_finding(desk, scope, curve),
        note=_("margin to date per customer by {grain} since they began, {currency}{n}").format(
            grain=grain,
            currency=show.currency,
            n=f" \N{MIDDLE DOT} n = {show.decimal(int(curve['n'][0]), 0)}" if len(curve) else "",
        ),
        definition={
            _("Margin to date"): _("net revenue less the cost of goods, of all orders up to that age"),
            _("Cost"): _("spend on acquisition in the period in which the cohort began, over its customers"),
            _("Cohorts"): _(
                "those that are over for as long as the curve runs; each with its figures in the table"
            ),
        },
        columns=_columns(),
        rows=lambda: [_paid(desk, scope, grain, row) for row in rows.iter_rows(named=True)],
        frame=lambda: found,
    )
    if len(curve) < 2:
        return card, None, lacking or _("A curve needs cohorts with spend that are over for two periods.")
    return card, _chart(desk, curve, card.title), ""


def _columns() -> list[Column]:
    heads = [
        _("Customers"),
        _("Spent to win them"),
        _("Each"),
        _("Margin to date"),
        _("Paid back"),
        _("After"),
    ]
    return [Column(_("Began in")), *(Column(head, "number") for head in heads)]


def _finding(desk: Desk, scope: Scope, curve: pl.DataFrame) -> str:
    """What a customer costs, and when that is earned back."""
    if len(curve) < 2:
        return _("Payback of what acquisition cost")
    show, last = desk.show, curve.row(-1, named=True)
    words_ = {
        "cost": show.value(last["cost"], "money"),
        "earned": show.value(last["value"], "money"),
        "grain": _(GRAINS[scope.grain]).lower(),
        "last": last["age"],
    }
    reached = curve.filter(pl.col("value") >= pl.col("cost"))
    if reached.is_empty():
        text = _("A customer costs {cost} to win and has earned {earned} by {grain} {last}: not paid back")
        return text.format(**words_)
    text = _(
        "A customer costs {cost} to win, is paid back in {grain} {age} and has earned {earned} by {last}"
    )
    return text.format(age=int(reached["age"][0]), **words_)


def _chart(desk: Desk, curve: pl.DataFrame, title: str) -> Chart:
    show, ages = desk.show, curve["age"].to_numpy().astype(np.float64)
    lines = [
        Curve(name, ages, values.to_numpy(), notes=[show.value(each, "money") for each in values])
        for name, values in ((_("Earned"), curve["value"]), (_("Cost"), curve["cost"]))
    ]
    return curves(lines, partial(show.axis, unit="money"), lambda at: f"{at:g}", title)


def _paid(desk: Desk, scope: Scope, grain: str, row: dict[str, object]) -> list[str]:
    show, age = desk.show, row["payback_age"]
    after = _("{grain} {age}").format(grain=grain, age=age) if age is not None else _("not yet")
    return [
        desk.read.period(row["cohort"], scope.grain),  # type: ignore[arg-type]  # a whole number
        show.decimal(row["size"], 0),  # type: ignore[arg-type]  # a whole number
        show.money(row["spent"]),  # type: ignore[arg-type]  # a decimal
        show.value(row["cost_per_customer"], "money"),  # type: ignore[arg-type]  # a number
        show.value(row["margin"], "money"),  # type: ignore[arg-type]  # a decimal
        show.value(row["paid_back"], "rate"),  # type: ignore[arg-type]  # a number
        after,
    ]
