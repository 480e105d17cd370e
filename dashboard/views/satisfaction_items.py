"""The gap of every item, with its interval drawn in the table; each opens its respondents."""

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
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import between, dimension, is_sure, item, p_value, signed
from dashboard.text import gettext as _
from dashboard.views.satisfaction_respondents import name
from metrics.instruments import Instrument

Row = Mapping[str, object]


@dataclass(frozen=True)
class Scale:
    """Where on the drawn scale a gap lies, in per cent of its width."""

    start: float
    span: float

    @classmethod
    def of(cls, table: pl.DataFrame) -> Scale:
        """The scale that holds every interval of a table, and zero."""
        known = table.drop_nulls("lower")
        ends = [0.0, *known["lower"].to_list(), *known["upper"].to_list()]
        span = (max(ends) - min(ends)) * 1.06 or 1.0
        return cls(min(ends) - 0.03 * span, span)

    def at(self, value: float) -> float:
        """The place of a value."""
        return 100 * (value - self.start) / self.span


def draw(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """The table of items under the headings of their dimensions."""
    table = asked.item_table(desk, scope, instrument, found.period)
    told = table.filter((pl.col("p_holm") < 0.05) & (pl.col("gap") < 0))
    words = _("{n} of {of} fall short beyond chance (Holm over all items); click one for its respondents")
    markup.section(_("Items"), words.format(n=len(told), of=len(table)))
    sheet.record(lambda: _block(desk, instrument, table))
    with st.container(border=True, key="card-items"):
        html = items_html(desk, instrument, table, found.period)
        cell_grid(html, key="satisfaction.items", chosen=respondents.choose)
        downloads.buttons("item-gaps", lambda: table, "satisfaction.items.files")


def items_html(desk: Desk, instrument: Instrument, table: pl.DataFrame, period: int) -> str:
    """The table as HTML; each gap is a button that names its item and period."""
    numbers = (_("Gap"), _("95 % interval"), _("p, Holm"), _("Expected"), _("Perceived"), "n")
    heads = [(_("Item"), ""), ("", ""), *((text, "number") for text in numbers)]
    top = "".join(f'<th scope="col" class="{kind}">{escape(text)}</th>' for text, kind in heads)
    scale, body = Scale.of(table), []
    for of in instrument.dimensions:
        head = escape(dimension(desk, instrument, of))
        body.append(f'<tr class="group"><th scope="rowgroup" colspan="{len(heads)}">{head}</th></tr>')
        rows = table.filter(dimension=of).iter_rows(named=True)
        body += [_row(desk, instrument, row, scale, period) for row in rows]
    named = escape(_("Gaps of items"))
    return (
        f'<div class="cells" role="region" aria-label="{named}" tabindex="0"><table class="gaps">'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _row(desk: Desk, instrument: Instrument, row: Row, scale: Scale, period: int) -> str:
    show, code, gap = desk.show, str(row["item"]), row["gap"]
    sides = (_mean(desk, row["expectation"]), _mean(desk, row["perception"]))
    after = (between(show, row), p_value(show, row["p_holm"]), *sides, show.decimal(int(str(row["n"])), 0))
    tone = _tone(row)
    button = _button(row, scale, tone, name("item", period, code))
    figure = escape(signed(show, gap if isinstance(gap, float) else None))
    return (
        f'<tr><td class="item"><b>{escape(code)}</b>{escape(item(desk, instrument, code))}</td>'
        f'<td class="drawn">{button}</td>'
        f'<td class="figure {tone}">{figure}</td>{_figures(after)}</tr>'
    )


def _block(desk: Desk, instrument: Instrument, table: pl.DataFrame) -> sheet.Table:
    """The table as data, for reports."""
    rows = [
        (
            f"{row['item']} {item(desk, instrument, row['item'])}",
            signed(desk.show, row["gap"]),
            between(desk.show, row),
            p_value(desk.show, row["p_holm"]),
            _mean(desk, row["expectation"]),
            _mean(desk, row["perception"]),
            str(row["n"]),
        )
        for row in table.iter_rows(named=True)
    ]
    heads = (_("Item"), _("Gap"), _("95 % interval"), _("p, Holm"), _("Expected"), _("Perceived"), "n")
    kinds = ("", *["number"] * (len(heads) - 1))
    return sheet.Table(
        key="items", title=_("Gaps of items"), heads=heads, kinds=kinds, rows=tuple(rows), frame=table
    )


def _figures(texts: tuple[str, ...]) -> str:
    return "".join(f'<td class="number">{escape(text)}</td>' for text in texts)


def _mean(desk: Desk, value: object) -> str:
    return desk.show.decimal(value, 2) if isinstance(value, float) else MISSING


def _tone(row: Row) -> str:
    gap = row["gap"]
    if not is_sure(row["p_holm"]) or not isinstance(gap, float):
        return "flat"
    return "good" if gap > 0 else "bad"


def _button(row: Row, scale: Scale, tone: str, figure: str) -> str:
    lower, upper, gap = (row[bound] for bound in ("lower", "upper", "gap"))
    if not (isinstance(lower, float) and isinstance(upper, float) and isinstance(gap, float)):
        return ""
    at = scale.at
    places = {"zero": at(0), "from": at(min(gap, 0)), "size": abs(at(gap) - at(0))}
    places |= {"low": at(lower), "wide": at(upper) - at(lower), "at": at(gap)}
    style = ";".join(f"--{part}:{place:.2f}%" for part, place in places.items())
    parts = "".join(f'<i class="{kind}"></i>' for kind in ("zero", "bar", "whisker", "dot"))
    label = escape(_("Respondents of item {code}").format(code=row["item"]), quote=True)
    return (
        f'<button type="button" data-cell="{escape(figure, quote=True)}" class="{tone}" style="{style}" '
        f'aria-label="{label}">{parts}</button>'
    )
