"""Text files to raw rows: a fast path for clean lines, an exact one for the lines that are not.

Polars fills short rows with nulls and loses its way at a stray quote, both silently. So every line is first
held against the one shape that it reads without doubt; lines of any other shape are taken apart by hand, and
a copy is written in which they are either in that shape or marked as rejected.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import polars as pl

from connectors.encodings import BROKEN, Survey, encoding_of, survey, transcode
from connectors.errors import SourceError
from connectors.kinds import CsvSource, EncodedSource, TextSource
from connectors.manifest import SourceFile
from connectors.raw import COLUMN, REASON, REJECTED, ROW, VALUE, Piece, headings
from connectors.records import Record, Records, split

_DELIMITERS: Final = ",;\t|"
_NONE: Final = "\x1f"
"""The delimiter of a file with one column: the separator that no text holds."""

_NAMES: Final = {
    _NONE: "one column",
    ",": "comma between columns",
    ";": "semicolon between columns",
    "\t": "tab between columns",
    "|": "bar between columns",
}

_FEWER: Final = "the row has fewer columns than the header"
_MORE: Final = "the row has more columns than the header"
_UNCLEAN: Final = rf"[\x00{BROKEN}]"
_MARK: Final = "\x00"
"""First field of a line in a mended copy that holds the place of a rejected row."""


@dataclass(frozen=True)
class Text:
    """A text file in UTF-8, ready to be read; `marked` says that broken bytes are marked in it."""

    path: Path
    shown: str
    found: Survey
    encoding: str
    marked: bool

    @property
    def file(self) -> SourceFile:
        """What is noted of the file; its rows are counted later."""
        return SourceFile(path=self.shown, bytes=self.found.bytes, fingerprint=self.found.fingerprint)


def read_csv(source: CsvSource, path: Path, shown: str, copy: Path) -> Piece:
    """The rows of a delimited file. `copy` is where a mended or transcoded copy may go.

    Raises SourceError when the file as a whole cannot be read.
    """
    text = opened(source, path, shown, copy)
    records = Records(_lines(text.path, source.skip_rows), _delimiter(source, text))
    header = source.header or _header(records, text)
    names, twice = headings(header)
    top = source.skip_rows + (0 if source.header else records.lines)
    return _Layout(text, records.delimiter, names, twice, top).piece(copy)


def below(
    source: CsvSource, path: Path, shown: str, copy: Path, count: int
) -> tuple[list[list[str]], CsvSource]:
    """The first `count` records of a delimited file, and the source that begins below them."""
    text = opened(source, path, shown, copy)
    records = Records(_lines(text.path, source.skip_rows), _delimiter(source, text))
    found = [_header(records, text) for _ in range(count)]
    rest = {"skip_rows": source.skip_rows + records.lines, "delimiter": records.delimiter}
    return found, source.model_copy(update=rest)


def opened(source: EncodedSource, path: Path, shown: str, copy: Path) -> Text:
    """A text file in UTF-8: as it is, or a copy. Raises SourceError when it is no text that can be read."""
    found = survey(path, shown)
    encoding = encoding_of(path, shown, source.encoding, found)
    returns = found.returns and not found.newlines
    if encoding == "utf-8" and found.utf8 and not returns:
        return Text(path, shown, found, encoding, marked=False)
    target = transcode(path, encoding, copy.with_name(f"{copy.name}.utf8"), returns=returns)
    return Text(target, shown, found, encoding, marked=True)


def _lines(path: Path, skip: int) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        yield from (line.rstrip("\r\n") for line in islice(file, skip, None))


def _delimiter(source: CsvSource, text: Text) -> str:
    """The named delimiter, or the one that cuts the first lines into the most columns of equal number."""
    if source.delimiter:
        return source.delimiter
    sample = [line for line in islice(_lines(text.path, source.skip_rows), 100) if line]
    best = max(_DELIMITERS, key=lambda mark: _evenness(sample, mark))
    return best if _evenness(sample, best)[1] else _NONE


def _evenness(sample: Sequence[str], mark: str) -> tuple[float, int]:
    widths = [len(fields) for fields in (split(line, mark) for line in sample) if isinstance(fields, list)]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return widths.count(widths[0]) / len(widths), widths[0]


def _header(records: Records, text: Text) -> list[str]:
    for record in records:
        if record.blank:
            continue
        if record.fields is None:
            raise SourceError(text.shown, f"the header cannot be read: {record.fault}", "Mend the first line")
        return record.fields
    raise SourceError(text.shown, "the file is empty", "Check the export that writes it")


@dataclass(frozen=True)
class _Layout:
    """How a delimited file is laid out; `top` lines stand above the first row."""

    text: Text
    delimiter: str
    names: list[str]
    twice: frozenset[str]
    top: int

    def piece(self, copy: Path) -> Piece:
        """The rows: straight from the file when every line is clean, else from a mended copy."""
        count, odd = self._odd_lines()
        if not odd.len():
            return self._clean(count)
        return self._mended(copy.with_name(f"{copy.name}.mended"), odd, count)

    def _odd_lines(self) -> tuple[int, pl.Series]:
        """The number of lines below the header, and the places of those without the one clean shape."""
        lines = pl.scan_lines(self.text.path, glob=False).slice(self.top)
        odd = lines.select(~self._is_clean(pl.col("line"))).collect().to_series()  # one bit a line
        return len(odd), odd.arg_true()

    def _is_clean(self, line: pl.Expr) -> pl.Expr:
        width = len(self.names)
        if self.text.found.quotes:
            mark = rf"\x{{{ord(self.delimiter):x}}}"
            one = rf'(?:[^"{mark}\x00{BROKEN}]*|"(?:[^"\x00{BROKEN}]|"")*")'
            clean = line.str.contains(rf"^{one}(?:{mark}{one}){{{width - 1}}}$")
        else:
            clean = line.str.count_matches(self.delimiter, literal=True) == width - 1
            if self.text.found.zeros or self.text.marked:
                clean &= ~line.str.contains(_UNCLEAN)
        return clean & (line != "") if width == 1 else clean

    def _scan(self, path: Path, top: int, quote: str | None) -> pl.LazyFrame:
        return pl.scan_csv(
            path,
            has_header=False,
            skip_lines=top,
            schema=dict.fromkeys(self.names, pl.String),
            separator=self.delimiter,
            quote_char=quote,
            row_index_name=ROW,
            glob=False,
        )

    def _clean(self, count: int) -> Piece:
        frame = self._scan(self.text.path, self.top, '"' if self.text.found.quotes else None)
        file = self.text.file.model_copy(update={"rows": count})
        return Piece(frame, file, self._notes(), twice=self.twice)

    def _mended(self, target: Path, odd: pl.Series, count: int) -> Piece:
        with (
            self.text.path.open(encoding="utf-8-sig", newline="\n") as source,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            next(islice(source, self.top, self.top), None)
            mending = _Mending(self, copy)
            mending.run(source, odd.to_list(), count)
        frame = self._scan(target, 0, '"')
        if mending.rejected:
            frame = frame.filter(pl.col(self.names[0]).ne_missing(_MARK))
        file = self.text.file.model_copy(update={"rows": mending.rows})
        blank = (f"{self.text.shown}: {mending.blank} blank lines passed over",) if mending.blank else ()
        return Piece(frame, file, (*self._notes(), *blank), self._rejections(mending.rejected), self.twice)

    def _rejections(self, rejected: list[dict[str, object]]) -> pl.DataFrame:
        return pl.DataFrame(rejected, schema={**REJECTED, **dict.fromkeys(self.names, pl.String)})

    def _notes(self) -> tuple[str, ...]:
        mark = _NAMES.get(self.delimiter, f"`{self.delimiter}` between columns")
        return (f"{self.text.shown}: {spelled(self.text.encoding)}, {mark}",)


def spelled(encoding: str) -> str:
    """An encoding as people write it."""
    return encoding.upper() if encoding.startswith("utf") else encoding


@dataclass
class _Mending:
    """Copies the lines of a file; an odd one is mended, joined with those below it, or rejected."""

    layout: _Layout
    copy: TextIO
    rows: int = 0
    blank: int = 0
    rejected: list[dict[str, object]] = field(default_factory=list)

    def run(self, source: TextIO, odd: Sequence[int], count: int) -> None:
        """Go through the `count` lines below the header; `odd` are the places of the odd ones."""
        write = csv.writer(self.copy, delimiter=self.layout.delimiter, lineterminator="\n").writerow
        at = 0
        for place in odd:
            if place < at:  # already taken by a record that runs over several lines
                continue
            self.copy.writelines(islice(source, place - at))
            self.rows += place - at
            records = Records((line.rstrip("\r\n") for line in source), self.layout.delimiter)
            at = place + self._take(records, write)
            while records.pending:
                at += self._take(records, write)
        self.copy.writelines(source)
        self.rows += count - at

    def _take(self, records: Records, write: Callable[[Sequence[str]], object]) -> int:
        """Take one record and say how many lines it had."""
        before = records.lines
        record = next(records)
        if record.blank and len(self.layout.names) > 1:
            self.blank += 1
        elif fault := self._fault(record):
            self._reject(record, fault)
            write([_MARK, *[""] * (len(self.layout.names) - 1)])
        else:
            write(record.fields or [""])
            self.rows += 1
        return records.lines - before

    def _fault(self, record: Record) -> str:
        width = len(self.layout.names)
        if record.fields is None:
            return record.fault
        if "\x00" in record.text:
            return "the row holds a zero byte"
        if self.layout.text.marked and BROKEN in record.text:
            return f"the row holds bytes that are not {spelled(self.layout.text.encoding)}"
        found = len(record.fields)
        return "" if found == width else _FEWER if found < width else _MORE

    def _reject(self, record: Record, fault: str) -> None:
        text = record.text.replace(BROKEN, "") if self.layout.text.marked else record.text
        fields = [one.replace(BROKEN, "") if self.layout.text.marked else one for one in record.fields or []]
        original = dict(zip(self.layout.names, fields, strict=False))
        self.rejected.append({ROW: self.rows, COLUMN: "", VALUE: text, REASON: fault, **original})
        self.rows += 1


def read_text(source: TextSource, path: Path, shown: str, copy: Path) -> Piece:
    """The rows of a file with white space between the columns; a row number is the number of its line."""
    text = opened(source, path, shown, copy)
    names, width = list(source.header), len(source.header)
    pattern = r"^\s*" + r"\s+".join(rf"(?<c{at}>\S+)" for at in range(width)) + r"\s*$"
    lines = pl.scan_lines(text.path, row_index_name=ROW, glob=False).slice(source.skip_rows)
    lines = lines.with_columns(pl.col(ROW) - pl.lit(source.skip_rows, pl.UInt32))
    filled = lines.filter(pl.col("line").str.contains(r"\S"))
    fits = pl.col("line").str.contains(pattern) & ~pl.col("line").str.contains(_UNCLEAN)
    spans, rows = pl.collect_all([lines.select(pl.len()), filled.select(pl.len())])
    odd = filled.filter(~fits).collect()
    frame = (
        filled.filter(fits)
        .with_columns(pl.col("line").str.extract_groups(pattern).alias("fields"))
        .select(ROW, *(pl.col("fields").struct.field(f"c{at}").alias(n) for at, n in enumerate(names)))
    )
    file = text.file.model_copy(update={"rows": rows.item()})
    blank = spans.item() - rows.item()
    notes = [f"{shown}: {spelled(text.encoding)}, white space between columns"]
    notes += [f"{shown}: {blank} blank lines passed over"] if blank else []
    return Piece(frame, file, tuple(notes), _unfit(odd, names), span=spans.item())


def _unfit(odd: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    parts = pl.col("line").str.extract_all(r"\S+")
    reason = (
        pl.when(parts.list.len() < len(names))
        .then(pl.lit(_FEWER))
        .when(parts.list.len() > len(names))
        .then(pl.lit(_MORE))
        .otherwise(pl.lit("the row holds bytes that are no text"))
    )
    fields = (parts.list.get(at, null_on_oob=True).alias(name) for at, name in enumerate(names))
    return odd.select(
        ROW, pl.lit("").alias(COLUMN), pl.col("line").alias(VALUE), reason.alias(REASON), *fields
    )
