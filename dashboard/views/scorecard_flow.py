"""The flow block: how each segment's revenue came from that of the period before, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import polars as pl
import streamlit as st

from dashboard import scorecard_data as asked
from dashboard.desk import Desk
from dashboard.parts import downloads, markup
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.scorecard_words import Shown

ITEMS: Final = {
    "before": later("Before"),
    "new": later("New"),
    "reactivated": later("Reactivated"),
    "expansion": later("Expansion"),
    "contraction": later("Contraction"),
    "lost": later("Lost"),
    "late_returns": later("Late returns"),
    "unidentified": later("Not identified"),
    "after": later("Now"),
}


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """One row a segment, every step of the way, and the total where segments do not overlap."""
    rows = asked.flow(desk, scope, shown.split)
    read = desk.read
    with st.container(border=True, key="card-scorecard-flow"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            note = _(
                "net revenue, {before} to {now}, {currency} \N{MIDDLE DOT} every row adds up to the cent"
            )
            st.html(
                markup.card_head(
                    _finding(desk, rows),
                    note.format(
                        before=read.short(scope.period - 1, scope.grain),
                        now=read.short(scope.period, scope.grain),
                        currency=desk.show.currency,
                    ),
                )
            )
            downloads.buttons("revenue-flow", lambda: rows, "scorecard-flow")
        heads = [
            Column(_("Segment")),
            Column(_("Change"), "number"),
            *(Column(_(name), "number") for name in ITEMS.values()),
        ]
        parts = rows.partition_by("segment", maintain_order=True)
        listed = [_row(desk, part, str(part["segment"][0])) for part in parts if part["segment"][0]]
        whole = next(part for part in parts if part["segment"][0] is None)
        total = _row(desk, whole, _("All customers"))
        markup.show_table(heads, listed, _("Flow of revenue by segment"), total=total)
        if shown.split.overlaps:
            markup.note(_("Segments are those of today and overlap, so they do not add up to all customers."))
        else:
            markup.note(_("Sales to nobody known, and customers without a segment, are in the total alone."))


def _finding(desk: Desk, rows: pl.DataFrame) -> str:
    """The segment whose revenue changed most."""
    changes = [
        (str(part["segment"][0]), _change(part))
        for part in rows.drop_nulls("segment").partition_by("segment", maintain_order=True)
    ]
    if not changes:
        return _("How revenue came about")
    name, change = max(changes, key=lambda pair: abs(pair[1]))
    return _("{segment} moved revenue most: {change}").format(
        segment=name, change=desk.show.change(change, "money")
    )


def _change(part: pl.DataFrame) -> Decimal:
    amounts = dict(part.select("item", "amount").iter_rows())
    return Decimal(amounts["after"]) - Decimal(amounts["before"])


def _row(desk: Desk, part: pl.DataFrame, name: str) -> list[str]:
    amounts = dict(part.select("item", "amount").iter_rows())
    steps = [desk.show.exact_money(amounts[item]) for item in ITEMS]
    return [name, desk.show.change(_change(part), "money"), *steps]
