"""Where the customers of a selection stand, judged among all: a filter of customers changes no judgement."""

from dataclasses import replace
from typing import Final

import polars as pl

from metrics.frames import Marts
from metrics.lapse import MIN_GAPS, QUANTILE, standing
from metrics.periods import Window
from metrics.relations import RELATIONS
from metrics.selection import Selection

RHYTHM_OF: Final = "channel"
"""The attribute towards whose rhythm a customer's own is drawn, where the data have it."""


def order_rows(marts: Marts, columns: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The order rows of the selection by customer and day, with further columns, amounts in units."""
    wanted = frozenset({"ordered_on", "orders"}) | columns
    return marts.rows(RELATIONS["orders"], Window(), wanted, exact=frozenset())


def everybody(marts: Marts) -> Marts:
    """The marts without their selection of customers; that of categories and order lines stays."""
    return replace(marts, selection=Selection(categories=marts.selection.categories), mask=None)


def rhythm_segments(marts: Marts, attribute: str = RHYTHM_OF) -> pl.DataFrame | None:
    """The segment of every customer (customer, segment); None where no source gives the attribute."""
    people = marts.frame("customer_summary")
    if attribute not in people.columns or not people[attribute].count():
        return None
    return people.select("customer", pl.col(attribute).cast(pl.String).alias("segment"))


def standings(
    marts: Marts, *, quantile: float = QUANTILE, min_gaps: int = MIN_GAPS, rhythm_of: str = RHYTHM_OF
) -> pl.DataFrame:
    """`metrics.lapse.standing` of the selected customers, judged among all: a filter changes no judgement."""
    whole = everybody(marts)
    categories = whole.selection.categories
    found = marts.kept(
        ("standings", categories, quantile, min_gaps, rhythm_of),
        lambda: standing(
            order_rows(whole).lazy(),
            marts.as_of,
            quantile=quantile,
            min_gaps=min_gaps,
            segment=rhythm_segments(marts, rhythm_of),
        ),
    )
    return found if marts.mask is None else found.filter(is_selected(marts, found["customer"]))


def is_selected(marts: Marts, customers: pl.Series) -> pl.Series:
    """Whether each customer, by number, is one of the selected ones."""
    if marts.mask is None:
        return pl.repeat(value=True, n=len(customers), eager=True)
    return marts.mask.gather(customers).fill_null(value=False)
