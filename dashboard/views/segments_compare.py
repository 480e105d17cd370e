"""Segments side by side: one against another and against the rest, and many against many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import segment_questions as asked
from dashboard.charts.segments import sizes
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import choice, downloads, markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.segment_questions import REST
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.tiles import tone
from dashboard.views.segments_cells import Cell, cell_list, opener
from dashboard.views.segments_list import open_segment
from metrics.selection import Missing

KEY: Final = "segments.compare"
METRIC: Final = "segments.compare.metric"
POINT: Final = "segments.compare.point"
FIRST: Final = (
    *("active_customers", "net_revenue", "average_order_value", "orders_per_customer"),
    *("average_profit_per_order", "average_customer_value", "retention_rate", "repeat_purchase_rate"),
    *("discount_rate", "return_rate", "cross_and_up_sell_share", "complaints_per_1000_orders"),
    *("service_cost_per_active_customer", "satisfaction", "nps"),
)
"""The metrics that are compared unless others are chosen."""

WINDOWS: Final[Mapping[str, str]] = {
    "year": later("Last 365 days"),
    "period": later("Chosen period"),
    "all": later("All of history"),
}
SIGN: Final = "\N{MINUS SIGN}"
MOST_LINES: Final = 5


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    labels = {**desk.segments.book.labels}
    if len(labels) < 1:
        states.empty("compare", _("Nothing to compare"), _("Write a segment first."))
        return
    a, b, which, day, metrics = _choices(desk, scope, labels)
    names = [a, REST, *([b] if b not in (a, REST) else [])]
    rows = asked.figures(desk, scope, names, metrics, which, day)
    _said(desk, a, b, day, labels)
    _table(desk, rows, a, b, metrics, labels)
    if metrics:
        _behind(desk, scope, names, metrics, which, day, labels)
    _matrix(desk, scope, metrics, which, day, labels)
    _over_time(desk, scope, [name for name in (a, b) if name != REST], labels)


def _choices(desk: Desk, scope: Scope, labels: Mapping[str, str]) -> tuple[str, str, str, date, list[str]]:
    """Which segments, which days, who belongs when, which metrics."""
    others = {REST: _("Everybody else"), **labels}
    first, second, third, fourth = st.columns([3, 3, 2.4, 2.6], vertical_alignment="bottom")
    a = first.selectbox(
        _("Segment"), list(labels), format_func=lambda name: labels[name], key=f"{KEY}.a", bind="query-params"
    )
    b = second.selectbox(
        _("Against"), list(others), format_func=lambda name: others[name], key=f"{KEY}.b", bind="query-params"
    )
    which = third.selectbox(
        _("Days"),
        list(WINDOWS),
        format_func=lambda name: _(WINDOWS[name]),
        key=f"{KEY}.days",
        bind="query-params",
    )
    now = fourth.selectbox(
        _("Who belongs"),
        ["then", "now"],
        format_func=lambda when: _("on the as-of day") if when == "now" else _("before the days begin"),
        key=f"{KEY}.belongs",
        bind="query-params",
    )
    known = list(desk.catalog.plans)
    metrics = st.multiselect(
        _("Metrics"),
        known,
        default=[name for name in FIRST if name in known],
        format_func=lambda name: desk.metric(name).label,
        key=f"{KEY}.metrics",
    )
    chosen = str(which or "year")
    day = asked.began(desk, asked.window(desk, scope, chosen)) if now == "then" else desk.as_of
    return str(a), str(b or REST), chosen, day, list(metrics)


def _said(desk: Desk, a: str, b: str, day: date, labels: Mapping[str, str]) -> None:
    """What has to be kept in mind with this comparison."""
    inside = asked.members(desk, [a, REST, *([b] if b not in (a, REST) else [])], day)
    both = int((inside[a] & inside[b]).sum()) if b not in (a, REST) else 0
    if both:
        text = _("{n} customers are in both segments and count in both; differences are smaller for it.")
        markup.notice(text.format(n=desk.show.count(both)))
    if not inside[a].any():
        markup.notice(_("Nobody belongs to {name} on {day}.").format(name=labels[a], day=desk.show.day(day)))
    if day == desk.as_of:
        markup.note(
            _(
                "A segment that is defined by what its customers did lately differs in just that. To see how "
                "its customers went on, take those who belonged before the days begin."
            )
        )


def _table(
    desk: Desk, rows: pl.DataFrame, a: str, b: str, metrics: Sequence[str], labels: Mapping[str, str]
) -> None:
    if not metrics or rows.is_empty():
        states.empty("table", _("No metric is chosen"), _("Choose at least one above."))
        return
    other = _("Everybody else") if b == REST else labels[b]
    markup.section(
        _("{a} against {b}").format(a=labels[a], b=other.lower() if b == REST else other),
        _("with the 95 % interval of the difference, where the figures have one"),
    )
    against = asked.difference(rows, a, b)
    rest = {row["metric"]: row for row in asked.difference(rows, a, REST).iter_rows(named=True)}
    heads = [Column(_("Metric")), Column(labels[a], "number"), Column(other, "number")]
    heads += [Column(_("Difference"), "number"), Column(_("95 % interval"), "number"), Column(_("Verdict"))]
    if b != REST:
        heads.append(Column(_("Everybody else"), "number"))
    heads += [Column("n", "number")]
    body = [
        _line(desk, row, rest[row["metric"]] if b != REST else None) for row in _in_order(against, metrics)
    ]
    with st.container(horizontal=True, horizontal_alignment="right"):
        downloads.buttons("segment-comparison", lambda: against, f"{KEY}.table")
    opening_table(heads, body, _("Comparison of segments"), key=f"{KEY}.rows", opens=opener(METRIC))


def _behind(
    desk: Desk,
    scope: Scope,
    names: Sequence[str],
    metrics: Sequence[str],
    which: str,
    day: date,
    labels: Mapping[str, str],
) -> None:
    """The customers behind a figure of the table: a metric of one of the segments compared."""
    known = {desk.metric(name).label: name for name in metrics}
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        label = choice.optional(
            _("Customers behind"),
            list(known),
            METRIC,
            placeholder=_("Click a metric above, or choose it here"),
        )
    if label is None:
        return
    others = {REST: _("Everybody else"), **labels}
    chosen = right.segmented_control(
        _("of"), names, default=names[0], required=True, format_func=lambda of: others[of], key=f"{KEY}.of"
    )
    of = chosen if chosen in names else names[0]
    try:
        rows = asked.behind(desk, scope, names, of, known[label], which, day)
    except Missing as missing:
        markup.note(sentence(str(missing)))
        return
    customer_list(
        desk,
        rows,
        key=f"{KEY}.behind.{known[label]}.{of}",
        file=f"customers-{known[label]}",
        label=_("Customers behind {metric}").format(metric=label),
        names={"reason": _("Why"), "value": label},
    )


def _in_order(rows: pl.DataFrame, metrics: Sequence[str]) -> list[dict[str, object]]:
    found = {str(row["metric"]): row for row in rows.iter_rows(named=True)}
    return [found[name] for name in metrics if name in found]


def _line(desk: Desk, row: Mapping[str, object], rest: Mapping[str, object] | None) -> list[str]:
    metric, show = desk.metric(str(row["metric"])), desk.show
    unit = metric.unit
    a, b, difference, lower, upper = (_number(row[key]) for key in ("a", "b", "difference", "lower", "upper"))
    bounds, verdict = MISSING, ""
    if difference is not None and lower is not None and upper is not None:
        bounds = f"{show.change(lower, unit)} {_('to')} {show.change(upper, unit)}"
        verdict = _("no clear difference")
        if lower > 0 or upper < 0:
            verdict = _verdict(tone(metric.direction, difference))
    elif difference is not None:
        verdict = _("full count")
    cells = [
        metric.label,
        show.value(a, unit),
        show.value(b, unit),
        show.change(difference, unit),
        bounds,
        verdict,
    ]
    if rest is not None:
        cells.append(show.value(_number(rest["b"]), unit))
    counts = " / ".join(desk.show.count(n) for key in ("n_a", "n_b") if isinstance(n := row[key], int))
    return [*cells, counts]


def _verdict(found: str) -> str:
    return {"good": _("better"), "bad": _("worse")}.get(found, _("different"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _matrix(
    desk: Desk,
    scope: Scope,
    metrics: Sequence[str],
    which: str,
    day: date,
    labels: Mapping[str, str],
) -> None:
    """Every metric for many segments."""
    markup.section(_("Segments by metric"), _("each segment by itself; they may overlap"))
    families = {name: desk.segments.book.rules[name].segment.family for name in labels}
    first = [name for name, family in families.items() if family == "Value"] or list(labels)[:4]
    chosen = st.multiselect(
        _("Segments"),
        list(labels),
        default=first,
        format_func=lambda name: labels[name],
        key=f"{KEY}.many",
        max_selections=30,
    )
    if not chosen or not metrics:
        return
    rows = asked.figures(desk, scope, list(chosen), list(metrics), which, day)
    values = {(by, metric): value for by, metric, value in rows.select("by", "metric", "value").iter_rows()}
    heads = [Column(_("Segment")), *(Column(desk.metric(name).label, "number") for name in metrics)]
    body = [
        [
            labels[name],
            *(desk.show.value(values.get((name, metric)), desk.metric(metric).unit) for metric in metrics),
        ]
        for name in chosen
    ]
    with st.container(horizontal=True, horizontal_alignment="right"):
        downloads.buttons("segments-by-metric", lambda: rows, f"{KEY}.matrix")
    opening_table(heads, body, _("Segments by metric"), key=f"{KEY}.many.rows", opens=open_segment)


def _over_time(desk: Desk, scope: Scope, names: Sequence[str], labels: Mapping[str, str]) -> None:
    """Size and revenue of the compared segments through time."""
    markup.section(_("Size over time"), _("who belonged at the end of each period, by the rule as it is now"))
    if not st.toggle(_("Show"), key=f"{KEY}.time", bind="query-params"):
        markup.note(_("Takes a moment: belonging is judged anew for each of the last twelve periods."))
        return
    table = asked.over_time(desk, scope, list(names)[:MOST_LINES])
    left, right = st.columns(2)
    with left:
        _lines(desk, scope, table, "customers", labels)
    with right:
        _lines(desk, scope, table, "revenue", labels)
    cell_list(desk, scope, POINT, _points(desk, scope, table, labels))


def _points(desk: Desk, scope: Scope, table: pl.DataFrame, labels: Mapping[str, str]) -> dict[str, Cell]:
    """Who stands behind each point of the lines."""
    found = {}
    for name, code in table.select("segment", "period").iter_rows():
        label = _("{segment} at the end of {period}").format(
            segment=labels[name], period=desk.read.period(code, scope.grain)
        )
        found[f"{name}-{code}"] = Cell(label, f"{{{name}}}", desk.calendar.end(code, scope.grain))
    return found


def _lines(desk: Desk, scope: Scope, table: pl.DataFrame, what: str, labels: Mapping[str, str]) -> None:
    show, money = desk.show, what == "revenue"
    names = list(dict.fromkeys(table["segment"].to_list()))
    codes = sorted(set(table["period"].to_list()))
    lines = {
        labels[name]: table.filter(pl.col("segment") == name).sort("period")[what].cast(pl.Float64).to_numpy()
        for name in names
    }
    value = partial(show.value, unit="money" if money else "count")
    card = Card(
        key=f"segments-{what}",
        title=_("Revenue by period") if money else _("Customers at the end of each period"),
        note=_("net revenue of those who belonged at its end") if money else _("by the rule as it is now"),
        definition={
            _("Belonging"): _("The rule applied to what was known at the end of the period"),
            _("Attributes"): _("As they are today: no source keeps old ones"),
        },
        columns=[Column(_("Period")), *(Column(name, "number") for name in lines)],
        rows=lambda: [
            [desk.read.period(code, scope.grain), *(value(float(line[at])) for line in lines.values())]
            for at, code in enumerate(codes)
        ],
        frame=lambda: table,
    )
    if len(codes) < 2 or not np.any([line.any() for line in lines.values()]):
        chart_card(card, None, _("A line needs at least two periods with customers."))
        return
    ticks = [desk.read.tick(code, scope.grain) for code in codes]
    tick = partial(show.axis, unit="money" if money else "count")
    chart_card(
        card,
        sizes(ticks, lines, value, tick, card.title),
        chosen=lambda line, at: opener(POINT)(f"{names[line]}-{codes[at]}"),
    )
