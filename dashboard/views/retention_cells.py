"""The customers of a cell of the cohort grid: who is counted, and why the others are not."""

from __future__ import annotations

from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import retention_data as asked
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import choice, markup
from dashboard.parts.filter_bar import heading
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext
from metrics.retention import Cohorts

CELL: Final = "retention.cell"
HIDDEN: Final = ("last_age", "next_age", "closes_on", "first_amount", "so_far")


def choose(cell: str) -> None:
    """Take a cell of the grid as the one whose customers are listed."""
    st.session_state[CELL] = cell


def cell_list(desk: Desk, scope: Scope, cohorts: Cohorts, table: pl.DataFrame, of: str = "") -> None:
    """The chooser of a cell and, once one is chosen, its customers; `of` names the segment they are of."""
    names = {f"{row[0]}.{row[1]}": row for row in table.select("cohort", "age", "until_age").iter_rows()}
    chosen = choice.optional(
        _("Customers of a cell"),
        list(names),
        CELL,
        placeholder=_("Click a cell, or choose one here"),
        format_func=lambda name: _cell_name(desk, scope, *names[name]),
        width=360,
    )
    if chosen is not None:
        cohort, age, until = names[chosen]
        _listed(desk, scope, cohorts, (cohort, age, until), of)


def _cell_name(desk: Desk, scope: Scope, cohort: int, age: int, until: int) -> str:
    span = str(age) if age == until else f"{age}\N{EN DASH}{until}"
    return _("{cohort}, {grain} {age}").format(
        cohort=desk.read.period(cohort, scope.grain), grain=_(GRAINS[scope.grain]).lower(), age=span
    )


def _listed(desk: Desk, scope: Scope, cohorts: Cohorts, cell: tuple[int, int, int], of: str) -> None:
    cohort, age, until = cell
    found = asked.cell(desk, scope, cohorts, cohort, age)
    rows = _reasoned(desk, scope, cohorts, found, age, until)
    counted = int(found["counted"].sum())
    show = desk.show
    name = _cell_name(desk, scope, cohort, age, until)
    markup.section(
        _("{segment}: {cell}").format(segment=of, cell=name) if of else name,
        _("{counted} of {n} came back").format(
            counted=show.decimal(counted, 0), n=show.decimal(len(found), 0)
        ),
    )
    listing(
        rows,
        [_column(name, rows.schema[name]) for name in rows.columns],
        partial(_cells, desk),
        show,
        key=f"retention.cell-{of}-{cohort}-{age}",
        file=f"cohort-{cohort}-{age}",
        label=_("Customers of the cell"),
        placeholder=_("Search by id, name or attribute"),
        counted=lambda n: ngettext("{n} customer", "{n} customers", n).format(n=show.decimal(n, 0)),
    )


def _reasoned(
    desk: Desk, scope: Scope, cohorts: Cohorts, rows: pl.DataFrame, age: int, until: int
) -> pl.DataFrame:
    """The rows with the reason for each in words."""
    grain = _(GRAINS[scope.grain]).lower()
    running = pl.col("closes_on") > desk.as_of
    came = pl.when(pl.col("orders") > 0).then(pl.format(_("{} orders").replace("{}", "{}"), pl.col("orders")))
    later = pl.format(_("silent then, back in {} {}"), pl.lit(grain), pl.col("next_age"))
    counted = came.when(pl.col("next_age").is_not_null()).then(
        pl.format(_("back later, in {} {}"), pl.lit(grain), pl.col("next_age"))
    )
    why = (
        pl.when(running & ~pl.col("counted"))
        .then(pl.lit(_("its own period still runs")))
        .when("counted")
        .then(counted.otherwise(pl.lit(_("active"))))
        .when(pl.col("next_age").is_not_null())
        .then(later)
        .when(pl.col("last_age") > 0)
        .then(pl.format(_("not seen since {} {}"), pl.lit(grain), pl.col("last_age")))
        .otherwise(pl.lit(_("never came back")))
    )
    said = rows.with_columns(why=why)
    front = [name for name in ("customer_id", "name", "email") if name in rows.columns]
    own = (*front, "counted", "why", "orders", "net_amount", "margin")
    rest = [name for name in rows.columns if name not in (*own, *HIDDEN)]
    return said.select(*own, *rest)


def _column(name: str, dtype: pl.DataType) -> Column:
    ours = {
        "customer_id": _("Customer"),
        "counted": _("Counted"),
        "why": _("Why"),
        "net_amount": _("Revenue"),
    }
    return Column(ours.get(name, heading(name)), "number" if dtype.is_numeric() else "")


def _cells(desk: Desk, page: pl.DataFrame) -> list[list[str]]:
    texts = []
    for row in page.iter_rows(named=True):
        texts.append([_text(desk, name, value) for name, value in row.items()])
    return texts


def _text(desk: Desk, name: str, value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name in ("net_amount", "margin"):
        return desk.show.exact_money(value)  # type: ignore[arg-type]  # a decimal
    return desk.show.decimal(value, 0) if isinstance(value, int) else str(value)
