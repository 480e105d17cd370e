"""`rapport init --survey`: an instrument drafted from the headers of a survey's file, to be looked through.

What a column's name says is taken, everything else stays as a comment; nothing is guessed silently.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from dashboard.commands.terminal import CannotRun, show, show_json
from dashboard.instruments import UNDER

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "expectation": ("expectation", "expected", "exp", "e"),
    "perception": ("perception", "perceived", "performance", "satisfaction", "perc", "per", "p", "s"),
    "minimum": ("minimum", "min", "adequate"),
    "desired": ("desired", "des", "d"),
    "importance": ("importance", "imp", "i"),
}
"""What a column of an item begins with, by the part of the item that it asks for."""

QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "nps": ("nps", "recommend"),
    "csat": ("csat", "satisfied", "satisfaction"),
    "ces": ("ces", "effort", "easy"),
    "overall": ("overall",),
}
SCALES: Final = ((1, 5), (1, 7), (0, 10), (1, 9), (1, 10), (1, 100), (0, 100))
USUAL: Final = {"nps": (0, 10)}
ROWS: Final = 5000
SERVQUAL: Final = {"T": 4, "REL": 5, "RES": 4, "ASS": 4, "EMP": 5}
_ITEM: Final = re.compile(r"^(?P<prefix>[A-Za-z]+)[ _.\-]*(?P<item>[A-Za-z]*\d+)$")
_FIRST: Final = "# yaml-language-server: $schema=../schemas/instruments.schema.json"


@dataclass(frozen=True)
class Draft:
    """What the headers say: items by part, questions by column, the rest, and the range of each column."""

    name: str
    items: Mapping[str, Mapping[str, str]]
    questions: Mapping[str, str]
    rest: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of all items, in the order of the file."""
        return tuple(dict.fromkeys(code for columns in self.items.values() for code in columns))


def write_draft(folder: Path, file: Path, *, as_json: bool) -> None:
    """Draft `instruments/<name>.yaml` of a project from a file.

    Raises CannotRun where the file cannot be read, no column is an answer, or there is such a draft already.
    """
    draft = drafted(file)
    path = folder / UNDER / f"{draft.name}.yaml"
    if path.exists():
        message = f"`{path}` is there already. Rename or remove it first"
        raise CannotRun(message)
    if not (draft.items or draft.questions):
        message = (
            f"`{file}`: no column looks like an answer. Items are told by names such as `E1` and `P1`, "
            "`expectation_1`, `nps`; rename columns, or describe the instrument by hand"
        )
        raise CannotRun(message)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(draft, file), encoding="utf-8")
    if as_json:
        show_json({"path": path, "items": list(draft.codes), "questions": dict(draft.questions)})
        return
    show(f"Wrote {path}: {len(draft.codes)} items, {len(draft.questions)} questions")
    show("Look through it: dimensions, scale and reversed items are for you to say. Then: rapport check")


def drafted(file: Path) -> Draft:
    """What the headers of a CSV, Excel or Parquet file say. Raises CannotRun when it cannot be read."""
    frame = _read(file)
    items, taken = _items(frame.columns)
    left = [column for column in frame.columns if column not in taken]
    questions = _questions(left)
    rest = tuple(column for column in left if column not in questions.values())
    name = re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_")
    named = name if name[:1].isalpha() else f"survey_{name}".rstrip("_")
    return Draft(named, items, questions, rest, _ranges(frame, (*taken, *questions.values())))


def _read(file: Path) -> pl.DataFrame:
    try:
        match file.suffix.lower():
            case ".parquet":
                return pl.read_parquet(file).head(ROWS)
            case ".xlsx" | ".xls" | ".xlsb" | ".ods":
                return pl.read_excel(file).head(ROWS)
            case _:
                return pl.read_csv(file, separator=_separator(file), infer_schema=False, n_rows=ROWS)
    except FileNotFoundError:
        message = f"`{file}` does not exist. Check the path"
        raise CannotRun(message) from None
    except (OSError, PolarsError, UnicodeDecodeError) as error:
        message = f"`{file}` cannot be read: {str(error).splitlines()[0]}. Save it as UTF-8 CSV"
        raise CannotRun(message) from None


def _separator(file: Path) -> str:
    with file.open(encoding="utf-8-sig") as lines:
        head = lines.readline()
    return max(",;\t|", key=head.count)


def _items(columns: Iterable[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Columns by part and item; a part counts from two items on."""
    parts = {prefix: part for part, prefixes in PARTS.items() for prefix in prefixes}
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        match = _ITEM.match(column.strip())
        part = parts.get(match["prefix"].lower()) if match else None
        if match and part:
            found.setdefault(part, {})[match["item"]] = column
    kept = {part: items for part, items in found.items() if len(items) > 1}
    return kept, [column for items in kept.values() for column in items.values()]


def _questions(columns: Iterable[str]) -> dict[str, str]:
    """The first column of each kind of question, by its kind."""
    found: dict[str, str] = {}
    for column in columns:
        words = re.split(r"[^a-z]+", column.lower())
        for kind, signs in QUESTIONS.items():
            if kind not in found and any(word.startswith(sign) for word in words for sign in signs):
                found[kind] = column
                break
    return found


def _ranges(frame: pl.DataFrame, columns: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The lowest and the highest number of each column that has numbers."""
    found = {}
    for column in columns:
        numbers = frame[column].cast(pl.Float64, strict=False).drop_nulls().to_list()
        if numbers:
            found[column] = (min(numbers), max(numbers))
    return found


def _scale(ranges: Iterable[tuple[float, float]]) -> tuple[float, float] | None:
    """The usual scale that holds all numbers most tightly; None where none does."""
    seen = list(ranges)
    if not seen:
        return None
    low, high = min(pair[0] for pair in seen), max(pair[1] for pair in seen)
    fits = [scale for scale in SCALES if scale[0] <= low and high <= scale[1]]
    return min(fits, key=lambda scale: scale[1] - scale[0]) if fits else None


def text_of(draft: Draft, file: Path) -> str:
    """The YAML of a draft, with what a person has to decide in comments."""
    columns = [column for items in draft.items.values() for column in items.values()]
    scale = _scale(draft.ranges[column] for column in columns if column in draft.ranges)
    lines = [
        _FIRST,
        f"# Drafted from the headers of {file.name}. Look through it; `rapport check` says what is wrong.",
        "instruments:",
        f"  - name: {draft.name}",
        f"    label: {json.dumps(file.stem, ensure_ascii=False)}",
    ]
    if draft.items:
        lines += _item_lines(draft, scale)
    if draft.questions:
        lines += ["    questions:", *(_question_line(draft, *pair) for pair in draft.questions.items())]
    if draft.rest:
        listed = ", ".join(draft.rest)
        lines.append(f"# Columns that are no answers by their names: {listed}")
    return "\n".join(lines) + "\n"


def _item_lines(draft: Draft, scale: tuple[float, float] | None) -> list[str]:
    low, high = scale or (1, 7)
    told = "by the answers in the file" if scale else "FILL IN: the answers fit no usual scale"
    first = {part: next(iter(columns.items())) for part, columns in draft.items.items()}
    read = ", ".join(f"{part} from {column} on" for part, (_item, column) in first.items())
    return [
        f"    parts: [{', '.join(draft.items)}]    # {read}",
        f"    scale: {{min: {low:g}, max: {high:g}}}    # {told}",
        "    # reversed: []    # items worded negatively",
        "    # weights: none    # none, fixed, points or importance",
        "    dimensions:",
        *_dimension_lines(draft.codes),
    ]


def _dimension_lines(codes: tuple[str, ...]) -> list[str]:
    """Dimensions by the letters of codes, or by SERVQUAL's order; else one, to be taken apart."""
    groups: dict[str, list[str]] = {}
    for code in codes:
        groups.setdefault(code.rstrip("0123456789"), []).append(code)
    if len(groups) > 1 and all(groups):
        return [_dimension(name, name, items) for name, items in groups.items()]
    if codes == tuple(str(at) for at in range(1, 23)):
        start, lines = 0, ["      # 22 items: SERVQUAL's order in both versions. Which one was asked?"]
        for name, size in SERVQUAL.items():
            lines.append(_dimension(name, name, codes[start : start + size]))
            start += size
        return lines
    note = "      # FILL IN: take the items apart into dimensions"
    return [note, _dimension("all", "All items", codes)]


def _dimension(name: str, label: str, items: Iterable[str]) -> str:
    listed = ", ".join(json.dumps(item) for item in items)
    return f"      {name}: {{label: {label}, items: [{listed}]}}"


def _question_line(draft: Draft, kind: str, column: str) -> str:
    seen = draft.ranges.get(column)
    low, high = USUAL.get(kind) or _scale([seen] if seen else []) or (1, 7)
    code = json.dumps(column, ensure_ascii=False)
    scale = f"{{min: {low:g}, max: {high:g}}}"
    line = f"      {code}: {{label: {code}, kind: {kind}, scale: {scale}}}"
    if seen and (seen[0] < low or seen[1] > high):
        codes = f"codes run from {seen[0]:g} to {seen[1]:g}"
        line += f"    # FILL IN: {codes}. Is the scale shifted? Then set `offset`"
    return line
