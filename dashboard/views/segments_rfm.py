"""RFM: the bins with their edges and sizes, the grid of scores, and the named parts of it."""

from __future__ import annotations

from html import escape

import polars as pl
import streamlit as st

from dashboard import segment_questions as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.markup import Column
from dashboard.parts.own_table import own_table
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.rfm import Rfm


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    spec = asked.scoring(desk)
    if spec is None:
        text = _("The metric `rfm` says how customers are scored; it is missing or broken.")
        states.empty("grid_off", _("No scoring"), text.replace("`", ""))
        return
    if "orders" not in desk.whole.frames:
        states.empty("grid_off", _("No orders"), _("RFM scores what customers ordered. Map `order_lines`."))
        return
    rows = asked.scores(desk, scope, spec)
    if rows.is_empty():
        states.empty("group_off", _("Nobody to score"), _("No customer in these filters has ordered."))
        return
    left, right = st.columns([5, 6], gap="medium")
    with left:
        _grid(desk, rows, spec)
    with right:
        _named(desk, rows, spec)
    _bins(desk, rows, spec)


def _grid(desk: Desk, rows: pl.DataFrame, spec: Rfm) -> None:
    """Customers by recency score down and value score across; the shade is the share."""
    show = desk.show
    counts = {(r, v): n for r, v, n in rows.group_by("recency_score", "value_score").len().iter_rows()}
    top = max(counts.values())
    scores = range(1, spec.bins + 1)
    head = "".join(f'<th scope="col">{score}</th>' for score in scores)
    body = ""
    for recency in reversed(scores):
        cells = ""
        for value in scores:
            n = counts.get((recency, value), 0)
            part = _part(spec, recency, value)
            cells += (
                f'<td><span style="background: color-mix(in oklab, var(--series) {58 * n / top:.0f}%, '
                f'transparent)" title="{escape(part)}">{escape(show.count(n))}</span></td>'
            )
        body += f'<tr><th scope="row">{recency}</th>{cells}</tr>'
    with st.container(border=True, key="card-rfm-grid"):
        note = _("recency score down, value score across; {n} scored customers").format(
            n=show.count(len(rows))
        )
        st.html(markup.card_head(_("Customers by score"), note))
        own_table(
            f'<div class="cells"><table class="cells rfm"><thead><tr><th>{escape(_("R / FM"))}</th>'
            f"{head}</tr></thead><tbody>{body}</tbody></table></div>",
            _("Customers by score"),
        )
        markup.note(
            _(
                "Customers with equal values share one score, so that bins may be empty. The value score is "
                "the mean of frequency and monetary score, halves rounded up."
            )
        )


def _part(spec: Rfm, recency: int, value: int) -> str:
    """The name of the part of the grid that a cell belongs to."""
    fits = (
        each.label
        for each in spec.segments
        if each.recency[0] <= recency <= each.recency[1] and each.value[0] <= value <= each.value[1]
    )
    return next(fits, "")


def _named(desk: Desk, rows: pl.DataFrame, spec: Rfm) -> None:
    """The named segments with their sizes, what they brought and how long they are silent."""
    show = desk.show
    labels = {segment.name: segment.label for segment in spec.segments}
    sums = rows.group_by(pl.col("rfm_segment").cast(pl.String)).agg(
        pl.len(),
        pl.col("monetary").cast(pl.Float64).sum(),
        pl.col("recency").median(),
        pl.col("frequency").mean(),
    )
    found = {row[0]: row[1:] for row in sums.iter_rows()}
    total = float(rows["monetary"].cast(pl.Float64).sum())
    body = []
    for name, label in labels.items():
        n, money, recency, frequency = found.get(name, (0, 0.0, None, None))
        share = show.percent(money / total) if total > 0 else ""
        days = "" if recency is None else show.decimal(recency, 0)
        each = "" if frequency is None else show.decimal(frequency, 1)
        body.append([label, show.count(n), show.percent(n / len(rows)), share, days, each])
    heads = [Column(_("Segment")), Column(_("Customers"), "number"), Column(_("Share"), "number")]
    heads += [Column(_("of revenue"), "number"), Column(_("Silent days"), "number")]
    heads += [Column(_("Orders each"), "number")]
    markup.show_table(heads, body, _("RFM segments"))


def _bins(desk: Desk, rows: pl.DataFrame, spec: Rfm) -> None:
    """Edges and sizes of every bin."""
    show = desk.show
    names = {"recency": _("Recency (days)"), "frequency": _("Frequency (orders)"), "monetary": _("Money")}
    own = [key for key in ("recency", "frequency", "monetary") if getattr(spec.edges, key)]
    window = _("of the last {n} days").format(n=spec.days) if spec.days else _("of all history")
    markup.section(_("Bins"), window)
    body = []
    for score_of, score, lowest, highest, customers in asked.bins(rows, spec).iter_rows():
        money = score_of == "monetary"
        ends = [
            "" if value is None else show.exact_money(value) if money else show.decimal(value, 0)
            for value in (lowest, highest)
        ]
        body.append([names[score_of], str(score), *ends, show.count(customers)])
    heads = [Column(_("Of")), Column(_("Score"), "number"), Column(_("from"), "number")]
    heads += [Column(_("to"), "number"), Column(_("Customers"), "number")]
    markup.show_table(heads, body, _("Bins of RFM"))
    edges = ", ".join(own) if own else _("none; bins are of equal size as far as ties allow")
    text = _(
        "Edges of this project: {edges}. Override `edges`, `bins`, `days`, `segments` of the metric `rfm`."
    )
    markup.note(text.format(edges=edges))
