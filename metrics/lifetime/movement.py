"""Whose predicted value rose and whose fell: the same model, on what is known then and now."""

from dataclasses import replace
from datetime import date

import polars as pl

from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.history import history_of_customers, summary_until
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.values import Terms, customer_values


def value_changes(
    orders: pl.DataFrame, purchases: PurchaseModel, spend: GammaGamma | None, terms: Terms, since: date
) -> pl.DataFrame:
    """Predicted value as of `since` and as of the terms' day, of customers who had ordered by `since`.

    The model stays the same, so a change comes from what the customer did or did not do in between.
    `orders`: see `summary_until`. `customer`, `p_alive_before`, `p_alive`, `value_before`, `value`, `change`
    (null where a value is), sorted by customer.
    """
    then, now = (
        customer_values(
            history_of_customers(summary_until(orders, day), day),
            purchases,
            spend,
            replace(terms, as_of=day),
        ).select("customer", "p_alive", "value")
        for day in (since, terms.as_of)
    )
    before = then.rename({"p_alive": "p_alive_before", "value": "value_before"})
    return (
        before.join(now, on="customer", how="inner")
        .with_columns(change=pl.col("value") - pl.col("value_before"))
        .sort("customer")
    )
