"""What respondents did by band of what they had felt: curves, a table, and who they are."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard import linkage_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.desk import Desk
from dashboard.linkage_data import Felt
from dashboard.parts import markup, respondents
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.survey_words import answers, dimension, is_sure, label, p_value
from dashboard.text import gettext as _
from dashboard.views.satisfaction_respondents import BAR, name

POINTS: Final = 150
Drawn = tuple[Card, Chart | None, str]


def draw_curves(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    """The card with the time until the next order by band; a click on a curve lists its respondents."""
    card, chart, otherwise = _survival(desk, scope, felt, days)
    chart_card(card, chart, otherwise, respondents.of_chart(chart))


def open_chosen(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    """Open the drawer of the band or dimension that was clicked in this run, if one was."""
    kind, *parts = (respondents.taken() or "").split(BAR)
    match kind, parts:
        case "band", [band, _place]:
            rows = asked.in_band(desk, scope, felt, days, int(band))
            title = (
                f"{_band_names(desk, scope, felt, days)[int(band)]} \N{MIDDLE DOT} {felt_name(desk, felt)}"
            )
            _drawer(desk, felt, days, title, rows)
        case "slope", [of] if of in felt.instrument.dimensions:
            rows = asked.behind_slope(desk, scope, Felt(felt.instrument, of), days)
            _drawer(desk, felt, days, dimension(desk, felt.instrument, of), rows)


def _drawer(desk: Desk, felt: Felt, days: int, title: str, rows: pl.DataFrame) -> None:
    """The drawer; nothing where the project does not let so few respondents be opened."""
    if not respondents.may_open(desk, len(rows), felt.instrument.min_n):
        return
    felt_as = _("Gap") if felt.instrument.has_gap and felt.instrument.dimensions else _("Answer")
    names = {
        "score": felt_as,
        "next_days": _("Days to the next order"),
        "returned": _("Ordered within {days} days").format(days=days),
    }
    words = _("{n}, the latest first.").format(n=answers(desk.show, len(rows)))
    respondents.drawer(desk, title, words, lambda: rows, names)


def felt_name(desk: Desk, felt: Felt) -> str:
    """What was felt and the survey that asked for it."""
    survey = label(desk, felt.instrument.label)
    if felt.is_gap:
        text = _("Overall gap") if felt.instrument.has_gap else _("Overall perception")
        return f"{text} \N{MIDDLE DOT} {survey}"
    return f"{label(desk, felt.instrument.questions[felt.code].label)} \N{MIDDLE DOT} {survey}"


def _band_names(desk: Desk, scope: Scope, felt: Felt, days: int) -> list[str]:
    edges = asked.edges(desk, scope, felt, days)
    show = partial(desk.show.signed, digits=2) if felt.is_gap and felt.instrument.has_gap else _plain(desk)
    if not edges:
        return [_("all")]
    inner = [
        _("{low} to under {high}").format(low=show(low), high=show(high)) for low, high in pairwise(edges)
    ]
    return [
        _("under {high}").format(high=show(edges[0])),
        *inner,
        _("{low} and more").format(low=show(edges[-1])),
    ]


def _plain(desk: Desk) -> partial[str]:
    return partial(desk.show.axis, unit="score")


def _survival(desk: Desk, scope: Scope, felt: Felt, days: int) -> Drawn:
    """Kaplan-Meier curves of the time until the next order by band."""
    table, p = asked.survival(desk, scope, felt, days)
    names = _band_names(desk, scope, felt, days)
    title = _("Time until the next order, by what was felt")
    if is_sure(p):
        title = _("Bands differ, but not in order of feeling") if _is_mixed(table) else _sooner(desk, table)
    card = Card(
        key="linkage-curves",
        title=title,
        note=_(
            "share without an order by days since the answer \N{MIDDLE DOT} bands hold 95 % "
            "\N{MIDDLE DOT} log-rank p {p}"
        ).format(p=p_value(desk.show, p)),
        definition={
            _("Method"): _("Kaplan-Meier; who has not ordered yet counts for as long as was seen"),
            _("Test"): _("log-rank: whether the bands share one curve"),
        },
        columns=[Column(_("Felt")), *(Column(h, "number") for h in (_("Day"), _("At risk"), _("Share")))],
        rows=lambda: [
            [names[row["by"]], str(row["duration"]), str(row["at_risk"]), desk.show.percent(row["survival"])]
            for row in table.gather_every(max(1, len(table) // 60)).iter_rows(named=True)
        ],
        frame=lambda: table,
    )
    lines = [
        _line(names[band], part, name("band", band))
        for (band,), part in table.partition_by("by", as_dict=True).items()
    ]
    if max((len(line.x) for line in lines), default=0) < 3:
        return card, None, _("A curve needs answers of different ages.")
    low = max(0.0, min(float(np.nanmin(line.y)) for line in lines) - 0.05)
    show = partial(desk.show.axis, unit="rate")
    return card, curves(lines, show, lambda day: f"{day:g}", card.title, steps=True, low=low, high=1.0), ""


def _line(title: str, part: pl.DataFrame, opened: str) -> Curve:
    """A band's curve over the first year, thinned to what a screen can show."""
    year = part.filter(pl.col("duration").is_between(1, 365))
    rows = year.gather_every(max(1, len(year) // POINTS))
    share = rows["survival"]
    days = np.concatenate([[0.0], rows["duration"].cast(pl.Float64).to_numpy()])
    lower, upper = (_from_one(rows[bound].fill_null(share)) for bound in ("lower", "upper"))
    return Curve(title, days, _from_one(share), lower, upper, id=opened)


def _from_one(values: pl.Series) -> NDArray[np.float64]:
    """The values of a curve with the one at its start ahead."""
    return np.concatenate([[1.0], values.to_numpy()])


def _at(table: pl.DataFrame, day: int) -> list[float]:
    parts = table.filter(pl.col("duration") <= day).group_by("by").agg(pl.col("survival").min()).sort("by")
    return parts["survival"].to_list()


def _is_mixed(table: pl.DataFrame) -> bool:
    """Whether the bands do not lie in order."""
    shares = _at(table, 90)
    return shares not in (sorted(shares), sorted(shares, reverse=True))


def _sooner(desk: Desk, table: pl.DataFrame) -> str:
    shares = _at(table, 90)
    low, high = (desk.show.percent(1 - shares[at], 0) for at in (0, -1))
    words = _("{high} of the most satisfied order within 90 days, {low} of the least")
    if shares[0] < shares[-1]:
        words = _("Against expectation {low} of the least satisfied order within 90 days, {high} of the most")
    return words.format(low=low, high=high)


def draw_table(desk: Desk, scope: Scope, felt: Felt, days: int) -> None:
    """Return and spend by band, with intervals."""
    table, show = asked.bands(desk, scope, felt, days), desk.show
    names = _band_names(desk, scope, felt, days)
    percent, money = partial(show.value, unit="rate"), partial(show.value, unit="money")
    heads = [Column(_("Felt")), Column(_("Answers"), "number"), Column(_("Ordered again"), "number")]
    heads += [Column(_("95 % interval")), Column(_("Spent each"), "number"), Column(_("95 % interval"))]
    rows = [
        [
            names[row["band"]],
            show.count(row["n"]),
            percent(row["share"]),
            f"{percent(row['lower'])} {_('to')} {percent(row['upper'])}",
            money(row["spend"]),
            f"{money(row['spend_lower'])} {_('to')} {money(row['spend_upper'])}",
        ]
        for row in table.iter_rows(named=True)
    ]
    words = _("within {days} days after the answer, as it is: nothing held constant").format(days=days)
    markup.section(_("By what was felt"), words)
    markup.show_table(heads, rows, _("By what was felt"))
