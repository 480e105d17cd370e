"""Programmes for customers: Hughes' table with and without one, and whom to go on mailing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard import equity_data as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.definitions import Unit
from metrics.equity_drivers import Measured
from metrics.equity_statement import Programme, hughes_table, programme_effect
from metrics.migration import mailing
from metrics.reasons import FrameProblem

YEARS: Final = 3
INPUTS: Final[Mapping[str, str]] = {
    "retention": later("Kept for the next year, %"),
    "referral": later("Bring in for the next year, %"),
    "orders": later("Orders a customer"),
    "order_value": later("Revenue an order"),
    "cost_rate": later("Direct cost, % of revenue"),
    "marketing_cost": later("Marketing cost a customer"),
}
SHARES: Final = frozenset({"retention", "referral", "cost_rate"})
ROWS: Final[Mapping[str, tuple[str, Unit]]] = {
    "referred": (later("Referred customers"), "count"),
    "customers": (later("Customers"), "count"),
    "orders": (later("Orders"), "count"),
    "revenue": (later("Revenue"), "money"),
    "variable_cost": (later("Direct cost"), "money"),
    "acquisition_cost": (later("Acquisition cost"), "money"),
    "marketing_cost": (later("Marketing cost"), "money"),
    "profit": (later("Gross profit"), "money"),
    "discount_factor": (later("Discount factor"), "ratio"),
    "npv": (later("Net present value"), "money"),
    "cumulative_npv": (later("Cumulative"), "money"),
    "lifetime_value": (later("Lifetime value"), "money"),
}


def render(desk: Desk, scope: Scope, found: Measured) -> None:
    """The editable table with its result, then the mailing."""
    markup.section(
        _("Lifetime value with and without a programme"),
        _("Hughes' table over three years, opened with the measured drivers; every cell can be changed"),
    )
    _hughes(desk, found)
    _mailing(desk, scope, found.drivers.discount)


def _hughes(desk: Desk, found: Measured) -> None:
    terms = _terms(desk, found)
    left, right = st.columns(2)
    with left:
        before = _edited(desk, _("Without the programme"), "without", _measured(found))
    with right:
        after = _edited(desk, _("With the programme"), "with", _with_programme(found))
    try:
        without, programme = (_programme(terms, each) for each in (before, after))
    except FrameProblem as problem:
        states.empty("edit_note", _("The table is not complete"), sentence(problem.reason.text))
        return
    effect = programme_effect(without, programme)
    _result(desk, effect, terms["customers"])
    left, right = st.columns(2)
    with left:
        _table(desk, _("Without the programme"), hughes_table(without))
    with right:
        _table(desk, _("With the programme"), hughes_table(programme))
    markup.note(
        _(
            "Lifetime value is the cumulative net present value over the customers of year 1; what referred "
            "customers bring counts. Discount factor: (1 + rate times risk factor) to the power of the years "
            "before. The table with the programme is an example, not a forecast: put in what a test with a "
            "control group has shown."
        )
    )


def _terms(desk: Desk, found: Measured) -> dict[str, float]:
    drivers = found.drivers
    with st.grid(4, min_column_width=180, gap="medium"):
        customers = st.number_input(
            _("Customers of year 1"), 1, value=max(int(drivers.acquired), 1), key="equity_hughes.customers"
        )
        cost = st.number_input(
            _("Acquisition cost of each"),
            0.0,
            value=round(drivers.acquisition_cost, 2),
            key="equity_hughes.cost",
        )
        rate = st.number_input(
            _("Discount rate, %"),
            0.0,
            100.0,
            value=round(100 * drivers.discount, 2),
            key="equity_hughes.rate",
        )
        risk = st.number_input(
            _("Risk factor"),
            0.0,
            10.0,
            value=1.0,
            step=0.5,
            key="equity_hughes.risk",
            help=_("How many times the discount rate a risky venture has to earn; Hughes takes 2"),
        )
    return {
        "customers": float(customers),
        "acquisition_cost": float(cost),
        "discount": rate / 100,
        "risk": float(risk),
    }


def _measured(found: Measured) -> dict[str, list[float]]:
    """The inputs as measured, the same in every year."""
    drivers = found.drivers
    values = {
        "retention": 100 * drivers.retention,
        "referral": 0.0,
        "orders": drivers.orders,
        "order_value": drivers.order_value,
        "cost_rate": 100 * (1 - drivers.margin_rate),
        "marketing_cost": drivers.cost_to_serve,
    }
    return {name: [round(value, 2)] * YEARS for name, value in values.items()}


def _with_programme(found: Measured) -> dict[str, list[float]]:
    """An example to begin with: five points more retention, referrals, a discount, and what it costs."""
    rows = _measured(found)
    rows["retention"] = [min(value + 5, 100.0) for value in rows["retention"]]
    rows["referral"] = [2.0] * YEARS
    rows["order_value"] = [round(0.98 * value, 2) for value in rows["order_value"]]
    rows["cost_rate"] = [round(100 - (100 - value) * 0.98, 2) for value in rows["cost_rate"]]
    rows["marketing_cost"] = [value + 2 for value in rows["marketing_cost"]]
    return rows


def _edited(desk: Desk, title: str, key: str, rows: Mapping[str, list[float]]) -> pl.DataFrame:
    """The inputs as a person has them now: a row each, a column a year."""
    names = [_("Year {n}").format(n=year) for year in range(1, YEARS + 1)]
    frame = pl.DataFrame({_("Input"): [_(name) for name in INPUTS.values()]}).with_columns(
        pl.Series(name, [rows[each][at] for each in INPUTS]) for at, name in enumerate(names)
    )
    with st.container(border=True, key=f"card-equity-hughes-{key}", height="stretch"):
        st.html(markup.card_head(title, _("click a cell to change it")))
        edited = st.data_editor(
            frame,
            key=f"equity_hughes.{key}",
            hide_index=True,
            disabled=[_("Input")],
            column_config={
                name: st.column_config.NumberColumn(min_value=0.0, format="%.2f", required=True)
                for name in names
            },
            width="stretch",
        )
    return pl.DataFrame(edited).select(names)


def _programme(terms: Mapping[str, float], rows: pl.DataFrame) -> Programme:
    values = dict(zip(INPUTS, rows.rows(), strict=True))
    if any(value is None for each in values.values() for value in each):
        return Programme(0, 0, (), (), (), ())
    scaled = {
        name: tuple(value / 100 if name in SHARES else value for value in each)
        for name, each in values.items()
    }
    return Programme(
        customers=terms["customers"],
        years=YEARS,
        acquisition_cost=terms["acquisition_cost"],
        discount=terms["discount"],
        risk_factor=terms["risk"],
        retention=scaled["retention"],
        referral=scaled["referral"],
        orders=scaled["orders"],
        order_value=scaled["order_value"],
        cost_rate=scaled["cost_rate"],
        marketing_cost=scaled["marketing_cost"],
    )


def _result(desk: Desk, effect: pl.DataFrame, customers: float) -> None:
    show = desk.show
    figure_row(
        [
            Stated(
                _("Gain by year {n}").format(n=row["year"]),
                show.change(row["total_gain"], "money"),
                _("{gain} a customer: {after} with, {before} without").format(
                    gain=show.change(row["gain"], "money"),
                    after=show.money(row["with_programme"]),
                    before=show.money(row["without"]),
                ),
            )
            for row in effect.iter_rows(named=True)
        ],
        "equity-hughes",
    )


def _table(desk: Desk, title: str, table: pl.DataFrame) -> None:
    heads = [Column(title)] + [
        Column(_("Year {n}").format(n=year), "number") for year in table["year"].to_list()
    ]
    rows = [
        [_(name), *(desk.show.value(_whole(value, unit), unit) for value in table[column])]
        for column, (name, unit) in ROWS.items()
    ]
    markup.show_table(heads, rows[:-1], title, total=rows[-1])


def _whole(value: float, unit: Unit) -> float:
    return float(round(value)) if unit == "count" else value


def _mailing(desk: Desk, scope: Scope, discount: float) -> None:
    """Value by recency, and the recency at which mailing no longer pays."""
    table = asked.recency(desk, scope)
    markup.section(
        _("Whom to go on mailing"),
        _("Customers by how many quarters ago they last ordered: the migration model of Pfeifer & Carraway"),
    )
    if len(table) < 2:
        states.empty(
            "mail", _("Too little history"), _("The model needs orders of six months. Load older ones.")
        )
        return
    whole = asked.year(desk, scope)
    cost = st.number_input(
        _("Cost of mailing one customer for a quarter"),
        0.0,
        value=round(whole.costs.kept / 4, 2) or 1.0,
        step=0.25,
        key="equity_mailing.cost",
        width=320,
        help=_("It opens with what was spent on retention per active customer and quarter"),
    )
    _recencies(desk, table, float(cost), discount)


def _recencies(desk: Desk, table: pl.DataFrame, cost: float, discount: float) -> None:
    try:
        found = mailing(table, cost, discount)
    except FrameProblem as problem:
        states.empty("mail", _("No mailing to judge"), sentence(problem.reason.text))
        return
    show, last = desk.show, len(found.worth)
    words = _("Mail customers until {n} quarters after their last order: later it costs more than it brings.")
    if found.mail_until == last:
        words = _("Mailing pays up to {n} quarters after the last order; later ones were not looked at.")
    markup.notice(words.format(n=found.mail_until))
    heads = [
        Column(_("Quarters since the last order"), "number"),
        Column(_("Customers"), "number"),
        Column(_("Ordered"), "number"),
        Column(_("Rate"), "number"),
        Column(_("Worth from here on"), "number"),
        Column(_("Mail")),
    ]
    rows = [
        [
            str(row["recency"]),
            show.decimal(row["customers"], 0),
            show.decimal(row["ordered"], 0),
            show.percent(row["rate"]),
            show.exact_money(float(worth)),
            _("yes") if row["recency"] <= found.mail_until else _("no"),
        ]
        for row, worth in zip(table.iter_rows(named=True), found.worth, strict=False)
    ]
    markup.show_table(heads, rows, _("Whom to go on mailing"))
    markup.note(
        _(
            "Counted at the beginning of each of the last four quarters of 91 days. One who orders brings "
            "{margin} of margin in the quarter. Worth from here on: without an end, discounted, mailed in "
            "every quarter until {n} quarters of silence."
        ).format(margin=show.exact_money(found.contribution), n=last)
    )
