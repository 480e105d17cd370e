"""Sheets of workbooks to raw rows."""

import hashlib
from pathlib import Path

import fastexcel
import polars as pl

from config.errors import suggestion
from connectors.errors import SourceError
from connectors.kinds import ExcelSource
from connectors.manifest import SourceFile
from connectors.raw import ROW, Piece, headings


def fingerprint_of(path: Path) -> str:
    """A digest of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def read_excel(source: ExcelSource, path: Path, shown: str) -> Piece:
    """The rows of one sheet, every cell as text. Raises SourceError when workbook or sheet is not there."""
    sheet = _sheet(source, path, shown)
    table = sheet.to_polars()
    if table.width == 0 or (table.height == 0 and not source.header):
        raise SourceError(shown, "the sheet is empty", "Check `sheet:`")
    names, twice = headings(source.header or ["" if cell is None else cell for cell in table.row(0)])
    if len(names) != table.width:
        fault = f"`header:` names {len(names)} columns, the sheet has {table.width}"
        raise SourceError(shown, fault, "Name every column")
    body = table.rename(dict(zip(table.columns, names, strict=True))).slice(0 if source.header else 1)
    body = body.with_row_index(ROW)
    filled = body.filter(pl.any_horizontal(pl.exclude(ROW).is_not_null()))
    blank = body.height - filled.height
    notes = (f"{shown}: {blank} empty rows passed over",) if blank else ()
    file = SourceFile(
        path=shown, bytes=path.stat().st_size, rows=filled.height, fingerprint=fingerprint_of(path)
    )
    return Piece(filled.lazy(), file, notes, twice=twice, span=body.height)


def _sheet(source: ExcelSource, path: Path, shown: str) -> fastexcel.ExcelSheet:
    try:
        book = fastexcel.read_excel(path)
        name = source.sheet or book.sheet_names[0]
        if name not in book.sheet_names:
            raise SourceError(shown, f"no sheet `{name}`", suggestion(name, book.sheet_names))
        return book.load_sheet(name, header_row=None, skip_rows=source.skip_rows, dtypes="string")
    except fastexcel.FastExcelError as error:
        raise SourceError(shown, "the file is no Excel workbook", "Check `kind:`") from error
