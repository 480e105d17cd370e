"""The figures of next-category definitions, and the customers behind them."""

import numpy as np
import polars as pl

from metrics.crossbuying_figures import bought_of
from metrics.frames import Marts
from metrics.intervals import wilson
from metrics.next_category import Trained, trained
from metrics.next_category_definitions import NextCategory
from metrics.next_category_quality import best_ranks
from metrics.periods import Grain, Window
from metrics.points import Point, check_periods
from metrics.reasons import Reason
from metrics.selection import Missing

NOBODY = "nobody bought in a new category"


def foreseen(definition: NextCategory, marts: Marts, window: Window) -> dict[int, Point]:
    """The figures of a definition by period. Raises Missing where no order line has a category."""
    check_periods(window)
    return {code: _point(definition, marts, window, code) for code in window.periods}


def foreseen_customers(definition: NextCategory, marts: Marts, window: Window) -> pl.DataFrame:
    """The customers behind the figures: period, customer, and numerator and denominator, or value.

    Raises Missing where there is no figure in a period.
    """
    check_periods(window)
    parts = []
    for code in window.periods:
        found = _trained(definition, marts, window, code)
        if isinstance(found, Reason):
            raise Missing(found.text)
        parts.append(_rows(definition, found).with_columns(period=pl.lit(code, pl.Int32)))
    return pl.concat(parts)


def _trained(definition: NextCategory, marts: Marts, window: Window, code: int) -> Trained | Reason:
    end = marts.as_of
    if window.grain is not Grain.ALL:
        end = min(marts.calendar.end(code, window.grain), end)
    rows = bought_of(marts).rows
    chosen = marts.selection
    about = (str(sorted(chosen.attributes.items())), chosen.categories, chosen.where)
    question = ("next category", about, end, definition.days)
    return marts.kept(question, lambda: trained(rows, _contacts(marts), end, definition.days))


def _contacts(marts: Marts) -> pl.DataFrame:
    if "contacts" not in marts.frames:
        return pl.DataFrame(schema={"customer": pl.UInt32, "occurred_on": pl.Date})
    return marts.frame("contacts").select("customer", "occurred_on").drop_nulls()


def _rows(definition: NextCategory, found: Trained) -> pl.DataFrame:
    """What each customer adds to the figure."""
    if definition.value == "first_purchases":
        chances = np.nansum(found.model.propensities(found.now), axis=1)
        return pl.DataFrame({"customer": found.now.customers, "value": chances})
    ranks = best_ranks(found.before, found.new, found.judged.propensities(found.before))
    hit = ranks <= (definition.k or 0) if definition.value == "hit_rate" else 1 / ranks
    people = found.before.customers.filter(pl.Series(found.new.any(axis=1)))
    return pl.DataFrame({"customer": people, "numerator": hit.astype(np.float64), "denominator": 1.0})


def _point(definition: NextCategory, marts: Marts, window: Window, code: int) -> Point:
    found = _trained(definition, marts, window, code)
    if isinstance(found, Reason):
        return Point(None, 0, reason=found.text)
    rows = _rows(definition, found)
    n = len(rows)
    if definition.value == "first_purchases":
        return Point(float(rows["value"].sum()), n)
    if not n:
        return Point(None, 0, reason=NOBODY)
    hits = float(rows["numerator"].sum())
    value = hits / n
    if definition.value == "mrr":
        return Point(value, n)
    lower, upper = wilson([hits], [n])
    return Point(value, n, float(lower[0]), float(upper[0]), "wilson")
