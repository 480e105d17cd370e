"""What the n of a figure counts, so that it can be told with its unit: `n = 4,212 customers`."""

from collections.abc import Mapping
from typing import Final, Literal

from metrics.catalog import Catalog
from metrics.definitions import Computed, Derived, NetPromoterScore, Ratio
from metrics.measures import Compute
from metrics.relations import PANEL

Counted = Literal[
    "customers", "orders", "days", "lines", "purchases", "answers", "contacts", "contracts", "entries", "rows"
]

_ROWS: Final[Mapping[str, Counted]] = {
    PANEL: "customers",
    "customers": "customers",
    "orders": "orders",
    "baskets": "purchases",
    "survey_answers": "answers",
    "interactions": "contacts",
    "subscriptions": "contracts",
    "spend": "entries",
}
"""What one row of a relation is."""

_SUMS: Final[Mapping[str, Counted]] = {
    "orders": "orders",
    "first_orders": "customers",
    "order_days": "days",
    "lines": "lines",
    "purchases": "purchases",
}
"""What the whole numbers of the marts count, where a figure is divided by their sum."""


def counted(catalog: Catalog, name: str) -> Counted:
    """What the n of a metric counts; `rows` where it rests on things of several kinds.

    The rows of a simple metric, the denominator of a ratio, answers, the customers who are followed. Raises
    Fault for an unknown metric.
    """
    plan = catalog.plan(name)
    match plan.definition:
        case Ratio():
            return _divisor(catalog, plan.parts[1])
        case Derived():
            kinds = {counted(catalog, part) for part in plan.references}
            return kinds.pop() if len(kinds) == 1 else "rows"
        case NetPromoterScore():
            return "answers"
        case Computed() as computed:
            return "answers" if "survey_answers" in computed.reads else "customers"
        case _:
            part = plan.parts[0] if plan.parts else None
            return _ROWS.get(part.relation.name, "rows") if isinstance(part, Compute) else "customers"


def _divisor(catalog: Catalog, part: Compute | str) -> Counted:
    if isinstance(part, str):
        return counted(catalog, part)
    return _SUMS.get(part.plain if part.aggregate == "sum" else "", _ROWS.get(part.relation.name, "rows"))
