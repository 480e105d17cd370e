"""Predicted value: totals, distribution, by segment, against P(alive), and customer by customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Final, Literal

import polars as pl
import streamlit as st

from dashboard import lifetime_data as asked
from dashboard.charts.bars import bars
from dashboard.charts.layout import Chart
from dashboard.charts.lifetime import Points, quadrants
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.lifetime_data import ALIVE, COHORT, NAMES, TOP, Horizon
from dashboard.parts import filter_bar, markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from metrics.lifetime.outlook import Outlook
from metrics.selection import SEGMENT as SEGMENTS

GROUP: Final = "lifetime.group"
BY: Final = "lifetime.by"
CLASS: Final = "lifetime.class"
SEGMENT: Final = "lifetime.segment"
SECTION: Final = "lifetime.section"
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


def render(desk: Desk, scope: Scope, found: Outlook, horizon: Horizon) -> None:
    """The figures, the distribution beside the quadrants, and the table by segment."""
    rows = asked.values(desk, scope, horizon)
    _figures(desk, scope, rows, horizon)
    left, right = st.columns(2)
    with left:
        chart_card(*_distribution(desk, found, rows, horizon), chosen=_open_class)
    with right:
        drawn = asked.sampled(rows.filter(pl.col("net_amount") > 0))
        chart_card(*_quadrants(desk, found, rows, drawn), chosen=partial(_open_customer, drawn))
    _segments(desk, scope, horizon)


def _range(desk: Desk, lower: float | None, upper: float | None, unit: str = "money") -> str:
    if lower is None or upper is None:
        return _("no interval: the spread of spend has no end")
    show = desk.show
    low, high = (
        show.money(bound) if unit == "money" else show.count(round(bound)) for bound in (lower, upper)
    )
    return _("{low} to {high}").format(low=low, high=high)


def _figures(desk: Desk, scope: Scope, rows: pl.DataFrame, horizon: Horizon) -> None:
    show, total = desk.show, asked.totals(desk, scope, horizon).row(0, named=True)
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
                _("not discounted; 95 %: {range}").format(
                    range=_range(desk, total["value_lower"], total["value_upper"])
                ),
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


def basis(desk: Desk, found: Outlook, horizon: Horizon) -> str:
    """What a value is made of, over which time, in which money."""
    kind = _("margin") if found.margin is not None else _("revenue")
    words = _("{kind} in {n} months, {currency}")
    return words.format(kind=kind, n=horizon.months, currency=desk.show.currency)


def _definition(found: Outlook, horizon: Horizon) -> dict[str, str]:
    margin = _("not known; values are revenue") if found.margin is None else f"{found.margin:.1%}"
    return {
        _("Predicted value"): _(
            "Expected orders by {model} times expected spend by Gamma-Gamma times margin, discounted by month"
        ).format(model=NAMES[found.best]),
        _("Margin on revenue"): margin,
        _("Discount rate"): _("{rate} a year, from the {which} of each month").format(
            rate=f"{horizon.discount:.1%}", which=_("end") if horizon.convention == "end" else _("beginning")
        ),
    }


def _distribution(
    desk: Desk, found: Outlook, rows: pl.DataFrame, horizon: Horizon
) -> tuple[Card, Chart | None, str]:
    """How many customers are worth how much."""
    show, known = desk.show, rows["value"].drop_nulls()
    edges = asked.value_edges(known)
    names, counts = class_names(desk, edges), asked.class_counts(known, edges)
    total, top = float(known.sum()), float(known.head(max(1, len(known) // 5)).sum())
    best = top / total if total > 0 else 0.0
    card = Card(
        key="lifetime-distribution",
        title=_("The best fifth of customers hold {share} of predicted value").format(
            share=show.percent(best)
        ),
        note=_("customers by predicted {what} \N{MIDDLE DOT} n = {n}").format(
            what=basis(desk, found, horizon), n=with_unit(len(known), "customers", show)
        ),
        definition=_definition(found, horizon),
        columns=[Column(_("Predicted value")), Column(_("Customers"), "number")],
        rows=lambda: [[name, show.count(count)] for name, count in zip(names, counts, strict=True)],
        frame=lambda: pl.DataFrame({"predicted_value": names, "customers": counts}),
    )
    if len(names) < 2:
        return card, None, _("There is no spend to predict from: values need repeat buyers with revenue.")
    alt = _("Customers by predicted value, from {first} to {last}").format(first=names[0], last=names[-1])
    return card, bars(names, counts, show.count, alt), ""


def class_names(desk: Desk, edges: Sequence[float]) -> list[str]:
    """Names of the classes that these edges cut, from below the first to beyond the last."""
    if not len(edges):
        return []
    ticks = [desk.show.axis(edge, "money") for edge in edges]
    inner = [f"{low} \N{EN DASH} {high}" for low, high in pairwise(ticks)]
    return [_("under {value}").format(value=ticks[0]), *inner, _("{value} and more").format(value=ticks[-1])]


def _open_class(_trace: int, at: int) -> None:
    """A click on a bar lists the customers of its class."""
    st.session_state[SECTION] = "customers"
    st.session_state[CLASS] = at
    st.session_state[SEGMENT] = None


def _open_customer(drawn: pl.DataFrame, trace: int, at: int) -> None:
    """A click on a point lists its customer, in the group where he stands."""
    group = list(GROUPS)[trace]
    st.session_state[SECTION] = "customers"
    st.session_state[GROUP] = group
    st.session_state[CLASS] = st.session_state[SEGMENT] = None
    st.session_state[f"{list_key(group)}.search"] = drawn.filter(pl.col("group") == group)["customer_id"][at]


def _open_segment(value: str) -> None:
    """A click on a row lists the customers of its segment; what they are split by stays chosen."""
    st.session_state[SECTION] = "customers"
    st.session_state[BY] = st.session_state[BY]
    st.session_state[SEGMENT] = value
    st.session_state[GROUP] = st.session_state[CLASS] = None


def list_key(group: str | None) -> str:
    """The key of the list of a group's customers."""
    return f"lifetime.list-{group}"


def _quadrants(
    desk: Desk, found: Outlook, rows: pl.DataFrame, drawn: pl.DataFrame
) -> tuple[Card, Chart | None, str]:
    """Revenue so far against the chance that the customer is still there."""
    show = desk.show
    counts = {group: int((rows["group"] == group).sum()) for group in GROUPS}
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


def _segments(desk: Desk, scope: Scope, horizon: Horizon) -> None:
    """Totals by an attribute or by the year of the first order, with intervals."""
    markup.section(_("By segment"), _("Predicted totals with 95 % intervals; means allow comparison"))
    by = choose_split(desk)
    table = asked.totals(desk, scope, horizon, by)
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
    opening_table(heads, rows, _("By segment"), key=f"lifetime.segments.{by}", opens=_open_segment)
    markup.note(
        _(
            "Totals are not discounted, the values of single customers are. Choose a segment to see its "
            "customers."
        )
    )


def choose_split(desk: Desk, label: Literal["visible", "collapsed"] = "visible") -> str:
    """What customers are split by: an attribute, or COHORT."""
    names = [*filter_bar.MAIN, *(name for name in desk.attributes if name not in filter_bar.MAIN)]
    segments = [SEGMENTS] if desk.segments.book.rules else []
    by = st.selectbox(
        _("Split by"),
        [*(name for name in names if name in desk.attributes), COHORT, *segments],
        format_func=lambda name: _("Year of first order") if name == COHORT else filter_bar.heading(name),
        key=BY,
        bind="query-params",
        width=240,
        label_visibility=label,
    )
    return str(by)


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
