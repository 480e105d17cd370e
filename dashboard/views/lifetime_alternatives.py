"""Beside the models of single orders: orders by calendar period, and what an attribute does to the rates."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard import lifetime_alternatives as asked
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import filter_bar, markup
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.reasons import Estimate, Reason

BY: Final = "lifetime.effects"
Row = dict[str, float | None]


def render(desk: Desk, scope: Scope) -> None:
    """BG/BB, then the Pareto/NBD with an attribute as covariate."""
    _by_period(desk, scope)
    names = [*filter_bar.MAIN, *(name for name in desk.attributes if name not in filter_bar.MAIN)]
    names = sorted((name for name in names if name in desk.attributes), key=lambda name: name != "channel")
    if names:
        _effects(desk, scope, names)
    else:
        markup.note(_("Customers have no attribute whose effect on the rates could be shown: map one."))


def _by_period(desk: Desk, scope: Scope) -> None:
    found, show = asked.by_period(desk, scope), desk.show
    period = _("month") if found.every == "month" else _("year")
    markup.section(
        _("Orders by {period}").format(period=period),
        _("BG/BB (Fader, Hardie & Shang 2010): each {period} a customer orders or not, or has left").format(
            period=period
        ),
    )
    if found.fit.model is None:
        markup.note(sentence(found.fit.message))
        return
    figure_row(
        [
            Stated(
                _("Orders in a {period}").format(period=period),
                show.value(found.orders.value, "rate"),
                _("mean chance while there; {range}").format(range=_interval(desk, found.orders)),
            ),
            Stated(
                _("Leaves before a {period}").format(period=period),
                show.value(found.leaves.value, "rate"),
                _("mean chance of a new customer; {range}").format(range=_interval(desk, found.leaves)),
            ),
            Stated(
                _("Customers"),
                show.count(found.customers),
                _("first order in a complete {period}").format(period=period),
            ),
        ],
        "lifetime-by-period",
    )
    if found.fit.status != "converged":
        markup.note(sentence(found.fit.message))
    markup.note(
        _(
            "For orders that come at set times, such as yearly gifts or monthly boxes. Several orders in a "
            "{period} count once, so its likelihood does not compare with those above; values do not use it."
        ).format(period=period)
    )


def _interval(desk: Desk, found: Estimate) -> str:
    if found.lower is None or found.upper is None:
        return _("no interval")
    low, high = (desk.show.percent(bound) for bound in (found.lower, found.upper))
    return _("95 %: {low} to {high}").format(low=low, high=high)


def _effects(desk: Desk, scope: Scope, names: list[str]) -> None:
    markup.section(
        _("What goes with ordering and leaving"),
        _("Pareto/NBD with static covariates: rates of each group against the largest one"),
    )
    by = st.selectbox(
        _("Compare by"),
        names,
        format_func=filter_bar.heading,
        key=BY,
        bind="query-params",
        width=240,
    )
    found = asked.effects(desk, scope, by)
    if isinstance(found, Reason):
        markup.note(sentence(found.text))
        return
    heads = [
        Column(filter_bar.heading(by)),
        Column(_("Customers"), "number"),
        Column(_("Orders while there"), "number"),
        Column(_("95 % interval")),
        Column(_("Leaving"), "number"),
        Column(_("95 % interval")),
        Column(_("What it says"), "wide"),
    ]
    markup.show_table(
        heads,
        [_effect(desk, row, found.base) for row in found.table.iter_rows(named=True)],
        _("Effects on the rates"),
    )
    if found.fit.status != "converged":
        markup.note(sentence(found.fit.message))
    helps = _("is {n} lower than that of one model for all: the groups differ")
    idle = _("is {n} higher than that of one model for all: the groups do not differ enough to matter")
    words = (helps if found.gain > 0 else idle).format(n=desk.show.decimal(abs(found.gain), 1))
    markup.note(
        _(
            "Its AIC {words}. Fitted to {n} customers, {most} at most. What goes with a group need not be "
            "caused by it. Values use the model above, without covariates."
        ).format(words=words, n=desk.show.count(found.fit.customers), most=desk.show.count(asked.MOST))
    )


def _effect(desk: Desk, row: Row, base: str) -> list[str]:
    if str(row["value"]) == base:
        return [
            base,
            desk.show.count(row["customers"] or 0),
            *[MISSING] * 4,
            _("The others are compared with it."),
        ]
    return [
        str(row["value"]),
        desk.show.count(row["customers"] or 0),
        *_shift(desk, row, "orders"),
        *_shift(desk, row, "leaving"),
        _said(row),
    ]


def _shift(desk: Desk, row: Row, what: str) -> tuple[str, str]:
    value, low, high = (
        None if row[name] is None else (row[name] or 0.0) - 1
        for name in (what, f"{what}_lower", f"{what}_upper")
    )
    known = low is not None and high is not None
    show = desk.show
    between = _("{low} to {high}").format(low=show.relative(low), high=show.relative(high))
    return show.relative(value), between if known else MISSING


def _said(row: Row) -> str:
    """What is sure: an interval without 1."""
    often = {1: _("orders more often"), -1: _("orders less often")}.get(_side(row, "orders"))
    stays = {1: _("leaves sooner"), -1: _("stays longer")}.get(_side(row, "leaving"))
    return sentence(", ".join(text for text in (often, stays) if text) or _("no sure difference"))


def _side(row: Row, what: str) -> int:
    low, high = row[f"{what}_lower"], row[f"{what}_upper"]
    return 0 if low is None or high is None else int(low > 1) - int(high < 1)
