"""The scorecard of a project: targets with their basis, programmes, what it is worth, how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.scorecard import LOWER_IS_BETTER, Economics, best_quartile, equity, scorecard
from metrics.scorecard_drivers import SEGMENT
from metrics.scorecard_plan import Plan

NEEDED: Final = ("retention", "categories", "revenue_per_category", "margin_rate")
OPTIONAL: Final = ("cost_to_serve", "acquisition_rate", "acquisition_cost", "referral_rate", "win_back_rate")
SURE: Final = 0.9
LIKELY: Final = 0.6
FEW: Final = 30
NO_LINK: Final = "no link from satisfaction to retention has been fitted"

Draws = Mapping[str, Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Link:
    """By how much one point of satisfaction raises the log-odds of staying for a year.

    `error` is the standard error of the slope, `n` the answers that it was fitted to.
    """

    slope: float
    error: float = 0.0
    n: int = 0


@dataclass(frozen=True, eq=False)
class Facts:
    """What was measured: the drivers of segments and of their peers, earlier ones, sizes, draws.

    `segments` and `peers` as `metrics.scorecard_drivers.measured` gives them, `earlier` the same with
    `ends_on`; `sizes` as `sizes` there; `draws` as `drawn`.
    """

    segments: pl.DataFrame
    peers: pl.DataFrame
    earlier: pl.DataFrame
    sizes: pl.DataFrame
    draws: Draws
    link: Link | None = None
    unlinked: str = NO_LINK
    """Why there is no link."""


def targets(plan: Plan, facts: Facts) -> pl.DataFrame:
    """Where each driver of each segment is to go: `segment`, `driver`, `target`, `basis`, `best_on`.

    `best_on` is the last day of the year in which the segment itself was best, null for other bases. Drivers
    without a basis to be had have no row.
    """
    own = {(each.segment, each.driver): each.target for each in plan.segments if each.target is not None}
    quartiles = {name: _quartile(facts.peers, name) for name in plan.by_driver}
    rows = []
    for segment, driver in facts.segments.select(SEGMENT, "driver").iter_rows():
        each = plan.by_driver.get(driver)
        if each is None:
            continue
        target, basis, best_on = own.get((segment, driver)), "manual", None
        if target is None:
            basis = each.basis
            target = each.target if each.target is not None else quartiles[driver]
            if basis == "own_best":
                target, best_on = _own_best(facts.earlier, segment, driver)
        if target is not None:
            rows.append((segment, driver, float(target), basis, best_on))
    schema = {
        SEGMENT: pl.String,
        "driver": pl.String,
        "target": pl.Float64,
        "basis": pl.String,
        "best_on": pl.Date,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _quartile(peers: pl.DataFrame, driver: str) -> float | None:
    ours = peers.filter(pl.col("driver") == driver, pl.col("n") > 1)
    return best_quartile(ours, lower_is_better=driver in LOWER_IS_BETTER) if len(ours) > 1 else None


def _own_best(earlier: pl.DataFrame, segment: str, driver: str) -> tuple[float | None, object]:
    ours = earlier.filter(pl.col(SEGMENT) == segment, pl.col("driver") == driver)
    if ours.is_empty():
        return None, None
    best = ours.sort("value", "ends_on", descending=[driver not in LOWER_IS_BETTER, True]).row(0, named=True)
    return best["value"], best["ends_on"]


def programmes(plan: Plan, facts: Facts) -> pl.DataFrame:
    """What closing each gap costs and how likely it is: segment, driver, cost, probability, achievable."""
    own = {(each.segment, each.driver): each for each in plan.segments}
    rows = []
    for segment, customers in facts.sizes.select(SEGMENT, "customers").iter_rows():
        for each in plan.drivers:
            change = own.get((segment, each.driver))
            usual = (each.cost + each.cost_per_customer * customers, each.probability, each.achievable)
            said = (change.cost, change.probability, change.achievable) if change else (None, None, None)
            chosen = (now if new is None else new for now, new in zip(usual, said, strict=True))
            rows.append((segment, each.driver, *chosen))
    names = (SEGMENT, "driver", "cost", "probability", "achievable")
    return pl.DataFrame(
        rows, schema=[(n, pl.String if at < 2 else pl.Float64) for at, n in enumerate(names)], orient="row"
    )


def current(facts: Facts) -> pl.DataFrame:
    """The drivers of today as `metrics.scorecard.equity` reads them; segments that lack some are left out.

    Optional drivers without a value are 0: nobody comes that way, nothing is spent on it.
    """
    wide = facts.segments.pivot(on="driver", index=SEGMENT, values="value", aggregate_function="first")
    lacking = [name for name in (*NEEDED, *OPTIONAL, "satisfaction") if name not in wide.columns]
    whole = wide.with_columns(pl.lit(None, pl.Float64).alias(name) for name in lacking)
    filled = whole.with_columns(pl.col(name).fill_null(0.0) for name in OPTIONAL)
    known = filled.drop_nulls(list(NEEDED)).join(facts.sizes, on=SEGMENT)
    if facts.link is None:
        return known.drop("satisfaction")
    now = pl.col("satisfaction").fill_null(0.0)
    return known.with_columns(
        satisfaction=now, satisfaction_now=now, satisfaction_slope=pl.lit(facts.link.slope)
    )


def priced(plan: Plan, facts: Facts) -> pl.DataFrame:
    """The scorecard with everything that the page shows, best expected value first.

    The columns of `metrics.scorecard.scorecard`, and `n`, `lower`, `upper` of the current value, `best_on`,
    `attained` (current over target, or the reverse where less is better; 1 at most), `band` (green, amber,
    red), `alone_lower`, `alone_upper` (95 %, from the draws), `positive` (the share of draws in which the
    expected value is above 0), `confidence` (high, medium, low; null where there is no gap), `reason` where a
    driver has no value in money. Satisfaction without a link has a row without worth, last.
    """
    economics = Economics(plan.discount_rate, plan.acquisition_periods)
    base, wanted, costs = current(facts), targets(plan, facts), programmes(plan, facts)
    inside = wanted.filter(pl.col(SEGMENT).is_in(base[SEGMENT].implode()))
    linked = inside if facts.link else inside.filter(pl.col("driver") != "satisfaction")
    table = scorecard(base, linked, economics, costs)
    if facts.link is None:
        table = _with_unlinked(table, inside, facts)
    ours = facts.segments.select(SEGMENT, "driver", "n", "lower", "upper")
    joined = table.join(ours, on=[SEGMENT, "driver"], how="left", maintain_order="left")
    return _with_confidence(_with_bands(joined, plan), base, facts, economics)


def _with_unlinked(table: pl.DataFrame, wanted: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """The rows of satisfaction, whose worth is not known without a link."""
    values = facts.segments.select(SEGMENT, "driver", pl.col("value").alias("current"))
    rows = (
        wanted.filter(pl.col("driver") == "satisfaction")
        .join(values, on=[SEGMENT, "driver"])
        .join(facts.sizes.select(SEGMENT, "customers"), on=SEGMENT)
        .with_columns(gap=(pl.col("target") - pl.col("current")).clip(0), reason=pl.lit(facts.unlinked))
    )
    return pl.concat([table, rows], how="diagonal")


def _with_bands(table: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    lower = pl.col("driver").is_in(list(LOWER_IS_BETTER))
    quotient = (
        pl.when(lower)
        .then(pl.col("target") / pl.col("current"))
        .otherwise(pl.col("current") / pl.col("target"))
    )
    closed = pl.when(pl.col("gap") == 0).then(1.0).otherwise(quotient.clip(0, 1))
    limits = {name: (each.amber, each.red) for name, each in plan.by_driver.items()}
    amber, red = (
        pl.col("driver").replace_strict(
            {name: pair[at] for name, pair in limits.items()}, return_dtype=pl.Float64
        )
        for at in (0, 1)
    )
    attained = pl.col("attained")
    band = (
        pl.when(attained < red)
        .then(pl.lit("red"))
        .when(attained < amber)
        .then(pl.lit("amber"))
        .otherwise(pl.lit("green"))
    )
    return table.with_columns(attained=closed).with_columns(band=band)


def _with_confidence(
    table: pl.DataFrame, base: pl.DataFrame, facts: Facts, economics: Economics
) -> pl.DataFrame:
    found = [_sureness(row, base, facts, economics) for row in table.iter_rows(named=True)]
    low, high, positive = (pl.Series([each[at] for each in found], dtype=pl.Float64) for at in range(3))
    few = pl.col("n") < FEW
    words = (
        pl.when(pl.col("gap") == 0)
        .then(None)
        .when(pl.col("positive").is_null() | few)
        .then(pl.lit("low"))
        .when(pl.col("positive") >= SURE)
        .then(pl.lit("high"))
        .when(pl.col("positive") >= LIKELY)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )
    drawn = table.with_columns(alone_lower=low, alone_upper=high, positive=positive)
    return drawn.with_columns(confidence=words)


def _sureness(
    row: Mapping[str, float], base: pl.DataFrame, facts: Facts, economics: Economics
) -> tuple[float | None, float | None, float | None]:
    """Bounds of the change of equity, and the chance that the expected value is positive, from the draws."""
    segment, driver = str(row[SEGMENT]), str(row["driver"])
    draws = facts.draws.get(segment)
    if not row["gap"] or row["alone"] is None or draws is None:
        return None, None, None
    today = base.row(by_predicate=pl.col(SEGMENT) == segment, named=True)
    values = {name: np.asarray(value, float) for name, value in today.items() if name != SEGMENT}
    moving = {
        name: _possible(name, draws[name], economics) for name in (*NEEDED, *OPTIONAL) if name in values
    }
    values |= {name: np.where(np.isnan(each), values[name], each) for name, each in moving.items()}
    if facts.link is not None:
        steps = np.random.default_rng(0).standard_normal(len(next(iter(draws.values()))))
        values["satisfaction_slope"] = facts.link.slope + facts.link.error * steps
    if driver in LOWER_IS_BETTER:
        then = np.minimum(values[driver], row["target"])
    else:
        then = np.maximum(values[driver], row["target"])
    change = equity(values | {driver: then}, economics) - equity(values, economics)
    net = row["probability"] * row["achievable"] * change - row["cost"]
    low, high = np.quantile(change, [0.025, 0.975]).tolist()
    return low, high, float((net > 0).mean())


def _possible(name: str, draws: NDArray[np.float64], economics: Economics) -> NDArray[np.float64]:
    """Draws within what the driver can be."""
    if name in ("retention", "acquisition_rate", "win_back_rate"):
        return np.clip(draws, 0.0, min(1.0, 1 + economics.discount_rate - 1e-9))
    return np.maximum(draws, 0.0) if name != "margin_rate" else draws


def totals(table: pl.DataFrame) -> pl.DataFrame:
    """What each driver brings over all segments when every gap closes: `driver`, `share`; the largest first.

    For segments that do not overlap; the shares add up to the joint change of all of them.
    """
    sums = table.filter(pl.col("share").is_not_null()).group_by("driver").agg(pl.col("share").sum())
    return sums.sort("share", "driver", descending=[True, False])


def balance(table: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The balanced view: `segment`, `score` (weighted mean of what is attained), `known` (sum of weights).

    Drivers that a segment does not have are left out, and the other weights scaled to sum to 1.
    """
    weights = {name: each.weight for name, each in plan.by_driver.items()}
    weight = pl.col("driver").replace_strict(weights, return_dtype=pl.Float64)
    rows = table.filter(pl.col("attained").is_not_null()).with_columns(weight=weight)
    sums = rows.group_by(SEGMENT).agg(
        score=(pl.col("weight") * pl.col("attained")).sum(), known=pl.col("weight").sum()
    )
    score = pl.when(pl.col("known") > 0).then(pl.col("score") / pl.col("known"))
    return sums.with_columns(score=score).sort(SEGMENT)
