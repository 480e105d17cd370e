"""What a person may choose on the retention page: named definitions, events, values of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dashboard.text import gettext as _
from dashboard.text import later
from metrics.cohort_values import CellValue
from metrics.definitions import Unit
from metrics.lives import Back, Start
from metrics.periods import Grain
from metrics.retention import Cohorts

DEFINITIONS: Final[Mapping[str, tuple[str, str]]] = {
    "calendar": (
        later("Calendar period"),
        later("active in that calendar period after the first; a share of the cohort"),
    ),
    "rolling": (
        later("Own periods"),
        later("active in that period of equal length counted from the customer's own first day"),
    ),
    "unbounded": (
        later("Then or later"),
        later("active in that calendar period or any later one; young periods come out too low"),
    ),
    "previous": (
        later("Of the one before"),
        later("active in that calendar period, as a share of those active in the period before it"),
    ),
    "brackets": (
        later("Brackets"),
        later("active at least once within the bracket of calendar periods"),
    ),
}
"""The named definitions: a short label and what each counts."""

BRACKETS: Final[Mapping[Grain, tuple[tuple[int, int], ...]]] = {
    Grain.WEEK: ((0, 0), (1, 4), (5, 13), (14, 26), (27, 52)),
    Grain.MONTH: ((0, 0), (1, 3), (4, 6), (7, 12), (13, 18), (19, 24)),
    Grain.QUARTER: ((0, 0), (1, 2), (3, 4), (5, 8)),
    Grain.YEAR: ((0, 0), (1, 1), (2, 3), (4, 5)),
}
VALUES: Final[Mapping[CellValue, tuple[str, Unit]]] = {
    "rate": (later("Rate"), "rate"),
    "customers": (later("Customers"), "count"),
    "revenue": (later("Revenue"), "money"),
    "net_retention": (later("Revenue kept"), "rate"),
    "orders_per_customer": (later("Orders each"), "ratio"),
    "margin": (later("Margin to date"), "money"),
    "customer_value": (later("Value to date"), "money"),
}
STARTS: Final[Mapping[Start, str]] = {
    "first_order": later("First order"),
    "any_order": later("Any order"),
    "contact": later("First contact"),
    "survey_answer": later("First survey answer"),
    "contract": later("First contract"),
}
BACKS: Final[Mapping[Back, str]] = {
    "order": later("An order"),
    "contact": later("A contact"),
    "survey_answer": later("A survey answer"),
    "contract": later("A running contract"),
}


def defined(cohorts: Cohorts, name: str) -> Cohorts:
    """Cohorts under a named definition.

    >>> defined(Cohorts(), "rolling").window
    'rolling'
    """
    match name:
        case "rolling":
            return replace(cohorts, window="rolling")
        case "unbounded":
            return replace(cohorts, returns="on_or_after")
        case "previous":
            return replace(cohorts, base="previous")
        case "brackets":
            return replace(cohorts, brackets=BRACKETS[cohorts.grain])
        case _:
            return cohorts


def words(name: str) -> str:
    """What a named definition counts, in words."""
    return _(DEFINITIONS[name][1])
