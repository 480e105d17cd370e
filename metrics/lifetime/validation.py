"""Whether predictions come true: fit on one period, compare with what customers did in the next.

Everything here works on arrays of predicted and actual figures of the same customers, so that any model, and
any rule of thumb, is judged the same way.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from metrics.lifetime.history import UNIT_DAYS, Unit, history
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, array
from metrics.reasons import Estimate, FrameProblem, Reason


def holdout(
    orders: pl.DataFrame,
    calibration_end: date,
    holdout_end: date,
    *,
    customer: str = "customer",
    ordered_on: str = "ordered_on",
    amount: str = "net_amount",
) -> pl.DataFrame:
    """Histories to `calibration_end`, and what the same customers did after it, to `holdout_end`.

    Columns of `history`, and `actual_orders` (days with an order), `actual_spend`, `previous_orders` (days
    with a repeat order in as many days before the calibration end), one row a customer, sorted. Raises
    FrameProblem when the holdout has no days.
    """
    days = (holdout_end - calibration_end).days
    if days < 1:
        text = "The holdout ends before it begins. Set its end after the calibration end"
        raise FrameProblem(Reason("empty_holdout", text))
    histories = history(orders, calibration_end, customer=customer, ordered_on=ordered_on, amount=amount)
    rows = orders.lazy().select(
        pl.col(customer).alias("customer"),
        pl.col(ordered_on).cast(pl.Date).alias("day"),
        pl.col(amount).cast(pl.Float64).alias("amount"),
    )
    after = rows.filter((pl.col("day") > calibration_end) & (pl.col("day") <= holdout_end))
    repeat = pl.col("day") > pl.col("day").min().over("customer")
    start = calibration_end - timedelta(days=days)
    before = rows.filter(repeat).filter((pl.col("day") > start) & (pl.col("day") <= calibration_end))
    actual = after.group_by("customer").agg(
        actual_orders=pl.col("day").n_unique(), actual_spend=pl.col("amount").sum()
    )
    previous = before.group_by("customer").agg(previous_orders=pl.col("day").n_unique())
    return (
        histories.lazy()
        .join(actual, on="customer", how="left")
        .join(previous, on="customer", how="left")
        .with_columns(
            pl.col("actual_orders", "previous_orders").fill_null(0).cast(pl.Int64),
            pl.col("actual_spend").fill_null(0.0),
        )
        .sort("customer")
        .collect()
    )


def tracking(
    model: PurchaseModel,
    orders: pl.DataFrame,
    calibration_end: date,
    holdout_end: date,
    *,
    unit: Unit = "week",
    step_days: int = 7,
    customer: str = "customer",
    ordered_on: str = "ordered_on",
) -> pl.DataFrame:
    """Repeat orders of the customers won by `calibration_end`, period by period, actual and expected.

    Periods of `step_days` run from the first order of all; the last one ends by `holdout_end`. `period` (from
    1), `ends_on`, `actual`, `expected`, `actual_cumulative`, `expected_cumulative`, `holdout` (ends after the
    calibration). Expected is of new customers by day of the first order: it knows no one's later orders.
    """
    days = (
        orders.lazy()
        .select(pl.col(customer).alias("customer"), pl.col(ordered_on).cast(pl.Date).alias("day"))
        .drop_nulls()
        .unique()
        .with_columns(first=pl.col("day").min().over("customer"))
        .filter((pl.col("first") <= calibration_end) & (pl.col("day") <= holdout_end))
        .collect()
    )
    if days.is_empty():
        return _tracking_frame([], array([]), array([]), calibration_end)
    start = days["first"].min()
    assert isinstance(start, date)
    periods = ((holdout_end - start).days + 1) // step_days
    repeat = days.filter(pl.col("day") > pl.col("first"))
    at = (repeat["day"] - start).dt.total_days().to_numpy() // step_days
    actual = np.bincount(at, minlength=periods)[:periods]
    births = days.filter(pl.col("day") == pl.col("first")).group_by("first").len()
    born = (births["first"] - start).dt.total_days().to_numpy()
    ends = step_days * np.arange(1, periods + 1)
    since = np.maximum(ends[:, None] - born, 0) / UNIT_DAYS[unit]
    distinct, code = np.unique(since, return_inverse=True)
    expected = model.expected_purchases(distinct)[code].reshape(since.shape) @ births["len"].to_numpy()
    days_of_end = [start + timedelta(days=int(end) - 1) for end in ends]
    return _tracking_frame(days_of_end, array(actual), expected, calibration_end)


def _tracking_frame(ends: list[date], actual: Array, expected: Array, calibration_end: date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "period": np.arange(1, len(ends) + 1),
            "ends_on": pl.Series(ends, dtype=pl.Date),
            "actual": actual,
            "expected": np.diff(expected, prepend=0.0),
            "actual_cumulative": actual.cumsum(),
            "expected_cumulative": expected,
        }
    ).with_columns(holdout=pl.col("ends_on") > calibration_end)


def by_frequency(frequency: Array, predicted: Array, actual: Array, most: int = 7) -> pl.DataFrame:
    """Mean orders in the holdout by calibration frequency 0, 1, ... `most` and more.

    `frequency`, `customers`, `predicted`, `actual`, sorted by frequency.
    """
    return (
        pl.DataFrame({"frequency": np.minimum(frequency, most), "predicted": predicted, "actual": actual})
        .cast({"frequency": pl.Int64, "actual": pl.Float64})
        .group_by("frequency")
        .agg(pl.len().cast(pl.Int64).alias("customers"), pl.col("predicted", "actual").mean())
        .sort("frequency")
    )


def deciles(predicted: Array, actual: Array, groups: int = 10) -> pl.DataFrame:
    """Customers in groups of equal size from the highest prediction down: what each group really did.

    `decile` (1 is best), `customers`, `predicted`, `actual` (means), `lift` (actual over the mean of all),
    `share` (of all actual, cumulative); these two null when nobody did anything. Ties are cut by the order
    of rows.
    """
    order = np.argsort(-array(predicted), kind="stable")
    rows = pl.DataFrame({"predicted": array(predicted)[order], "actual": array(actual)[order]})
    total, n = float(rows["actual"].sum()), max(len(rows), 1)
    sums = (pl.col("actual") * pl.col("customers")).cum_sum()
    return (
        rows.with_row_index("rank")
        .with_columns(decile=pl.col("rank").cast(pl.Int64) * groups // n + 1)
        .group_by("decile")
        .agg(pl.len().cast(pl.Int64).alias("customers"), pl.col("predicted", "actual").mean())
        .sort("decile")
        .with_columns(
            lift=pl.when(total != 0).then(pl.col("actual") / (total / n)),
            share=pl.when(total != 0).then(sums / total),
        )
    )


def ranking_gini(predicted: Array, actual: Array) -> Estimate:
    """How well predictions rank customers: 1 as well as hindsight, 0 as well as chance.

    The area between the curve of cumulative actual by prediction and the diagonal, over that by actual.
    """
    by_prediction, by_hindsight = _area(predicted, actual), _area(actual, actual)
    if not by_hindsight:
        text = "All customers did the same in the holdout. There is no order to predict"
        return Estimate(None, Reason("no_variation", text))
    return Estimate(by_prediction / by_hindsight)


def _area(key: Array, actual: Array) -> float:
    """Twice the area, ties in the key sharing their actual evenly."""
    if not len(actual) or not np.sum(actual):
        return 0.0
    _, code, count = np.unique(-array(key), return_inverse=True, return_counts=True)
    even = (np.bincount(code, array(actual)) / count)[code]
    curve = np.append(0.0, np.cumsum(even[np.argsort(code, kind="stable")])) / np.sum(actual)
    return float((curve[1:] + curve[:-1]).sum() / len(actual) - 1.0)


def coverage(lower: Array, upper: Array, actual: Array) -> Estimate:
    """The share of customers whose actual figure lay within their interval, with Wilson's 95 % interval."""
    n = len(actual)
    if not n:
        return Estimate(None, Reason("no_customers", "No customer is in the holdout. Move the split"))
    share = float(((actual >= lower) & (actual <= upper)).mean())
    z2 = 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return Estimate(share, None, float(centre - half), float(centre + half))


def comparison(
    frame: pl.DataFrame,
    predictions: Mapping[str, Array],
    *,
    actual: str = "actual_orders",
    segment: str | None = None,
) -> pl.DataFrame:
    """Models against naive baselines on one holdout, best mean absolute error first.

    Baselines: "Same again" (`previous_orders`) and "Segment mean" (their mean in the segment, or over all).
    `name`, `baseline`, `predicted`, `actual` (totals), `mae`, `rmse`, `correlation`, `gini`, and `beats`:
    whether a model has a lower MAE and a lower RMSE than every baseline.
    """
    mean = pl.col("previous_orders").mean()
    known = frame.select("previous_orders", mean=mean.over(segment) if segment else mean)
    baselines = {
        "Same again": array(known["previous_orders"].to_numpy()),
        "Segment mean": array(known["mean"].to_numpy()),
    }
    truth = array(frame[actual].to_numpy())
    rows = [
        {"name": name, "baseline": name in baselines, **_errors(array(values), truth)}
        for name, values in {**baselines, **predictions}.items()
    ]
    table = pl.DataFrame(rows)
    least = table.filter("baseline").select(pl.col("mae", "rmse").min()).row(0)
    wins = (pl.col("mae") < least[0]) & (pl.col("rmse") < least[1])
    return table.with_columns(beats=pl.when(~pl.col("baseline")).then(wins)).sort("mae", "name")


def _errors(predicted: Array, actual: Array) -> dict[str, float | None]:
    off = predicted - actual
    varied = len(actual) > 1 and np.ptp(predicted) > 0 and np.ptp(actual) > 0
    return {
        "predicted": float(predicted.sum()),
        "actual": float(actual.sum()),
        "mae": float(np.abs(off).mean()) if len(off) else None,
        "rmse": float(np.sqrt((off**2).mean())) if len(off) else None,
        "correlation": float(np.corrcoef(predicted, actual)[0, 1]) if varied else None,
        "gini": ranking_gini(predicted, actual).value,
    }


def judgement(table: pl.DataFrame) -> tuple[Reason, ...]:
    """A reason for each model of a `comparison` that does not beat the naive baselines."""
    best = table.filter("baseline").sort("mae").row(0, named=True)
    return tuple(
        Reason(
            "no_better_than_baseline",
            f"{row['name']} does not beat the baseline `{best['name']}` (MAE {row['mae']:.3f} against "
            f"{best['mae']:.3f}). Use the baseline, or another model",
        )
        for row in table.filter(pl.col("beats").not_()).iter_rows(named=True)
    )
