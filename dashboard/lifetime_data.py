"""The questions of the pages on lifetime value and customer equity; every answer is kept by the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics.frames import Marts
from metrics.lifetime.candidates import fits
from metrics.lifetime.fitting import Fit
from metrics.lifetime.historic import historic_value, lacking, with_costs
from metrics.lifetime.history import UNTIL, compress, times
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.movement import value_changes
from metrics.lifetime.outlook import Outlook, buyers
from metrics.lifetime.outlook import outlook as of_customers
from metrics.lifetime.sbg import ShiftedBetaGeometric, contract_renewals, observed_survival
from metrics.lifetime.uncertainty import customer_intervals, segment_intervals
from metrics.lifetime.validation import (
    by_frequency,
    comparison,
    coverage,
    deciles,
    holdout,
    judgement,
    tracking,
)
from metrics.lifetime.values import Terms, months_after
from metrics.reasons import Estimate, Reason
from metrics.selection import SEGMENT as GROUP
from metrics.selection import Missing

NAMES: Final = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
SEGMENT: Final = "channel"
"""The attribute whose means are the naive baseline of a segment."""
COHORT: Final = "first_year"
"""Besides the attributes, customers are split by the year of their first order."""
DISCOUNT: Final = 0.10
ALIVE: Final = 0.5
SINCE: Final = 91
"""So many days ago is the day that rising and falling values are measured from."""
TOP: Final = 0.2
_DRAWS: Final = 100
_LONGEST_HOLDOUT: Final = 12  # months
_SIMULATED: Final = 2000
_STEP: Final = 28


@dataclass(frozen=True)
class Horizon:
    """How far a predicted value looks and how it discounts: see `Terms`."""

    months: int = 12
    discount: float = DISCOUNT
    convention: Literal["end", "begin"] = "end"

    def terms(self, found: Outlook) -> Terms:
        """What a value over this horizon means, of these customers."""
        margin = 1.0 if found.margin is None else found.margin
        return Terms(found.as_of, self.months, self.discount, margin, self.convention)


def outlook(desk: Desk, scope: Scope) -> Outlook:
    """The outlook of the customers that the filters leave, those of categories aside."""
    return desk.kept(f"lifetime {sorted(scope.attributes)}", lambda: of_customers(marts_of(desk, scope)))


def marts_of(desk: Desk, scope: Scope) -> Marts:
    """The marts under the filters on customers."""
    return desk.marts(replace(scope, categories=()))


def values(desk: Desk, scope: Scope, horizon: Horizon) -> pl.DataFrame:
    """One row a customer, the most valuable first: predictions, `group`, revenue so far, attributes."""
    return desk.kept(
        f"lifetime values {horizon} {sorted(scope.attributes)}", lambda: _values(desk, scope, horizon)
    )


def _values(desk: Desk, scope: Scope, horizon: Horizon) -> pl.DataFrame:
    found = outlook(desk, scope)
    rows = found.values(horizon.terms(found))
    if not found.best:
        return rows
    people = desk.whole.frame("customer_summary").select("customer", "net_amount", "first_order_on")
    brought = so_far(desk).select("customer", "margin", "contribution")
    whole = rows.join(people, on="customer", how="left", maintain_order="left")
    whole = whole.join(brought, on="customer", how="left", maintain_order="left")
    return with_ids(desk, grouped(whole).sort("value", "customer", descending=[True, False], nulls_last=True))


def so_far(desk: Desk) -> pl.DataFrame:
    """What every customer has brought so far: `revenue`, `margin`, `contribution`; see `historic_value`."""
    return desk.kept("lifetime so far", lambda: historic_value(_costed(desk)))


def lacking_costs(desk: Desk) -> tuple[Reason, ...]:
    """A reason for each kind of cost that no source gives."""
    return desk.kept("lifetime lacking", lambda: lacking(_costed(desk)))


def _costed(desk: Desk) -> pl.DataFrame:
    frames = desk.whole.frames
    contacts, spending = (
        desk.whole.frame(name) if name in frames else None for name in ("contacts", "spending")
    )
    return with_costs(buyers(desk.whole), contacts, spending)


def changes(desk: Desk, scope: Scope, horizon: Horizon) -> pl.DataFrame:
    """Whose predicted value rose or fell in the last SINCE days, the greatest rise first; with ids."""
    question = f"lifetime changes {horizon} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _changes(desk, scope, horizon))


def _changes(desk: Desk, scope: Scope, horizon: Horizon) -> pl.DataFrame:
    found, chosen = outlook(desk, scope), marts_of(desk, scope)
    assert found.purchases is not None
    assert found.purchases.model is not None
    orders = chosen.columns("orders", *UNTIL).drop_nulls("customer")
    if chosen.mask is not None:
        orders = orders.filter(chosen.mask.gather(orders["customer"]))
    since = found.as_of - timedelta(days=SINCE)
    rows = value_changes(orders, found.purchases.model, found.spend.model, horizon.terms(found), since)
    people = desk.whole.frame("customer_summary").select("customer", "last_order_on", "net_amount")
    whole = rows.join(people, on="customer", how="left", maintain_order="left")
    ranked = whole.sort("change", "customer", descending=[True, False], nulls_last=True)
    return with_ids(desk, ranked.drop_nulls("change"))


def intervals(desk: Desk, found: Outlook, horizon: Horizon, ids: pl.Series) -> pl.DataFrame:
    """Prediction intervals of some customers by id, in their order; see `customer_intervals`."""
    people = desk.whole.frame("customer_summary").select("customer_id", "customer")
    named = pl.DataFrame({"customer_id": ids}).join(people, on="customer_id", maintain_order="left")
    rows = named.join(found.histories, on="customer", how="left", maintain_order="left")
    assert found.purchases is not None
    return customer_intervals(rows, found.purchases, found.spend, horizon.terms(found))


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


def value_edges(values: pl.Series) -> list[float]:
    """Round edges of classes of value, over three powers of ten up to the largest; none without value."""
    if values.is_empty() or values.max() <= 0:  # type: ignore[operator]  # a number
        return []
    top = int(np.ceil(np.log10(float(values.quantile(0.999) or 1))))
    return [step * 10.0**power for power in range(top - 3, top) for step in (1, 2, 5)]


def class_counts(values: pl.Series, edges: Sequence[float]) -> list[int]:
    """How many values lie in each class that the edges cut; none without edges."""
    if not edges:
        return []
    codes = np.searchsorted(edges, values.to_numpy(), side="right")
    return [int(n) for n in np.bincount(codes, minlength=len(edges) + 1)]


def in_class(rows: pl.DataFrame, edges: Sequence[float], at: int) -> pl.DataFrame:
    """The rows whose value lies in a class."""
    low, high = [-np.inf, *edges][at], [*edges, np.inf][at]
    return rows.filter(pl.col("value") >= low, pl.col("value") < high)


def in_segment(desk: Desk, rows: pl.DataFrame, by: str, value: str) -> pl.DataFrame:
    """The rows of one value of an attribute, of one year of COHORT, or of a segment by its label."""
    if by == GROUP:
        people = desk.whole.frame("customer_summary")
        ids = people["customer_id"].filter(segment_data.groups(desk)[value])
        return rows.filter(pl.col("customer_id").is_in(ids.implode()))
    return rows.filter(_split(by) == value)


def segments_of(desk: Desk, rows: pl.DataFrame, by: str) -> list[str]:
    """The values of an attribute, in its own order, the years of COHORT, or the labels of segments."""
    if by == GROUP:
        return list(segment_data.groups(desk))
    years = rows.select(_split(by)).to_series().drop_nulls().unique().sort() if by == COHORT else ()
    return [*desk.attributes.get(by, years)]


def _split(by: str) -> pl.Expr:
    return (pl.col("first_order_on").dt.year() if by == COHORT else pl.col(by)).cast(pl.String).alias(by)


def totals(desk: Desk, scope: Scope, horizon: Horizon, by: str | None = None) -> pl.DataFrame:
    """Predicted totals with 95 % intervals, for all or by an attribute or COHORT; see `segment_intervals`."""
    question = f"lifetime totals {horizon} {by} {sorted(scope.attributes)}"
    return desk.kept(question, lambda: _totals(desk, outlook(desk, scope), horizon, by))


def _totals(desk: Desk, found: Outlook, horizon: Horizon, by: str | None) -> pl.DataFrame:
    if found.purchases is None:
        return pl.DataFrame()
    rows = found.histories
    if by == GROUP:
        groups = segment_data.groups(desk)
        held = {name: rows.filter(each.gather(rows["customer"])) for name, each in groups.items()}
        rows = pl.concat([part.with_columns(pl.lit(name).alias(GROUP)) for name, part in held.items()])
    elif by is not None:
        people = desk.whole.frame("customer_summary")
        rows = rows.join(people.select("customer", _split(by)), on="customer", how="left").drop_nulls(by)
    return segment_intervals(rows, found.purchases, found.spend, horizon.terms(found), by=by, draws=_DRAWS)


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
    covered: Estimate
    segment: str | None


def validation(desk: Desk, scope: Scope) -> Validation | Reason:
    """The models fitted without the last third of the history, a year at most, and judged on it."""
    question = f"lifetime validation {sorted(scope.attributes)}"
    segment = SEGMENT if SEGMENT in desk.attributes else None
    return desk.kept(question, lambda: _validation(marts_of(desk, scope), outlook(desk, scope), segment))


def _validation(marts: Marts, found: Outlook, segment: str | None) -> Validation | Reason:
    oldest = int(found.histories["age_days"].max() or 0)  # type: ignore[arg-type]  # whole days
    months = min(_LONGEST_HOLDOUT, oldest // 91)
    if months < 2 or not found.best:
        text = "A holdout needs six months of history and a fitted model. Load older orders"
        return Reason("no_holdout", text)
    cut = months_after(marts.as_of, -months)
    days, orders = (marts.as_of - cut).days, orders_of(marts)
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
    named = frame
    if segment is not None:
        whole = marts.frame("customer_summary").select("customer", pl.col(segment).cast(pl.String))
        named = frame.join(whole, on="customer", how="left", maintain_order="left")
    table = comparison(named, ahead, segment=segment)
    return Validation(
        cut,
        days,
        NAMES[found.best],
        tracking(model, orders, cut, marts.as_of, step_days=_STEP),
        by_frequency(x, best, actual),
        deciles(best, actual),
        table,
        judgement(table),
        _covered(frame, fitted[found.best], Terms(cut, months)),
        segment,
    )


def _covered(frame: pl.DataFrame, fit: Fit[PurchaseModel], terms: Terms) -> Estimate:
    """How many of the customers' 95 % intervals of orders held what they did in the holdout."""
    some = sampled(frame, _SIMULATED)
    rows = customer_intervals(some, fit, None, terms)
    actual = some["actual_orders"].to_numpy().astype(np.float64)
    return coverage(rows["orders_lower"].to_numpy(), rows["orders_upper"].to_numpy(), actual)


def orders_of(marts: Marts) -> pl.DataFrame:
    """Orders of the chosen customers, returns that stand alone left out."""
    some = marts.columns("orders", *UNTIL)
    rows = some.filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    if marts.mask is None:
        return rows
    return rows.join(buyers(marts).select("customer"), on="customer", how="semi")


@dataclass(frozen=True, eq=False)
class Contracted:
    """The contracts of the chosen customers and the sBG fitted to them; `amount` is the mean per period."""

    contracts: pl.DataFrame
    fit: Fit[ShiftedBetaGeometric]
    observed: NDArray[np.float64]
    period: str
    amount: float


def contracted(desk: Desk, scope: Scope) -> Contracted:
    """The contracts of the most usual billing period. Raises Missing without contracts."""
    return desk.kept(
        f"lifetime contracts {sorted(scope.attributes)}", lambda: _contracted(marts_of(desk, scope))
    )


def _contracted(marts: Marts) -> Contracted:
    rows = marts.frame("contracts")
    if marts.mask is not None:
        rows = rows.filter(marts.mask.gather(rows["customer"]).fill_null(value=False))
    if rows.is_empty():
        fault = "none of these customers has a contract"
        raise Missing(fault)
    period = str(rows["billing_period"].cast(pl.String).mode().sort()[0])
    usual = rows.filter(pl.col("billing_period").cast(pl.String) == period)
    found = contract_renewals(usual, marts.as_of)
    running = usual.filter(pl.col("ended_on").is_null() | (pl.col("ended_on") > marts.as_of))
    amount = float((running if len(running) else usual)["amount"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]  # a number
    return Contracted(found, ShiftedBetaGeometric.fit(found), observed_survival(found), period, amount)
