"""The questions of the retention page on lifecycle, survival, contracts, movements; the desk keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import polars as pl

from dashboard.desk import Desk
from dashboard.retention_data import with_ids
from dashboard.state import HISTORY, Scope
from metrics.event_times import Event, beginnings_facts, lives_until
from metrics.frames import Marts
from metrics.hazards import Hazards, hazards
from metrics.lapse import false_lapses, silent_at, stocks
from metrics.lifecycle import flows, states
from metrics.patterns import Windows, busiest, compared, movements
from metrics.periods import Grain, Window
from metrics.recurring import movements as contract_movements
from metrics.recurring import overlapping, renewals
from metrics.relations import PANEL, RELATIONS
from metrics.retention_shifts import shifts
from metrics.seasons import HISTORY_MONTHS, history_months, seasonal, standing_out
from metrics.standings import order_rows, rhythm_segments
from metrics.standings import standings as standings_of
from metrics.survival import life_table, log_rank

SEASON_BY: Final = "channel"
"""The attribute whose values have seasons of their own, where the data have it."""
LEVEL: Final = 0.05
_PANEL: Final = frozenset({"orders", "is_first", "active_before", "net_amount"})


def _panel(marts: Marts, grain: Grain) -> pl.LazyFrame:
    relation = RELATIONS[PANEL]
    last = marts.calendar.code(marts.as_of, grain)
    count = max(last - marts.since(relation, grain) + 1, 1)
    return marts.rows(relation, Window(grain, last, count), _PANEL, exact=frozenset()).lazy()


def lifecycle(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Flows of the periods up to the scope's, with what stood still: see `metrics.lifecycle.flows`."""
    marts = desk.marts(scope)
    begun = desk.calendar.code(desk.first_day, scope.grain)
    periods = range(max(scope.period - HISTORY[scope.grain] + 1, begun), scope.period + 1)

    def made() -> pl.DataFrame:
        moved = flows(_panel(marts, scope.grain), periods)
        still = stocks(order_rows(marts).lazy(), standings(desk, scope), desk.calendar, scope.grain, periods)
        return moved.join(still.drop("active"), on="period", how="left", maintain_order="left")

    return desk.kept(f"lifecycle {scope.grain} {scope.period} {scope.filters}", made)


def standings(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Where every customer stands on the as-of day: see `metrics.standings`."""
    marts = desk.marts(scope)
    return desk.kept(f"standing {scope.filters}", lambda: standings_of(marts))


def state_changes(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The state of every customer in the scope's period and the one before it: customer, before, now."""
    marts = desk.marts(scope)

    def made() -> pl.DataFrame:
        orders, now = order_rows(marts).lazy(), standings(desk, scope)
        ends = (
            min(desk.calendar.end(code, scope.grain), desk.as_of) for code in (scope.period - 1, scope.period)
        )
        before, after = (silent_at(orders, now, end).filter("lost")["customer"] for end in ends)
        return states(_panel(marts, scope.grain), scope.period, lost=(before, after))

    return desk.kept(f"states {scope.grain} {scope.period} {scope.filters}", made)


def back_test(desk: Desk, scope: Scope) -> pl.DataFrame:
    """How often the judgement of lapses was wrong: see `metrics.lapse.false_lapses`."""
    marts = desk.marts(scope)
    return desk.kept(
        f"back-test {scope.filters}",
        lambda: false_lapses(order_rows(marts).lazy(), desk.as_of, segment=rhythm_segments(desk.whole)),
    )


def months_lacking(desk: Desk) -> int:
    """How many months of history are missing before seasonal customers can be told; 0 when none."""
    orders = desk.whole.in_units("orders", ("ordered_on", "orders")).lazy()
    return desk.kept("months lacking", lambda: max(HISTORY_MONTHS - history_months(orders, desk.as_of), 0))


def moved_customers(desk: Desk, scope: Scope, before: str | None, now: str | None) -> pl.DataFrame:
    """The customers who went from one state to another, any where None, the most valuable first."""
    rows = state_changes(desk, scope)
    if before is not None:
        rows = rows.filter(pl.col("before") == before)
    if now is not None:
        rows = rows.filter(pl.col("now") == now)
    return _with_rhythm(desk, scope, rows)


def churned_customers(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Those who were active in the period before and are not in the scope's."""
    active = ("new", "retained", "reactivated")
    rows = state_changes(desk, scope)
    gone = rows.filter(pl.col("before").is_in(active), ~pl.col("now").is_in(active))
    return _with_rhythm(desk, scope, gone)


def due_customers(desk: Desk, scope: Scope, days: int = 30) -> pl.DataFrame:
    """Those who will count as lapsed within some days unless they order."""
    found = standings(desk, scope)
    until = desk.as_of + timedelta(days=days)
    due = found.filter(pl.col("lapses_on").is_between(desk.as_of, until, closed="right"))
    return _with_rhythm(desk, scope, due.select("customer"))


def seasonal_customers(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Those who buy in one season, with the day until which their clock runs."""
    found = standings(desk, scope).filter(pl.col("season").is_not_null())
    return _with_rhythm(desk, scope, found.select("customer"))


def _with_rhythm(desk: Desk, scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Customers with their all-time net amount and rhythm, the most valuable first."""
    people = desk.whole.frame("customer_summary")
    value = people["net_amount"].gather(rows["customer"]).alias("net_amount")
    last = people["last_order_on"].gather(rows["customer"]).alias("last_order_on")
    rhythm = standings(desk, scope).select(
        "customer", "gaps", "silent_days", "lapse_days", "lapses_on", "season", "lapsed"
    )
    whole = pl.col("lapse_days").floor().cast(pl.Int64)
    rhythm = rhythm.with_columns(whole)
    joined = rows.with_columns(last, value).join(rhythm, on="customer", how="left", maintain_order="left")
    return with_ids(desk, joined.sort("net_amount", "customer", descending=[True, False], nulls_last=True))


def survival(
    desk: Desk, scope: Scope, event: Event, by: str | None
) -> tuple[pl.DataFrame, Mapping[str, object]]:
    """Survival curves of the values of an attribute, largest groups first, with the log-rank test."""
    marts = desk.marts(scope)

    def made() -> tuple[pl.DataFrame, Mapping[str, object]]:
        lives = lives_until(marts, event)
        if by is None:
            return life_table(lives), {}
        people = desk.whole.frame("customer_summary")
        value = people[by].cast(pl.String).gather(lives["customer"]).alias("by")
        named = lives.with_columns(value).drop_nulls("by")
        return life_table(named, by="by"), log_rank(named, "by")

    return desk.kept(f"survival {event} {by} {scope.filters}", made)


def hazard_ratios(desk: Desk, scope: Scope, event: Event, columns: tuple[str, ...]) -> Hazards:
    """Cox's model of an event on customer attributes and on what the first order was like."""
    marts = desk.marts(scope)

    def made() -> Hazards:
        lives = lives_until(marts, event)
        people = desk.whole.frame("customer_summary")
        facts = lives.join(beginnings_facts(marts), on="customer", how="left", maintain_order="left")
        attributes = [people[name].gather(facts["customer"]) for name in columns if name in people.columns]
        return hazards(facts.with_columns(attributes), columns)

    return desk.kept(f"hazards {event} {columns} {scope.filters}", made)


def contracts(desk: Desk, scope: Scope) -> pl.DataFrame:
    """MRR movements between the ends of the periods up to the scope's. Raises Missing without contracts."""
    rows = contract_rows(desk, scope)
    first = rows["started_on"].min()
    begun = desk.calendar.code(first, scope.grain) if isinstance(first, date) else scope.period
    codes = range(max(scope.period - HISTORY[scope.grain], begun - 1), scope.period + 1)
    days = [min(desk.calendar.end(code, scope.grain), desk.as_of) for code in codes]
    question = f"contracts {scope.grain} {scope.period} {scope.filters}"
    return desk.kept(question, lambda: contract_movements(rows.lazy(), days))


def contract_rows(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The contracts of the scope's customers. Raises Missing without contracts."""
    columns = ("subscription_id", "plan", "started_on", "ended_on", "amount", "billing_period")
    return desk.marts(scope).rows(RELATIONS["subscriptions"], Window(), frozenset(columns))


def contract_overlaps(desk: Desk, scope: Scope) -> int:
    """How many customers have two contracts at once."""
    rows = contract_rows(desk, scope)
    return desk.kept(f"overlaps {scope.filters}", lambda: overlapping(rows.lazy()))


def contract_renewals(desk: Desk, scope: Scope, days: int = 365) -> pl.DataFrame:
    """Contracts that end or renew within some days after the as-of day, by that day."""
    rows = contract_rows(desk, scope)
    until = desk.as_of + timedelta(days=days)
    return desk.kept(f"renewals {days} {scope.filters}", lambda: renewals(rows.lazy(), desk.as_of, until))


def season_by(desk: Desk) -> str | None:
    """The attribute whose values have seasons of their own."""
    return SEASON_BY if SEASON_BY in desk.attributes else None


def busiest_windows(desk: Desk) -> Windows | None:
    """The middle window in which most customers rose and then fell; None where there is none."""
    return desk.kept("busiest", lambda: busiest(desk.whole, by=season_by(desk)))


def patterns(desk: Desk, scope: Scope, windows: Windows) -> tuple[pl.DataFrame, int]:
    """Who moved, seasonal customers left out, and how many were compared."""
    marts = desk.marts(scope)

    def made() -> tuple[pl.DataFrame, int]:
        found = movements(marts, windows, by=season_by(desk))
        seasons = standings(desk, scope).filter(pl.col("season").is_not_null()).select("customer")
        return found.join(seasons, on="customer", how="anti", maintain_order="left"), compared(
            marts, windows, by=season_by(desk)
        )

    return desk.kept(f"patterns {windows} {scope.filters}", made)


def seasons_that_stand_out(desk: Desk, scope: Scope) -> pl.DataFrame:
    """The months that stand out by their seasonal customers: see `metrics.seasons.standing_out`."""
    marts = desk.marts(scope)

    def made() -> pl.DataFrame:
        orders = order_rows(marts).lazy()
        found = standing_out(
            seasonal(orders, desk.as_of), orders, desk.as_of, segment=rhythm_segments(desk.whole)
        )
        return found.filter("stands_out")

    return desk.kept(f"seasons {scope.filters}", made)


def shift_period(desk: Desk, scope: Scope) -> tuple[Grain, int]:
    """The grain and the period up to which retention is compared: the last quarter that is over by then.

    Within a month most customers are only between two orders; a quarter tells who has left.
    """
    if scope.grain is Grain.YEAR:
        return scope.grain, scope.period
    end = min(desk.calendar.end(scope.period, scope.grain), desk.as_of)
    return Grain.QUARTER, desk.calendar.last_complete(Grain.QUARTER, end)


def retention_shifts(desk: Desk, scope: Scope) -> pl.DataFrame:
    """Where retention moved apart from that of the others: three quarters against the same ones last year.

    Values whose q-value is below one in twenty, the surest first.
    """
    grain, period = shift_period(desk, scope)
    count = 1 if grain is Grain.YEAR else 3
    back = period - desk.calendar.year_before(period, grain)
    question = f"shifts {grain} {period} {scope.filters}"

    def made() -> pl.DataFrame:
        found = shifts(desk.marts(scope), grain, period, list(desk.attributes), count=count, back=back)
        return found.filter(pl.col("q_value") < LEVEL)

    return desk.kept(question, made)
