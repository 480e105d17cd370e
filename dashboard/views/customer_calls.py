"""Who to call this week: value that slips, complaints left unsatisfied, readiness for a second category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard import customer_data as asked
from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.format import Formatter
from dashboard.parts import markup, states
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.call_list import NEEDS, REASONS, SHARES, CallReason
from metrics.customer_facts import CUSTOMER
from metrics.definitions import Unit

NAMES: Final[Mapping[CallReason, str]] = {
    "slipping": later("Slipping"),
    "unhappy": later("Unhappy complaint"),
    "second_category": later("Second category"),
}
ABOUT: Final[Mapping[CallReason, str]] = {
    "slipping": later("due, or silent for up to twice what the own rhythm allows"),
    "unhappy": later("complained in the last 90 days; open, or left unsatisfied"),
    "second_category": later("three orders or more in one category, still active, few returns"),
}
UNITS: Final[Mapping[str, Unit]] = {
    "value_year": "money",
    "silent_days": "count",
    "lapse_days": "count",
    "orders": "count",
}
BUDGET: Final = 50


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    able = asked.callable_reasons(desk)
    if not able:
        text = _("It needs orders with their days and amounts. Map them in sources.yaml.")
        states.empty("call", _("No call list yet"), text)
        return
    budget, shares = _budget(able)
    found = asked.calls(desk, scope, budget, shares)
    _summary(desk, found, able)
    if found.is_empty():
        states.empty("task_alt", _("Nobody to call"), _("No customer meets a reason that has calls to give."))
        return
    customer_list(
        desk,
        _listed(desk, found),
        key="customers.calls",
        file="who-to-call",
        label=_("Who to call"),
        names=_headings(),
        units=UNITS,
    )
    markup.note(
        _(
            "Ranked by contribution a year. That a call helps is not known from these data: leave out a part "
            "of the list at random and compare how both parts order."
        )
    )


def _budget(able: list[CallReason]) -> tuple[int, dict[CallReason, float]]:
    """How many calls can be made, and how they are shared out."""
    columns = st.columns([1.2, *([1] * len(able))], vertical_alignment="bottom", gap="medium")
    budget = columns[0].number_input(
        _("Calls this week"),
        min_value=1,
        max_value=10_000,
        value=BUDGET,
        step=10,
        key="customers.budget",
        bind="query-params",
    )
    shares: dict[CallReason, float] = {}
    for column, reason in zip(columns[1:], able, strict=True):
        shares[reason] = float(
            column.slider(
                _(NAMES[reason]),
                0,
                100,
                int(100 * SHARES[reason]),
                5,
                format="%d %%",
                key=f"customers.share.{reason}",
                bind="query-params",
                help=_(ABOUT[reason]),
            )
        )
    return int(budget or BUDGET), shares


def _summary(desk: Desk, found: pl.DataFrame, able: list[CallReason]) -> None:
    show = desk.show
    value = float(found["value_year"].sum()) if len(found) else 0.0
    stated = [
        Stated(
            _("Calls"),
            show.count(len(found)),
            _("{value} a year in contribution").format(value=show.money(value)),
        )
    ]
    for reason in able:
        mine = found.filter(pl.col("called_for") == reason) if len(found) else found
        stated.append(Stated(_(NAMES[reason]), show.count(len(mine)), _(ABOUT[reason])))
    figure_row(stated, "calls")
    lacking = [reason for reason in REASONS if reason not in able]
    if lacking:
        offered = segment_data.facts(desk).offered
        missing = sorted({name for reason in lacking for name in NEEDS[reason]} - offered.keys())
        text = _("Not judged, since no source gives what it needs ({facts}): {names}.")
        names = ", ".join(_(NAMES[reason]) for reason in lacking)
        markup.note(text.format(names=names, facts=", ".join(missing)))


def _listed(desk: Desk, found: pl.DataFrame) -> pl.DataFrame:
    """The customers with their reasons in words."""
    reason = found.select(_reason(desk.show, found).alias("reason")).to_series()
    told = found.with_columns(segment_data.said(reason))
    shown = ("reason", "value_year", "silent_days", "lapse_days", "last_complaint_on", "orders", "categories")
    kept = told.select(CUSTOMER, *(name for name in shown if name in told.columns))
    return segment_data.described(desk, kept)


def _reason(show: Formatter, found: pl.DataFrame) -> pl.Expr:
    """Every reason that a customer meets, with their own figures; the one that won the place first."""
    parts: dict[CallReason, pl.Expr] = {}
    if NEEDS["slipping"] <= set(found.columns):
        parts["slipping"] = pl.format(
            _("silent for {} days, {} allowed"), "silent_days", pl.col("lapse_days").round(0).cast(pl.Int64)
        )
    if NEEDS["unhappy"] <= set(found.columns):
        days = {day: show.day(day) for day in found["last_complaint_on"].drop_nulls().unique()}
        told = pl.col("last_complaint_on").replace_strict(days, default=None, return_dtype=pl.String)
        parts["unhappy"] = pl.format(_("unhappy complaint of {}"), told)
    if NEEDS["second_category"] <= set(found.columns):
        parts["second_category"] = pl.format(_("{} orders, all in one category"), "orders")
    first = [pl.when(pl.col("called_for") == reason).then(text) for reason, text in parts.items()]
    others = [
        pl.when(pl.col(reason) & (pl.col("called_for") != reason)).then(text)
        for reason, text in parts.items()
    ]
    return pl.concat_str([pl.coalesce(first), *others], separator="; ", ignore_nulls=True)


def _headings() -> dict[str, str]:
    return {
        "reason": _("Why"),
        "value_year": _("Contribution a year"),
        "silent_days": _("Silent days"),
        "lapse_days": _("Allowed"),
        "last_complaint_on": _("Last complaint"),
        "orders": _("Orders"),
        "categories": _("Categories"),
    }
