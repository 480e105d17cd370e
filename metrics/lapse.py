"""When silence means that a customer has left, judged from the customer's own rhythm, and how often wrongly.

Nobody says goodbye outside a contract. One number of days for all calls weekly buyers loyal for months after
they left, and yearly ones lost while they wait; so each is judged by the gaps between the own orders, those
who buy in one season only by the season, and a back-test says how often the judgement was wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.periods import Calendar, Grain
from metrics.seasons import seasonal
from metrics.survival import life_table

QUANTILE: Final = 0.9
MIN_GAPS: Final = 3
HORIZONS: Final = (90, 365)
_HALF: Final = 5
"""Gaps of one's own that weigh as much as the segment's rhythm."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Days:
    """The different order days of known customers in order, and where each customer's begin."""

    customer: Ints
    day: Ints
    first: Ints

    @property
    def customers(self) -> Ints:
        """Each customer once."""
        return self.customer[self.first]

    @property
    def count(self) -> Ints:
        """Order days by customer."""
        return np.diff(self.first, append=len(self.day))

    @property
    def is_later(self) -> NDArray[np.bool_]:
        """Whether each day follows another one of its customer, so that a gap ends with it."""
        later = np.ones(len(self.day), dtype=np.bool_)
        later[self.first] = False
        return later

    @property
    def last(self) -> Ints:
        """Each customer's last order day."""
        last: Ints = self.day[self.first + self.count - 1]
        return last


def _days(orders: pl.LazyFrame, as_of: date) -> _Days:
    rows = (
        orders.filter(pl.col("orders") > 0, pl.col("customer").is_not_null(), pl.col("ordered_on") <= as_of)
        .select(pl.col("customer").cast(pl.Int64), pl.col("ordered_on").to_physical().cast(pl.Int64))
        .collect()
    )
    packed = (rows["customer"].to_numpy() << 24) + rows["ordered_on"].to_numpy() + (1 << 23)
    if (np.diff(packed) < 0).any():
        packed = np.sort(packed)
    packed = packed[np.diff(packed, prepend=-1) != 0]
    customer = packed >> 24
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    return _Days(customer, (packed & ((1 << 24) - 1)) - (1 << 23), first)


def gaps(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Days between a customer's order days, and the open one from the last to the as-of day.

    Orders of one day are one. One row a gap: customer, gap (days), observed (False for the open one),
    sorted by customer and day. Unknown customers have none.
    """
    days = _days(orders, as_of)
    following = np.append(days.day[1:], 0)
    open_ = np.zeros(len(days.day), dtype=np.bool_)
    open_[days.first + days.count - 1] = True
    gap = np.where(open_, _number(as_of), following) - days.day
    return pl.DataFrame({"customer": days.customer.astype(np.uint32), "gap": gap, "observed": ~open_})


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def lapse_days(
    orders: pl.LazyFrame,
    as_of: date,
    *,
    quantile: float = QUANTILE,
    min_gaps: int = MIN_GAPS,
    segment: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """After how many silent days each customer counts as lapsed, and whether that has happened.

    A customer's own rhythm is the `quantile` of the gaps between order days, the open gap counted as censored
    (Kaplan-Meier; gaps that are over are too short a sample); where the curve does not fall that far, the
    longest gap. It is drawn towards the rhythm of the segment (all of its gaps that are over, the same
    quantile) on the scale of logarithms, by `own gaps / (own gaps + 5)`; with fewer than `min_gaps` gaps the
    segment's counts alone. `segment`: customer, segment (one for all when left out).

    One row a customer with an order, sorted: customer, gaps, silent_days, own_days, segment_days, lapse_days,
    lapsed. `lapse_days` is null where the segment has no gap at all.
    """
    days = _days(orders, as_of)
    silent = _number(as_of) - days.last
    count = days.count - 1
    own = _own_rhythm(days, silent, quantile)
    usual = _segment_rhythm(days, segment, quantile)
    trust = count / (count + _HALF)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Of two equal rhythms the mean is that rhythm: a customer is not lost by the last digit of a float.
        drawn = np.exp(trust * np.log(own) + (1 - trust) * np.log(usual)).round(9)
    judged = np.where(count >= min_gaps, drawn, usual)
    table = pl.DataFrame(
        {
            "customer": days.customers.astype(np.uint32),
            "gaps": count,
            "silent_days": silent,
            "own_days": own,
            "segment_days": usual,
            "lapse_days": judged,
        }
    )
    known = table.with_columns(pl.col("own_days", "segment_days", "lapse_days").fill_nan(None))
    return known.with_columns(lapsed=pl.col("silent_days") > pl.col("lapse_days"))


def _own_rhythm(days: _Days, silent: Ints, quantile: float) -> Floats:
    """The quantile of each customer's gaps by Kaplan-Meier with one censored life; NaN without a gap.

    In closed form: of m gaps that are over, j are at most t. With the open gap not shorter than t,
    S(t) = 1 - j / (m + 1); once the open gap has left the risk set after its j0 shorter gaps, each further
    gap takes 1 / (m - j0) of what was left.
    """
    own = np.full(len(days.first), np.nan)
    inner = days.is_later
    owner = np.repeat(np.arange(len(days.first)), days.count)[inner]
    if not len(owner):
        return own
    gap = np.diff(days.day, prepend=0)[inner]
    packed = np.sort((owner << 24) + gap)
    owner, gap = packed >> 24, packed & ((1 << 24) - 1)
    at = np.flatnonzero(np.diff(owner, prepend=-1))
    m = np.diff(at, append=len(gap))
    j = np.arange(len(gap)) - np.repeat(at, m) + 1
    shorter = np.repeat(np.add.reduceat((gap <= silent[owner]).astype(np.int64), at), m)
    each = np.repeat(m, m)
    after = (1 - shorter / (each + 1)) * (each - j) / np.maximum(each - shorter, 1)
    survival = np.where(j <= shorter, 1 - j / (each + 1), after)
    longest = gap[at + m - 1]
    reached = np.minimum.reduceat(np.where(survival <= 1 - quantile + 1e-12, gap, np.iinfo(np.int64).max), at)
    own[owner[at]] = np.minimum(reached, longest)
    return own


def _segment_rhythm(days: _Days, segment: pl.DataFrame | None, quantile: float) -> Floats:
    """By customer, the quantile of all gaps of the segment that are over; NaN where it has none."""
    inner = days.is_later
    gap = np.diff(days.day, prepend=0)[inner]
    codes = _segment_codes(days, segment)
    theirs = np.repeat(codes, days.count)[inner]
    usual = np.full(int(codes.max(initial=0)) + 1, np.nan)
    for code in np.unique(theirs):
        usual[code] = np.quantile(gap[theirs == code], quantile, method="higher")
    return np.asarray(usual[codes], dtype=np.float64)


def _segment_codes(days: _Days, segment: pl.DataFrame | None) -> Ints:
    """A number for the segment of each customer; those without one are a segment of their own."""
    if segment is None:
        return np.zeros(len(days.first), dtype=np.int64)
    theirs = segment.select("customer", code=pl.col("segment").cast(pl.Categorical).to_physical())
    ours = pl.DataFrame({"customer": days.customers.astype(np.uint32)})
    found = ours.join(theirs, on="customer", how="left", maintain_order="left")["code"].cast(pl.Int64)
    return (found + 1).fill_null(0).to_numpy()


def standing(
    orders: pl.LazyFrame,
    as_of: date,
    *,
    quantile: float = QUANTILE,
    min_gaps: int = MIN_GAPS,
    segment: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Where every customer stands on a day: `lapse_days`, with the season in place of it where there is one.

    The columns of `lapse_days`, then season and clock_until (of seasonal customers), lapses_on (the day on
    which the customer counts as lapsed if silent until then), and lapsed as the season has it.
    """
    judged = lapse_days(orders, as_of, quantile=quantile, min_gaps=min_gaps, segment=segment)
    joined = judged.join(
        seasonal(orders, as_of).select("customer", "season", "clock_until"),
        on="customer",
        how="left",
        maintain_order="left",
    )
    left = (pl.col("lapse_days").floor() + 1 - pl.col("silent_days")).cast(pl.Int64)
    rhythm = pl.lit(as_of) + pl.duration(days=left)
    ends = pl.when(pl.col("clock_until").is_not_null()).then(pl.col("clock_until").dt.offset_by("1d"))
    dated = joined.with_columns(lapses_on=ends.otherwise(rhythm))
    return dated.with_columns(lapsed=pl.col("lapses_on") <= as_of)


def silent_at(orders: pl.LazyFrame, standings: pl.DataFrame, day: date) -> pl.DataFrame:
    """Who was silent at the end of a day, and whether longer than the customer's rhythm allows.

    The rhythms are those of `standing`, as known today. One row a customer who had ordered by then: customer,
    silent_days, lost. Seasonal customers are lost a year and two months after their last order.
    """
    days = _days(orders, day)
    silent = _number(day) - days.last
    ours = pl.DataFrame({"customer": days.customers.astype(np.uint32), "silent_days": silent})
    known = ours.join(standings, on="customer", how="left", maintain_order="left", suffix="_now")
    allowed = pl.when(pl.col("season").is_not_null()).then(425.0).otherwise(pl.col("lapse_days"))
    lost = (pl.col("silent_days") > allowed).fill_null(value=False)
    return known.select("customer", "silent_days", lost=lost)


def stocks(
    orders: pl.LazyFrame, standings: pl.DataFrame, calendar: Calendar, grain: Grain, periods: Sequence[int]
) -> pl.DataFrame:
    """How many customers were active in a period, silent at its end within their rhythm, and lost.

    One row a period in order: period, active, dormant, lost; together all who had ever ordered by then.
    """
    rows = []
    for code in periods:
        found = silent_at(orders, standings, calendar.end(code, grain))
        length = (calendar.end(code, grain) - calendar.start(code, grain)).days + 1
        active = found["silent_days"] < length
        rows.append(
            {
                "period": code,
                "active": int(active.sum()),
                "dormant": int((~active & ~found["lost"]).sum()),
                "lost": int((~active & found["lost"]).sum()),
            }
        )
    schema = {"period": pl.Int32, **dict.fromkeys(("active", "dormant", "lost"), pl.Int64)}
    return pl.DataFrame(rows, schema=schema)


def false_lapses(
    orders: pl.LazyFrame,
    as_of: date,
    *,
    horizons: Sequence[int] = HORIZONS,
    quantile: float = QUANTILE,
    min_gaps: int = MIN_GAPS,
    segment: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """How often the judgement would have been wrong: the lapsed of a past day who bought after it.

    For each horizon the customers are judged as of `horizon` days before the as-of day, with the orders up to
    then, and followed for the horizon. One row a horizon: horizon_days, judged_on, customers, lapsed,
    came_back, false_lapse_rate (null when nobody was judged lapsed), missed (bought no more, not flagged).
    """
    rows = []
    for horizon in horizons:
        day = as_of - timedelta(days=horizon)
        judged = standing(orders, day, quantile=quantile, min_gaps=min_gaps, segment=segment)
        later = _days(orders.filter(pl.col("ordered_on") > day), as_of).customers
        bought = judged["customer"].is_in(pl.Series(later, dtype=pl.UInt32).implode())
        flagged = judged["lapsed"].fill_null(value=False)
        wrong, all_flagged = int((flagged & bought).sum()), int(flagged.sum())
        rows.append(
            {
                "horizon_days": horizon,
                "judged_on": day,
                "customers": len(judged),
                "lapsed": all_flagged,
                "came_back": wrong,
                "false_lapse_rate": wrong / all_flagged if all_flagged else None,
                "missed": int((~flagged & ~bought).sum()),
            }
        )
    return pl.DataFrame(rows)


def second_order_lives(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Days from the first order to the second, for a curve: customer, duration, observed, began_on."""
    days = _days(orders, as_of)
    once = days.count == 1
    second = days.day[np.minimum(days.first + 1, max(len(days.day) - 1, 0))]
    began = days.day[days.first]
    return pl.DataFrame(
        {
            "customer": days.customers.astype(np.uint32),
            "duration": np.where(once, _number(as_of), second) - began,
            "observed": ~once,
            "began_on": pl.Series(began, dtype=pl.Int32).cast(pl.Date),
        }
    )


def repurchase_curve(orders: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Kaplan-Meier of the time to the second order: the share who have not come back yet (`life_table`)."""
    return life_table(second_order_lives(orders, as_of))
