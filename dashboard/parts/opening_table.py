"""A table whose rows open the customers behind them: the first cell of each is a button with its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dashboard import sheet
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.markup import Column, table, table_block


def opening_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    label: str,
    *,
    key: str,
    opens: Callable[[str], None],
) -> None:
    """Draw a table; `opens` takes the text of the first cell of the row that is chosen."""
    sheet.record(lambda: table_block(columns, rows, label))
    first, *others = columns
    cell_grid(table([replace(first, kind="opens"), *others], rows, label), key=key, chosen=opens)
