"""Below the grid: retention curves under two definitions side by side, the layer cake, payback."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard import retention_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves, layer_cake
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.retention_choices import DEFINITIONS, MEANS, words
from dashboard.state import GRAINS, HISTORY, Scope
from dashboard.text import gettext as _
from dashboard.views.retention_controls import Chosen
from dashboard.views.retention_payback import payback_card
from metrics.periods import Grain
from metrics.retention import Cohorts, mean_curve

MILESTONES: Final = {
    Grain.WEEK: (1, 4, 8, 13, 26, 52),
    Grain.MONTH: (1, 2, 3, 6, 12, 24),
    Grain.QUARTER: (1, 2, 3, 4, 8, 12),
    Grain.YEAR: (1, 2, 3, 4, 5),
}
MOST_ROWS: Final = 8
LAYERS: Final = 8
"""Layers of a cake at most; older cohorts share the lowest."""


def draw(desk: Desk, scope: Scope, chosen: Chosen) -> None:
    """The curve with the two definitions beside it; below them what cohorts bring and what they cost."""
    left, right = st.columns(2)
    with left:
        chart_card(*_curve_card(desk, scope, chosen))
    with right:
        _side_by_side(desk, scope, chosen)
    left, right = st.columns(2)
    with left:
        chart_card(*_cake_card(desk, scope, chosen.plain))
    with right:
        chart_card(*payback_card(desk, scope, chosen.plain))


def mean(desk: Desk, scope: Scope, chosen: Chosen, name: str) -> pl.DataFrame:
    """All cohorts up to the scope's period as one curve, under a definition."""
    table = asked.cohort_cells(desk, scope, chosen.under(name))
    known = table.filter(~pl.col("young_history"), pl.col("cohort") <= scope.period)
    return mean_curve(known, weighted=chosen.mean == "weighted")


def _curve_card(desk: Desk, scope: Scope, chosen: Chosen) -> tuple[Card, Chart | None, str]:
    """All cohorts as one curve, under each of the two definitions, or of each of the two segments."""
    show, grain = desk.show, _(GRAINS[scope.grain]).lower()
    drawn = {name: found for name, found in _drawn(desk, scope, chosen).items() if len(found)}
    card = Card(
        key="retention-curve",
        title=_curve_finding(desk, grain, drawn),
        note=_("{mean} by {grain} since they began \N{MIDDLE DOT} bands hold 95 %").format(
            mean=_(MEANS[chosen.mean][0]), grain=grain
        ),
        definition={
            _(DEFINITIONS[name][0]): words(name) for name in dict.fromkeys((chosen.definition, chosen.beside))
        },
        columns=[
            Column(grain.capitalize(), "number"),
            *(Column(name, "number") for name in drawn),
        ],
        rows=lambda: _curve_rows(desk, drawn),
        frame=lambda: pl.concat([found.with_columns(curve=pl.lit(n)) for n, found in drawn.items()]),
    )
    if not drawn or max(len(found) for found in drawn.values()) < 2:
        return card, None, _("A curve needs two periods after the first that are over.")
    lines = [_line(desk, name, found) for name, found in drawn.items()]
    alt = _("Retention by {grain}: {first}").format(grain=grain, first=lines[0].notes[0])
    return card, curves(lines, partial(show.axis, unit="rate"), lambda at: f"{at:g}", alt), ""


def _curve_finding(desk: Desk, grain: str, drawn: Mapping[str, pl.DataFrame]) -> str:
    """Where the two curves lie furthest apart, within the first twelve periods: later ones rest on few."""
    if len(drawn) == 2:
        (a, first), (b, second) = drawn.items()
        gap = (pl.col("rate") - pl.col("rate_right")).abs()
        both = first.join(second, on="age").filter(pl.col("age") <= 12).sort(gap, descending=True).head(1)
        for age, x, y in both.select("age", "rate", "rate_right").iter_rows():
            text = _("{a} and {b} lie furthest apart in {grain} {age}: {x} against {y}")
            show = desk.show.percent
            return text.format(a=a, b=b, grain=grain, age=age, x=show(x), y=show(y))
    return _("Share of customers who come back")


def _drawn(desk: Desk, scope: Scope, chosen: Chosen) -> dict[str, pl.DataFrame]:
    """The curves from the first age after the start on, each by its name."""
    split = chosen.split
    if split is None:
        names = dict.fromkeys((chosen.definition, chosen.beside))
        found = {_(DEFINITIONS[name][0]): mean(desk, scope, chosen, name) for name in names}
    else:
        sides = zip(split.names, (split.a, split.b), strict=True)
        found = {
            name: mean(desk, asked.segment(scope, split.attribute, value), chosen, chosen.definition)
            for name, value in sides
        }
    return {name: curve.filter(pl.col("age") > 0) for name, curve in found.items()}


def _line(desk: Desk, name: str, found: pl.DataFrame) -> Curve:
    show = desk.show
    lower, upper = (
        found[bound].cast(pl.Float64).fill_null(np.nan).to_numpy() for bound in ("lower", "upper")
    )
    rates = found.select("rate", "n").iter_rows()
    notes = [f"{show.percent(share)}, n = {show.decimal(n, 0)}" for share, n in rates]
    ages = found["age"].to_numpy().astype(np.float64)
    return Curve(name, ages, found["rate"].to_numpy(), lower, upper, notes)


def _curve_rows(desk: Desk, means: dict[str, pl.DataFrame]) -> list[list[str]]:
    ages = sorted({age for found in means.values() for age in found["age"]})
    rates = [dict(found.select("age", "rate").iter_rows()) for found in means.values()]
    return [[str(age), *(desk.show.value(rate.get(age), "rate") for rate in rates)] for age in ages]


def _side_by_side(desk: Desk, scope: Scope, chosen: Chosen) -> None:
    """The numbers of both definitions at a few ages, and how far they lie apart."""
    names = (chosen.definition, chosen.beside)
    means = [mean(desk, scope, chosen, name) for name in names]
    both = means[0].join(means[1], on="age", how="full", coalesce=True, suffix="_beside").sort("age")
    told = both.filter(pl.col("age").is_in(MILESTONES[scope.grain]) | (both["age"].n_unique() < MOST_ROWS))
    heads = [Column(_(GRAINS[scope.grain]), "number")]
    for name in names:
        heads += [Column(_(DEFINITIONS[name][0]), "number"), Column(_("95 %"))]
    heads.append(Column(_("Apart"), "number"))
    title = _("Two definitions side by side")
    note = _("All cohorts together, the same customers counted twice; every period in the curve's table")
    with st.container(border=True, key="card-definitions", height="stretch"):
        st.html(markup.card_head(title, note))
        if told.is_empty():
            markup.note(_("No cohort is large enough, or over for long enough, under either of them."))
        else:
            markup.show_table(heads, [_pair(desk, row) for row in told.iter_rows(named=True)], title)
        for name in dict.fromkeys(names):
            markup.note(f"{_(DEFINITIONS[name][0])}: {words(name)}.")


def _pair(desk: Desk, row: dict[str, object]) -> list[str]:
    cells = [str(row["age"])]
    for suffix in ("", "_beside"):
        rate, lower, upper = (row[f"{name}{suffix}"] for name in ("rate", "lower", "upper"))
        bounds = MISSING
        if isinstance(lower, float) and isinstance(upper, float):
            bounds = f"{desk.show.decimal(100 * lower, 1)}\N{EN DASH}{desk.show.decimal(100 * upper, 1)}"
        cells += [_rate(desk, rate), bounds]
    first, second = row["rate"], row["rate_beside"]
    known = isinstance(first, float) and isinstance(second, float)
    cells.append(desk.show.change(second - first, "rate") if known else MISSING)  # type: ignore[operator]  # both are numbers
    return cells


def _rate(desk: Desk, rate: object) -> str:
    return desk.show.percent(rate) if isinstance(rate, float) else MISSING


def _cake_card(desk: Desk, scope: Scope, plain: Cohorts) -> tuple[Card, Chart | None, str]:
    """What each period's revenue is made of, by the year in which its customers began."""
    show, read = desk.show, desk.read
    found = asked.layers(desk, scope, plain)
    first = scope.period - HISTORY[scope.grain] + 1
    inside = found.filter(pl.col("period").is_between(first, scope.period))
    wide = _layered(desk, inside, scope, first)
    names = [name for name in wide.columns if name != "period"]
    card = Card(
        key="layer-cake",
        title=_cake_finding(desk, scope, wide),
        note=_("net revenue of known customers by {grain}, {currency}").format(
            grain=_(GRAINS[scope.grain]).lower(), currency=show.currency
        ),
        definition={_("Layer"): _("customers by the year in which they began; returns are taken off")},
        columns=[Column(_(GRAINS[scope.grain])), *(Column(name, "number") for name in names)],
        rows=lambda: [
            [read.period(row[0], scope.grain), *(show.exact_money(cell) for cell in row[1:])]
            for row in wide.iter_rows()
        ],
        frame=lambda: inside,
    )
    if len(wide) < 2 or not names:
        return card, None, _("A layer cake needs two periods with revenue.")
    values = wide.select(pl.col(names).cast(pl.Float64)).to_numpy().T
    periods = [read.tick(code, scope.grain) for code in wide["period"]]
    money = partial(show.axis, unit="money")
    return card, layer_cake(periods, names, values, money, money, card.title), ""


def _layered(desk: Desk, rows: pl.DataFrame, scope: Scope, first: int) -> pl.DataFrame:
    """One row a period, one column a year of beginning."""
    years = {code: str(desk.calendar.start(code, scope.grain).year) for code in rows["cohort"].unique()}
    keep = sorted(set(years.values()))[-LAYERS:]
    older = _("before {year}").format(year=keep[0]) if keep else ""
    named = {code: year if year in keep else older for code, year in years.items()}
    layer = pl.col("cohort").replace_strict(named, return_dtype=pl.String).alias("layer")
    sums = rows.group_by("period", layer).agg(pl.col("net_amount").sum()).sort("layer")
    wide = sums.pivot(on="layer", index="period", values="net_amount")
    every = pl.DataFrame({"period": pl.int_range(first, scope.period + 1, dtype=pl.Int32, eager=True)})
    begun = every.filter(pl.col("period") >= rows["period"].min()) if len(rows) else every.clear()
    return begun.join(wide, on="period", how="left").fill_null(0)


def _cake_finding(desk: Desk, scope: Scope, wide: pl.DataFrame) -> str:
    if wide.is_empty() or len(wide.columns) < 3:
        return _("Revenue by the year in which customers began")
    *_rest, youngest = wide.columns
    total = sum(float(wide[name][-1]) for name in wide.columns[1:])
    if total <= 0:
        return _("Revenue by the year in which customers began")
    older = 1 - float(wide[youngest][-1]) / total
    return _("{share} of revenue in {period} comes from customers won before {year}").format(
        share=desk.show.percent(older, 0),
        period=desk.read.period(scope.period, scope.grain, long=True),
        year=youngest,
    )
