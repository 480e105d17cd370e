"""The drawer behind a tile: what the figure means, what moved it, and the customers it counts."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboard import category_trees, data, sheet, wording
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING, Formatter
from dashboard.lineage import reads_categories
from dashboard.parts.effects import Effect, effects
from dashboard.parts.filter_bar import heading
from dashboard.parts.kpi_row import change_line, goal_line, sentence
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column, facts, note, section
from dashboard.parts.states import guarded
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.tiles import Tile, tone
from metrics.counted import counted
from metrics.definitions import Measure, Metric, PeriodRetention, Ratio
from metrics.frames import CATEGORY
from metrics.selection import SEGMENT, Missing

MOST_PARTS: Final = 8
MOST_SEGMENTS: Final = 12
WIDTH: Final = 760


def open_details(scope: Scope, name: str) -> None:
    """Open the drawer for one metric."""
    desk = data.desk()
    tile = desk.tiles((name,), scope)[0]
    with sheet.aside():
        st.dialog(tile.label, position="right", width=WIDTH)(guarded(_draw))(desk, scope, tile)


def _draw(desk: Desk, scope: Scope, tile: Tile) -> None:
    said = f"{change_line(tile)}{goal_line(tile)}"
    st.html(f'<div class="lead"><span class="figure">{escape(tile.value)}</span>{said}</div>')
    if tile.figure.shown is None:
        note(sentence(tile.figure.reason or ""))
    if tile.name not in desk.catalog.plans:
        return
    st.html(_facts(desk, scope, tile))
    _what_moved_it(desk, scope, tile)
    _who(desk, scope, tile)


def _facts(desk: Desk, scope: Scope, tile: Tile) -> str:
    definition, show, read = desk.metric(tile.name), desk.show, desk.read
    by_category = bool(scope.categories) or reads_categories(desk.catalog, tile.name)
    pairs = {
        _("Definition"): definition.description,
        _("Formula"): wording.formula(definition, lambda name: desk.metric(name).label),
        _("Basis"): definition.source,
        _("Direction"): wording.direction(definition),
        _("Value"): show.full(tile.figure.shown, definition.style),
        _("Interval"): wording.interval(tile.figure, definition.style, show),
        _("n"): with_unit(tile.figure.n, counted(desk.catalog, tile.name), show),
        _("Period"): read.period(tile.period, scope.grain, long=True),
        _("As of"): show.day(desk.as_of),
        _("Filters"): ", ".join(read.filters(scope)),
        _("Category tree"): category_trees.described(desk.whole, show) if by_category else "",
    }
    return facts({name: text for name, text in pairs.items() if text}, code=[_("Formula")])


def _what_moved_it(desk: Desk, scope: Scope, tile: Tile) -> None:
    key, choices = f"details.{tile.name}.by", _splits(desk)
    overlap = st.session_state.get(key, choices[0] if choices else None) == SEGMENT
    section(_("What moved it"), _apart(overlap=overlap))
    if tile.reference is None or tile.figure.shown is None or not choices:
        note(_("There is no earlier figure to compare with."))
        return
    by = st.segmented_control(
        _("Split by"),
        choices,
        default=choices[0],
        required=True,
        format_func=heading,
        key=key,
        label_visibility="collapsed",
    )
    try:
        found = desk.effects(tile, scope, by or choices[0])
    except Missing as missing:
        note(sentence(str(missing)))
        return
    _effects(desk, scope, tile, found, by or choices[0])


def _apart(*, overlap: bool) -> str:
    if overlap:
        return _("Who belongs as of now against everybody else; segments may overlap and do not add up")
    return _("The effects of the parts add up to the change")


def _splits(desk: Desk) -> list[str]:
    """What a change can be split by: attributes, categories, segments."""
    segments = [SEGMENT] if desk.segments.book.rules else []
    return [*desk.attributes, *([CATEGORY] if desk.categories else []), *segments]


def _effects(desk: Desk, scope: Scope, tile: Tile, found: pl.DataFrame, by: str) -> None:
    metric, show, read = desk.metric(tile.name), desk.show, desk.read
    moved = found.filter((pl.col("n_current") + pl.col("n_reference") > 0) | (pl.col("effect") != 0))
    largest = _segments(desk, moved) if by == SEGMENT else _largest(moved)
    parts = [_part(metric, row, show) for row in largest.iter_rows(named=True)]
    reference = _reference(desk, scope, tile)
    change = float(tile.figure.shown or 0) - (reference or 0.0)
    before = show.value(reference, metric.style)
    total = Effect(_("Change"), before, tile.value, show.change(change, metric.style), change, "")
    heads = (
        heading(by),
        read.short(tile.reference or tile.period, scope.grain),
        read.short(tile.period, scope.grain),
        _("Effect"),
    )
    effects(parts, total, heads, _("Effects on {metric}").format(metric=tile.label))


def _reference(desk: Desk, scope: Scope, tile: Tile) -> float | None:
    figure = desk.figure(tile.name, tile.reference, scope)
    return None if figure.shown is None else float(figure.shown)


def _part(metric: Metric, row: dict[str, object], show: Formatter) -> Effect:
    effect = float(row["effect"])  # type: ignore[arg-type]  # a decimal
    now, before = (
        show.value(value, metric.style) if isinstance(value := row[name], float) else MISSING
        for name in ("current", "reference")
    )
    name = str(row["by"] or _("not known"))
    return Effect(
        name, before, now, show.change(effect, metric.style), effect, tone(metric.direction, effect)
    )


def _largest(found: pl.DataFrame) -> pl.DataFrame:
    """The parts with the largest effects, the others as one row without figures of its own."""
    if len(found) <= MOST_PARTS:
        return found
    rest = found.slice(MOST_PARTS - 1)
    row = pl.DataFrame(
        {"by": [_("{n} others").format(n=len(rest))], "effect": [rest["effect"].sum()]},
        schema={"by": pl.String, "effect": found.schema["effect"]},
    )
    return pl.concat([found.head(MOST_PARTS - 1), row], how="diagonal")


def _segments(desk: Desk, found: pl.DataFrame) -> pl.DataFrame:
    """The segments with the largest effects, by their labels."""
    return found.head(MOST_SEGMENTS).with_columns(pl.col("by").replace(desk.segments.book.labels))


def _who(desk: Desk, scope: Scope, tile: Tile) -> None:
    try:
        rows = desk.customers(tile, scope)
    except Missing as missing:
        section(_("Customers"))
        note(sentence(str(missing)))
        return
    show = desk.show
    section(_("Customers"), " \N{MIDDLE DOT} ".join(_sums(desk, tile, rows)))
    names = _headings(desk, tile.name)
    kinds = {name: "number" for name, dtype in rows.schema.items() if dtype.is_numeric()}
    if not rows["customer_id"].null_count():
        kinds["customer_id"] = "customer"
    listing(
        rows,
        [Column(names.get(name, heading(name)), kinds.get(name, "")) for name in rows.columns],
        lambda page: _cells(page, show),
        show,
        key=f"details.{tile.name}",
        file=f"customers-{tile.name}",
        label=_("Customers behind {metric}").format(metric=tile.label),
        placeholder=_("Search by id, name or attribute"),
        counted=partial(_counted, rows, show),
    )


def _counted(rows: pl.DataFrame, show: Formatter, count: int) -> str:
    """How many customers a list holds; sales to nobody known are one row of it and no customer."""
    unknown = rows["customer_id"].null_count()
    text = ngettext("{n} customer", "{n} customers", count - unknown)
    counted = text.format(n=show.decimal(count - unknown, 0))
    return _("{customers}, and sales to nobody known").format(customers=counted) if unknown else counted


def _headings(desk: Desk, name: str) -> dict[str, str]:
    """The quantities of a customer list under the names of what they are."""
    definition = desk.metric(name)
    ours = {"customer_id": _("Customer"), "value": definition.label}
    if isinstance(definition, Ratio):
        ours["numerator"] = _term(desk, definition.numerator, _("Numerator"))
        ours["denominator"] = _term(desk, definition.denominator, _("Denominator"))
    if isinstance(definition, PeriodRetention):
        ours |= {"denominator": _("Active before"), "numerator": _("Active again")}
    return ours


def _term(desk: Desk, term: str | Measure, otherwise: str) -> str:
    return otherwise if isinstance(term, Measure) else desk.metric(term).label


def _sums(desk: Desk, tile: Tile, rows: pl.DataFrame) -> list[str]:
    """The sums of the quantities, of which the figure is made."""
    names = _headings(desk, tile.name)
    quantities = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
    return [f"{names.get(name, heading(name))} {_cell(rows[name].sum(), desk.show)}" for name in quantities]


def _cells(page: pl.DataFrame, show: Formatter) -> list[list[str]]:
    """The texts of a page; the id of nobody is said in words."""
    texts = [[_cell(value, show) for value in row] for row in page.iter_rows()]
    return [[_("not identified"), *row[1:]] if row[0] == MISSING else row for row in texts]


def _cell(value: object, show: Formatter) -> str:
    match value:
        case None:
            return MISSING
        case bool():
            return _("yes") if value else _("no")
        case Decimal():
            return show.exact_money(value)
        case int():
            return show.decimal(value, 0)
        case float():
            return show.decimal(value, 0 if value.is_integer() else 2)
        case _:
            return str(value)
