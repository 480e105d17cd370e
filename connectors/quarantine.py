"""Rows that cannot be used: where each stands, what is wrong with it, and everything that it says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from connectors.mapping import Check
from connectors.raw import OWN, ROW, Raw

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


def write_quarantine(
    raw: Raw, faults: pl.LazyFrame | None, checks: Sequence[Check], target: Path
) -> dict[str, int]:
    """Write the quarantine of one source and count its rows by their first reason.

    `faults` has ROW and one flag a check (`check:0` ...) for the rows at fault. Rows that could not be read
    at all come from `raw.rejected`. Sorted by file and row. Nothing is written for no rows.
    """
    found = [_rejected(raw)] if raw.rejected.height else []
    if faults is not None and faults.select(pl.len()).collect().item():
        found.append(_faulty(raw, faults, checks))
    if not found:
        return {}
    pl.concat(found, how="diagonal").sort("file", "row").sink_parquet(target)
    counts = pl.scan_parquet(target).group_by("reason").len().collect()
    return dict(counts.sort(pl.col("len"), "reason", descending=[True, False]).iter_rows())


def _rejected(raw: Raw) -> pl.LazyFrame:
    rows = raw.rejected.lazy().with_columns(pl.col("reason").alias("reasons"))
    return _placed(raw, rows.rename(_renamed(raw)), pl.col(ROW))


def _faulty(raw: Raw, faults: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
    own = pl.col(OWN) if OWN in raw.frame.collect_schema() else pl.col(ROW)
    originals = [pl.col(name).cast(pl.String).alias(f"original:{name}") for name in raw.columns]
    rows = raw.frame.select(ROW, own.cast(pl.UInt32).alias("(place)"), *originals)
    rows = rows.join(faults, on=ROW, how="inner", maintain_order="left")
    flags = [pl.col(f"check:{at}") for at in range(len(checks))]
    shown = [
        pl.col(f"original:{check.column}") if check.column in raw.columns else pl.lit(None, pl.String)
        for check in checks
    ]
    reasons = pl.concat_list(
        pl.when(flag).then(pl.lit(check.reason)) for flag, check in zip(flags, checks, strict=True)
    )
    described = rows.with_columns(
        column=pl.coalesce(pl.when(f).then(pl.lit(c.column)) for f, c in zip(flags, checks, strict=True)),
        value=pl.coalesce(pl.when(f).then(s) for f, s in zip(flags, shown, strict=True)),
        all=reasons.list.drop_nulls().list.unique(maintain_order=True),
    ).with_columns(reason=pl.col("all").list.first(), reasons=pl.col("all").list.join("; "))
    kept = [f"original:{name}" for name in raw.columns]
    described = described.select("(place)", *[n for n in COLUMNS if n not in ("file", "row")], *kept)
    names = {f"original:{name}": _renamed(raw).get(name, name) for name in raw.columns}
    return _placed(raw, described.rename(names), pl.col("(place)"))


def _renamed(raw: Raw) -> dict[str, str]:
    return {name: f"{name} (source)" for name in raw.columns if name in COLUMNS}


def _placed(raw: Raw, rows: pl.LazyFrame, place: pl.Expr) -> pl.LazyFrame:
    """Rows with the file that they stand in and their number within it."""
    file, start = pl.lit(raw.files[0].path if raw.files else raw.name), pl.lit(0, pl.UInt32)
    for at, source in zip(raw.starts[1:], raw.files[1:], strict=True):
        file = pl.when(place >= at).then(pl.lit(source.path)).otherwise(file)
        start = pl.when(place >= at).then(pl.lit(at, pl.UInt32)).otherwise(start)
    here = rows.with_columns(file=file, row=(place - start + 1).cast(pl.UInt32))
    return here.select(*COLUMNS, pl.exclude(*COLUMNS, ROW, "(place)"))
