"""The questions of the page on complaints and contacts; every answer is kept by the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import Scope
from metrics.complaints import Service, bought_again, by_topic, matters, repurchase, service, troubled
from metrics.frames import Marts
from metrics.periods import Window
from metrics.relations import RELATIONS
from metrics.selection import Missing
from metrics.standings import order_rows

YEAR = timedelta(days=365)
_COLUMNS = frozenset(
    {
        "occurred_on",
        "occurred_at",
        "resolved_on",
        "resolved_at",
        "kind",
        "topic",
        "outcome",
        "channel",
        "interaction_id",
    }
)


@dataclass(frozen=True)
class Base:
    """The year's customers behind the estimate of damage: who ordered, who had a problem, who complained."""

    customers: int
    troubled: int
    complained: int


def _marts(desk: Desk, scope: Scope) -> Marts:
    return desk.marts(replace(scope, categories=()))


def year(desk: Desk, scope: Scope) -> tuple[date, date]:
    """The year up to the end of the scope's period, or to the as-of day."""
    last = min(desk.calendar.end(scope.period, scope.grain), desk.as_of)
    return last - YEAR + timedelta(days=1), last


def contacts(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The contacts of the customers that the filters leave. Raises Missing without contacts."""
    marts = _marts(desk, scope)
    return desk.kept(
        f"contacts {scope.attributes}", lambda: marts.rows(RELATIONS["interactions"], Window(), _COLUMNS)
    )


def late(desk: Desk, scope: Scope) -> pl.DataFrame | None:
    """Orders delivered later than promised: customer, on; None where deliveries are not in the data."""

    def made() -> pl.DataFrame:
        lines = desk.whole.frames["order_lines"].lazy()
        if not {"promised_at", "delivered_at"} <= set(lines.collect_schema()):
            return pl.DataFrame()
        people = desk.whole.frame("customer_summary").select("customer_id", "customer").lazy()
        was_late = (pl.col("delivered_at") > pl.col("promised_at")) & ~pl.col("is_return")
        rows = lines.filter(was_late).select("customer_id", pl.col("ordered_on").alias("on")).unique()
        return rows.join(people, on="customer_id").select("customer", "on").collect()

    found = desk.kept("late orders", made)
    if found.is_empty():
        return None
    mask = _marts(desk, scope).mask
    return found if mask is None else found.filter(mask.gather(found["customer"]))


def service_of_year(desk: Desk, scope: Scope) -> Service:
    """What the year's contacts say about service."""
    window, rows = year(desk, scope), contacts(desk, scope)
    return desk.kept(f"service {window} {scope.attributes}", lambda: service(rows, window, desk.as_of))


def topics(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Contacts and complaints of the year by topic."""
    window, rows = year(desk, scope), contacts(desk, scope)
    return desk.kept(f"topics {window} {scope.attributes}", lambda: by_topic(rows, window))


def fates(desk: Desk, scope: Scope, days: int) -> pl.DataFrame:
    """Customers with a problem up to the scope's end, how it ended and whether they bought again."""
    end = year(desk, scope)[1]

    def made() -> pl.DataFrame:
        people = troubled(contacts(desk, scope), late(desk, scope), end, days)
        rows = order_rows(_marts(desk, scope)).filter(pl.col("orders") > 0)
        return bought_again(people, rows.filter(pl.col("ordered_on") <= end), days)

    return desk.kept(f"fates {days} {end} {scope.attributes}", made)


def outcomes(desk: Desk, scope: Scope, days: int) -> pl.DataFrame:
    """Share who bought again by outcome."""
    return desk.kept(
        f"outcomes {days} {year(desk, scope)[1]} {scope.attributes}",
        lambda: repurchase(fates(desk, scope, days)),
    )


def base(desk: Desk, scope: Scope) -> Base:
    """Who ordered in the year, who of them had a late delivery or complained, and who complained."""
    window = year(desk, scope)

    def made() -> Base:
        orders = order_rows(_marts(desk, scope)).filter(pl.col("orders") > 0)
        inside = pl.col("ordered_on").is_between(*window)
        active = set(orders.filter(inside)["customer"].drop_nulls().unique())
        spoke = contacts(desk, scope).filter(
            pl.col("occurred_on").is_between(*window), pl.col("kind").cast(pl.String) == "complaint"
        )
        complained = set(spoke["customer"].drop_nulls().unique()) & active
        orders_late = late(desk, scope)
        silent = (
            set()
            if orders_late is None
            else set(orders_late.filter(pl.col("on").is_between(*window))["customer"])
        )
        return Base(len(active), len((silent & active) | complained), len(complained))

    return desk.kept(f"trouble {window} {scope.attributes}", made)


def customers_of(desk: Desk, scope: Scope, days: int, outcome: str) -> pl.DataFrame:
    """The customers of an outcome, the latest problem first."""
    rows = fates(desk, scope, days).filter(outcome=outcome).drop("outcome")
    return with_ids(desk, rows.sort("on", "customer", descending=[True, False]))


def customers_again(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The year's first contacts after which the customer came back on the same matter."""
    window = year(desk, scope)
    rows = matters(contacts(desk, scope), desk.as_of).filter(
        pl.col("occurred_on").is_between(*window), pl.col("mature"), pl.col("again")
    )
    columns = ("customer", "occurred_on", "kind", "topic", "channel", "outcome")
    return with_ids(desk, rows.sort("occurred_on", descending=True).select(columns))


def needs_contacts(desk: Desk) -> None:
    """Raise Missing where no source gives contacts."""
    if "contacts" not in desk.whole.frames:
        fault = "no source gives `interactions`"
        raise Missing(fault)
