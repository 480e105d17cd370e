"""Survival: how long until the second order, the second category or the end of a contract, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from dashboard import movement_data as asked
from dashboard.charts.layout import Chart
from dashboard.charts.retention import Curve, curves
from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup, states
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.event_times import Event
from metrics.survival import median_survival, survival_at

T = TypeVar("T")

KEY: Final = "retention"
EVENTS: Final[Mapping[Event, str]] = {
    "second_order": later("Second order"),
    "second_category": later("Second category"),
    "lapse": later("Silence beyond the own rhythm"),
    "contract_end": later("End of the contract"),
}
WITHOUT: Final[Mapping[Event, str]] = {
    "second_order": later("Share without a second order"),
    "second_category": later("Share still in one category"),
    "lapse": later("Share not lapsed"),
    "contract_end": later("Share still under contract"),
}
FACTS: Final[Mapping[str, str]] = {
    "first_amount": later("Value of the first order"),
    "first_lines": later("Lines of the first order"),
}
MOST_GROUPS: Final = 6
DAYS: Final = (30, 90, 180, 365)


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    everybody = _("all customers")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        event = _choice(_("Time until"), list(EVENTS), "event", lambda name: _(EVENTS[name]))
        split = _choice(
            _("Split by"),
            [everybody, *desk.attributes],
            "split",
            lambda name: name if name == everybody else heading(name),
        )
    by = None if split == everybody else split
    table, test = asked.survival(desk, scope, event, by)
    if table.is_empty():
        states.empty("hourglass_empty", _("No lives to follow"), _("Nobody began yet. Widen the filters."))
        return
    groups = _groups(table, by)
    chart_card(*_curves(desk, event, by, groups, test))
    _milestones(desk, event, by, groups)
    _model(desk, scope, event)


def _choice(label: str, options: Sequence[T], name: str, text: Callable[[T], str]) -> T:
    found = st.selectbox(
        label, options, format_func=text, key=f"{KEY}.{name}", bind="query-params", width=220
    )
    return options[0] if found is None else found


def _groups(table: pl.DataFrame, by: str | None) -> dict[str, pl.DataFrame]:
    """The curve of each group, the largest first."""
    if by is None:
        return {_("All"): table}
    parts = {str(name): part for (name,), part in table.partition_by("by", as_dict=True).items()}
    sizes = {name: _size(part) for name, part in parts.items()}
    order = sorted(parts, key=lambda name: -sizes[name])[:MOST_GROUPS]
    return {name: parts[name] for name in order}


def _curves(
    desk: Desk, event: Event, by: str | None, groups: Mapping[str, pl.DataFrame], test: Mapping[str, object]
) -> tuple[Card, Chart | None, str]:
    show = desk.show
    lives = sum(_size(part) for part in groups.values())
    card = Card(
        key="survival",
        title=_finding(desk, event, by, groups, test),
        note=_("{what} by days since the start \N{MIDDLE DOT} n = {n} \N{MIDDLE DOT} as of {day}").format(
            what=_(WITHOUT[event]), n=with_unit(lives, "customers", show), day=show.day(desk.as_of)
        ),
        definition={
            _("Method"): _("Kaplan-Meier; who has not met the event yet counts for as long as was seen"),
            _("Interval"): _("Greenwood's on the log(-log) scale, 95\N{NARROW NO-BREAK SPACE}%"),
            _("Test"): _("log-rank: whether the groups share one curve"),
        },
        columns=[
            Column(_("Group")),
            *(Column(head, "number") for head in (_("Day"), _("At risk"), _("Share"))),
        ],
        rows=lambda: _curve_rows(desk, groups),
        frame=lambda: pl.concat(
            [part.with_columns(group=pl.lit(name)) for name, part in groups.items()], how="diagonal"
        ),
    )
    drawn = {name: part for name, part in groups.items() if len(part) > 1}
    if not drawn:
        return card, None, _("A curve needs lives of different lengths.")
    lines = [_line(desk, name, part) for name, part in drawn.items()]
    low = max(0.0, min(float(line.lower.min()) for line in lines) - 0.05)
    share = partial(show.axis, unit="rate")
    return card, curves(lines, share, lambda day: f"{day:g}", card.title, steps=True, low=low, high=1.0), ""


def _line(desk: Desk, name: str, part: pl.DataFrame) -> Curve:
    """A curve thinned to what a screen can show."""
    thin = part.gather_every(max(1, len(part) // 150))
    rows = thin if thin["duration"][-1] == part["duration"][-1] else pl.concat([thin, part.tail(1)])
    share = rows["survival"]
    lower, upper = (_from_one(rows[bound].fill_null(share)) for bound in ("lower", "upper"))
    points = rows.select("duration", "survival", "at_risk").iter_rows()
    notes = [
        _("{share} after {day} days, {n} at risk").format(
            share=desk.show.percent(value), day=day, n=desk.show.decimal(n, 0)
        )
        for day, value, n in points
    ]
    days = np.concatenate([[0.0], rows["duration"].cast(pl.Float64).to_numpy()])
    return Curve(name, days, _from_one(share), lower, upper, ["", *notes])


def _from_one(values: pl.Series) -> NDArray[np.float64]:
    """The values of a curve with the one at its start ahead."""
    return np.concatenate([[1.0], values.to_numpy()])


def _followed(part: pl.DataFrame) -> int:
    """For how many days a curve follows anybody."""
    return int(part["duration"].cast(pl.Int64).to_numpy().max(initial=0))


def _size(part: pl.DataFrame) -> int:
    """How many lives a curve follows."""
    return int(part["at_risk"].cast(pl.Int64).to_numpy().max(initial=0))


def _curve_rows(desk: Desk, groups: Mapping[str, pl.DataFrame]) -> list[list[str]]:
    show = desk.show
    return [
        [name, show.decimal(day, 0), show.decimal(n, 0), show.percent(share)]
        for name, part in groups.items()
        for day, n, share in part.gather_every(max(1, len(part) // 25))
        .select("duration", "at_risk", "survival")
        .iter_rows()
    ]


def _finding(
    desk: Desk, event: Event, by: str | None, groups: Mapping[str, pl.DataFrame], test: Mapping[str, object]
) -> str:
    """Which group waits longest, if the test tells them apart; else how many still wait.

    After a year, or as long as every group has been followed.
    """
    days = min(DAYS[-1], *(_followed(part) for part in groups.values()))
    if not days:
        return _("Nobody has been followed for a day yet")
    at = {name: survival_at(part, days) or 0.0 for name, part in groups.items()}
    show = desk.show
    if by is None:
        share = show.percent(next(iter(at.values())))
        return _("{what} after {days} days: {share}").format(what=_(WITHOUT[event]), days=days, share=share)
    p_value = test.get("p_value")
    if not isinstance(p_value, float):
        return _("{what} by {attribute}").format(what=_(WITHOUT[event]), attribute=heading(by).lower())
    if p_value > 0.05:
        text = _("No clear difference by {attribute} (log-rank p = {p})")
        return text.format(attribute=heading(by).lower(), p=_p(desk, p_value))
    high, low = max(at, key=lambda name: at[name]), min(at, key=lambda name: at[name])
    text = _("{what} after {days} days: {low} {a}, {high} {b} (log-rank p {p})")
    return text.format(
        what=_(WITHOUT[event]),
        days=days,
        low=low,
        a=show.percent(at[low]),
        high=high,
        b=show.percent(at[high]),
        p=_p(desk, p_value),
    )


def _p(desk: Desk, p_value: float) -> str:
    return _("< 0.001") if p_value < 0.001 else desk.show.decimal(p_value, 3)


def _milestones(desk: Desk, event: Event, by: str | None, groups: Mapping[str, pl.DataFrame]) -> None:
    """How many have met the event by some days, and when half have."""
    show = desk.show
    heads = [Column(heading(by) if by else _("Group")), Column(_("Customers"), "number")]
    heads += [Column(_("by day {n}").format(n=day), "number") for day in DAYS]
    heads.append(Column(_("Half by day"), "number"))
    rows = []
    for name, part in groups.items():
        met = [survival_at(part, day) if day <= _followed(part) else None for day in DAYS]
        half = median_survival(part)
        rows.append(
            [
                name,
                show.decimal(_size(part), 0),
                *(MISSING if share is None else show.percent(1 - share) for share in met),
                MISSING if half is None else show.decimal(half, 0),
            ]
        )
    markup.section(_("Have met it"), _(EVENTS[event]))
    markup.show_table(heads, rows, _("Have met it"))


def _model(desk: Desk, scope: Scope, event: Event) -> None:
    """What makes the event come sooner: hazard ratios, with what could not be used named first."""
    markup.section(
        _("What goes with it"), _("Cox model: how many times as likely at any moment, others equal")
    )
    options = [*desk.attributes, *FACTS]
    chosen = st.multiselect(
        _("Columns"),
        options,
        default=[name for name in ("region", "channel", *FACTS) if name in options],
        format_func=lambda name: _(FACTS[name]) if name in FACTS else heading(name),
        key=f"{KEY}.columns",
        bind="query-params",
    )
    if not chosen:
        markup.note(_("Choose at least one column."))
        return
    with st.spinner(_("Fitting the model")):
        found = asked.hazard_ratios(desk, scope, event, tuple(chosen))
    for term, reason in found.left_out.items():
        markup.notice(_("`{term}` is left out: {reason}.").format(term=_term(term), reason=reason))
    if found.reason:
        markup.note(f"{found.reason[:1].upper()}{found.reason[1:]}.")
        return
    heads = [Column(_("Column")), Column(_("Against"))]
    heads += [Column(_("Hazard ratio"), "number"), Column(_("95 % interval")), Column("p", "number")]
    heads.append(Column(_("Same over time")))
    rows = [_ratio(desk, row) for row in found.table.iter_rows(named=True)]
    markup.show_table(heads, rows, _("Hazard ratios"))
    said = _("{n} customers, {events} with the event. Numbers: per standard deviation.")
    if found.sampled:
        said += " " + _("A sample of the customers, drawn evenly.")
    markup.note(said.format(n=desk.show.decimal(found.lives, 0), events=desk.show.decimal(found.events, 0)))
    downloads.buttons(f"hazards-{event}", lambda: found.table, f"{KEY}.hazards")


def _term(term: str) -> str:
    column, _sign, value = term.partition(": ")
    name = _(FACTS[column]) if column in FACTS else heading(column)
    return f"{name}: {value}" if value else name


def _ratio(desk: Desk, row: Mapping[str, object]) -> list[str]:
    """A term with its ratio and whether that holds over time."""
    show = desk.show
    ratio, lower, upper, p_value, steady = (
        float(str(row[name])) for name in ("hazard_ratio", "lower", "upper", "p_value", "proportional_p")
    )
    holds = _("yes") if steady > 0.05 else _("no (p = {p}): it changes with time").format(p=_p(desk, steady))
    return [
        _term(str(row["term"])),
        str(row["reference"]) or _("one deviation less"),
        show.decimal(ratio, 2),
        f"{show.decimal(lower, 2)} {_('to')} {show.decimal(upper, 2)}",
        _p(desk, p_value),
        holds,
    ]
