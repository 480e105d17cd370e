"""The questions of the pages on lifetime value and customer equity; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics.frames import Marts
from metrics.lifetime.candidates import best_of, fit_table, fits
from metrics.lifetime.fitting import Fit
from metrics.lifetime.gammagamma import GammaGamma, independence
from metrics.lifetime.gates import cautions, gates
from metrics.lifetime.history import compress, history_of_customers, times
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.uncertainty import segment_intervals
from metrics.lifetime.validation import by_frequency, comparison, deciles, holdout, judgement, tracking
from metrics.lifetime.values import Terms, customer_values
from metrics.reasons import Reason
from metrics.selection import Missing

NAMES: Final = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
COHORT: Final = "first_year"
"""Besides the attributes, customers are split by the year of their first order."""
DISCOUNT: Final = 0.10
ALIVE: Final = 0.5
TOP: Final = 0.2
_DRAWS: Final = 100
_LONGEST_HOLDOUT: Final = 364
_STEP: Final = 28


@dataclass(frozen=True, eq=False)
class Outlook:
    """The models of the chosen customers: the best one by AIC, what was tried, what stands against them.

    `best` is empty where no model could be fitted; `margin` is the margin on revenue, None where cost is
    unknown, and values are then revenue.
    """

    histories: pl.DataFrame
    against: tuple[Reason, ...]
    table: pl.DataFrame
    best: str
    purchases: Fit[PurchaseModel] | None
    spend: Fit[GammaGamma]
    notes: tuple[Reason, ...]
    margin: float | None
    as_of: date

    def terms(self, months: int) -> Terms:
        """What a value over so many months means."""
        return Terms(self.as_of, months, DISCOUNT, 1.0 if self.margin is None else self.margin)


def _people(marts: Marts) -> pl.DataFrame:
    people = marts.frame("customer_summary")
    if "first_order_on" not in people.columns:
        fault = "no source gives `order_lines`"
        raise Missing(fault)
    return people if marts.mask is None else people.filter(marts.mask)


def outlook(desk: Desk, scope: Scope) -> Outlook:
    """The fitted models of the customers that the filters leave, those of categories aside."""
    return desk.kept(f"lifetime {sorted(scope.attributes)}", lambda: _outlook(_marts(desk, scope)))


def _marts(desk: Desk, scope: Scope) -> Marts:
    return desk.marts(replace(scope, categories=()))


def _outlook(marts: Marts) -> Outlook:
    people = _people(marts)
    histories = history_of_customers(people, marts.as_of)
    fitted = fits(compress(histories))
    table = fit_table(fitted)
    best = best_of(fitted)
    purchases = fitted.get(best)
    spend = GammaGamma.fit(histories)
    return Outlook(
        histories=histories,
        against=gates(histories),
        table=table,
        best=best,
        purchases=purchases,
        spend=spend,
        notes=_notes(purchases, spend, histories),
        margin=margin_rate(people),
        as_of=marts.as_of,
    )


def _notes(
    purchases: Fit[PurchaseModel] | None, spend: Fit[GammaGamma], histories: pl.DataFrame
) -> tuple[Reason, ...]:
    linked = independence(histories).reason
    weak = [fit.reason for fit in (purchases, spend) if fit is not None and fit.reason is not None]
    model = purchases.model if purchases else None
    told = cautions(model, histories) if model else ()
    return (*weak, *told, *([linked] if linked else []))


def margin_rate(people: pl.DataFrame) -> float | None:
    """Margin over revenue; None where cost is unknown or nothing was sold."""
    if "margin" not in people.columns or people["cost"].null_count() == len(people):
        return None
    sums = people.select(pl.col("margin", "net_amount").sum().cast(pl.Float64)).row(0)
    return sums[0] / sums[1] if sums[1] > 0 else None


def values(desk: Desk, scope: Scope, months: int) -> pl.DataFrame:
    """One row a customer, the most valuable first: predictions, `group`, revenue so far, attributes."""
    return desk.kept(
        f"lifetime values {months} {sorted(scope.attributes)}", lambda: _values(desk, scope, months)
    )


def _values(desk: Desk, scope: Scope, months: int) -> pl.DataFrame:
    found = outlook(desk, scope)
    if found.purchases is None or found.purchases.model is None:
        return pl.DataFrame(schema={"customer": pl.UInt32, "value": pl.Float64})
    model, spend = found.purchases.model, found.spend.model
    rows = customer_values(found.histories, model, spend, found.terms(months))
    people = desk.whole.frame("customer_summary").select("customer", "net_amount", "first_order_on")
    whole = rows.join(people, on="customer", how="left", maintain_order="left")
    return with_ids(desk, grouped(whole).sort("value", "customer", descending=[True, False], nulls_last=True))


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with `group`: revenue so far among the best fifth or not, more likely there than gone or not."""
    valuable = pl.col("net_amount") >= pl.col("net_amount").quantile(1 - TOP, "higher")
    there = pl.col("p_alive") >= ALIVE
    group = (
        pl.when(valuable & there)
        .then(pl.lit("keep"))
        .when(valuable)
        .then(pl.lit("win_back"))
        .when(there)
        .then(pl.lit("develop"))
        .otherwise(pl.lit("let_go"))
    )
    return rows.with_columns(group=group)


def sampled(rows: pl.DataFrame, most: int = 500) -> pl.DataFrame:
    """At most `most` rows at even steps through the ranking: the same ones every time."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


def totals(desk: Desk, scope: Scope, months: int, by: str | None = None) -> pl.DataFrame:
    """Predicted totals with 95 % intervals, for all or by an attribute or COHORT; see `segment_intervals`."""
    question = f"lifetime totals {months} {by} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _totals(desk, outlook(desk, scope), months, by))


def _totals(desk: Desk, found: Outlook, months: int, by: str | None) -> pl.DataFrame:
    if found.purchases is None:
        return pl.DataFrame()
    rows = found.histories
    if by is not None:
        people = desk.whole.frame("customer_summary")
        year = pl.col("first_order_on").dt.year().cast(pl.String).alias(COHORT)
        column = year if by == COHORT else pl.col(by).cast(pl.String)
        rows = rows.join(people.select("customer", column), on="customer", how="left").drop_nulls(by)
    return segment_intervals(rows, found.purchases, found.spend, found.terms(months), by=by, draws=_DRAWS)


@dataclass(frozen=True, eq=False)
class Validation:
    """What the models would have said before the holdout, against what customers then did."""

    calibration_end: date
    days: int
    best: str
    tracking: pl.DataFrame
    by_frequency: pl.DataFrame
    deciles: pl.DataFrame
    comparison: pl.DataFrame
    verdicts: tuple[Reason, ...]


def validation(desk: Desk, scope: Scope) -> Validation | Reason:
    """The models fitted without the last third of the history, a year at most, and judged on it."""
    question = f"lifetime validation {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _validation(_marts(desk, scope), outlook(desk, scope)))


def _validation(marts: Marts, found: Outlook) -> Validation | Reason:
    oldest = int(found.histories["age_days"].max() or 0)  # type: ignore[arg-type]  # whole days
    days = min(_LONGEST_HOLDOUT, oldest // 3 // _STEP * _STEP)
    if days < _STEP * 2 or not found.best:
        text = "A holdout needs six months of history and a fitted model. Load older orders"
        return Reason("no_holdout", text)
    cut = marts.as_of - timedelta(days=days)
    orders = _orders(marts)
    frame = holdout(orders, cut, marts.as_of)
    fitted = fits(compress(frame))
    x, t_x, age = times(frame)
    ahead = {
        NAMES[name]: fit.model.conditional_expectation(days / 7, x, t_x, age)
        for name, fit in fitted.items()
        if fit.model is not None
    }
    if NAMES[found.best] not in ahead:
        return Reason("no_fit", f"Without the last {days} days no model can be fitted. Load older orders")
    model = fitted[found.best].model
    assert model is not None
    best, actual = ahead[NAMES[found.best]], frame["actual_orders"].to_numpy().astype(np.float64)
    table = comparison(frame, ahead)
    return Validation(
        cut,
        days,
        NAMES[found.best],
        tracking(model, orders, cut, marts.as_of, step_days=_STEP),
        by_frequency(x, best, actual),
        deciles(best, actual),
        table,
        judgement(table),
    )


def _orders(marts: Marts) -> pl.DataFrame:
    """Orders of the chosen customers, returns that stand alone left out."""
    rows = marts.frame("orders").filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    if marts.mask is None:
        return rows
    return rows.join(_people(marts).select("customer"), on="customer", how="semi")
