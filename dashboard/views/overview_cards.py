"""The charts of the overview: each a card with its finding, and its chart when there is one to draw."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from dashboard.charts.bars import bars
from dashboard.charts.layout import Chart
from dashboard.charts.trend import Trend, trend
from dashboard.charts.waterfall import Step, waterfall
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import Formatter
from dashboard.parts.chart_card import Card
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.state import GRAINS, Scope
from dashboard.text import gettext as _
from dashboard.tiles import Series, changed
from metrics.counted import counted
from metrics.definitions import Metric

CORE_STEPS: Final = ("new", "reactivated", "expansion", "contraction", "lost")
"""The steps that are always drawn; the others only where they are not zero."""

Drawn = tuple[Card, Chart | None, str]
"""A card, its chart, and what to say when there is none."""


def trend_card(desk: Desk, name: str, scope: Scope) -> Drawn:
    """A metric through time, beside the year before."""
    metric, reader, show = desk.metric(name), desk.read, desk.show
    series = desk.history(name, scope)
    periods = [reader.period(code, scope.grain) for code in series.periods]
    value, tick = partial(show.value, unit=metric.style), partial(show.axis, unit=metric.style)
    card = Card(
        key=f"trend-{name}",
        title=_finding(desk, metric, scope, series),
        note=_note(desk, metric, scope),
        definition={metric.label: metric.description, **_noted(desk, name)},
        columns=[Column(_("Period")), Column(metric.label, "number"), Column(_("A year before"), "number")],
        rows=lambda: [
            [name, value(float(now)), value(float(before))]
            for name, now, before in zip(periods, series.values, series.prior, strict=True)
        ][::-1],
        frame=lambda: pl.DataFrame(
            {"period": periods, metric.name: series.values, "a_year_before": series.prior}
        ),
    )
    if np.count_nonzero(~np.isnan(series.values)) < 2:
        return card, None, _("A trend needs at least two periods with data.")
    drawn = Trend(
        periods=periods,
        ticks=[reader.tick(code, scope.grain) for code in series.periods],
        values=series.values,
        prior=series.prior if np.count_nonzero(~np.isnan(series.prior)) > 1 else None,
        running=series.running,
        name=metric.label,
        prior_name=_("Prior year"),
        running_name=_("So far"),
        from_zero=metric.unit in ("money", "count", "per_thousand"),
        events=_events(desk, name, scope, series),
    )
    alt = _("{metric} from {first} to {last}. {finding}")
    alt = alt.format(metric=metric.label, first=periods[0], last=periods[-1], finding=card.title)
    return card, trend(drawn, value, tick, alt), ""


def _events(desk: Desk, name: str, scope: Scope, series: Series) -> list[tuple[int, str]]:
    """The notes that concern a metric, each at its period."""
    places = {code: at for at, code in enumerate(series.periods)}
    coded = [(desk.calendar.code(note.on, scope.grain), note.text) for note in desk.annotations(name)]
    return [(places[code], text) for code, text in coded if code in places]


def _noted(desk: Desk, name: str) -> dict[str, str]:
    """The same notes in full, with their days."""
    return {desk.show.day(note.on): note.text for note in desk.annotations(name)}


def _finding(desk: Desk, metric: Metric, scope: Scope, series: Series) -> str:
    """What the trend says of the chosen period; the plain name of the measure where nothing can be said."""
    show, reader = desk.show, desk.read
    figure = series.figures.get(scope.period)
    reference = series.figures.get(scope.reference(reader.calendar))
    change = changed(metric, figure, reference, show) if figure and reference else None
    if figure is None or figure.shown is None or change is None:
        return _("{metric} by {grain}").format(metric=metric.label, grain=_(GRAINS[scope.grain]).lower())
    words = {
        "metric": metric.label,
        "change": change.text.lstrip("+-\N{MINUS SIGN}"),
        "value": show.value(figure.shown, metric.style),
        "period": reader.period(scope.period, scope.grain, long=True),
    }
    if not change.arrow:
        return _("{metric}: {change} in {period}, at {value}").format(**words)
    if change.arrow == "\N{UPWARDS ARROW}":
        return _("{metric} rose by {change} to {value} in {period}").format(**words)
    return _("{metric} fell by {change} to {value} in {period}").format(**words)


def _note(desk: Desk, metric: Metric, scope: Scope) -> str:
    """Unit, as-of and filters in one line."""
    show, reader = desk.show, desk.read
    unit = show.currency if metric.unit == "money" else ""
    day = _("as of {day}").format(day=show.day(desk.as_of))
    return " \N{MIDDLE DOT} ".join(part for part in (metric.label, unit, day, *reader.filters(scope)) if part)


def bridge_card(desk: Desk, scope: Scope) -> Drawn:
    """From the revenue of the period before to that of this one, by what customers did."""
    read, show = desk.read, desk.show
    before, after = (read.period(code, scope.grain) for code in (scope.period - 1, scope.period))
    items = {row["item"]: row["amount"] for row in desk.bridge(scope).iter_rows(named=True)}
    names = {"before": before, **_steps(), "after": after}
    shown = {name: items[name] for name in names if name in ("before", "after", *CORE_STEPS) or items[name]}
    people = dict(desk.bridge(scope).select("item", "customers").iter_rows())
    card = Card(
        key="bridge",
        title=_bridge_finding(desk, items, before, after),
        note=_("Net revenue, {currency} \N{MIDDLE DOT} the steps add up to the cent").format(
            currency=show.currency
        ),
        definition=_step_words(),
        columns=[Column(_("Step")), Column(_("Amount"), "number"), Column(_("Customers"), "number")],
        rows=lambda: [
            [names[name], show.exact_money(amount), show.decimal(people[name], 0)]
            for name, amount in shown.items()
        ],
        frame=lambda: desk.bridge(scope),
    )
    steps = [Step(names[name], float(amount), name in ("before", "after")) for name, amount in shown.items()]
    if not any(step.value for step in steps):
        return card, None, _("No revenue in either period.")
    alt = f"{card.title}: " + ", ".join(f"{row[0]} {row[1]}" for row in card.rows())
    tick = partial(show.axis, unit="money")
    return card, waterfall(steps, tick, partial(_signed, show), alt, height=300), ""


def _signed(show: Formatter, value: float) -> str:
    return ("+" if value > 0 else "") + show.axis(value, "money")


def _steps() -> dict[str, str]:
    return {
        "new": _("New"),
        "reactivated": _("Reactivated"),
        "expansion": _("Expansion"),
        "contraction": _("Contraction"),
        "lost": _("Lost"),
        "late_returns": _("Late returns"),
        "unidentified": _("Not identified"),
    }


def _step_words() -> dict[str, str]:
    """What each step counts."""
    steps = _steps()
    return {
        steps["new"]: _("revenue of customers whose first order of all falls into the period"),
        steps["reactivated"]: _("that of customers who ordered earlier, but not in the period before"),
        steps["expansion"]: _("the rise at customers active in both periods"),
        steps["contraction"]: _("the fall at customers active in both periods"),
        steps["lost"]: _("what customers brought who did not order again in this period"),
        steps["late_returns"]: _("returns of customers who ordered in neither period"),
        steps["unidentified"]: _("sales to nobody known"),
    }


def _bridge_finding(desk: Desk, items: Mapping[str, Decimal], before: str, after: str) -> str:
    """The largest gain and the largest loss, in one sentence."""
    show, names = desk.show, _steps()
    gain, loss = (pick(names, key=lambda name: items[name]) for pick in (max, min))
    if items[gain] <= 0 or items[loss] >= 0:
        return _("Net revenue from {before} to {after}").format(before=before, after=after)
    words = _("{gain} brought {won}, {loss} took {gone}")
    won, gone = (show.axis(float(abs(items[name])), "money") for name in (gain, loss))
    return words.format(gain=_people_of()[gain], won=won, loss=_people_of()[loss].lower(), gone=gone)


def _people_of() -> dict[str, str]:
    return {
        "new": _("New customers"),
        "reactivated": _("Reactivated customers"),
        "expansion": _("Growing customers"),
        "contraction": _("Shrinking customers"),
        "lost": _("Lost customers"),
        "late_returns": _("Late returns"),
        "unidentified": _("Unidentified sales"),
    }


def share_card(desk: Desk, name: str, attribute: str, scope: Scope) -> Drawn:
    """A count in the scope's period, by the values of an attribute, the largest first."""
    metric, show = desk.metric(name), desk.show
    rows = desk.split(name, attribute, scope)
    names = [value or _("not known") for value in rows["by"]]
    values = rows["value"].to_list()
    total = sum(values)
    card = Card(
        key=f"{name}-by-{attribute}",
        title=_share_finding(desk, metric, names, values, total),
        note=_("{metric} by {attribute} \N{MIDDLE DOT} n = {n}").format(
            metric=metric.label,
            attribute=heading(attribute).lower(),
            n=with_unit(round(total), counted(desk.catalog, name), show),
        ),
        definition={metric.label: metric.description},
        columns=[Column(heading(attribute)), Column(metric.label, "number"), Column(_("Share"), "number")],
        rows=lambda: [
            [value, show.decimal(n, 0), show.percent(n / total)]
            for value, n in zip(names, values, strict=True)
        ],
        frame=lambda: pl.DataFrame({attribute: names, metric.name: values}),
    )
    if not total:
        return card, None, _("Nothing was counted in this period.")
    alt = f"{card.title}. {card.note}"
    return card, bars(names, values, partial(show.value, unit=metric.style), alt), ""


def _share_finding(desk: Desk, metric: Metric, names: list[str], values: list[float], total: float) -> str:
    if not total:
        return metric.label
    share = desk.show.percent(values[0] / total, 0)
    first = f"{names[0][:1].upper()}{names[0][1:]}"
    return _("{name} holds {share} of {metric}").format(name=first, share=share, metric=metric.label.lower())
