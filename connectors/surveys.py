"""Exports of survey tools to raw rows: one row a response becomes one row an answer.

A tool has its own header rows and its own names for the response, its time and the respondent. Which column
asks which item is said by patterns: `E_{item}` takes `E_T1` and `E_REL5`, and the item is what stands there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from config.errors import suggestion
from connectors.delimited import below, read_csv
from connectors.errors import SourceError
from connectors.kinds import Answers, CsvSource, ExcelSource, SurveySource
from connectors.manifest import SourceFile
from connectors.raw import ROW, Piece, headings
from connectors.workbooks import fingerprint_of, read_excel

_SOURCE_ROW: Final = "response row"
_CHOICE: Final = "{item}"


class _Tool(NamedTuple):
    """How a tool writes its exports."""

    headers: int
    response: tuple[str, ...]
    answered: tuple[str, ...]


_TOOLS: Final[Mapping[str, _Tool]] = {
    "qualtrics": _Tool(3, ("ResponseId", "ResponseID"), ("RecordedDate", "EndDate")),
    "surveymonkey": _Tool(2, ("Respondent ID", "respondent_id"), ("End Date", "date_modified")),
    "limesurvey": _Tool(1, ("id", "Response ID", "id. Response ID"), ("submitdate", "Date submitted")),
    "google_forms": _Tool(1, (), ("Timestamp",)),
    "typeform": _Tool(1, ("#", "Response ID"), ("Submit Date (UTC)", "Submitted At")),
    "spss": _Tool(0, (), ()),
}
_NO_OPTION: Final = ("", "Response", "Open-Ended Response")


@dataclass(frozen=True)
class _Asked:
    """One column that was answered: the item, its part, and how its cells are read."""

    column: str
    item: str
    how: Answers


def read_survey(source: SurveySource, path: Path, shown: str, copy: Path) -> Piece:
    """The answers of an export: `response`, `item`, `part`, `score`, `answered`, `instrument` and the rest.

    Sorted by response, then by the order of the columns. A cell without an answer is a row without a score.
    Raises SourceError when the file has other header rows, or a pattern takes no column.
    """
    wide = _spss(path, shown) if source.format == "spss" else _table(source, path, shown, copy)
    names = [name for name in wide.frame.collect_schema() if name != ROW]
    asked = _asked(source, names, shown)
    answers = _long(source, wide, asked, names).collect()
    rejected = wide.rejected.with_columns(
        (pl.int_range(pl.len(), dtype=pl.UInt32) + answers.height).alias(ROW)
    )
    height = answers.height + rejected.height
    file = wide.file.model_copy(update={"rows": height})
    told = f"{shown}: {wide.file.rows:,} responses, {len(asked)} answers each"
    numbered = answers.lazy().with_row_index(ROW)
    return Piece(numbered, file, (*wide.notes, told), rejected, wide.twice, height)


# Wide rows


def _table(source: SurveySource, path: Path, shown: str, copy: Path) -> Piece:
    """The responses of a text file or a workbook under one row of names."""
    count = _TOOLS[source.format].headers
    given: dict[str, object] = {"name": source.name, "location": shown}
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls"):
        given |= {"kind": "excel", "sheet": source.sheet}
        whole = read_excel(
            ExcelSource.model_validate({**given, "header": _letters(path, source)}), path, shown
        )
        rows = whole.frame.collect()
        top = [
            ["" if cell is None else str(cell) for cell in row[1:]] for row in rows.head(count).iter_rows()
        ]
        names = _names(source, top, shown)
        body = rows.slice(count).rename(dict(zip(rows.columns[1:], names, strict=True)))
        body = body.with_columns(pl.col(ROW) - pl.lit(count, pl.UInt32))
        file = whole.file.model_copy(update={"rows": body.height})
        return Piece(body.lazy(), file, whole.notes)
    given |= {"kind": "csv", "encoding": source.encoding, "skip_rows": source.skip_rows}
    plain = CsvSource.model_validate({**given, "delimiter": source.delimiter})
    top, rest = below(plain, path, shown, copy, count)
    return read_csv(rest.model_copy(update={"header": tuple(_names(source, top, shown))}), path, shown, copy)


def _letters(path: Path, source: SurveySource) -> tuple[str, ...]:
    import fastexcel

    sheet = fastexcel.read_excel(path).load_sheet(source.sheet or 0, header_row=None, n_rows=1)
    return tuple(f"column {at}" for at in range(1, sheet.width + 1))


def _names(source: SurveySource, top: Sequence[Sequence[str]], shown: str) -> list[str]:
    """One name for each column: Qualtrics' code, SurveyMonkey's question and option, else the header."""
    if source.format == "qualtrics" and not all('"ImportId"' in cell for cell in top[2] if cell):
        fault = "the third row is not Qualtrics' row of import ids"
        raise SourceError(shown, fault, "Export as CSV with `Download all fields` and leave the three rows")
    if source.format != "surveymonkey":
        return headings(top[0])[0]
    questions: list[str] = []
    for cell in top[0]:
        questions.append(cell.strip() or (questions[-1] if questions else ""))
    options = (option.strip() for option in top[1])
    joined = (
        question if option in _NO_OPTION else f"{question} | {option}"
        for question, option in zip(questions, options, strict=False)
    )
    return headings(list(joined))[0]


def _spss(path: Path, shown: str) -> Piece:
    """The responses of an SPSS file: codes as numbers, codes that mean a missing answer as none."""
    try:
        import pyreadstat
    except ImportError:
        fault, remedy = "the reader of SPSS files is not installed", 'pip install "rapport-dashboard[spss]"'
        raise SourceError(shown, fault, f"Install it: {remedy}") from None
    try:
        frame, told = pyreadstat.read_sav(path, user_missing=True, output_format="polars")
    except pyreadstat.ReadstatError as error:
        raise SourceError(shown, f"the file is no SPSS file ({error})", "Check `format:`") from None
    assert isinstance(frame, pl.DataFrame)  # as it was asked for
    ranges: Mapping[str, Any] = told.missing_ranges
    notes: list[str] = []
    columns: list[pl.Series] = []
    for name in frame.columns:
        missing = [_within(frame[name], one["lo"], one["hi"]) for one in ranges.get(name, [])]
        column = frame[name]
        if missing:
            flags = pl.Series([any(one) for one in zip(*missing, strict=True)], dtype=pl.Boolean)
            labels = told.variable_value_labels.get(name, {})
            notes += _missing_notes(shown, column.filter(flags), labels)
            column = column.to_frame().select(pl.when(~flags).then(pl.col(name))).to_series()
        columns.append(column)
    file = SourceFile(
        path=shown, bytes=path.stat().st_size, rows=frame.height, fingerprint=fingerprint_of(path)
    )
    return Piece(pl.DataFrame(columns).lazy().with_row_index(ROW), file, tuple(notes))


def _within(column: pl.Series, lowest: Any, highest: Any) -> list[bool]:  # noqa: ANN401  (codes of any type)
    """Which cells lie in a range of missing codes."""
    return column.is_between(lowest, highest).fill_null(value=False).to_list()


def _missing_notes(shown: str, codes: pl.Series, labels: Mapping[Any, str]) -> Iterator[str]:
    counts = codes.value_counts(sort=True)
    for code, count in counts.iter_rows():
        label = f" ({labels[code]})" if code in labels else ""
        yield f"{shown}: `{codes.name}`: {count:,} answers {code:g}{label} count as missing"


# Long rows


def _asked(source: SurveySource, names: Sequence[str], shown: str) -> list[_Asked]:
    """The columns that the patterns take, in their order; each column and each item once."""
    found: dict[str, _Asked] = {}
    items: dict[tuple[str, str], str] = {}
    for how in source.answers:
        matches = [(name, match) for name in names if (match := _pattern(how.columns).fullmatch(name))]
        if not matches:
            fault = f"no column is called like `{how.columns}`"
            raise SourceError(shown, fault, suggestion(how.columns.replace(_CHOICE, ""), names))
        for name, match in matches:
            item = how.item.replace(_CHOICE, match.groupdict().get("item", name).strip())
            twice = found.get(name) or items.get((item, how.part))
            if twice:
                other = twice.how.columns if isinstance(twice, _Asked) else twice
                fault = f"column `{name}` is item `{item}` ({how.part}), which `{other}` takes too"
                raise SourceError(shown, fault, "Make one of the two patterns narrower")
            found[name] = _Asked(name, item, how)
            items[item, how.part] = name
    return [found[name] for name in names if name in found]


def _pattern(columns: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in columns.split(_CHOICE)]
    return re.compile("(?P<item>.+?)".join(parts[:2]) + "".join(f"(?P=item){part}" for part in parts[2:]))


def _long(source: SurveySource, wide: Piece, asked: Sequence[_Asked], names: Sequence[str]) -> pl.LazyFrame:
    """A row for every response and every column that was asked, as text where the columns differ in type."""
    schema = wide.frame.collect_schema()
    plain = all(schema[one.column].is_numeric() and _is_plain(one.how) for one in asked)
    rest = [name for name in names if name not in {one.column for one in asked}]
    rest = [name for name in rest if name not in ("item", "part", "score", "instrument")]
    known = _own(source, names)
    pieces = [
        wide.frame.select(
            pl.col(ROW).alias(_SOURCE_ROW),
            pl.lit(at).alias("(at)"),
            *known,
            *(pl.col(name) for name in rest if name not in ("response", "answered")),
            pl.lit(source.instrument).alias("instrument"),
            *_answers(one, plain=plain),
        )
        for at, one in enumerate(asked)
    ]
    rows = pl.concat([_listed(piece, one) for piece, one in zip(pieces, asked, strict=True)])
    return rows.sort(_SOURCE_ROW, "(at)", maintain_order=True).drop("(at)").with_columns(
        (pl.col(_SOURCE_ROW) + 1).cast(pl.Int64)
    )  # fmt: skip


def _is_plain(how: Answers) -> bool:
    return how.kind == "scale" and not how.values


def _own(source: SurveySource, names: Sequence[str]) -> list[pl.Expr]:
    """The response and the time of answering, under names of their own."""
    tool = _TOOLS[source.format]
    response = _named(source.response, tool.response, names, "response")
    answered = _named(source.answered, tool.answered, names, "answered")
    number = (pl.col(ROW) + 1).cast(pl.String)
    named = pl.col(response) if response else number
    return [named.alias("response"), *([pl.col(answered).alias("answered")] if answered else [])]


def _named(said: str | None, usual: Sequence[str], names: Sequence[str], key: str) -> str | None:
    if said is not None:
        if said not in names:
            where, fault = f"`{key}:`", f"there is no column `{said}`"
            raise SourceError(where, fault, suggestion(said, names))
        return said
    return next((name for name in usual if name in names), None)


def _answers(one: _Asked, *, plain: bool) -> list[pl.Expr]:
    cell = pl.col(one.column) if plain else _text(one.column)
    if one.how.kind == "ticked":
        cell = pl.when(cell.is_not_null() & ~cell.cast(pl.String).is_in(_UNTICKED)).then(pl.lit("1"))
        cell = cell.otherwise(pl.lit("0"))
    elif one.how.values:
        codes = {key: None if code is None else str(code) for key, code in one.how.values.items()}
        cell = cell.replace(codes)
    score = cell.cast(pl.Float64) if plain else cell
    return [pl.lit(one.item).alias("item"), pl.lit(one.how.part).alias("part"), score.alias("score")]


_UNTICKED: Final = ("", "0", "N", "No", "no", "FALSE", "False", "Not selected")


def _text(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars()
    text = text.str.replace(r"^(-?\d+)\.0$", "${1}")
    return pl.when(text != "").then(text)


def _listed(rows: pl.LazyFrame, one: _Asked) -> pl.LazyFrame:
    """One row for each choice of a cell that lists several: 1 where it was chosen, 0 where others were."""
    if one.how.kind != "listed":
        return rows
    chosen = pl.col("score").cast(pl.String).str.split(one.how.separator)
    cells = rows.with_columns(chosen.list.eval(pl.element().str.strip_chars()).alias("(chosen)")).collect()
    choices = cells["(chosen)"].explode().drop_nulls().unique(maintain_order=True).sort()
    each = [
        cells.filter(pl.col("(chosen)").is_not_null()).with_columns(
            pl.lit(f"{one.item}:{choice}").alias("item"),
            pl.col("(chosen)").list.contains(choice).cast(pl.Int8).cast(pl.String).alias("score"),
        )
        for choice in choices
        if choice
    ]
    return pl.concat([cells.clear(), *each]).drop("(chosen)").lazy()
