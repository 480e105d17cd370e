"""Contracts: how long they last when customers differ in their churn, and what one is still worth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from dashboard import lifetime_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.lifetime_data import Contracted, Horizon
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.equity import per_period
from metrics.lifetime.outlook import Outlook
from metrics.lifetime.sbg import ShiftedBetaGeometric
from metrics.selection import Missing

A_YEAR: Final = {"week": 52, "month": 12, "quarter": 4, "year": 1}
PERIODS: Final[Mapping[str, str]] = {
    "week": later("weeks"),
    "month": later("months"),
    "quarter": later("quarters"),
    "year": later("years"),
}
AHEAD: Final = 2.0
"""The projection runs to this many times what has been observed."""
RENEWALS: Final = (0, 1, 2, 3, 6, 12, 24)


def render(desk: Desk, scope: Scope, found: Outlook, horizon: Horizon) -> None:
    """The figures, the projected curve beside what was observed, and residual lifetimes."""
    try:
        given = asked.contracted(desk, scope)
    except Missing as missing:
        states.empty("contract", _("No contracts"), sentence(str(missing)))
        return
    markup.section(
        _("How long contracts last"),
        _("The shifted beta-geometric model (sBG) of Fader & Hardie, in {periods} between renewals").format(
            periods=_(PERIODS[given.period])
        ),
    )
    model = given.fit.model
    if model is None:
        states.empty("contract", _("No model can be fitted"), sentence(given.fit.message))
        return
    if given.fit.reason:
        markup.notice(sentence(given.fit.reason.text))
    discount = per_period(horizon.discount, A_YEAR[given.period], "discount")
    _figures(desk, given, model, discount)
    chart_card(*_curve(desk, given, model))
    _residuals(desk, given, model, discount)


def _figures(desk: Desk, given: Contracted, model: ShiftedBetaGeometric, discount: float) -> None:
    show, life = desk.show, model.expected_lifetime(discount)
    running = int((~given.contracts["ended"]).sum())
    said = given.fit.estimates
    figure_row(
        [
            Stated(
                _("Contracts"),
                show.count(len(given.contracts)),
                _("{n} of them are running").format(n=show.count(running)),
            ),
            Stated(
                _("First renewal"),
                show.percent(float(model.retention(1)[0])),
                _("renewed, rising with age"),
            ),
            Stated(
                _("Lifetime at start"),
                "" if life.value is None else show.decimal(life.value, 1),
                _("expected {periods} paid, discounted (DEL)").format(periods=_(PERIODS[given.period])),
            ),
            Stated(
                _("Worth at start"),
                show.value(None if life.value is None else life.value * given.amount, "money"),
                _("at {amount} a period, in revenue").format(amount=show.exact_money(given.amount)),
            ),
            Stated(
                _("Mean churn"),
                show.percent(model.alpha / (model.alpha + model.beta)),
                _("at a renewal; sBG with alpha {alpha}, beta {beta}").format(
                    alpha=show.decimal(said["alpha"], 3), beta=show.decimal(said["beta"], 3)
                ),
            ),
        ],
        "lifetime-contracts",
    )


def _curve(desk: Desk, given: Contracted, model: ShiftedBetaGeometric) -> tuple[Card, Chart | None, str]:
    show, seen = desk.show, len(given.observed) - 1
    last = max(round(AHEAD * seen), 2)
    projected = model.survival(last)
    names = (_("Observed"), _("Projected"))
    table = pl.DataFrame({"renewals": np.arange(last + 1), "projected": projected}).with_columns(
        observed=pl.Series([*given.observed.tolist(), *[None] * (last - seen)], dtype=pl.Float64)
    )
    card = Card(
        key="lifetime-contract-survival",
        title=_("{share} of contracts are expected to outlast {n} {periods}").format(
            share=show.percent(float(projected[-1])), n=last, periods=_(PERIODS[given.period])
        ),
        note=_("share still there by {periods} since the start \N{MIDDLE DOT} n = {n}").format(
            periods=_(PERIODS[given.period]), n=with_unit(len(given.contracts), "contracts", show)
        ),
        definition={
            names[0]: _("Kaplan & Meier, as far as five contracts came to a renewal"),
            names[1]: _(
                "sBG, fitted to all of them: each contract has its own churn, the same at every renewal"
            ),
        },
        columns=[Column(_("Renewals"), "number"), *(Column(name, "number") for name in names)],
        rows=lambda: [
            [str(row["renewals"]), show.value(row["observed"], "rate"), show.value(row["projected"], "rate")]
            for row in table.iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    if seen < 1:
        return card, None, _("No contract has come to a renewal yet.")
    at = np.arange(last + 1, dtype=np.float64)
    lines = [
        Curve(names[0], at[: seen + 1], given.observed),
        Curve(names[1], at, projected),
    ]
    percent = partial(show.percent, digits=0)
    return card, curves(lines, percent, lambda tick: f"{tick:g}", card.title, high=1.0), ""


def _residuals(desk: Desk, given: Contracted, model: ShiftedBetaGeometric, discount: float) -> None:
    """What a contract that was renewed so often is still worth, and what retention does to it."""
    show, reached = desk.show, int(given.contracts["periods"].max() or 0)  # type: ignore[arg-type]  # whole
    heads = [
        Column(name, "number")
        for name in (
            _("Renewals so far"),
            _("Next renewal"),
            _("Residual lifetime"),
            _("Worth"),
            _("1 % more retention"),
        )
    ]
    rows = []
    for renewals in (n for n in RENEWALS if n <= max(reached, 1)):
        life, slope = (
            model.residual_lifetime(renewals, discount),
            model.retention_elasticity(renewals, discount),
        )
        rows.append(
            [
                str(renewals),
                show.percent(float(model.retention(renewals + 1)[-1])),
                "" if life.value is None else show.decimal(life.value, 2),
                show.value(None if life.value is None else life.value * given.amount, "money"),
                show.relative(None if slope.value is None else slope.value / 100),
            ]
        )
    markup.section(
        _("What a contract is still worth"), _("Just before the next renewal, by renewals behind it (DERL)")
    )
    markup.show_table(heads, rows, _("What a contract is still worth"))
    markup.note(
        _(
            "Residual lifetime: expected {periods} still to be paid, discounted. The longer a contract has "
            "run, the surer it is: those who leave readily have left."
        ).format(periods=_(PERIODS[given.period]))
    )
