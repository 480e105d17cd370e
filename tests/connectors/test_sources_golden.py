"""Every bad input in tests/golden/sources ends as the text beside it says.

A case is a folder with `sources.yaml` and its files; `expected.txt` is the message that stops the load, or
what became of the rows: one line a source, and one line a quarantined row. To add a case, write the folder,
run the tests with `RAPPORT_WRITE_GOLDEN=1`, and read what they wrote.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from config.errors import ConfigError
from config.model import Project
from connectors.errors import SourceError
from connectors.manifest import SourceReport
from connectors.sources import read_sources
from connectors.staging import stage

GOLDEN = Path(__file__).parents[1] / "golden" / "sources"
CASES = sorted(path.name for path in GOLDEN.iterdir())
PROJECT = Project(name="Shop", currency="EUR")
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def told(case: Path, workdir: Path) -> str:
    """What a person is told about a case."""
    try:
        sources = read_sources(case / "sources.yaml", environ={})
        staged = stage(case, PROJECT, sources, now=NOW, workdir=workdir)
    except (ConfigError, SourceError) as error:
        return str(error).replace(f"{case}/", "")
    lines = [line for report in staged.reports for line in summary(report)]
    return "\n".join(
        [*lines, *(line for name in staged.quarantine for line in rows(staged.quarantine[name]))]
    )


def summary(report: SourceReport) -> Iterator[str]:
    yield f"{report.name}: {report.rows_read} rows read, {report.accepted} accepted, {report.merged} merged"
    for what, counts in (("quarantined", report.quarantined), ("filtered", report.filtered)):
        yield from (f"  {what}: {count} {reason}" for reason, count in counts.items())
    yield from (f"  repaired: {count} {what}" for what, count in report.repaired.items())


def rows(quarantine: pl.LazyFrame) -> Iterator[str]:
    for row in quarantine.collect().iter_rows(named=True):
        value = "" if row["value"] is None else f"`{row['value']}`"
        yield f"{row['file']}, row {row['row']}, column {row['column'] or '-'}: {value} {row['reasons']}"


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_told_in_these_words(case: str, tmp_path: Path) -> None:
    found, expected = told(GOLDEN / case, tmp_path), GOLDEN / case / "expected.txt"
    if os.environ.get("RAPPORT_WRITE_GOLDEN") == "1":
        expected.write_text(f"{found}\n", encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8").rstrip("\n")
