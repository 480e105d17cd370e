"""Trying a source before it is saved: what would become of every row; then saving it."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
import yaml

from config.errors import ConfigError, Fault
from config.model import Project
from connectors.durable import replace_text
from connectors.errors import SourceError
from connectors.manifest import SourceReport
from connectors.sources import FILE_NAME, find_sources, read_sources
from connectors.staging import stage
from dashboard.connecting.places import Said

HEAD: Final = "# Where the data comes from and how its columns become ours. Check it with `rapport check`.\n"
_SHOWN: Final = 200


@dataclass(frozen=True)
class Rehearsal:
    """What would become of a source: its report and some rows that would be set aside, or what is wrong."""

    report: SourceReport | None = None
    set_aside: pl.DataFrame | None = None
    faults: tuple[str, ...] = ()


def rehearse(folder: Path, project: Project, said: Said, now: datetime) -> Rehearsal:
    """Read a source whole and map it, without publishing anything."""
    with TemporaryDirectory() as place:
        work = Path(place)
        path = work / FILE_NAME
        path.write_text(_text(said, HEAD + "sources:\n"), encoding="utf-8")
        try:
            sources = read_sources(path)
            staged = stage(folder, project, sources, now=now, workdir=work / "work")
        except ConfigError as error:
            return Rehearsal(faults=tuple(f"{one.fault}. {one.remedy}".strip() for one in error.problems))
        except SourceError as error:
            return Rehearsal(faults=tuple(str(error).split("\n")))
        rows = staged.quarantine.get(said["name"])
        return Rehearsal(staged.reports[0], rows.head(_SHOWN).collect() if rows is not None else None)


def save(folder: Path, said: Said) -> Path:
    """Write a source below the others in `sources.yaml`, which is made where there is none.

    Raises Fault where a source of that name is there; the file is as before when the new one cannot be read.
    """
    path = folder / FILE_NAME
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if before is not None and said["name"] in {source.name for source in find_sources(folder).sources}:
        fault = f"there is a source `{said['name']}` already"
        raise Fault(fault, "Give this one another name")
    replace_text(path, _text(said, before if before is not None else HEAD + "sources:\n"))
    try:
        read_sources(path)
    except ConfigError:
        if before is None:
            path.unlink()
        else:
            replace_text(path, before)
        raise
    return path


def _text(said: Said, above: str) -> str:
    listed = yaml.safe_dump([_plain(said)], sort_keys=False, allow_unicode=True, width=110)
    return above.rstrip("\n") + "\n" + textwrap.indent(listed, "  ")


def _plain(said: Said) -> dict[str, Any]:
    """What is said, without what says nothing."""
    return {key: _unfrozen(value) for key, value in said.items() if value not in (None, "", {}, (), [])}


def _unfrozen(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _unfrozen(each) for key, each in value.items()}
    return [_unfrozen(each) for each in value] if isinstance(value, list | tuple) else value
