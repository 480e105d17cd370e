"""How the satisfaction page writes labels, intervals, tests and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dashboard.desk import Desk
from dashboard.format import MISSING, Formatter
from dashboard.text import choice, later, ngettext
from dashboard.text import gettext as _
from metrics.instruments import Instrument, Label
from metrics.satisfaction import OVERALL

SURE: Final = 0.05
"""The p-value below which a difference is called one."""

CATEGORIES: Final[Mapping[str, str]] = {
    "A": later("Attractive"),
    "O": later("One-dimensional"),
    "M": later("Must-be"),
    "I": later("Indifferent"),
    "R": later("Reverse"),
    "Q": later("Questionable"),
}
"""Kano's categories."""


def label(desk: Desk, text: Label) -> str:
    """A label from an instrument in the project's language."""
    return choice(text if isinstance(text, str) else dict(text), desk.project.locale)


def dimension(desk: Desk, instrument: Instrument, name: str) -> str:
    """A dimension's label; the row of all together is named too."""
    return _("Overall") if name == OVERALL else label(desk, instrument.dimensions[name].label)


def item(desk: Desk, instrument: Instrument, code: str) -> str:
    """An item's wording, else its code."""
    return label(desk, instrument.items.get(code, code))


def feature(desk: Desk, instrument: Instrument, name: str) -> str:
    """A feature's label."""
    return label(desk, instrument.features[name].label)


def signed(show: Formatter, value: float | None, digits: int = 2) -> str:
    """A gap or a change with its sign."""
    return MISSING if value is None else show.signed(value, digits)


def gap_or_mean(desk: Desk, instrument: Instrument, value: object) -> str:
    """A gap with its sign; a plain mean where the instrument asks for no expectations."""
    if not isinstance(value, float) or value != value:
        return MISSING
    return signed(desk.show, value) if instrument.has_gap else desk.show.decimal(value, 2)


def between(show: Formatter, row: Mapping[str, object], digits: int = 2) -> str:
    """The interval of a row: `-1.10 to -0.99`."""
    lower, upper = row["lower"], row["upper"]
    if not isinstance(lower, float) or not isinstance(upper, float):
        return MISSING
    return _("{low} to {high}").format(low=show.signed(lower, digits), high=show.signed(upper, digits))


def p_value(show: Formatter, value: object) -> str:
    """A p-value as papers write it."""
    if not isinstance(value, float):
        return MISSING
    return _("< 0.001") if value < 0.001 else show.decimal(value, 3)


def answers(show: Formatter, n: int) -> str:
    """A number of respondents in words."""
    return ngettext("{n} respondent", "{n} respondents", n).format(n=show.decimal(n, 0))


def is_sure(value: object) -> bool:
    """Whether a test tells the difference from chance."""
    return isinstance(value, float) and value < SURE
