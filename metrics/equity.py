"""Customer equity by formula: what a margin kept at a retention rate is worth, and what would change it.

All rates of one call share one period (a month's retention, a month's discount): `per_period` converts yearly
ones. Conventions of the first margin (they differ by a whole margin):
`end` one period away and only if the customer is retained (Gupta & Lehmann 2003); `begin` now (Berry; Wiesel,
Skiera & Villanueva 2008); `certain_end` one period away for certain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.reasons import Estimate, Reason

Convention = Literal["end", "begin", "certain_end"]

NO_END: Final = Reason(
    "no_end",
    "Retention outgrows the discount rate, so the value has no end. Lower retention, or set a horizon",
)
IMPOSSIBLE: Final = Reason(
    "impossible_rate", "A rate lies outside its range. Retention is 0 to 1, a discount rate zero or more"
)


def per_period(yearly: float, periods: int, kind: Literal["discount", "retention"]) -> float:
    """A yearly rate as a rate per period: (1+i)^(1/n) - 1 for a discount, r^(1/n) for a retention rate.

    >>> round(per_period(0.12, 12, "discount"), 6)
    0.009489
    """
    return float((1 + yearly) ** (1 / periods) - 1 if kind == "discount" else yearly ** (1 / periods))


def multiple(
    retention: float,
    discount: float,
    convention: Convention = "end",
    *,
    growth: float = 0.0,
    periods: int | None = None,
) -> Estimate:
    """What one unit of margin per period is worth: r/(1+i-r(1+g)) under `end`.

    The numerator is 1+i under `begin`, and 1 under `certain_end`. With `periods`, of so many margins only.
    A value without end, or a rate out of range: a reason.
    """
    if not 0 <= retention <= 1 or discount < 0 or growth <= -1:
        return Estimate(None, IMPOSSIBLE)
    ratio = retention * (1 + growth) / (1 + discount)
    first = {"end": retention / (1 + discount), "begin": 1.0, "certain_end": 1 / (1 + discount)}[convention]
    if periods is not None:
        return Estimate(first * sum(ratio**t for t in range(periods)))
    return Estimate(first / (1 - ratio)) if ratio < 1 else Estimate(None, NO_END)


def lifetime_value(
    margin: float,
    retention: float,
    discount: float,
    convention: Convention = "end",
    *,
    acquisition_cost: float = 0.0,
    growth: float = 0.0,
    periods: int | None = None,
) -> Estimate:
    """Margin times `multiple`, less the cost of acquisition."""
    worth = multiple(retention, discount, convention, growth=growth, periods=periods)
    return worth if worth.value is None else Estimate(margin * worth.value - acquisition_cost)


def break_even_retention(
    value: float, margin: float, discount: float, convention: Convention = "end"
) -> Estimate:
    """The retention rate at which a margin is worth `value`: V(1+i)/(m+V) under `end`."""
    if not value or margin <= 0 or discount < 0:
        return Estimate(None, Reason("no_value", "A margin and a value above zero are needed. Enter both"))
    rate = {
        "end": value * (1 + discount) / (margin + value),
        "begin": (1 + discount) * (1 - margin / value),
        "certain_end": 1 + discount - margin / value,
    }[convention]
    if not 0 <= rate <= 1:
        text = (
            "No retention rate between 0 and 100 % gives this value. Change the margin or the discount rate"
        )
        return Estimate(None, Reason("out_of_reach", text))
    return Estimate(rate)


@dataclass(frozen=True)
class Elasticities:
    """Percent by which lifetime value changes with one percent more of each driver."""

    retention: float
    margin: float
    discount: float
    acquisition_cost: float


def elasticities(
    retention: float,
    discount: float,
    convention: Convention = "end",
    *,
    margin: float = 1.0,
    acquisition_cost: float = 0.0,
) -> Elasticities | Reason:
    """Exact elasticities (Gupta, Lehmann & Stuart 2004), of value after the cost of acquisition.

    Before it: (1+i)/(1+i-r) by retention under `end`, one less else; 1 by margin; -i/(1+i-r) by discount
    under `end` and `certain_end`, i/(1+i) more under `begin`. They are no constants of nature: compute them.
    """
    worth = multiple(retention, discount, convention)
    if worth.value is None:
        return worth.reason or NO_END
    gross = margin * worth.value
    net = gross - acquisition_cost
    if net <= 0:
        text = "Customers cost more than they bring: a percentage of that means nothing. Show amounts"
        return Reason("no_positive_value", text)
    left = 1 + discount - retention
    by_retention = (1 + discount) / left if convention == "end" else retention / left
    by_discount = -discount / left + (discount / (1 + discount) if convention == "begin" else 0.0)
    scale = gross / net
    return Elasticities(scale * by_retention, scale, scale * by_discount, -acquisition_cost / net)


@dataclass(frozen=True)
class Drivers:
    """What makes the equity of one segment, per period.

    `margin` is that of a customer who stays: orders times order value times margin rate, less cost to serve.
    `acquired` new customers come each period over `acquisition_periods`, at `acquisition_cost` each.
    """

    customers: float
    retention: float
    discount: float
    orders: float
    order_value: float
    margin_rate: float = 1.0
    cost_to_serve: float = 0.0
    acquired: float = 0.0
    acquisition_cost: float = 0.0
    acquisition_periods: int = 1
    convention: Convention = "end"

    @property
    def margin(self) -> float:
        """Contribution of one customer per period."""
        return self.orders * self.order_value * self.margin_rate - self.cost_to_serve


@dataclass(frozen=True)
class Equity:
    """Customer equity: of the customers there are, of those to come, both."""

    existing: float
    new: float

    @property
    def total(self) -> float:
        """Existing and new."""
        return self.existing + self.new


def customer_equity(drivers: Drivers) -> Equity | Reason:
    """Existing N m multiple; new: each period's customers, worth m (1+i)/(1+i-r) - cost when they come.

    New customers of period t = 1, 2, ... are discounted by (1+i)^t.
    """
    worth = multiple(drivers.retention, drivers.discount, drivers.convention)
    fresh = multiple(drivers.retention, drivers.discount, "begin")
    if worth.value is None or fresh.value is None:
        return worth.reason or NO_END
    margin = drivers.margin
    each = margin * fresh.value - drivers.acquisition_cost
    annuity = sum((1 + drivers.discount) ** -t for t in range(1, drivers.acquisition_periods + 1))
    return Equity(drivers.customers * margin * worth.value, drivers.acquired * each * annuity)


LEVERS: Final = (
    "retention",
    "orders",
    "order_value",
    "margin_rate",
    "cost_to_serve",
    "acquisition_cost",
    "discount",
)


def tornado(drivers: Drivers, change: float = 0.01, levers: Sequence[str] = LEVERS) -> pl.DataFrame | Reason:
    """Change of equity when each lever alone moves by -/+ `change` of itself, widest first.

    `driver`, `base`, `low`, `high` (changes of total equity; null where that value has no end), `elasticity`
    (percent per percent; null when equity is not positive).
    """
    base = customer_equity(drivers)
    if isinstance(base, Reason):
        return base
    rows = []
    for lever in levers:
        now = float(getattr(drivers, lever))
        low, high = (_change(drivers, {lever: now * (1 + step)}, base) for step in (-change, change))
        slope = (
            None
            if low is None or high is None or base.total <= 0
            else (high - low) / (2 * change * base.total)
        )
        rows.append({"driver": lever, "base": now, "low": low, "high": high, "elasticity": slope})
    schema = {"driver": pl.String, **dict.fromkeys(("base", "low", "high", "elasticity"), pl.Float64)}
    width = (pl.col("high") - pl.col("low")).abs()
    return pl.DataFrame(rows, schema=schema).sort(
        width, descending=True, nulls_last=True, maintain_order=True
    )


def _change(drivers: Drivers, values: Mapping[str, float], base: Equity) -> float | None:
    after = customer_equity(replace(drivers, **values))  # type: ignore[arg-type]  # names come from the fields
    return None if isinstance(after, Reason) else after.total - base.total


def what_if(
    drivers: Drivers,
    scenario: Mapping[str, float],
    retention_draws: NDArray[np.float64] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Change of equity under a scenario (new values of drivers by name), with an interval.

    The interval comes from draws of today's retention rate: in each the scenario moves retention by as much
    as it does here, within 0..1.
    """
    unknown = set(scenario) - {field.name for field in fields(Drivers)}
    if unknown:
        text = f"`{min(unknown)}` is no driver. Use {', '.join(LEVERS)}"
        return Estimate(None, Reason("unknown_driver", text))
    base = customer_equity(drivers)
    if isinstance(base, Reason):
        return Estimate(None, base)
    value = _change(drivers, scenario, base)
    if value is None:
        return Estimate(None, NO_END)
    if retention_draws is None:
        return Estimate(value)
    step = scenario.get("retention", drivers.retention) - drivers.retention
    changes = [_at_retention(drivers, scenario, float(rate), step) for rate in retention_draws]
    known = [change for change in changes if change is not None]
    if len(known) < len(changes) or not known:
        return Estimate(value)
    lower, upper = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2]).tolist()
    return Estimate(value, None, lower, upper)


def _at_retention(drivers: Drivers, scenario: Mapping[str, float], rate: float, step: float) -> float | None:
    there = replace(drivers, retention=rate)
    base = customer_equity(there)
    if isinstance(base, Reason):
        return None
    return _change(there, {**scenario, "retention": min(max(rate + step, 0.0), 1.0)}, base)


def net_present_value(flows: Sequence[float], discount: float) -> float:
    """Flows of periods 0, 1, 2, ... discounted to period 0.

    >>> round(net_present_value([-500, 300, 300, 150], 0.2), 2)
    45.14
    """
    return float(sum(flow / (1 + discount) ** t for t, flow in enumerate(flows)))


def expected_periods(retention: float) -> Estimate:
    """Mean number of periods until a customer leaves, 1/(1-r); cutting a sum there is not its value."""
    if not 0 <= retention < 1:
        return Estimate(None, NO_END if retention == 1 else IMPOSSIBLE)
    return Estimate(1 / (1 - retention))


def berger_nasr(
    contribution: float, promotion: float, periods: int, retention: float, discount: float
) -> float:
    """Berger & Nasr (1998), case 1: yearly contributions from now on, promotion cost at mid-year.

    Sum over t = 0..n of GC r^t/(1+d)^t - sum over t = 1..n of M r^(t-1)/(1+d)^(t-1/2).
    """
    ratio = retention / (1 + discount)
    brought = sum(contribution * ratio**t for t in range(periods + 1))
    spent = sum(promotion * retention ** (t - 1) / (1 + discount) ** (t - 0.5) for t in range(1, periods + 1))
    return float(brought - spent)


def berry(
    customers: float, margin: float, retention: float, discount: float, acquisition_cost: float
) -> Estimate:
    """Profit of a cohort: N m (1+d)/(1+d-r) - N AC."""
    each = lifetime_value(margin, retention, discount, "begin", acquisition_cost=acquisition_cost)
    return each if each.value is None else Estimate(customers * each.value)
