"""Who to offer what: one offer for each customer, with its reason and what it may bring."""

from __future__ import annotations

import polars as pl

from dashboard import crossbuying_data as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.customer_list import customer_list
from dashboard.state import Scope
from dashboard.text import gettext as _


def render(desk: Desk, scope: Scope) -> None:
    """The list with its reasons."""
    rows = asked.targets(desk, scope)
    markup.section(
        _("Whom to offer what"), _("one category each that is not held yet, the most valuable offer first")
    )
    if rows.is_empty():
        text = _("No pair of categories goes together beyond chance, so there is nothing to go by.")
        states.empty("campaign", _("No offers"), text)
        return
    customer_list(
        desk,
        _said(rows),
        key="crossbuying.targets",
        file="cross-selling",
        label=_("Offers by customer"),
        names={"category": _("Offer"), "reason": _("Why"), "value": _("Expected margin")},
        units={"value": "money", "confidence": "rate", "lift": "ratio"},
    )
    markup.note(
        _(
            "Cross-buyers who lose money are left out. Expected margin is the attach rate times what a "
            "holder of the category has brought in it; it ranks, it does not prove that the offer causes "
            "the purchase."
        )
    )


def _said(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the reason in words."""
    words = _("holds {}; {} % of such orders hold {} too, {} times chance")
    reason = pl.format(
        words,
        pl.col("has"),
        (pl.col("confidence") * 100).round(0).cast(pl.Int64),
        pl.col("category"),
        pl.col("lift").round(1),
    )
    front = [name for name in ("customer_id", "name", "email") if name in rows.columns]
    own = ("category", "reason", "value", "confidence", "lift")
    said = rows.with_columns(reason=reason)
    return said.select(*front, *own, pl.all().exclude(*front, *own, "has"))
