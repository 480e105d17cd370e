"""Which model describes these customers, and whether its predictions came true."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
import streamlit as st

from dashboard import lifetime_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.lifetime import followed
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.lifetime_data import NAMES, Horizon, Validation
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views import lifetime_alternatives
from metrics.lifetime.outlook import Outlook
from metrics.reasons import Reason

STEP_DAYS = 28


def render(desk: Desk, scope: Scope, found: Outlook, horizon: Horizon) -> None:
    """The candidates, then the holdout: verdict, tracking, by frequency, deciles, errors."""
    _candidates(desk, found)
    lifetime_alternatives.render(desk, scope)
    with st.spinner(_("Fitting without the holdout")):
        checked = asked.validation(desk, scope)
    if isinstance(checked, Reason):
        states.empty("rule", _("Nothing to validate against"), sentence(checked.text))
        return
    markup.section(
        _("Did predictions come true?"),
        _("Fitted on orders until {cut}, judged on the {n} days after it").format(
            cut=desk.show.day(checked.calibration_end), n=checked.days
        ),
    )
    _verdict(desk, checked)
    left, right = st.columns(2)
    with left:
        chart_card(*_tracking(desk, checked))
    with right:
        chart_card(*_tracking(desk, checked, cumulative=True))
    left, right = st.columns([2, 3])
    with left:
        chart_card(*_frequency(desk, checked))
    with right, st.container(border=True, key="card-lifetime-errors", height="stretch"):
        _coverage(desk, checked)
        _errors(desk, checked)
    _deciles(desk, checked)


def _candidates(desk: Desk, found: Outlook) -> None:
    sound = found.purchases is not None and found.purchases.status == "converged"
    words = (
        _("Used: {model}, the lowest AIC of those that converged")
        if sound
        else _("Used: {model}, the lowest AIC; none converged")
    )
    markup.section(_("Models fitted"), words.format(model=NAMES[found.best]))
    heads = [
        Column(_("Model")),
        Column(_("Status")),
        Column(_("Log-likelihood"), "number"),
        Column(_("AIC"), "number"),
        Column(_("Behind the best"), "number"),
        Column(_("What it says"), "wide"),
    ]
    rows = [
        [
            NAMES[row["name"]],
            row["status"],
            *(_number(desk, row[name], 1) for name in ("log_likelihood", "aic", "aic_gap")),
            sentence(row["message"]),
        ]
        for row in found.table.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Models fitted"))
    if found.purchases is not None:
        fits = {NAMES[found.best]: found.purchases, "Gamma-Gamma": found.spend}
        said = [
            f"{name}: " + ", ".join(f"{key} = {value:.4g}" for key, value in fit.estimates.items())
            for name, fit in fits.items()
            if fit.estimates
        ]
        markup.note(_("Time in weeks. {parameters}").format(parameters=" \N{MIDDLE DOT} ".join(said)))


def _number(desk: Desk, value: object, digits: int) -> str:
    return (
        desk.show.decimal(round(value, digits) + 0.0, digits) if isinstance(value, int | float) else MISSING
    )


def _verdict(desk: Desk, checked: Validation) -> None:
    row = checked.comparison.filter(pl.col("name") == checked.best).row(0, named=True)
    off = (row["predicted"] - row["actual"]) / row["actual"] if row["actual"] else None
    best = next((reason for reason in checked.verdicts if reason.text.startswith(f"{checked.best} ")), None)
    beats = (
        sentence(best.text)
        if best is not None
        else _("{model} beats both naive baselines, on MAE and on RMSE.").format(model=checked.best)
    )
    markup.notice(
        _("{beats} It expected {predicted} orders and {actual} came ({off}).").format(
            beats=beats,
            predicted=desk.show.count(round(row["predicted"])),
            actual=desk.show.count(row["actual"]),
            off=desk.show.relative(off),
        )
    )


def _coverage(desk: Desk, checked: Validation) -> None:
    """How often a customer's interval held what he did, and where the model was off."""
    show, found = desk.show, checked.covered
    st.html(markup.card_head(_("Were the intervals right?"), _("95 % intervals of each customer's orders")))
    if found.value is None:
        markup.note(sentence(found.reason.text if found.reason else ""))
        return
    words = _("{share} of them held what came (95 %: {low} to {high}); orders are whole, so more is usual.")
    markup.note(
        words.format(
            share=show.percent(found.value),
            low=show.percent(found.lower or 0.0),
            high=show.percent(found.upper or 0.0),
        )
    )
    if found.upper is not None and found.upper < 0.95:
        markup.notice(_("The intervals were too narrow: read them as wider than they are."))


def _tracking(desk: Desk, checked: Validation, *, cumulative: bool = False) -> tuple[Card, Chart | None, str]:
    ending = "_cumulative" if cumulative else ""
    table, show = checked.tracking, desk.show
    held = table.filter("holdout")
    table = table.select("ends_on", "holdout", actual=f"actual{ending}", expected=f"expected{ending}")
    words = _("so far") if cumulative else _("in each {n} days").format(n=STEP_DAYS)
    card = Card(
        key=f"lifetime-tracking{ending}",
        title=_("Repeat orders, cumulative") if cumulative else _("Repeat orders: actual and expected"),
        note=_("{words}, of customers won until {cut} \N{MIDDLE DOT} right of the line: holdout").format(
            words=words, cut=show.day(checked.calibration_end)
        ),
        definition={
            _("Expected"): _("What {model} expects of new customers by the day of their first order").format(
                model=checked.best
            )
        },
        columns=[Column(_("Until")), Column(_("Actual"), "number"), Column(_("Expected"), "number")],
        rows=lambda: [
            [show.day(day), show.count(actual), show.decimal(expected, 1)]
            for day, actual, expected in table.select("ends_on", "actual", "expected").iter_rows()
        ],
        frame=lambda: table,
    )
    if len(table) < 2:
        return card, None, _("A curve needs two periods.")
    first = table["ends_on"][0]
    actual, expected = (table[name].cast(pl.Float64).to_numpy() for name in ("actual", "expected"))
    alt = _("Actual and expected repeat orders, {actual} and {expected} in the holdout").format(
        actual=show.count(held["actual"].sum()), expected=show.count(round(held["expected"].sum()))
    )

    def when(tick: float) -> str:
        return show.month(first + timedelta(days=STEP_DAYS * (tick - 1))) if tick else ""

    split = len(table) - len(held) + 0.5
    names = (_("Actual"), _("Expected"))
    return card, followed(actual, expected, names, split, partial(show.axis, unit="count"), when, alt), ""


def _frequency(desk: Desk, checked: Validation) -> tuple[Card, Chart | None, str]:
    table, show = checked.by_frequency, desk.show
    card = Card(
        key="lifetime-frequency",
        title=_("Orders in the holdout by earlier repeat orders"),
        note=_("mean orders per customer \N{MIDDLE DOT} n = {n}").format(
            n=with_unit(int(table["customers"].sum()), "customers", show)
        ),
        definition={
            _("Earlier"): _("Repeat orders until {cut}; the last class is open").format(
                cut=show.day(checked.calibration_end)
            )
        },
        columns=[
            Column(_("Repeat orders"), "number"),
            Column(_("Customers"), "number"),
            Column(_("Actual"), "number"),
            Column(_("Expected"), "number"),
        ],
        rows=lambda: [
            [
                str(row["frequency"]),
                show.count(row["customers"]),
                *(show.decimal(row[name], 2) for name in ("actual", "predicted")),
            ]
            for row in table.iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    if len(table) < 2:
        return card, None, _("All customers ordered equally often.")
    actual, expected = (np.append(0.0, table[name].to_numpy()) for name in ("actual", "predicted"))
    last = int(table["frequency"][-1])

    def named(tick: float) -> str:
        return f"{tick:g}+" if tick == last else f"{tick:g}"

    names = (_("Actual"), _("Expected"))
    alt = _("Mean orders in the holdout by number of earlier repeat orders")
    write = partial(show.decimal, digits=2)
    return (
        card,
        followed(
            actual[1:], expected[1:], names, 0, write, lambda tick: named(tick - 1) if tick else "", alt
        ),
        "",
    )


def _errors(desk: Desk, checked: Validation) -> None:
    words = _("orders of each customer in the holdout, best first")
    st.html(markup.card_head(_("Against naive baselines"), words))
    heads = [Column(_("Prediction"))] + [
        Column(name, "number")
        for name in (_("Total expected"), _("Total actual"), "MAE", "RMSE", _("Correlation"), "Gini")
    ]
    rows = [
        [
            row["name"],
            *(_number(desk, row[name], 0) for name in ("predicted", "actual")),
            *(_number(desk, row[name], 3) for name in ("mae", "rmse", "correlation", "gini")),
        ]
        for row in checked.comparison.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Against naive baselines"))
    markup.note(
        _(
            "Same again: as many orders as in the {n} days before. Segment mean: their mean by {segment}. "
            "Gini: 1 ranks customers as well as hindsight, 0 as well as chance."
        ).format(n=checked.days, segment=checked.segment or _("everybody"))
    )


def _deciles(desk: Desk, checked: Validation) -> None:
    markup.section(_("By decile"), _("Customers in ten groups, the highest prediction first"))
    heads = [Column(_("Decile"), "number"), Column(_("Customers"), "number")] + [
        Column(name, "number") for name in (_("Expected"), _("Actual"), _("Lift"), _("Share, cumulative"))
    ]
    rows = [
        [
            str(row["decile"]),
            desk.show.count(row["customers"]),
            *(_number(desk, row[name], 2) for name in ("predicted", "actual", "lift")),
            desk.show.value(row["share"], "rate"),
        ]
        for row in checked.deciles.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("By decile"))
