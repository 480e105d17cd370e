"""What a source leaves unsaid about its columns, found in their values: decimal mark, form of dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn

import polars as pl

from connectors.dates import candidates, day_parts, one_calendar
from connectors.errors import SourceError
from connectors.raw import Raw

_SAMPLE: Final = 5_000
_COMMA: Final = r"\d,\d{1,2}[^\d,]*$|\d,\d{4,}|\.\d{3},\d"
_POINT: Final = r"\d\.\d{1,2}[^\d.]*$|\d\.\d{4,}|,\d{3}\.\d"
_GROUPED: Final = r"\d,\d{3}(?:\D|$)"


@dataclass(frozen=True)
class Sample:
    """The first rows of a source, and the whole of a column where these leave a doubt."""

    raw: Raw

    @cached_property
    def _head(self) -> pl.DataFrame:
        texts = [name for name, dtype in self.raw.columns.items() if dtype == pl.String]
        return self.raw.frame.select(texts).head(_SAMPLE).collect()

    def decimal(self, columns: Sequence[str]) -> str:
        """The decimal mark of some number columns: `.` or `,`.

        Raises SourceError when the numbers show both, or only groups such as `1,234` that may be either.
        """
        columns = [name for name in columns if name in self._head.columns]
        comma, point = (self._seen(pattern, columns) for pattern in (_COMMA, _POINT))
        if not comma and not point and columns:
            whole = (
                self.raw.frame.select(columns)
                .unpivot()
                .drop_nulls()
                .select(pl.col("value").str.strip_chars())
            )
            marks = whole.select(
                pl.col("value").filter(pl.col("value").str.contains(p)).first().alias(n)
                for n, p in (("c", _COMMA), ("p", _POINT))
            )
            comma, point = marks.collect().row(0)
        if comma and point:
            self._refuse(
                f"numbers are written as `{comma}` and as `{point}`", 'Add `decimal: "."` or `decimal: ","`'
            )
        grouped = None if comma or point else self._seen(_GROUPED, columns)
        if grouped:
            self._refuse(
                f"`{grouped}` may have thousands or decimals", 'Add `decimal: "."` or `decimal: ","`'
            )
        return "," if comma else "."

    def _seen(self, pattern: str, columns: Sequence[str]) -> str | None:
        for name in columns:
            found = self._head[name].str.strip_chars().drop_nulls()
            found = found.filter(found.str.contains(pattern))
            if found.len():
                return str(found[0])
        return None

    def formats(self, column: str, blanks: Sequence[str]) -> tuple[str, ...]:
        """The formats of a date column that states none.

        Raises SourceError when no known form fits, when several do, and when the order of day and month
        cannot be told.
        """
        texts = self._head[column].str.strip_chars().drop_nulls().unique(maintain_order=True)
        texts = texts.filter(~texts.is_in(["", *blanks]))
        forms = candidates(texts)
        if not forms and texts.len():
            self._refuse(
                f"`{texts[0]}` in `{column}` has no known date format",
                f"State it: `{column}` needs `formats:`",
            )
        if not forms:
            return ("%Y-%m-%d",)
        if not one_calendar(forms):
            shown = ", ".join(f'"{order}"' for orders in forms for order in orders[:1])
            self._refuse(
                f"`{column}` writes dates in several formats", f"State every one: `formats: [{shown}]`"
            )
        return (
            tuple(self._ordered(column, orders) for orders in forms)
            if len(forms[0]) > 1
            else tuple(orders[0] for orders in forms)
        )

    def _ordered(self, column: str, orders: tuple[str, ...]) -> str:
        """The format whose months stay below 13 in every row of the column."""
        first, second = day_parts(pl.col(column).str.strip_chars())
        day, month = (
            self.raw.frame.select(
                pl.col(column).filter(first > 12).first().alias("day"),
                pl.col(column).filter(second > 12).first().alias("month"),
            )
            .collect()
            .row(0)
        )
        shown = f'Add `formats: ["{orders[0]}"]` or `formats: ["{orders[1]}"]`'.replace("%.f", "")
        if day and month:
            self._refuse(f"`{column}` writes the day first (`{day}`) and the month first (`{month}`)", shown)
        if not day and not month:
            example = self._head[column].drop_nulls()[0]
            self._refuse(f"`{example}` in `{column}` may be day/month or month/day", shown)
        return orders[0] if day else orders[1]

    def _refuse(self, fault: str, remedy: str) -> NoReturn:
        where = f"source `{self.raw.name}`"
        raise SourceError(where, fault, remedy)
