"""How unevenly customers bring revenue and profit: Lorenz curve, Gini, whale curve, who is behind them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import equity_data as asked
from dashboard.charts.equity import cumulative
from dashboard.charts.layout import Chart
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from metrics.concentration import (
    concentration_index,
    customers_for,
    gini,
    lorenz,
    top_share,
    whale,
    whale_curve,
)
from metrics.equity_drivers import Measured
from metrics.reasons import Reason

POINTS: Final = 200
LIST: Final = "equity.best"
LISTS: Final[Mapping[str, str]] = {
    "best": later("Best fifth by revenue"),
    "losses": later("Those who cost more than they brought"),
    "all": later("Everybody who ordered in the year"),
}


def render(desk: Desk, scope: Scope, _found: Measured | Reason) -> None:
    """Both curves side by side, then the customers; this needs no retention."""
    rows = asked.contributions(desk, scope)
    markup.section(_("Concentration"), _("How unevenly the year's customers bring revenue and profit"))
    left, right = st.columns(2)
    with left:
        chart_card(*_lorenz(desk, rows), chosen=partial(_choose, "best"))
    with right:
        chart_card(*_whale(desk, rows), chosen=partial(_choose, "losses"))
    _customers(desk, rows)


def _choose(name: str, _trace: int, _point: int) -> None:
    st.session_state[LIST] = name


def _thinned(frame: pl.DataFrame) -> pl.DataFrame:
    """At most POINTS rows at even steps, the first and the last among them."""
    if len(frame) <= POINTS:
        return frame
    return frame[np.linspace(0, len(frame) - 1, POINTS).round().astype(np.int64)]


def _lorenz(desk: Desk, rows: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    """Cumulative revenue from the smallest customer to the largest."""
    show, revenue = desk.show, rows["net_amount"]
    top = top_share(revenue)
    title = _("Revenue by customer")
    if top.share is not None:
        title = _("The best {n} of {of} customers bring {share} of revenue").format(
            n=show.count(top.customers), of=show.count(top.of_customers), share=show.percent(top.share)
        )
    curve = _thinned(lorenz(revenue))
    card = Card(
        key="equity-lorenz",
        title=title,
        note=_("Lorenz curve of net revenue, smallest customers first{spread}").format(
            spread=_gini(desk, revenue)
        ),
        definition=_spread(desk, revenue),
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


def _gini(desk: Desk, revenue: pl.Series) -> str:
    """Gini of those whose revenue is not negative: with losses it can exceed 1 and means nothing."""
    counted = revenue.filter(revenue >= 0)
    spread, left_out = gini(counted).value, len(revenue) - len(counted)
    if spread is None:
        return ""
    text = " \N{MIDDLE DOT} " + _("Gini {gini}").format(gini=desk.show.value(spread, "score"))
    if not left_out:
        return text
    return text + ngettext(
        " without {n} customer of negative revenue", " without {n} customers of negative revenue", left_out
    ).format(n=desk.show.count(left_out))


def _spread(desk: Desk, revenue: pl.Series) -> dict[str, str]:
    enough, index = customers_for(revenue), concentration_index(revenue.filter(revenue >= 0))
    text = {
        _("Best fifth"): _("A fifth of the customers who ordered in the year, rounded down"),
        _("Gini"): _(
            "0 when all bring the same, near 1 when one brings all; of customers whose revenue after "
            "returns is not negative"
        ),
    }
    if enough.value is not None:
        text[_("80 % of revenue")] = _("comes from {n} customers").format(n=desk.show.count(enough.value))
    if index.value:
        text[_("HHI")] = _("{index}: as uneven as {n} customers of equal size").format(
            index=desk.show.decimal(index.value, 5), n=desk.show.count(round(1 / index.value))
        )
    return text


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
            n=with_unit(found.customers, "customers", show)
        ),
        definition={_("Profit"): _("Margin after returns, less what the customer's contacts cost")},
        columns=[
            Column(_("Customers"), "number"),
            Column(_("Profit so far"), "number"),
            Column(_("Of the total"), "number"),
        ],
        rows=lambda: [
            [show.decimal(rank, 0), show.money(amount), show.value(share, "rate")]
            for rank, amount, share in curve.gather_every(10)
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


def _customers(desk: Desk, rows: pl.DataFrame) -> None:
    """Who stands at either end of the curves."""
    chosen = st.selectbox(
        _("Customers"),
        list(LISTS),
        format_func=lambda name: _(LISTS[name]),
        key=LIST,
        bind="query-params",
        width=360,
    )
    name = chosen or "best"
    match name:
        case "best":
            listed = rows.head(top_share(rows["net_amount"]).customers)
        case "losses":
            listed = rows.filter(pl.col("profit") < 0).sort("profit", "customer")
        case _:
            listed = rows
    customer_list(
        desk,
        with_ids(desk, listed),
        key=f"equity.list-{name}",
        file=f"customers-{name}",
        label=_(LISTS[name]),
        names={
            "orders": _("Orders in the year"),
            "net_amount": _("Revenue in the year"),
            "margin": _("Margin"),
            "profit": _("Profit"),
        },
    )
