"""Worked examples of definitions: a handful of rows, and the figure that they must give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isclose
from typing import Final

import polars as pl

from config.load import Located
from connectors.tables import dtypes
from metrics.catalog import Catalog
from metrics.definitions import Test, Value
from metrics.fact_families import customer_facts
from metrics.figures import compute
from metrics.frames import Marts
from metrics.instruments import Instrument
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.segment_definitions import Segment, SegmentShare
from metrics.segments import segment_book, with_segments

AS_OF: Final = date(2100, 1, 1)
_NET: Final = pl.col("net_amount")


@dataclass(frozen=True)
class Outcome:
    """What an example gave; `reason` says why there is no figure."""

    metric: str
    test: Test
    value: float | None
    reason: str

    @property
    def is_as_expected(self) -> bool:
        """Whether figure and expectation agree, both empty or equal to nine digits."""
        wanted = self.test.expect
        if self.value is None or wanted is None:
            return self.value is wanted
        return isclose(self.value, wanted, rel_tol=1e-9, abs_tol=1e-9)


Segments = Sequence[Located[Segment]]
"""The segments that definitions may speak of."""


def outcomes(
    catalog: Catalog,
    calendar: Calendar | None = None,
    segments: Segments = (),
    instruments: Mapping[str, Instrument] | None = None,
) -> list[Outcome]:
    """Every example of every metric of a catalogue, computed as pages compute figures."""
    return [
        outcome(catalog, name, test, calendar or Calendar(), segments, instruments)
        for name, plan in catalog.plans.items()
        for test in plan.definition.tests
    ]


def outcome(
    catalog: Catalog,
    name: str,
    test: Test,
    calendar: Calendar,
    segments: Segments = (),
    instruments: Mapping[str, Instrument] | None = None,
) -> Outcome:
    """One example. Raises polars errors for rows that are not of their table."""
    tables = {table: _rows(table, rows) for table, rows in test.rows.items()}
    marts = Marts(build(tables, calendar, AS_OF), calendar, AS_OF, instruments=instruments or {})
    if isinstance(catalog.definition(name), SegmentShare):
        marts = with_segments(marts, segment_book(segments, customer_facts(marts)))
    figure = compute(catalog, [name], marts, _window(test, calendar)).row(0, named=True)
    return Outcome(name, test, figure["value"], figure["reason"])


def _window(test: Test, calendar: Calendar) -> Window:
    if test.period is None:
        return Window()
    grain = Grain(test.grain)
    return Window(grain, calendar.code(date.fromisoformat(test.period), grain))


def _rows(table: str, rows: Sequence[Mapping[str, Value]]) -> pl.LazyFrame:
    """Rows as a canonical table: what is left out is empty, or as a source would get it by default."""
    given = pl.DataFrame(rows, infer_schema_length=None)
    wanted = dtypes(table)
    columns = [_typed(name, wanted[name]) if name in wanted else pl.col(name) for name in given.columns]
    frame = given.select(columns)
    frame = frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in wanted.items() if name not in frame.columns
    )
    return _with_defaults(table, frame).lazy()


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return text.str.to_datetime(time_unit="us", time_zone="UTC").alias(name)
    return text.str.to_date() if dtype == pl.Date else pl.col(name).cast(dtype)


def _with_defaults(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    if table != "order_lines":
        return frame
    number = pl.int_range(pl.len()).cast(pl.String)
    return frame.with_columns(
        pl.col("line_id").fill_null(number),
        pl.col("is_return").fill_null(_NET < 0),
        pl.col("ordered_at").fill_null(pl.col("ordered_on").cast(pl.Datetime("us", "UTC"))),
    )
