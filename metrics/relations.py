"""What definitions read: the tables and marts by the names that analysts use, with their columns.

`customer_periods` is the customer x period panel of whatever period is asked for, so that a metric is defined
once and works at every grain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from connectors.tables import MONEY, dtypes

Columns = Mapping[str, pl.DataType]

_WHOLE, _NUMBER, _DAY, _FLAG = pl.Int32(), pl.Float64(), pl.Date(), pl.Boolean()
_CUSTOMER, _TEXT = pl.UInt32(), pl.String()

SUMS: Final[Columns] = {
    **dict.fromkeys(("orders", "order_days", "first_orders", "lines", "purchases"), _WHOLE),
    **dict.fromkeys(("quantity", "bought_quantity"), _NUMBER),
    **dict.fromkeys(
        (
            "gross_amount",
            "returned_amount",
            "net_amount",
            "cost",
            "costed_amount",
            "margin",
            "discount",
            "cross_sell_amount",
            "up_sell_amount",
        ),
        MONEY,
    ),
}
"""What orders, baskets, panels and customers all sum up; see `metrics.rollup.baskets` for the meaning."""


@dataclass(frozen=True)
class Relation:
    """A table that definitions may name.

    `mart` holds its rows, `day` dates them (None: rows stand for all of history). Rows have a `customer`
    number unless `of_customers` is False; `of_lines` says that they can be cut by category.
    """

    name: str
    mart: str
    columns: Columns
    day: str | None = None
    of_customers: bool = True
    of_lines: bool = False

    @property
    def noun(self) -> str:
        """What its rows are, in the words of a message."""
        return _NOUNS.get(self.name, self.name)


_NOUNS: Final[Mapping[str, str]] = {
    "survey_answers": "survey answers",
    "interactions": "contacts",
    "subscriptions": "contracts",
    "spend": "money spent",
}


def _events(
    table: str, mart: str, day: str, *, of_customers: bool = True, more: tuple[str, ...] = ()
) -> Relation:
    given = {name: dtype for name, dtype in dtypes(table).items() if name != "customer_id"}
    texts = {n: _TEXT if isinstance(t, pl.Enum) else t for n, t in given.items()}
    number = {"customer": _CUSTOMER} if of_customers else {}
    days = dict.fromkeys((day, *more), _DAY)
    return Relation(table, mart, {**number, **days, **texts}, day, of_customers)


PANEL: Final = "customer_periods"

RELATIONS: Final[Mapping[str, Relation]] = {
    relation.name: relation
    for relation in (
        Relation(
            PANEL,
            PANEL,
            {
                "customer": _CUSTOMER,
                "period": _WHOLE,
                **SUMS,
                "is_first": _FLAG,
                "active_before": _FLAG,
                "active_next": _FLAG,
                "net_before": MONEY,
            },
            of_lines=True,
        ),
        Relation(
            "orders",
            "orders",
            {
                "customer": _CUSTOMER,
                "order": pl.UInt32(),
                "order_id": _TEXT,
                "ordered_on": _DAY,
                "channel": _TEXT,
                **SUMS,
            },
            "ordered_on",
            of_lines=True,
        ),
        Relation(
            "baskets",
            "baskets",
            {
                "customer": _CUSTOMER,
                "order": pl.UInt32(),
                "ordered_on": _DAY,
                "category": _TEXT,
                **{n: t for n, t in SUMS.items() if n not in ("orders", "order_days", "first_orders")},
            },
            "ordered_on",
            of_lines=True,
        ),
        Relation(
            "customers",
            "customer_summary",
            {
                "customer": _CUSTOMER,
                **dtypes("customers"),
                "first_order_on": _DAY,
                "last_order_on": _DAY,
                "categories": _WHOLE,
                **SUMS,
            },
        ),
        _events("survey_answers", "answers", "answered_on"),
        _events("interactions", "contacts", "occurred_on", more=("resolved_on",)),
        _events("subscriptions", "contracts", "started_on"),
        _events("spend", "spending", "spent_on", of_customers=False),
    )
}
