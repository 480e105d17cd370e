r"""Numbers, dates and money as people of the project's locale write them.

    >>> show = Formatter("en_US", "USD")
    >>> show.value(1_420_000, "money"), show.value(23567, "count"), show.value(0.5634, "rate")
    ('$1.42M', '23,567', '56.3\u202f%')
    >>> show.change(-0.004, "rate"), show.change(0.08, "score")
    ('-0.4\xa0pp', '+0.08')

Money is rounded half up, as on an invoice; a missing figure is a dash, never a zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
)

from dashboard.text import gettext as _
from metrics.definitions import Style

Number = int | float | Decimal

MISSING: Final = "\N{EN DASH}"
COMPACT_FROM: Final = 1_000_000
"""From here on a tile shows 1.42M instead of 1,420,000; below, every digit."""


@dataclass(frozen=True)
class Formatter:
    """How a project writes its figures: a locale such as `de_DE` and an ISO-4217 currency."""

    locale: str = "en_US"
    currency: str = "USD"

    def value(self, value: Number | None, unit: Style) -> str:
        """A figure as on a tile: short, at most four significant digits of money, one decimal of per cent."""
        if value is None or not math.isfinite(value):
            return MISSING
        match unit:
            case "money":
                return self.money(value)
            case "count":
                return self.count(value)
            case "rate":
                return self.percent(value)
            case "points":
                return self.change(value, "rate")
            case "nps":
                return self.signed(value, 0)
            case "days":
                return _("{n} days").format(n=self.decimal(value, 1))
            case "ratio" | "score":
                return self.decimal(value, 2)
            case "per_thousand":
                return self.decimal(value, 1)

    def full(self, value: Number | None, unit: Style) -> str:
        """The same figure with every digit that it carries: money to the cent, counts in full."""
        if value is None or not math.isfinite(value):
            return MISSING
        match unit:
            case "money":
                return self.exact_money(value)
            case "count":
                return self.decimal(value, 0)
            case "rate":
                return self.percent(value, 2)
            case _:
                return self.value(value, unit)

    def change(self, change: Number | None, unit: Style) -> str:
        """A difference with its sign: points for a rate, the unit itself for scores, money and counts."""
        if change is None or not math.isfinite(change):
            return MISSING
        match unit:
            case "rate" | "points":
                return _("{n}\N{NO-BREAK SPACE}pp").format(n=self.signed(float(change) * 100, 1))
            case "money":
                return self._sign(change) + self.money(_size(change))
            case "count":
                return self._sign(change) + self.count(_size(change))
            case "nps":
                return self.signed(change, 0)
            case "per_thousand" | "days":
                return self.signed(change, 1)
            case "ratio" | "score":
                return self.signed(change, 2)

    def relative(self, share: Number | None) -> str:
        """A relative change with its sign: `+7.4 %`."""
        if share is None or not math.isfinite(share):
            return MISSING
        return self._sign(share) + self.percent(_size(share))

    def money(self, value: Number) -> str:
        """Money as short as it can be told apart: `$1.42M`, `$23,567`, `$337.40`."""
        size = _size(value)
        if size >= COMPACT_FROM:
            rounded = _half_up(value, _compact_digits(size) - 2)
            return str(format_compact_currency(rounded, self.currency, locale=self.locale, fraction_digits=2))
        if size >= 1000:
            return self._currency(_half_up(value, 0), whole=True)
        return self.exact_money(value)

    def exact_money(self, value: Number) -> str:
        """Money to the smallest coin of the currency, rounded half up."""
        return self._currency(_half_up(value, -get_currency_precision(self.currency)))

    def count(self, value: Number) -> str:
        """A count: every digit up to a million, then `1.42M`."""
        if _size(value) >= COMPACT_FROM:
            return str(
                format_compact_decimal(
                    _half_up(value, _compact_digits(_size(value)) - 2), locale=self.locale, fraction_digits=2
                )
            )
        return self.decimal(value, 0)

    def percent(self, share: Number, digits: int = 1) -> str:
        """A share of one as per cent, with a narrow space before the sign."""
        text = format_percent(
            _half_up(Decimal(str(share)) * 100, -digits) / 100,
            format=_percent_pattern(digits),
            locale=self.locale,
        )
        return str(text)

    def decimal(self, value: Number, digits: int) -> str:
        """A plain number with a fixed number of decimals."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(_half_up(value, -digits), format=pattern, locale=self.locale))

    def signed(self, value: Number, digits: int) -> str:
        """A number with its sign; what rounds to zero has none."""
        rounded = _half_up(value, -digits)
        return self._sign(rounded) + self.decimal(abs(rounded), digits)

    def axis(self, value: Number, unit: Style) -> str:
        """A tick: as short as possible, without decimals that say nothing."""
        match unit:
            case "money":
                return self._short_money(value)
            case "points":
                return self.signed(float(value) * 100, 0 if _size(value) * 100 % 1 == 0 else 1)
            case "rate":
                return self.percent(value, 0 if _size(value) * 100 % 1 == 0 else 1)
            case "count":
                # Babel leaves what is below a thousand with every digit that it has.
                short = Decimal(str(round(float(value), 1)))
                return str(format_compact_decimal(short, locale=self.locale, fraction_digits=1))
            case _:
                return self.decimal(
                    value, next(n for n in range(3) if n == 2 or round(float(value), n) == value)
                )

    def day(self, day: date) -> str:
        """A date with the month named: `30 Jun 2026`, in the order of the locale."""
        return str(format_date(day, "medium", locale=self.locale))

    def moment(self, moment: datetime) -> str:
        """A date and a time of day, with the zone of `moment`."""
        zone = moment.tzname() or ""
        return f"{self.day(moment.date())}, {format_time(moment, 'short', locale=self.locale)} {zone}".strip()

    def month(self, day: date, *, long: bool = False) -> str:
        """A month with its year: `Jun 2026`, or `June 2026`."""
        return _dated("yMMMM" if long else "yMMM", day, self.locale)

    def month_alone(self, day: date) -> str:
        """A month without its year: `Jun`."""
        return _dated("MMM", day, self.locale)

    def day_of_year(self, day: date) -> str:
        """A day without its year: `Jun 30`."""
        return _dated("MMMd", day, self.locale)

    def size(self, size: int) -> str:
        """A file size: `12 kB`, `3.4 MB`."""
        for factor, name in ((1_000_000, "MB"), (1_000, "kB")):
            if size >= factor:
                digits = 1 if size < 10 * factor else 0
                return f"{self.decimal(size / factor, digits)}\N{NO-BREAK SPACE}{name}"
        return f"{self.decimal(size, 0)}\N{NO-BREAK SPACE}B"

    def _short_money(self, value: Number) -> str:
        if _size(value) >= 1000:
            text = format_compact_currency(
                Decimal(str(value)), self.currency, locale=self.locale, fraction_digits=1
            )
            return str(text)
        whole = _size(value) >= 100 or float(value).is_integer()
        return self._currency(_half_up(value, 0 if whole else -2), whole=whole)

    def _currency(self, value: Decimal, *, whole: bool = False) -> str:
        if not whole:
            return str(format_currency(value, self.currency, locale=self.locale))
        pattern = Locale.parse(self.locale).currency_formats["standard"].pattern.replace(".00", "")
        return str(format_currency(value, self.currency, pattern, locale=self.locale, currency_digits=False))

    def _sign(self, value: Number) -> str:
        symbols = Locale.parse(self.locale).number_symbols["latn"]
        if value > 0:
            return str(symbols["plusSign"])
        return str(symbols["minusSign"]) if value < 0 else ""


def _size(value: Number) -> Decimal:
    return abs(Decimal(str(value)))


def _half_up(value: Number, exponent: int) -> Decimal:
    return Decimal(str(value)).quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_UP)


def _compact_digits(size: Decimal) -> int:
    """The power of ten of the unit that `size` is shown in: 6 for millions, 3 for thousands."""
    return 3 * (int(math.log10(size)) // 3)


@lru_cache(maxsize=4096)
def _dated(skeleton: str, day: date, locale: str) -> str:
    """A date in the parts that `skeleton` names; pages name the same periods at every run."""
    return str(format_skeleton(skeleton, day, locale=locale))


@lru_cache(maxsize=16)
def _percent_pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "") + "\N{NARROW NO-BREAK SPACE}%"
