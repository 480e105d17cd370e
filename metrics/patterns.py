"""Movement patterns: customers whose rate of ordering rose, fell, rose and fell, or fell and recovered.

Three windows are compared: before, during and after. A customer won from a rival for a while orders more in
the middle one and less after it. Orders are counts, so rates are compared exactly: given the orders of both
windows, those of one are binomial with its share of time (Przyborowski and Wilenski 1940). Time is counted in
the season's own measure, taken from the same weeks of last year, and the customers listed are those who
stand out of all of them (Benjamini and Hochberg).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from metrics.frames import Marts
from metrics.money import amounts
from metrics.multiple import benjamini_hochberg

Pattern = Literal["risen_then_fallen", "fallen_then_recovered", "rising", "falling"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PATTERNS: Final[tuple[Pattern, ...]] = ("risen_then_fallen", "fallen_then_recovered", "rising", "falling")
LEAST_ORDERS: Final = 4
"""Fewer order days than this in the three windows cannot show a change."""
LEAST_SHARE: Final = 0.25
"""The part of the first window for which a customer must have been there."""
_ORDERS: Final = ("customer", "ordered_on", "order_days", "net_amount", "margin")
YEAR: Final = 364
"""The days to the same weekday of last year."""
_SMOOTH: Final = 3


@dataclass(frozen=True)
class Windows:
    """Three stretches of days, each first to last, one after the other."""

    before: tuple[date, date]
    during: tuple[date, date]
    after: tuple[date, date]

    @classmethod
    def around(cls, first: date, last: date, as_of: date, *, most: int = 182) -> "Windows":
        """The windows beside a middle one: as far as the as-of day, and `most` days at most.

        >>> Windows.around(date(2026, 2, 1), date(2026, 4, 30), date(2026, 6, 30)).after
        (datetime.date(2026, 5, 1), datetime.date(2026, 6, 30))
        """
        day = timedelta(days=1)
        return cls(
            (first - most * day, first - day),
            (first, last),
            (last + day, min(last + most * day, as_of)),
        )

    @property
    def spans(self) -> tuple[tuple[date, date], ...]:
        """The three in order."""
        return self.before, self.during, self.after


def movements(marts: Marts, windows: Windows, *, by: str | None = None, level: float = 0.05) -> pl.DataFrame:
    """The customers who moved, each in the pattern that it shows, the most at stake first.

    One row a customer: customer, pattern, orders_before, _during, _after (order days), rate_before, _during,
    _after (a year, the season taken out), ratio (of the pattern's last step) with ratio_lower and ratio_upper
    (exact, 95 %), p_value, q_value (Benjamini and Hochberg over the customers compared), amount_before,
    _during, _after (margin, or net amount where no source gives a cost; exact), value_at_stake (see `stake`).

    `by`: a customer attribute, such as the channel, whose values have seasons of their own. A pattern of two
    steps needs both: its p-value is the larger one. A customer is listed under the first of PATTERNS for
    which q is at most `level`.
    """
    counted = _counted(marts, windows, by)
    if counted.is_empty():
        return _empty()
    tested = counted.with_columns(_p_values(counted))
    found = tested.with_columns(
        benjamini_hochberg(pl.col(f"p_{name}")).alias(f"q_{name}") for name in PATTERNS
    )
    chosen = pl.coalesce(pl.when(pl.col(f"q_{name}") <= level).then(pl.lit(name)) for name in PATTERNS)
    moved = found.with_columns(pattern=chosen).filter(pl.col("pattern").is_not_null())
    return _described(moved, windows)


def compared(marts: Marts, windows: Windows, *, by: str | None = None) -> int:
    """How many customers are compared."""
    return len(_counted(marts, windows, by))


_COUNTS: Final = ("orders_before", "orders_during", "orders_after")
_TIMES: Final = ("time_before", "time_during", "time_after")
_AMOUNTS: Final = ("amount_before", "amount_during", "amount_after")


def _counted(marts: Marts, windows: Windows, by: str | None) -> pl.DataFrame:
    """Order days, time and money by customer and window, of those who were there and ordered enough."""
    orders = marts.in_units("orders", _ORDERS)
    known = orders.filter(pl.col("customer").is_not_null())
    if marts.mask is not None:
        known = known.filter(marts.mask.gather(known["customer"]).fill_null(value=False))
    people = marts.frame("customer_summary")
    first = people["first_order_on"].to_physical().cast(pl.Int64)
    clock = season_clock(marts, by)
    money = "margin" if known["margin"].count() else "net_amount"
    days = known["ordered_on"].to_physical().cast(pl.Int64).to_numpy()
    numbers = known["customer"].to_numpy()
    bought = (known["order_days"] > 0).to_numpy() & (days > first.fill_null(0).to_numpy()[numbers])
    columns: dict[str, NDArray[np.generic]] = {}
    for count, time, amount, span in zip(_COUNTS, _TIMES, _AMOUNTS, windows.spans, strict=True):
        start, end = (_number(day) for day in span)
        inside = (days >= start) & (days <= end)
        columns[count] = np.bincount(numbers[inside & bought], minlength=len(people))
        columns[time] = clock.between(np.maximum(start, first.fill_null(end + 1).to_numpy() + 1), end)
        columns[amount] = _summed(numbers[inside], known[money].fill_null(0).to_numpy()[inside], len(people))
    table = pl.DataFrame(columns).with_row_index("customer")
    whole = clock.between(np.full(len(people), _number(windows.before[0])), _number(windows.before[1]))
    there = pl.col("time_before") >= LEAST_SHARE * pl.Series(whole)
    enough = pl.sum_horizontal(_COUNTS) >= LEAST_ORDERS
    return table.filter(there & enough & (pl.col("time_after") > 0) & (pl.col("time_during") > 0))


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _summed(numbers: NDArray[np.uint32], units: Ints, size: int) -> Ints:
    """Exact sums of units by customer; `bincount` adds floats, which hold whole numbers up to 2 ** 53."""
    return np.rint(np.bincount(numbers, weights=units, minlength=size)).astype(np.int64)


@dataclass(frozen=True)
class Clock:
    """Time in the season's measure: a day in a busy week counts for more than one in a quiet one.

    `elapsed` has a row a group and a column a day since `first`: the time up to the end of the day before.
    """

    first: int
    elapsed: Floats
    group: NDArray[np.intp]

    def between(self, start: Ints, end: int) -> Floats:
        """By customer, the time from a day to another, both counted; 0 where the first is after the last."""
        last = self.elapsed.shape[1] - 1
        until = self.elapsed[self.group, min(max(end - self.first + 1, 0), last)]
        since = self.elapsed[self.group, np.clip(start - self.first, 0, last)]
        return np.asarray(np.maximum(until - since, 0.0), dtype=np.float64)


def season_clock(marts: Marts, by: str | None = None) -> Clock:
    """The season of each value of an attribute, from the same weeks of last year.

    A day counts as the orders of the three weeks around the same weekday of last year over the mean of the
    year around that day, which takes the trend out (where less than half a year follows, the ratio of the
    year before serves). It counts as 1 where no year lies before, or a group has under 20 orders a week.
    """
    rows = marts.in_units("orders", _ORDERS)
    orders = rows.filter(pl.col("order_days") > 0, pl.col("customer").is_not_null())
    people = marts.frame("customer_summary")
    group = _groups(people, by)
    days = orders["ordered_on"].to_physical().cast(pl.Int64).to_numpy()
    first, last = (int(days.min()), _number(marts.as_of)) if len(days) else (0, 0)
    size = last - first + 1
    whole = group[orders["customer"].to_numpy()] * size + days - first
    daily = np.bincount(whole, minlength=(int(group.max(initial=0)) + 1) * size).reshape(-1, size)
    weights = np.stack([_season(row.astype(np.float64)) for row in daily])
    elapsed = np.concatenate([np.zeros((len(weights), 1)), weights.cumsum(axis=1)], axis=1)
    return Clock(first, elapsed, group)


def _groups(people: pl.DataFrame, by: str | None) -> NDArray[np.intp]:
    """By customer, the number of the value of an attribute; unknown ones are a group of their own."""
    if by is None:
        return np.zeros(len(people), dtype=np.intp)
    ranks = people[by].cast(pl.String).fill_null("").rank("dense").to_numpy()
    return ranks.astype(np.intp) - 1


def _season(daily: Floats) -> Floats:
    """The weight of each day, from the year before it."""
    size = len(daily)
    weights = np.ones(size)
    if size <= YEAR:
        return weights
    smooth = np.convolve(daily, np.full(7 * _SMOOTH, 1 / (7 * _SMOOTH)), mode="same")
    level = np.convolve(daily, np.full(YEAR, 1 / YEAR), mode="same")
    half = YEAR // 2
    known = (level * 7 >= 20) & (np.arange(size) >= half) & (np.arange(size) < size - half)
    ratio = np.divide(smooth, level, out=np.ones(size), where=known)
    filled = _seasons_of_edges(ratio, known)
    weights[YEAR:] = filled[:-YEAR]
    return weights


def _seasons_of_edges(ratio: Floats, known: NDArray[np.bool_]) -> Floats:
    """The ratio to the centred yearly mean; where that mean does not reach, that of a year beside."""
    filled = np.where(known, ratio, np.nan)
    for shift in (YEAR, -YEAR):
        moved = np.full(len(ratio), np.nan)
        if shift > 0:
            moved[shift:] = filled[:-shift] if len(ratio) > shift else moved[shift:]
        else:
            moved[:shift] = filled[-shift:] if len(ratio) > -shift else moved[:shift]
        filled = np.where(np.isnan(filled), moved, filled)
    return np.where(np.isnan(filled), 1.0, filled)


def _p_values(counted: pl.DataFrame) -> list[pl.Series]:
    """One-sided p-values of each pattern; of two steps the larger."""
    k1, k2, k3 = (counted[name].to_numpy().astype(np.float64) for name in _COUNTS)
    t1, t2, t3 = (counted[name].to_numpy() for name in _TIMES)
    up, down = _more(k1, k2, t1, t2), _fewer(k1, k2, t1, t2)
    then_up, then_down = _more(k2, k3, t2, t3), _fewer(k2, k3, t2, t3)
    values = {
        "risen_then_fallen": np.maximum(up, then_down),
        "fallen_then_recovered": np.maximum(down, then_up),
        "rising": _more(k1, k2 + k3, t1, t2 + t3),
        "falling": _fewer(k1 + k2, k3, t1 + t2, t3),
    }
    return [pl.Series(f"p_{name}", value) for name, value in values.items()]


def _more(k1: Floats, k2: Floats, t1: Floats, t2: Floats) -> Floats:
    """The chance of at least `k2` of the orders in the second window if the rates are equal."""
    tail = betainc(np.maximum(k2, 1), k1 + 1, t2 / (t1 + t2))
    return np.where(k2 > 0, tail, 1.0)


def _fewer(k1: Floats, k2: Floats, t1: Floats, t2: Floats) -> Floats:
    """The chance of at most `k2` of the orders in the second window if the rates are equal."""
    return _more(k2, k1, t2, t1)


def rate_ratio(
    k1: Floats, k2: Floats, t1: Floats, t2: Floats, level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """The second rate over the first with its exact interval (Clopper and Pearson on the share of orders).

    Without orders in the first window the ratio and its upper bound are infinite.
    """
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(k2 > 0, betaincinv(np.maximum(k2, 1e-9), k1 + 1, tail), 0.0)
        high = np.where(k1 > 0, betaincinv(k2 + 1, np.maximum(k1, 1e-9), 1 - tail), 1.0)
        ratio = (k2 / t2) / (k1 / t1)
        return ratio, *(share / (1 - share) * t1 / t2 for share in (low, high))


_STEPS: Final[Mapping[Pattern, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "risen_then_fallen": ((1,), (2,)),
    "fallen_then_recovered": ((0,), (1,)),
    "rising": ((0,), (1, 2)),
    "falling": ((0, 1), (2,)),
}
"""Which windows the value at stake compares: from these to those (0 before, 1 during, 2 after)."""


def _described(moved: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """The moved customers with rates a year, ratio and value at stake."""
    parts = [_of_pattern(moved.filter(pl.col("pattern") == name), name, windows) for name in PATTERNS]
    rates = [
        (pl.col(count) / pl.col(time) * 365).alias(count.replace("orders", "rate"))
        for count, time in zip(_COUNTS, _TIMES, strict=True)
    ]
    named = pl.concat(parts).with_columns(*rates, *(amounts(pl.col(name)) for name in _AMOUNTS))
    return named.sort("value_at_stake", "customer", descending=[True, False]).select(_empty().columns)


def _of_pattern(rows: pl.DataFrame, pattern: Pattern, windows: Windows) -> pl.DataFrame:
    first, second = _STEPS[pattern]
    k1, t1 = (_total(rows, names, first) for names in (_COUNTS, _TIMES))
    k2, t2 = (_total(rows, names, second) for names in (_COUNTS, _TIMES))
    ratio, lower, upper = rate_ratio(k1, k2, t1, t2)
    return rows.with_columns(
        pl.Series("ratio", ratio, pl.Float64),
        pl.Series("ratio_lower", lower, pl.Float64),
        pl.Series("ratio_upper", upper, pl.Float64),
        pl.col(f"p_{pattern}").alias("p_value"),
        pl.col(f"q_{pattern}").alias("q_value"),
        pl.Series("value_at_stake", stake(rows, pattern), pl.Float64),
    )


def _total(rows: pl.DataFrame, names: tuple[str, ...], which: tuple[int, ...]) -> Floats:
    sums = pl.sum_horizontal(pl.col(names[at]).cast(pl.Float64) for at in which)
    return np.asarray(rows.select(sums).to_series().to_numpy(), dtype=np.float64)


def stake(rows: pl.DataFrame, pattern: Pattern) -> Floats:
    """Money a year between the two levels of a pattern, in whole currency.

    What was earned a year at the one level less what is at the other: lost by those who fell, won by those
    who rose. Time is in the season's measure, so that a December does not count for twelve.
    """
    first, second = _STEPS[pattern]
    earned = [
        _total(rows, _AMOUNTS, which) / 10_000 / _total(rows, _TIMES, which) * 365
        for which in (first, second)
    ]
    return np.abs(earned[0] - earned[1])


def _empty() -> pl.DataFrame:
    numbers = ("rate_before", "rate_during", "rate_after", "ratio", "ratio_lower", "ratio_upper")
    return pl.DataFrame(
        schema={
            "customer": pl.UInt32,
            "pattern": pl.String,
            **dict.fromkeys(_COUNTS, pl.Int64),
            **dict.fromkeys(numbers, pl.Float64),
            **dict.fromkeys(("p_value", "q_value"), pl.Float64),
            **dict.fromkeys(_AMOUNTS, pl.Decimal(18, 4)),
            "value_at_stake": pl.Float64,
        }
    )


def busiest(marts: Marts, *, days: int = 84, step: int = 28, by: str | None = None) -> Windows | None:
    """The middle window in which most customers rose and then fell; None where none stands out.

    Windows of `days` are tried every `step` days over the last eighteen months, each with half a year before
    it and eight weeks at least after it.
    """
    best: tuple[int, Windows] | None = None
    for back in range(56 + days, 546, step):
        first = marts.as_of - timedelta(days=back - 1)
        windows = Windows.around(first, first + timedelta(days=days - 1), marts.as_of)
        found = movements(marts, windows, by=by)
        count = found.filter(pl.col("pattern") == "risen_then_fallen").height
        if count > (best[0] if best else 0):
            best = (count, windows)
    return best[1] if best else None
