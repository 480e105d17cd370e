"""How the demonstration's frames become files: ids, money, CSV and Parquet."""

from pathlib import Path

import polars as pl


def code(letter: str, number: str) -> pl.Expr:
    """A running number as an id with leading zeros."""
    return pl.format(letter + "{}", pl.col(number).cast(pl.String).str.zfill(7))


def money(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Whole cents as decimals."""
    cents = pl.col(columns).cast(pl.Decimal(18, 2))
    return frame.with_columns((cents / 100).cast(pl.Decimal(18, 2)))


def write_csv(frame: pl.DataFrame, path: Path, *, append: bool = False, blank: str = "") -> None:
    """Write or continue a CSV file; times to the minute."""
    with path.open("ab" if append else "wb") as file:
        frame.write_csv(file, include_header=not append, datetime_format="%Y-%m-%d %H:%M", null_value=blank)


def write_by_year(frame: pl.DataFrame, time: str, stem: Path) -> None:
    """Write one CSV file a year: `stem-2025.csv`."""
    year = pl.col(time).dt.year()
    for one in frame[time].dt.year().unique().sort():
        write_csv(frame.filter(year == one), stem.with_name(f"{stem.name}-{one}.csv"))
