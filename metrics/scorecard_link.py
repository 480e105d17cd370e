"""The link from satisfaction to staying, fitted on those who were asked: what makes it worth money."""

from typing import Final

import polars as pl

from metrics.frames import Marts
from metrics.linkage import followed, linked, slopes
from metrics.reasons import Reason
from metrics.scorecard_plan import Plan
from metrics.scorecard_targets import Link

YEAR_DAYS: Final = 365
SCORE: Final = "score"


def fitted_link(marts: Marts, plan: Plan) -> Link | Reason:
    """By how much one point of satisfaction raises the log-odds of an order within a year of the answer.

    Logistic, with orders, recency and value before the answer held constant (`metrics.linkage.linked`). A
    reason where nothing was asked, too few answers are a year old, or the slope cannot be told from none.
    """
    if plan.satisfaction is None or "answers" not in marts.frames:
        return Reason("not_asked", "no source gives answers about satisfaction")
    bought = marts.columns("orders", "customer", "ordered_on", "orders", "net_amount")
    orders = bought.filter(pl.col("orders") > 0)
    rows = followed(_responses(marts, plan), orders, YEAR_DAYS, marts.as_of, scores=(SCORE,))
    found = linked(rows, (SCORE,))
    if isinstance(found, Reason):
        return found
    row = slopes(found).row(0, named=True)
    if not row["lower"] > 0:
        text = "the fitted link from satisfaction to staying cannot be told from none"
        return Reason("no_link", text)
    error = (row["upper"] - row["lower"]) / (2 * 1.959964)
    return Link(row["slope"], float(error), len(found.rows))


def _responses(marts: Marts, plan: Plan) -> pl.DataFrame:
    asked = plan.satisfaction
    assert asked is not None
    rows = marts.frame("answers").filter(
        pl.col("item").cast(pl.String) == asked.item,
        pl.col("part").cast(pl.String) == "score",
        pl.col("score").is_not_null(),
        pl.col("customer").is_not_null(),
    )
    if asked.instrument is not None:
        rows = rows.filter(pl.col("instrument").cast(pl.String) == asked.instrument)
    chosen = rows if marts.mask is None else rows.filter(marts.mask.gather(rows["customer"]))
    return chosen.select("customer", "answered_on", pl.col("score").alias(SCORE))
