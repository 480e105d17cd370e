"""Movements: customers who rose, fell, rose and fell, fell and recovered, with what is at stake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import polars as pl
import streamlit as st

from dashboard import movement_data as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.customer_list import customer_list
from dashboard.parts.markup import Column
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.patterns import PATTERNS, Pattern, Windows

KEY: Final = "retention"
NAMES: Final[Mapping[Pattern, str]] = {
    "risen_then_fallen": later("Risen, then fallen"),
    "fallen_then_recovered": later("Fallen, then recovered"),
    "rising": later("Rising"),
    "falling": later("Falling"),
}
WORDS: Final[Mapping[Pattern, str]] = {
    "risen_then_fallen": later(
        "ordered more in the middle window and less after it: won for a while, and lost again"
    ),
    "fallen_then_recovered": later("ordered less in the middle window and more after it"),
    "rising": later("order more since the middle window began"),
    "falling": later("order less since the middle window ended"),
}
STAKES: Final[Mapping[Pattern, str]] = {
    "risen_then_fallen": later("lost a year since"),
    "fallen_then_recovered": later("missed a year meanwhile"),
    "rising": later("won a year"),
    "falling": later("lost a year"),
}
RATES: Final = ("rate_before", "rate_during", "rate_after")
SHOWN: Final = (
    "customer",
    "value_at_stake",
    "orders_before",
    "orders_during",
    "orders_after",
    *RATES,
    "ratio",
    "ratio_lower",
    "ratio_upper",
    "q_value",
    "amount_before",
    "amount_during",
    "amount_after",
)
"""The columns of a list, in their order."""


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    windows = _windows(desk)
    if windows is None:
        return
    found, compared = asked.patterns(desk, scope, windows)
    _said(desk, windows, compared, _is_season_known(desk, windows))
    pattern = _overview(desk, found)
    rows = found.filter(pl.col("pattern") == pattern).select(SHOWN)
    markup.section(_(NAMES[pattern]), _("{what}; the most at stake first").format(what=_(WORDS[pattern])))
    if rows.is_empty():
        states.empty(
            "task_alt",
            _("Nobody stands out"),
            _("No customer's change is larger than chance makes among so many. Try another window."),
        )
        return
    customer_list(
        desk,
        with_ids(desk, rows),
        key=f"{KEY}.pattern-{pattern}",
        file=f"customers-{pattern}",
        label=_(NAMES[pattern]),
        names=_headings(),
        units={"value_at_stake": "money", **dict.fromkeys(RATES, "per_thousand")},
    )


def _windows(desk: Desk) -> Windows | None:
    """The middle window that is chosen; at first the one in which most customers rose and then fell."""
    proposed = asked.busiest_windows(desk)
    if desk.first_day >= desk.as_of:
        text = _("No two days of orders lie up to {day}; one before and one after a window are needed.")
        states.empty(
            "date_range", _("Nothing to compare a window with"), text.format(day=desk.show.day(desk.as_of))
        )
        return None
    half_a_year = (desk.as_of - timedelta(days=167), desk.as_of - timedelta(days=84))
    first_day, last_day = proposed.during if proposed else half_a_year
    default = (max(first_day, desk.first_day), max(last_day, desk.first_day))
    chosen = st.date_input(
        _("Middle window"),
        default,
        min_value=desk.first_day,
        max_value=desk.as_of,
        key=f"{KEY}.window",
        width=300,
        help=_("Such as weeks in which a rival could not deliver; half a year on either side is compared."),
    )
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        markup.note(_("Choose the last day of the window too."))
        return None
    first, last = chosen
    if last >= desk.as_of or first <= desk.first_day:
        states.empty(
            "date_range",
            _("Nothing to compare the window with"),
            _("Choose a window that begins after {first} and ends before {last}.").format(
                first=desk.show.day(desk.first_day), last=desk.show.day(desk.as_of)
            ),
        )
        return None
    return Windows.around(first, last, desk.as_of)


def _is_season_known(desk: Desk, windows: Windows) -> bool:
    """Whether the same weeks of last year are in the data."""
    return windows.before[0] - timedelta(days=364) >= desk.first_day


def _said(desk: Desk, windows: Windows, compared: int, season: bool) -> None:
    """Which windows are compared, how, and for how many."""

    def span(days: tuple[date, date]) -> str:
        return f"{desk.show.day(days[0])} {_('to')} {desk.show.day(days[1])}"

    text = _(
        "{n} customers compared: {before}, {during}, {after}. Listed is who differs by an exact test of "
        "rates; one in twenty of them by chance at most (Benjamini-Hochberg). Seasonal customers are left "
        "out."
    )
    markup.note(
        text.format(
            n=desk.show.decimal(compared, 0),
            before=span(windows.before),
            during=span(windows.during),
            after=span(windows.after),
        )
    )
    if not season:
        markup.notice(
            _("The same weeks of last year are not all in the data: seasons may look like movements here.")
        )


def _overview(desk: Desk, found: pl.DataFrame) -> Pattern:
    """Every pattern with how many show it and what is at stake; the one whose list is chosen."""
    heads = [
        Column(_("Pattern")),
        Column(_("Customers"), "number"),
        Column(_("At stake"), "number"),
        Column(_("Which is")),
    ]
    rows = []
    for name in PATTERNS:
        part = found.filter(pl.col("pattern") == name)
        rows.append(
            [
                _(NAMES[name]),
                desk.show.decimal(len(part), 0),
                desk.show.value(float(part["value_at_stake"].sum()), "money"),
                _(STAKES[name]),
            ]
        )
    markup.show_table(heads, rows, _("Patterns"))
    chosen = st.segmented_control(
        _("Pattern"),
        list(PATTERNS),
        default=PATTERNS[0],
        required=True,
        format_func=lambda name: _(NAMES[name]),
        key=f"{KEY}.pattern",
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen or PATTERNS[0]


def _headings() -> dict[str, str]:
    return {
        "orders_before": _("Order days before"),
        "orders_during": _("During"),
        "orders_after": _("After"),
        "rate_before": _("A year, before"),
        "rate_during": _("A year, during"),
        "rate_after": _("A year, after"),
        "ratio": _("Last step, times"),
        "ratio_lower": _("at least"),
        "ratio_upper": _("at most"),
        "q_value": _("False, chance of"),
        "amount_before": _("Margin before"),
        "amount_during": _("Margin during"),
        "amount_after": _("Margin after"),
        "value_at_stake": _("At stake a year"),
    }
