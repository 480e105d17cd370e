"""Customer equity: what the customer base is worth, what would change it, and how unevenly it earns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import data, lifetime_data, state
from dashboard.charts.equity import cumulative, tornado
from dashboard.charts.layout import Chart
from dashboard.desk import Desk
from dashboard.lifetime_data import Measured
from dashboard.parts import filter_bar, markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.concentration import gini, lorenz, top_share, whale, whale_curve
from metrics.definitions import Unit
from metrics.equity import Drivers, Equity, customer_equity, what_if
from metrics.equity import tornado as swings
from metrics.reasons import Reason
from metrics.selection import Missing

LEVERS: Final[Mapping[str, tuple[str, Unit]]] = {
    "retention": (later("Retention"), "rate"),
    "margin_rate": (later("Margin"), "rate"),
    "orders": (later("Order frequency"), "score"),
    "order_value": (later("Order value"), "money"),
    "acquisition_cost": (later("Acquisition cost"), "money"),
    "discount": (later("Discount rate"), "rate"),
}
SWING: Final = 0.1
POINTS: Final = 200
_LACKING: Final = {"cost": later("cost of goods (revenue counts as margin)"), "spend": later("money spent")}


def render() -> None:
    """Draw equity, the tornado, the what-if and the concentration for the chosen customers."""
    desk, scope = data.desk(), state.scope()
    who = ", ".join(desk.read.filters(scope)) if scope.attributes else _("all customers")
    caption = _("The year to {day} \N{MIDDLE DOT} {who}").format(day=desk.show.day(desk.as_of), who=who)
    markup.head(_("Customer equity"), caption)
    filter_bar.ignored_note()
    if scope.categories:
        markup.notice(_("The filter on categories does not apply here: equity is that of whole customers."))
    try:
        _equity(desk, lifetime_data.measured(desk, scope))
        _concentration(desk, scope)
    except Missing as missing:
        states.empty("inventory_2", _("Nothing to show here"), sentence(str(missing)))


def _equity(desk: Desk, found: Measured | Reason) -> None:
    if isinstance(found, Reason):
        states.empty("savings", _("Equity cannot be computed yet"), sentence(found.text))
        return
    worth = customer_equity(found.drivers)
    if isinstance(worth, Reason):
        states.empty("savings", _("Equity cannot be computed"), sentence(worth.text))
        return
    if found.lacking:
        names = ", ".join(_(_LACKING[name]) for name in found.lacking)
        markup.notice(_("Not known and left out: {names}.").format(names=names))
    _figures(desk, found, worth)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*_tornado(desk, found.drivers))
    with right:
        _drivers(desk, found)
    _what_if(desk, found, worth)


def _figures(desk: Desk, found: Measured, worth: Equity) -> None:
    show, drivers = desk.show, found.drivers
    rates = np.quantile(found.draws, [0.025, 0.975])
    bounds = [customer_equity(replace(drivers, retention=float(rate))) for rate in rates]
    low, high = (show.money(each.total) if isinstance(each, Equity) else "" for each in bounds)
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


def _tornado(desk: Desk, drivers: Drivers) -> tuple[Card, Chart | None, str]:
    """What ten per cent more and less of each lever does."""
    show = desk.show
    wide, narrow = swings(drivers, SWING, tuple(LEVERS)), swings(drivers, 0.01, tuple(LEVERS))
    if isinstance(wide, Reason) or isinstance(narrow, Reason):
        reason = wide if isinstance(wide, Reason) else narrow
        assert isinstance(reason, Reason)
        return _empty_tornado(), None, sentence(reason.text)
    table = wide.drop("elasticity").join(narrow.select("driver", "elasticity"), on="driver", how="left")
    names = [_(LEVERS[name][0]) for name in table["driver"]]
    card = replace(
        _empty_tornado(),
        title=_strongest(desk, table),
        note=_("change of equity \N{MIDDLE DOT} blue: 10 % more of each driver, amber: 10 % less"),
        rows=lambda: [
            [
                name,
                show.value(row["base"], LEVERS[row["driver"]][1]),
                show.change(row["low"], "money"),
                show.change(row["high"], "money"),
                show.value(row["elasticity"], "score"),
            ]
            for name, row in zip(names, table.iter_rows(named=True), strict=True)
        ],
        frame=lambda: table,
    )
    low, high = (table[name].fill_null(np.nan).to_numpy() for name in ("low", "high"))
    alt = _("Change of customer equity by driver, {first} first").format(first=names[0])
    return card, tornado(names, low, high, partial(_signed, desk), alt), ""


def _strongest(desk: Desk, table: pl.DataFrame) -> str:
    """The finding: the driver of the largest elasticity, or those that share it."""
    known = table.drop_nulls("elasticity").with_columns(size=pl.col("elasticity").abs())
    if known.is_empty():
        return _("What moves equity")
    tied = known.filter(pl.col("size") >= pl.col("size").max() - 1e-6)
    names = [_(LEVERS[name][0]) for name in tied["driver"]]
    change = desk.show.relative(tied["elasticity"][0] / 100)
    if len(names) == 1:
        return _("{lever} moves equity most: {change} for 1 % more").format(lever=names[0], change=change)
    listed = ", ".join([names[0], *(name.lower() for name in names[1:])])
    return _("{levers} move equity most: {change} for 1 % more").format(levers=listed, change=change)


def _signed(desk: Desk, value: float) -> str:
    return f"{'+' if value > 0 else ''}{desk.show.axis(round(value, -2) or 0.0, 'money')}"


def _empty_tornado() -> Card:
    return Card(
        key="equity-tornado",
        title=_("What moves equity"),
        note="",
        definition={
            _("Change"): _("Equity with one driver changed by 10 % of itself, all others as they are"),
            _("Elasticity"): _("Per cent of equity for one per cent of the driver, at today's values"),
        },
        columns=[
            Column(_("Driver")),
            Column(_("Today"), "number"),
            Column(_("10 % less"), "number"),
            Column(_("10 % more"), "number"),
            Column(_("Elasticity"), "number"),
        ],
        rows=list,
        frame=pl.DataFrame,
    )


def _drivers(desk: Desk, found: Measured) -> None:
    """The measured drivers, with how each was measured."""
    show, drivers = desk.show, found.drivers
    heads = [Column(_("Driver")), Column(_("A year"), "number"), Column(_("Measured as"))]
    ways = {
        "retention": _("ordered in both years"),
        "margin_rate": _("margin over net revenue"),
        "orders": _("per customer who ordered"),
        "order_value": _("net revenue per order"),
        "acquisition_cost": _("spend per new customer, all"),
        "discount": _("assumed"),
    }
    rows = [
        [_(name), show.value(getattr(drivers, lever), unit), ways[lever]]
        for lever, (name, unit) in LEVERS.items()
    ]
    rows.append([_("Cost to serve"), show.money(drivers.cost_to_serve), _("service and retention spend")])
    with st.container(border=True, key="card-equity-drivers", height="stretch"):
        st.html(markup.card_head(_("Measured drivers"), _("all rates are yearly")))
        markup.show_table(heads, rows, _("Measured drivers"))
        markup.note(
            _(
                "Equity is customers times margin times r / (1 + i - r), and new customers' margin times "
                "(1 + i) / (1 + i - r) less their cost."
            )
        )


def _what_if(desk: Desk, found: Measured, worth: Equity) -> None:
    markup.section(
        _("What if"), _("Move a driver; the interval comes from what yearly retention may really be")
    )
    with st.container(border=True, key="card-equity-what-if"):
        scenario = _scenario(desk, found.drivers)
        change = what_if(found.drivers, scenario, found.draws)
        if change.value is None:
            markup.notice(sentence(str(change.reason)))
            return
        after = worth.total + change.value
        share = change.value / worth.total if worth.total > 0 else None
        between = (
            _("95 %: {low} to {high}").format(
                low=desk.show.change(change.lower, "money"), high=desk.show.change(change.upper, "money")
            )
            if change.lower is not None and scenario
            else _("nothing moved yet")
        )
        figure_row(
            [
                Stated(_("Change of equity"), desk.show.change(change.value, "money"), between),
                Stated(
                    _("Equity then"),
                    desk.show.money(after),
                    _("{share} against today").format(share=desk.show.relative(share)),
                ),
            ],
            "equity-what-if",
        )


def _scenario(desk: Desk, drivers: Drivers) -> dict[str, float]:
    """The drivers that the sliders moved, with their new values."""
    values = {}
    with st.grid(3, min_column_width=220, gap="medium"):
        for lever, (name, unit) in LEVERS.items():
            now = float(getattr(drivers, lever))
            in_points = unit == "rate"
            step = st.slider(
                _("{driver}, {unit}").format(driver=_(name), unit=_("points") if in_points else "%"),
                -20 if in_points else -50,
                20 if in_points else 50,
                0,
                key=f"equity.{lever}",
                bind="query-params",
                help=_("Today {value}").format(value=desk.show.value(now, unit)),
            )
            if step:
                values[lever] = _moved(lever, now, step, in_points=in_points)
    return values


def _moved(lever: str, now: float, step: int, *, in_points: bool) -> float:
    if not in_points:
        return now * (1 + step / 100)
    return min(max(now + step / 100, 0.0), 0.99 if lever == "retention" else 1.0)


def _concentration(desk: Desk, scope: Scope) -> None:
    rows = lifetime_data.year_by_customer(desk, scope)
    markup.section(_("Concentration"), _("How unevenly the year's customers bring revenue and profit"))
    left, right = st.columns(2)
    with left:
        chart_card(*_lorenz(desk, rows))
    with right:
        chart_card(*_whale(desk, rows))


def _thinned(frame: pl.DataFrame) -> pl.DataFrame:
    """At most POINTS rows at even steps, the first and the last among them."""
    if len(frame) <= POINTS:
        return frame
    return frame[np.linspace(0, len(frame) - 1, POINTS).round().astype(np.int64)]


def _lorenz(desk: Desk, rows: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    """Cumulative revenue from the smallest customer to the largest."""
    show, revenue = desk.show, rows["net_amount"]
    top, spread = top_share(revenue), gini(revenue)
    title = _("Revenue by customer")
    if top.share is not None:
        title = _("The best {n} of {of} customers bring {share} of revenue").format(
            n=show.count(top.customers), of=show.count(top.of_customers), share=show.percent(top.share)
        )
    curve = _thinned(lorenz(revenue))
    card = Card(
        key="equity-lorenz",
        title=title,
        note=_("Lorenz curve of net revenue, smallest customers first \N{MIDDLE DOT} {spread}").format(
            spread=_("Gini {gini}").format(gini=show.value(spread.value, "score"))
            if spread.value is not None
            else _("no Gini")
        ),
        definition={
            _("Best fifth"): _("A fifth of the customers who ordered in the year, rounded down"),
            _("Gini"): sentence(spread.reason.text)
            if spread.reason
            else _("0 when all bring the same, near 1 when one brings all"),
        },
        columns=[Column(_("Customers"), "number"), Column(_("Revenue"), "number")],
        rows=lambda: [
            [show.percent(a), show.percent(b)] for a, b in _thinned(curve).gather_every(10).iter_rows()
        ],
        frame=lambda: lorenz(revenue),
    )
    if len(curve) < 3:
        return card, None, _("No revenue above zero in the year.")
    x, y = (curve[name].to_numpy() for name in ("customers_share", "value_share"))
    names = (_("Revenue"), _("Even"))
    percent = partial(show.percent, digits=0)
    return card, cumulative(x, y, names, x, percent, title, at=0.75), ""


def _whale(desk: Desk, rows: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    """Cumulative profit from the most profitable customer to the least."""
    show, profit = desk.show, rows["profit"]
    found = whale(profit)
    title = _("Profit by customer")
    if found.peak_share is not None:
        title = _("{n} loss-making customers take back {loss} of {peak} profit").format(
            n=show.count(found.loss_customers),
            loss=show.money(-float(found.loss)),
            peak=show.money(found.peak),
        )
    curve = _thinned(whale_curve(profit))
    card = Card(
        key="equity-whale",
        title=title,
        note=_("whale curve, most profitable customers first \N{MIDDLE DOT} n = {n}").format(
            n=show.count(found.customers)
        ),
        definition={_("Profit"): _("Margin after returns, less what the customer's contacts cost")},
        columns=[
            Column(_("Customers"), "number"),
            Column(_("Profit, cumulative"), "number"),
            Column(_("Share"), "number"),
        ],
        rows=lambda: [
            [show.count(customers), show.money(amount), show.value(share, "rate")]
            for customers, amount, share in curve.gather_every(10)
            .select("customers", "amount", "share")
            .iter_rows()
        ],
        frame=lambda: whale_curve(profit),
    )
    if found.peak_share is None or len(curve) < 3:
        why = sentence(found.reason.text) if found.reason else _("Too few customers.")
        return card, None, why
    x, y = (np.append(0.0, curve[name].to_numpy()) for name in ("customers_share", "share"))
    names = (_("Profit"), _("Total"))
    percent = partial(show.percent, digits=0)
    return card, cumulative(x, y, names, np.ones(len(x)), percent, title, at=0.2), ""
