"""Models beside the chosen one: orders counted by calendar period, and rates that differ by an attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from dashboard.desk import Desk
from dashboard.lifetime_data import marts_of, orders_of, outlook, sampled
from dashboard.state import Scope
from metrics.lifetime.bgbb import BGBB, chances
from metrics.lifetime.covariates import Effects, attribute_effects
from metrics.lifetime.fitting import Fit
from metrics.lifetime.history import compress, period_history
from metrics.reasons import Estimate, Reason

MOST: Final = 20_000
"""Effects are fitted to at most so many customers, at even steps through the list."""
_YEARS: Final = 5
"""From so many years of history on, orders are counted by year, else by month."""


@dataclass(frozen=True, eq=False)
class ByPeriod:
    """BG/BB fitted to complete calendar periods, and what it says of a new customer; see `chances`."""

    every: Literal["month", "year"]
    customers: int
    fit: Fit[BGBB]
    orders: Estimate
    leaves: Estimate


def by_period(desk: Desk, scope: Scope) -> ByPeriod:
    """Whether customers order in a period, not how often."""
    return desk.kept(f"lifetime by period {sorted(scope.attributes)}", lambda: _by_period(desk, scope))


def _by_period(desk: Desk, scope: Scope) -> ByPeriod:
    found = outlook(desk, scope)
    oldest = int(found.histories["age_days"].max() or 0)  # type: ignore[arg-type]  # whole days
    every: Literal["month", "year"] = "year" if oldest > 366 * _YEARS else "month"
    rows = period_history(orders_of(marts_of(desk, scope)), found.as_of, every)
    fit = BGBB.fit(compress(rows, every))
    return ByPeriod(every, len(rows), fit, *chances(fit))


def effects(desk: Desk, scope: Scope, attribute: str) -> Effects | Reason:
    """How the values of an attribute shift the rates of ordering and of leaving."""

    def made() -> Effects | Reason:
        people = desk.whole.frame("customer_summary").select("customer", pl.col(attribute).cast(pl.String))
        rows = outlook(desk, scope).histories.join(people, on="customer", how="left", maintain_order="left")
        return attribute_effects(sampled(rows.drop_nulls(attribute), MOST), attribute)

    return desk.kept(f"lifetime effects {attribute} {sorted(scope.attributes)}", made)
