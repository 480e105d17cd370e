"""Executive tables of customer equity: the Customer Equity Statement, and Hughes' lifetime value table."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import polars as pl

from metrics.reasons import FrameProblem, Reason

Money = Decimal
_EXACT: Final = pl.Decimal(38, 4)


@dataclass(frozen=True)
class Statement:
    """Customer Equity Statement of one period (Wiesel, Skiera & Villanueva 2008), in exact money.

    `opening` is the equity at the end of the period before; `existing` the same customers valued now, at
    today's margins and retention. `lost` (of existing customers who left), `acquisition_cost` and
    `retention_cost` are given as positive amounts. Without a measured `closing` it follows from the rest.
    """

    opening: Money
    existing: Money
    lost: Money
    new: Money
    acquisition_cost: Money
    retention_cost: Money
    closing: Money | None = None

    @property
    def before_marketing(self) -> Money:
        """Existing - lost + new."""
        return self.existing - self.lost + self.new

    @property
    def result(self) -> Money:
        """Equity after marketing cost: what the lines add up to."""
        return self.before_marketing - self.acquisition_cost - self.retention_cost

    @property
    def unexplained(self) -> Money:
        """Measured closing less what the lines add up to; zero when the statement reconciles."""
        return Decimal(0) if self.closing is None else self.closing - self.result

    @property
    def reason(self) -> Reason | None:
        """Why the statement may not be shown as reconciled, if so."""
        if not self.unexplained:
            return None
        text = f"The statement is off by {self.unexplained}. Check that all lines share customers and dates"
        return Reason("not_reconciled", text)

    def lines(self) -> pl.DataFrame:
        """`line`, `amount` (signed Decimal), `total` (whether it sums those above), in reading order."""
        signed = [
            ("opening", self.opening, True),
            ("change_of_existing", self.existing - self.opening, False),
            ("lost", -self.lost, False),
            ("new", self.new, False),
            ("before_marketing", self.before_marketing, True),
            ("acquisition_cost", -self.acquisition_cost, False),
            ("retention_cost", -self.retention_cost, False),
            ("closing", self.result, True),
        ]
        frame = pl.DataFrame(signed, schema=["line", "amount", "total"], orient="row")
        return frame.cast({"amount": _EXACT})


@dataclass(frozen=True)
class Programme:
    """Yearly inputs of Hughes' table, one entry a year; a single entry holds for every year.

    `retention` and `referral` are the shares of a year's customers who stay for, and bring in, the next year.
    `discount` times `risk_factor` is the rate of the discount factors, rounded to `round_discount` digits
    as the published tables do, or exact (None).
    """

    customers: float
    years: int
    retention: Sequence[float]
    orders: Sequence[float]
    order_value: Sequence[float]
    cost_rate: Sequence[float]
    marketing_cost: Sequence[float] = (0.0,)
    referral: Sequence[float] = (0.0,)
    acquisition_cost: float = 0.0
    discount: float = 0.08
    risk_factor: float = 1.0
    round_discount: int | None = None

    def __post_init__(self) -> None:
        series = (
            self.retention,
            self.orders,
            self.order_value,
            self.cost_rate,
            self.marketing_cost,
            self.referral,
        )
        if (
            self.years < 1
            or self.customers <= 0
            or any(len(s) not in (1, self.years, self.years - 1) for s in series)
        ):
            text = "Every row of the table needs one entry a year, or one for all years. Fill the rows"
            raise FrameProblem(Reason("uneven_rows", text))


def hughes_table(programme: Programme) -> pl.DataFrame:
    """Lifetime value year by year (Hughes, Strategic Database Marketing), one row a year.

    `year`, `referred`, `customers`, `orders`, `revenue`, `variable_cost`, `acquisition_cost` (year 1),
    `marketing_cost` (per customer), `profit`, `discount_factor` (1 + i rf)^(t-1), `npv`, `cumulative_npv`,
    `lifetime_value` = cumulative NPV over the customers of year 1.
    """
    rows = []
    customers, cumulative = programme.customers, 0.0
    referred = 0.0
    for year in range(programme.years):
        if year:
            referred = customers * _of(programme.referral, year - 1)
            customers = customers * _of(programme.retention, year - 1) + referred
        row = _year(programme, year, customers)
        cumulative += row["npv"]
        value = cumulative / programme.customers
        rows.append(
            {
                "year": year + 1,
                "referred": referred,
                **row,
                "cumulative_npv": cumulative,
                "lifetime_value": value,
            }
        )
    return pl.DataFrame(rows)


def _year(programme: Programme, year: int, customers: float) -> dict[str, float]:
    orders = customers * _of(programme.orders, year)
    revenue = orders * _of(programme.order_value, year)
    variable = revenue * _of(programme.cost_rate, year)
    acquisition = programme.customers * programme.acquisition_cost if year == 0 else 0.0
    marketing = customers * _of(programme.marketing_cost, year)
    profit = revenue - variable - acquisition - marketing
    factor = (1 + programme.discount * programme.risk_factor) ** year
    if programme.round_discount is not None:
        factor = round(factor, programme.round_discount)
    return {
        "customers": customers,
        "orders": orders,
        "revenue": revenue,
        "variable_cost": variable,
        "acquisition_cost": acquisition,
        "marketing_cost": marketing,
        "profit": profit,
        "discount_factor": factor,
        "npv": profit / factor,
    }


def _of(series: Sequence[float], year: int) -> float:
    return series[min(year, len(series) - 1)]


def programme_effect(without: Programme, programme: Programme) -> pl.DataFrame:
    """Lifetime value of both tables side by side, one row a year.

    `year`, `without`, `with_programme`, `gain` per customer, `total_gain` = gain times customers of year 1.
    """
    before, after = hughes_table(without), hughes_table(programme)
    return (
        before.select("year", without="lifetime_value")
        .join(after.select("year", with_programme="lifetime_value"), on="year")
        .with_columns(gain=pl.col("with_programme") - pl.col("without"))
        .with_columns(total_gain=pl.col("gain") * programme.customers)
        .sort("year")
    )
