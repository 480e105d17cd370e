"""Gaps by segment: which group is served worse than the others, where enough of them answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard import sheet
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup, respondents
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.filter_bar import heading
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import SURE, between, dimension, gap_or_mean, is_sure, p_value, signed
from dashboard.text import gettext as _
from dashboard.views.satisfaction_respondents import name
from metrics.disclosure import withheld
from metrics.instruments import Instrument
from metrics.satisfaction import OVERALL
from metrics.selection import SEGMENT

THIN = 100
Row = Mapping[str, object]


@dataclass(frozen=True)
class Segments:
    """What the table shows: gaps by value and dimension, those of everybody, the attribute and the period."""

    table: pl.DataFrame
    whole: pl.DataFrame
    by: str
    period: int

    @property
    def deepest(self) -> float:
        """The difference of the deepest shade."""
        found = self.table["difference"].abs().max()
        return float(found) if isinstance(found, float) and found > 0 else 1.0


def draw(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """The table of an attribute's values by dimension."""
    if not _splits(desk):
        return
    head, pick = st.columns([3, 1], vertical_alignment="bottom")
    with pick:
        by = _attribute(desk)
    table = kept(asked.segments(desk, scope, instrument, found, by), instrument.min_n)
    with head:
        title = _("By {attribute}").format(attribute=heading(by).lower())
        markup.section(title, _finding(desk, instrument, table))
    if table.is_empty():
        markup.note(_("No respondent has a value of this attribute."))
        return
    whole = asked.gap_table(desk, scope, instrument, found.period)
    shown = Segments(table, whole, by, found.period)
    sheet.record(lambda: _block(desk, instrument, shown))
    with st.container(border=True, key="card-segments"):
        html = segments_html(desk, instrument, shown)
        cell_grid(html, key=f"satisfaction.segments.{by}", chosen=respondents.choose)
        _key(instrument)
        downloads.buttons(f"gaps-by-{by}", lambda: table, "satisfaction.segments.files")


def _attribute(desk: Desk) -> str:
    chosen = st.selectbox(
        _("Split by"),
        _splits(desk),
        format_func=heading,
        key="satisfaction.by",
        bind="query-params",
    )
    return chosen or _splits(desk)[0]


def _splits(desk: Desk) -> list[str]:
    return [*desk.attributes, *([SEGMENT] if desk.segments.book.rules else [])]


def kept(table: pl.DataFrame, least: int) -> pl.DataFrame:
    """The table without the figures of groups that are too small to show; `hidden` names them."""
    whole = table.filter(dimension=OVERALL)
    small = whole["by"].filter(pl.Series(withheld(whole["n_second"], least)))
    hidden = pl.col("by").is_in(small.implode())
    figures = [column for column, dtype in table.schema.items() if dtype == pl.Float64]
    return table.with_columns(hidden=hidden).with_columns(pl.when(~hidden).then(pl.col(figures)).name.keep())


def _finding(desk: Desk, instrument: Instrument, table: pl.DataFrame) -> str:
    """The cell that lies farthest below the others beyond chance."""
    told = table.filter((pl.col("p_holm") < SURE) & (pl.col("difference") < 0)).sort("difference")
    if told.is_empty():
        return _("no group differs from the others beyond chance (Holm over all cells)")
    row = told.row(0, named=True)
    words = _("{group} falls short most: {dimension} {gap}, {apart} against the others (p {p}, Holm)")
    return words.format(
        group=row["by"],
        dimension=dimension(desk, instrument, row["dimension"]).lower(),
        gap=signed(desk.show, row["gap_second"]),
        apart=signed(desk.show, row["difference"]),
        p=p_value(desk.show, row["p_holm"]),
    )


def segments_html(desk: Desk, instrument: Instrument, shown: Segments) -> str:
    """The table as HTML: shades show the difference from the others, arrows what a test tells."""
    names = [OVERALL, *instrument.dimensions]
    rows = {(row["by"], row["dimension"]): row for row in shown.table.iter_rows(named=True)}
    heads = "".join(f'<th scope="col">{escape(dimension(desk, instrument, of))}</th>' for of in names)
    body = _everybody(desk, instrument, shown)
    for group in shown.table["by"].unique(maintain_order=True):
        n = desk.show.decimal(rows[group, OVERALL]["n_second"], 0)
        cells = "".join(_cell(desk, instrument, shown, rows[group, of]) for of in names)
        body += f'<tr><th scope="row">{escape(group)}</th><td class="size">{n}</td>{cells}</tr>'
    label = escape(_("Gaps by {attribute}").format(attribute=heading(shown.by).lower()))
    first = f'<th scope="col">{escape(heading(shown.by))}</th><th scope="col">n</th>'
    return (
        f'<div class="cells" role="region" aria-label="{label}" tabindex="0"><table class="cells wide">'
        f"<thead><tr>{first}{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _everybody(desk: Desk, instrument: Instrument, shown: Segments) -> str:
    """The row of all respondents, above those of the groups."""
    of_all = {row["dimension"]: row for row in shown.whole.iter_rows(named=True)}
    n = desk.show.decimal(of_all[OVERALL]["n"], 0)
    cells = ""
    for of in (OVERALL, *instrument.dimensions):
        row = of_all[of]
        text = escape(gap_or_mean(desk, instrument, row["gap"]))
        title = escape(between(desk.show, row), quote=True)
        figure = escape(name("dimension", shown.period, of), quote=True)
        button = f'<button type="button" data-cell="{figure}" class="whole" title="{title}">{text}</button>'
        cells += f"<td>{button}</td>"
    return f'<tr class="mean"><th scope="row">{escape(_("All"))}</th><td class="size">{n}</td>{cells}</tr>'


def _cell(desk: Desk, instrument: Instrument, shown: Segments, row: Row) -> str:
    gap, apart = row["gap_second"], row["difference"]
    if not isinstance(gap, float):
        why = _("fewer than {n} respondents, or so few others that they could be reckoned")
        title = escape(why.format(n=instrument.min_n), quote=True)
        return f'<td><span class="few" title="{title}">{MISSING}</span></td>'
    apart = apart if isinstance(apart, float) else 0.0
    told = is_sure(row["p_holm" if row["dimension"] != OVERALL else "p_value"])
    thin = int(str(row["n_second"])) < THIN
    kinds = " ".join(kind for kind, on in (("below", apart < 0), ("told", told), ("thin", thin)) if on)
    figure = escape(name("segment", shown.period, shown.by, row["by"], row["dimension"]), quote=True)
    text = escape(_arrow(apart if told else 0.0) + gap_or_mean(desk, instrument, gap))
    return (
        f'<td><button type="button" data-cell="{figure}" class="{kinds}" '
        f'style="--h:{min(abs(apart) / shown.deepest, 1.0):.2f}" '
        f'title="{escape(_tooltip(desk, row, apart), quote=True)}">{text}</button></td>'
    )


def _block(desk: Desk, instrument: Instrument, shown: Segments) -> sheet.Table:
    """The table as data, for reports."""
    names = [OVERALL, *instrument.dimensions]
    cells = {(row["by"], row["dimension"]): row for row in shown.table.iter_rows(named=True)}
    groups = shown.table["by"].unique(maintain_order=True).to_list()
    rows = [
        (
            group,
            str(cells[group, OVERALL]["n_second"]),
            *(gap_or_mean(desk, instrument, cells[group, of]["gap_second"]) for of in names),
        )
        for group in groups
    ]
    heat = [[cells[group, of]["difference"] for of in names] for group in groups]
    return sheet.Table(
        key=f"gaps-by-{shown.by}",
        title=_("Gaps by {attribute}").format(attribute=heading(shown.by).lower()),
        heads=(heading(shown.by), "n", *(dimension(desk, instrument, of) for of in names)),
        kinds=("", *["number"] * (len(names) + 1)),
        rows=tuple(rows),
        heat=tuple((None, None, *(None if d is None else d / shown.deepest for d in row)) for row in heat),
        frame=shown.table,
    )


def _arrow(apart: float) -> str:
    if not apart:
        return ""
    return "\N{BLACK DOWN-POINTING TRIANGLE} " if apart < 0 else "\N{BLACK UP-POINTING TRIANGLE} "


def _tooltip(desk: Desk, row: Row, apart: float) -> str:
    words = _("{apart} against the others ({bounds}), p {p}, n = {n}")
    bounds, p = between(desk.show, row), p_value(desk.show, row["p_value"])
    return words.format(apart=signed(desk.show, apart), bounds=bounds, p=p, n=row["n_second"])


def _key(instrument: Instrument) -> None:
    words = _(
        "Shade: difference from all others, amber below and blue above. Arrow: beyond chance. Pale: under "
        "{thin} respondents. Dash: fewer than {n}, or hidden so that no small group can be worked out."
    )
    markup.note(words.format(n=instrument.min_n, thin=THIN))
