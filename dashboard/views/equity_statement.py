"""The Customer Equity Statement: from the worth of last year's customers to that of today's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import equity_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.waterfall import Step, waterfall
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.equity import Equity, customer_equity
from metrics.equity_drivers import Measured, YearStatement
from metrics.reasons import Reason

LINE: Final = "equity.line"
NAMES: Final[Mapping[str, str]] = {
    "opening": later("Opening equity"),
    "change_of_existing": later("Change of existing"),
    "lost": later("Lost customers"),
    "new": later("New customers"),
    "before_marketing": later("Before marketing"),
    "acquisition_cost": later("Acquisition cost"),
    "retention_cost": later("Retention cost"),
    "closing": later("Closing equity"),
}
LISTS: Final[Mapping[str, str]] = {
    "lost": later("Lost: ordered in the year before, not in this one"),
    "new": later("New: first order in the year"),
    "returned": later("Came back: ordered earlier, not in the year before"),
    "opening": later("Opening: ordered in the year before"),
    "closing": later("Closing: ordered in the year"),
}


def render(desk: Desk, scope: Scope, found: Measured) -> None:
    """The figures, the statement as bridge and as table, and the customers behind its lines."""
    worth = customer_equity(found.drivers)
    if isinstance(worth, Reason):
        states.empty("savings", _("Equity cannot be computed"), sentence(worth.text))
        return
    _figures(desk, found, worth)
    year = asked.statement(desk, scope, asked.Terms.of(found))
    if isinstance(year, Reason):
        states.empty("receipt_long", _("There is no statement yet"), sentence(year.text))
        return
    _notices(year)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*_bridge(desk, scope, year), chosen=_choose)
    with right:
        _table(desk, year)
    _customers(desk, scope, year)


def _figures(desk: Desk, found: Measured, worth: Equity) -> None:
    show, drivers = desk.show, found.drivers
    rates = np.quantile(found.draws, [0.025, 0.975])
    bounds = [customer_equity(replace(drivers, retention=float(rate))) for rate in rates]
    low, high = (show.money(each.total) if isinstance(each, Equity) else MISSING for each in bounds)
    figure_row(
        [
            Stated(
                _("Customer equity"),
                show.money(worth.total),
                _("95 %: {low} to {high}, from retention alone").format(low=low, high=high),
            ),
            Stated(
                _("Existing customers"),
                show.money(worth.existing),
                _("{n} who ordered in the year").format(n=show.count(drivers.customers)),
            ),
            Stated(
                _("New customers"),
                show.money(worth.new),
                _("one more year of {n}, less their cost").format(n=show.count(drivers.acquired)),
            ),
            Stated(
                _("Yearly retention"),
                show.percent(drivers.retention),
                _("{kept} of {of} ordered again").format(
                    kept=show.count(found.kept), of=show.count(found.of)
                ),
            ),
        ],
        "equity",
    )


def _choose(_trace: int, step: int) -> None:
    """A click on a bar lists the customers of that line, where it has some."""
    line = list(NAMES)[step]
    if line in LISTS:
        st.session_state[LINE] = line


def _notices(year: YearStatement) -> None:
    if year.statement.reason:
        markup.notice(sentence(year.statement.reason.text))
    if year.opening_assumed:
        markup.notice(
            _(
                "Retention up to the opening is not known: it needs three full years of orders. The opening "
                "takes today's retention, so the change of existing customers shows their margin alone."
            )
        )


def _bridge(desk: Desk, scope: Scope, year: YearStatement) -> tuple[Card, Chart | None, str]:
    lines, show = year.statement.lines(), desk.show
    opening, closing = year.statement.opening, year.statement.result
    share = float((closing - opening) / opening) if opening > 0 else None
    title = _("Equity of existing customers after marketing: {closing}").format(closing=show.money(closing))
    if share is not None:
        title = _("{closing} after marketing, {share} against a year ago").format(
            closing=show.money(closing), share=show.relative(share)
        )
    card = Card(
        key="equity-statement",
        title=title,
        note=_("equity of existing customers in {currency}, year to {day}").format(
            currency=desk.show.currency, day=show.day(asked.ends_on(desk, scope))
        ),
        definition=_definition(desk, year),
        columns=[Column(_("Line")), Column(_("Amount"), "number")],
        rows=lambda: [
            [_(NAMES[line]), show.exact_money(amount)] for line, amount, _total in lines.iter_rows()
        ],
        frame=lambda: lines,
    )
    steps = [Step(_(NAMES[line]), float(amount), total) for line, amount, total in lines.iter_rows()]
    money, change = show.money, partial(show.change, unit="money")
    alt = _("From {opening} by change, loss, gain and cost to {closing}").format(
        opening=show.money(opening), closing=show.money(closing)
    )
    return card, waterfall(steps, money, change, alt, height=44 * len(steps) + 8, room=0.52), ""


def _definition(desk: Desk, year: YearStatement) -> dict[str, str]:
    each = _("what one existing customer is worth: {now} today, {before} at the opening")
    return {
        _("One customer"): each.format(
            now=desk.show.exact_money(year.value_now), before=desk.show.exact_money(year.value_before)
        ),
        _("Change of existing"): _("The opening's customers at today's value, less the opening"),
        _("Lost"): _("Those of them who did not order in the year, at today's value"),
        _("New"): _("First-time customers and those who came back, at today's value"),
        _("Costs"): _("What was spent in the year on winning the new and on keeping the active ones"),
        _("Source"): "Wiesel, Skiera & Villanueva (2008)",
    }


def _table(desk: Desk, year: YearStatement) -> None:
    show, amounts = desk.show, dict(year.statement.lines().select("line", "amount").iter_rows())
    counts = {
        "opening": year.opening_customers,
        "lost": -year.lost_customers,
        "new": year.new_customers + year.returned_customers,
        "before_marketing": year.closing_customers,
        "closing": year.closing_customers,
    }
    rows = [
        [
            _(NAMES[line]),
            show.decimal(counts[line], 0) if line in counts else "",
            show.money(amount),
        ]
        for line, amount in amounts.items()
    ]
    heads = [Column(_("Line")), Column(_("Customers"), "number"), Column(_("Amount"), "number")]
    with st.container(border=True, key="card-equity-lines", height="stretch"):
        st.html(markup.card_head(_("Customer Equity Statement"), _("each line with its customers")))
        markup.show_table(heads, rows[:-1], _("Customer Equity Statement"), total=rows[-1])
        markup.note(
            _("{new} were new and {back} came back. Opening - lost + new = closing: {check}.").format(
                new=show.count(year.new_customers),
                back=show.count(year.returned_customers),
                check=_("reconciled") if year.statement.reason is None else _("not reconciled"),
            )
        )


def _customers(desk: Desk, scope: Scope, year: YearStatement) -> None:
    """The customers of a line; a click on a bar of the bridge chooses it."""
    markup.section(_("Customers behind the lines"), _("The largest revenue of all time first"))
    chosen = st.selectbox(
        _("Customers"),
        list(LISTS),
        format_func=lambda name: _(LISTS[name]),
        key=LINE,
        bind="query-params",
        width=420,
    )
    line = chosen or "lost"
    year_customers(
        desk, asked.lists(desk, scope, line), f"equity.customers-{line}", f"customers-{line}", _(LISTS[line])
    )


def year_customers(desk: Desk, rows: pl.DataFrame, key: str, file: str, label: str) -> None:
    """Customers with what they brought in a year and ever; `rows` are those of `equity_data.lists`."""
    customer_list(
        desk,
        rows,
        key=key,
        file=file,
        label=label,
        names={
            "orders": _("Orders in the year"),
            "net_amount": _("Revenue in the year"),
            "margin": _("Margin in the year"),
            "net_ever": _("Revenue ever"),
            "orders_ever": _("Orders ever"),
            "last_order_on": _("Last order"),
        },
        units={"orders": "count", "orders_ever": "count"},
    )
