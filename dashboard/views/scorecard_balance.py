"""The balanced view: how far each segment has come on every driver, soft ones beside hard ones."""

from __future__ import annotations

import math

import polars as pl
import streamlit as st

from dashboard.charts.matrix import MatrixCell, MatrixRow
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup
from dashboard.parts.markup import Column
from dashboard.parts.matrices import show_matrix
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_words import Shown
from metrics.scorecard_targets import balance


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """The matrix of what is attained, with the weighted score; then the bridge from soft to hard."""
    scores = balance(shown.table, shown.plan)
    with st.container(border=True, key="card-scorecard-balance"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            st.html(
                markup.card_head(
                    _finding(desk, scores),
                    _("per cent of the target reached \N{MIDDLE DOT} weights sum to 100 %"),
                )
            )
            downloads.buttons("balanced-scorecard", lambda: shown.table, "scorecard-balance")
        _matrix(desk, shown, scores)
        markup.note(
            _("Orange: below amber; bold orange: below red. Weighted score: mean over the drivers known.")
        )
    _drivers(desk, shown)


def _finding(desk: Desk, scores: pl.DataFrame) -> str:
    known = scores.drop_nulls("score").sort("score")
    if known.is_empty():
        return _("How far each segment has come")
    return _("{segment} is furthest from its targets: {score} reached").format(
        segment=known["segment"][0], score=desk.show.percent(known["score"][0], 0)
    )


def _matrix(desk: Desk, shown: Shown, scores: pl.DataFrame) -> None:
    cells = {(row["segment"], row["driver"]): row for row in shown.table.iter_rows(named=True)}
    drivers = [each.driver for each in shown.plan.drivers if any(key[1] == each.driver for key in cells)]
    rows = [
        MatrixRow(
            segment,
            MISSING if score is None else desk.show.percent(score, 0),
            [_cell(desk, cells.get((segment, driver))) for driver in drivers],
        )
        for segment, score in scores.sort("score", nulls_last=True).select("segment", "score").iter_rows()
    ]
    heads = [words.label(shown, driver) for driver in drivers]
    show_matrix(
        (_("Segment"), _("Score")), heads, rows, _("Share of the target reached by segment and driver")
    )


def _cell(desk: Desk, row: words.Row | None) -> MatrixCell | None:
    if row is None or row["attained"] is None:
        return MatrixCell(MISSING, _("not known here"), masked=True)
    text = desk.show.decimal(100 * row["attained"], 0)
    title = f"{words.goal(desk, row)}, {_(words.BANDS[row['band']])}"
    shade = {"green": 0.25, "amber": -0.35, "red": -0.9}[row["band"]]
    return MatrixCell(text, title, shade, strong=row["band"] == "red")


def _drivers(desk: Desk, shown: Shown) -> None:
    """Weights, tags and, of soft drivers, the effect on a hard one."""
    markup.section(_("From soft to hard"), _("what a soft driver is worth is fitted, never assumed"))
    heads = [
        Column(_("Driver")),
        Column(_("Kind")),
        Column(_("Weight"), "number"),
        Column(_("Worth of all gaps"), "number"),
        Column(_("How it becomes money"), "wide"),
    ]
    shares = dict(shown.table.group_by("driver").agg(pl.col("share").sum()).iter_rows())
    known = set(shown.table.filter(pl.col("share").is_not_null())["driver"])
    rows = [
        [
            each.label,
            _(words.TAGS[each.tag]),
            desk.show.percent(each.weight, 0),
            desk.show.change(shares.get(each.driver), "money") if each.driver in known else _("n/a"),
            _effect(desk, shown, each.driver),
        ]
        for each in shown.plan.drivers
    ]
    total = [_("All"), "", desk.show.percent(shown.plan.weights, 0), "", ""]
    markup.show_table(heads, rows, _("Drivers, their weights and effects"), total=total)


def _effect(desk: Desk, shown: Shown, driver: str) -> str:
    ways = {
        "retention": _("longer relationships"),
        "categories": _("more categories a customer"),
        "revenue_per_category": _("more revenue a category"),
        "margin_rate": _("more margin on revenue"),
        "cost_to_serve": _("less cost a customer"),
        "acquisition_rate": _("more new customers"),
        "acquisition_cost": _("cheaper new customers"),
        "referral_rate": _("new customers without acquisition cost, as counted"),
        "win_back_rate": _("customers who come back, without acquisition cost"),
    }
    if driver != "satisfaction":
        return ways[driver]
    link = shown.facts.link
    if link is None:
        return _("n/a: {reason}").format(reason=shown.facts.unlinked)
    words_ = _(
        "retention: a point more goes with {odds} times the odds of an order within a year, fitted on {n} "
        "answers with orders, recency and value before them held constant; an association"
    )
    return words_.format(odds=desk.show.decimal(math.exp(link.slope), 2), n=desk.show.count(link.n))
