"""The mapping on the Connect page: proposed by name, type and content, corrected column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from connectors.dates import candidates as date_forms
from connectors.presets import Preset, preset_of
from connectors.tables import DERIVED, TABLES, dtypes, facts, required
from dashboard.connecting.candidates import Candidate, candidates, table_of
from dashboard.connecting.places import Look
from dashboard.connecting.proposal import preset_source
from dashboard.parts import markup
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from dashboard.text import later

KEY: Final = "connect.map"
TITLES: Final[Mapping[str, str]] = {
    "order_lines": later("Order lines"),
    "customers": later("Customers"),
    "products": later("Products"),
    "survey_answers": later("Survey answers"),
    "interactions": later("Contacts and complaints"),
    "subscriptions": later("Contracts"),
    "spend": later("Spending on customers"),
}
ROW_NUMBER: Final = "row_number"
_ORDERS: Final = {"": later("As found out"), "day": later("Day first"), "month": later("Month first")}


def render(said: Mapping[str, Any], found: Look) -> dict[str, Any]:
    """Draw the mapping; what `sources.yaml` would say."""
    markup.section(_("3. What its columns mean"), _("Proposed by name, type and content: correct it"))
    preset = preset_of(found.rows.columns)
    with st.container(border=True, key="card-connect-mapping"):
        named = dict(said) | {"name": _name(said)}
        if preset and _use_preset(preset):
            place = {key: value for key, value in named.items() if key != "name"}
            return preset_source(preset, place) | {"name": named["name"]}
        table = _table(found)
        return _mapped(named, table, found)


def _name(said: Mapping[str, Any]) -> str:
    given = st.text_input(_("Name of the source"), said["name"], key=f"{KEY}.name.{said['name']}", width=420)
    return given.strip() or str(said["name"])


def _use_preset(preset: Preset) -> bool:
    used = st.checkbox(
        _("Read it as {system}").format(system=preset.label), value=True, key=f"{KEY}.preset.{preset.name}"
    )
    if used:
        rows = [[ours, _shown(made)] for ours, made in preset.columns.items()]
        st.html(markup.table([Column(_("Ours")), Column(_("Made of"), "code")], rows, _("Mapping")))
        for text in preset.notes:
            markup.note(text)
    return used


def _shown(made: object) -> str:
    return str(getattr(made, "source", made))


def _table(found: Look) -> str:
    names = list(TABLES)
    best = table_of(found.rows.columns, found.rows)
    chosen = st.selectbox(
        _("One row is one of"),
        names,
        index=names.index(best),
        format_func=lambda name: _(TITLES[name]),
        key=f"{KEY}.table",
        width=420,
    )
    return chosen or best


def _mapped(said: dict[str, Any], table: str, found: Look) -> dict[str, Any]:
    proposed = {one.ours: one for one in candidates(table, found.rows)}
    theirs, shown, more = found.rows.columns, *_in_order(table, proposed)
    made = {ours: _column(table, ours, proposed.get(ours), theirs) for ours in shown}
    with st.expander(_("{n} further columns").format(n=len(more))):
        made |= {ours: _column(table, ours, None, theirs) for ours in more}
    columns: dict[str, Any] = {ours: made[ours] for ours in dtypes(table) if made.get(ours)}
    columns |= _dated(table, columns, found.rows)
    left = [name for name in found.rows.columns if name not in columns.values()]
    kept = st.multiselect(_("Keep as dimensions to filter and compare by"), left, key=f"{KEY}.kept.{table}")
    attributes = {name if name not in dtypes(table) else f"their {name}": name for name in kept}
    return said | {"table": table, "columns": columns, "attributes": attributes}


def _in_order(table: str, proposed: Mapping[str, Candidate]) -> tuple[list[str], list[str]]:
    """What is needed or proposed, the needed first; and the rest."""
    needed = required(table)
    names = [name for name in dtypes(table) if name not in DERIVED.get(table, ())]
    shown = [name for name in names if name in needed or name in proposed]
    more = [name for name in names if name not in shown]
    return sorted(shown, key=lambda name: name not in needed), more


def _column(table: str, ours: str, proposed: Candidate | None, theirs: list[str]) -> str:
    needed = ours in required(table)
    options = [*theirs, *([proposed.theirs] if proposed and proposed.theirs not in theirs else [])]
    usual = ROW_NUMBER if ours == "order_id" and proposed is None else None
    options += [ROW_NUMBER] if usual else []
    taken = proposed.theirs if proposed else usual
    words, field = st.columns([4, 5], vertical_alignment="center")
    with words:
        star = f' <em class="muted">{_("needed")}</em>' if needed else ""
        sure = _sure(proposed) if proposed else ""
        st.html(
            f'<p class="map-row"><b>{ours}</b>{star}<br><span class="muted">'
            f"{markup.marked(facts(table, ours).get('description', ''))}</span>"
            + (f'<br><span class="muted">{markup.marked(sure)}</span>' if sure else "")
            + "</p>"
        )
    chosen = field.selectbox(
        ours,
        options,
        index=options.index(taken) if taken else None,
        placeholder=_("not in this source"),
        accept_new_options=True,
        help=_("A column, or an expression over columns"),
        key=f"{KEY}.{table}.{ours}",
        label_visibility="collapsed",
    )
    return chosen or ""


def _sure(proposed: Candidate) -> str:
    return _("{share} sure, {why}").format(share=f"{proposed.confidence:.0%}", why=proposed.why)


def _dated(table: str, columns: Mapping[str, Any], rows: pl.DataFrame) -> dict[str, Any]:
    """Formats of dates whose order of day and month a person had to say."""
    doubtful = {
        ours: forms
        for ours, theirs in columns.items()
        if dtypes(table)[ours].is_temporal()
        and theirs in rows.columns
        and (forms := _two_orders(rows[theirs]))
    }
    if not doubtful:
        return {}
    order = st.segmented_control(
        _("Dates such as {example}").format(example=rows[columns[next(iter(doubtful))]].drop_nulls()[0]),
        list(_ORDERS),
        default="",
        format_func=lambda name: _(_ORDERS[name]),
        key=f"{KEY}.order",
    )
    if not order:
        return {}
    at = 0 if order == "day" else 1
    return {
        ours: {"from": columns[ours], "formats": [form[at].replace("%.f", "") for form in forms]}
        for ours, forms in doubtful.items()
    }


def _two_orders(column: pl.Series) -> list[tuple[str, ...]]:
    """The forms of a column's dates that have day and month in two orders."""
    if column.dtype != pl.String:
        return []
    texts = column.drop_nulls().str.strip_chars().head(300)
    return [forms for forms in date_forms(texts.to_list()) if len(forms) == 2]
