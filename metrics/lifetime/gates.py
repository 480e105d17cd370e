"""Whether there is enough to speak of lifetime value at all, and what to say of a model before it is read."""

from dataclasses import dataclass

import polars as pl

from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.mbgnbd import MBGNBD
from metrics.lifetime.model import PurchaseModel
from metrics.reasons import Reason


@dataclass(frozen=True)
class Thresholds:
    """The least that predictions need: customers, days of history, repeat buyers; the longest silence."""

    customers: int = 500
    history_days: int = 180
    silence_days: int = 30
    repeat_buyers: int = 50


def gates(histories: pl.DataFrame, thresholds: Thresholds | None = None) -> tuple[Reason, ...]:
    """What stands against predictions from these histories: nothing, or a reason for each thing missing.

    `few_customers`, `short_history` (first order of all to the as-of date), `no_recent_order` (last order of
    all to the as-of date), `few_repeat_buyers`. Histories without a row give `few_customers` alone.
    """
    least = thresholds or Thresholds()
    customers = len(histories)
    found = []
    if customers < least.customers:
        text = (
            f"{customers:,} customers have ordered; predictions need {least.customers:,}. Widen the filters"
        )
        found.append(Reason("few_customers", text))
    if not customers:
        return tuple(found)
    days, silence, repeaters = histories.select(
        pl.col("age_days").max(),
        (pl.col("age_days") - pl.col("recency_days")).min().alias("silence"),
        (pl.col("frequency") > 0).sum().alias("repeaters"),
    ).row(0)
    if days < least.history_days:
        text = f"History goes back {days:,.0f} days; predictions need {least.history_days}. Load older orders"
        found.append(Reason("short_history", text))
    if silence >= least.silence_days:
        text = f"Nobody has ordered for {silence:,.0f} days. Check that the latest orders have arrived"
        found.append(Reason("no_recent_order", text))
    if repeaters < least.repeat_buyers:
        text = (
            f"{repeaters:,} customers have ordered on a second day; predictions need {least.repeat_buyers}. "
            "Wait, or widen the filters"
        )
        found.append(Reason("few_repeat_buyers", text))
    return tuple(found)


def cautions(model: PurchaseModel, histories: pl.DataFrame) -> tuple[Reason, ...]:
    """What to keep in mind with this model and these customers: BG/NBD holds one-time buyers for alive."""
    once = int((histories["frequency"] == 0).sum())
    if not isinstance(model, BGNBD) or isinstance(model, MBGNBD) or not once:
        return ()
    text = (
        f"BG/NBD gives P(alive) = 1 to each of the {once:,} customers who ordered once, however long ago. "
        "Read P(alive) from Pareto/NBD or MBG/NBD"
    )
    return (Reason("one_time_buyers_alive", text),)
