"""Changes between snapshots in words: for a terminal, a page, and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from dashboard.format import MISSING, Formatter
from dashboard.sheet import Number
from dashboard.snapshots.compare import Cause, Change, Step
from dashboard.text import gettext as _
from metrics.definitions import Unit

PLACES = 12


def names() -> dict[Step, str]:
    """The steps of a change in words."""
    return {
        "data": _("the data changed"),
        "definition": _("the definition changed"),
        "population": _("the rule of a segment changed"),
        "choices": _("something else was chosen"),
        "together": _("data, definition or choices changed; they cannot be told apart any more"),
    }


def difference(change: Change, show: Formatter) -> str:
    """The change as a tile writes it, or why there is none."""
    if change.before is None:
        return _("only after")
    if change.after is None:
        return _("only before")
    apart = change.difference
    if apart is None:
        return MISSING
    if apart == 0:
        return _("no change")
    if not change.is_clear:
        return _("no clear change")
    return written(apart, change.unit, show)


def value(number: float | None, unit: str, show: Formatter) -> str:
    """A figure with every digit that it carries."""
    return show.full(number, cast(Unit, unit))


def written(difference: Fraction | Decimal, unit: str, show: Formatter) -> str:
    """A difference with its sign: money to the cent, all else as a tile writes it."""
    number = decimal(Fraction(difference))
    if unit == "money":
        sign = "+" if number > 0 else "\N{MINUS SIGN}" if number < 0 else ""
        return sign + show.exact_money(abs(number))
    return show.change(number, cast(Unit, unit))


def decimal(value: Fraction) -> Decimal:
    """A fraction to twelve places."""
    return Decimal(round(value * 10**PLACES)).scaleb(-PLACES)


def why(change: Change, show: Formatter) -> str:
    """The causes of a change with their effects, in one line."""
    return "; ".join(_cause(cause, change, show) for cause in change.causes)


def _cause(cause: Cause, change: Change, show: Formatter) -> str:
    effect = (
        "" if cause.effect is None or not change.unit else f" ({written(cause.effect, change.unit, show)})"
    )
    return f"{names()[cause.step]}{effect}: {', '.join(cause.words)}"


def as_rows(changes: Sequence[Change], show: Formatter) -> Iterator[tuple[str, ...]]:
    """A line a figure: page, label, before, after, change, why."""
    for change in changes:
        sides = [each.shown if each else MISSING for each in (change.before, change.after)]
        yield (change.page, change.label, *sides, difference(change, show), why(change, show))


def rounded(change: Change) -> dict[str, Any]:
    """A change for machines: numbers as JSON has them, exact amounts as text."""
    apart = change.difference
    return {
        "page": change.page,
        "metric": change.metric,
        "label": change.label,
        "unit": change.unit,
        "before": _number(change.before),
        "after": _number(change.after),
        "change": None if apart is None else float(apart),
        "change_exact": None if apart is None else str(decimal(apart)),
        "clear": change.is_clear,
        "causes": [
            {
                "step": each.step,
                "effect": None if each.effect is None else str(decimal(each.effect)),
                "words": list(each.words),
            }
            for each in change.causes
        ],
        "sides": None
        if change.sides is None
        else {name: str(decimal(getattr(change.sides, name))) for name in ("volume", "mix", "rate")},
        "by": {by: frame.to_dicts() for by, frame in change.parts.items()},
    }


def _number(number: Number | None) -> dict[str, Any] | None:
    if number is None:
        return None
    return number.model_dump(include={"value", "amount", "n", "lower", "upper", "shown"})
