"""Customers by predicted value: the four groups, the most valuable, those who rise and those who fall."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import lifetime_data as asked
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.lifetime_data import SINCE, Horizon
from dashboard.parts import choice, filter_bar, markup
from dashboard.parts.customer_list import cell
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from dashboard.views.lifetime_predictions import (
    CLASS,
    GROUP,
    GROUPS,
    MEANINGS,
    SEGMENT,
    basis,
    choose_split,
    class_names,
    list_key,
)
from metrics.definitions import Unit
from metrics.lifetime.outlook import Outlook

ORDER: Final = "lifetime.order"
ORDERS: Final[Mapping[str, str]] = {
    "value": later("Most valuable"),
    "rising": later("Rising"),
    "falling": later("Falling"),
}
UNITS: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("p_alive", "p_alive_before", "p_alive_later", "p_order"), "rate"),
    **dict.fromkeys(("value", "residual_value", "value_before", "change", "expected_spend"), "money"),
    "expected_orders": "score",
}
HIDDEN: Final = ("expected_spend", "first_order_on")


def render(desk: Desk, scope: Scope, found: Outlook, horizon: Horizon) -> None:
    """What customers have brought so far, then the list in the chosen order."""
    rows = asked.values(desk, scope, horizon)
    _so_far(desk, rows)
    order = st.segmented_control(
        _("Order"),
        list(ORDERS),
        default="value",
        required=True,
        format_func=lambda name: _(ORDERS[name]),
        key=ORDER,
        bind="query-params",
        label_visibility="collapsed",
    )
    if order in ("rising", "falling"):
        _moving(desk, scope, horizon, falling=order == "falling")
    else:
        _valuable(desk, found, horizon, rows)


def _so_far(desk: Desk, rows: pl.DataFrame) -> None:
    """Revenue, margin and contribution of the customers until now."""
    show = desk.show
    sums = rows.select(pl.col("net_amount", "margin", "contribution").sum()).row(0, named=True)
    lacking = [reason for reason in asked.lacking_costs(desk) if reason.code != "no_cost"]
    known = rows["contribution"].null_count() < len(rows)
    less = _("margin less contacts and acquisition") if known else _("not known")
    figure_row(
        [
            Stated(_("Revenue so far"), show.money(sums["net_amount"]), _("after returns")),
            Stated(
                _("Margin so far"),
                show.money(sums["margin"]) if known else MISSING,
                _("revenue less cost of goods"),
            ),
            Stated(_("Contribution so far"), show.money(sums["contribution"]) if known else MISSING, less),
        ],
        "lifetime-so-far",
    )
    for reason in lacking:
        markup.note(sentence(reason.text))


def _valuable(desk: Desk, found: Outlook, horizon: Horizon, rows: pl.DataFrame) -> None:
    edges = asked.value_edges(rows["value"].drop_nulls())
    rows = _of_segment(desk, rows)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        group = st.segmented_control(
            _("Group"),
            list(GROUPS),
            format_func=lambda name: _(GROUPS[name]),
            key=GROUP,
            bind="query-params",
            label_visibility="collapsed",
        )
        names = class_names(desk, edges)
        if (st.session_state.get(CLASS) or 0) >= len(names):
            st.session_state[CLASS] = None
        at = st.selectbox(
            _("Predicted value"),
            range(len(names)),
            index=None,
            placeholder=_("Any predicted value"),
            format_func=lambda k: names[k],
            key=CLASS,
            bind="query-params",
            label_visibility="collapsed",
            width=220,
        )
    words = _(MEANINGS[group]) if group else _("all groups, the most valuable first")
    markup.section(_("Customers by predicted value"), f"{basis(desk, found, horizon)} \N{MIDDLE DOT} {words}")
    shown = rows.filter(pl.col("group") == group) if group else rows
    if at is not None:
        shown = asked.in_class(shown, edges, at)
    shown = shown.drop(HIDDEN)
    _listed(
        desk,
        shown,
        list_key(group),
        "lifetime-value",
        intervals=partial(asked.intervals, desk, found, horizon),
    )
    markup.note(
        _(
            "Next order by: even odds that the customer, if still there, orders by that day; empty when more "
            "likely gone. P(alive) at the end: still there on {day}. The intervals are simulated for the "
            "rows on the page and are undiscounted."
        ).format(day=desk.show.day(horizon.terms(found).ends[-1]))
    )


def _of_segment(desk: Desk, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the segment that is chosen here, or by a click on its row of the predictions."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        by = choose_split(desk, label="collapsed")
        known = asked.segments_of(desk, rows, by)
        value = choice.optional(
            _("Segment"),
            known,
            SEGMENT,
            placeholder=_("Any segment"),
            label_visibility="collapsed",
            width=220,
        )
    return rows if value is None else asked.in_segment(desk, rows, by, value)


def _moving(desk: Desk, scope: Scope, horizon: Horizon, *, falling: bool) -> None:
    """Whose predicted value moved, the largest change first."""
    found = asked.changes(desk, scope, horizon)
    rows = found.filter(pl.col("change") < 0).reverse() if falling else found.filter(pl.col("change") > 0)
    title = _("Falling customers") if falling else _("Rising customers")
    markup.section(
        title,
        _("Predicted value against {n} days ago by the same model, of customers known then").format(n=SINCE),
    )
    _listed(desk, rows, f"lifetime.moving-{falling}", "falling-customers" if falling else "rising-customers")


def _listed(
    desk: Desk,
    rows: pl.DataFrame,
    key: str,
    file: str,
    *,
    intervals: Callable[[pl.Series], pl.DataFrame] | None = None,
) -> None:
    """The list; `intervals` gives those of a page's customers, which stand behind value and orders."""
    columns = [_column(name, rows.schema[name]) for name in rows.columns]
    cells = partial(_with_intervals, desk, intervals) if intervals else partial(_cells, desk)
    listing(
        rows,
        columns,
        cells,
        desk.show,
        key=key,
        file=file,
        label=_("Customers by predicted value"),
        placeholder=_("Search by id, name or attribute"),
        counted=lambda n: ngettext("{n} customer", "{n} customers", n).format(n=desk.show.decimal(n, 0)),
    )


def _column(name: str, dtype: pl.DataType) -> Column:
    ours = {
        "customer_id": _("Customer"),
        "p_alive": _("P(alive)"),
        "p_alive_before": _("P(alive) before"),
        "p_alive_later": _("P(alive) at the end"),
        "p_order": _("Will order"),
        "value": _("Predicted value"),
        "value_before": _("Value before"),
        "change": _("Change"),
        "residual_value": _("Without end"),
        "next_order_on": _("Next order by"),
        "last_order_on": _("Last order"),
        "net_amount": _("Revenue so far"),
        "margin": _("Margin so far"),
        "contribution": _("Contribution so far"),
    }
    kind = "customer" if name == "customer_id" else "number" if dtype.is_numeric() else ""
    return Column(ours.get(name, filter_bar.heading(name)), kind)


def _cells(desk: Desk, page: pl.DataFrame) -> list[list[str]]:
    return [[_text(desk, name, value) for name, value in row.items()] for row in page.iter_rows(named=True)]


def _with_intervals(
    desk: Desk, intervals: Callable[[pl.Series], pl.DataFrame], page: pl.DataFrame
) -> list[list[str]]:
    """The cells of a page, each value and number of orders with its interval in brackets."""
    show, bounds = desk.show, intervals(page["customer_id"])
    orders, value = (page.columns.index(name) for name in ("expected_orders", "value"))
    between = _("{figure} ({low} to {high})")
    texts = _cells(desk, page)
    for cells, row in zip(texts, bounds.iter_rows(named=True), strict=True):
        low, high = (show.decimal(row[f"orders_{end}"], 0) for end in ("lower", "upper"))
        cells[orders] = between.format(figure=cells[orders], low=low, high=high)
        if row["value_lower"] is not None:
            low, high = (show.money(row[f"value_{end}"]) for end in ("lower", "upper"))
            cells[value] = between.format(figure=cells[value], low=low, high=high)
    return texts


def _text(desk: Desk, name: str, value: object) -> str:
    if name == "group" and isinstance(value, str):
        return _(GROUPS[value])
    if name == "change" and isinstance(value, float):
        return desk.show.change(value, "money")
    if isinstance(value, float) and UNITS.get(name) == "rate":
        return desk.show.percent(value)
    return cell(desk, UNITS.get(name), value)
