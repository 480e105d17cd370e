"""Rows that cannot be used: where each stands, what is wrong with it, and everything that it says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from connectors.mapping import Check
from connectors.raw import COLUMN, OWN, REASON, REJECTED, ROW, VALUE, Raw

COLUMNS: Final = {
    "file": pl.String,
    "row": pl.UInt32,
    "column": pl.String,
    "value": pl.String,
    "reason": pl.String,
    "reasons": pl.String,
}
"""Columns of a quarantine, before the original ones: the first thing wrong with a row, and all that is.

`row` counts the rows of a file from 1, the header not included. An original column of one of these names
stands under `name (source)`.
"""


_PLACE: Final = "(place)"


def write_quarantine(
    raw: Raw, faults: pl.LazyFrame | None, checks: Sequence[Check], target: Path
) -> dict[str, int]:
    """Write the quarantine of one source and count its rows by their first reason.

    `faults` has ROW and one flag a check (`check:0` ...) for the rows at fault. Rows that could not be read
    at all come from `raw.rejected`. In the order of the files and their rows. Nothing is written for no rows.
    """
    found = [_rejected(raw)] if raw.rejected.height else []
    if faults is not None and faults.select(pl.len()).collect().item():
        found.append(_faulty(raw, faults, checks))
    if not found:
        return {}
    _placed(raw, _in_order(found)).sink_parquet(target)
    counts = pl.scan_parquet(target).group_by("reason").len().collect()
    return dict(counts.sort(pl.col("len"), "reason", descending=[True, False]).iter_rows())


def _in_order(found: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Rows that are each in the order of their places, set into one another without sorting them again."""
    columns = list(dict.fromkeys(name for rows in found for name in rows.collect_schema()))
    whole = [_widened(rows, columns) for rows in found]
    return whole[0] if len(whole) == 1 else whole[0].merge_sorted(whole[1], _PLACE)


def _widened(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    there = set(rows.collect_schema())
    return rows.select(pl.col(n) if n in there else pl.lit(None, pl.String).alias(n) for n in columns)


def _rejected(raw: Raw) -> pl.LazyFrame:
    originals = {name: _original(name) for name in raw.rejected.columns if name not in REJECTED}
    return (
        raw.rejected.lazy()
        .sort(ROW)
        .select(
            pl.col(ROW).alias(_PLACE),
            pl.col(COLUMN).alias("column"),
            pl.col(VALUE).alias("value"),
            pl.col(REASON).alias("reason"),
            pl.col(REASON).alias("reasons"),
            *(pl.col(name).alias(original) for name, original in originals.items()),
        )
    )


def _faulty(raw: Raw, faults: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
    own = pl.col(OWN) if OWN in raw.frame.collect_schema() else pl.col(ROW)
    originals = [pl.col(name).cast(pl.String).alias(_original(name)) for name in raw.columns]
    rows = raw.frame.select(ROW, own.cast(pl.UInt32).alias(_PLACE), *originals)
    return rows.join(faults, on=ROW, how="inner", maintain_order="left").select(
        _PLACE,
        _first(checks, lambda check: pl.lit(check.column)).alias("column"),
        _first(checks, lambda check: _value(check, raw)).alias("value"),
        _first(checks, lambda check: pl.lit(check.reason)).alias("reason"),
        _reasons(checks).alias("reasons"),
        *(_original(name) for name in raw.columns),
    )


def _first(checks: Sequence[Check], what: Callable[[Check], pl.Expr]) -> pl.Expr:
    """Something about the first check that a row fails."""
    return pl.coalesce(pl.when(pl.col(f"check:{at}")).then(what(check)) for at, check in enumerate(checks))


def _value(check: Check, raw: Raw) -> pl.Expr:
    """What stands in the columns that show a fault; null for a column that is computed."""
    shown = [pl.col(_original(name)) for name in check.column.split(", ") if name in raw.columns]
    if not shown or len(shown) < check.column.count(", ") + 1:
        return pl.lit(None, pl.String)
    return pl.concat_str(shown, separator=", ", ignore_nulls=True) if len(shown) > 1 else shown[0]


def _reasons(checks: Sequence[Check]) -> pl.Expr:
    """The first fault of every column: a cell that is no number is empty besides, which says nothing new."""
    columns: dict[str, list[pl.Expr]] = {}
    for at, check in enumerate(checks):
        reason = pl.when(pl.col(f"check:{at}")).then(pl.lit(check.reason))
        columns.setdefault(check.column, []).append(reason)
    return pl.concat_str(
        [pl.coalesce(reasons) for reasons in columns.values()], separator="; ", ignore_nulls=True
    )


def _original(name: str) -> str:
    return f"original:{name}"


def _placed(raw: Raw, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the file that they stand in and their number within it."""
    place = pl.col(_PLACE)
    file, start = pl.lit(raw.files[0].path if raw.files else raw.name), pl.lit(0, pl.UInt32)
    for at, source in zip(raw.starts[1:], raw.files[1:], strict=True):
        file = pl.when(place >= at).then(pl.lit(source.path)).otherwise(file)
        start = pl.when(place >= at).then(pl.lit(at, pl.UInt32)).otherwise(start)
    originals = [name for name in rows.collect_schema() if name not in (_PLACE, *COLUMNS)]
    names = (name.removeprefix(_original("")) for name in originals)
    told = [
        pl.col(old).alias(f"{new} (source)" if new in COLUMNS else new)
        for old, new in zip(originals, names, strict=True)
    ]
    here = rows.with_columns(file=file, row=(place - start + 1).cast(pl.UInt32))
    return here.select(*COLUMNS, *told)
