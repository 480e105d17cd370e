"""The cohort grid as a real HTML table: shaded cells, running ones with the day on which they close."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from html import escape

import polars as pl

from dashboard.charts.layout import Show


@dataclass(frozen=True)
class Words:
    """The texts of a grid: `cohort` names a row, `day` a closing day, `count` writes a size."""

    cohort: Callable[[int], str]
    day: Callable[[date], str]
    count: Callable[[int], str]
    label: str
    heads: tuple[str, str]
    closes: str
    young: str
    mean: str = ""


@dataclass(frozen=True)
class Shade:
    """How a column of the table is written and shaded.

    `diverging` shades both sides of zero, and nothing whose interval (lower, upper) holds zero.
    """

    column: str
    show: Show
    diverging: bool = False


Row = Mapping[str, object]
"""A row of the table by column."""


@dataclass(frozen=True)
class Grid:
    """A grid to draw: `notes` words the tooltip of a cell, `chosen` names one, `mean` is a row by age."""

    table: pl.DataFrame
    shade: Shade
    words: Words
    notes: Callable[[Row], str]
    chosen: str = ""
    mean: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The ages, each with the last one that counts with it."""
        return self.table.select("age", "until_age").unique().sort("age").rows()

    @cached_property
    def deepest(self) -> float:
        """The value of the deepest shade; the first age, which is all of the cohort, does not count."""
        later = self.table.filter(pl.col("age") > 0, ~pl.col("young_history"))
        found = later[self.shade.column].cast(pl.Float64).abs().max()
        return float(found) if isinstance(found, float) and found > 0 else 1.0


def cohort_grid(grid: Grid) -> str:
    """The grid of a cohort table as HTML, one row a cohort, the latest last.

    A cell is a button named `cohort.age`. Running cells carry the day on which they close in place of a
    figure, cells without one a dash with their reason; cohorts that may hold old customers are pale.
    """
    words = grid.words
    cells = {(row["cohort"], row["age"]): row for row in grid.table.iter_rows(named=True)}
    cohorts = grid.table["cohort"].unique().sort().to_list()
    head = "".join(f'<th scope="col">{_span(*span)}</th>' for span in grid.spans)
    body = "".join(_row(grid, [cells.get((cohort, age)) for age, _ in grid.spans]) for cohort in cohorts)
    named = f'aria-label="{escape(words.label)}"'
    return (
        f'<div class="cells" role="region" {named} tabindex="0"><table class="cells" {named}><thead><tr>'
        f'<th scope="col">{escape(words.heads[0])}</th><th scope="col">{escape(words.heads[1])}</th>{head}'
        f"</tr></thead><tbody>{_means(grid)}{body}</tbody></table></div>"
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def _means(grid: Grid) -> str:
    if not grid.mean:
        return ""
    texts = [grid.shade.show(grid.mean[age]) if age in grid.mean else "" for age, _last in grid.spans]
    cells = "".join(f"<td><span>{escape(text)}</span></td>" for text in texts)
    head = f'<th scope="row">{escape(grid.words.mean)}</th><td class="size"></td>'
    return f'<tr class="mean">{head}{cells}</tr>'


def _row(grid: Grid, cells: Sequence[Row | None]) -> str:
    """One cohort: its name, its size, its cells."""
    first = next(cell for cell in cells if cell is not None)
    young = f' class="young" title="{escape(grid.words.young)}"' if first["young_history"] else ""
    name = escape(grid.words.cohort(int(str(first["cohort"]))))
    head = f'<th scope="row">{name}</th><td class="size">{grid.words.count(int(str(first["size"])))}</td>'
    return f"<tr{young}>{head}{''.join(_cell(grid, cell) for cell in cells)}</tr>"


def _cell(grid: Grid, cell: Row | None) -> str:
    if cell is None:
        return "<td></td>"
    value, closes = cell[grid.shade.column], cell["closes_on"]
    title = escape(grid.notes(cell), quote=True)
    if value is not None:
        number = float(str(value))
        heat = "--h:0" if _is_unsure(grid, cell) else f"--h:{min(abs(number) / grid.deepest, 1.0):.2f}"
        return _button(cell, _kinds(grid, cell, number), title, grid.shade.show(number), heat)
    if not cell["complete"] and isinstance(closes, date):
        return _button(cell, "running", title, grid.words.closes.format(day=grid.words.day(closes)))
    return f'<td><span class="few" title="{title}">\N{EN DASH}</span></td>'


def _is_unsure(grid: Grid, cell: Row) -> bool:
    """Whether a difference may be none: its interval holds zero."""
    lower, upper = cell.get("lower"), cell.get("upper")
    if not grid.shade.diverging or lower is None or upper is None:
        return False
    return float(str(lower)) <= 0 <= float(str(upper))


def _button(cell: Row, kinds: str, title: str, text: str, style: str = "") -> str:
    name = f"{cell['cohort']}.{cell['age']}"
    drawn = f'class="{kinds}" style="{style}" title="{title}"'
    return f'<td><button type="button" data-cell="{name}" {drawn}>{escape(text)}</button></td>'


def _kinds(grid: Grid, cell: Row, number: float) -> str:
    """The classes of a cell."""
    tests = {
        "whole": cell["age"] == 0 and not grid.shade.diverging,
        "below": grid.shade.diverging and number < 0,
        "unsure": _is_unsure(grid, cell),
        "chosen": grid.chosen == f"{cell['cohort']}.{cell['age']}",
        "running": not cell["complete"],
    }
    return " ".join(name for name, holds in tests.items() if holds)
