"""Delimited records taken apart line by line, with a way back to firm ground after a broken one."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

LONGEST: Final = 1_000
"""Lines that one record may run over; a quote that stays open for longer was never closed."""

_SPACES: Final = " \t"


class Torn(Enum):
    """Why a text cannot be cut into fields."""

    OPEN = "a quote is opened and never closed"
    BROKEN = "text follows a closing quote"


@dataclass(frozen=True)
class Record:
    """One record: its text, and its fields or what is wrong with it."""

    text: str
    fields: list[str] | None
    fault: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not self.text.strip()


class Records(Iterator[Record]):
    """The records of some lines (without their line ends).

    A record with a quote that never closes, or with text behind a closing quote, is its first line alone:
    reading goes on with the next line, so that one stray quote costs one row.
    """

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self.delimiter = delimiter
        self.lines = 0
        self.pending: deque[str] = deque()
        self._source = lines

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        line = self._line()
        if line is None:
            raise StopIteration
        fields = split(line, self.delimiter)
        if isinstance(fields, list):
            return Record(line, fields)
        return self._longer(line) if fields is Torn.OPEN else Record(line, None, Torn.BROKEN.value)

    def _line(self) -> str | None:
        line = self.pending.popleft() if self.pending else next(self._source, None)
        self.lines += line is not None
        return line

    def _longer(self, first: str) -> Record:
        """The record that starts with an open quote: several lines, or the first alone when it is broken."""
        taken = [first]
        while len(taken) < LONGEST and (line := self._line()) is not None:
            taken.append(line)
            match split(f'"{line}', self.delimiter):  # the quote is still open where this line starts
                case Torn.OPEN:
                    continue
                case Torn.BROKEN:
                    break
                case _:
                    text = "\n".join(taken)
                    fields = split(text, self.delimiter)
                    return Record(text, fields if isinstance(fields, list) else None)
        self.pending.extendleft(reversed(taken[1:]))
        self.lines -= len(taken) - 1
        return Record(first, None, Torn.OPEN.value)


def split(text: str, delimiter: str) -> list[str] | Torn:
    """The fields of one record, or why there are none.

    A quote within an unquoted field is a character like any other; spaces before an opening quote and behind
    a closing one are passed over.

    >>> split('1,"a, b",5" pipe', ",")
    ['1', 'a, b', '5" pipe']
    >>> split('1,"a', ",")
    <Torn.OPEN: 'a quote is opened and never closed'>
    """
    if '"' not in text:
        return text.split(delimiter)
    fields: list[str] = []
    at = 0
    while True:
        field, end = _field(text, at, delimiter)
        if isinstance(field, Torn):
            return field
        fields.append(field)
        if end == len(text):
            return fields
        at = end + 1


def _field(text: str, at: int, delimiter: str) -> tuple[str | Torn, int]:
    """The field that starts at a place, and the place of the delimiter (or of the end) behind it."""
    quote = _past_spaces(text, at, delimiter)
    if text[quote : quote + 1] == '"':
        return _quoted(text, quote + 1, delimiter)
    end = text.find(delimiter, at)
    end = len(text) if end < 0 else end
    return text[at:end], end


def _quoted(text: str, at: int, delimiter: str) -> tuple[str | Torn, int]:
    value = ""
    while (end := text.find('"', at)) >= 0:
        value += text[at:end]
        if text[end + 1 : end + 2] != '"':
            behind = _past_spaces(text, end + 1, delimiter)
            closed = behind == len(text) or text[behind] == delimiter
            return (value if closed else Torn.BROKEN), behind
        value, at = value + '"', end + 2
    return Torn.OPEN, len(text)


def _past_spaces(text: str, at: int, delimiter: str) -> int:
    while at < len(text) and text[at] in _SPACES and text[at] != delimiter:
        at += 1
    return at
