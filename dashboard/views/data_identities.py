"""One customer across systems, on the Data page: how many ids were matched, and which were not and why."""

from __future__ import annotations

import polars as pl
import streamlit as st

from connectors.identities import KEY_MAP, MATCHED
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.text import gettext as _


def render(desk: Desk) -> None:
    """Draw the section; nothing where the project has one system of customers."""
    if not desk.version.has(KEY_MAP):
        return
    found = desk.kept(KEY_MAP, lambda: desk.version.scan(KEY_MAP).collect())
    markup.section(
        _("One customer across systems"),
        _("Ids that share a declared key are one customer; nothing is matched by guess"),
    )
    _rates(desk, found)
    _ids(desk, found)
    markup.note(
        _("A match is undone by `apart: [[system:id, system:id]]` in sources.yaml, or by removing the key.")
    )


def _rates(desk: Desk, found: pl.DataFrame) -> None:
    show = desk.show
    states = [MATCHED, *sorted(set(found["state"]) - {MATCHED})]
    counts = found.group_by("system", "state").len().rows()
    rows: dict[str, dict[str, int]] = {}
    for system, state, count in counts:
        rows.setdefault(system, {})[state] = count
    columns = [
        Column(_("System")),
        Column(_("Ids"), "number"),
        Column(_("Match rate"), "number"),
        *(Column(state, "number") for state in states),
    ]
    table = [
        [
            system,
            show.decimal(sum(by.values()), 0),
            show.percent(by.get(MATCHED, 0) / sum(by.values())),
            *(show.decimal(by.get(state, 0), 0) for state in states),
        ]
        for system, by in sorted(rows.items())
    ]
    markup.show_table(columns, table, _("Match rates"))


def _ids(desk: Desk, found: pl.DataFrame) -> None:
    states = found["state"].unique().sort().to_list()
    state = st.selectbox(_("State"), [_("All"), *states], key="data.identity_state", width=420)
    rows = found.filter(pl.col("state") == state) if state in states else found
    heads = [_("System"), _("Id there"), _("Customer"), _("State"), _("Matched by")]
    listing(
        rows,
        [Column(head, "wide" if at == 3 else "") for at, head in enumerate(heads)],
        lambda page: [["" if cell is None else str(cell) for cell in row] for row in page.iter_rows()],
        desk.show,
        key="data.identities",
        file="key-map",
        label=_("Ids across systems"),
        placeholder=_("Search for an id"),
    )
