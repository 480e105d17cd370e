"""RFM: the bins with their edges and sizes, the grid of scores, and the named parts of it."""

from __future__ import annotations

from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboard import segment_questions as asked
from dashboard import sheet
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.parts.own_table import in_words
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views.segments_cells import Cell, cell_list, opener
from metrics.rfm import Rfm

CELL: Final = "segments.rfm.cell"


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
    cell_list(desk, scope, CELL, _cells(spec))


def _cells(spec: Rfm) -> dict[str, Cell]:
    """Everything on the page that holds customers, as a rule: named parts, cells of the grid, bins."""
    scores = range(spec.bins, 0, -1)
    found = {each.label: Cell(each.label, f"rfm_segment = '{each.name}'") for each in spec.segments}
    for recency in scores:
        for value in scores:
            label = _("Recency {r}, value {v}").format(r=recency, v=value)
            found[label] = Cell(label, f"recency_score = {recency} AND value_score = {value}")
    for name, label in _measures().items():
        found |= {f"{label} {k}": Cell(f"{label} {k}", f"{name}_score = {k}") for k in scores}
    return found


def _measures() -> dict[str, str]:
    return {"recency": _("Recency"), "frequency": _("Frequency"), "monetary": _("Money")}


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
            name = escape(_("Recency {r}, value {v}").format(r=recency, v=value), quote=True)
            part = escape(_part(spec, recency, value), quote=True)
            cells += (
                f'<td><button type="button" data-cell="{name}" style="--h:{n / top:.2f}" '
                f'title="{name}: {part}">{escape(show.count(n))}</button></td>'
            )
        body += f'<tr><th scope="row">{recency}</th>{cells}</tr>'
    with st.container(border=True, key="card-rfm-grid"):
        note = _("recency score down, value score across; {n} scored customers").format(
            n=show.count(len(rows))
        )
        st.html(markup.card_head(_("Customers by score"), note))
        html = (
            f'<div class="cells"><table class="cells rfm"><thead><tr><th>{escape(_("R / FM"))}</th>'
            f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        sheet.record(lambda: in_words(html, _("Customers by score")))
        cell_grid(html, key="segments.rfm.grid", chosen=opener(CELL))
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
    opening_table(heads, body, _("RFM segments"), key="segments.rfm.named", opens=opener(CELL))
    markup.note(
        _(
            "Scores compare customers with each other: where most have been silent for long, so have some "
            "with a good name. What each customer's own rhythm says stands under Lifecycle."
        )
    )


def _bins(desk: Desk, rows: pl.DataFrame, spec: Rfm) -> None:
    """Edges and sizes of every bin."""
    show = desk.show
    own = [key for key in ("recency", "frequency", "monetary") if getattr(spec.edges, key)]
    window = _("of the last {n} days").format(n=spec.days) if spec.days else _("of all history")
    markup.section(_("Bins"), window)
    bins = asked.bins(rows, spec)
    for column, (name, label) in zip(st.columns(3), _measures().items(), strict=True):
        heads = [
            Column(_titled(name, label)),
            *(Column(head, "number") for head in (_("from"), _("to"), _("Customers"))),
        ]
        body = [
            [f"{label} {score}", *_edges(desk, name, lowest, highest), show.count(customers)]
            for _of, score, lowest, highest, customers in bins.filter(score_of=name).iter_rows()
        ]
        with column:
            title = _("Bins of {name}").format(name=label.lower())
            opening_table(heads, body, title, key=f"segments.rfm.bins.{name}", opens=opener(CELL))
    edges = ", ".join(own) if own else _("none; bins are of equal size as far as ties allow")
    text = _(
        "Edges of this project: {edges}. Override `edges`, `bins`, `days`, `segments` of the metric `rfm`."
    )
    markup.note(text.format(edges=edges))


def _edges(desk: Desk, name: str, lowest: float | None, highest: float | None) -> list[str]:
    """The lowest and the highest value of a bin, with their unit; empty for a bin of nobody."""
    return ["" if value is None else _edge(desk, name, value) for value in (lowest, highest)]


def _edge(desk: Desk, name: str, value: float) -> str:
    return desk.show.exact_money(value) if name == "monetary" else desk.show.decimal(value, 0)


def _titled(name: str, label: str) -> str:
    """What a bin is of, with its unit; amounts have theirs in every cell."""
    units = {"recency": _("days"), "frequency": _("orders")}
    return f"{label} ({units[name]})" if name in units else label
