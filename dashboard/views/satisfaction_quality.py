"""Return on quality: what closing each dimension's gap would do to retention and to customer equity."""

from __future__ import annotations

import streamlit as st

from dashboard import linkage_data as asked
from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.survey_words import dimension
from dashboard.text import gettext as _
from metrics.instruments import Instrument
from metrics.reasons import Reason
from metrics.return_on_quality import Return


def draw(desk: Desk, scope: Scope, instrument: Instrument, days: int) -> None:
    """The card: points and cost to enter, and one row a dimension."""
    with st.container(border=True, key="card-quality", height="stretch"):
        head = st.empty()
        with st.grid(2, min_column_width=150, gap="small"):
            points = st.number_input(
                _("Points to close"), 0.1, 6.0, 0.5, 0.1, key="satisfaction.points", bind="query-params"
            )
            cost = st.number_input(
                _("Cost of the programme, {currency}").format(currency=desk.show.currency),
                0.0,
                None,
                0.0,
                1000.0,
                key="satisfaction.cost",
                bind="query-params",
            )
        found = asked.returns(desk, scope, instrument, days, points, cost)
        if isinstance(found, Reason):
            head.html(markup.card_head(_("Return on quality"), _("what closing a gap is worth")))
            markup.note(sentence(found.text))
            return
        head.html(markup.card_head(_finding(desk, instrument, found), _note(desk, found)))
        _table(desk, instrument, found)


def _finding(desk: Desk, instrument: Instrument, found: list[Return]) -> str:
    worth = [each for each in found if each.net is not None]
    if not worth:
        return _("No dimension's slope is supported by the data")
    best = max(worth, key=lambda each: each.net or 0.0)
    return _("{dimension}: {points} points are worth {equity}").format(
        dimension=dimension(desk, instrument, best.term),
        points=desk.show.decimal(best.points, 1),
        equity=desk.show.change(best.net, "money"),
    )


def _note(desk: Desk, found: list[Return]) -> str:
    words = _(
        "change of customer equity if the gap closed for every customer; yearly retention is {rate} now. "
        "Respondents are not all customers: try it on some first"
    )
    return words.format(rate=desk.show.percent(found[0].retention))


def _table(desk: Desk, instrument: Instrument, found: list[Return]) -> None:
    show = desk.show
    heads = [Column(_("Dimension")), Column(_("Retention"), "number"), Column(_("Equity"), "number")]
    heads += [Column(_("95 % interval")), *([Column(_("Less cost"), "number")] if found[0].cost else [])]
    rows = []
    for each in found:
        name = dimension(desk, instrument, each.term)
        if each.equity is None or each.after is None:
            rows.append([name, _("n/a"), _("n/a"), _("slope not supported"), _("n/a")][: len(heads)])
            continue
        bounds = f"{show.change(each.lower, 'money')} {_('to')} {show.change(each.upper, 'money')}"
        moved = show.change(each.after - each.retention, "rate")
        row = [name, moved, show.change(each.equity, "money"), bounds, show.change(each.net, "money")]
        rows.append(row[: len(heads)])
    markup.show_table(heads, rows, _("Return on quality"))
    markup.note(
        _(
            "The odds of being retained for a year move as the odds of an order within the days chosen. n/a: "
            "the data do not tell the slope from none, so nothing is reckoned from it."
        )
    )
