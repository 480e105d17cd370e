"""The customers of a cohort's cell: who is counted in it, and why the others are not."""

import polars as pl

from metrics.lives import MEASURES, ROLLING_DAYS
from metrics.money import amounts
from metrics.periods import Calendar
from metrics.retention import Cohorts


def cell_customers(
    lives: pl.DataFrame, cohorts: Cohorts, calendar: Calendar, cohort: int, age: int
) -> pl.DataFrame:
    """One row a customer of the cohort: those counted as active first, then by amount.

    customer, counted (in the rate's numerator), orders, net_amount and margin (exact, of these ages),
    first_amount (net, of age 0), so_far (margin up to these ages, net amount where no source gives a cost),
    last_age (at which the customer was last seen), next_age (of the first coming back after these ages), and
    closes_on (the last day of the customer's own period).
    """
    until = next((end for start, end in cohorts.brackets if start == age), age)
    ours = lives.filter(pl.col("cohort") == cohort)
    inside = pl.col("age").is_between(age, until)
    seen = pl.col("age").filter("counts")
    keys = [name for name in ("life", "customer", "first_on") if name in ours.columns]
    active = (seen >= age).any() if cohorts.returns == "on_or_after" else inside.filter("counts").any()
    gained = "margin" if lives["margin"].count() else "net_amount"
    found = ours.group_by(keys).agg(
        active.alias("counted"),
        *(pl.col(name).filter(inside).sum() for name in MEASURES),
        pl.col("net_amount").filter(pl.col("age") == 0).sum().alias("first_amount"),
        pl.col(gained).filter(pl.col("age") <= until).sum().alias("so_far"),
        seen.max().alias("last_age"),
        seen.filter(seen > until).min().alias("next_age"),
    )
    end = pl.lit(calendar.end(cohort + until, cohorts.grain))
    if cohorts.is_rolling:
        end = pl.col("first_on") + pl.duration(days=(until + 1) * ROLLING_DAYS[cohorts.grain] - 1)
    money = (*MEASURES[1:], "first_amount", "so_far")
    rows = found.with_columns(amounts(pl.col(name)) for name in money)
    if gained == "net_amount":
        rows = rows.with_columns(margin=pl.lit(None, rows.schema["margin"]))
    order = pl.col("counted", "net_amount")
    return (
        rows.with_columns(closes_on=end)
        .sort(order, descending=True, nulls_last=True)
        .select("customer", "counted", "orders", *money, "last_age", "next_age", "closes_on")
    )
