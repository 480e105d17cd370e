"""What customers are worth: predicted value over real months, residual value without end, the next order.

Predicted value is margin times expected spend per order times the discounted orders expected month by month;
residual value is the same with all orders to come (DERT, Fader, Hardie & Lee 2005, Journal of Marketing
Research 42(4)).
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl

from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.history import UNIT_DAYS, YEAR_DAYS, Unit, times
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, array
from metrics.reasons import FrameProblem, Reason

FAR_DAYS: Final = 3650
"""A next order further away than this is not dated."""


@dataclass(frozen=True)
class Terms:
    """What a predicted value means.

    `margin` is the contribution per unit of spend. Orders of a month are discounted from its `end`, or from
    its `begin`; residual value is discounted continuously, at the same yearly rate. `unit` is the unit of
    time that the purchase model was fitted in.
    """

    as_of: date
    months: int = 12
    annual_discount: float = 0.10
    margin: float = 1.0
    convention: Literal["end", "begin"] = "end"
    unit: Unit = "week"

    def __post_init__(self) -> None:
        if self.annual_discount < 0 or self.months < 1:
            text = "A horizon needs at least one month and a discount rate of zero or more. Change the terms"
            raise FrameProblem(Reason("impossible_terms", text))

    @property
    def ends(self) -> tuple[date, ...]:
        """The last day of each month of the horizon: so many calendar months after the as-of date."""
        return tuple(months_after(self.as_of, month) for month in range(1, self.months + 1))

    @property
    def horizon(self) -> float:
        """Length of the horizon in units of time: 12 months are 365 or 366 days."""
        return (self.ends[-1] - self.as_of).days / UNIT_DAYS[self.unit]

    @property
    def delta(self) -> float:
        """The continuous discount rate per unit of time: log(1 + yearly rate) over the units in a year."""
        return float(np.log1p(self.annual_discount)) * UNIT_DAYS[self.unit] / YEAR_DAYS

    def steps(self) -> tuple[Array, Array]:
        """The months' ends in units of time, and the discount factors of their orders."""
        days = array([(end - self.as_of).days for end in self.ends])
        paid = days if self.convention == "end" else np.append(0.0, days[:-1])
        return days / UNIT_DAYS[self.unit], (1.0 + self.annual_discount) ** (-paid / YEAR_DAYS)


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day.

    >>> months_after(date(2024, 1, 31), 1)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def customer_values(
    histories: pl.DataFrame, purchases: PurchaseModel, spend: GammaGamma | None, terms: Terms
) -> pl.DataFrame:
    """One row a customer, in the order of `histories`.

    `p_alive` now and `p_alive_later` at the end of the horizon; `p_order` at least one order within it;
    `expected_orders`, `expected_spend` per order, `value` (discounted), `residual_value` (null without
    end: no discount and customers who hardly leave), `next_order_on`: the day by which the customer orders
    with even odds if he is still there; null when he is more likely gone, or beyond ten years. Without a
    spend model the columns of money are null. Infinite spend is null.
    """
    x, t_x, age = times(histories, terms.unit)
    alive = purchases.p_alive(x, t_x, age)
    *ahead, wait = _ahead(purchases, x, age, terms)
    orders, discounted, quiet, later = alive * np.stack(ahead)
    each = np.full(len(x), np.nan) if spend is None else spend.expected_spend(x, spent(histories))
    residual = purchases.dert(terms.delta, x, t_x, age)
    frame = pl.DataFrame(
        {
            "customer": histories["customer"],
            "p_alive": alive,
            "p_alive_later": later,
            "p_order": alive - quiet,
            "expected_orders": orders,
            "expected_spend": each,
            "value": terms.margin * each * discounted,
            "residual_value": terms.margin * each * residual,
        }
    )
    money = pl.col("expected_spend", "value", "residual_value")
    return frame.with_columns(pl.when(money.is_finite()).then(money), _dates(wait, alive, terms))


def _ahead(purchases: PurchaseModel, x: Array, age: Array, terms: Terms) -> Array:
    """Of a customer alive now: orders, discounted orders, P(none), P(alive at the end), median wait."""
    ends, factors = terms.steps()

    def quantities(model: PurchaseModel) -> Array:
        cumulative = np.stack([model.expected_purchases(float(end)) for end in ends])
        monthly = np.diff(cumulative, axis=0, prepend=0.0)
        horizon = float(ends[-1])
        quiet, later = model.pmf(0.0, horizon), model.survival(horizon)
        return np.stack([cumulative[-1], factors @ monthly, quiet, later, model.median_wait()])

    return purchases.ahead(x, age, quantities)


def spent(histories: pl.DataFrame) -> Array:
    """Mean spend of each row of a frame of histories, NaN where there is none."""
    return array(histories["mean_spend"].fill_null(float("nan")).to_numpy())


def _dates(wait: Array, alive: Array, terms: Terms) -> pl.Series:
    days = np.ceil(wait * UNIT_DAYS[terms.unit])
    known = (alive >= 0.5) & (days <= FAR_DAYS)
    offset = pl.Series(np.where(known, days, 0.0)).cast(pl.Int64)
    start = (terms.as_of - date(1970, 1, 1)) // timedelta(days=1)
    dated = pl.DataFrame({"day": (offset + start).cast(pl.Int32), "known": known})
    return dated.select(pl.when("known").then(pl.col("day").cast(pl.Date)).alias("next_order_on")).to_series()
