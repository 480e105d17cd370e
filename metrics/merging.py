"""Customers who turned out to be one: everything of the one that was merged counts for the other.

A source says so in a column `merged_into` of the customers: the id of the customer who now stands for this
one. Ids are followed to their end; those that lead in a circle, or to themselves, stay as they are.
"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

MERGED: Final = "merged_into"
_ID: Final = "customer_id"


def unified(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical tables by name with the ids of merged customers replaced, their own rows left out.

    Tables that are no Polars lazy frames are left as they are: `metrics.marts` sums the lines of an engine
    first and unites what it gave. Without such a column nothing changes.
    """
    found = merged(tables.get("customers"))
    if not found:
        return dict(tables)
    return {name: _replaced(table, found) for name, table in tables.items()}


def merged(customers: object) -> dict[str, str]:
    """Every merged customer with the one who stands for him now; none without the column."""
    if not isinstance(customers, pl.LazyFrame) or MERGED not in customers.collect_schema():
        return {}
    target = pl.col(MERGED).cast(pl.String)
    rows = customers.select(_ID, target).filter(target.is_not_null(), target != "", target != pl.col(_ID))
    into: dict[str, str] = dict(rows.collect().iter_rows())
    ends = {old: _end(old, into) for old in into}
    return {old: end for old, end in ends.items() if end is not None}


def _end(old: str, into: Mapping[str, str]) -> str | None:
    """Where an id leads to at last; None when that is a circle."""
    seen, at = {old}, into[old]
    while at in into:
        if at in seen:
            return None
        seen.add(at)
        at = into[at]
    return at


def _replaced(table: object, found: Mapping[str, str]) -> object:
    if not isinstance(table, pl.LazyFrame) or _ID not in table.collect_schema():
        return table
    if MERGED in table.collect_schema():
        return table.filter(~pl.col(_ID).is_in(list(found)))
    return table.with_columns(pl.col(_ID).replace(list(found), list(found.values())))
