"""Whether loyalty leads cross-buying or cross-buying loyalty: a panel test of what foretells what.

In the manner of Reinartz, Thomas and Bascoul (2008): each of the two is regressed on its own past and the
past of the other, with an effect for every customer and every period. What foretells is not yet what causes:
both directions are reported, and neither is proof that pushing the one would move the other.

Breadth is measured at equal numbers of lines and orders, because more of them hold more categories by
construction: `excess`, the categories bought in a period less the mean of all customers with as many lines
and orders in one. Orders and spend count in logs, so that a few very busy customers do not decide. Breadth is
known only of periods with two lines or more, so that both tests look at those.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from metrics.frames import CATEGORY, Marts
from metrics.periods import Calendar, Grain
from metrics.reasons import Reason

Loyalty = Literal["orders", "spend", "share"]
"""Orders in the period, what was spent, or the share of the period's months with an order."""

LAGS: Final = 2
OWN: Final = 1
PERIODS: Final = 6
CUSTOMERS: Final = 100
MOST_CUSTOMERS: Final = 50_000
"""Larger panels are thinned evenly by customer number: more adds digits, not insight."""
LEVEL: Final = 0.05
_MOST_LINES: Final = 30
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lead:
    """Whether the past of one foretells the other, beyond that one's own past.

    `effects` are those of the lags 1, 2, ... of the leading one, with `lower` and `upper` (95 %, by
    customer); `f` and `p_value` test that all are zero, on `lags` and `customers - 1` degrees of freedom.
    `corrected` are the effects without the bias that short panels have: a check.
    """

    leads: Literal["loyalty", "breadth"]
    effects: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    corrected: tuple[float, ...]
    f: float
    p_value: float
    rows: int
    customers: int

    @property
    def foretells(self) -> bool:
        """Whether more of the leading one goes before more of the other: a clear effect, above zero in all.

        The sign counts, since in short panels a strong effect the other way round leaves a small one below
        zero here (Nickell 1981), which the test alone takes for an effect in one case of eight.
        """
        return self.p_value < LEVEL and sum(self.effects) > 0


def panel(rows: pl.DataFrame, calendar: Calendar, last: int, grain: Grain = Grain.QUARTER) -> pl.DataFrame:
    """One row a customer and period, from the first order's to `last`, sorted by both.

    `rows` are those of `metrics.crossbuying.basket_rows`. `customer`, `period`, `orders`, `spend` (whole
    currency), `share` (of the period's months), `lines`, `categories`, `excess` (0 where nothing was bought).
    """
    bought = rows.filter(pl.col("purchases") > 0).with_columns(
        period=calendar.codes(pl.col("ordered_on"), grain),
        month=calendar.codes(pl.col("ordered_on"), Grain.MONTH),
    )
    bought = bought.filter(pl.col("period") <= last)
    months = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}.get(grain, 1)
    sums = bought.group_by("customer", "period").agg(
        pl.col("order").n_unique().cast(pl.Float64).alias("orders"),
        (pl.col("gross_amount").sum().cast(pl.Float64) / 10_000).alias("spend"),
        (pl.col("month").n_unique() / months).alias("share"),
        pl.col("purchases").sum().cast(pl.Float64).alias("lines"),
        pl.col(CATEGORY).n_unique().cast(pl.Float64).alias("categories"),
    )
    alike = (pl.col(name).clip(upper_bound=_MOST_LINES) for name in ("lines", "orders"))
    usual = pl.col("categories").mean().over(*alike)
    broad = sums.with_columns(excess=pl.col("categories") - usual)
    first = sums.group_by("customer").agg(pl.col("period").min().alias("first"))
    grid = first.with_columns(period=pl.int_ranges("first", last + 1)).explode("period").drop("first")
    whole = grid.with_columns(pl.col("period").cast(pl.Int32)).join(
        broad, on=["customer", "period"], how="left"
    )
    return whole.fill_null(0.0).sort("customer", "period")


def directions(
    whole: pl.DataFrame, loyalty: Loyalty = "orders", lags: int = LAGS
) -> tuple[Lead, Lead] | Reason:
    """Loyalty leading breadth, and breadth leading loyalty; a reason where the panel is too short.

    Each is regressed on `lags` periods of the other and one more of its own. Breadth is looked at in periods
    with two lines or more; loyalty in every period that follows `lags` of them.
    """
    if whole["period"].n_unique() < PERIODS + lags:
        text = (
            f"The test needs {PERIODS + lags} periods of orders. Load older orders, or choose shorter periods"
        )
        return Reason("few_periods", text)
    thinned = _thinned(whole)
    logs = thinned.with_columns(pl.col("orders", "spend").log1p())
    lagged = _lagged(logs, (loyalty, "excess", "lines"), lags + OWN)
    broad = lagged.filter(pl.col("lines") >= 2)
    followed = lagged.filter(pl.col(f"lines.{lag}") >= 2 for lag in range(1, lags + 1))
    for rows in (broad, followed):
        if rows["customer"].n_unique() < CUSTOMERS:
            text = f"Fewer than {CUSTOMERS} customers bought in enough periods. Widen the filters"
            return Reason("few_customers", text)
    return (
        _lead("loyalty", broad, "excess", loyalty, lags),
        _lead("breadth", followed, loyalty, "excess", lags),
    )


def _thinned(whole: pl.DataFrame) -> pl.DataFrame:
    people = whole["customer"].unique().sort()
    step = -(-len(people) // MOST_CUSTOMERS)
    return whole if step == 1 else whole.filter(pl.col("customer").is_in(people.gather_every(step).implode()))


def _lagged(whole: pl.DataFrame, names: tuple[str, ...], lags: int) -> pl.DataFrame:
    """The rows that have all lags, which follow each other within a customer."""
    shifted = (
        pl.col(name).shift(lag).over("customer").alias(f"{name}.{lag}")
        for name in names
        for lag in range(1, lags + 1)
    )
    return whole.with_columns(shifted).drop_nulls()


def _lead(
    leads: Literal["loyalty", "breadth"], rows: pl.DataFrame, follows: str, leader: str, lags: int
) -> Lead:
    names = [f"{leader}.{lag}" for lag in range(1, lags + 1)]
    names += [f"{follows}.{lag}" for lag in range(1, lags + OWN + 1)]
    fit = _fitted(rows, follows, names)
    effects = fit.effects[:lags]
    spread = fit.covariance[:lags, :lags]
    f = float(effects @ np.linalg.pinv(spread) @ effects) / lags
    corrected = _without_short_panel_bias(rows, follows, names, fit.effects)[:lags]
    half = stats.t.ppf(0.975, fit.customers - 1) * np.sqrt(np.diag(spread))
    return Lead(
        leads,
        tuple(effects.tolist()),
        tuple((effects - half).tolist()),
        tuple((effects + half).tolist()),
        tuple(corrected.tolist()),
        f,
        float(stats.f.sf(f, lags, fit.customers - 1)),
        fit.rows,
        fit.customers,
    )


@dataclass(frozen=True)
class Fit:
    """Least squares with effects of customers and periods: effects, covariance clustered by customer."""

    effects: Floats
    covariance: Floats
    rows: int
    customers: int


def _fitted(rows: pl.DataFrame, y: str, names: list[str]) -> Fit:
    """Regression of `y` on columns and period dummies within customers, errors clustered by customer."""
    used = rows.filter(pl.len().over("customer") > 1).sort("customer", "period")
    dummies = used["period"].to_dummies(drop_first=True).to_numpy().astype(np.float64)
    design = np.hstack([used.select(names).to_numpy().astype(np.float64), dummies])
    starts = np.flatnonzero(np.append(True, np.diff(used["customer"].to_numpy()) != 0))
    sizes = np.diff(np.append(starts, len(used)))
    x, target = (_within(each, starts, sizes) for each in (design, used[y].to_numpy().astype(np.float64)))
    bread = np.linalg.pinv(x.T @ x)
    effects = bread @ (x.T @ target)
    scores = np.add.reduceat(x * (target - x @ effects)[:, None], starts, axis=0)
    groups = len(starts)
    covariance = bread @ (scores.T @ scores) @ bread * groups / max(groups - 1, 1)
    count = len(names)
    return Fit(effects[:count], covariance[:count, :count], len(used), groups)


def _within(values: Floats, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    """Values less the mean of their customer."""
    sums = np.add.reduceat(values, starts, axis=0)
    means = sums / (sizes if values.ndim == 1 else sizes[:, None])
    return np.asarray(values - np.repeat(means, sizes, axis=0))


def _without_short_panel_bias(rows: pl.DataFrame, y: str, names: list[str], whole: Floats) -> Floats:
    """The half-panel jackknife of Dhaene and Jochmans (2015): twice the whole less the mean of its halves.

    Effects of customers bias those of lags by the order of one over the number of periods (Nickell 1981);
    halves have twice that bias. The whole where a half is too short to fit.
    """
    middle = rows["period"].median()
    halves = [rows.filter(pl.col("period") <= middle), rows.filter(pl.col("period") > middle)]
    if any(half.filter(pl.len().over("customer") > 1)["customer"].n_unique() < CUSTOMERS for half in halves):
        return whole
    parts = [_fitted(half, y, names).effects for half in halves]
    return np.asarray(2 * whole - (parts[0] + parts[1]) / 2)


def periods_until(marts: Marts, grain: Grain = Grain.QUARTER) -> int:
    """The last period of a grain that is over by the as-of day."""
    code = marts.calendar.code(marts.as_of, grain)
    return code if marts.calendar.is_complete(code, grain, marts.as_of) else code - 1
