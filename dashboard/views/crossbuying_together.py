"""Bought together: the heat map of lift, the pairs with all their measures, and sets of three and more."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboard import crossbuying_data as asked
from dashboard.charts.matrix import MatrixCell, MatrixRow
from dashboard.crossbuying_data import Together
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup, states
from dashboard.parts.kpi_row import sentence
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.parts.matrices import show_matrix
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.affinity import Unit
from metrics.selection import Missing

UNITS: Final[dict[Unit, str]] = {"order": later("One order"), "customer": later("One customer")}
ITEMS: Final = {"category": later("Categories"), "product": later("Products")}
RANKS: Final = {"leverage": later("Leverage"), "hyper_lift": later("Hyper-lift")}
FEW: Final = 5.0
"""A cell of the table of two by two that is expected to hold fewer is too thin for a lift."""
MOST: Final = 24
SHOWN: Final = (
    "x",
    "y",
    "n_xy",
    "expected",
    "lift",
    "hyper_lift",
    "leverage",
    "confidence",
    "confidence_back",
    "conviction",
    "p_adjusted",
    "test",
)
"""The measures in the order of the list's columns."""
LEVEL: Final = 0.05


def render(desk: Desk, scope: Scope) -> None:
    """The controls, the heat map, the pairs, the sets."""
    unit, item, rank = _controls()
    try:
        found = asked.together(desk, scope, unit, item)
    except Missing as missing:
        states.empty("inventory_2", _("Nothing to show here"), sentence(str(missing)))
        return
    if found.pairs.is_empty():
        text = _("No order holds two of them. Choose one customer as the unit, or widen the filters.")
        states.empty("join_inner", _("Nothing is bought together"), text)
        return
    ranked = found.pairs.sort(rank, "x", "y", descending=[True, False, False], nulls_last=True)
    _heat_map(desk, found, unit)
    _pairs(desk, ranked, unit)
    _sets(desk, scope, unit, item)


def _controls() -> tuple[Unit, str, str]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        unit: Unit = st.selectbox(
            _("Together in"),
            list(UNITS),
            format_func=lambda name: _(UNITS[name]),
            key="crossbuying.unit",
            bind="query-params",
            width=180,
        )
        item = st.selectbox(
            _("What"),
            list(ITEMS),
            format_func=lambda name: _(ITEMS[name]),
            key="crossbuying.item",
            bind="query-params",
            width=180,
        )
        rank = st.selectbox(
            _("Ranked by"),
            list(RANKS),
            format_func=lambda name: _(RANKS[name]),
            key="crossbuying.rank",
            bind="query-params",
            width=180,
        )
    return unit, item, rank


def _heat_map(desk: Desk, found: Together, unit: Unit) -> None:
    """Lift of every pair, thin ones masked; the largest items where there are many."""
    show, table = desk.show, found.pairs
    sizes = _sizes(table)
    names = sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST]
    cells = {(row["x"], row["y"]): row for row in table.iter_rows(named=True)}
    rows = [
        MatrixRow(
            name,
            show.count(sizes[name]),
            [_lift(desk, found, sizes, cells, name, other) for other in names],
        )
        for name in names
    ]
    with st.container(border=True, key="card-crossbuying-lift"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            st.html(markup.card_head(_finding(found), _note(desk, found, unit)))
            downloads.buttons("affinity", lambda: table, "crossbuying-affinity")
        show_matrix(("", _noun(unit)), names, rows, _("Lift of every pair"))
        markup.note(
            _(
                "Blue: more often together than by chance, orange: less often; bold: beyond what chance "
                "explains (Benjamini and Hochberg, 5 %); hatched: fewer than 5 expected together, too thin "
                "to tell."
            )
        )


def _sizes(table: pl.DataFrame) -> dict[str, int]:
    """How many units hold each item."""
    both = pl.concat([table.select(item="x", n="n_x"), table.select(item="y", n="n_y")]).unique()
    return dict(both.iter_rows())


def _noun(unit: Unit) -> str:
    return _("Orders") if unit == "order" else _("Customers")


def _note(desk: Desk, found: Together, unit: Unit) -> str:
    return _("lift, 1 is chance \N{MIDDLE DOT} n = {n} {units} \N{MIDDLE DOT} as of {day}").format(
        n=desk.show.count(found.n), units=_noun(unit).lower(), day=desk.show.day(desk.as_of)
    )


def _finding(found: Together) -> str:
    """The pair that chance explains least, of those bought together more often."""
    sure = found.pairs.filter(pl.col("lift") > 1, pl.col("p_adjusted") < LEVEL)
    if sure.is_empty():
        return _("No pair goes together more often than by chance")
    best = sure.row(0, named=True)
    return _("{x} and {y} go together {lift} times as often as by chance").format(
        x=best["x"], y=best["y"], lift=f"{best['lift']:.1f}"
    )


def _lift(
    desk: Desk,
    found: Together,
    sizes: dict[str, int],
    cells: dict[tuple[str, str], dict[str, float]],
    x: str,
    y: str,
) -> MatrixCell | None:
    if x == y:
        return None
    show, row = desk.show, cells.get((min(x, y), max(x, y)))
    expected = sizes[x] * sizes[y] / found.n
    if expected < FEW:
        title = _("{n} expected together, too few").format(n=show.decimal(expected, 1))
        return MatrixCell(MISSING, title, masked=True)
    if row is None:
        title = _("never together, {n} expected").format(n=show.decimal(expected, 1))
        return MatrixCell(show.decimal(0, 1), title, -1.0, strong=True)
    title = _("{x} and {y}: {n} together, {expected} expected by chance").format(
        x=x, y=y, n=show.count(row["n_xy"]), expected=show.decimal(expected, 0)
    )
    shade = math.log2(row["lift"]) / 1.2 if row["lift"] > 0 else -1.0
    return MatrixCell(show.decimal(row["lift"], 1), title, shade, strong=row["p_adjusted"] < LEVEL)


def _pairs(desk: Desk, ranked: pl.DataFrame, unit: Unit) -> None:
    markup.section(
        _("Pairs"), _("ranked by what is beyond chance; raw lift would put the rarest pairs first")
    )
    columns = [
        Column(_("First")),
        Column(_("Second")),
        Column(_("Together"), "number"),
        Column(_("Expected"), "number"),
        Column(_("Lift"), "number"),
        Column(_("Hyper-lift"), "number"),
        Column(_("Leverage"), "number"),
        Column(_("First \N{RIGHTWARDS ARROW} second"), "number"),
        Column(_("Second \N{RIGHTWARDS ARROW} first"), "number"),
        Column(_("Conviction"), "number"),
        Column(_("Adjusted p"), "number"),
        Column(_("Test")),
    ]
    listing(
        ranked.select(SHOWN),
        columns,
        partial(_pair_cells, desk),
        desk.show,
        key=f"crossbuying.pairs-{unit}",
        file="pairs",
        label=_("Pairs with their measures"),
        placeholder=_("Search by name"),
    )
    markup.note(
        _("Arrows are attach rates: of the {units} with one, the share that holds the other too.").format(
            units=_noun(unit).lower()
        )
    )


def _pair_cells(desk: Desk, page: pl.DataFrame) -> list[list[str]]:
    return [_pair(desk, row) for row in page.iter_rows(named=True)]


def _pair(desk: Desk, row: dict[str, Any]) -> list[str]:
    show = desk.show
    two = partial(_decimal, desk, 2)
    return [
        str(row["x"]),
        str(row["y"]),
        show.count(row["n_xy"]),
        show.decimal(row["expected"], 0),
        two(row["lift"]),
        two(row["hyper_lift"]),
        f"{show.signed(100 * row['leverage'], 2)}\N{NO-BREAK SPACE}pp",
        show.percent(row["confidence"]),
        show.percent(row["confidence_back"]),
        two(row["conviction"]),
        "< 0.001" if row["p_adjusted"] < 0.001 else show.decimal(row["p_adjusted"], 3),
        _("Fisher") if row["test"] == "fisher" else _("chi-square"),
    ]


def _decimal(desk: Desk, digits: int, value: float | None) -> str:
    if value is None:
        return MISSING
    return desk.show.decimal(value, digits) if math.isfinite(value) else "\N{INFINITY}"


def _sets(desk: Desk, scope: Scope, unit: Unit, item: str) -> None:
    found = asked.sets(desk, scope, unit, item)
    if found.is_empty():
        return
    markup.section(_("Three and more"), _("what goes together beyond pairs, the most frequent first"))
    named = found.with_columns(items=pl.col("items").list.join(" + "))
    listing(
        named,
        [
            Column(_("Set")),
            Column(_("Size"), "number"),
            Column(_noun(unit), "number"),
            Column(_("Share"), "number"),
        ],
        lambda page: [
            [row[0], str(row[1]), desk.show.count(row[2]), desk.show.percent(row[3], 2)]
            for row in page.iter_rows()
        ],
        desk.show,
        key=f"crossbuying.sets-{unit}",
        file="itemsets",
        label=_("Sets of three and more"),
        placeholder=_("Search by name"),
    )
