"""Text in columns of fixed width, and JSON lines, to raw rows."""

import json
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final

import polars as pl

from connectors.delimited import Text, opened, spelled
from connectors.encodings import BROKEN
from connectors.kinds import FixedSource, JsonSource
from connectors.raw import COLUMN, REASON, REJECTED, ROW, VALUE, Piece

_UNCLEAN: Final = rf"[\x00{BROKEN}]"
_BATCH: Final = 50_000


def read_fixed(source: FixedSource, path: Path, shown: str, copy: Path) -> Piece:
    """The rows of a file whose columns have fixed widths; a row number is the number of its line.

    A line that ends before its last column begins is rejected, and one with text behind the last column.
    """
    text = opened(source, path, shown, copy)
    lines = pl.scan_lines(text.path, row_index_name=ROW, glob=False).slice(source.skip_rows)
    lines = lines.with_columns(pl.col(ROW) - pl.lit(source.skip_rows, pl.UInt32))
    line = pl.col("line").str.strip_chars_end("\r")
    filled = lines.with_columns(line).filter(pl.col("line").str.contains(r"\S"))
    starts = [0, *accumulate(source.widths.values())]
    faults = {
        "the row ends before its last column": pl.col("line").str.len_chars() <= starts[-2],
        "text stands behind the last column": pl.col("line").str.slice(starts[-1]).str.contains(r"\S"),
        "the row holds bytes that are no text": pl.col("line").str.contains(_UNCLEAN),
    }
    reason = pl.coalesce(pl.when(bad).then(pl.lit(words)) for words, bad in faults.items())
    fields = [
        pl.col("line").str.slice(start, width).str.strip_chars().alias(name)
        for start, (name, width) in zip(starts, source.widths.items(), strict=False)
    ]
    judged = filled.with_columns(reason.alias(REASON))
    span, odd = pl.collect_all([lines.select(pl.len()), judged.filter(pl.col(REASON).is_not_null())])
    rejected = odd.select(ROW, pl.lit("").alias(COLUMN), pl.col("line").alias(VALUE), REASON, *fields)
    frame = judged.filter(pl.col(REASON).is_null()).select(ROW, *fields)
    rows = int(filled.select(pl.len()).collect().item())
    file = text.file.model_copy(update={"rows": rows})
    notes = (f"{shown}: {spelled(text.encoding)}, columns of fixed width",)
    return Piece(frame, file, notes, rejected, span=span.item())


def read_json_lines(source: JsonSource, path: Path, shown: str, copy: Path) -> Piece:
    """The rows of a file with one JSON object a line; `a.b` is the field `b` within `a`, lists stay JSON.

    Every value is text as it is written, so that no number is rounded. A line that is no object is rejected.
    """
    text = opened(source, path, shown, copy)
    rejected: list[dict[str, object]] = []
    frames, rows, span = [], 0, 0
    for batch in _batches(text, source.skip_rows):
        good = {at: fields for at, line in batch if (fields := _fields(line)) is not None}
        rejected += [_rejection(at, line) for at, line in batch if at not in good]
        frames.append(_frame(good))
        rows, span = rows + len(batch), batch[-1][0] + 1
    target = copy.with_name(f"{copy.name}.json.parquet")
    pl.concat(frames or [pl.DataFrame(schema={ROW: pl.UInt32})], how="diagonal").write_parquet(target)
    file = text.file.model_copy(update={"rows": rows})
    odd = pl.DataFrame(rejected, schema=REJECTED)
    notes = (f"{shown}: {spelled(text.encoding)}, JSON lines",)
    return Piece(pl.scan_parquet(target, glob=False), file, notes, odd, span=span)


def _batches(text: Text, skip: int) -> Iterator[list[tuple[int, str]]]:
    with text.path.open(encoding="utf-8-sig", newline="\n") as file:
        lines = ((at, line) for at, line in enumerate(islice(file, skip, None)) if line.strip())
        while batch := list(islice(lines, _BATCH)):
            yield batch


def _fields(line: str) -> dict[str, str | None] | None:
    """The fields of an object as text; None for anything else."""
    try:
        value = json.loads(line, parse_float=str, parse_int=str)
    except ValueError:
        return None
    unclean = "\x00" in line or "\\u0000" in line or BROKEN in line
    return dict(_flat("", value)) if isinstance(value, dict) and not unclean else None


def _flat(above: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name, cell in value.items():
        match cell:
            case dict():
                yield from _flat(f"{above}{name}.", cell)
            case None:
                yield f"{above}{name}", None
            case bool():
                yield f"{above}{name}", str(cell).lower()
            case str():
                yield f"{above}{name}", cell
            case _:
                yield f"{above}{name}", json.dumps(cell, ensure_ascii=False)


def _frame(rows: Mapping[int, Mapping[str, str | None]]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for fields in rows.values() for name in fields))
    columns = {name: [fields.get(name) for fields in rows.values()] for name in names}
    numbers = pl.Series(ROW, list(rows), pl.UInt32)
    return pl.DataFrame([numbers, *(pl.Series(name, cells, pl.String) for name, cells in columns.items())])


def _rejection(at: int, line: str) -> dict[str, object]:
    text = line.rstrip("\r\n").replace(BROKEN, "")
    return {ROW: at, COLUMN: "", VALUE: text, REASON: "the line is no JSON object"}
