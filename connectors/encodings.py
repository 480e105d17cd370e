"""What the bytes of a text file are: its encoding, its line ends, whether it is text at all.

One pass over the bytes answers everything that reading needs to know beforehand, and makes the fingerprint.
UTF-8 (with or without a byte-order mark) and cp1252 are told apart; any other encoding has to be named,
because nothing in the bytes proves it.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from encodings.aliases import aliases
from pathlib import Path
from typing import Final

from config.errors import suggestion
from connectors.errors import SourceError
from connectors.guesses import guessed, in_words

BROKEN: Final = "\ufffd"
"""Stands before the hexadecimal code of every byte that the encoding does not know."""

MARKED: Final = "rapport-mark"
"""The error handler that writes such marks."""

_CHUNK: Final = 1 << 22
_UNDEFINED: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_MULTIBYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FORMATS: Final = {
    b"PK\x03\x04": "an Excel workbook or another zip archive. For a workbook write `kind: excel`",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Write `kind: excel`",
    b"PAR1": "a Parquet file. Write `kind: parquet`",
    b"\x1f\x8b": "compressed with gzip. Unpack it first",
    b"SQLite format 3\x00": "an SQLite database. Write `kind: database`",
    b"%PDF": "a PDF. Export the table as CSV",
}


@dataclass(frozen=True)
class Survey:
    """What one pass over a file's bytes found."""

    bytes: int
    fingerprint: str
    ascii: bool
    utf8: bool
    quotes: bool
    zeros: bool
    newlines: bool
    returns: bool


def survey(path: Path, shown: str) -> Survey:
    """Look at every byte of a text file once.

    Raises SourceError for an empty file, for a file that is no text, and for one that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            found = _survey(iter(lambda: file.read(_CHUNK), b""))
            file.seek(0)
            head = file.read(1 << 16)
    except OSError as error:
        fault = f"cannot be opened ({error.strerror})"
        raise SourceError(shown, fault, "Check the permissions", retryable=True) from error
    _refuse_other_formats(head, shown)
    return found


def _survey(chunks: Iterator[bytes]) -> Survey:
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    size, ascii_, utf8 = 0, True, True
    seen = dict.fromkeys((b'"', b"\0", b"\n", b"\r"), False)
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        seen = {mark: there or mark in chunk for mark, there in seen.items()}
        plain = chunk.isascii()
        utf8 = utf8 and ((ascii_ and plain) or _decodes(decoder, chunk))
        ascii_ = ascii_ and plain
    utf8 = utf8 and _decodes(decoder, b"", final=True)
    return Survey(size, digest.hexdigest()[:32], ascii_, utf8, *seen.values())


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_other_formats(head: bytes, shown: str) -> None:
    if not head.strip():
        raise SourceError(shown, "the file is empty", "Check the export that writes it")
    for mark, words in _FORMATS.items():
        if head.startswith(mark):
            raise SourceError(shown, f"the file is {words}")
    if _binary(head) and not _marked(head) and not _wide(head):
        raise SourceError(shown, "the file is binary, not text", "Check the path and `kind:`")


def _binary(head: bytes) -> bool:
    """Whether more than one byte in twenty is a control character that no text holds."""
    return len(_CONTROL.findall(head)) > len(head) // 20


def _marked(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


def _wide(head: bytes) -> bool:
    """Whether every other byte is mostly zero, as in UTF-16 without a byte-order mark."""
    return max(head[0::2].count(0), head[1::2].count(0)) > len(head) // 4


def encoding_of(path: Path, shown: str, named: str | None, found: Survey) -> str:
    """Encoding of a file: the named one where the bytes do not contradict it, else `utf-8` or `cp1252`.

    Raises SourceError when the name is unknown, contradicts the bytes, or is missing and needed.
    """
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if named is not None:
        return _agreeing(named, head, found, shown)
    if mark := _marked(head):
        raise SourceError(shown, f"the file is {mark.upper()}", f"Add `encoding: {mark}`")
    if found.zeros and _wide(head):
        raise SourceError(shown, "the file looks like UTF-16", "Add `encoding: utf-16-le` or `utf-16-be`")
    if found.utf8 or _mostly_utf8(path):
        return "utf-8"
    if _western(path):
        return "cp1252"
    guesses = guessed(path)
    found_out = f": {in_words(guesses)}" if guesses else ""
    remedy = f"Name it: add `encoding:`, such as `encoding: {guesses[0].encoding if guesses else 'cp1250'}`"
    raise SourceError(shown, f"the encoding is neither UTF-8 nor cp1252{found_out}", remedy)


def _agreeing(named: str, head: bytes, found: Survey, shown: str) -> str:
    try:
        name = codecs.lookup(named).name
    except LookupError:
        known = sorted({alias.replace("_", "-") for alias in (*aliases, *aliases.values())})
        raise SourceError(shown, f"unknown encoding `{named}`", suggestion(named, known)) from None
    if name in ("utf-8", "utf-8-sig", "ascii"):
        return "utf-8"
    wide = name.startswith(("utf-16", "utf-32"))
    if found.utf8 and (not found.zeros if wide else not found.ascii):
        raise SourceError(shown, f"the file is UTF-8, but `encoding:` says `{named}`", "Remove `encoding:`")
    if wide and not found.zeros:
        raise SourceError(shown, f"the file is not `{named}`", "Remove `encoding:`, or name the right one")
    return "utf-8" if found.ascii and not wide and "a,;|\t1".encode(name) == b"a,;|\t1" else name


def _high_runs(path: Path) -> Iterator[tuple[bytes, list[bytes]]]:
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            yield chunk, _HIGH.findall(chunk)


def _mostly_utf8(path: Path) -> bool:
    """Whether at least half of the non-ASCII characters are well-formed UTF-8: some broken rows."""
    good = bad = 0
    for _, runs in _high_runs(path):
        for run in runs:
            rest, count = _MULTIBYTE.subn(b"", run)
            good, bad = good + count, bad + len(rest)
    return good >= bad and good > 0


def _western(path: Path) -> bool:
    """Whether cp1252 is plausible: no byte that it leaves undefined, and accents that stand alone.

    Cyrillic, Greek or East Asian text in its own encoding has words made of high bytes only.
    """
    alone = together = 0
    for chunk, runs in _high_runs(path):
        if _UNDEFINED.search(chunk):
            return False
        lengths = [len(run) for run in runs]
        alone += sum(length for length in lengths if length < 3)
        together += sum(length for length in lengths if length >= 3)
    return alone >= together


def _mark_broken(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    codes = "".join(f"{BROKEN}\\x{byte:02x}" for byte in error.object[error.start : error.end])
    return codes, error.end


codecs.register_error(MARKED, _mark_broken)


def transcode(path: Path, encoding: str, target: Path, *, returns: bool = False) -> Path:
    """Write a copy in UTF-8; bytes that the encoding does not know become `BROKEN` and their code.

    With `returns` the line ends are lone carriage returns, which become line feeds.
    """
    decoder = codecs.getincrementaldecoder(encoding)(MARKED)
    with path.open("rb") as source, target.open("wb") as copy:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            copy.write(_line_feeds(decoder.decode(chunk), returns).encode())
        copy.write(_line_feeds(decoder.decode(b"", final=True), returns).encode())
    return target


def _line_feeds(text: str, returns: bool) -> str:
    return text.replace("\r", "\n") if returns else text
