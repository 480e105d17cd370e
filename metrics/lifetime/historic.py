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


def with_costs(
    people: pl.DataFrame, contacts: pl.DataFrame | None, spending: pl.DataFrame | None
) -> pl.DataFrame:
    """Customers with what each has cost so far, ready for `historic_value`.

    `service_cost` is the `cost` of the customer's contacts, `acquisition_cost` what was spent on acquisition
    over the customers whose first order came since the first spending; earlier ones have none. Where spending
    and customers share the column `channel`, and no spending is for all, each channel's own. A column is
    missing where no source gives it.
    """
    if contacts is not None and "cost" in contacts.columns and contacts["cost"].null_count() < len(contacts):
        served = contacts.group_by("customer").agg(service_cost=pl.col("cost").sum())
        people = people.join(served, on="customer", how="left", maintain_order="left")
    if spending is None:
        return people
    bought = spending.filter(pl.col("purpose").cast(pl.String) == "acquisition")
    won = pl.col("first_order_on") >= bought["spent_on"].min()
    by = [pl.col("channel").cast(pl.String)] if _by_channel(people, bought) else [pl.lit("all")]
    key = [each.alias("spent_for") for each in by]
    spent = bought.group_by(key).agg(pl.col("amount").sum())
    counts = people.filter(won).group_by(key).len()
    each = spent.join(counts, on="spent_for").select(
        "spent_for", each=(pl.col("amount").cast(pl.Float64) / pl.col("len")).cast(pl.Decimal(18, 4))
    )
    priced = people.with_columns(key).join(each, on="spent_for", how="left", maintain_order="left")
    return priced.with_columns(acquisition_cost=pl.when(won).then("each")).drop("spent_for", "each")


def _by_channel(people: pl.DataFrame, spending: pl.DataFrame) -> bool:
    if "channel" not in people.columns or "channel" not in spending.columns:
        return False
    named = spending["channel"].cast(pl.String)
    return not named.null_count() and not (named == "all").any()
