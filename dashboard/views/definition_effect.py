"""What an edit does, before it is saved: the figure itself, every other figure, by month and by segment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from dashboard.charts.layout import Chart
from dashboard.charts.trend import Trend, trend
from dashboard.definitions import Definitions
from dashboard.desk import Desk
from dashboard.editing import workbench
from dashboard.editing.effect import Changed
from dashboard.format import Formatter
from dashboard.parts import markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.tiles import Figure
from metrics.definitions import Style
from metrics.periods import Grain

MOST_METRICS: Final = 12
MOST_SEGMENTS: Final = 12


def preview(desk: Desk, name: str, after: Definitions, title: str, *, changed: bool = False) -> None:
    """The figure as it is, and as the text would make it."""
    if name not in after.catalog.plans:
        markup.note(_("The text does not define `{name}`.").format(name=name))
        return
    unit = after.catalog.definition(name).style
    was, then = (workbench.whole_figure(desk, found, name) for found in (desk.definitions, after))
    with st.container(border=True, key=f"card-preview-{name}"):
        st.html(_against(title, was, then, unit, desk.show, changed=changed))


def _against(title: str, was: Figure, then: Figure, unit: Style, show: Formatter, *, changed: bool) -> str:
    moved = changed and was.value != then.value
    old = f'<span class="old">{escape(show.full(was.shown, unit))} \N{RIGHTWARDS ARROW}</span>'
    notes = [_difference(was.value, then.value, unit, show) if moved else ""]
    notes.append(_("unchanged") if changed and not moved else "")
    notes.append(_("n = {n}").format(n=show.decimal(then.n, 0)) if then.n else "")
    notes.append(then.reason or "" if then.shown is None else "")
    said = "".join(f'<span class="by">{escape(text)}</span>' for text in notes if text)
    return (
        f'<div class="against" role="status"><span class="name">{escape(title)}</span>{old if moved else ""}'
        f'<span class="new">{escape(show.full(then.shown, unit))}</span>{said}</div>'
    )


def draw(desk: Desk, name: str, changes: Sequence[Changed]) -> None:
    """Every metric that changes, and one of them by month and segment."""
    markup.section(_("What this edit does"), _summary(changes))
    if not changes:
        return
    rows = [_row(change, desk.show) for change in changes[:MOST_METRICS]]
    markup.show_table(_heads(_("Metric")), rows, _("What this edit does"))
    labels = {change.name: change.label for change in changes}
    chosen = st.selectbox(
        _("By month and segment"), list(labels), format_func=lambda each: labels[each], key=f"effect.{name}"
    )
    _by_month(desk, next((each for each in changes if each.name == chosen), changes[0]))


def _summary(changes: Sequence[Changed]) -> str:
    if not changes:
        return _("No figure changes")
    return ngettext("{n} metric changes", "{n} metrics change", len(changes)).format(n=len(changes))


def _heads(first: str) -> list[Column]:
    return [Column(first), *(Column(title, "number") for title in (_("Now"), _("Then"), _("Change")))]


def _row(change: Changed, show: Formatter) -> list[str]:
    label = change.label if change.is_edited else _("{metric}, which reads it").format(metric=change.label)
    return [label, *_cells(change.before, change.after, change.unit, show)]


def _cells(before: float | None, after: float | None, unit: Style, show: Formatter) -> list[str]:
    return [show.full(before, unit), show.full(after, unit), _difference(before, after, unit, show)]


def _difference(before: float | None, after: float | None, unit: Style, show: Formatter) -> str:
    if before is None or after is None:
        return "" if before is after else (_("new") if before is None else _("gone"))
    return show.change(after - before, unit) if after != before else _("same")


def _by_month(desk: Desk, change: Changed) -> None:
    rows, show = change.months, desk.show
    periods = [desk.read.period(code, Grain.MONTH) for code in rows["period"]]
    card = Card(
        key=f"effect-{change.name}",
        title=_("{metric} by month").format(metric=change.label),
        note=_("Line: as edited. Dotted: as it is now"),
        definition={},
        columns=_heads(_("Month")),
        rows=lambda: [
            [period, *_cells(before, after, change.unit, show)]
            for period, before, after in zip(periods, rows["before"], rows["after"], strict=True)
        ][::-1],
        frame=lambda: rows.with_columns(pl.Series("period", periods)),
    )
    drawable = rows["after"].count() > 1
    chart_card(card, _chart(desk, change, periods) if drawable else None, _("Too few months have a figure."))
    for attribute, segments in change.segments.items():
        if len(segments):
            st.html(_segments(attribute, segments, change, show))


def _chart(desk: Desk, change: Changed, periods: Sequence[str]) -> Chart:
    after, before = (change.months[side].fill_null(np.nan).to_numpy() for side in ("after", "before"))
    drawn = Trend(
        periods,
        after,
        ticks=[desk.read.short(code, Grain.MONTH) for code in change.months["period"]],
        prior=None if np.isnan(before).all() else before,
        name=_("Then"),
        prior_name=_("Now"),
        from_zero=change.unit in ("money", "count", "per_thousand"),
    )
    value, tick = (partial(write, unit=change.unit) for write in (desk.show.value, desk.show.axis))
    alt = _("{metric} by month, as edited and as it is now").format(metric=change.label)
    return trend(drawn, value, tick, alt, height=260)


def _segments(attribute: str, segments: pl.DataFrame, change: Changed, show: Formatter) -> str:
    rows = [
        [str(by or _("not known")), *_cells(before, after, change.unit, show)]
        for by, before, after in segments.head(MOST_SEGMENTS).iter_rows()
    ]
    title = heading(attribute)
    return markup.table(_heads(title), rows, f"{change.label}, {title}")
