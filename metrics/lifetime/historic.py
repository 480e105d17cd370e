"""What customers have been worth so far: revenue after returns, margin, contribution after what they cost."""

from typing import Final

import polars as pl

from metrics.reasons import Reason

_COSTS: Final = {
    "cost": "Cost of goods is not known, so margin is not. Map `cost` of the order lines",
    "service_cost": "Contacts have no cost, so none is deducted. Map `cost` of the interactions",
    "acquisition_cost": "Acquisition has no cost, so none is deducted. Map the `spend` table",
}


def historic_value(customers: pl.DataFrame) -> pl.DataFrame:
    """One row a customer: `revenue`, `margin`, `contribution`, in the type of the amounts (Decimal: exact).

    Takes `customer`, `net_amount` (after returns) and, where known, `cost`, `service_cost` and
    `acquisition_cost` of each customer. margin = revenue - cost, null without cost; contribution is margin
    less service and acquisition cost, of which unknown ones (column or value) count as none: see `lacking`.
    """
    known = [name for name in ("service_cost", "acquisition_cost") if name in customers.columns]
    margin = pl.col("net_amount") - pl.col("cost") if "cost" in customers.columns else pl.lit(None)
    amount = customers.schema["net_amount"]
    contribution = margin
    for name in known:
        contribution = contribution - pl.col(name).fill_null(0)
    return customers.select(
        "customer",
        revenue=pl.col("net_amount"),
        margin=margin.cast(amount),
        contribution=contribution.cast(amount),
    )


def lacking(customers: pl.DataFrame) -> tuple[Reason, ...]:
    """A reason for each kind of cost that no customer has."""
    columns = customers.columns
    return tuple(
        Reason(f"no_{name}", text)
        for name, text in _COSTS.items()
        if name not in columns or customers[name].null_count() == len(customers)
    )
