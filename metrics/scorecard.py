"""The Customer Value Scorecard: which driver of customer equity is worth the next unit of money, and where.

After Hansotia; the published description names the idea, the layout is reconstructed. Each segment has
drivers (retention, categories per customer, revenue per category, margin, cost to serve, acquisition,
referral, win-back). Closing a driver's gap to its target changes the segment's customer equity. Gaps closed
together are worth more or less than the sum of each alone, so single effects are never added up: the joint
change is shared among the drivers by Shapley's rule, whose shares add up to it exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit

Values: TypeAlias = NDArray[np.float64]
DRIVERS: Final = (
    "retention",
    "categories",
    "revenue_per_category",
    "margin_rate",
    "cost_to_serve",
    "prospects",
    "acquisition_rate",
    "acquisition_cost",
    "referral_rate",
    "win_back_rate",
    "satisfaction",
)
"""What equity is made of; the first five are needed, the others default to nobody acquired."""
LOWER_IS_BETTER: Final = frozenset({"cost_to_serve", "acquisition_cost"})
_DEFAULTS: Final = dict.fromkeys(DRIVERS[5:], np.zeros(()))


class Impossible(ValueError):
    """A driver that no customer base can have, with what to change."""


@dataclass(frozen=True)
class Economics:
    """What all segments share: the discount rate of a period, and the periods in which people are won."""

    discount_rate: float
    acquisition_periods: int = 1


def equity(segment: Mapping[str, Values], economics: Economics) -> Values:
    """Customer equity of segments: those who are there, and those who are still to come.

    `m = categories x revenue per category x margin rate - cost to serve`; existing customers are worth
    `N m r / (1 + i - r)` (first margin at the end of the period, if they are still there); a new one
    `m (1 + i) / (1 + i - r)` less its acquisition cost, discounted by the period of arrival. New customers a
    period: prospects x acquisition rate, plus customers x referral rate and customers x win-back rate, who
    come without acquisition cost. Arrays broadcast; `customers` is a key besides DRIVERS.

    Satisfaction is worth something only through a fitted link: with `satisfaction_slope` retention has the
    log-odds of today plus the slope times the points gained on `satisfaction_now`.

    Raises Impossible where retention is not below 1 + i: the sum has no end.
    """
    values: dict[str, Values] = {**_DEFAULTS, **segment}
    i, r = economics.discount_rate, _retained(values)
    if (r >= 1 + i).any() or (r < 0).any():
        fault = f"retention must lie between 0 and {1 + i:g} (1 + discount rate): set a lower target"
        raise Impossible(fault)
    margin = values["categories"] * values["revenue_per_category"] * values["margin_rate"]
    margin = margin - values["cost_to_serve"]
    annuity = sum((1 + i) ** -period for period in range(1, economics.acquisition_periods + 1))
    worth = margin * (1 + i) / (1 + i - r)
    bought = values["prospects"] * values["acquisition_rate"]
    brought = values["customers"] * (values["referral_rate"] + values["win_back_rate"])
    new = (bought * (worth - values["acquisition_cost"]) + brought * worth) * annuity
    total: Values = values["customers"] * margin * r / (1 + i - r) + new
    return total


def _retained(values: Mapping[str, Values]) -> Values:
    """Retention, moved by the satisfaction gained where a link is known."""
    r = np.asarray(values["retention"], float)
    if "satisfaction_slope" not in values:
        return r
    gained = np.asarray(values["satisfaction"], float) - values["satisfaction_now"]
    moved: Values = expit(logit(r) + values["satisfaction_slope"] * gained)
    return np.where(gained == 0, r, moved)


def scorecard(
    current: pl.DataFrame, targets: pl.DataFrame, economics: Economics, programmes: pl.DataFrame | None = None
) -> pl.DataFrame:
    """What closing each gap is worth: one row a segment and driver with a target, best expected value first.

    `current`: segment, customers and a column a driver. `targets`: segment, driver, target, basis.
    `programmes` (optional): segment, driver, cost, probability, achievable (the share of the gap that can be
    closed). A gap that is already closed is worth 0, never a negative opportunity, and costs nothing.

    Columns: segment, driver, customers, current, target, basis, gap, alone (change of equity if only this gap
    closes), share (Shapley's, adds up to the segment's joint change), cost, probability, achievable, expected
    (probability x achievable x alone - cost), roi (expected / cost, null without cost), rank.
    """
    gaps = _gaps(current, targets)
    segments = gaps.partition_by("segment", maintain_order=True)
    parts = [_worth(segment, current, economics) for segment in segments]
    blank = {name: pl.lit(None, pl.Float64) for name in ("alone", "share")}
    planned = _planned(pl.concat(parts) if parts else gaps.with_columns(**blank), programmes)
    expected = pl.col("probability") * pl.col("achievable") * pl.col("alone") - pl.col("cost")
    valued = planned.with_columns(expected=expected)
    roi = pl.when(pl.col("cost") > 0).then(pl.col("expected") / pl.col("cost"))
    ranked = valued.with_columns(roi=roi, rank=pl.col("expected").rank("ordinal", descending=True))
    return ranked.sort("rank", "segment", "driver")


def _gaps(current: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Current and target of every driver that has one; no target makes things worse."""
    drivers = [name for name in DRIVERS if name in current.columns]
    now = current.unpivot(
        on=drivers, index=["segment", "customers"], variable_name="driver", value_name="current"
    )
    joined = targets.join(now, on=["segment", "driver"], how="inner", maintain_order="left")
    lower = pl.col("driver").is_in(list(LOWER_IS_BETTER))
    best = (
        pl.when(lower)
        .then(pl.min_horizontal("target", "current"))
        .otherwise(pl.max_horizontal("target", "current"))
    )
    return joined.with_columns(gap=best - pl.col("current"))


def _worth(gaps: pl.DataFrame, current: pl.DataFrame, economics: Economics) -> pl.DataFrame:
    """Change of equity of one segment: each gap alone, and Shapley's share of all together."""
    base = current.row(by_predicate=pl.col("segment") == gaps["segment"][0], named=True)
    drivers, steps = gaps["driver"].to_list(), gaps["gap"].to_numpy()
    worth = _of_every_subset(base, drivers, steps, economics)
    alone = np.array([worth[1 << at] for at in range(len(drivers))]) - worth[0]
    return gaps.with_columns(alone=pl.Series(alone), share=pl.Series(shapley(worth)))


def _of_every_subset(
    base: Mapping[str, float], drivers: Sequence[str], steps: Values, economics: Economics
) -> Values:
    """Equity with each subset of the gaps closed; bit k of the position says whether driver k's gap is."""
    closed = (np.arange(1 << len(drivers))[:, None] >> np.arange(len(drivers))) & 1
    values = {name: np.asarray(value, float) for name, value in base.items() if name != "segment"}
    moved = {name: values[name] + closed[:, at] * steps[at] for at, name in enumerate(drivers)}
    return np.broadcast_to(equity(values | moved, economics), len(closed))


def shapley(worth: Values) -> Values:
    """Shapley's share of each of n players in what all achieve together (Shapley 1953).

    `worth` holds the value of every subset of players, bit k of the position saying whether player k takes
    part. The average over all orders of joining of what a player adds; the shares sum to `worth[all] -
    worth[none]`.

    >>> shapley(np.array([0.0, 10.0, 20.0, 60.0]))
    array([25., 35.])
    """
    players = (len(worth) - 1).bit_length()
    weights = [factorial(k) * factorial(players - k - 1) / factorial(players) for k in range(players)]
    sizes = np.array([int(at).bit_count() for at in range(len(worth))])
    shares = np.zeros(players)
    for player in range(players):
        without = np.flatnonzero((np.arange(len(worth)) >> player) & 1 == 0)
        adds = worth[without | (1 << player)] - worth[without]
        shares[player] = (np.array(weights)[sizes[without]] * adds).sum()
    return shares


def joint_change(table: pl.DataFrame) -> pl.DataFrame:
    """What all gaps of a segment are worth together, and how far that is from the sum of each alone.

    One row a segment: segment, joint (the sum of the shares), interaction (joint less the sum of `alone`).
    """
    sums = table.group_by("segment", maintain_order=True).agg(
        pl.col("share").sum().alias("joint"), pl.col("alone").sum().alias("apart")
    )
    return sums.select("segment", "joint", (pl.col("joint") - pl.col("apart")).alias("interaction"))


def _planned(rows: pl.DataFrame, programmes: pl.DataFrame | None) -> pl.DataFrame:
    usual = {"cost": 0.0, "probability": 1.0, "achievable": 1.0}
    if programmes is None:
        return rows.with_columns(**{name: pl.lit(value) for name, value in usual.items()})
    joined = rows.join(programmes, on=["segment", "driver"], how="left", maintain_order="left")
    planned = joined.with_columns(pl.col(name).fill_null(value) for name, value in usual.items())
    return planned.with_columns(cost=pl.when(pl.col("gap") != 0).then("cost").otherwise(0.0))


def best_quartile(peers: pl.DataFrame, *, lower_is_better: bool = False) -> float | None:
    """A target from peers that luck did not make: the best quartile of their shrunken rates.

    `peers`: value, n, and variance (of one customer's value). Each value is drawn towards the mean of all by
    empirical Bayes, `mean + B (value - mean)` with `B = tau^2 / (tau^2 + variance / n)`, so that a cell of a
    dozen customers is no example to follow. Null without peers.
    """
    if peers.is_empty():
        return None
    value, n, variance = (peers[name].to_numpy().astype(float) for name in ("value", "n", "variance"))
    error = variance / n
    mean = np.average(value, weights=n)
    spread = max(np.average((value - mean) ** 2, weights=n) - np.average(error, weights=n), 0.0)
    kept = np.divide(spread, spread + error, out=np.zeros_like(error), where=spread + error > 0)
    shrunk = mean + kept * (value - mean)
    return float(np.quantile(shrunk, 0.25 if lower_is_better else 0.75))
