"""Figures of what customers are worth at the end of each period, and the customers behind them."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from metrics.concentration import concentration_index, customers_for, gini, top_share
from metrics.equity import Equity, customer_equity, multiple
from metrics.equity_drivers import Measured, drivers
from metrics.equity_years import equity_year
from metrics.frames import Marts
from metrics.lifetime.candidates import CONTINUOUS
from metrics.lifetime.fitting import Fit
from metrics.lifetime.history import UNTIL, summary_until
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.outlook import Outlook, outlook
from metrics.lifetime.uncertainty import segment_intervals
from metrics.lifetime.values import Terms
from metrics.periods import Grain, Window
from metrics.points import Point
from metrics.reasons import Estimate, Reason
from metrics.relations import PANEL, RELATIONS
from metrics.selection import Missing
from metrics.worth_definitions import AMOUNTS, Concentration, CustomerEquity, LifetimeValue, PAlive, Worth

NOT_BEGUN: Final = "the period has not begun"
_DRAWS: Final = 50


def worth(definition: Worth, marts: Marts, window: Window) -> dict[int, Point]:
    """The figure at the end of each period; `n` counts the customers that it is about.

    Raises Missing without order lines, and under a selection of categories or lines.
    """
    if isinstance(definition, Concentration):
        return _concentrations(definition, marts, window)
    return {code: _point(definition, marts, _day(marts, window, code)) for code in window.periods}


def worth_customers(definition: Worth, marts: Marts, window: Window) -> pl.DataFrame:
    """The customers behind such a figure: period, customer, and the quantities that it is made of.

    Of a mean or a share `numerator` and `denominator`, of a sum `value`; of what is no sum over customers
    (Gini, HHI, equity of customers to come) the amounts that it is computed from. Raises Missing like the
    figure.
    """
    if isinstance(definition, Concentration):
        return _ranked(definition, marts, window)
    parts = []
    for code in window.periods:
        day = _day(marts, window, code)
        rows = pl.DataFrame() if day is None else _behind(definition, marts, day)
        if not rows.is_empty():
            parts.append(rows.select(pl.lit(code, pl.Int32).alias("period"), pl.all()))
    empty = pl.DataFrame(schema={"period": pl.Int32, "customer": pl.UInt32, "value": pl.Float64})
    return pl.concat(parts) if parts else empty


def _day(marts: Marts, window: Window, code: int) -> date | None:
    """The day at whose end the figure stands; None for a period that has not begun."""
    if window.grain is Grain.ALL:
        return marts.as_of
    if marts.calendar.start(code, window.grain) > marts.as_of:
        return None
    return min(marts.calendar.end(code, window.grain), marts.as_of)


def _point(definition: LifetimeValue | PAlive | CustomerEquity, marts: Marts, day: date | None) -> Point:
    if day is None:
        return Point(None, 0, reason=NOT_BEGUN)
    match definition:
        case LifetimeValue():
            return _lifetime(definition, _predicting(definition, marts, day))
        case PAlive():
            return _alive(definition, _predicting(definition, marts, day))
        case CustomerEquity():
            return _equity(definition, _measured(definition, marts, day))


def _behind(definition: LifetimeValue | PAlive | CustomerEquity, marts: Marts, day: date) -> pl.DataFrame:
    match definition:
        case LifetimeValue() | PAlive():
            found = _predicting(definition, marts, day)
            if found.purchases.model is None:
                return pl.DataFrame()
            rows, mean = found.values(definition), definition.value in ("mean", "residual_mean")
            if isinstance(definition, PAlive):
                named = rows.select("customer", amount="p_alive")
            else:
                column = "residual_value" if definition.value.startswith("residual") else "value"
                named = rows.select("customer", amount=column)
            return _quantities(named.drop_nulls(), mean=mean)
        case CustomerEquity():
            return _earners(definition, marts, day)


def _quantities(rows: pl.DataFrame, *, mean: bool) -> pl.DataFrame:
    if not mean:
        return rows.rename({"amount": "value"})
    return rows.rename({"amount": "numerator"}).with_columns(denominator=pl.lit(1.0))


@dataclass(frozen=True, eq=False)
class Predicting:
    """The outlook at the end of a day, by the model that a definition asks for."""

    outlook: Outlook
    model: str

    @property
    def purchases(self) -> Fit[PurchaseModel]:
        """The model fitted."""
        return self.outlook.fit(self.model)

    @property
    def reason(self) -> str:
        """Why there is no model, if so."""
        nobody = self.outlook.histories.is_empty()
        return "nobody had ordered by then" if nobody else self.purchases.message

    def terms(self, definition: LifetimeValue) -> Terms:
        """What the value means."""
        found = self.outlook
        margin = 1.0 if found.margin is None else found.margin
        return Terms(found.as_of, definition.months, definition.discount, margin, definition.convention)

    def values(self, definition: LifetimeValue | PAlive) -> pl.DataFrame:
        """One row a customer; see `customer_values`."""
        if isinstance(definition, PAlive):
            return self.outlook.values(Terms(self.outlook.as_of, 1), self.model)
        return self.outlook.values(self.terms(definition), self.model)


def _predicting(definition: LifetimeValue | PAlive, marts: Marts, day: date) -> Predicting:
    """The outlook of the selected customers at the end of a day, made once."""
    if marts.selection.categories or marts.of_lines:
        fault = "a customer's lifetime cannot be split by category or order line"
        raise Missing(fault)
    found = outlook(marts)
    if day < marts.as_of:
        found = marts.kept(("outlook", day, str(marts.selection)), lambda: _outlook_on(marts, day))
    best = found.best or CONTINUOUS[0] if definition.model == "best" else definition.model
    return Predicting(found, best)


def _outlook_on(marts: Marts, day: date) -> Outlook:
    people = summary_until(marts.columns("orders", *UNTIL), day)
    if marts.mask is not None:
        people = people.filter(marts.mask.gather(people["customer"]))
    return Outlook.of(people, day)


def _lifetime(definition: LifetimeValue, found: Predicting) -> Point:
    n = len(found.outlook.histories)
    if found.purchases.model is None:
        return Point(None, n, reason=found.reason)
    residual = definition.value.startswith("residual")
    known = found.values(definition)["residual_value" if residual else "value"].drop_nulls()
    if known.is_empty():
        return Point(None, n, reason=found.outlook.spend.message or "there is no spend to predict from")
    total = float(known.sum())
    value = total if definition.value.endswith("total") else total / len(known)
    if residual:
        return Point(value, len(known))
    row = segment_intervals(
        found.outlook.histories, found.purchases, found.outlook.spend, found.terms(definition), draws=_DRAWS
    ).row(0, named=True)
    if row["value_lower"] is None or not row["expected_value"]:
        return Point(value, len(known))
    # Intervals are of undiscounted totals: discounting scales both ends as it does the total.
    lower, upper = (value * row[end] / row["expected_value"] for end in ("value_lower", "value_upper"))
    return Point(value, len(known), lower, upper, "parametric bootstrap")


def _alive(definition: PAlive, found: Predicting) -> Point:
    n = len(found.outlook.histories)
    if found.purchases.model is None:
        return Point(None, n, reason=found.reason)
    rows = found.outlook.rows
    weights = rows.weight / rows.customers

    def mean(model: PurchaseModel) -> float:
        return float(weights @ model.p_alive(rows.x, rows.t_x, rows.T))

    lower, upper = np.quantile([mean(each) for each in found.purchases.draws(_DRAWS, 0)], [0.025, 0.975])
    scale = 1.0 if definition.value == "mean" else float(n)
    value = scale * mean(found.purchases.model)
    return Point(value, n, scale * float(lower), scale * float(upper), "parametric bootstrap")


def _measured(definition: CustomerEquity, marts: Marts, day: date) -> Measured | Reason:
    return drivers(equity_year(marts, day), definition.discount, definition.convention)


def _equity(definition: CustomerEquity, found: Measured | Reason) -> Point:
    if isinstance(found, Reason):
        return Point(None, 0, reason=found.text)
    base = found.drivers
    value = _part(definition, customer_equity(base), base.retention, base.customers)
    n = found.of if definition.value == "retention" else int(base.customers)
    if isinstance(value, Reason):
        return Point(None, n, reason=value.text)
    rates = np.quantile(found.draws, [0.025, 0.975]).tolist()
    ends = [
        _part(definition, customer_equity(replace(base, retention=rate)), rate, base.customers)
        for rate in rates
    ]
    known = sorted(end for end in ends if not isinstance(end, Reason))
    if len(known) < 2:
        return Point(value, n)
    return Point(value, n, known[0], known[1], "jeffreys, of retention")


def _part(
    definition: CustomerEquity, worth: Equity | Reason, retention: float, customers: float
) -> float | Reason:
    if definition.value == "retention":
        return retention
    if isinstance(worth, Reason):
        return worth
    parts = {
        "total": worth.total,
        "existing": worth.existing,
        "new": worth.new,
        "per_customer": worth.existing / customers,
    }
    return parts[definition.value]


def _earners(definition: CustomerEquity, marts: Marts, day: date) -> pl.DataFrame:
    """Each customer with what he adds to existing equity: his own margin less the mean cost to serve.

    Of retention: whether he ordered again, of those of the year before.
    """
    year, found = equity_year(marts, day), _measured(definition, marts, day)
    if definition.value == "retention":
        again = pl.col("now").cast(pl.Float64).alias("numerator")
        return year.people.filter("before").select("customer", again, denominator=pl.lit(1.0))
    if isinstance(found, Reason):
        return pl.DataFrame()
    worth = multiple(found.drivers.retention, definition.discount, definition.convention).value
    margin = pl.col("margin" if year.has_cost else "net_amount").cast(pl.Float64)
    amount = (margin - found.drivers.cost_to_serve) * (worth or 0.0)
    rows = year.active.select("customer", amount=amount)
    return _quantities(rows, mean=definition.value == "per_customer")


def _concentrations(definition: Concentration, marts: Marts, window: Window) -> dict[int, Point]:
    found = {code: Point(None, 0, reason="nobody ordered in the period") for code in window.periods}
    rows = _brought(definition, marts, window)
    for (code,), part in rows.partition_by("period", as_dict=True).items():
        found[int(str(code))] = _spread(definition, part["amount"])
    return found


def _spread(definition: Concentration, amounts: pl.Series) -> Point:
    known = amounts.drop_nulls()
    counted = known.filter(known >= 0)
    excluded = len(known) - len(counted)
    found: Estimate
    match definition.value:
        case "gini":
            found = gini(counted)
        case "hhi":
            found = concentration_index(counted)
        case "customers_for_share":
            found, excluded = customers_for(known, definition.share), 0
        case "top_share":
            top = top_share(known, definition.share)
            found, excluded = Estimate(top.share, top.reason), 0
    reason = found.reason.text if found.reason else ""
    return Point(found.value, len(known), reason=reason, excluded=excluded)


def _brought(definition: Concentration, marts: Marts, window: Window) -> pl.DataFrame:
    """What each customer who ordered in a period brought in it: period, customer, amount."""
    column = AMOUNTS[definition.of]
    rows = marts.rows(RELATIONS[PANEL], window, frozenset({"orders", column}))
    kept = rows.filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    return kept.select("period", "customer", amount=column)


def _ranked(definition: Concentration, marts: Marts, window: Window) -> pl.DataFrame:
    """Who is behind it: of the share of the best their amounts over all, else every amount."""
    rows = _brought(definition, marts, window).drop_nulls()
    if definition.value != "top_share":
        return rows.rename({"amount": "value"})
    parts = []
    for part in rows.partition_by("period"):
        ranked = part.sort("amount", "customer", descending=[True, False])
        top = top_share(ranked["amount"], definition.share).customers
        best = pl.int_range(pl.len()) < top
        own = pl.when(best).then("amount").otherwise(pl.lit(0).cast(part.schema["amount"]))
        parts.append(ranked.with_columns(numerator=own).rename({"amount": "denominator"}))
    empty = rows.clear().with_columns(numerator="amount").rename({"amount": "denominator"})
    return pl.concat([empty, *parts]).select("period", "customer", "numerator", "denominator")
