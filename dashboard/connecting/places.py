"""Where a source lies, and its first rows: a file, several, or a table of a database."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
from pydantic import TypeAdapter

from config.errors import Fault
from connectors.errors import SourceError
from connectors.files import locate, read_files
from connectors.guesses import Guess, guessed
from connectors.kinds import DatabaseSource, Source
from connectors.raw import ROW

KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls"), "excel"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
}
"""Kinds of files by their suffix."""

ROWS: Final = 1_000
_VARIABLE: Final = re.compile(r"[A-Za-z_]\w*")
_SOURCE: Final[TypeAdapter[Any]] = TypeAdapter(Source)

Said = Mapping[str, Any]
"""What `sources.yaml` says of one source."""


@dataclass(frozen=True)
class Look:
    """The first rows of a source, what was found out about it, and an encoding that had to be guessed."""

    rows: pl.DataFrame
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    guess: Guess | None = None


def file_place(location: str, encoding: str = "") -> dict[str, Any]:
    """A source for files. Raises Fault for a kind that is not known."""
    suffix = Path(location).suffix.lower()
    if suffix not in KINDS:
        fault = f"`{location}`: unknown kind of file"
        raise Fault(fault, f"Known: {', '.join(KINDS)}")
    named = {"encoding": encoding} if encoding else {}
    return {"name": source_name(location), "kind": KINDS[suffix], "location": location, **named}


def whole_folder(folder: Path, location: str) -> str:
    """The pattern of all files of a folder's commonest kind; the location itself when it is no folder."""
    place = folder / location
    if not place.is_dir():
        return location
    kinds = Counter(path.suffix.lower() for path in place.iterdir() if path.suffix.lower() in KINDS)
    suffix = kinds.most_common(1)[0][0] if kinds else ".csv"
    return f"{location.rstrip('/')}/*{suffix}"


def database_place(variable: str, relation: str = "", query: str = "") -> dict[str, Any]:
    """A source for a table or a query of the database whose address an environment variable holds."""
    what = {"query": query} if query else {"from": relation}
    name = source_name(relation or "query")
    return {"name": name, "kind": "database", "connection": f"${{{variable}}}", **what}


def source_name(location: str) -> str:
    """A name for a source after its file or table."""
    if Path(location).stem.strip("*?[]") == "":
        location = Path(location).parent.name + ".csv"
    stem = Path(location).stem if "/" in location or Path(location).suffix else location.rsplit(".", 1)[-1]
    return re.sub(r"[^\w]+", "_", stem.casefold()).strip("_") or "source"


def modelled(said: Said, environ: Mapping[str, str] = os.environ) -> Source:
    """The source that is said, with the address from the environment. Raises Fault where there is none."""
    if said["kind"] != "database":
        source: Source = _SOURCE.validate_python(said)
        return source
    variable = said["connection"][2:-1]
    if not _VARIABLE.fullmatch(variable) or not environ.get(variable):
        fault = f"the environment variable `{variable}` is not set"
        raise Fault(fault, "Set it to the address of the database where Rapport runs, then start it again")
    found: Source = _SOURCE.validate_python({**said, "connection": environ[variable]})
    return found


def tables(variable: str, folder: Path) -> list[str]:
    """The tables of a database. Raises Fault or SourceError when it cannot be asked."""
    from connectors.databases import session

    source = modelled(database_place(variable, query="SELECT 1"))
    assert isinstance(source, DatabaseSource)  # as it was made
    with session(source, folder) as opened:
        return opened.tables()


def look(said: Said, folder: Path) -> Look:
    """The first rows of a source. Raises SourceError or Fault when they cannot be read."""
    source = modelled(said)
    with TemporaryDirectory() as workdir:
        if isinstance(source, DatabaseSource):
            return _database(source, folder, Path(workdir))
        try:
            raw = read_files(source, folder, Path(workdir))
        except SourceError as error:
            guesses = guessed(locate(source, folder)[0]) if "encoding" in error.fault else ()
            if not guesses or said.get("encoding"):
                raise
            found = look({**said, "encoding": guesses[0].encoding}, folder)
            return Look(found.rows, found.notes, guess=guesses[0])
        return Look(raw.frame.drop(ROW).head(ROWS).collect(), raw.notes)


def _database(source: DatabaseSource, folder: Path, workdir: Path) -> Look:
    from connectors.databases import read_head

    raw = read_head(source, folder, workdir, ROWS)
    return Look(raw.frame.drop(ROW).collect(), raw.notes, raw.warnings)


def files(folder: Path, suffixes: Sequence[str] = tuple(KINDS)) -> list[str]:
    """Files of a project folder that may be sources, by their paths within it; the store is passed over."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes and path.is_file())
    paths = (path.relative_to(folder) for path in found)
    return [path.as_posix() for path in paths if not path.parts[0].startswith((".", "store"))]
