"""What a person may choose on the retention page: named definitions, events, values of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from config.errors import Fault
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.cohort_values import CellValue
from metrics.definitions import Unit
from metrics.lives import Back, Start
from metrics.periods import Grain
from metrics.retention import Bracket, Cohorts

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
    "rolling_unbounded": (
        later("Own, then or later"),
        later("active in that period of the customer's own or any later one; young periods come out too low"),
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

BRACKETS: Final[Mapping[Grain, tuple[Bracket, ...]]] = {
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


MEANS: Final[Mapping[str, tuple[str, str]]] = {
    "weighted": (
        later("All, weighted"),
        later("all customers of the cohorts whose period is over, together"),
    ),
    "simple": (
        later("Cohorts' mean"),
        later("the plain mean of the cohorts whose period is over, large and small alike"),
    ),
}


def brackets_of(text: str) -> tuple[Bracket, ...]:
    """Brackets as people write them. Raises Fault for what is none, and for ages that stand in two.

    >>> brackets_of("1-3, 4-7, 8")
    ((1, 3), (4, 7), (8, 8))
    """
    found = [_bracket(part) for part in text.replace("\N{EN DASH}", "-").split(",") if part.strip()]
    for (_first, end), (start, _last) in pairwise(found):
        if start <= end:
            fault = f"`{start}` stands in two brackets, or before `{end}`"
            raise Fault(fault, "Write them in order, such as `1-3, 4-7`")
    if not found:
        fault = "no bracket is given"
        raise Fault(fault, "Write some, such as `1-3, 4-7`")
    return tuple(found)


def _bracket(part: str) -> Bracket:
    first, _dash, last = (piece.strip() for piece in part.partition("-"))
    ends = (first, last or first)
    if not all(end.isdecimal() for end in ends) or int(ends[1]) < int(ends[0]):
        fault = f"`{part.strip()}` is no bracket of ages"
        raise Fault(fault, "Write the first and the last age, such as `1-3, 4-7`")
    return int(ends[0]), int(ends[1])


def written(brackets: Sequence[Bracket]) -> str:
    """Brackets as `brackets_of` reads them."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in brackets)


def defined(cohorts: Cohorts, name: str, brackets: tuple[Bracket, ...] = ()) -> Cohorts:
    """Cohorts under a named definition; `brackets` in place of the usual ones.

    >>> defined(Cohorts(), "rolling").window
    'rolling'
    """
    match name:
        case "rolling_unbounded":
            return replace(cohorts, window="rolling", returns="on_or_after")
        case "rolling":
            return replace(cohorts, window="rolling")
        case "unbounded":
            return replace(cohorts, returns="on_or_after")
        case "previous":
            return replace(cohorts, base="previous")
        case "brackets":
            return replace(cohorts, brackets=brackets or BRACKETS[cohorts.grain])
        case _:
            return cohorts


def words(name: str) -> str:
    """What a named definition counts, in words."""
    return _(DEFINITIONS[name][1])
