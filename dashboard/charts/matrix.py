"""A matrix as a real HTML table: shaded cells with their figures, thin ones masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class MatrixCell:
    """One cell: its text, its tooltip, and its shade from -1 (below) over 0 to 1 (above).

    `masked` stands for a figure that rests on too little, `strong` for one that chance does not explain.
    """

    text: str
    title: str = ""
    shade: float = 0.0
    masked: bool = False
    strong: bool = False


@dataclass(frozen=True)
class MatrixRow:
    """A row: its name, a size beside it, its cells; None leaves a place empty."""

    name: str
    size: str
    cells: Sequence[MatrixCell | None]
    total: bool = False


def matrix(corner: tuple[str, str], heads: Sequence[str], rows: Sequence[MatrixRow], label: str) -> str:
    """The matrix as HTML; `corner` names the column of names and that of sizes."""
    named = f'aria-label="{escape(label, quote=True)}"'
    first = "".join(f'<th scope="col">{escape(text)}</th>' for text in corner)
    head = "".join(f'<th scope="col" class="turned"><span>{escape(text)}</span></th>' for text in heads)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="cells" role="region" {named} tabindex="0"><table class="cells matrix" {named}>'
        f"<thead><tr>{first}{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: MatrixRow) -> str:
    kind = ' class="mean"' if row.total else ""
    cells = "".join(_cell(cell) for cell in row.cells)
    head = f'<th scope="row">{escape(row.name)}</th><td class="size">{escape(row.size)}</td>'
    return f"<tr{kind}>{head}{cells}</tr>"


def _cell(cell: MatrixCell | None) -> str:
    if cell is None:
        return "<td></td>"
    title = escape(cell.title, quote=True)
    if cell.masked:
        return f'<td><span class="few" title="{title}">{escape(cell.text)}</span></td>'
    kinds = "heat below" if cell.shade < 0 else "heat"
    strong = " strong" if cell.strong else ""
    heat = f"--h:{min(abs(cell.shade), 1.0):.2f}"
    return f'<td><span class="{kinds}{strong}" style="{heat}" title="{title}">{escape(cell.text)}</span></td>'
