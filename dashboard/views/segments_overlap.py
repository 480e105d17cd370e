"""Which segments hold the same customers."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import segment_questions as asked
from dashboard.charts.segments import upset
from dashboard.desk import Desk
from dashboard.parts import states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views.segments_cells import Cell, cell_list, opener

KEY: Final = "segments.overlap"
CELL: Final = "segments.overlap.cell"
MOST: Final = 8
BARS: Final = 12
FIRST: Final = ("loyal", "big_spenders", "complained_unhappy", "promoters", "subscribers")


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    labels = desk.segments.book.labels
    first = [name for name in FIRST if name in labels] or list(labels)[:4]
    chosen = st.multiselect(
        _("Segments"),
        list(labels),
        default=first,
        format_func=lambda name: labels[name],
        key=KEY,
        bind="query-params",
        max_selections=MOST,
    )
    if len(chosen) < 2:
        states.empty("join_inner", _("Choose two segments or more"), _("Then their overlap is drawn."))
        return
    table = asked.shared(desk, scope, list(chosen))
    names, show = [labels[name] for name in chosen], desk.show
    drawn = table.head(BARS)
    card = Card(
        key="segments-overlap",
        title=_finding(desk, table, list(chosen), names),
        note=_("customers in exactly these segments \N{MIDDLE DOT} the {n} largest of {all}").format(
            n=len(drawn), all=len(table)
        ),
        definition={
            _("Bars"): _("Customers who are in the marked segments and in none of the others chosen here"),
            _("Sum"): _("Every customer stands in one bar; those in none of the segments are left out"),
        },
        columns=[*(Column(name) for name in names), Column(_("Customers"), "number")],
        rows=lambda: [
            [*(_("yes") if held else "" for held in row[:-1]), show.count(row[-1])]
            for row in table.iter_rows()
        ],
        frame=lambda: table,
    )
    if table.is_empty():
        chart_card(card, None, _("Nobody belongs to any of these segments."))
        return
    flags = drawn.select(list(chosen)).to_numpy().astype(np.bool_)
    count = partial(show.decimal, digits=0)
    cells = _cells(table, list(chosen), names)
    bars = list(cells)
    chart = upset(names, flags, drawn["customers"].to_list(), count, card.title)
    chart_card(card, chart, chosen=lambda trace, point: None if trace else opener(CELL)(bars[point]))
    cell_list(desk, scope, CELL, cells)


def _cells(table: pl.DataFrame, chosen: list[str], names: list[str]) -> dict[str, Cell]:
    """What each bar holds, as a rule: in the marked segments and in none of the others."""
    found = {}
    for row in table.select(chosen).iter_rows():
        held = [label for label, inside in zip(names, row, strict=True) if inside]
        parts = [f"{'' if inside else 'NOT '}{{{name}}}" for name, inside in zip(chosen, row, strict=True)]
        key = "-".join(name for name, inside in zip(chosen, row, strict=True) if inside)
        label = " + ".join(held) if len(held) > 1 else _("{segment} alone").format(segment=held[0])
        found[key] = Cell(label, " AND ".join(parts))
    return found


def _finding(desk: Desk, table: pl.DataFrame, chosen: list[str], names: list[str]) -> str:
    """The largest overlap of two segments or more."""
    several = table.filter(pl.sum_horizontal(pl.col(name).cast(pl.Int64) for name in chosen) > 1)
    if several.is_empty():
        return _("No customer is in two of these segments")
    row = several.row(0, named=True)
    held = [label for name, label in zip(chosen, names, strict=True) if row[name]]
    text = _("{n} customers are in {segments} together")
    return text.format(n=desk.show.count(row["customers"]), segments=" + ".join(held))
