"""Predicted value: totals, distribution, by segment, against P(alive), and customer by customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import lifetime_data as asked
from dashboard.charts.bars import bars
from dashboard.charts.layout import Chart
from dashboard.charts.lifetime import Points, quadrants
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.lifetime_data import ALIVE, COHORT, NAMES, TOP, Outlook
from dashboard.parts import filter_bar, markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext

GROUP: Final = "lifetime.group"
BY: Final = "lifetime.by"
GROUPS: Final[Mapping[str, str]] = {
    "keep": later("Keep"),
    "win_back": later("Win back"),
    "develop": later("Develop"),
    "let_go": later("Let go"),
}
MEANINGS: Final[Mapping[str, str]] = {
    "keep": later("among the best fifth by revenue so far, and more likely there than gone"),
    "win_back": later("among the best fifth by revenue so far, but more likely gone than there"),
    "develop": later("more likely there than gone, little revenue so far"),
    "let_go": later("more likely gone than there, little revenue so far"),
}
STEPS: Final = (1, 2, 5)


def render(desk: Desk, scope: Scope, found: Outlook, months: int) -> None:
    """The figures, the distribution beside the quadrants, and the table by segment."""
    rows = asked.values(desk, scope, months)
    _figures(desk, scope, rows, months)
    left, right = st.columns(2)
    with left:
        chart_card(*_distribution(desk, found, rows, months))
    with right:
        chart_card(*_quadrants(desk, found, rows))
    _segments(desk, scope, months)


def _range(desk: Desk, lower: float | None, upper: float | None, unit: str = "money") -> str:
    if lower is None or upper is None:
        return _("no interval: the spread of spend has no end")
    show = desk.show
    low, high = (
        show.money(bound) if unit == "money" else show.count(round(bound)) for bound in (lower, upper)
    )
    return _("{low} to {high}").format(low=low, high=high)


def _figures(desk: Desk, scope: Scope, rows: pl.DataFrame, months: int) -> None:
    show, total = desk.show, asked.totals(desk, scope, months).row(0, named=True)
    alive = float(rows["p_alive"].sum())
    mean, median = rows.select(mean=pl.col("value").mean(), median=pl.col("value").median()).row(0)
    n, value = total["customers"], total["expected_value"]
    figure_row(
        [
            Stated(
                _("Customers modelled"),
                show.count(n),
                _("everyone with an order until {day}").format(day=show.day(desk.as_of)),
            ),
            Stated(
                _("Predicted value"),
                show.value(value, "money"),
                _("95 %: {range}").format(range=_range(desk, total["value_lower"], total["value_upper"])),
            ),
            Stated(
                _("Per customer"),
                show.value(mean, "money"),
                _("mean, discounted; median {value}").format(value=show.value(median, "money")),
            ),
            Stated(
                _("Expected orders"),
                show.count(round(total["expected_orders"])),
                _("95 %: {range}").format(
                    range=_range(desk, total["orders_lower"], total["orders_upper"], "count")
                ),
            ),
            Stated(
                _("Still active"),
                show.count(round(alive)),
                _("sum of P(alive), {share} of customers").format(share=show.percent(alive / n)),
            ),
        ],
        "lifetime",
    )


def _basis(desk: Desk, found: Outlook, months: int) -> str:
    kind = _("margin") if found.margin is not None else _("revenue")
    return _("{kind} in {n} months, {currency}").format(kind=kind, n=months, currency=desk.show.currency)


def _definition(found: Outlook) -> dict[str, str]:
    margin = _("not known; values are revenue") if found.margin is None else f"{found.margin:.1%}"
    return {
        _("Predicted value"): _(
            "Expected orders by {model} times expected spend by Gamma-Gamma times margin, discounted by month"
        ).format(model=NAMES[found.best]),
        _("Margin on revenue"): margin,
        _("Discount rate"): f"{asked.DISCOUNT:.0%} {_('a year')}",
    }


def _distribution(
    desk: Desk, found: Outlook, rows: pl.DataFrame, months: int
) -> tuple[Card, Chart | None, str]:
    """How many customers are worth how much."""
    show, known = desk.show, rows["value"].drop_nulls()
    names, counts = _classes(desk, known)
    total, top = float(known.sum()), float(known.head(max(1, len(known) // 5)).sum())
    best = top / total if total > 0 else 0.0
    card = Card(
        key="lifetime-distribution",
        title=_("The best fifth of customers hold {share} of predicted value").format(
            share=show.percent(best)
        ),
        note=_("customers by predicted {what} \N{MIDDLE DOT} n = {n}").format(
            what=_basis(desk, found, months), n=show.count(len(known))
        ),
        definition=_definition(found),
        columns=[Column(_("Predicted value")), Column(_("Customers"), "number")],
        rows=lambda: [[name, show.count(count)] for name, count in zip(names, counts, strict=True)],
        frame=lambda: pl.DataFrame({"predicted_value": names, "customers": counts}),
    )
    if len(names) < 2:
        return card, None, _("There is no spend to predict from: values need repeat buyers with revenue.")
    alt = _("Customers by predicted value, from {first} to {last}").format(first=names[0], last=names[-1])
    return card, bars(names, counts, show.count, alt), ""


def _classes(desk: Desk, values: pl.Series) -> tuple[list[str], list[int]]:
    """Round classes of value and their counts; what lies below a hundredth of the top class is one class."""
    if values.is_empty() or values.max() <= 0:  # type: ignore[operator]  # a number
        return [], []
    top = int(np.ceil(np.log10(float(values.quantile(0.999) or 1))))
    edges = [step * 10.0**power for power in range(top - 3, top) for step in STEPS]
    codes = np.searchsorted(edges, values.to_numpy(), side="right")
    counts = np.bincount(codes, minlength=len(edges) + 1)
    ticks = [desk.show.axis(edge, "money") for edge in edges]
    inner = [f"{low} \N{EN DASH} {high}" for low, high in pairwise(ticks)]
    names = [_("under {value}").format(value=ticks[0]), *inner, _("{value} and more").format(value=ticks[-1])]
    return names, counts.tolist()


def _quadrants(desk: Desk, found: Outlook, rows: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    """Revenue so far against the chance that the customer is still there."""
    show = desk.show
    counts = {group: int((rows["group"] == group).sum()) for group in GROUPS}
    drawn = asked.sampled(rows.filter(pl.col("net_amount") > 0))
    card = Card(
        key="lifetime-quadrants",
        title=ngettext(
            "{n} of the best customers is probably gone",
            "{n} of the best customers are probably gone",
            counts["win_back"],
        ).format(n=show.count(counts["win_back"])),
        note=_("revenue so far, log scale, by P(alive) \N{MIDDLE DOT} {drawn} of {n} customers drawn").format(
            drawn=show.count(len(drawn)), n=show.count(len(rows))
        ),
        definition={_(name): _(MEANINGS[group]) for group, name in GROUPS.items()}
        | {
            _("Points"): _("At most 500 customers, at even steps through the ranking by predicted value"),
            _("P(alive)"): _("The chance that a customer will still order, by {model}").format(
                model=NAMES[found.best]
            ),
        },
        columns=[Column(_("Group")), Column(_("Customers"), "number"), Column(_("Predicted"), "number")],
        rows=lambda: [
            [
                _(name),
                show.count(counts[group]),
                show.value(rows.filter(pl.col("group") == group)["value"].sum(), "money"),
            ]
            for group, name in GROUPS.items()
        ],
        frame=lambda: rows,
    )
    if len(drawn) < 2:
        return card, None, _("No customer has brought revenue so far.")
    names = {group: f"{_(name)} {show.count(counts[group])}" for group, name in GROUPS.items()}
    cut = float(rows["net_amount"].cast(pl.Float64).quantile(1 - TOP, "higher") or 1.0)
    alt = _("Customers by P(alive) and revenue so far: {groups}").format(groups=", ".join(names.values()))
    axis = partial(show.axis, unit="money")
    percent = partial(show.axis, unit="rate")
    return card, quadrants(_points(desk, drawn), names, (ALIVE, max(cut, 0.01)), axis, percent, alt), ""


def _points(desk: Desk, rows: pl.DataFrame) -> Points:
    show = desk.show
    notes = [
        f"{name}: {show.money(amount)}, P(alive) {show.percent(alive, 0)}"
        for name, amount, alive in rows.select("customer_id", "net_amount", "p_alive").iter_rows()
    ]
    amounts = rows["net_amount"].cast(pl.Float64).to_numpy()
    return Points(rows["p_alive"].to_numpy(), amounts, rows["group"].to_list(), notes)


def _segments(desk: Desk, scope: Scope, months: int) -> None:
    """Totals by an attribute or by the year of the first order, with intervals."""
    markup.section(_("By segment"), _("Predicted totals with 95 % intervals; means allow comparison"))
    options = [*filter_bar.MAIN, *(name for name in desk.attributes if name not in filter_bar.MAIN)]
    options = [*(name for name in options if name in desk.attributes), COHORT]
    by = st.selectbox(
        _("Split by"),
        options,
        format_func=lambda name: _("Year of first order") if name == COHORT else filter_bar.heading(name),
        key=BY,
        bind="query-params",
        width=240,
    )
    table = asked.totals(desk, scope, months, by)
    heads = [
        Column(_("Segment")),
        Column(_("Customers"), "number"),
        Column(_("Expected orders"), "number"),
        Column(_("Predicted value"), "number"),
        Column(_("95 % interval")),
        Column(_("Per customer"), "number"),
        Column(_("95 % interval")),
    ]
    rows = [_segment(desk, row, by) for row in table.iter_rows(named=True)]
    markup.show_table(heads, rows, _("By segment"))
    markup.note(
        _(
            "Totals are not discounted, the values of single customers are. The section Customers finds "
            "those of a segment by its name."
        )
    )


def _segment(desk: Desk, row: dict[str, float | None], by: str) -> list[str]:
    n, value = row["customers"] or 1, row["expected_value"]
    lower, upper = row["value_lower"], row["value_upper"]
    low, high = (None if bound is None else bound / n for bound in (lower, upper))
    known = lower is not None and upper is not None
    return [
        str(row[by]),
        desk.show.count(n),
        desk.show.count(round(row["expected_orders"] or 0)),
        desk.show.value(value, "money"),
        _range(desk, lower, upper) if known else MISSING,
        desk.show.value(None if value is None else value / n, "money"),
        _range(desk, low, high) if known else MISSING,
    ]


def customers(desk: Desk, scope: Scope, found: Outlook, months: int) -> None:
    """Every customer with the predictions, the most valuable first; one of the four groups on request."""
    rows = asked.values(desk, scope, months)
    chosen = st.segmented_control(
        _("Group"),
        list(GROUPS),
        format_func=lambda name: _(GROUPS[name]),
        key=GROUP,
        bind="query-params",
        label_visibility="collapsed",
    )
    words = _(MEANINGS[chosen]) if chosen else _("all groups, the most valuable first")
    markup.section(_("Customers by predicted value"), f"{_basis(desk, found, months)} \N{MIDDLE DOT} {words}")
    shown = rows.filter(pl.col("group") == chosen) if chosen else rows
    shown = shown.drop("p_alive_later", "expected_spend", "first_order_on")
    listing(
        shown,
        [_column(name, shown.schema[name]) for name in shown.columns],
        partial(_cells, desk),
        desk.show,
        key=f"lifetime.list-{chosen}",
        file="lifetime-value",
        label=_("Customers by predicted value"),
        placeholder=_("Search by id, name or attribute"),
        counted=lambda n: ngettext("{n} customer", "{n} customers", n).format(n=desk.show.decimal(n, 0)),
    )


def _column(name: str, dtype: pl.DataType) -> Column:
    ours = {
        "customer_id": _("Customer"),
        "p_alive": _("P(alive)"),
        "p_order": _("Will order"),
        "value": _("Predicted value"),
        "residual_value": _("Without end"),
        "next_order_on": _("Next order by"),
        "net_amount": _("Revenue so far"),
    }
    return Column(ours.get(name, filter_bar.heading(name)), "number" if dtype.is_numeric() else "")


def _cells(desk: Desk, page: pl.DataFrame) -> list[list[str]]:
    return [[_text(desk, name, value) for name, value in row.items()] for row in page.iter_rows(named=True)]


def _text(desk: Desk, name: str, value: object) -> str:
    show = desk.show
    match value:
        case None:
            return MISSING
        case float() if name in ("p_alive", "p_order"):
            return show.percent(value)
        case float() if name == "expected_orders":
            return show.decimal(value, 2)
        case float() | Decimal():
            return show.exact_money(value)
        case date():
            return show.day(value)
        case _:
            return _(GROUPS[value]) if name == "group" and isinstance(value, str) else str(value)
