"""How unevenly customers bring revenue or profit: Lorenz and whale curves, Gini, top shares, HHI.

Gini and Lorenz are for amounts without losses; with losses shares exceed 1 and the whale curve says more.
Customers are ranked by value; of equal values at a cut, as many are taken as the exact number asks for.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

import polars as pl

from metrics.reasons import Estimate, Reason

Money = Decimal | float

_NOBODY = Reason("no_customers", "There are no customers. Check the filters")
_NOTHING = Reason(
    "no_total", "The total is not above zero, so there are no shares of it. Show amounts instead"
)
_LOSSES = Reason(
    "losses", "Some customers bring a loss, so shares exceed 100 % and Gini 1. Use the whale curve instead"
)


def lorenz(values: pl.Series) -> pl.DataFrame:
    """Cumulative share of the total by cumulative share of customers, smallest first; starts at (0, 0).

    `customers_share`, `value_share`. Empty without customers or without a positive total.
    """
    ranked = values.drop_nulls().sort().cast(pl.Float64)
    total = ranked.sum()
    n = len(ranked) if total > 0 else 0
    shares = [0.0, *(ranked.cum_sum() / total)] if n else []
    return pl.DataFrame(
        {"customers_share": [i / n for i in range(n + 1)] if n else [], "value_share": shares},
        schema={"customers_share": pl.Float64, "value_share": pl.Float64},
    )


def gini(values: pl.Series, *, corrected: bool = False) -> Estimate:
    """G = 2 sum(k x_(k)) / (n sum(x)) - (n+1)/n, k the rank from the smallest; `corrected` times n/(n-1).

    0 when all bring the same, towards 1 when one brings all. Losses, or no positive total: a reason.
    """
    ranked = values.drop_nulls().sort().cast(pl.Float64)
    n, total = len(ranked), float(ranked.sum())
    reason = _without_shares(n, total) or (_LOSSES if ranked.min() < 0 else None)  # type: ignore[operator]  # n > 0
    if reason:
        return Estimate(None, reason)
    ranks = pl.Series(range(1, n + 1), dtype=pl.Float64)
    raw = 2 * float((ranks * ranked).sum()) / (n * total) - (n + 1) / n
    return Estimate(raw * n / (n - 1) if corrected and n > 1 else raw)


def concentration_index(values: pl.Series) -> Estimate:
    """Herfindahl-Hirschman index: the sum of squared shares; 1/n when all are equal, 1 when one has all."""
    known = values.drop_nulls().cast(pl.Float64)
    reason = _without_shares(len(known), float(known.sum())) or (_LOSSES if known.min() < 0 else None)  # type: ignore[operator]  # n > 0
    return Estimate(None, reason) if reason else Estimate(float(((known / known.sum()) ** 2).sum()))


@dataclass(frozen=True)
class TopShare:
    """What the best customers bring: how many they are, their amount, their share of the total."""

    customers: int
    of_customers: int
    amount: Money
    share: float | None
    reason: Reason | None = None


def top_share(values: pl.Series, share: float = 0.2) -> TopShare:
    """The best `share` of customers, rounded down to a whole number but at least one.

    Decimal values are summed exactly. Without a positive total the share is null, with a reason.
    """
    ranked = values.drop_nulls().sort(descending=True)
    n = len(ranked)
    top = max(1, floor(Fraction(str(share)) * n)) if n else 0
    amount, total = ranked.head(top).sum(), ranked.sum()
    reason = _without_shares(n, float(total))
    return TopShare(top, n, amount, None if reason else float(amount) / float(total), reason)


def customers_for(values: pl.Series, share: float = 0.8) -> Estimate:
    """The fewest customers who bring `share` of the total."""
    ranked = values.drop_nulls().sort(descending=True)
    reason = _without_shares(len(ranked), float(ranked.sum()))
    if reason:
        return Estimate(None, reason)
    reached = ranked.cum_sum().cast(pl.Float64) >= share * float(ranked.sum()) * (1 - 1e-12)
    return Estimate(float(reached.arg_max() or 0) + 1)


def whale_curve(values: pl.Series) -> pl.DataFrame:
    """Cumulative profit from the most to the least profitable customer, also in shares of the total.

    `customers` (rank from 1), `customers_share`, `amount` (cumulative), `share` (null without a total).
    """
    ranked = values.drop_nulls().sort(descending=True)
    n, total = len(ranked), float(ranked.sum())
    frame = pl.DataFrame(
        {"customers": pl.Series(range(1, n + 1), dtype=pl.Int64), "amount": ranked.cum_sum()}
    )
    share = pl.col("amount").cast(pl.Float64) / total if total > 0 else pl.lit(None, dtype=pl.Float64)
    return frame.select(
        "customers", (pl.col("customers") / max(n, 1)).alias("customers_share"), "amount", share=share
    )


@dataclass(frozen=True)
class Whale:
    """The whale curve in figures: total, peak (share and customers who make it), and the losses behind it."""

    customers: int
    total: Money
    peak: Money
    peak_customers: int
    peak_share: float | None
    loss: Money
    loss_customers: int
    reason: Reason | None = None


def whale(values: pl.Series) -> Whale:
    """Where cumulative profit peaks, and how much the customers after the peak take away again.

    `loss` is the sum of negative values; total = peak + loss exactly for Decimal values.
    """
    known = values.drop_nulls()
    gains, losses = known.filter(known > 0), known.filter(known < 0)
    total = known.sum()
    reason = _without_shares(len(known), float(total))
    share = None if reason else float(gains.sum()) / float(total)
    return Whale(len(known), total, gains.sum(), len(gains), share, losses.sum(), len(losses), reason)


def _without_shares(n: int, total: float) -> Reason | None:
    return _NOBODY if not n else _NOTHING if total <= 0 else None
