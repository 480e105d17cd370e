"""The report as a workbook: native tables and charts, numbers as numbers, a sheet of definitions."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import polars as pl
import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from dashboard.sheet import Picture, Table
from dashboard.snapshots.content import Content, Manifest, PageSheet
from dashboard.text import gettext as _

MOST_ROWS: Final = 10_000
"""Rows of a list in the workbook, which people scroll; how many more the Parquet file has is said."""
_BAD: Final = re.compile(r"[\[\]:*?/\\']")


def report(content: Content, manifest: Manifest) -> bytes:
    """The workbook. A text stays a text, whatever it begins with."""
    file = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties(
            {
                "title": manifest.title,
                "author": manifest.created_by,
                "created": manifest.created_at.replace(tzinfo=None),
            }
        )
        writer = _Writer(book, manifest)
        writer.table(_("Figures"), content.figures(manifest.data.as_of))
        for page in content.pages:
            for block in page.blocks:
                if isinstance(block, Picture | Table):
                    writer.block(page, block)
        writer.table(_("Definitions"), _definitions(content))
        writer.table(_("About"), _about(manifest))
    return file.getvalue()


def _definitions(content: Content) -> pl.DataFrame:
    columns = ("name", "label", "description", "formula", "unit", "direction", "source")
    rows = [each.model_dump(include=set(columns)) for each in content.definitions]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row")


def _about(manifest: Manifest) -> pl.DataFrame:
    told = manifest.model_dump(mode="json", exclude={"files", "rows", "data"})
    told |= {
        f"data.{name}": value
        for name, value in manifest.data.model_dump(mode="json").items()
        if isinstance(value, str)
    }
    return pl.DataFrame({"field": list(told), "value": [str(value) for value in told.values()]})


class _Writer:
    """Sheets under way, with the formats that they share."""

    def __init__(self, book: Workbook, manifest: Manifest) -> None:
        self.book = book
        self.currency = manifest.currency
        self.names: set[str] = set()
        formats = {
            "day": "yyyy-mm-dd",
            "moment": "yyyy-mm-dd hh:mm",
            "money": "#,##0.00",
            "whole": "#,##0",
            "share": "0.0%",
            "number": "#,##0.####",
        }
        self.formats = {name: book.add_format({"num_format": form}) for name, form in formats.items()}
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.quiet = book.add_format({"font_color": "#6B7280"})

    def block(self, page: PageSheet, block: Picture | Table) -> None:
        """A sheet for a chart or a table of a page."""
        frame = block.frame if block.frame is not None else _in_words(block)
        if frame.width == 0:
            return
        sheet, head = self.table(
            f"{page.title} {block.title or block.key}", frame, title=block.title, note=block.note
        )
        if isinstance(block, Picture) and block.figure is not None:
            self.chart(sheet, head, frame, block)

    def table(
        self, name: str, frame: pl.DataFrame, *, title: str = "", note: str = ""
    ) -> tuple[Worksheet, int]:
        """A sheet with a native table; gives the row of its head."""
        sheet = self.book.add_worksheet(self._name(name))
        head = 0
        if title:
            sheet.write_string(0, 0, title, self.title)
            sheet.write_string(1, 0, note, self.quiet)
            head = 3
        rows = frame.head(MOST_ROWS)
        columns = [
            {"header": header, "format": self._format(frame, at)}
            for at, header in enumerate(_unique(frame.columns))
        ]
        if rows.is_empty():
            for at, column in enumerate(columns):
                sheet.write_string(head, at, column["header"])
        else:
            cells = [[_cell(value) for value in row] for row in rows.iter_rows()]
            area = (head, 0, head + len(rows), frame.width - 1)
            sheet.add_table(*area, {"columns": columns, "data": cells, "style": "Table Style Light 1"})
        if len(frame) > MOST_ROWS:
            left = _("{n} more rows are in the Parquet file.").format(n=f"{len(frame) - MOST_ROWS:,}")
            sheet.write_string(head + len(rows) + 2, 0, left, self.quiet)
        sheet.autofit(max_width=320)
        sheet.freeze_panes(head + 1, 0)
        return sheet, head

    def _format(self, frame: pl.DataFrame, at: int) -> Any:  # noqa: ANN401 - XlsxWriter has no types
        name, dtype = frame.columns[at], frame.dtypes[at]
        if dtype == pl.Date:
            return self.formats["day"]
        if isinstance(dtype, pl.Datetime):
            return self.formats["moment"]
        if dtype.is_decimal():
            return self.formats["money"]
        if dtype.is_integer():
            return self.formats["whole"]
        if dtype.is_float():
            return self.formats["share" if name.endswith(("_rate", "rate", "share")) else "number"]
        return None

    def chart(self, sheet: Worksheet, head: int, frame: pl.DataFrame, block: Picture) -> None:
        """A native chart of the numeric columns over the first text column."""
        names = [at for at, dtype in enumerate(frame.dtypes) if not dtype.is_numeric()]
        values = [at for at, dtype in enumerate(frame.dtypes) if dtype.is_numeric()]
        if not names or not values or len(frame) < 2:
            return
        kinds = {trace.get("type") for trace in (block.figure or {}).get("data", ())}
        drawn = self.book.add_chart({"type": "line" if kinds == {"scatter"} else "bar"})
        last = head + min(len(frame), MOST_ROWS)
        for at in values[:4]:
            drawn.add_series(
                {
                    "name": [sheet.name, head, at],
                    "categories": [sheet.name, head + 1, names[0], last, names[0]],
                    "values": [sheet.name, head + 1, at, last, at],
                }
            )
        drawn.set_title({"name": block.title, "name_font": {"size": 11, "bold": True}, "overlay": False})
        drawn.set_legend({"none": len(values) == 1, "position": "bottom"})
        if kinds != {"scatter"}:
            drawn.set_y_axis({"reverse": True})
        drawn.set_size({"width": 640, "height": 360})
        sheet.insert_chart(head, frame.width + 1, drawn, {"description": block.alt})

    def _name(self, wanted: str) -> str:
        """A name that Excel takes: 31 letters, none of its signs, no other of that name."""
        plain = _BAD.sub(" ", wanted).strip()[:31].strip() or "Sheet"
        name, number = plain, 2
        while name.lower() in self.names:
            name = f"{plain[:28].strip()} {number}"
            number += 1
        self.names.add(name.lower())
        return name


def _in_words(block: Picture | Table) -> pl.DataFrame:
    """A table without rows of its own: its words."""
    total = (block.total,) if isinstance(block, Table) and block.total else ()
    heads = _unique(block.heads)
    return pl.DataFrame([*block.rows, *total], schema=dict.fromkeys(heads, pl.String()), orient="row")


def _unique(names: Sequence[str]) -> list[str]:
    """Heads of a table, of which Excel wants no two alike, whatever their case, and none empty."""
    found: list[str] = []
    for at, name in enumerate(names):
        wanted, number = name or f"column {at + 1}", 2
        while wanted.lower() in {each.lower() for each in found}:
            wanted, number = f"{name} {number}", number + 1
        found.append(wanted)
    return found


def _cell(value: object) -> object:
    """A value as Excel holds it: numbers as numbers, days as days, all else as text."""
    if value is None or isinstance(value, bool | int | float | str | date | datetime):
        return value
    return float(value) if isinstance(value, Decimal) else str(value)
