"""Text to instants and days: formats that are stated or detected, time zones, impossible and ambiguous dates.

Times without a zone are taken in the source's time zone. A time that the change to summer time skips is moved
forward by the gap (02:30 becomes 03:30) and counted as repaired; a time that the change back repeats is the
earlier of the two.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Final

import polars as pl

from connectors.steps import Let
from connectors.values import Parsed

SKIPPED: Final = "times skipped by the change to summer time, moved forward"

_DAYS: Final = {
    r"\d{4}-\d{1,2}-\d{1,2}": ("%Y-%m-%d",),
    r"\d{4}/\d{1,2}/\d{1,2}": ("%Y/%m/%d",),
    r"\d{4}\.\d{1,2}\.\d{1,2}": ("%Y.%m.%d",),
    r"(?:19|20)\d{6}": ("%Y%m%d",),
    r"\d{1,2}\.\d{1,2}\.\d{4}": ("%d.%m.%Y",),
    r"\d{1,2}/\d{1,2}/\d{4}": ("%d/%m/%Y", "%m/%d/%Y"),
    r"\d{1,2}-\d{1,2}-\d{4}": ("%d-%m-%Y", "%m-%d-%Y"),
    r"\d{1,2} [A-Za-z]{3} \d{4}": ("%d %b %Y",),
    r"\d{1,2}-[A-Za-z]{3}-\d{4}": ("%d-%b-%Y",),
    r"[A-Za-z]{3} \d{1,2}, \d{4}": ("%b %d, %Y",),
}
_TIMES: Final = {
    r" \d{1,2}:\d{2}": " %H:%M",
    r" \d{1,2}:\d{2}:\d{2}(?:\.\d+)?": " %H:%M:%S%.f",
    r"T\d{1,2}:\d{2}": "T%H:%M",
    r"T\d{1,2}:\d{2}:\d{2}(?:\.\d+)?": "T%H:%M:%S%.f",
    r" \d{1,2}:\d{2} [AaPp][Mm]": " %I:%M %p",
    r" \d{1,2}:\d{2}:\d{2} [AaPp][Mm]": " %I:%M:%S %p",
}
_ENDINGS: Final = {
    r"": "",
    **_TIMES,
    **{time + r"(?:Z|[+-]\d{2}(?::?\d{2})?)": form + "%#z" for time, form in _TIMES.items()},
}
_SHAPES: Final = tuple(
    (re.compile(day + ending), tuple(order + form for order in orders))
    for day, orders in _DAYS.items()
    for ending, form in _ENDINGS.items()
)
_PARTS: Final = {
    **dict.fromkeys(("%m", "%d", "%H", "%I", "%M", "%S", "%e"), r"\d{1,2}"),
    **{"%Y": r"\d{4}", "%y": r"\d{2}", "%f": r"\d+", "%p": r"[AaPp][Mm]", "%b": r"\p{L}+", "%B": r"\p{L}+"},
}
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Dates:
    """How a column writes dates, the time zone of times without one, and the project's time zone."""

    formats: tuple[str, ...]
    timezone: str = "UTC"
    local: str = "UTC"

    @property
    def shown(self) -> str:
        """The formats in words."""
        return " or ".join(f"`{one.replace('%.f', '').replace('#', '')}`" for one in self.formats)


@dataclass(frozen=True)
class Moments:
    """The same moments as UTC instants (with their local days) and as days as they are written."""

    instants: Parsed
    days: Parsed


def candidates(texts: Iterable[str]) -> dict[tuple[str, ...], int]:
    """The formats that some texts show, each with its orders of day and month, and how many show it.

    Texts that look like no date are passed over.

    >>> candidates(["2024-01-31", "03/04/2024 10:00", "soon"])
    {('%Y-%m-%d',): 1, ('%d/%m/%Y %H:%M', '%m/%d/%Y %H:%M'): 1}
    """
    found = (next((forms for shape, forms in _SHAPES if shape.fullmatch(text)), None) for text in texts)
    return dict(Counter(forms for forms in found if forms))


def without_time(form: str) -> str:
    """How a format writes the day.

    >>> without_time("%Y-%m-%dT%H:%M")
    '%Y-%m-%d'
    """
    return re.split(r"[ T]%[HI]", form)[0]


def day_parts(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The first and the second number of dates such as `03/04/2024`."""
    parts = text.str.extract_groups(r"^(\d{1,2})[/-](\d{1,2})[/-]\d{4}")
    return tuple(parts.struct.field(at).cast(pl.Int32) for at in ("1", "2"))  # type: ignore[return-value]  # two


def moments(let: Let, column: pl.Expr, dtype: pl.DataType, subject: str, dates: Dates) -> Moments:
    """Instants and days of a column: text in the stated formats, days, times with or without a zone.

    `column` is clean text or typed.
    """
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return _zoned(let, column.cast(pl.Datetime("us", dtype.time_zone)), dates)
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _local(let, column.cast(pl.Datetime("us")), None, dates)
    return _written(let, column if dtype == pl.String else column.cast(pl.String), subject, dates)


def _zoned(let: Let, column: pl.Expr, dates: Dates) -> Moments:
    instants = let(column.dt.convert_time_zone("UTC"))
    local = column.dt.convert_time_zone(dates.local).dt.date()
    return Moments(Parsed(instants, day=local), Parsed(local))


def _local(let: Let, naive: pl.Expr, zoned: pl.Expr | None, dates: Dates) -> Moments:
    """Moments of times without a zone and, where these are missing, of times with one."""
    exact, skipped = _localised(let, naive, dates.timezone)
    instants = exact if zoned is None else let(pl.coalesce(exact, zoned))
    local = instants.dt.convert_time_zone(dates.local).dt.date()
    days = naive.dt.date()
    if zoned is None and dates.timezone == dates.local:
        local = days
    elif zoned is not None:
        days = pl.coalesce(days, zoned.dt.convert_time_zone(dates.local).dt.date())
    repairs = ((SKIPPED, skipped),) if skipped is not None else ()
    return Moments(Parsed(instants, (), repairs, local), Parsed(days))


def _localised(let: Let, naive: pl.Expr, timezone: str) -> tuple[pl.Expr, pl.Expr | None]:
    if timezone == "UTC":
        return let(naive.dt.replace_time_zone("UTC")), None
    exact = let(_in_zone(naive, timezone))
    rest = let(pl.when(exact.is_null()).then(naive))
    day = pl.duration(days=1)
    moved = _in_zone(rest - day, timezone) + day  # the offset of the day before: before the change
    return let(pl.coalesce(exact, moved).dt.convert_time_zone("UTC")), rest.is_not_null()


def _in_zone(naive: pl.Expr, timezone: str) -> pl.Expr:
    return naive.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")


def _written(let: Let, text: pl.Expr, subject: str, dates: Dates) -> Moments:
    zoned = [one for one in dates.formats if _has_zone(one)]
    naive = [one for one in dates.formats if not _has_zone(one)]
    times, clash = _read(let, text, naive, pl.Datetime("us"))
    others, clash_zoned = _read(let, text, zoned, pl.Datetime("us", "UTC"))
    found = _local(let, times, others if zoned else None, dates)
    faults = _faults(let, text, found.instants.expr, subject, dates, clash, clash_zoned)
    return Moments(replace(found.instants, faults=faults), replace(found.days, faults=faults))


def _has_zone(form: str) -> bool:
    return form == "unix" or "%z" in form or "%#z" in form or form.endswith("Z")


def _read(let: Let, text: pl.Expr, formats: Sequence[str], into: pl.Datetime) -> tuple[pl.Expr, pl.Expr]:
    """The first format that fits, and whether another one fits too and reads another time."""
    if not formats:
        return pl.lit(None, into), pl.lit(value=False)
    values = [let(_one(text, form)) for form in formats]
    first = let(pl.coalesce(values))
    others = [(value != first).fill_null(value=False) for value in values[1:]]
    return first, pl.any_horizontal(others) if others else pl.lit(value=False)


def _one(text: pl.Expr, form: str) -> pl.Expr:
    if form == "unix":
        return (
            pl.from_epoch(text.cast(pl.Int64, strict=False), "s")
            .dt.cast_time_unit("us")
            .dt.replace_time_zone("UTC")
        )
    value = text.str.to_datetime(form.replace("%z", "%#z"), time_unit="us", strict=False)
    return value.dt.replace_time_zone("UTC") if form.endswith("Z") else value


def _faults(
    let: Let, text: pl.Expr, instant: pl.Expr, subject: str, dates: Dates, *clashes: pl.Expr
) -> tuple[tuple[str, pl.Expr], ...]:
    wild = let(((instant < _EARLIEST) | (instant >= _LATEST)).fill_null(value=False))
    unread = let(pl.when(instant.is_null() | wild).then(text))
    shaped = reduce(lambda one, two: one | two, (unread.str.contains(_shape(form)) for form in dates.formats))
    return (
        (f"`{subject}` can be read as two different dates", pl.any_horizontal(clashes)),
        (f"`{subject}` is an impossible date", shaped.fill_null(value=False)),
        (f"`{subject}` is not a date in the form {dates.shown}", unread.is_not_null()),
    )


def _shape(form: str) -> str:
    """A pattern of the texts that a format may have written, impossible days included."""
    if form == "unix":
        return r"^\d+$"
    tokens = re.findall(r"%#z|%\.f|%.|[^%]+", form)
    optional = {"%.f": r"(?:\.\d+)?", "%#z": ".*", "%z": ".*"}
    return "^" + "".join(optional.get(t) or _PARTS.get(t) or re.escape(t) for t in tokens) + "$"
