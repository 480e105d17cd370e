"""Cross-buyers who lose money: how many, how much of all loss, why, and who."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import polars as pl
import streamlit as st

from dashboard import crossbuying_data as asked
from dashboard.charts.bars import bars
from dashboard.charts.layout import Chart
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.cross_buyers import EXTREME, by_trait, losses
from metrics.selection import Missing

NAMES: Final[Mapping[str, str]] = {
    "service": later("Service over-use"),
    "returns": later("Returns"),
    "discount": later("Discounts only"),
    "limit": later("Spends very little"),
}
MEANINGS: Final[Mapping[str, str]] = {
    "service": later("contacts and visits cost much of what was bought"),
    "returns": later("much of what was bought came back"),
    "discount": later("bought far below the list price"),
    "limit": later("orders are too small to pay for their handling"),
}
NONE: Final = "none"


def render(desk: Desk, scope: Scope) -> None:
    """The figures, the loss by trait, and the customers."""
    try:
        rows = asked.losing(desk, scope)
    except Missing as missing:
        text = _("{reason} Map `cost` of `order_lines` in `sources.yaml`.")
        states.empty("money_off", _("No contribution yet"), text.format(reason=sentence(str(missing))))
        return
    found = losses(rows)
    if not found["losing"]:
        text = _("No customer of two categories or more costs more than he or she brings.")
        states.empty("sentiment_satisfied", _("Nobody loses money here"), text)
        return
    _figures(desk, found)
    left, right = st.columns([3, 2])
    with left:
        chart_card(*_traits(desk, rows))
    with right:
        _meanings(desk)
    _list(desk, scope)


def _figures(desk: Desk, found: dict[str, float]) -> None:
    show = desk.show
    figure_row(
        [
            Stated(
                _("Cross-buyers losing"),
                show.percent(found["losing_share"]),
                _("{n} of {of} with two categories or more").format(
                    n=show.count(found["losing"]), of=show.count(found["cross_buyers"])
                ),
            ),
            Stated(
                _("Share of all loss"),
                show.percent(found["share"]),
                _("{loss} of {total} lost on customers").format(
                    loss=show.money(-found["loss"]), total=show.money(-found["total_loss"])
                ),
            ),
            Stated(
                _("Each of them"),
                show.money(found["mean_losing"]),
                _("contribution so far, on average"),
            ),
            Stated(
                _("The other ones"),
                show.money(found["mean_earning"]),
                _("contribution of cross-buyers who earn"),
            ),
        ],
        "crossbuying-losses",
    )


def _traits(desk: Desk, rows: pl.DataFrame) -> tuple[Card, Chart | None, str]:
    show = desk.show
    table = by_trait(rows)
    names = [_(NAMES[trait]) if trait else _("None of the four") for trait in table["trait"]]
    lost = (-table["loss"]).to_list()
    total = sum(lost)
    card = Card(
        key="crossbuying-traits",
        title=_("{trait}: {share} of what cross-buyers lose").format(
            trait=names[0], share=show.percent(lost[0] / total)
        ),
        note=_("loss by the trait that sets each of them apart most \N{MIDDLE DOT} as of {day}").format(
            day=show.day(desk.as_of)
        ),
        definition={_(name): _(MEANINGS[trait]) for trait, name in NAMES.items()},
        columns=[Column(_("Trait")), Column(_("Customers"), "number"), Column(_("Loss"), "number")],
        rows=lambda: [
            [name, show.count(n), show.money(loss)]
            for name, n, loss in zip(names, table["customers"], table["loss"], strict=True)
        ],
        frame=lambda: table,
    )
    alt = _("Loss of unprofitable cross-buyers by trait, {first} first").format(first=names[0])
    return card, bars(names, lost, partial(show.axis, unit="money"), alt), ""


def _meanings(desk: Desk) -> None:
    with st.container(border=True, key="card-crossbuying-meanings", height="stretch"):
        st.html(
            markup.card_head(
                _("What the traits mean"),
                _("beyond {share} of the cross-buyers who earn money").format(
                    share=desk.show.percent(EXTREME, 0)
                ),
            )
        )
        st.html(markup.facts({_(name): _(MEANINGS[trait]) for trait, name in NAMES.items()}))
        markup.note(
            _(
                "Categories count whether or not the goods came back. These customers are kept off the "
                "lists of whom to offer more: every further category deepens the loss."
            )
        )


def _list(desk: Desk, scope: Scope) -> None:
    rows = asked.losing_list(desk, scope)
    markup.section(
        _("Customers"), _("the greatest loss first; several traits can hold, the first sets apart most")
    )
    names = {trait: _(name) for trait, name in NAMES.items()}
    joined = pl.col("traits").list.eval(pl.element().replace(names)).list.join(", ")
    why = pl.when(pl.col("traits").list.len() > 0).then(joined).otherwise(pl.lit(_("none of the four")))
    said = rows.with_columns(traits=why)
    front = [name for name in ("customer_id", "name", "email") if name in said.columns]
    ordered = said.select(*front, "traits", pl.all().exclude(*front, "traits"))
    customer_list(
        desk,
        ordered,
        key="crossbuying.losing",
        file="losing-cross-buyers",
        label=_("Cross-buyers who lose money"),
        names={
            "traits": _("Why"),
            "net_amount": _("Revenue"),
            "contact_cost": _("Contact cost"),
            "service": _("Contact cost rate"),
            "returns": _("Returned"),
            "discount_rate": _("Discount"),
            "limit": _("Per order"),
        },
        units={
            "contribution": "money",
            "net_amount": "money",
            "margin": "money",
            "contact_cost": "money",
            "service": "rate",
            "returns": "rate",
            "discount_rate": "rate",
            "limit": "money",
        },
    )
