"""What a source leaves unsaid about its columns, found in their values: decimal mark, form of dates.

A form that nearly all values share is taken; the few others end in quarantine like any cell that cannot be
read. Where values speak for two forms, or for none, the source has to say which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn, TypeVar

import polars as pl

from connectors.dates import candidates, day_parts, without_time
from connectors.errors import SourceError
from connectors.raw import ROW, Raw

_SAMPLE: Final = 5_000
_NEARLY_ALL: Final = 0.95
_MARKS: Final = {
    ",": r"\d,\d{1,2}[^\d,]*$|\d,\d{4,}|\.\d{3},\d",
    ".": r"\d\.\d{1,2}[^\d.]*$|\d\.\d{4,}|,\d{3}\.\d",
}
"""Numbers in which the mark can only stand before decimals."""

_GROUPED: Final = r"\d,\d{3}(?:\D|$)"
_SAY_MARK: Final = 'Say which: add `decimal: "."` or `decimal: ","`'
UNKNOWN: Final = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f")
"""Formats of a column in which nothing stands."""

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """Some rows of every file of a source, and the whole of a column where these leave a doubt."""

    raw: Raw

    @cached_property
    def _head(self) -> pl.DataFrame:
        return self.raw.head(_SAMPLE).select(_text(name) for name in self.raw.columns).collect()

    def decimal(self, columns: Sequence[str]) -> str:
        """The decimal mark of some number columns: `.` or `,`.

        Raises SourceError when the numbers show both, or only groups such as `1,234` that may be either.
        """
        columns = [name for name in columns if name in self._head.columns]
        if not columns:
            return "."
        found = _examples(self._head.select(columns).lazy()) or _examples(self.raw.frame.select(columns))
        if mark := _dominant({mark: count for mark, (count, _) in found.items()}):
            return mark
        if found:
            self._refuse(f"numbers are written as `{found['.'][1]}` and as `{found[','][1]}`", _SAY_MARK)
        grouped = _filtered(self._head, columns, _GROUPED)
        if grouped:
            self._refuse(f"`{grouped}` may have thousands or decimals", _SAY_MARK)
        return "."

    def formats(self, column: str, blanks: Sequence[str]) -> tuple[str, ...]:
        """The formats of a date column that states none.

        Raises SourceError when no known form fits, when several do, and when the order of day and month
        cannot be told.
        """
        texts = self._dates(column, blanks)
        if not texts.len():
            return UNKNOWN
        forms = candidates(texts)
        if not forms:
            place = self._place(column, texts[0])
            fault = f"`{texts[0]}` in `{column}` ({place}) has no date format that can be told"
            self._refuse(fault, f'State it: `{{from: {column}, formats: ["..."]}}`')
        calendars: dict[str, int] = {}
        for orders, count in forms.items():
            calendars[without_time(orders[0])] = calendars.get(without_time(orders[0]), 0) + count
        main = _dominant(calendars, strays=1)
        if main is None:
            self._refuse_several(column, texts, list(forms))
        found = [orders for orders in forms if without_time(orders[0]) == main]
        return tuple(orders[self._order(column, orders)] for orders in found)

    def _refuse_several(self, column: str, texts: pl.Series, forms: list[tuple[str, ...]]) -> NoReturn:
        """Names an example of every form with its place, and how to state them."""
        examples = [next(text for text in texts if forms_of in candidates([text])) for forms_of in forms]
        written = " and ".join(f"`{text}` ({self._place(column, text)})" for text in examples)
        shown = ", ".join(f'"{_shown(orders[0])}"' for orders in forms)
        self._refuse(
            f"`{column}` writes dates in several formats, {written}",
            f"State every one: `formats: [{shown}]`",
        )

    def _place(self, column: str, text: str) -> str:
        """Where a text stands first."""
        rows = self.raw.frame.filter(_text(column) == text).select(ROW).head(1).collect()
        return self.raw.place(rows.item())

    def _dates(self, column: str, blanks: Sequence[str]) -> pl.Series:
        empty = ["", *blanks]
        texts = self._head[column]
        texts = texts.filter(~texts.is_in(empty))
        if texts.len():
            return texts
        text = pl.col(column).str.strip_chars()
        return (
            self.raw.frame.select(text).filter(~pl.col(column).is_in(empty)).head(_SAMPLE).collect()[column]
        )

    def _order(self, column: str, orders: tuple[str, ...]) -> int:
        """The place of the format whose months stay below 13 in (nearly) every row of the column."""
        if len(orders) == 1:
            return 0
        over = (_text(column).filter(part > 12) for part in day_parts(_text(column)))
        counts = self.raw.frame.select(
            expr.alias(name)
            for name, part in zip(("day", "month"), over, strict=True)
            for name, expr in ((name, part.len()), (f"{name} example", part.first()))
        )
        found = counts.collect().row(0, named=True)
        main = _dominant({0: found["day"], 1: found["month"]})
        if main is not None:
            return main
        say = f'Say which: `formats: ["{_shown(orders[0])}"]` or `formats: ["{_shown(orders[1])}"]`'
        if found["day"]:
            day, month = found["day example"], found["month example"]
            self._refuse(
                f"`{column}` has dates with the day first (`{day}`) and with the month first (`{month}`)", say
            )
        example = self._dates(column, ())[0]
        place = self._place(column, example)
        self._refuse(f"`{example}` in `{column}` ({place}) may be day/month or month/day", say)

    def _refuse(self, fault: str, remedy: str) -> NoReturn:
        where = f"source `{self.raw.name}`"
        raise SourceError(where, fault, remedy)


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars()


def _examples(numbers: pl.LazyFrame) -> dict[str, tuple[int, str]]:
    """How many numbers show each decimal mark, and one of them; marks that none shows are left out."""
    texts = numbers.unpivot().select(pl.col("value").str.strip_chars()).drop_nulls()
    shown = {
        mark: pl.col("value").filter(pl.col("value").str.contains(form)) for mark, form in _MARKS.items()
    }
    row = (
        texts.select(
            expr.alias(f"{what} {mark}")
            for mark, values in shown.items()
            for what, expr in (("count", values.len()), ("first", values.first()))
        )
        .collect()
        .row(0, named=True)
    )
    return {mark: (row[f"count {mark}"], row[f"first {mark}"]) for mark in _MARKS if row[f"count {mark}"]}


def _filtered(frame: pl.DataFrame, columns: Sequence[str], pattern: str) -> str | None:
    values = frame.select(columns).unpivot()["value"].drop_nulls()
    found = values.filter(values.str.contains(pattern))
    return str(found[0]) if found.len() else None


def _dominant(counts: Mapping[T, int], strays: int = 0) -> T | None:
    """What nearly all speak for, or all but so many strays; None when they are divided, or nothing speaks."""
    total = sum(counts.values())
    enough = min(_NEARLY_ALL * total, max(total - strays, strays + 1))
    return next((one for one, count in counts.items() if total and count >= enough), None)


def _shown(form: str) -> str:
    return form.replace("%.f", "").replace("#", "")
