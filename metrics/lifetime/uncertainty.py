"""How sure predictions are: intervals of totals and segments, and of each customer.

Two things are unknown: the parameters, and what customers will do even if these were known. Parameters are
drawn from the normal approximation of their estimator (the parametric bootstrap of Krinsky & Robb 1986),
which costs no refitting; what customers do is drawn, or for totals summed up by its mean and variance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from metrics.lifetime.fitting import Fit
from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.history import times
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, array
from metrics.lifetime.values import Terms, spent

_KEYS: Final = ("frequency", "recency_days", "age_days")
_ROWS: Final = 1500  # distinct histories of a segment that the draws of parameters look at
_CUSTOMERS: Final = 2000  # simulated at once


@dataclass(frozen=True, eq=False)
class _Lives:
    """Distinct histories of one segment: customers, sum of mean spends and of their squares."""

    x: Array
    t_x: Array
    T: Array
    n: Array
    spent: Array
    squared: Array

    def thin(self, values: Array) -> Array:
        """An even part of values that there is one of for each history."""
        return values[:: 1 + len(self.x) // _ROWS]

    def thinned(self) -> "_Lives":
        """An even part of the histories."""
        parts = (self.x, self.t_x, self.T, self.n, self.spent, self.squared)
        return _Lives(*map(self.thin, parts))


def segment_intervals(
    histories: pl.DataFrame,
    purchases: Fit[PurchaseModel],
    spend: Fit[GammaGamma] | None,
    terms: Terms,
    *,
    by: str | None = None,
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> pl.DataFrame:
    """Totals over the horizon with prediction intervals, one row a segment, sorted by it.

    `customers`, `expected_orders`, `orders_lower`, `orders_upper`, and with a spend model `expected_value`
    (undiscounted margin), `value_lower`, `value_upper`; these two are null where the variance of spend is
    infinite (q <= 2). A total is a gamma variable with the mean and variance that a draw of the parameters
    gives; of segments with many distinct histories, draws look at an even part and scale. Without a
    fitted model there are no rows.
    """
    name = by or "segment"
    if purchases.model is None:
        return _interval_rows(name, [])
    models = purchases.draws(draws, seed)
    money = spend.draws(draws, seed + 1) if spend else []
    rows = []
    for segment, lives in _segments(histories, by, terms):
        given = (terms.horizon, lives.x, lives.t_x, lives.T)
        mean = purchases.model.conditional_expectation(*given)
        variance = purchases.model.conditional_variance(*given)
        ratios = _ratios(purchases.model, models, lives.thinned(), terms.horizon)
        rng = np.random.default_rng(seed + 2)
        total, noise = float(lives.n @ mean), float(lives.n @ variance)
        row: dict[str, object] = {name: segment, "customers": int(lives.n.sum()), "expected_orders": total}
        row |= _bounds("orders", _totals(rng, total * ratios, noise * ratios), level)
        if spend is not None and spend.model is not None:
            row |= _value(rng, lives, mean, variance, spend.model, money, ratios, terms.margin, level)
        rows.append(row)
    return _interval_rows(name, rows)


def _value(
    rng: np.random.Generator,
    lives: _Lives,
    mean: Array,
    variance: Array,
    spend: GammaGamma,
    money: list[GammaGamma],
    ratios: Array,
    margin: float,
    level: float,
) -> dict[str, object]:
    total, noise = _value_moments(lives, mean, variance, spend)
    part, some = lives.thinned(), lives.thin(mean)
    spent_on = array([_value_mean(part, some, model) for model in money])
    scales = ratios * spent_on / max(_value_mean(part, some, spend), 1e-300)
    scales = scales[np.isfinite(scales)]
    row: dict[str, object] = {"expected_value": margin * total if np.isfinite(total) else None}
    if not np.isfinite(noise) or 2 * len(scales) < len(money):
        return row
    return row | _bounds("value", margin * _totals(rng, total * scales, noise * scales), level)


def _ratios(model: PurchaseModel, draws: list[PurchaseModel], lives: _Lives, horizon: float) -> Array:
    """Expected orders under each draw, over those under the model itself."""

    def total(model: PurchaseModel) -> float:
        return float(lives.n @ model.conditional_expectation(horizon, lives.x, lives.t_x, lives.T))

    return array([total(draw) for draw in draws]) / max(total(model), 1e-300)


def _value_moments(lives: _Lives, mean: Array, variance: Array, spend: GammaGamma) -> tuple[float, float]:
    """Mean and variance of the total of all coming orders; sums over customers are linear in m and m^2.

    Var of one customer: E[N] E[var of an order] + E[N^2] E[zeta^2] - (E[N] E[zeta])^2, zeta his mean spend.
    """
    total, shape = _value_mean(lives, mean, spend), spend.p * lives.x + spend.q
    if shape.min() <= 2:
        return total, np.inf
    squares = lives.n * spend.v**2 + 2.0 * spend.v * lives.x * lives.spent + lives.x**2 * lives.squared
    spread = spend.p**2 * squares / ((shape - 1.0) * (shape - 2.0))
    known = spend.p**2 * squares / (shape - 1.0) ** 2
    return total, float((mean / spend.p + variance + mean**2) @ spread - mean**2 @ known)


def _value_mean(lives: _Lives, mean: Array, spend: GammaGamma) -> float:
    shape = spend.p * lives.x + spend.q
    if shape.min() <= 1:
        return np.inf
    return float(mean @ (spend.p * (lives.n * spend.v + lives.x * lives.spent) / (shape - 1.0)))


def _totals(rng: np.random.Generator, means: Array, variances: Array) -> Array:
    """Draws of totals: twenty of a gamma variable for each mean and variance."""
    means, variances = np.maximum(means, 1e-9), np.maximum(variances, 1e-12)
    return rng.gamma(means**2 / variances, variances / means, size=(20, len(means))).ravel()


def _bounds(what: str, totals: Array, level: float) -> dict[str, object]:
    lower, upper = np.quantile(totals, [0.5 - level / 2, 0.5 + level / 2]).tolist()
    return {f"{what}_lower": lower, f"{what}_upper": upper}


def _segments(histories: pl.DataFrame, by: str | None, terms: Terms) -> Iterator[tuple[object, _Lives]]:
    segment = pl.col(by) if by else pl.lit("All")
    amount = pl.col("mean_spend").fill_null(0.0).clip(lower_bound=0.0)
    distinct = (
        histories.lazy()
        .group_by(segment.alias("segment"), *_KEYS)
        .agg(customers=pl.len(), spent=amount.sum(), squared=(amount**2).sum())
        .sort("segment", *_KEYS)
        .collect()
    )
    for (value,), part in distinct.group_by("segment", maintain_order=True):
        sums = (array(part[column].to_numpy()) for column in ("customers", "spent", "squared"))
        yield value, _Lives(*times(part, terms.unit), *sums)


def _interval_rows(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    orders = ("expected_orders", "orders_lower", "orders_upper")
    floats = (*orders, "expected_value", "value_lower", "value_upper")
    complete = [{column: row.get(column) for column in (name, "customers", *floats)} for row in rows]
    schema = {
        name: pl.String if not rows else None,
        "customers": pl.Int64,
        **dict.fromkeys(floats, pl.Float64),
    }
    return pl.DataFrame(complete, schema=schema)


def customer_intervals(
    histories: pl.DataFrame,
    purchases: Fit[PurchaseModel],
    spend: Fit[GammaGamma] | None,
    terms: Terms,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Prediction intervals of each customer's orders and (undiscounted) value over the horizon.

    `customer`, `orders_lower`, `orders_upper`, `value_lower`, `value_upper`, in the order of `histories`, by
    simulation of every customer `draws` times: meant for a page of customers, not for all of a million.
    """
    parts = [
        _simulated(histories.slice(start, _CUSTOMERS), purchases, spend, terms, level, draws, seed + start)
        for start in range(0, len(histories), _CUSTOMERS)
        if purchases.model is not None
    ]
    floats = dict.fromkeys(("orders_lower", "orders_upper", "value_lower", "value_upper"), pl.Float64)
    return (
        pl.concat(parts)
        if parts
        else pl.DataFrame(schema={"customer": histories.schema["customer"], **floats})
    )


def _simulated(
    histories: pl.DataFrame,
    purchases: Fit[PurchaseModel],
    spend: Fit[GammaGamma] | None,
    terms: Terms,
    level: float,
    draws: int,
    seed: int,
) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, t_x, age = times(histories, terms.unit)
    amounts = spent(histories)
    kinds = max(1, min(50, draws // 20))
    money = spend.draws(kinds, seed + 1) if spend else []
    size = (-(-draws // kinds), len(x))
    orders, values = [], []
    for i, model in enumerate(purchases.draws(kinds, seed)):
        alive = rng.random(size) < model.p_alive(x, t_x, age)
        counts = np.where(alive, model.posterior(x, age).simulate(rng, terms.horizon, size), 0.0)
        orders.append(counts)
        values.append(terms.margin * money[i].simulate(rng, counts, x, amounts) if money else counts * np.nan)
    levels = [0.5 - level / 2, 0.5 + level / 2]
    lower, upper = np.quantile(np.concatenate(orders), levels, axis=0, method="inverted_cdf")
    low, high = np.quantile(np.concatenate(values), levels, axis=0)
    frame = pl.DataFrame(
        {
            "customer": histories["customer"],
            "orders_lower": lower,
            "orders_upper": upper,
            "value_lower": low,
            "value_upper": high,
        }
    )
    return frame.with_columns(pl.col("value_lower", "value_upper").fill_nan(None))
