"""Files to raw rows: their columns as they stand, a number on every row, and the rows that cannot be read."""

from pathlib import Path
from typing import Final

import polars as pl

from config.errors import suggestion
from connectors.delimited import read_csv, read_text
from connectors.errors import SourceError
from connectors.fixed import read_fixed, read_json_lines
from connectors.kinds import (
    CsvSource,
    ExcelSource,
    FileSource,
    FixedSource,
    JsonSource,
    ParquetSource,
    SurveySource,
    TextSource,
)
from connectors.manifest import SourceFile
from connectors.raw import ROW, Piece, Raw
from connectors.surveys import read_survey
from connectors.workbooks import fingerprint_of, read_excel

_GLOB: Final = "*?["


def read_files(source: FileSource, folder: Path, workdir: Path) -> Raw:
    """The raw rows of all files of a source, one file after the other in the order of their names.

    `workdir` takes copies of files that are not plain UTF-8. Raises SourceError when a file is missing or
    cannot be read at all; rows that cannot be read are in `rejected`.
    """
    pieces = [
        _read(source, path, _shown(path, folder), workdir / f"{source.name}-{at}")
        for at, path in enumerate(locate(source, folder))
    ]
    raw = Raw.of(source.name, pieces)
    if raw.rows == 0:
        where, shown = f"source `{source.name}`", ", ".join(f"`{file.path}`" for file in raw.files[:3])
        remedy = "Check the export that writes it; the last good version stays in use"
        raise SourceError(where, f"{shown} holds a header and no rows", remedy)
    return raw


def _read(source: FileSource, path: Path, shown: str, copy: Path) -> Piece:
    match source:
        case CsvSource():
            return read_csv(source, path, shown, copy)
        case TextSource():
            return read_text(source, path, shown, copy)
        case FixedSource():
            return read_fixed(source, path, shown, copy)
        case JsonSource():
            return read_json_lines(source, path, shown, copy)
        case SurveySource():
            return read_survey(source, path, shown, copy)
        case ParquetSource():
            return read_parquet(path, shown)
        case ExcelSource():
            return read_excel(source, path, shown)


def locate(source: FileSource, folder: Path) -> list[Path]:
    """The files of a source, each once, in the order of the list and of their names.

    Raises SourceError for a path that leads nowhere, with the sibling that may have been meant.
    """
    listed = [source.location] if isinstance(source.location, str) else source.location
    found = [path for location in listed for path in _matches(source.name, location, folder)]
    return list(dict.fromkeys(found))


def _matches(name: str, location: str, folder: Path) -> list[Path]:
    where, path = f"source `{name}`", folder / location
    if path.is_file():
        return [path]
    if path.is_dir():
        raise SourceError(where, f"`{location}` is a folder", f"Write `{location.rstrip('/')}/*.csv`")
    if any(mark in location for mark in _GLOB):
        found = sorted(found for found in _globbed(folder, location) if found.is_file())
        if not found:
            raise SourceError(where, f"no file matches `{location}`", _siblings(path))
        return found
    raise SourceError(where, f"the file `{location}` does not exist", _siblings(path))


def _globbed(folder: Path, location: str) -> list[Path]:
    pattern = Path(location)
    if pattern.is_absolute():
        return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    while pattern.parts[0] == "..":
        folder, pattern = folder.parent, Path(*pattern.parts[1:])
    return list(folder.glob(str(pattern)))


def _siblings(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder `{path.parent.name}` does not exist either: check `location:`"
    names = sorted(found.name for found in path.parent.iterdir() if found.is_file())
    return suggestion(path.name, names) or "The folder is empty: check `location:`"


def _shown(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def read_parquet(path: Path, shown: str) -> Piece:
    """The rows of a Parquet file, with the types that it gives. Raises SourceError when it is none."""
    try:
        frame = pl.scan_parquet(path, glob=False)
        schema = frame.collect_schema()
        rows = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(shown, "the file is not Parquet, or is cut short", "Check `kind:`") from error
    texts = [name for name, dtype in schema.items() if dtype in (pl.Binary, pl.Null)]
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    frame = frame.with_columns(pl.col(texts).cast(pl.String, strict=False)).drop(nested)
    notes = [f"{shown}: column `{name}` holds nested values and is left out" for name in nested]
    file = SourceFile(path=shown, bytes=path.stat().st_size, rows=rows, fingerprint=fingerprint_of(path))
    return Piece(frame.with_row_index(ROW), file, tuple(notes))
