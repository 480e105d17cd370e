"""Definitions in words: formula, interval and direction of a metric, as a drawer shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.tiles import Figure
from metrics.catalog import Definition
from metrics.definitions import (
    Change,
    Computed,
    Cumulative,
    Derived,
    Measure,
    NetPromoterScore,
    PeriodRetention,
    Ratio,
    Simple,
    Style,
    Target,
)

Name = Callable[[str], str]
"""The label of a metric by its name."""


def formula(definition: Definition, name: Name) -> str:
    """How a metric is computed, close to its definition: `sum(net_amount) of customer_periods`."""
    match definition:
        case Simple():
            return _measure(definition)
        case Ratio():
            scale = "" if definition.scale == 1 else f" \N{MULTIPLICATION SIGN} {definition.scale:g}"
            return f"{_term(definition.numerator, name)} / {_term(definition.denominator, name)}{scale}"
        case Derived():
            return definition.expression.replace("{", "").replace("}", "")
        case Cumulative():
            return _stretch(definition).format(metric=name(definition.metric), window=definition.window)
        case Change():
            return _change(definition).format(metric=name(definition.metric))
        case PeriodRetention():
            return _("customers active in both periods / customers active in the period before")
        case NetPromoterScore():
            text = _("(answers from {high} up - answers up to {low}) / answers \N{MULTIPLICATION SIGN} 100")
            return text.format(high=definition.promoters_from, low=definition.detractors_to)
        case Computed():
            return definition.formula
        case _:
            assert_never(definition)


def _stretch(definition: Cumulative) -> str:
    if definition.window:
        return _("{metric} over the {window} up to the end of the period")
    return {
        "week": _("{metric} from the beginning of the week to the end of the period"),
        "month": _("{metric} from the beginning of the month to the end of the period"),
        "quarter": _("{metric} from the beginning of the quarter to the end of the period"),
        "year": _("{metric} from the beginning of the year to the end of the period"),
        None: _("{metric} from the first day to the end of the period"),
    }[definition.to_date]


def _change(definition: Change) -> str:
    return {
        ("previous", "relative"): _("{metric} / {metric} of the period before - 1"),
        ("previous", "difference"): _("{metric} - {metric} of the period before"),
        ("year", "relative"): _("{metric} / {metric} of the same period of the year before - 1"),
        ("year", "difference"): _("{metric} - {metric} of the same period of the year before"),
    }[definition.against, definition.value]


def _term(term: str | Measure, name: Name) -> str:
    return f"({_measure(term)})" if isinstance(term, Measure) else name(term)


def _measure(measure: Measure) -> str:
    where = _(" where {condition}").format(condition=measure.where) if measure.where else ""
    return _("{expression} of {table}").format(expression=measure.expression, table=measure.table) + where


def interval(figure: Figure, unit: Style, show: Formatter) -> str:
    """The interval of a figure with its method: `41.9 % to 43.7 % (95 %, Wilson)`."""
    if figure.lower is None or figure.upper is None:
        return _("none: a full count, not a sample")
    lower, upper = (show.value(bound, unit) for bound in (figure.lower, figure.upper))
    words = _("{lower} to {upper} (95\N{NARROW NO-BREAK SPACE}%, {method})")
    return words.format(
        lower=lower, upper=upper, method=_methods().get(figure.interval or "", figure.interval)
    )


def _methods() -> Mapping[str, str]:
    return {
        "wilson": _("Wilson"),
        "t": _("Student's t"),
        "delta": _("delta method over customers"),
        "poisson": _("Poisson, exact"),
        "promoters": _("adjusted Wald"),
        "bootstrap": _("bootstrap over customers"),
        "order": _("order statistics, binomial"),
        "greenwood": _("Greenwood, log-log"),
        "mover": _("MOVER, from both intervals"),
    }


def targets(definition: Definition, show: Formatter) -> str:
    """The targets of a metric, each with the periods and the segment for which it holds."""
    return "; ".join(_target(each, definition, show) for each in definition.targets)


def _target(target: Target, definition: Definition, show: Formatter) -> str:
    parts = [show.value(target.value, definition.style)]
    if target.grain:
        parts.append(_("a {period}").format(period=target.grain))
    if target.since:
        parts.append(_("from {day}").format(day=show.day(target.since)))
    if target.until:
        parts.append(_("to {day}").format(day=show.day(target.until)))
    values = [value for held in target.segment.values() for value in held]
    return " ".join(parts) + (f" ({', '.join(values)})" if values else "")


def thresholds(definition: Definition, show: Formatter) -> str:
    """From where a metric is good and bad; empty without thresholds."""
    limits = definition.thresholds
    if limits is None:
        return ""
    style: Style = "rate" if limits.of == "target" else definition.style
    words = _("good from {good}, bad from {bad} of the target") if limits.of == "target" else ""
    words = words or _("good from {good}, bad from {bad}")
    return words.format(good=show.value(limits.good, style), bad=show.value(limits.bad, style))


def version(definition: Definition, show: Formatter) -> str:
    """Which version of its meaning a metric is, and since when; empty where nothing is said."""
    number = "" if definition.version is None else str(definition.version)
    since = definition.changed_on and _("since {day}").format(day=show.day(definition.changed_on))
    return ", ".join(part for part in (number, since) if part)


def direction(definition: Definition) -> str:
    """Which way of change is good, in words."""
    return {
        "up_is_good": _("higher is better"),
        "down_is_good": _("lower is better"),
        "neutral": _("neither way is better"),
    }[definition.direction]
