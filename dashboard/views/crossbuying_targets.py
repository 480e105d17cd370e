"""Who to offer what: one offer for each customer with its reason, and how well such offers would have hit."""

from __future__ import annotations

from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import crossbuying_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.next_category import Trained
from metrics.next_category_quality import brier, calibration
from metrics.reasons import Reason

HORIZONS: Final = (30, 60, 90, 180)
WAYS: Final = {
    "model": later("This model"),
    "popularity": later("Most popular category"),
    "group": later("Most popular in the group"),
    "rules": later("What goes with what is held"),
}


def render(desk: Desk, scope: Scope) -> None:
    """The horizon, the figures, the list, then how good it is."""
    horizon = st.selectbox(
        _("Bought within"),
        HORIZONS,
        index=2,
        format_func=lambda n: _("{n} days").format(n=n),
        key="crossbuying.horizon",
        bind="query-params",
        width=180,
    )
    with st.spinner(_("Fitting the model")):
        found = asked.following(desk, scope, horizon)
    if isinstance(found, Reason):
        states.empty("campaign", _("No offers yet"), sentence(found.text))
        return
    rows = asked.targets(desk, scope, found)
    _figures(desk, rows, found)
    _list(desk, rows, found)
    markup.section(_("Would it have hit?"), _judged(desk, found))
    left, right = st.columns([3, 2])
    with left:
        _comparison(desk, scope, found)
    with right:
        chart_card(*_calibration(desk, found))


def _figures(desk: Desk, rows: pl.DataFrame, found: Trained) -> None:
    show, best = desk.show, rows.head(max(1, len(rows) // 10))
    total = float(rows["value"].sum() or 0)
    share = float(best["value"].sum() or 0) / total if total else 0.0
    within = _("within {n} days").format(n=found.horizon)
    figure_row(
        [
            Stated(
                _("Customers to ask"),
                show.count(len(rows)),
                _("one offer each, losing cross-buyers left out"),
            ),
            Stated(_("Would buy anyway"), show.count(round(float(rows["propensity"].sum() or 0))), within),
            Stated(_("Expected margin"), show.money(total), _("chance times what a first purchase brings")),
            Stated(_("Best tenth holds"), show.percent(share, 0), _("of that; begin with them")),
        ],
        "crossbuying-targets",
    )


def _list(desk: Desk, rows: pl.DataFrame, found: Trained) -> None:
    markup.section(
        _("Whom to offer what"), _("the category that is worth most and not held yet, the best offer first")
    )
    customer_list(
        desk,
        told(rows),
        key="crossbuying.targets",
        file="cross-selling",
        label=_("Offers by customer"),
        names={
            "category": _("Offer"),
            "reason": _("Why"),
            "value": _("Expected margin"),
            "propensity": _("Chance"),
        },
        units={"value": "money", "propensity": "rate"},
    )
    markup.note(
        _(
            "Chance: of a first purchase in the category within {n} days, offered or not. It ranks; what an "
            "offer adds is known only from customers who were left out at random."
        ).format(n=found.horizon)
    )


def told(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `metrics.next_category_offers.offers` with what speaks for each offer in words."""
    partner = pl.when(pl.col("partner").is_not_null()).then(
        pl.format(_("holds {}, {} times chance together"), "partner", pl.col("lift").round(1))
    )
    last = _days(
        "recency_days", (_("last order today"), _("last order yesterday"), _("last order {} days ago"))
    )
    every = (_("usually every day"), _("usually every day"), _("usually every {} days"))
    usual = (
        pl.when(pl.col("gap_days").is_not_null())
        .then(_days("gap_days", every))
        .otherwise(pl.lit(_("one day of orders so far")))
    )
    reason = pl.concat_list(partner, last, usual).list.drop_nulls().list.join("; ")
    front = [name for name in ("customer_id", "name", "email") if name in rows.columns]
    own = ("category", "reason", "propensity", "value")
    said = rows.with_columns(reason=reason)
    hidden = ("partner", "lift", "recency_days", "gap_days")
    return said.select(*front, *own, pl.all().exclude(*front, *own, *hidden))


def _days(name: str, words: tuple[str, str, str]) -> pl.Expr:
    """A number of whole days in words: for none, for one, and for more."""
    days = pl.col(name).cast(pl.Int64)
    none, one, more = words
    return (
        pl.when(days < 1)
        .then(pl.lit(none))
        .when(days == 1)
        .then(pl.lit(one))
        .otherwise(pl.format(more, days))
    )


def _judged(desk: Desk, found: Trained) -> str:
    return _("fitted without the last {n} days, then asked about them").format(n=found.horizon)


def _comparison(desk: Desk, scope: Scope, found: Trained) -> None:
    table = asked.quality(desk, scope, found.horizon, found)
    show = desk.show
    heads = [
        Column(_("Ranked by")),
        Column(_("First of the list"), "number"),
        Column(_("Among three"), "number"),
        Column(_("MRR"), "number"),
        Column(_("Best tenth of pairs"), "number"),
    ]
    rows = [
        [
            _(WAYS[row["name"]]),
            MISSING if row["hit_1"] is None else show.percent(row["hit_1"]),
            MISSING if row["hit_3"] is None else show.percent(row["hit_3"]),
            MISSING if row["mrr"] is None else show.decimal(row["mrr"], 2),
            MISSING
            if row["top_decile"] is None
            else _("{n} times").format(n=show.decimal(row["top_decile"], 1)),
        ]
        for row in table.iter_rows(named=True)
    ]
    with st.container(border=True, key="card-crossbuying-quality", height="stretch"):
        note = _("of the {n} customers who bought in a new category, how many in one that was named")
        n = int(table["n"][0]) if len(table) else 0
        st.html(markup.card_head(_finding(table), note.format(n=show.count(n))))
        markup.show_table(heads, rows, _("The model beside rules of thumb"))
        score, base = brier(found)
        markup.note(
            _(
                "Best tenth of pairs: purchases in the tenth of customer and category pairs with the best "
                "score, against all. Brier score {score}, of saying the mean to everybody {base}; less is "
                "better."
            ).format(score=f"{score:.4f}", base=f"{base:.4f}")
        )


def _finding(table: pl.DataFrame) -> str:
    """What the model is better at, and what it is not."""
    rows = {row["name"]: row for row in table.iter_rows(named=True)}
    others = [row for name, row in rows.items() if name != "model"]
    model = rows["model"]
    if model["hit_1"] is None:
        return _("Nobody bought in a new category since")
    whom = all(model["top_decile"] > row["top_decile"] for row in others)
    what = all(model["hit_1"] >= row["hit_1"] for row in others)
    if whom and what:
        return _("The model knows better whom to ask and what to offer")
    if whom:
        return _("The model knows whom to ask; what to offer, popularity knows as well")
    return _("Popularity does as well as the model here")


def _calibration(desk: Desk, found: Trained) -> tuple[Card, Chart | None, str]:
    """Expected against actual shares by tenth of propensity."""
    show, table = desk.show, calibration(found)
    card = Card(
        key="crossbuying-calibration",
        title=_("Expected and actual shares by tenth of chance"),
        note=_("share of pairs with a first purchase \N{MIDDLE DOT} n = {n} pairs").format(
            n=show.count(int(table["n"].sum()))
        ),
        definition={
            _("Tenths"): _("All pairs of customer and category by their chance, the lowest tenth first"),
            _("Window"): _("{n} days to {day}, unknown to the model").format(
                n=found.horizon, day=show.day(desk.as_of)
            ),
        },
        columns=[
            Column(_("Tenth"), "number"),
            Column(_("Expected"), "number"),
            Column(_("Actual"), "number"),
        ],
        rows=lambda: [
            [show.decimal(row["decile"], 0), show.percent(row["expected"], 2), show.percent(row["actual"], 2)]
            for row in table.iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    x = table["decile"].cast(pl.Float64).to_numpy()
    lines = [
        Curve(_("expected"), x, table["expected"].to_numpy()),
        Curve(_("actual"), x, table["actual"].to_numpy()),
    ]
    alt = _("Expected and actual share of first purchases by tenth of chance")
    return card, curves(lines, partial(show.axis, unit="rate"), lambda at: show.decimal(at, 0), alt), ""
