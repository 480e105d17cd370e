"""Families of kinds whose figures a function of their own computes: which function, and which list.

A family is a file of definitions (subclasses of `Computed`) and one of figures. It joins here with one case
in each `match`, and its kinds join the union in `metrics.catalog`; mypy names the place that is forgotten.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import assert_never

import polars as pl

from metrics.catalog import Computing
from metrics.crossbuying_definitions import Affinity, CrossBuying
from metrics.crossbuying_figures import crossed, crossed_customers
from metrics.frames import CATEGORY, Marts
from metrics.next_category_definitions import NextCategory
from metrics.next_category_figures import foreseen, foreseen_customers
from metrics.periods import Window
from metrics.points import Point, Points, nothing
from metrics.retention_definitions import CohortRetention, Lifecycle, RevenueRetention, Survival
from metrics.retention_figures import followed
from metrics.retention_lists import followed_customers
from metrics.rfm import Rfm
from metrics.segment_definitions import SegmentShare
from metrics.segment_figures import group_customers, shares
from metrics.selection import SEGMENT, Missing
from metrics.sides import SIDE
from metrics.survey_definitions import (
    CustomerEffort,
    CustomerSatisfaction,
    ReturnOnQuality,
    SatisfactionIndex,
    ServqualGap,
)
from metrics.survey_figures import felt, felt_customers
from metrics.worth_definitions import Concentration, CustomerEquity, LifetimeValue, PAlive
from metrics.worth_figures import worth, worth_customers


def points(definition: Computing, marts: Marts, window: Window) -> Mapping[int, Point]:
    """The figures of a definition by period, for the customers of a selection.

    Raises Missing where a source is lacking or the window is none that the kind can answer.
    """
    match definition:
        case CohortRetention() | Lifecycle() | Survival() | RevenueRetention():
            return followed(definition, marts, window)
        case SegmentShare() | Rfm():
            return shares(definition, marts, window)
        case CrossBuying() | Affinity():
            return crossed(definition, marts, window)
        case NextCategory():
            return foreseen(definition, marts, window)
        case LifetimeValue() | PAlive() | CustomerEquity() | Concentration():
            return worth(definition, marts, window)
        case (
            ServqualGap()
            | CustomerSatisfaction()
            | CustomerEffort()
            | SatisfactionIndex()
            | ReturnOnQuality()
        ):
            return felt(definition, marts, window)
        case _:
            assert_never(definition)


def customers(definition: Computing, marts: Marts, window: Window) -> pl.DataFrame:
    """Who is behind the figures: period, customer, and the quantities that the figure is made of.

    Of a quotient `numerator` and `denominator`, of a count or an amount `value`, whose sums over a period
    give the figure; other quantities where there is no such sum. Raises Missing like the figure, and where
    it is not recorded by customer.
    """
    match definition:
        case CohortRetention() | Lifecycle() | Survival() | RevenueRetention():
            return followed_customers(definition, marts, window)
        case SegmentShare() | Rfm():
            return group_customers(definition, marts, window)
        case CrossBuying() | Affinity():
            return crossed_customers(definition, marts, window)
        case NextCategory():
            return foreseen_customers(definition, marts, window)
        case LifetimeValue() | PAlive() | CustomerEquity() | Concentration():
            return worth_customers(definition, marts, window)
        case (
            ServqualGap()
            | CustomerSatisfaction()
            | CustomerEffort()
            | SatisfactionIndex()
            | ReturnOnQuality()
        ):
            return felt_customers(definition, marts, window)
        case _:
            assert_never(definition)


def split_points(definition: Computing, marts: Marts, window: Window, by: str | None) -> Points:
    """The figures by value of a customer attribute and period: each value is a selection of its own.

    What is Missing is a reason in every period.
    """
    if by is None:
        return {(None, code): point for code, point in _points(definition, marts, window).items()}
    if by == CATEGORY:
        reason = f"`{definition.kind}` is a figure of customers, who do not split by category"
        return {(None, code): point for code, point in nothing(window, reason).items()}
    found: dict[tuple[str | None, int], Point] = {}
    for value, part in _split(marts, by):
        found |= {(value, code): point for code, point in _points(definition, part, window).items()}
    return found


def side(marts: Marts, name: str) -> Marts:
    """One of the groups side by side alone."""
    assert marts.sides is not None
    selection = replace(marts.selection, attributes={**marts.selection.attributes, SIDE: (name,)})
    inside, answers = marts.sides.members[name], marts.sides.answers
    return replace(marts, selection=selection, mask=inside, answers=answers, sides=None)


def _split(marts: Marts, by: str) -> Iterator[tuple[str, Marts]]:
    """The customers of each value of an attribute, or of each group side by side."""
    if by == SEGMENT and marts.sides:
        yield from ((name, side(marts, name)) for name in marts.sides.members)
        return
    held = dict(marts.selection.attributes)
    for value in marts.attributes[by]:
        if value in (held.get(by) or marts.attributes[by]):
            yield value, marts.select(replace(marts.selection, attributes={**held, by: (value,)}))


def _points(definition: Computing, marts: Marts, window: Window) -> Mapping[int, Point]:
    try:
        return points(definition, marts, window)
    except Missing as missing:
        return nothing(window, str(missing))
