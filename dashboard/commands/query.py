"""`rapport query`: any figure without the browser."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from config.errors import Fault
from dashboard import category_trees
from dashboard.commands.opening import opened, served
from dashboard.commands.terminal import ProblemFound, say, show, show_json, show_table
from dashboard.counts import with_unit
from dashboard.figures import GRAINS, Book, Span, parsed_day, period_name
from dashboard.format import Formatter
from dashboard.lineage import reads_categories
from metrics.counted import counted
from metrics.frames import CATEGORY
from metrics.periods import Calendar, Grain
from metrics.selection import SEGMENT, Selection

Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What was typed: names of metrics, what to split by, which rows, which days."""

    names: Sequence[str]
    by: Sequence[str] = ()
    where: str | None = None
    segments: Sequence[str] = ()
    start: str | None = None
    end: str | None = None
    as_of: str | None = None


def query(project: Path | None, store: Path | None, question: Question, *, as_json: bool) -> None:
    """Print figures. Raises Fault for a name, a column, a value or a day that is not known."""
    workspace = opened(project, store)
    version = served(workspace)
    as_of = _day(question.as_of, workspace.calendar) or version.manifest.as_of
    book = Book(workspace, version, as_of)
    _check_names(book, question.names)
    rows = list(_rows(book, question))
    if as_json:
        show_json(rows)
    else:
        _show(book, question, rows)


def _check_names(book: Book, names: Sequence[str]) -> None:
    """Every unknown or broken name at once."""
    faults = []
    for name in names:
        try:
            book.definitions.catalog.plan(name)
        except Fault as fault:
            faults.append(str(fault))
    if faults:
        raise ProblemFound("\n".join(faults))


def _rows(book: Book, question: Question) -> Iterator[Row]:
    grain, column = _split(question.by)
    calendar = book.workspace.calendar
    span = Span(_day(question.start, calendar), _day(question.end, calendar, last=True))
    if question.where:
        book.marts.check_where(question.where)
    selection = _selection(question)
    frame = book.figures(question.names, book.window(span, grain), by=column, selection=selection)
    figures: dict[str, list[Row]] = {name: [] for name in question.names}
    for figure in frame.iter_rows(named=True):
        figures.get(figure["metric"], []).append(_row(book, figure, grain, column))
    for name in dict.fromkeys(question.names):
        yield from figures[name]


def _selection(question: Question) -> Selection | None:
    """Which customers and lines count; None for all. Of several segments any will do."""
    if not question.where and not question.segments:
        return None
    groups = {SEGMENT: tuple(question.segments)} if question.segments else {}
    return Selection(groups, where=question.where or None)


def _split(by: Sequence[str]) -> tuple[Grain, str | None]:
    """The grain and the column among what was asked for, one of each at most."""
    grains = [Grain(name) for name in by if name in GRAINS]
    columns = [name for name in by if name not in GRAINS]
    for found, what in ((grains, "grain"), (columns, "column")):
        if len(found) > 1:
            fault = f"`--by` takes one {what}, not {' and '.join(found)}"
            raise Fault(fault, "Ask twice")
    return grains[0] if grains else Grain.ALL, columns[0] if columns else None


def _row(book: Book, figure: Row, grain: Grain, column: str | None) -> Row:
    by: Row = {column: figure["by"]} if column else {}
    if grain is not Grain.ALL:
        by[grain.value] = period_name(figure["period"], grain, book.workspace.calendar)
    unit = book.definitions.catalog.definition(figure["metric"]).unit
    kept = ("metric", "value", "n", "lower", "upper", "interval", "complete", "excluded", "reason")
    row = {name: figure[name] for name in kept} | {"as_of": book.as_of, "by": by}
    if column == CATEGORY or reads_categories(book.definitions.catalog, figure["metric"]):
        found = category_trees.tree(book.marts)
        row["category_tree"] = found.version if found else None
    row["counts"] = counted(book.definitions.catalog, figure["metric"])
    row["unit"] = book.workspace.project.currency if unit == "money" else unit
    return row | ({"amount": figure["amount"]} if figure["amount"] is not None else {})


def _show(book: Book, question: Question, rows: Sequence[Row]) -> None:
    project = book.workspace.project
    formatter = Formatter(project.locale, project.currency)
    split = list(rows[0]["by"]) if rows else []
    lines = [_line(book, formatter, row) for row in rows]
    show_table(("figure", *split, ">value", ">95 % interval", ">n", "note"), lines)
    names = dict.fromkeys(question.names)
    for name in names:
        definition = book.definitions.catalog.definition(name)
        say(f"{definition.label}: {definition.description}")
    where = f", where {question.where}" if question.where else ""
    inside = f", segment {' or '.join(question.segments)}" if question.segments else ""
    show(f"{project.name}, as of {formatter.day(book.as_of)}{inside}{where}")
    if any("category_tree" in row for row in rows):
        show(f"category tree {category_trees.described(book.marts, formatter)}")


def _line(book: Book, formatter: Formatter, row: Row) -> tuple[str, ...]:
    definition = book.definitions.catalog.definition(row["metric"])
    amount = row.get("amount")
    value = formatter.full(row["value"] if amount is None else amount, definition.style)
    bounds = [formatter.full(row[end], definition.style) for end in ("lower", "upper")]
    interval = " to ".join(bounds) if row["lower"] is not None else ""
    split = ["none" if part is None else str(part) for part in row["by"].values()]
    return (definition.label, *split, value, interval, _count(row, formatter), _note(row))


def _count(row: Row, formatter: Formatter) -> str:
    return "" if row["value"] is None else with_unit(row["n"], row["counts"], formatter)


def _note(row: Row) -> str:
    notes = [row["reason"] or "", "" if row["complete"] else "period still runs"]
    if row["excluded"]:
        notes.append(f"{row['excluded']:,} left out")
    return "; ".join(filter(None, notes))


def _day(text: str | None, calendar: Calendar, *, last: bool = False) -> date | None:
    return parsed_day(text, calendar, last=last) if text else None
