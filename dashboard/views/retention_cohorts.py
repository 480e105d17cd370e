"""Cohorts: the grid under the chosen definition, of all customers or of two segments and their difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import polars as pl
import streamlit as st

from dashboard import retention_data as asked
from dashboard.charts.cohorts import Grid, Row, Shade, Words, cohort_grid
from dashboard.desk import Desk
from dashboard.parts import downloads, markup, states
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.filter_bar import heading
from dashboard.retention_choices import BACKS, DEFINITIONS, STARTS, VALUES, defined, words
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.views import retention_cells, retention_curves
from metrics.cohort_values import CellValue
from metrics.lives import Events
from metrics.retention import Cohorts, difference, mean_curve

T = TypeVar("T")

KEY: Final = "retention"
MOST: Final = 36
"""Cohorts and ages that a grid shows at most."""
SIDES: Final = ("A", "B", "B - A")


@dataclass(frozen=True)
class Split:
    """Two segments to compare: the values `a` and `b` of an attribute."""

    attribute: str
    a: str
    b: str


@dataclass(frozen=True)
class Chosen:
    """What the controls say."""

    definition: str
    beside: str
    value: CellValue
    plain: Cohorts
    split: Split | None = None

    @property
    def cohorts(self) -> Cohorts:
        """The cohorts under the chosen definition."""
        return defined(self.plain, self.definition)


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    chosen = _controls(desk, scope)
    table = shown(asked.cohort_cells(desk, scope, chosen.cohorts), scope)
    if table.is_empty():
        fault = _("Nobody began in these periods. Widen the filters, or choose a later period.")
        states.empty("group_off", _("No customers yet"), fault)
        return
    _notices(desk, scope, table)
    if chosen.split is None:
        _grid_card(desk, scope, chosen, table)
        retention_cells.cell_list(desk, scope, chosen.cohorts, table)
    else:
        _compared_card(desk, scope, chosen, chosen.split)
    retention_curves.draw(desk, scope, chosen.plain, chosen.definition, chosen.beside)


def shown(table: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The cohorts up to the scope's period, and the running one after it where there is one."""
    last = scope.period + 1
    return table.filter(pl.col("cohort").is_between(last - MOST, last), pl.col("age") <= MOST)


def _controls(desk: Desk, scope: Scope) -> Chosen:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = list(DEFINITIONS)
        definition = _select(_("Definition"), names, "definition", lambda name: _(DEFINITIONS[name][0]))
        beside = _select(_("Beside it"), names, "beside", lambda name: _(DEFINITIONS[name][0]), index=1)
        value = _select(_("In the cells"), list(VALUES), "value", lambda name: _(VALUES[name][0]))
        with st.popover(_("Events and segments"), icon=":material/tune:"):
            events, split = _events(desk), _split(desk)
    return Chosen(definition, beside, value, Cohorts(scope.grain, events, min_n=desk.project.min_n), split)


def _select(label: str, options: Sequence[T], name: str, text: Callable[[T], str] = str, index: int = 0) -> T:
    found = st.selectbox(
        label, options, index, format_func=text, key=f"{KEY}.{name}", bind="query-params", width=190
    )
    return options[index] if found is None else found


def _events(desk: Desk) -> Events:
    start = _select(_("A life begins with"), list(STARTS), "start", lambda name: _(STARTS[name]))
    back = _select(_("It goes on with"), list(BACKS), "back", lambda name: _(BACKS[name]))
    every = _("any category")
    categories = [every, *desk.categories]
    starts_in = _select(_("First order in"), categories, "start_category")
    back_in = _select(_("Orders in"), categories, "back_category")
    return Events(
        start,
        back,
        starts_in if starts_in != every and start.endswith("order") else None,
        back_in if back_in != every and back == "order" else None,
    )


def _split(desk: Desk) -> Split | None:
    none = _("no comparison")
    attribute = _select(
        _("Compare two segments by"),
        [none, *desk.attributes],
        "by",
        lambda name: name if name == none else heading(name),
    )
    if attribute == none:
        return None
    values = desk.attributes[attribute]
    return Split(attribute, _select("A", values, "a"), _select("B", values, "b", index=1))


def _notices(desk: Desk, scope: Scope, table: pl.DataFrame) -> None:
    """What a reader must know first: pale cohorts, orders before the day of joining."""
    begun = asked.history(desk, scope.grain)
    if table["young_history"].any():
        words_ = _(
            "Cohorts before {period} are pale: the data begin in mid-business, so they hold old customers."
        )
        markup.notice(words_.format(period=desk.read.period(begun.until or 0, scope.grain, long=True)))
    if begun.joined_before:
        words_ = _("{n} customers ordered before the day on which they joined; they count from the order on.")
        markup.notice(words_.format(n=desk.show.decimal(begun.joined_before, 0)))


def _grid_card(desk: Desk, scope: Scope, chosen: Chosen, table: pl.DataFrame) -> None:
    mean = mean_curve(_comparable(table))
    with st.container(border=True, key="card-cohorts"):
        _head(desk, scope, chosen, table, _finding(desk, scope, mean))
        means = dict(mean.select("age", "rate").iter_rows()) if chosen.value == "rate" else {}
        grid = Grid(table, _shade(desk, chosen), _words(desk, scope), partial(_note, desk), _cell(), means)
        cell_grid(cohort_grid(grid), key=f"{KEY}.grid", chosen=retention_cells.choose)
        _key(desk, chosen, table)


def _comparable(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(~pl.col("young_history"))


def _cell() -> str:
    return str(st.session_state.get(retention_cells.CELL) or "")


def _shade(desk: Desk, chosen: Chosen) -> Shade:
    unit = VALUES[chosen.value][1]
    show = desk.show
    if unit == "rate":
        return Shade(chosen.value, lambda value: show.decimal(100 * value, 1))
    if unit == "money":
        return Shade(chosen.value, lambda value: show.axis(value, "money"))
    return Shade(chosen.value, lambda value: show.value(value, unit))


def _words(desk: Desk, scope: Scope) -> Words:
    return Words(
        cohort=lambda code: desk.read.period(code, scope.grain),
        day=desk.show.day_of_year,
        count=lambda size: desk.show.decimal(size, 0),
        label=_("Cohorts by the period in which they began, and periods since"),
        heads=(_("Began in"), _("Customers")),
        closes=_("{day}"),
        young=_("May hold old customers"),
        mean=_("All, weighted"),
    )


def _note(desk: Desk, cell: Row) -> str:
    """The tooltip of a cell: the share with its interval, or why there is none."""
    show = desk.show
    if cell["rate"] is None:
        closes = _("closes on {day}").format(day=show.day(cell["closes_on"]))  # type: ignore[arg-type]  # a date
        return str(cell["reason"]) if cell["complete"] else f"{cell['reason']}: {closes}"
    counted = _("{active} of {n}").format(active=f"{cell['active']:,}", n=f"{cell['base']:,}")
    share = show.percent(float(str(cell["rate"])))
    if cell["lower"] is None:
        return f"{share}, {counted}"
    bounds = [show.percent(float(str(cell[name]))) for name in ("lower", "upper")]
    return _("{share} ({lower} to {upper}), {counted}").format(
        share=share, lower=bounds[0], upper=bounds[1], counted=counted
    )


def _head(desk: Desk, scope: Scope, chosen: Chosen, table: pl.DataFrame, title: str) -> None:
    sizes = table.filter(pl.col("age") == table["age"].min())["size"]
    note = _("{what} by {grain} since they began \N{MIDDLE DOT} n = {n} \N{MIDDLE DOT} as of {day}")
    said = note.format(
        what=_(VALUES[chosen.value][0]),
        grain=_(GRAINS[scope.grain]).lower(),
        n=desk.show.decimal(sizes.sum(), 0),
        day=desk.show.day(desk.as_of),
    )
    with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
        st.html(markup.card_head(title, said))
        with st.popover(
            _("About this chart"),
            icon=":material/more_horiz:",
            key="menu-cohorts",
            type="tertiary",
            help=_("Definition and download"),
        ):
            st.html(markup.facts(_definition(chosen)))
            downloads.buttons("cohorts", lambda: _file(desk, scope, table), "cohorts")


def _definition(chosen: Chosen) -> Mapping[str, str]:
    events = chosen.plain.events
    return {
        _("Counted"): words(chosen.definition),
        _("Begins with"): _(STARTS[events.start]),
        _("Goes on with"): _(BACKS[events.back]),
        _("Interval"): _("Wilson, 95\N{NARROW NO-BREAK SPACE}%"),
        _("Mean"): _("all customers of the cohorts whose period is over, together"),
        _("Not shown"): _("shares of fewer than {n} customers").format(n=chosen.plain.min_n),
    }


def _file(desk: Desk, scope: Scope, table: pl.DataFrame) -> pl.DataFrame:
    names = {code: desk.read.period(code, scope.grain) for code in table["cohort"].unique()}
    named = pl.col("cohort").replace_strict(names, return_dtype=pl.String)
    return table.with_columns(named, as_of=desk.as_of)


def _finding(desk: Desk, scope: Scope, mean: pl.DataFrame) -> str:
    """How many of a hundred come back early and late, over all cohorts."""
    rates = {age: rate for age, rate in mean.select("age", "rate").iter_rows() if age > 0}
    if not rates:
        return _("No period after the first is over yet")
    early = min(rates)
    late = max((age for age in rates if age <= 12), default=early)
    show, grain = desk.show, _(GRAINS[scope.grain]).lower()
    if late == early:
        return _("{share} come back in {grain} {age}").format(
            share=show.percent(rates[early]), grain=grain, age=early
        )
    return _("{first} come back in {grain} {early}, {last} in {grain} {late}").format(
        first=show.percent(rates[early]), last=show.percent(rates[late]), grain=grain, early=early, late=late
    )


def _key(desk: Desk, chosen: Chosen, table: pl.DataFrame) -> None:
    """What the signs of the grid mean."""
    parts = [_("Choose a cell to see its customers.")]
    if VALUES[chosen.value][1] == "rate":
        parts.append(_("Per cent."))
    running = '<i class="running"></i>' + _("still runs; the day is the one on which it closes")
    pale = '<i class="young"></i>' + _("may hold old customers") if table["young_history"].any() else ""
    spans = "".join(f"<span>{part}</span>" for part in (" ".join(parts), running, pale) if part)
    st.html(f'<p class="cells-key">{spans}</p>')


def _compared_card(desk: Desk, scope: Scope, chosen: Chosen, split: Split) -> None:
    """The grids of two segments, and the difference between them."""
    tables = [
        shown(asked.cohort_cells(desk, asked.segment(scope, split.attribute, value), chosen.cohorts), scope)
        for value in (split.a, split.b)
    ]
    apart = difference(*tables)
    named = {"A": split.a, "B": split.b, "B - A": f"{split.b} \N{MINUS SIGN} {split.a}"}
    with st.container(border=True, key="card-cohorts"):
        _head(desk, scope, chosen, apart, _gap(desk, scope, split, tables))
        side = st.segmented_control(
            _("Shown"),
            SIDES,
            default=SIDES[2],
            required=True,
            format_func=lambda each: named[each],
            key=f"{KEY}.side",
            bind="query-params",
            label_visibility="collapsed",
        )
        words_ = _words(desk, scope)
        if side == SIDES[2]:
            shade = Shade("difference", lambda value: desk.show.signed(100 * value, 1), diverging=True)
            grid = Grid(apart, shade, words_, partial(_note_apart, desk))
        else:
            table = tables[SIDES.index(side or "A")]
            grid = Grid(table, _shade(desk, chosen), words_, partial(_note, desk))
        cell_grid(cohort_grid(grid), key=f"{KEY}.grid", chosen=retention_cells.choose)
        markup.note(_("Differences are in percentage points of the rate; hover for the interval."))


def _note_apart(desk: Desk, cell: Row) -> str:
    if cell["difference"] is None:
        return str(cell["reason"] or _("one of the two has no figure"))
    low, point, high = (
        desk.show.change(float(str(cell[name])), "rate") for name in ("lower", "difference", "upper")
    )
    return _("{point} ({low} to {high})").format(point=point, low=low, high=high)


def _gap(desk: Desk, scope: Scope, split: Split, tables: Sequence[pl.DataFrame]) -> str:
    """Who comes back more in the first period after the start, in one sentence."""
    rates = []
    for table in tables:
        early = mean_curve(_comparable(table)).filter(pl.col("age") > 0).head(1)
        if early.is_empty():
            return _("{b} against {a}").format(a=split.a, b=split.b)
        rates.append(float(early["rate"][0]))
    return _("{a}: {first} come back in {grain} 1, {b}: {second}").format(
        a=split.a,
        b=split.b,
        first=desk.show.percent(rates[0]),
        second=desk.show.percent(rates[1]),
        grain=_(GRAINS[scope.grain]).lower(),
    )
