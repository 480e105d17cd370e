"""Cells to values, by whole column: text and foreign types to ids, exact numbers, flags and words.

Every function gives a `Parsed`: the values, the conditions under which a cell cannot be used (with the reason
that a person is told), and the conditions under which it was repaired (counted, not hidden). `let` names what
is used more than once (see `steps.py`); `inline` does without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl
from babel import Locale
from babel.numbers import get_currency_symbol

from connectors.steps import Let

EXACT: Final = pl.Decimal(38, 6)
"""Numbers within expressions: six decimals, so that a product of two keeps all twelve."""

WIDE: Final = pl.Decimal(38, 22)
"""Numbers on their way into a column, before they are rounded to its decimals.

Polars rounds text to the scale of the type that it is cast to. Rounding twice is wrong next to a half, so all
decimals are kept first: 22 hold every digit of a double from 0.00005 on.
"""

ROUNDED: Final = "amounts rounded to 4 decimals"
REPAIRED_IDS: Final = "ids freed from a number format"

_GROUPS: Final = {".": ",'\u2019 \u00a0\u202f", ",": ".'\u2019 \u00a0\u202f"}
_MINUS: Final = ("-", "\u2212", "\u2013", "(")
_FLAGS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}


@dataclass(frozen=True)
class Parsed:
    """Values of a column; `faults` and `repairs` pair a reason with the condition of the rows concerned.

    `day` is the day of an instant in the project's time zone.
    """

    expr: pl.Expr
    faults: tuple[tuple[str, pl.Expr], ...] = ()
    repairs: tuple[tuple[str, pl.Expr], ...] = ()
    day: pl.Expr | None = None

    def then(self, other: "Parsed") -> "Parsed":
        """The values of a later step, with the faults and repairs of both."""
        return Parsed(other.expr, self.faults + other.faults, self.repairs + other.repairs, other.day)


@dataclass(frozen=True)
class Conventions:
    """How a column writes empty cells and numbers."""

    blanks: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    currency: str = ""
    locale: str = "en_US"

    @property
    def groups(self) -> str:
        """Characters that may stand between thousands."""
        return _GROUPS[self.decimal] if self.thousands is None else self.thousands


def words(let: Let, column: pl.Expr, dtype: pl.DataType, blanks: Sequence[str] = ()) -> pl.Expr:
    """Text without the white space around it; null where nothing or one of `blanks` is left."""
    text = let(column.str.strip_chars() if dtype == pl.String else column.cast(pl.String))
    if dtype != pl.String and not blanks:
        return text
    empty = text.is_in(["", *blanks]) if blanks else text == ""
    return let(pl.when(~empty).then(text))


def ids(let: Let, column: pl.Expr, dtype: pl.DataType, subject: str, blanks: Sequence[str] = ()) -> Parsed:
    """Ids as text: leading zeros stay, `17850.0` becomes `17850` and `9e+05` becomes `900000`.

    A spreadsheet's `1.23457E+11` has lost digits and is refused.
    """
    if dtype.is_float():
        return _float_ids(let, column, subject)
    text = words(let, column, dtype, blanks)
    if dtype != pl.String:
        return Parsed(text)
    odd = let(pl.when(text.str.contains(r"^\d+\.0+$|^\d(?:\.\d+)?[eE]\+\d+$")).then(text))
    digits = odd.str.extract(r"\.(\d+)[eE]").str.len_chars()
    power = odd.str.extract(r"[eE]\+(\d+)$").cast(pl.Int64, strict=False)
    lost = let(((digits >= 5) & (digits < power)).fill_null(value=False))
    plain = odd.cast(pl.Decimal(38, 0), strict=False).cast(pl.String)
    short = f"`{subject}` lost digits to a spreadsheet"
    return Parsed(pl.coalesce(plain, text), ((short, lost),), ((REPAIRED_IDS, odd.is_not_null() & ~lost),))


def _float_ids(let: Let, column: pl.Expr, subject: str) -> Parsed:
    whole = let(column.cast(pl.Int64, strict=False))
    bad = column.is_not_null() & (whole.is_null() | (whole.cast(pl.Float64) != column.cast(pl.Float64)))
    return Parsed(
        whole.cast(pl.String),
        ((f"`{subject}` is no whole number and no id", bad.fill_null(value=False)),),
        ((REPAIRED_IDS, column.is_not_null()),),
    )


def numbers(
    let: Let,
    column: pl.Expr,
    dtype: pl.DataType,
    subject: str,
    conventions: Conventions,
    into: pl.DataType = WIDE,
) -> Parsed:
    """Exact numbers: text with marks, signs and parentheses; floats through their shortest decimal."""
    if dtype == pl.String:
        return _text_numbers(let, column, subject, conventions, into)
    if dtype.is_float():
        return _float_numbers(let, column, subject, into)
    if dtype.is_integer() or dtype.is_decimal() or dtype == pl.Boolean:
        value = let((column.cast(pl.Int64) if dtype == pl.Boolean else column).cast(into, strict=False))
        return Parsed(value, ((f"`{subject}` is too large", column.is_not_null() & value.is_null()),))
    return _text_numbers(let, column.cast(pl.String), subject, conventions, into)


def _text_numbers(
    let: Let, column: pl.Expr, subject: str, conventions: Conventions, into: pl.DataType
) -> Parsed:
    text = words(let, column, pl.String(), conventions.blanks)
    plain = let(text.cast(into, strict=False) if conventions.decimal == "." else pl.lit(None, into))
    rest = text if conventions.decimal == "," else let(pl.when(plain.is_null()).then(text))
    written = let(rest.str.extract_groups(_pattern(conventions.decimal, conventions.groups)))
    before, digits, after = (written.struct.field(str(at)) for at in (2, 4, 5))
    value = let(_digits(digits, conventions, into))
    signs = [written.struct.field(str(at)).fill_null("") for at in (1, 3, 6)]
    minus = let(pl.sum_horizontal(sign.is_in(_MINUS) for sign in signs))
    sound = (minus <= 1) & ((signs[0] == "(") == (signs[2] == ")"))
    signed = pl.when(sound & (minus == 1)).then(-value).when(sound).then(value)
    foreign = let(digits.is_not_null() & ~(_known(before, conventions) & _known(after, conventions)))
    result = let(pl.coalesce(plain, pl.when(~foreign).then(signed)))
    return Parsed(
        result,
        (
            (f"`{subject}` is in another currency than {conventions.currency}", foreign),
            (f"`{subject}` is not a number", text.is_not_null() & result.is_null() & ~foreign),
        ),
    )


def _digits(digits: pl.Expr, conventions: Conventions, into: pl.DataType) -> pl.Expr:
    plain = digits.str.replace_all(f"[{_in_class(conventions.groups)}]", "") if conventions.groups else digits
    return plain.str.replace(conventions.decimal, ".", literal=True).cast(into, strict=False)


def _known(mark: pl.Expr, conventions: Conventions) -> pl.Expr:
    return mark.fill_null("").is_in(["", *_marks(conventions)])


@lru_cache
def _pattern(decimal: str, groups: str) -> str:
    """A number as people write it: sign, currency, digits in groups, currency, sign."""
    mark, between = f"[{_in_class(decimal)}]", f"[{_in_class(groups)}]"
    grouped = rf"\d{{1,3}}(?:{between}\d{{2,3}})*{between}\d{{3}}(?:{mark}\d*)?|" if groups else ""
    number = rf"{grouped}\d+(?:{mark}\d*)?(?:[eE][+-]?\d+)?|{mark}\d+(?:[eE][+-]?\d+)?"
    currency = r"\p{L}{0,3}\p{Sc}|\p{L}[\p{L}.]{1,4}"
    minus = "[-+\u2212\u2013]"
    return rf"^({minus}|\()?\s*({currency})?\s*({minus})?\s*({number})\s*({currency})?\s*({minus}|\))?$"


def _in_class(characters: str) -> str:
    return "".join(rf"\x{{{ord(character):x}}}" for character in characters)


def _marks(conventions: Conventions) -> frozenset[str]:
    return currency_marks(conventions.currency, conventions.locale) if conventions.currency else frozenset()


@lru_cache
def currency_marks(currency: str, locale: str) -> frozenset[str]:
    """How an amount in the currency may be marked: its code and its symbols, `$` for every kind of dollar.

    >>> sorted(currency_marks("EUR", "de_DE"))
    ['EUR', 'eur', '€']
    """
    symbols = {get_currency_symbol(currency, name) for name in ("en", "en_US", Locale.parse(locale))}
    short = {mark for mark in ("$", "£", "¥", "kr", "€", "₩") if any(s.endswith(mark) for s in symbols)}
    return frozenset({currency, currency.lower(), *symbols, *short})


def _float_numbers(let: Let, column: pl.Expr, subject: str, into: pl.DataType) -> Parsed:
    """Floats through their shortest decimal: 4-byte 8.95 is 8.95 (the way through text costs least)."""
    value = let(column.cast(pl.String).cast(into, strict=False))
    finite = let(column.is_finite().fill_null(value=True))
    large = column.is_not_null() & value.is_null() & finite
    return Parsed(value, ((f"`{subject}` is not a number", ~finite), (f"`{subject}` is too large", large)))


def money(let: Let, parsed: Parsed, subject: str, decimals: int = 4) -> Parsed:
    """Amounts of `Decimal(18, 4)`, rounded half up (away from zero); the rounded ones are counted."""
    rounded = let(parsed.expr.round(decimals, mode="half_away_from_zero"))
    value = let(rounded.cast(pl.Decimal(18, decimals), strict=False))
    large = (f"`{subject}` is too large", rounded.is_not_null() & value.is_null())
    return parsed.then(Parsed(value, (large,), ((ROUNDED, rounded != parsed.expr),)))


def flags(let: Let, column: pl.Expr, dtype: pl.DataType, subject: str, blanks: Sequence[str] = ()) -> Parsed:
    """Truth from true/false, yes/no, 1/0, in any case."""
    if dtype == pl.Boolean:
        return Parsed(column)
    text = words(let, column, dtype, blanks)
    value = let(text.str.to_lowercase().replace_strict(_FLAGS, default=None, return_dtype=pl.Boolean))
    fault = f"`{subject}` is neither true nor false"
    return Parsed(value, ((fault, text.is_not_null() & value.is_null()),))


def choices(let: Let, text: pl.Expr, options: Sequence[str], subject: str) -> Parsed:
    """One of the words of a column that knows no others, in any case."""
    lower = let(text.str.to_lowercase())
    value = let(pl.when(lower.is_in(list(options))).then(lower).cast(pl.Enum(options)))
    fault = f"`{subject}` is none of {', '.join(options)}"
    return Parsed(value, ((fault, text.is_not_null() & value.is_null()),))


def translated(
    text: pl.Expr, values: Mapping[str, str | int | float | bool | None], otherwise: str, subject: str
) -> Parsed:
    """Text with some values replaced; what becomes of the others is `otherwise`."""
    new = [
        str(value).lower() if isinstance(value, bool) else value and str(value) for value in values.values()
    ]
    if otherwise == "keep":
        return Parsed(text.replace(list(values), new))
    value = text.replace_strict(list(values), new, default=None, return_dtype=pl.String)
    unlisted = text.is_not_null() & ~text.is_in(list(values))
    fault = f"`{subject}` is not among the listed values"
    return Parsed(value, ((fault, unlisted),) if otherwise == "quarantine" else ())
