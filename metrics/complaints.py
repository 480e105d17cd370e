"""Contacts and complaints: how soon they are settled, whether they come back, what becomes of the customer.

Contacts are rows of the mart: customer, occurred_on, occurred_at, resolved_at, kind, topic, outcome. A
contact belongs with the ones of the same customer on the same topic within 30 days; the first of them is
where the matter could have ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl

from metrics import intervals
from metrics.survival import life_table, median_survival

Outcome = Literal["no contact", "unsatisfied", "satisfied", "satisfied quickly"]
Loss = Literal["small", "large"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("no contact", "unsatisfied", "satisfied", "satisfied quickly")
COMPLAINT: Final = "complaint"
REPEAT_DAYS: Final = 30
QUICK_HOURS: Final = 24
ENOUGH: Final = 100
"""Customers of an outcome from which on their own rate is used in place of the published one."""

PUBLISHED: Final[Mapping[Loss, Mapping[Outcome, float]]] = {
    "small": dict(zip(OUTCOMES, (0.37, 0.46, 0.70, 0.95), strict=True)),
    "large": dict(zip(OUTCOMES, (0.09, 0.19, 0.54, 0.82), strict=True)),
}
"""Share who buy again after a problem with a small or a large loss (TARP 1986, after Goodman)."""


def settled(contacts: pl.DataFrame) -> pl.DataFrame:
    """Contacts with `hours` until they were settled (null while open) and `result`, one of OUTCOMES or null.

    `result` is what the outcome says. Where no outcome in the data says quickly, those who were satisfied
    within 24 hours were.
    """
    hours = (pl.col("resolved_at") - pl.col("occurred_at")).dt.total_seconds() / 3600
    said = pl.col("outcome").cast(pl.String).str.to_lowercase().str.strip_chars()
    known = pl.when(said.is_in(list(OUTCOMES[1:]))).then(said)
    rows = contacts.with_columns(hours=hours, result=known)
    if (rows["result"] == "satisfied quickly").any():
        return rows
    quick = (pl.col("result") == "satisfied") & (pl.col("hours") <= QUICK_HOURS)
    return rows.with_columns(result=pl.when(quick).then(pl.lit("satisfied quickly")).otherwise("result"))


def matters(contacts: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """First contacts of a matter, each with whether the customer came back on it.

    A first contact has none of the same customer and topic in the 30 days before it. One row each, sorted by
    customer, topic and day: the columns of `settled`, `again` (another within 30 days), `mature` (30 days
    have passed), `first_time` (satisfied and not again). Visits and contacts of nobody known are left out.
    """
    rows = settled(contacts).filter(
        pl.col("customer").is_not_null(), pl.col("kind").cast(pl.String) != "visit"
    )
    sorted_ = rows.sort("customer", "topic", "occurred_at")
    day = pl.col("occurred_on")
    before = (day - day.shift(1).over("customer", "topic")).dt.total_days()
    after = (day.shift(-1).over("customer", "topic") - day).dt.total_days()
    again = (after <= REPEAT_DAYS).fill_null(value=False)
    good = pl.col("result").str.starts_with("satisfied").fill_null(value=False)
    return (
        sorted_.with_columns(first=(before > REPEAT_DAYS).fill_null(value=True), again=again)
        .with_columns(mature=day <= as_of - timedelta(days=REPEAT_DAYS), first_time=good & ~pl.col("again"))
        .filter("first")
        .drop("first")
    )


@dataclass(frozen=True)
class Share:
    """A share with Wilson's interval; null where nothing was counted."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.hits / self.n if self.n else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Its interval."""
        if not self.n:
            return None
        lower, upper = intervals.wilson([self.hits], [self.n])
        return float(lower[0]), float(upper[0])


@dataclass(frozen=True)
class Service:
    """Complaints of a window: how many, whether settled at the first contact, how often again, how soon.

    `median_hours` counts what is still open for as long as it was (Kaplan-Meier); null where over half is.
    """

    complaints: int
    contacts: int
    open: int
    first_time: Share
    again: Share
    median_hours: float | None


def service(contacts: pl.DataFrame, window: tuple[date, date], as_of: date) -> Service:
    """What contacts of the days of a window say about service; first contacts of 30 days and more ago."""
    inside = pl.col("occurred_on").is_between(*window)
    own = contacts.filter(inside, pl.col("kind").cast(pl.String) != "visit")
    firsts = matters(contacts, as_of).filter(inside, pl.col("mature"))
    return Service(
        complaints=own.filter(pl.col("kind").cast(pl.String) == COMPLAINT).height,
        contacts=own.height,
        open=own["resolved_at"].null_count(),
        first_time=Share(int(firsts["first_time"].sum()), len(firsts)),
        again=Share(int(firsts["again"].sum()), len(firsts)),
        median_hours=_median_hours(own, as_of),
    )


def _median_hours(contacts: pl.DataFrame, as_of: date) -> float | None:
    end = pl.lit(as_of + timedelta(days=1)).cast(pl.Datetime("us", "UTC"))
    until = pl.min_horizontal(pl.col("resolved_at").fill_null(end), end)
    lives = contacts.select(
        duration=((until - pl.col("occurred_at")).dt.total_seconds() / 3600).round(1),
        observed=(pl.col("resolved_at") <= end).fill_null(value=False),
    )
    return median_survival(life_table(lives))


def by_topic(contacts: pl.DataFrame, window: tuple[date, date]) -> pl.DataFrame:
    """Contacts and complaints of a window by topic, most complaints first: topic, contacts, complaints."""
    own = contacts.filter(
        pl.col("occurred_on").is_between(*window), pl.col("kind").cast(pl.String) != "visit"
    )
    complaint = pl.col("kind").cast(pl.String) == COMPLAINT
    counted = own.group_by(pl.col("topic").cast(pl.String)).agg(contacts=pl.len(), complaints=complaint.sum())
    return counted.sort("complaints", "contacts", "topic", descending=[True, True, False])


def troubled(contacts: pl.DataFrame, late: pl.DataFrame | None, as_of: date, days: int) -> pl.DataFrame:
    """Customers who had a problem, each with how it ended: customer, on, outcome; one row a customer.

    A problem is a complaint, or a late delivery (`late`: customer, on). Of each customer the first problem
    counts that lies `days` or more back; a late delivery of somebody who got in touch within 30 days is no
    `no contact`. Complaints that are open, or whose outcome has another name, are left out.
    """
    complaints = settled(contacts).filter(
        pl.col("customer").is_not_null(), pl.col("kind").cast(pl.String) == COMPLAINT
    )
    told = complaints.select("customer", on="occurred_on", outcome="result").drop_nulls("outcome")
    parts = [told]
    if late is not None:
        parts.append(_silent(late, contacts).with_columns(outcome=pl.lit("no contact")))
    latest = as_of - timedelta(days=days)
    every = pl.concat(parts, how="vertical_relaxed").filter(pl.col("on") <= latest)
    return every.sort("customer", "on").unique("customer", keep="first", maintain_order=True)


def _silent(late: pl.DataFrame, contacts: pl.DataFrame) -> pl.DataFrame:
    """Late deliveries of customers without any contact in the 30 days from then on."""
    known = late.drop_nulls().select("customer", "on").unique().sort("on")
    calls = contacts.drop_nulls("customer").select("customer", called="occurred_on").sort("called")
    joined = known.join_asof(
        calls, left_on="on", right_on="called", by="customer", strategy="forward", check_sortedness=False
    )
    near = (pl.col("called") - pl.col("on")).dt.total_days() <= REPEAT_DAYS
    return joined.filter(~near.fill_null(value=False)).select("customer", "on")


def bought_again(people: pl.DataFrame, orders: pl.DataFrame, days: int) -> pl.DataFrame:
    """Customers with whether they ordered within so many days after `on`: adds `again`.

    `orders` holds customer and ordered_on.
    """
    bought = orders.select("customer", "ordered_on").drop_nulls().unique().sort("ordered_on")
    after = people.with_columns(start=pl.col("on").dt.offset_by("1d")).sort("start")
    joined = after.join_asof(
        bought,
        left_on="start",
        right_on="ordered_on",
        by="customer",
        strategy="forward",
        check_sortedness=False,
    )
    within = (pl.col("ordered_on") - pl.col("on")).dt.total_days() <= days
    return (
        joined.with_columns(again=within.fill_null(value=False)).drop("start", "ordered_on").sort("customer")
    )


def repurchase(people: pl.DataFrame) -> pl.DataFrame:
    """Share who bought again by outcome, in the order of OUTCOMES: outcome, n, again, share, lower, upper."""
    order = pl.DataFrame({"outcome": OUTCOMES})
    counted = people.group_by("outcome").agg(n=pl.len(), again=pl.col("again").sum())
    table = order.join(counted, on="outcome", how="left", maintain_order="left").with_columns(
        pl.col("n", "again").fill_null(0).cast(pl.Int64)
    )
    lower, upper = intervals.wilson(table["again"], table["n"])
    return table.with_columns(
        pl.when(pl.col("n") > 0).then(pl.col("again") / pl.col("n")).alias("share"),
        pl.Series("lower", lower).fill_nan(None),
        pl.Series("upper", upper).fill_nan(None),
    )


def loyalty(table: pl.DataFrame, loss: Loss) -> dict[Outcome, tuple[float, bool]]:
    """The share who buy again by outcome, and whether it is the project's own: from 100 customers on."""
    own = {row["outcome"]: row["share"] for row in table.iter_rows(named=True) if row["n"] >= ENOUGH}
    return {name: (own.get(name, PUBLISHED[loss][name]), name in own) for name in OUTCOMES}


def customers_lost(
    customers: float, incidence: float, complaining: float, mix: Sequence[float], rates: Sequence[float]
) -> float:
    """Market damage (TARP): customers lost by problems.

    `N p [(1 - k)(1 - L0) + k sum of m_j (1 - L_j)]`: of N customers a share p has a problem, of whom a share
    k complains; complaints end in the shares `mix` (unsatisfied, satisfied, satisfied quickly); `rates` are
    the shares who buy again, those who said nothing first.

    >>> round(customers_lost(100_000, 0.3, 0.5, (0.5, 0.25, 0.25), (0.09, 0.19, 0.54, 0.82)), 1)
    22125.0
    >>> round(customers_lost(100_000, 0.3, 0.5, (0.5, 0.25, 0.25), (0.37, 0.46, 0.70, 0.95)), 1)
    14812.5
    """
    spoken = float(np.dot(mix, 1 - np.asarray(rates[1:])))
    return customers * incidence * ((1 - complaining) * (1 - rates[0]) + complaining * spoken)
