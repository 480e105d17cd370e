"""Scenarios of customer equity: named moves of its drivers, kept in `scenarios.yaml` and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from metrics.equity import Drivers, customer_equity, multiple, what_if
from metrics.equity_drivers import Measured
from metrics.payback import payback_period
from metrics.reasons import Estimate, Reason

POINTS: Final[Mapping[str, str]] = {
    "retention": "retention_points",
    "margin_rate": "margin_points",
    "discount": "discount_points",
}
"""Drivers that are rates, and the field that moves each by percentage points."""
PERCENT: Final[Mapping[str, str]] = {
    "orders": "orders_percent",
    "order_value": "order_value_percent",
    "acquisition_cost": "acquisition_cost_percent",
}
"""Drivers that are amounts, and the field that moves each by per cent of itself."""
PAYBACK_MONTHS: Final = 120


class Scenario(BaseModel):
    """What if: by how much each driver of customer equity moves, for all customers or for one segment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60, description="Name of the scenario, shown on the page.")
    note: str = Field("", max_length=400, description="What is meant to bring this about.")
    segment: dict[str, str] = Field(
        {},
        max_length=1,
        description="One customer attribute and its value, such as `channel: web`; else all.",
    )
    retention_points: float = Field(0.0, ge=-100, le=100, description="Points more yearly retention.")
    margin_points: float = Field(0.0, ge=-100, le=100, description="Points more margin on revenue.")
    orders_percent: float = Field(0.0, ge=-100, le=1000, description="Per cent more orders a customer.")
    order_value_percent: float = Field(0.0, ge=-100, le=1000, description="Per cent more revenue an order.")
    acquisition_cost_percent: float = Field(
        0.0, ge=-100, le=1000, description="Per cent more cost of winning a customer."
    )
    discount_points: float = Field(0.0, ge=-100, le=100, description="Points more yearly discount rate.")

    @property
    def moves(self) -> dict[str, float]:
        """The fields that are not zero."""
        return {name: step for name in (*POINTS.values(), *PERCENT.values()) if (step := getattr(self, name))}

    @property
    def where(self) -> tuple[str, str] | None:
        """The segment as attribute and value; None for everybody."""
        return next(iter(self.segment.items()), None)

    def moved(self, drivers: Drivers) -> dict[str, float]:
        """New values of the drivers that it moves; rates stay within 0 and 1."""
        by_points = {
            driver: min(max(getattr(drivers, driver) + step / 100, 0.0), 1.0)
            for driver, name in POINTS.items()
            if (step := getattr(self, name))
        }
        by_percent = {
            driver: getattr(drivers, driver) * (1 + step / 100)
            for driver, name in PERCENT.items()
            if (step := getattr(self, name))
        }
        return by_points | by_percent


@dataclass(frozen=True)
class Outcome:
    """What a scenario does: change of equity with its interval, equity after it, and a new customer's money.

    `break_even` is the most that winning a customer may cost, `payback_month` when the cost has come back.
    """

    change: Estimate
    before: float | None
    after: float | None
    break_even: Estimate
    payback_month: Estimate


def outcome(scenario: Scenario, found: Measured) -> Outcome:
    """The scenario's outcome for customers with these drivers."""
    moves = scenario.moved(found.drivers)
    change = what_if(found.drivers, moves, found.draws)
    base = customer_equity(found.drivers)
    before = None if isinstance(base, Reason) else base.total
    then = replace(found.drivers, **moves)  # type: ignore[arg-type]  # names come from the fields
    return Outcome(
        change if moves else replace(change, lower=None, upper=None),
        before,
        None if before is None or change.value is None else before + change.value,
        break_even_cost(then),
        payback_month(then),
    )


def break_even_cost(drivers: Drivers) -> Estimate:
    """The most that winning a customer may cost: m (1+i) / (1+i-r), his first margin now."""
    each = multiple(drivers.retention, drivers.discount, "begin")
    return each if each.value is None else Estimate(drivers.margin * each.value)


def payback_month(drivers: Drivers) -> Estimate:
    """The month in which a new customer has paid back what it cost to win him.

    Margin comes evenly over a year and is kept at the yearly retention rate from year to year, discounted by
    month. Not within ten years: a reason.
    """
    monthly = [drivers.margin / 12 * drivers.retention ** (month // 12) for month in range(PAYBACK_MONTHS)]
    discount = (1 + drivers.discount) ** (1 / 12) - 1
    return payback_period(drivers.acquisition_cost, monthly, discount)
