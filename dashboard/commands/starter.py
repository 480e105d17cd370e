"""`rapport init`: a project to start from, on a small example or on a file of one's own.

From a file it proposes a `sources.yaml`: columns whose names say what they are get mapped, what is unclear
stays as a comment to fill in. Nothing is guessed silently: the file lists every column.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dashboard.commands.terminal import CannotRun, ProblemFound, show, show_json
from dashboard.connecting.proposal import Proposal, propose, sources_text

EXAMPLE: Final = """order_no,customer_no,order_date,product,category,quantity,amount
A1001,C01,2026-01-05,Notebook,Paper,2,9.00
A1001,C01,2026-01-05,Fountain pen,Pens,1,24.50
A1002,C02,2026-01-09,Ink,Pens,1,7.90
A1003,C03,2026-01-20,Notebook,Paper,5,22.50
A1004,C01,2026-02-03,Ink,Pens,2,15.80
A1005,C04,2026-02-11,Desk lamp,Office,1,49.00
A1006,C02,2026-02-17,Notebook,Paper,1,4.50
A1007,C01,2026-03-02,Desk lamp,Office,1,49.00
A1008,C05,2026-03-12,Fountain pen,Pens,1,24.50
R0001,C05,2026-03-19,Fountain pen,Pens,-1,-24.50
"""

PROJECT: Final = """\
name: {name}
currency: {currency}        # ISO 4217, such as EUR
timezone: {timezone}        # days and months are cut here, such as Europe/Berlin
# week_start: monday
# fiscal_year_start: 1      # first month of the fiscal year
# locale: en_US             # how numbers and dates are written
"""


@dataclass(frozen=True)
class Start:
    """What `rapport init` was asked for."""

    folder: Path
    sample: Path | None
    name: str
    currency: str
    timezone: str
    blank: bool = False


def init(start: Start, *, as_json: bool) -> None:
    """Write the project.

    Raises CannotRun where there is a project already, ProblemFound when a person has to name a column.
    """
    if (start.folder / "rapport.yaml").exists():
        message = f"project `{start.folder}`: there is one already. Choose another folder"
        raise CannotRun(message)
    if start.blank:
        _write_project(start)
        _tell_blank(start.folder, as_json=as_json)
        return
    sample = start.sample.resolve() if start.sample else start.folder.resolve() / "data" / "orders.csv"
    (start.folder / "metrics").mkdir(parents=True, exist_ok=True)
    if not start.sample:
        sample.parent.mkdir(exist_ok=True)
        sample.write_text(EXAMPLE, encoding="utf-8")
    proposal = propose(sample)
    _write_project(start)
    _write(start.folder / "sources.yaml", sources_text(proposal, sample, start.folder.resolve()))
    _tell(start.folder, proposal, as_json=as_json)


def _write_project(start: Start) -> None:
    start.folder.mkdir(parents=True, exist_ok=True)
    settings = {"name": json.dumps(start.name, ensure_ascii=False), "currency": start.currency}
    _write(start.folder / "rapport.yaml", PROJECT.format(**settings, timezone=start.timezone))
    _write(start.folder / ".gitignore", "store/\n")


def _tell_blank(folder: Path, *, as_json: bool) -> None:
    if as_json:
        show_json({"project": folder})
    else:
        show(f"Wrote {folder / 'rapport.yaml'}")
        show(f"Next: rapport run --project {folder}, and connect a source on the page Connect")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _tell(folder: Path, proposal: Proposal, *, as_json: bool) -> None:
    if as_json:
        show_json({"project": folder, "columns": proposal.columns, "unmapped": proposal.rest})
    else:
        show(f"Wrote {folder / 'rapport.yaml'} and {folder / 'sources.yaml'}")
        show(f"Next: rapport refresh --project {folder}")
    if proposal.missing:
        listed = ", ".join(f"`{name}`" for name in proposal.missing)
        fault = f"{folder / 'sources.yaml'}: no column looks like {listed}"
        message = f"{fault}. Name it there, then run `rapport check --project {folder}`"
        raise ProblemFound(message)
