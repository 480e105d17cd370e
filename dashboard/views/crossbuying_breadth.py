"""Breadth: how many categories, compared at equal orders, by group, and where customers begin."""

from __future__ import annotations

from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import crossbuying_data as asked
from dashboard.charts.bars import bars
from dashboard.charts.layout import Chart
from dashboard.charts.matrix import MatrixCell, MatrixRow
from dashboard.charts.retention import Curve, curves
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, filter_bar, markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.parts.matrices import show_matrix
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.crossbuying import ALL, second_category_within
from metrics.frames import CATEGORY
from metrics.survival import life_table, median_survival

BY: Final = "crossbuying.by"
MOST_GROUPS: Final = 6
LEAST: Final = 30
"""Groups with fewer customers are not drawn: their mean says little."""


def render(desk: Desk, scope: Scope) -> None:
    """The distribution, the fair comparison, the matrix, and what the first category leads to."""
    by = _by(desk)
    markup.note(
        _(
            "Whoever orders more often holds more categories, whatever the taste. So groups are compared at "
            "an equal number of orders: how many categories any k of a customer's orders hold."
        )
    )
    left, right = st.columns([2, 3])
    with left:
        chart_card(*_distribution(desk, scope))
    with right:
        chart_card(*_rarefied(desk, scope, by))
    if by is not None:
        _groups(desk, scope, by)
        _penetration(desk, scope, by)
    _beginnings(desk, scope)


def _by(desk: Desk) -> str | None:
    names = [*filter_bar.MAIN, *(name for name in desk.attributes if name not in filter_bar.MAIN)]
    names = [name for name in names if name in desk.attributes]
    if not names:
        return None
    return st.selectbox(
        _("Compare by"),
        names,
        index=names.index("channel") if "channel" in names else 0,
        format_func=heading,
        key=BY,
        bind="query-params",
        width=240,
    )


def _distribution(desk: Desk, scope: Scope) -> tuple[Card, Chart | None, str]:
    """How many customers hold how many categories."""
    show = desk.show
    counted = asked.bought(desk, scope).customers["categories"].value_counts().sort("categories")
    names = [show.decimal(number, 0) for number in counted["categories"]]
    counts = counted["count"].to_list()
    n = sum(counts)
    one = counts[0] if counted["categories"][0] == 1 else 0
    card = Card(
        key="crossbuying-distribution",
        title=_("{share} of customers have stayed in one category").format(share=show.percent(one / n)),
        note=_("customers by categories held \N{MIDDLE DOT} n = {n} \N{MIDDLE DOT} as of {day}").format(
            n=show.count(n), day=show.day(desk.as_of)
        ),
        definition={
            _("Held"): _("Something of the category was bought and not all of it returned"),
            _("Customers"): _("Those who bought in any category"),
        },
        columns=[Column(_("Categories"), "number"), Column(_("Customers"), "number")],
        rows=lambda: [[name, show.count(count)] for name, count in zip(names, counts, strict=True)],
        frame=lambda: counted.rename({"count": "customers"}),
    )
    if len(names) < 2:
        return card, None, _("Every customer holds the same number of categories.")
    alt = _("Customers by the number of categories they hold, from {first} to {last}")
    return card, bars(names, counts, show.count, alt.format(first=names[0], last=names[-1])), ""


def _rarefied(desk: Desk, scope: Scope, by: str | None) -> tuple[Card, Chart | None, str]:
    """Categories to expect in k orders, by group."""
    show = desk.show
    table = asked.rarefied(desk, scope, by).filter(pl.col("customers") >= LEAST)
    card = Card(
        key="crossbuying-rarefied",
        title=_fair_finding(desk, scope, table, by),
        note=_("categories to expect in so many orders, with 95 % intervals \N{MIDDLE DOT} {by}").format(
            by=_("all customers") if by is None else _("by {name}").format(name=heading(by).lower())
        ),
        definition={
            _("Categories in k orders"): _(
                "Mean over customers with k orders or more of the categories that k of their orders, drawn "
                "at random, hold: sum over categories c of 1 - C(n - n_c, k) / C(n, k) (rarefaction)"
            ),
            _("Not shown"): _("groups with fewer than {n} customers").format(n=LEAST),
        },
        columns=[
            Column(heading(by) if by else _("Group")),
            Column(_("Orders"), "number"),
            Column(_("Customers"), "number"),
            Column(_("Categories"), "number"),
            Column(_("95 % interval")),
        ],
        rows=lambda: [_rarefied_row(desk, row) for row in table.iter_rows(named=True)],
        frame=lambda: table,
    )
    lines = [_curve(part) for part in table.partition_by("by", maintain_order=True) if len(part) > 1]
    if not lines:
        return card, None, _("Nobody has ordered twice in enough numbers to compare.")
    lines = sorted(lines, key=lambda line: -line.x.size)[:MOST_GROUPS]
    alt = _("Categories to expect in one to {k} orders, by group").format(k=asked.ORDERS)
    across = partial(_orders, desk)
    return card, curves(lines, lambda value: show.decimal(value, 0), across, alt), ""


def _orders(desk: Desk, count: float) -> str:
    return desk.show.decimal(count, 0)


def _curve(part: pl.DataFrame) -> Curve:
    name = str(part["by"][0])
    x, y, low, high = (
        part[column].cast(pl.Float64).to_numpy() for column in ("orders", "categories", "lower", "upper")
    )
    return Curve(_("All customers") if name == ALL else name, x, y, low, high)


def _rarefied_row(desk: Desk, row: dict[str, object]) -> list[str]:
    show = desk.show
    low, high = (row[name] for name in ("lower", "upper"))
    between = MISSING if low is None else f"{_number(desk, low)} \N{EN DASH} {_number(desk, high)}"
    return [
        _("All customers") if row["by"] == ALL else str(row["by"]),
        show.decimal(int(str(row["orders"])), 0),
        show.count(int(str(row["customers"]))),
        _number(desk, row["categories"]),
        between,
    ]


def _number(desk: Desk, value: object) -> str:
    return MISSING if value is None else desk.show.decimal(float(str(value)), 2)


def _fair_finding(desk: Desk, scope: Scope, table: pl.DataFrame, by: str | None) -> str:
    """The widest difference in plain means, and what is left of it at three orders."""
    at = table.filter(pl.col("orders") == 3).sort("categories")
    if by is None or len(at) < 2:
        return _("Categories to expect in so many orders")
    plain = asked.summary(desk, scope, by).filter(pl.col("by").is_in(at["by"].to_list())).sort("categories")
    before = plain["categories"][-1] - plain["categories"][0]
    after = at["categories"][-1] - at["categories"][0]
    return _("At three orders the groups differ by {after} categories, not by {before}").format(
        before=desk.show.decimal(before, 2), after=desk.show.decimal(after, 2)
    )


def _groups(desk: Desk, scope: Scope, by: str) -> None:
    """The measures of each group in one table, with the fair one beside the plain one."""
    fair = (
        asked.rarefied(desk, scope, by)
        .filter(pl.col("orders") == 3)
        .select("by", pl.col("categories").alias("in_three"))
    )
    table = pl.concat([asked.summary(desk, scope), asked.summary(desk, scope, by)])
    whole = (
        asked.rarefied(desk, scope)
        .filter(pl.col("orders") == 3)
        .select("by", pl.col("categories").alias("in_three"))
    )
    joined = table.join(pl.concat([whole, fair]), on="by", how="left", maintain_order="left")
    heads = [
        Column(heading(by)),
        Column(_("Customers"), "number"),
        Column(_("Categories held"), "number"),
        Column(_("In 3 orders"), "number"),
        Column(_("Two or more"), "number"),
        Column(_("95 % interval")),
        Column(_("In the largest"), "number"),
        Column(_("Entropy"), "number"),
    ]
    rows = [_group(desk, row) for row in joined.iter_rows(named=True)]
    markup.section(_("By group"), _second(desk, scope))
    markup.show_table(heads, rows, _("Cross-buying by group"))
    markup.note(
        _(
            "In the largest: mean share of revenue in a customer's largest category. Entropy: 0 for one "
            "category, 0.69 for two equal ones, 1.10 for three."
        )
    )


def _group(desk: Desk, row: dict[str, object]) -> list[str]:
    show = desk.show
    rate = partial(_rate, desk)
    return [
        _("All customers") if row["by"] == ALL else str(row["by"]),
        show.count(int(str(row["customers"]))),
        _number(desk, row["categories"]),
        _number(desk, row["in_three"]),
        rate(row["multi_share"]),
        f"{rate(row['multi_lower'])} \N{EN DASH} {rate(row['multi_upper'])}",
        rate(row["focus"]),
        _number(desk, row["entropy"]),
    ]


def _rate(desk: Desk, value: object) -> str:
    return MISSING if value is None else desk.show.percent(float(str(value)))


def _second(desk: Desk, scope: Scope) -> str:
    """How soon the second category comes, by Kaplan and Meier."""
    lives = asked.lives(desk, scope)
    within = second_category_within(lives)
    if within is None:
        return ""
    days = median_survival(life_table(lives))
    half = "" if days is None else _(", half of all by day {n}").format(n=desk.show.decimal(days, 0))
    return _("{share} hold a second category within a year{half}, by Kaplan and Meier").format(
        share=desk.show.percent(within), half=half
    )


def _penetration(desk: Desk, scope: Scope, by: str) -> None:
    """Which group holds which category, shaded against all customers."""
    table = asked.penetration(desk, scope, by)
    whole = dict(table.filter(pl.col("by") == ALL).select(CATEGORY, "share").iter_rows())
    names = sorted(whole, key=lambda name: -whole[name])
    rows = [
        _penetration_row(desk, part, names, whole) for part in table.partition_by("by", maintain_order=True)
    ]
    with st.container(border=True, key="card-crossbuying-penetration"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            st.html(
                markup.card_head(
                    _("Who holds what"),
                    _("per cent of each group's customers \N{MIDDLE DOT} blue: more than all, orange: fewer"),
                )
            )
            downloads.buttons("penetration", lambda: table, "crossbuying-penetration")
        label = _("Penetration by group and category")
        show_matrix((heading(by), _("Customers")), names, rows, label)
        markup.note(
            _(
                "Bold: the 95 % interval leaves out the share of all. Larger groups with more orders hold "
                "more."
            )
        )


def _penetration_row(desk: Desk, part: pl.DataFrame, names: list[str], whole: dict[str, float]) -> MatrixRow:
    cells = {row[CATEGORY]: row for row in part.iter_rows(named=True)}
    group = str(part["by"][0])
    drawn = [_penetration_cell(desk, cells[name], whole[name], group) for name in names]
    label = _("All customers") if group == ALL else group
    return MatrixRow(label, desk.show.count(int(part["n"][0])), drawn, total=group == ALL)


def _penetration_cell(desk: Desk, row: dict[str, float], of_all: float, group: str) -> MatrixCell:
    show, share = desk.show, row["share"]
    title = _("{share} ({low} to {high}), {holders} of {n}").format(
        share=show.percent(share),
        low=show.percent(row["lower"]),
        high=show.percent(row["upper"]),
        holders=show.count(row["holders"]),
        n=show.count(row["n"]),
    )
    if row["n"] < desk.project.min_n:
        return MatrixCell(MISSING, _("fewer than {n} customers").format(n=desk.project.min_n), masked=True)
    apart = 0.0 if group == ALL or not of_all else (share / of_all - 1) / 0.5
    strong = group != ALL and not row["lower"] <= of_all <= row["upper"]
    return MatrixCell(show.decimal(100 * share, 0), title, apart, strong=strong)


def _beginnings(desk: Desk, scope: Scope) -> None:
    """The cohorts by first category: who moves on, how far, and where to."""
    markup.section(_("Where customers begin"), _("by the category of the first purchase"))
    heads = [
        Column(_("First category")),
        Column(_("Customers"), "number"),
        Column(_("A second in a year"), "number"),
        Column(_("95 % interval")),
        Column(_("Categories by now"), "number"),
        Column(_("Most often next")),
    ]
    table = asked.beginnings(desk, scope)
    rate = partial(_rate, desk)
    rows = [
        [
            str(row[CATEGORY]),
            desk.show.count(row["customers"]),
            rate(row["second_year"]),
            f"{rate(row['lower'])} \N{EN DASH} {rate(row['upper'])}",
            _number(desk, row["categories"]),
            str(row["next"] or MISSING),
        ]
        for row in table.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Cohorts by first category"))
    markup.note(_("Who began in several categories at once stands in each of them."))
