"""A `sources.yaml` proposed from a file: what its columns' names say, and comments for what they do not."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl
import yaml

from connectors.errors import SourceError
from connectors.files import read_files
from connectors.guesses import Guess, guessed
from connectors.kinds import CsvSource, ExcelSource, FileSource, ParquetSource
from connectors.presets import Preset, preset_of
from connectors.raw import ROW
from connectors.tables import dtypes, facts
from dashboard.commands.terminal import CannotRun
from dashboard.connecting.candidates import Candidate, candidates, quoted

NEEDED: Final = ("order_id", "customer_id", "ordered_at", "net_amount")
KINDS: Final[Mapping[str, type[FileSource]]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), CsvSource),
    **dict.fromkeys((".parquet", ".pq"), ParquetSource),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls"), ExcelSource),
}
_DAYS: Final = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(.*)")
_SURE: Final = 0.7
_GUESS: Final = 0.5
_MAPPING: Final = ("columns", "attributes", "filters")

SOURCES: Final = """\
# Where the data comes from and how its columns become ours. Check it with `rapport check`.
sources:
  - name: orders
    table: order_lines
    kind: {kind}
    location: {location}
{encoding}    columns:
{columns}{attributes}
"""


@dataclass(frozen=True)
class Proposal:
    """How a file's columns may map to ours: candidates by our name, and the columns left over.

    `preset` is the known export that the columns show, `guess` the encoding of a text that is not
    UTF-8, `doubts` what only the content of a column speaks for.
    """

    candidates: Mapping[str, Candidate]
    rest: tuple[str, ...]
    dates: Sequence[str]
    preset: Preset | None = None
    guess: Guess | None = None
    doubts: Mapping[str, Candidate] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, str]:
        """What each of our columns is made of."""
        return {ours: one.theirs for ours, one in self.candidates.items()}

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns without which nothing can be loaded, and for which none was found."""
        if self.preset:
            return ()
        return tuple(name for name in ("ordered_at", "net_amount") if name not in self.candidates)


def propose(sample: Path) -> Proposal:
    """What a file's columns say. Raises SourceError when the file cannot be read."""
    frame, guess = _sample(sample)
    told = {one.ours: one for one in candidates("order_lines", frame)}
    found = {ours: one for ours, one in told.items() if one.confidence > _GUESS}
    doubts = {ours: one for ours, one in told.items() if ours not in found}
    used = {name for one in found.values() for name in frame.columns if _stands_in(name, one.theirs)}
    dates = frame[found["ordered_at"].theirs] if "ordered_at" in found else pl.Series([], dtype=pl.String)
    texts = dates.cast(pl.String).drop_nulls().to_list()
    rest = tuple(name for name in frame.columns if name not in used)
    return Proposal(found, rest, texts, preset_of(frame.columns), guess, doubts)


def _stands_in(name: str, theirs: str) -> bool:
    return name == theirs or quoted(name) in theirs.split(" * ")


def _sample(path: Path) -> tuple[pl.DataFrame, Guess | None]:
    """The first rows, in an encoding that had to be guessed where nothing proves one."""
    given = {"name": "orders", "kind": _kind_name(path), "location": path.name}
    with TemporaryDirectory() as workdir:
        try:
            return _first_rows(_kind(path).model_validate(given), path, Path(workdir)), None
        except SourceError as error:
            guesses = guessed(path) if "encoding" in error.fault else ()
            if not guesses:
                raise
            named = _kind(path).model_validate({**given, "encoding": guesses[0].encoding})
            return _first_rows(named, path, Path(workdir)), guesses[0]


def _first_rows(source: FileSource, path: Path, workdir: Path) -> pl.DataFrame:
    return read_files(source, path.parent, workdir).frame.drop(ROW, strict=False).head(1000).collect()


def _kind(path: Path) -> type[FileSource]:
    try:
        return KINDS[path.suffix.lower()]
    except KeyError:
        message = f"`{path}`: unknown kind of file. Known: {', '.join(KINDS)}"
        raise CannotRun(message) from None


def _kind_name(path: Path) -> str:
    return {CsvSource: "csv", ParquetSource: "parquet", ExcelSource: "excel"}[_kind(path)]


def sources_text(proposal: Proposal, sample: Path, folder: Path) -> str:
    """The proposed `sources.yaml`, with a comment for whatever a person has to decide."""
    if proposal.preset:
        return preset_text(
            proposal.preset, {"kind": _kind_name(sample), "location": _relative(sample, folder)}
        )
    lines = "".join(f"      {line}\n" for line in _column_lines(proposal))
    return SOURCES.format(
        kind=_kind_name(sample),
        location=_scalar(_relative(sample, folder)),
        encoding=_encoding(proposal.guess),
        columns=lines,
        attributes=_attributes(proposal.rest),
    ).rstrip() + "\n"  # fmt: skip


def _relative(sample: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(sample, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return sample.as_posix()


def _column_lines(proposal: Proposal) -> Iterator[str]:
    for ours in dtypes("order_lines"):
        one = proposal.candidates.get(ours)
        if one is not None:
            doubt = f"      # {one.confidence:.0%} sure: {one.why}" if one.confidence < _SURE else ""
            yield f"{ours}: {_mapping(ours, one.theirs, proposal.dates)}{doubt}"
        elif ours == "order_id":
            yield "order_id: row_number      # nothing looks like an order number: every row is an order"
        elif ours in NEEDED:
            hint = proposal.doubts.get(ours)
            perhaps = f"; perhaps {hint.theirs}: {hint.why}" if hint else ""
            yield f"# {ours}: ?      # {facts('order_lines', ours)['description']}{perhaps}"


def _mapping(ours: str, theirs: str, dates: Sequence[str]) -> str:
    form = _ambiguous_form(dates) if ours == "ordered_at" else None
    if form is None:
        return _scalar(theirs)
    return (
        f'{{from: {_scalar(theirs)}, formats: ["{form}"]}}      # or is the month first? Then swap %d and %m'
    )


def _ambiguous_form(dates: Sequence[str]) -> str | None:
    """A format, day first, when the dates do not show whether the day or the month comes first."""
    matches = [match for value in dates if (match := _DAYS.fullmatch(value))]
    if not matches or len(matches) < len(dates):
        return None
    if max(int(match[part]) for match in matches for part in (1, 3)) > 12:
        return None
    mark, time = matches[0][2], matches[0][5]
    clock = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}[time.count(":")]
    return f"%d{mark}%m{mark}%Y{clock}"


def _encoding(guess: Guess | None) -> str:
    return f"    encoding: {guess.encoding}      # {guess.shown}\n" if guess else ""


def preset_text(preset: Preset, place: Mapping[str, str]) -> str:
    """A `sources.yaml` for a known export, with what a person should know of it."""
    notes = "".join(f"# {note}\n" for note in preset.notes)
    listed = yaml.safe_dump(
        {"sources": [preset_source(preset, place)]}, sort_keys=False, allow_unicode=True, width=110
    )
    return f"# {preset.label}: how the columns become ours. Check it with `rapport check`.\n{notes}{listed}"


def preset_source(preset: Preset, place: Mapping[str, str]) -> dict[str, object]:
    """The source of a known export."""
    said: dict[str, object] = preset.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    mapping: dict[str, object] = {key: said[key] for key in _MAPPING if key in said}
    return {"name": preset.name, "table": preset.table, **place, **mapping}


def _scalar(text: str) -> str:
    """A text as YAML, quoted where YAML would read something else."""
    if re.fullmatch(r"[^\W\d_][\w ./*-]*", text) and text == text.strip() and " #" not in text:
        return text
    return "'" + text.replace("'", "''") + "'"


def _attributes(rest: Sequence[str]) -> str:
    if not rest:
        return ""
    listed = ", ".join(map(_scalar, rest))
    return f"    # Further columns, to filter and to compare by:\n    # attributes: [{listed}]"
