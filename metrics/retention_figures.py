"""The figures of definitions that follow customers through time; who is behind: `metrics.retention_lists`."""

from dataclasses import replace
from datetime import date
from typing import Final, assert_never

import polars as pl

from metrics.beginnings import beginning
from metrics.cohort_values import acquisition_costs, valued
from metrics.event_times import lives_until
from metrics.frames import Marts
from metrics.intervals import wilson
from metrics.lapse import stocks
from metrics.lifecycle import flows
from metrics.lives import Events, kept_lives
from metrics.periods import Grain, Window
from metrics.points import Point, check_periods, nothing
from metrics.recurring import movements
from metrics.relations import PANEL, RELATIONS
from metrics.retention import Cohorts, cohort_table
from metrics.retention_definitions import (
    CohortRetention,
    Followed,
    Lifecycle,
    RevenueRetention,
    Survival,
)
from metrics.standings import order_rows, standings
from metrics.survival import life_table, median_survival, restricted_mean, survival_at
from metrics.tallies import kept_tally

NO_COHORT: Final = "no cohort's period closes in this period"
NOT_PAID_BACK: Final = "not paid back by the end of age {age}"
NOBODY_BEGAN: Final = "nobody began in this period"
NOT_LONG_ENOUGH: Final = "nobody has been followed for {days} days yet"
HALF_WAITS: Final = "fewer than half have met it so far"
NO_CONTRACTS: Final = "nobody was under contract at the start"
NOBODY: Final = "nobody was active in the period"
NOBODY_LEFT: Final = "nobody left, so there is nothing to divide by"


def followed(definition: Followed, marts: Marts, window: Window) -> dict[int, Point]:
    """The figures of a definition by period. Raises Missing where a source is lacking."""
    match definition:
        case CohortRetention():
            return _cohorts(definition, marts, window)
        case Lifecycle():
            return _lifecycle(definition, marts, window)
        case Survival():
            return _survival(definition, marts, window)
        case RevenueRetention():
            return _revenue(definition, marts, window)
        case _:
            assert_never(definition)


def cohorts_of(definition: CohortRetention, window: Window) -> Cohorts:
    """The cohorts that a definition counts, for a window of some grain."""
    grain = Grain(definition.grain) if definition.grain else window.grain
    events = Events(definition.start, definition.back, definition.start_category, definition.back_category)
    bracket = () if definition.until_age is None else ((definition.age, definition.until_age),)
    return Cohorts(
        Grain.MONTH if grain is Grain.ALL else grain,
        events,
        definition.window,
        definition.returns,
        bracket,
        definition.base,
    )


def cohort_lives(marts: Marts, cohorts: Cohorts) -> pl.DataFrame:
    """The lives that some cohorts count."""
    return kept_lives(marts, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)


def closing_cells(definition: CohortRetention, marts: Marts, window: Window) -> pl.DataFrame:
    """The cells of the definition's age that are over, with the period in which each closed."""
    cohorts = cohorts_of(definition, window)
    until = beginning(marts, cohorts.grain).until if definition.start.endswith("order") else None
    tallied = kept_tally(marts, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)
    table = valued(cohort_table(tallied, cohorts, marts.calendar, marts.as_of, history_from=until))
    first = table.filter(pl.col("age") == 0).select("cohort", first_amount=pl.col("revenue"))
    closed = table.filter(pl.col("age") == definition.age, pl.col("complete")).join(
        first, on="cohort", how="left"
    )
    if definition.is_of_spend:
        spent = acquisition_costs(marts, cohorts.grain).rename({"period": "cohort"})
        so_far = table.filter(pl.col("age") <= definition.age).group_by("cohort", maintain_order=True)
        closed = closed.join(spent, on="cohort").join(so_far.agg(margins="margin"), on="cohort")
    period = marts.calendar.codes(pl.col("closes_on"), window.grain)
    return closed.with_columns(period=period)


_QUOTIENTS: Final = {
    "rate": ("active", "base"),
    "customers": ("active", None),
    "net_retention": ("revenue", "first_amount"),
    "revenue": ("revenue", None),
    "orders_per_customer": ("orders", "size"),
    "margin": ("margin", None),
    "customer_value": ("margin", "size"),
    "paid_back": ("margin", "spent"),
    "payback_age": ("margin", "spent"),
}


def _cohorts(definition: CohortRetention, marts: Marts, window: Window) -> dict[int, Point]:
    check_periods(window)
    rows = closing_cells(definition, marts, window)
    above, below = _QUOTIENTS[definition.value]
    found = nothing(window, NO_COHORT)
    for (period,), part in rows.partition_by("period", as_dict=True).items():
        young = int(part.filter("young_history")["size"].sum())
        found[int(period)] = replace(
            _quotient(definition, part.filter(~pl.col("young_history")), above, below), excluded=young
        )
    return found


def _quotient(definition: CohortRetention, part: pl.DataFrame, above: str, below: str | None) -> Point:
    n = int(part["base" if definition.value == "rate" else "size"].sum() or 0)
    if part.is_empty():
        return Point(None, 0, reason="only cohorts that may hold old customers")
    if definition.value == "payback_age":
        return _payback(definition, part, n)
    top = float(part[above].sum())
    if below is None:
        return Point(top, n)
    bottom = float(part[below].sum() or 0)
    if bottom <= 0:
        return Point(None, n, reason="nobody to come back" if below == "base" else "nothing to divide by")
    if definition.mean == "simple":
        return Point(float((part["active"] / part["base"]).mean() or 0.0), n)  # type: ignore[arg-type]  # a number
    if definition.value != "rate" or definition.base == "previous":
        return Point(top / bottom, n)
    lower, upper = wilson([top], [bottom])
    return Point(top / bottom, n, float(lower[0]), float(upper[0]), "wilson")


def _payback(definition: CohortRetention, part: pl.DataFrame, n: int) -> Point:
    """The first age at which the margin to date of all these cohorts covers what they cost."""
    margins = (sum(each) for each in zip(*part["margins"], strict=True))
    spent = part["spent"].sum()
    for age, margin in enumerate(margins):
        if margin >= spent:
            return Point(float(age), n)
    return Point(None, n, reason=NOT_PAID_BACK.format(age=definition.age))


def panel_until(marts: Marts, window: Window) -> pl.LazyFrame:
    """The panel of the window's periods and all before them."""
    first = marts.since(RELATIONS[PANEL], window.grain)
    whole = Window(window.grain, window.last, max(window.last - first + 1, window.count + 1))
    columns = frozenset({"orders", "is_first", "active_before"})
    return marts.rows(RELATIONS[PANEL], whole, columns, exact=frozenset()).lazy()


def _lifecycle(definition: Lifecycle, marts: Marts, window: Window) -> dict[int, Point]:
    check_periods(window, all_time=False)
    if definition.value in ("dormant", "lost", "lost_share"):
        return _silent(definition, marts, window)
    table = flows(panel_until(marts, window), window.periods)
    found = {}
    for row in table.iter_rows(named=True):
        value = row[definition.value]
        reason = NOBODY_LEFT if definition.value == "quick_ratio" else NOBODY
        found[row["period"]] = Point(None if value is None else float(value), row["active"], reason=reason)
    return found


def judged_by(definition: Lifecycle, marts: Marts) -> pl.DataFrame:
    """Where every customer stands by the definition's rhythm."""
    return standings(
        marts,
        quantile=definition.quantile,
        min_gaps=definition.min_gaps,
        rhythm_of=definition.rhythm_of,
    )


def _silent(definition: Lifecycle, marts: Marts, window: Window) -> dict[int, Point]:
    orders, judged = order_rows(marts).lazy(), judged_by(definition, marts)
    table = stocks(orders, judged, marts.calendar, window.grain, list(window.periods))
    found = {}
    for row in table.iter_rows(named=True):
        ever = row["active"] + row["dormant"] + row["lost"]
        if definition.value != "lost_share":
            found[row["period"]] = Point(float(row[definition.value]), ever)
        elif ever:
            lower, upper = wilson([row["lost"]], [ever])
            bounds = float(lower[0]), float(upper[0])
            found[row["period"]] = Point(row["lost"] / ever, ever, *bounds, "wilson")
        else:
            found[row["period"]] = Point(None, 0, reason="nobody had ordered by then")
    return found


def begun(definition: Survival, marts: Marts, window: Window) -> pl.DataFrame:
    """The lives of those who began in the window, with the period."""
    check_periods(window)
    every = lives_until(marts, definition.event)
    return every.with_columns(period=marts.calendar.codes(pl.col("began_on"), window.grain))


def _survival(definition: Survival, marts: Marts, window: Window) -> dict[int, Point]:
    parts = begun(definition, marts, window).partition_by("period", as_dict=True)
    return {
        code: _waited(definition, parts[(code,)]) if (code,) in parts else Point(None, 0, reason=NOBODY_BEGAN)
        for code in window.periods
    }


def _waited(definition: Survival, ours: pl.DataFrame) -> Point:
    table, n = life_table(ours), len(ours)
    if definition.value == "median_days":
        return Point(median_survival(table), n, reason=HALF_WAITS)
    if int(ours["duration"].to_numpy().max()) < definition.days and survival_at(table, definition.days) != 0:
        return Point(None, n, reason=NOT_LONG_ENOUGH.format(days=definition.days))
    if definition.value == "mean_days":
        return Point(restricted_mean(table, definition.days), n)
    last = table.filter(pl.col("duration") <= definition.days).tail(1)
    share = survival_at(table, definition.days)
    lower, upper = (last[name][0] if len(last) else None for name in ("lower", "upper"))
    if definition.value == "waiting" or share is None:
        return Point(share, n, lower, upper, "greenwood")
    return Point(1 - share, n, _flipped(upper), _flipped(lower), "greenwood")


def _flipped(bound: float | None) -> float | None:
    return None if bound is None else 1 - bound


def compared_days(definition: RevenueRetention, marts: Marts, code: int, grain: Grain) -> tuple[date, date]:
    """The days at whose ends revenue is compared."""
    calendar = marts.calendar
    return (
        calendar.end(code - definition.periods, grain),
        min(calendar.end(code, grain), marts.as_of),
    )


def contracts_of(marts: Marts) -> pl.LazyFrame:
    """The contracts of the selected customers."""
    columns = frozenset({"subscription_id", "started_on", "ended_on", "amount", "billing_period"})
    return marts.rows(RELATIONS["subscriptions"], Window(), columns).lazy()


_MOVED: Final = {"net_retention": "nrr", "gross_retention": "grr", "logo_churn": "logo_churn", "mrr": "end"}


def _revenue(definition: RevenueRetention, marts: Marts, window: Window) -> dict[int, Point]:
    check_periods(window, all_time=False)
    contracts = contracts_of(marts)
    found = {}
    for code in window.periods:
        start, end = compared_days(definition, marts, code, window.grain)
        if end <= start:
            found[code] = Point(None, 0, reason="the period has not begun")
            continue
        found[code] = _kept(definition, movements(contracts, [start, end]).row(0, named=True))
    return found


def _kept(definition: RevenueRetention, row: dict[str, float]) -> Point:
    n = int(row["start_n"])
    if definition.value == "mrr":
        return Point(float(row["end"]), int(row["end_n"]))
    if not n:
        return Point(None, 0, reason=NO_CONTRACTS)
    churn, lower, upper = (row[f"logo_churn{end}"] for end in ("", "_lower", "_upper"))
    if definition.value == "logo_churn":
        return Point(churn, n, lower, upper, "wilson")
    if definition.value == "logo_retention":
        return Point(1 - churn, n, 1 - upper, 1 - lower, "wilson")
    value = row[_MOVED[definition.value]]
    return Point(None if value is None else float(value), n, reason=NO_CONTRACTS)
