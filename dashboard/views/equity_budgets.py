"""What a customer may cost: payback by channel, and how much to spend on winning and on keeping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard import equity_data as asked
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import choice, markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views.equity_statement import year_customers
from metrics.budget import Budget, EquityTest, Response
from metrics.equity_drivers import Measured
from metrics.equity_scenarios import break_even_cost
from metrics.equity_years import CHANNEL
from metrics.reasons import FrameProblem, Reason
from metrics.selection import Missing

WON: Final = "equity.won"


def render(desk: Desk, scope: Scope, found: Measured) -> None:
    """Channels first, then the budget."""
    try:
        _channels(desk, scope, asked.Terms.of(found))
    except Missing as missing:
        states.empty("campaign", _("No payback by channel"), sentence(str(missing)))
    _budget(desk, scope, found)


def _channels(desk: Desk, scope: Scope, terms: asked.Terms) -> None:
    """Cost, break-even cost and payback month of the customers that each channel won."""
    table = asked.channels(desk, scope, terms.discount)
    lives = asked.by(desk, scope, CHANNEL, terms)
    won = asked.year(desk, scope, 1).ends_on
    markup.section(
        _("Payback by channel"),
        _("Customers won in the twelve months to {day}, and their margin in the twelve after").format(
            day=desk.show.day(won)
        ),
    )
    heads = [
        Column(_("Channel")),
        Column(_("Won"), "number"),
        Column(_("Acquisition cost"), "number"),
        Column(_("Paid back in"), "number"),
        Column(_("Worth in a year"), "number"),
        Column(_("May cost, over a life"), "number"),
        Column(_("Left over a life"), "number"),
        Column(_("What it says"), "wide"),
    ]
    rows = [
        _channel(desk, row, lives.get(row["channel"], Reason("no_customers", _("no customers"))))
        for row in table.iter_rows(named=True)
    ]
    opening_table(heads, rows, _("Payback by channel"), key="equity.channels", opens=_open)
    markup.note(
        _(
            "Worth in a year: margin of the twelve months after the first order, discounted by month; a "
            "channel that costs more has not paid back. May cost, over a life: the break-even acquisition "
            "cost, margin times (1 + i) / (1 + i - r) with the channel's own margin and retention. Choose a "
            "channel to see the customers that it won."
        )
    )
    _won(desk, scope, table["channel"].to_list())


def _open(value: str) -> None:
    st.session_state[WON] = value


def _won(desk: Desk, scope: Scope, names: list[str]) -> None:
    """The customers that the chosen channel won."""
    name = choice.optional(
        _("Customers won by"),
        names,
        WON,
        placeholder=_("Choose a channel"),
        width=260,
    )
    if name is not None:
        rows = asked.lists(desk, scope, "new", (CHANNEL, name), back=1)
        title = _("Customers won by {channel}").format(channel=name)
        year_customers(desk, rows, f"equity.won-{name}", "customers-won", title)


def _channel(desk: Desk, row: Mapping[str, object], life: Measured | Reason) -> list[str]:
    show, cost = desk.show, float(str(row["acquisition_cost"]))
    most = None if isinstance(life, Reason) else break_even_cost(life.drivers).value
    month = row["payback_month"]
    return [
        str(row["channel"]),
        show.decimal(int(str(row["customers"])), 0),
        show.exact_money(cost),
        MISSING if month is None else _("month {n}").format(n=month),
        show.exact_money(float(str(row["break_even_cost"]))),
        show.value(most, "money"),
        show.value(None if most is None else most - cost, "money"),
        sentence(str(row["reason"])) if row["reason"] else _("Pays back within the year."),
    ]


def _budget(desk: Desk, scope: Scope, found: Measured) -> None:
    """Blattberg and Deighton's test: spending on winning and keeping, today and at the optimum."""
    markup.section(
        _("How much to spend on winning and on keeping"),
        _("The customer equity test of Blattberg & Deighton (1996), through what was spent in the year"),
    )
    with st.container(border=True, key="card-equity-budget"):
        prospects, most_won, most_kept = _assumptions(desk, found)
        try:
            test, now = _test(asked.year(desk, scope).costs.kept, found, prospects, most_won, most_kept)
        except FrameProblem as problem:
            markup.notice(sentence(problem.reason.text))
            return
        best = test.optimum()
        _verdict(desk, now, best, prospects)
        _compared(desk, test, now, best)


def _assumptions(desk: Desk, found: Measured) -> tuple[float, float, float]:
    """What no source says: how many people were reached, and the most that spending could reach."""
    drivers = found.drivers
    with st.grid(3, min_column_width=220, gap="medium"):
        prospects = st.number_input(
            _("Prospects reached in the year"),
            min_value=int(drivers.acquired) + 1,
            value=int(drivers.acquired * 10) + 10,
            step=1000,
            key="equity_budget.prospects",
            help=_("{n} became customers").format(n=desk.show.count(drivers.acquired)),
        )
        most_won = st.slider(
            _("Could be won at most, per cent"),
            1,
            100,
            30,
            key="equity_budget.won",
            help=_("Of prospects, however much is spent"),
        )
        most_kept = st.slider(
            _("Could be kept at most, per cent"),
            1,
            100,
            min(round(100 * drivers.retention) + 20, 95),
            key="equity_budget.kept",
            help=_("Of customers a year, however much is spent"),
        )
    return float(prospects), most_won / 100, most_kept / 100


def _test(
    kept_spend: float, found: Measured, prospects: float, most_won: float, most_kept: float
) -> tuple[EquityTest, Budget]:
    """The test and today's budget. Raises FrameProblem where the responses cannot be drawn."""
    drivers = found.drivers
    a_prospect = drivers.acquisition_cost * drivers.acquired / prospects
    winning = Response.through(a_prospect, drivers.acquired / prospects, most_won)
    keeping = Response.through(kept_spend, drivers.retention, most_kept)
    margin = replace(drivers, cost_to_serve=drivers.cost_to_serve - kept_spend).margin
    test = EquityTest(margin, drivers.discount, winning, keeping)
    return test, test.at(a_prospect, kept_spend)


def _verdict(desk: Desk, now: Budget, best: Budget, prospects: float) -> None:
    show = desk.show
    figure_row(
        [
            Stated(
                _("Equity today"),
                show.money(now.equity * prospects),
                _("of {n} prospects").format(n=show.count(prospects)),
            ),
            Stated(
                _("At the optimum"),
                show.money(best.equity * prospects),
                _("{change} against today").format(
                    change=show.change((best.equity - now.equity) * prospects, "money")
                ),
            ),
            Stated(
                _("On winning"),
                show.exact_money(best.acquisition_spend),
                _("a prospect; today {value}").format(value=show.exact_money(now.acquisition_spend)),
            ),
            Stated(
                _("On keeping"),
                show.exact_money(best.retention_spend),
                _("a customer and year; today {value}").format(value=show.exact_money(now.retention_spend)),
            ),
        ],
        "equity-budget",
    )


def _compared(desk: Desk, test: EquityTest, now: Budget, best: Budget) -> None:
    show = desk.show
    rows = [
        [
            name,
            show.exact_money(each.acquisition_spend),
            show.percent(each.acquisition_rate),
            show.exact_money(test.acquisition.marginal_cost(each.acquisition_spend)),
            show.exact_money(each.retention_spend),
            show.percent(each.retention_rate),
            show.exact_money(each.customer_value),
        ]
        for name, each in ((_("Today"), now), (_("Optimum"), best))
    ]
    heads = [Column(_("Budget"))] + [
        Column(name, "number")
        for name in (
            _("A prospect"),
            _("Won"),
            _("One more costs"),
            _("A customer"),
            _("Kept"),
            _("Worth of one"),
        )
    ]
    markup.show_table(heads, rows, _("Budget today and at the optimum"))
    markup.note(
        _(
            "Won = ceiling (1 - exp(-k spend)), and kept alike; k follows from today's point. At the optimum "
            "one more customer costs what that customer is worth. One point gives no interval: take the "
            "direction from it, and test the next step."
        )
    )
