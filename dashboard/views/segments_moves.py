"""How customers moved between groups from one date to another: a Sankey, its matrix, and who moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboard import segment_questions as asked
from dashboard import sheet
from dashboard.charts.layout import Chart
from dashboard.charts.segments import migration
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.markup import Column
from dashboard.parts.own_table import in_words
from dashboard.segment_data import facts
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views.segments_list import UNITS, headings
from metrics.segment_moves import NONE

KEY: Final = "segments.moves"
Counts = dict[tuple[str, str], int]


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    by, start, end = _choices(desk)
    if not by:
        states.empty("swap_horiz", _("Nothing to follow"), _("Write a segment, or load orders."))
        return
    if start >= end:
        states.empty("event", _("The dates do not fit"), _("The first date must lie before the second."))
        return
    table = asked.migration(desk, scope, by, start, end)
    counts: Counts = {(a, b): n for a, b, n in table.iter_rows()}
    names = _names(desk, by)
    before = {key: label for key, label in names.items() if any(pair[0] == key for pair in counts)}
    after = {key: label for key, label in names.items() if any(pair[1] == key for pair in counts)}
    card = _card(desk, counts, names, start, end)
    chart_card(card, *_drawn(desk, before, after, counts, card.title))
    _matrix(desk, by, before, after, counts, start, end)
    _who(desk, scope, by, start, end, names)


def _choices(desk: Desk) -> tuple[str, date, date]:
    offered, labels = facts(desk).offered, desk.segments.book.labels
    options = {**{name: _(offered[name].label) for name in asked.partitions(desk)}, **labels}
    columns = st.columns([3, 2, 2], vertical_alignment="bottom")
    by = columns[0].selectbox(
        _("Groups"),
        list(options),
        format_func=lambda name: options[name],
        key=f"{KEY}.by",
        bind="query-params",
    )
    back = max(desk.as_of - timedelta(days=365), desk.first_day)
    start = columns[1].date_input(
        _("From"), value=back, min_value=desk.first_day, max_value=desk.as_of, key=f"{KEY}.start"
    )
    end = columns[2].date_input(
        _("To"), value=desk.as_of, min_value=desk.first_day, max_value=desk.as_of, key=f"{KEY}.end"
    )
    first = start if isinstance(start, date) else back
    return str(by or ""), first, end if isinstance(end, date) else desk.as_of


def _names(desk: Desk, by: str) -> dict[str, str]:
    """The groups with their labels, in their order; who is in none of them last."""
    known = dict(asked.labels(desk, by))
    if not known:
        label = desk.segments.book.labels.get(by, by)
        known = {"in": label, "out": _("Not in it")}
    return {**known, NONE: _("Not yet customers")}


def _card(desk: Desk, counts: Counts, names: Mapping[str, str], start: date, end: date) -> Card:
    show = desk.show
    total = sum(counts.values())
    stayed = sum(n for (a, b), n in counts.items() if a == b)
    there = sum(n for (a, _b), n in counts.items() if a != NONE)
    kept = stayed - counts.get((NONE, NONE), 0)
    title = _("{share} of {n} customers stayed in their group").format(
        share=show.percent(kept / there) if there else "0", n=show.count(there)
    )
    return Card(
        key="segments-moves",
        title=title,
        note=_("from {start} to {end} \N{MIDDLE DOT} {n} customers in all").format(
            start=show.day(start), end=show.day(end), n=show.count(total)
        ),
        definition={
            _("Group"): _("What the rule gives for what was known at the end of each of the two days"),
            _("Attributes"): _("As they are today: no source keeps old ones"),
        },
        columns=[Column(show.day(start)), Column(show.day(end)), Column(_("Customers"), "number")],
        rows=lambda: [[names.get(a, a), names.get(b, b), show.count(n)] for (a, b), n in counts.items()],
        frame=lambda: _frame(counts),
    )


def _frame(counts: Counts) -> pl.DataFrame:
    return pl.DataFrame(
        [(a, b, n) for (a, b), n in counts.items()], schema=["before", "after", "customers"], orient="row"
    )


def _drawn(
    desk: Desk, before: Mapping[str, str], after: Mapping[str, str], counts: Counts, alt: str
) -> tuple[Chart | None, str]:
    """The Sankey without those who were in no group at either date, being most of what is drawn then."""
    moving = {pair: n for pair, n in counts.items() if pair != (NONE, NONE)}
    if not moving:
        return None, _("Nobody was in a group at either date.")
    left = {key: name for key, name in before.items() if any(pair[0] == key for pair in moving)}
    right = {key: name for key, name in after.items() if any(pair[1] == key for pair in moving)}
    return migration(left, right, moving, partial(desk.show.decimal, digits=0), alt), ""


def _matrix(
    desk: Desk,
    by: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    counts: Counts,
    start: date,
    end: date,
) -> None:
    """The counts with their sums, which are the customers of either date; a cell opens its customers."""
    words = _("From the groups of {start} down to those of {end} across; a cell opens its customers")
    markup.section(_("Migration"), words.format(start=desk.show.day(start), end=desk.show.day(end)))
    html = _matrix_html(desk, before, after, counts)
    sheet.record(lambda: in_words(html, _("Migration")))
    cell_grid(html, key=f"{KEY}.matrix.{by}", chosen=partial(_open, by))


def _open(by: str, cell: str) -> None:
    """A click on a cell lists who moved so."""
    origin, _bar, to = cell.partition("|")
    st.session_state[f"{KEY}.origin.{by}"], st.session_state[f"{KEY}.to.{by}"] = origin, to


def _matrix_html(desk: Desk, before: Mapping[str, str], after: Mapping[str, str], counts: Counts) -> str:
    most = max((n for pair, n in counts.items() if pair != (NONE, NONE)), default=1)
    heads = "".join(
        f'<th scope="col" class="turned"><span>{escape(text)}</span></th>'
        for text in (*after.values(), _("All"))
    )
    body = ""
    for origin, name in {**before, "": _("All")}.items():
        cells = ""
        for to in (*after, ""):
            n = sum(k for pair, k in counts.items() if origin in ("", pair[0]) and to in ("", pair[1]))
            cells += _count(desk, f"{origin}|{to}", n, n / most if origin and to else 0.0)
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    label = escape(_("Migration"), quote=True)
    return (
        f'<div class="cells" role="region" aria-label="{label}" tabindex="0"><table class="cells matrix">'
        f'<thead><tr><th scope="col">{escape(_("From"))}</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _count(desk: Desk, cell: str, n: int, shade: float) -> str:
    """A cell of the matrix; those of sums have no shade, the sum of all opens nothing."""
    if not n:
        return "<td></td>"
    text = escape(desk.show.count(n))
    if cell == "|":
        return f"<td><span>{text}</span></td>"
    kind = ' class="whole"' if cell.startswith("|") or cell.endswith("|") else ""
    name = escape(cell, quote=True)
    heat = f"--h:{min(shade, 1):.2f}"
    return f'<td><button type="button" data-cell="{name}"{kind} style="{heat}">{text}</button></td>'


def _who(desk: Desk, scope: Scope, by: str, start: date, end: date, names: Mapping[str, str]) -> None:
    """The customers behind a cell."""
    left, right = st.columns(2)
    options = ["", *names]
    origin = left.selectbox(
        _("Customers from"),
        options,
        format_func=lambda key: names.get(key, _("any group")),
        key=f"{KEY}.origin.{by}",
    )
    to = right.selectbox(
        _("to"), options, format_func=lambda key: names.get(key, _("any group")), key=f"{KEY}.to.{by}"
    )
    if not (origin or to):
        return
    rows = asked.moved(desk, scope, by, start, end, origin or None, to or None)
    told = rows.with_columns(
        _reason(rows, names),
        pl.col("before", "after").replace_strict(dict(names), default=None, return_dtype=pl.String),
    )
    ahead = ("customer_id", "reason", "before", "after")
    customer_list(
        desk,
        told.drop("orders_between", strict=False).select(*ahead, pl.exclude(ahead)),
        key=f"{KEY}.customers",
        file="customers-moved",
        label=_("Customers who moved"),
        names={**headings(), "before": desk.show.day(start), "after": desk.show.day(end)},
        units=UNITS,
    )


def _reason(rows: pl.DataFrame, names: Mapping[str, str]) -> pl.Expr:
    """Why each of them is here: where he was and is, and whether he ordered in between."""
    before, after = (pl.col(side).replace_strict(dict(names), default=None) for side in ("before", "after"))
    stayed = pl.format(_("Stayed in {}"), after)
    moved = pl.format(_("From {} to {}"), before, after)
    parts = [pl.when(pl.col("before") == pl.col("after")).then(stayed).otherwise(moved)]
    if "orders_between" in rows.columns:
        n = pl.col("orders_between")
        between = pl.when(n == 0).then(pl.lit(_("no order in between"))).when(n == 1)
        parts.append(
            between.then(pl.lit(_("one order in between"))).otherwise(pl.format(_("{} orders in between"), n))
        )
    return pl.concat_str(parts, separator="; ").alias("reason")
