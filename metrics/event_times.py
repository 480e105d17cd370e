"""Times until something happens to a customer: a second order, a second category, a lapse, a contract's end.

A life that has not met its event is censored on the as-of day.
"""

from typing import Final, Literal

import polars as pl

from metrics.crossbuying import HELD, basket_rows, holdings
from metrics.frames import Marts
from metrics.lapse import second_order_lives
from metrics.periods import Window
from metrics.relations import RELATIONS
from metrics.standings import order_rows, standings

Event = Literal["second_order", "second_category", "lapse", "contract_end"]
EVENTS: Final[tuple[Event, ...]] = ("second_order", "second_category", "lapse", "contract_end")


def lives_until(marts: Marts, event: Event) -> pl.DataFrame:
    """One row a customer with a beginning, sorted: customer, duration (days), observed, began_on.

    The second order counts from the first, the second category likewise, net of what was returned in full; a
    lapse is the day on which the
    silence that lasts today became longer than the own rhythm or season allows (`metrics.lapse`); the end of
    a contract counts from the first day under one to the first day without any, contracts that overlap or
    follow each other joined. Raises Missing where no source gives it.
    """
    match event:
        case "second_order":
            return second_order_lives(order_rows(marts).lazy(), marts.as_of)
        case "second_category":
            return _second_category(marts)
        case "lapse":
            return _lapse(marts)
        case "contract_end":
            return _contract_end(marts)


def _second_category(marts: Marts) -> pl.DataFrame:
    days = (
        holdings(basket_rows(marts, columns=HELD))
        .group_by("customer")
        .agg(
            pl.col("first_on").min(),
            pl.col("first_on").sort().get(1, null_on_oob=True).alias("second_on"),
        )
    )
    return _lives(days, marts)


def _lapse(marts: Marts) -> pl.DataFrame:
    rows = order_rows(marts).filter(pl.col("orders") > 0, pl.col("customer").is_not_null())
    firsts = rows.group_by("customer").agg(pl.col("ordered_on").min().alias("first_on"))
    judged = standings(marts).select("customer", second_on="lapses_on")
    return _lives(firsts.join(judged, on="customer"), marts)


def _contract_end(marts: Marts) -> pl.DataFrame:
    """The first stretch of days under contract, contracts without a gap between them taken as one."""
    rows = marts.rows(RELATIONS["subscriptions"], Window(), frozenset({"started_on", "ended_on"}))
    ended = pl.col("ended_on").fill_null(pl.date(9999, 12, 31))
    lasting = rows.filter(pl.col("customer").is_not_null(), ended > pl.col("started_on")).with_columns(
        ended_on=ended
    )
    sorted_ = lasting.sort("customer", "started_on", "ended_on")
    reached = pl.col("ended_on").cum_max().shift(1).over("customer")
    broken = (pl.col("started_on") > reached).fill_null(value=False).cum_sum().over("customer")
    first = sorted_.filter(broken == 0)
    days = first.group_by("customer").agg(
        pl.col("started_on").min().alias("first_on"), pl.col("ended_on").max().alias("second_on")
    )
    return _lives(days, marts)


def _lives(days: pl.DataFrame, marts: Marts) -> pl.DataFrame:
    observed = (pl.col("second_on") <= marts.as_of).fill_null(value=False)
    end = pl.when(observed).then("second_on").otherwise(pl.lit(marts.as_of))
    duration = (end - pl.col("first_on")).dt.total_days()
    return days.select("customer", duration=duration, observed=observed, began_on="first_on").sort("customer")


def beginnings_facts(marts: Marts) -> pl.DataFrame:
    """What the first order was like, one row a customer, sorted: customer, first_amount, first_lines.

    `first_amount` in whole currency. For models of what makes customers come back.
    """
    rows = order_rows(marts, frozenset({"first_orders", "net_amount", "lines"}))
    first = rows.filter(pl.col("first_orders") > 0, pl.col("customer").is_not_null())
    amount = pl.col("net_amount").cast(pl.Float64) / 10_000
    return first.select("customer", amount.alias("first_amount"), pl.col("lines").alias("first_lines")).sort(
        "customer"
    )
