"""A list of customers with quantities beside them: headings, money, days and flags as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial

import polars as pl

from dashboard.counts import with_unit
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts.filter_bar import heading
from dashboard.parts.listing import listing
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from metrics.counted import Counted
from metrics.definitions import Unit


def customer_list(
    desk: Desk,
    rows: pl.DataFrame,
    *,
    key: str,
    file: str,
    label: str,
    names: Mapping[str, str],
    units: Mapping[str, Unit] | None = None,
    counts: Counted = "customers",
) -> None:
    """The rows with search, pages and files; `names` are headings, `units` how numbers are written.

    `counts` is what a row stands for: customers, or what they have several of.
    """
    show = desk.show
    ours = {"customer_id": _("Customer"), **names}
    listing(
        rows,
        [Column(ours.get(name, heading(name)), _kind(name, dtype)) for name, dtype in rows.schema.items()],
        partial(_cells, desk, units or {}),
        show,
        key=key,
        file=file,
        label=label,
        placeholder=_("Search by id, name or attribute"),
        counted=lambda n: with_unit(n, counts, show),
    )


def _kind(name: str, dtype: pl.DataType) -> str:
    """How a column is set: ids lead to their customers, reasons are sentences of ours."""
    if dtype.is_numeric():
        return "number"
    return {"customer_id": "customer", "reason": "wide"}.get(name, "")


def _cells(desk: Desk, units: Mapping[str, Unit], page: pl.DataFrame) -> list[list[str]]:
    return [
        [cell(desk, units.get(name), value) for name, value in row.items()]
        for row in page.iter_rows(named=True)
    ]


def cell(desk: Desk, unit: Unit | None, value: object) -> str:
    """A value as people write it, a number in its unit."""
    show = desk.show
    match value:
        case None:
            return MISSING
        case bool():
            return _("yes") if value else _("no")
        case int() | float() | Decimal() if unit:
            return show.full(value, unit)
        case Decimal():
            return show.exact_money(value)
        case int():
            return show.decimal(value, 0)
        case float():
            return show.decimal(value, 0 if value.is_integer() else 2)
        case date():
            return show.day(value)
        case _:
            return str(value)
