"""What makes customer equity, as orders show it: who stayed, who came, what each brings and costs a year.

A customer is active in a year with an order in it. Years end on a given day and last twelve calendar months.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.equity import Convention, Drivers, multiple
from metrics.equity_statement import Statement
from metrics.lifetime.values import months_after
from metrics.reasons import Reason

DISCOUNT: Final = 0.10
DRAWS: Final = 400
_SHORT: Final = "Yearly retention needs two full years of orders. Load older orders, or choose a later period"
_NOBODY: Final = "Nobody ordered in one of the two years. Widen the filters, or choose another period"
_EXACT: Final = Decimal("0.0001")


@dataclass(frozen=True)
class Costs:
    """What was spent in a year per customer: on each new one, on keeping and on serving each active one.

    `lacking` names what no source says and counts as none.
    """

    per_new: float = 0.0
    kept: float = 0.0
    served: float = 0.0
    lacking: tuple[str, ...] = ("spend",)


@dataclass(frozen=True, eq=False)
class Year:
    """The customers of a year that ends on `ends_on` (see `customer_years`), and what was spent on them.

    `first_day` is the day of the first order of all. `has_cost` says whether margin is known; revenue counts
    as margin where it is not.
    """

    people: pl.DataFrame
    ends_on: date
    first_day: date
    costs: Costs = field(default_factory=Costs)
    has_cost: bool = True

    @property
    def active(self) -> pl.DataFrame:
        """Those who ordered in the year."""
        return self.people.filter("now")

    @property
    def lacking(self) -> tuple[str, ...]:
        """What no source says: `cost` of goods, money spent."""
        return (*(() if self.has_cost else ("cost",)), *self.costs.lacking)

    def of(self, customers: pl.Series) -> "Year":
        """The same year of some of the customers, by number."""
        chosen = pl.col("customer").is_in(customers.cast(pl.UInt32).implode())
        return replace(self, people=self.people.filter(chosen))


def year_ends(at: date, years: int = 3) -> tuple[date, ...]:
    """The last days of the year that ends on `at` and of the years before it, the latest first.

    >>> year_ends(date(2024, 2, 29), 1)
    (datetime.date(2024, 2, 29), datetime.date(2023, 2, 28))
    """
    return tuple(months_after(at, -12 * back) for back in range(years + 1))


def customer_years(orders: pl.DataFrame, at: date) -> pl.DataFrame:
    """One row a customer with an order row in the three years to `at`, sorted by customer.

    Takes `customer`, `ordered_on`, `orders`, `first_orders`, `net_amount`, `margin`; rows without an order
    are returns. `now`, `before`, `earlier`: an order in the last year, the one before it, and the one before
    that; `is_new`: the first order ever lies in the last year; `orders`, `net_amount`, `margin` of the last
    year, returns deducted.
    """
    end, *starts = year_ends(at)
    rows = orders.lazy().filter(
        pl.col("customer").is_not_null(), pl.col("ordered_on") > starts[-1], pl.col("ordered_on") <= end
    )
    day, bought = pl.col("ordered_on"), pl.col("orders") > 0
    last = day > starts[0]
    return (
        rows.group_by("customer")
        .agg(
            (bought & last).any().alias("now"),
            (bought & ~last & (day > starts[1])).any().alias("before"),
            (bought & (day <= starts[1])).any().alias("earlier"),
            ((pl.col("first_orders") > 0) & last).any().alias("is_new"),
            pl.col("orders", "net_amount", "margin").filter(last).sum(),
        )
        .sort("customer")
        .collect()
    )


def costs(spending: pl.DataFrame | None, people: pl.DataFrame, at: date) -> Costs:
    """What was spent in the year to `at`, per customer of `people` that it was spent on.

    `spending` has `spent_on`, `purpose` (acquisition, retention, service) and `amount`.
    """
    if spending is None:
        return Costs()
    end, start = year_ends(at, 1)
    rows = spending.filter(pl.col("spent_on") > start, pl.col("spent_on") <= end)
    sums = dict(rows.group_by(pl.col("purpose").cast(pl.String)).agg(pl.col("amount").sum()).iter_rows())
    active, won = (max(int(people[name].sum()), 1) for name in ("now", "is_new"))
    spent = {name: float(sums.get(name) or 0) for name in ("acquisition", "retention", "service")}
    return Costs(spent["acquisition"] / won, spent["retention"] / active, spent["service"] / active, ())


@dataclass(frozen=True, eq=False)
class Measured:
    """The drivers of equity as two years show them, per year.

    `kept` of `of` customers of the year before ordered again; `draws` are what else the retention rate may
    be, given these counts (Jeffreys). `lacking` names what is not known and counts as nothing.
    """

    drivers: Drivers
    kept: int
    of: int
    draws: NDArray[np.float64]
    lacking: tuple[str, ...] = ()


def drivers(year: Year, discount: float = DISCOUNT, convention: Convention = "end") -> Measured | Reason:
    """The drivers of a year's customers; a reason without two full years of orders, or without customers."""
    before = year.people.filter("before")
    active = year.active
    if year.first_day - timedelta(days=1) > year_ends(year.ends_on)[2]:
        return Reason("short_history", _SHORT)
    if active.is_empty() or before.is_empty():
        return Reason("no_customers", _NOBODY)
    kept, of = int(before["now"].sum()), len(before)
    revenue, bought = float(active["net_amount"].sum() or 0), int(active["orders"].sum())
    margin = float(active["margin"].sum() or 0) if year.has_cost else revenue
    found = Drivers(
        customers=len(active),
        retention=kept / of,
        discount=discount,
        orders=bought / len(active),
        order_value=revenue / bought,
        margin_rate=margin / revenue if revenue else 0.0,
        cost_to_serve=year.costs.kept + year.costs.served,
        acquired=float(active["is_new"].sum()),
        acquisition_cost=year.costs.per_new,
        convention=convention,
    )
    draws = np.random.default_rng(0).beta(kept + 0.5, of - kept + 0.5, size=DRAWS)
    return Measured(found, kept, of, draws, year.lacking)


def drivers_by(
    year: Year,
    segment: pl.DataFrame,
    costs_of: Mapping[str, Costs] | None = None,
    discount: float = DISCOUNT,
    convention: Convention = "end",
) -> dict[str, Measured | Reason]:
    """The drivers of each segment, by name; `segment` has `customer` and `segment`, others are left out.

    Segments share the year's costs per customer unless `costs_of` names their own.
    """
    named = year.people.join(segment.drop_nulls(), on="customer", how="inner", maintain_order="left")
    parts = named.partition_by("segment", as_dict=True)
    own = costs_of or {}
    return {
        str(name): drivers(
            replace(year, people=part, costs=own.get(str(name), year.costs)), discount, convention
        )
        for (name,), part in sorted(parts.items(), key=lambda item: str(item[0][0]))
    }


@dataclass(frozen=True)
class YearStatement:
    """The Customer Equity Statement of a year, with the counts of customers that it is made of.

    `value_before` and `value_now` are what one existing customer was worth at the opening and is worth at the
    closing. `opening_assumed`: the opening's retention is not known, and the closing's stands in for it.
    """

    statement: Statement
    opening_customers: int
    lost_customers: int
    new_customers: int
    returned_customers: int
    closing_customers: int
    value_before: Decimal
    value_now: Decimal
    opening_assumed: bool


def year_statement(
    year: Year, before: Year, discount: float = DISCOUNT, convention: Convention = "end"
) -> YearStatement | Reason:
    """The statement of the customers of `year`; `before` is the year that ends a year earlier.

    A customer is worth margin times `multiple`. Existing: those of the year before, at today's value; lost:
    those of them who did not order again; new: first-time customers and those who came back, at today's
    value; costs of acquisition and retention as spent in the year. The measured closing counts today's
    customers, so the statement reconciles only if every customer is in exactly one line.
    """
    now, then = (drivers(each, discount, convention) for each in (year, before))
    if isinstance(now, Reason):
        return now
    assumed = isinstance(then, Reason)
    value = _worth(now.drivers)
    opening = _worth(_as_then(before, now) if isinstance(then, Reason) else then.drivers)
    if value is None or opening is None:
        text = "A customer's value has no end: retention outgrows the discount rate. Raise the discount rate"
        return Reason("no_end", text)
    flags = year.people.select(
        opening=pl.col("before").sum(),
        lost=(pl.col("before") & ~pl.col("now")).sum(),
        new=(pl.col("now") & pl.col("is_new")).sum(),
        returned=(pl.col("now") & ~pl.col("before") & ~pl.col("is_new")).sum(),
    )
    started, lost, new, returned = (int(n) for n in flags.row(0))
    spent = _exact(year.costs.per_new * new), _exact(year.costs.kept * len(year.active))
    statement = Statement(
        opening=started * opening,
        existing=started * value,
        lost=lost * value,
        new=(new + returned) * value,
        acquisition_cost=spent[0],
        retention_cost=spent[1],
        closing=len(year.active) * value - sum(spent),
    )
    return YearStatement(statement, started, lost, new, returned, len(year.active), opening, value, assumed)


def _worth(found: Drivers) -> Decimal | None:
    each = multiple(found.retention, found.discount, found.convention)
    return None if each.value is None else _exact(found.margin * each.value)


def _as_then(before: Year, now: Measured) -> Drivers:
    """The margin of the year before, with the retention of this one."""
    active = before.active
    n, name = max(len(active), 1), "margin" if before.has_cost else "net_amount"
    served = before.costs.kept + before.costs.served
    brought = float(active[name].sum() or 0) / n
    return replace(
        now.drivers, orders=1.0, order_value=brought, margin_rate=1.0, cost_to_serve=served, customers=n
    )


def _exact(amount: float) -> Decimal:
    return Decimal(str(amount)).quantize(_EXACT)
