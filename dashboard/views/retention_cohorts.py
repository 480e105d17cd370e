"""Cohorts: the grid under the chosen definition, of all customers or of two segments and their difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import retention_data as asked
from dashboard import sheet
from dashboard.charts.cohorts import Grid, Row, Shade, Words, cohort_grid
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.parts import downloads, markup, states
from dashboard.parts.cell_grid import cell_grid
from dashboard.retention_choices import BACKS, MEANS, STARTS, VALUES, words
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.views import retention_cells, retention_curves
from dashboard.views.retention_controls import KEY, Chosen, Split, controls
from metrics.cohort_differences import TOTALS, difference
from metrics.definitions import Unit
from metrics.retention import mean_curve

MOST: Final = 36
"""Ages that a grid shows at most."""
SIDES: Final = ("A", "B", "B - A")


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    chosen = controls(desk, scope)
    every = asked.cohort_cells(desk, scope, chosen.cohorts)
    table = shown(every, scope, chosen.many)
    if table.is_empty():
        fault = _("Nobody began in these periods. Widen the filters, or choose a later period.")
        states.empty("group_off", _("No customers yet"), fault)
        return
    _notices(desk, scope, table, chosen.cohorts.min_n)
    if chosen.split is None:
        _grid_card(desk, scope, chosen, table)
        retention_cells.cell_list(desk, scope, chosen.cohorts, table)
    else:
        _compared_card(desk, scope, chosen, chosen.split)
    retention_curves.draw(desk, scope, chosen)


def shown(table: pl.DataFrame, scope: Scope, many: int) -> pl.DataFrame:
    """The cohorts up to the scope's period, and the running one after it where there is one."""
    last = scope.period + 1
    return table.filter(pl.col("cohort").is_between(last - many, last), pl.col("age") <= MOST)


def _notices(desk: Desk, scope: Scope, table: pl.DataFrame, min_n: int) -> None:
    """What a reader must know first: pale cohorts, orders before the day of joining, cohorts of few."""
    begun = asked.history(desk, scope.grain)
    if table["young_history"].any():
        words_ = _(
            "Cohorts before {period} are pale: the data begin in mid-business, so they hold old customers."
        )
        markup.notice(words_.format(period=desk.read.period(begun.until or 0, scope.grain, long=True)))
    if begun.joined_before:
        words_ = ngettext(
            "{n} customer ordered before the day of joining, and counts from the order on.",
            "{n} customers ordered before the day of joining, and count from the order on.",
            begun.joined_before,
        )
        markup.notice(words_.format(n=desk.show.decimal(begun.joined_before, 0)))
    few = table.filter(pl.col("size") < min_n)["cohort"].n_unique()
    if few:
        words_ = _(
            "{few} of {n} cohorts have fewer than {least} customers: their cells hold no figures. Choose "
            "longer periods, or set `min_n` in `rapport.yaml`."
        )
        every = table["cohort"].n_unique()
        markup.notice(words_.format(few=few, n=every, least=min_n))


def _grid_card(desk: Desk, scope: Scope, chosen: Chosen, table: pl.DataFrame) -> None:
    mean = retention_curves.mean(desk, scope, chosen, chosen.definition)
    closed = not table.filter(pl.col("age") > 0, pl.col("complete")).is_empty()
    with st.container(border=True, key="card-cohorts"):
        _head(desk, scope, chosen, table, _finding(desk, scope, mean, closed=closed))
        means = dict(mean.select("age", "rate").iter_rows()) if chosen.value == "rate" else {}
        words_ = _words(desk, scope, chosen)
        grid = Grid(table, _shade(desk, chosen), words_, partial(_note, desk), _cell(), means)
        cell_grid(cohort_grid(grid), key=f"{KEY}.grid", chosen=retention_cells.choose)
        sheet.record(lambda: _block(desk, scope, chosen, grid))
        _key(desk, chosen, table)


def _block(desk: Desk, scope: Scope, chosen: Chosen, grid: Grid) -> sheet.Table:
    """The grid as data, shaded as it is drawn."""
    cells = {(row["cohort"], row["age"]): row[grid.shade.column] for row in grid.table.iter_rows(named=True)}
    sizes = dict(grid.table.select("cohort", "size").iter_rows())
    ages = [age for age, _last in grid.spans]
    values = {cohort: [cells.get((cohort, age)) for age in ages] for cohort in sorted(sizes)}
    rows = [
        (
            grid.words.cohort(cohort),
            grid.words.count(sizes[cohort]),
            *("" if value is None else grid.shade.show(float(value)) for value in found),
        )
        for cohort, found in values.items()
    ]
    heat = [
        (None, None, *(None if v is None else max(-1.0, min(float(v) / grid.deepest, 1.0)) for v in found))
        for found in values.values()
    ]
    return sheet.Table(
        key="cohorts",
        title=grid.words.label,
        note=words(chosen.definition),
        heads=(*grid.words.heads, *(str(age) for age in ages)),
        kinds=("", *("number" for _place in range(len(ages) + 1))),
        rows=tuple(rows),
        heat=tuple(heat),
        frame=_file(desk, scope, grid.table),
    )


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


def _words(desk: Desk, scope: Scope, chosen: Chosen) -> Words:
    return Words(
        cohort=lambda code: desk.read.period(code, scope.grain),
        day=desk.show.day_of_year,
        count=lambda size: desk.show.decimal(size, 0),
        label=_("Cohorts by the period in which they began, and periods since"),
        heads=(_("Began in"), _("Customers")),
        closes=_("{day}"),
        young=_("May hold old customers"),
        mean=_(MEANS[chosen.mean][0]),
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
        n=with_unit(int(sizes.sum()), "customers", desk.show),
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
        _("Interval"): _interval(chosen),
        _("Mean"): _(MEANS[chosen.mean][1]),
        _("Not shown"): _("shares of fewer than {n} customers").format(n=chosen.plain.min_n),
    }


def _interval(chosen: Chosen) -> str:
    """How the interval of the shown value is made; outside of comparisons the one of the rate is told."""
    if chosen.split is None or chosen.value == "rate":
        return _("Wilson, 95\N{NARROW NO-BREAK SPACE}%")
    if chosen.value in TOTALS:
        return _("none: counted in full")
    return _("over customers by the delta method, 95\N{NARROW NO-BREAK SPACE}%")


def _file(desk: Desk, scope: Scope, table: pl.DataFrame) -> pl.DataFrame:
    names = {code: desk.read.period(code, scope.grain) for code in table["cohort"].unique()}
    named = pl.col("cohort").replace_strict(names, return_dtype=pl.String)
    return table.with_columns(named, as_of=desk.as_of)


def _finding(desk: Desk, scope: Scope, mean: pl.DataFrame, *, closed: bool) -> str:
    """How many of a hundred come back early and late, over all cohorts."""
    rates = {age: rate for age, rate in mean.select("age", "rate").iter_rows() if age > 0}
    if not rates:
        few = _("No cohort is large enough to show how many come back")
        return few if closed else _("No period after the first is over yet")
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
    """The grids of two segments, and the difference between them; below it the customers of a cell."""
    scopes = [asked.segment(scope, split.attribute, value) for value in (split.a, split.b)]
    tables = [
        shown(asked.bounded_cells(desk, each, chosen.cohorts, chosen.value), scope, chosen.many)
        for each in scopes
    ]
    apart = difference(tables[0], tables[1], chosen.value)
    a, b = split.names
    named = {"A": a, "B": b, "B - A": f"{b} \N{MINUS SIGN} {a}"}
    with st.container(border=True, key="card-cohorts"):
        _head(desk, scope, chosen, apart, _gap(desk, scope, split, tables))
        side = _side(SIDES, named, "side", SIDES[2])
        words_ = _words(desk, scope, chosen)
        if side == SIDES[2]:
            note = partial(_note_apart, desk, VALUES[chosen.value][1])
            grid = Grid(apart, _shade_apart(desk, chosen), words_, note, _cell())
        else:
            grid = Grid(
                tables[SIDES.index(side)], _shade(desk, chosen), words_, partial(_note, desk), _cell()
            )
        cell_grid(cohort_grid(grid), key=f"{KEY}.grid", chosen=retention_cells.choose)
        sheet.record(lambda: _block(desk, scope, chosen, grid))
        if side == SIDES[2]:
            markup.note(f"{_('Choose a cell to see its customers.')} {_about_apart(chosen)}")
        else:
            _key(desk, chosen, grid.table)
    of = SIDES.index(side)
    if side == SIDES[2]:
        of = SIDES.index(_side(SIDES[:2], named, "of", SIDES[0]))
    retention_cells.cell_list(desk, scopes[of], chosen.cohorts, tables[of], split.names[of])


def _side(sides: Sequence[str], named: Mapping[str, str], key: str, default: str) -> str:
    """A choice among the segments, and their difference."""
    found = st.segmented_control(
        _("Shown") if key == "side" else _("Customers of"),
        sides,
        default=default,
        required=True,
        format_func=lambda each: named[each],
        key=f"{KEY}.{key}",
        bind="query-params",
        label_visibility="collapsed" if key == "side" else "visible",
    )
    return found or default


def _shade_apart(desk: Desk, chosen: Chosen) -> Shade:
    """How differences are written: points for shares, the unit itself for all else."""
    unit, show = VALUES[chosen.value][1], desk.show
    if unit == "rate":
        return Shade("difference", lambda value: show.signed(100 * value, 1), diverging=True)
    return Shade("difference", lambda value: show.change(value, unit), diverging=True)


def _about_apart(chosen: Chosen) -> str:
    """What the differences are, and which of them are more than chance."""
    if chosen.value in TOTALS:
        return _(
            "Differences of sums, which are counted in full and so have no interval; they grow with the size "
            "of the segments. A rate, orders each or value to date tell them apart customer by customer."
        )
    if VALUES[chosen.value][1] == "rate":
        return _("Differences are in percentage points, coloured where the 95 % interval leaves out zero.")
    return _("Differences a customer, coloured where the 95 % interval leaves out zero.")


def _note_apart(desk: Desk, unit: Unit, cell: Row) -> str:
    if cell["difference"] is None:
        return str(cell["reason"] or _("one of the two has no figure"))
    if cell["lower"] is None:
        return desk.show.change(float(str(cell["difference"])), unit)
    low, point, high = (
        desk.show.change(float(str(cell[name])), unit) for name in ("lower", "difference", "upper")
    )
    return _("{point} ({low} to {high})").format(point=point, low=low, high=high)


def _gap(desk: Desk, scope: Scope, split: Split, tables: Sequence[pl.DataFrame]) -> str:
    """Who comes back more in the first period after the start, in one sentence."""
    rates = []
    for table in tables:
        early = mean_curve(_comparable(table)).filter(pl.col("age") > 0).head(1)
        if early.is_empty():
            return _("{b} against {a}").format(a=split.names[0], b=split.names[1])
        rates.append(float(early["rate"][0]))
    return _("{a}: {first} come back in {grain} 1, {b}: {second}").format(
        a=split.names[0],
        b=split.names[1],
        first=desk.show.percent(rates[0]),
        second=desk.show.percent(rates[1]),
        grain=_(GRAINS[scope.grain]).lower(),
    )
