"""Real projects, loaded and asked through the product's own commands."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

PROJECTS = Path(__file__).parent
SHIPPED = "../../../../shared/data"
Edit = Callable[[str], str]


@dataclass(frozen=True)
class Loaded:
    """A project with a store of its own."""

    rapport: Callable[..., Any]
    project: Path
    store: Path
    refreshed: Mapping[str, Any]

    def ask(self, *arguments: object) -> list[dict[str, Any]]:
        """What `rapport query ... --json` prints."""
        done = self.rapport("query", *arguments, "--json", "--project", self.project, "--store", self.store)
        assert done.code == 0, done.err
        return done.json

    def figure(self, name: str, *arguments: object) -> dict[str, Any]:
        """The only row of a query for one figure."""
        (row,) = self.ask(name, *arguments)
        return row

    def value(self, name: str, *arguments: object) -> float:
        """The value of a single figure."""
        return self.figure(name, *arguments)["value"]

    def source(self, name: str) -> dict[str, Any]:
        """What became of the rows of a source."""
        return next(report for report in self.refreshed["sources"] if report["name"] == name)


@pytest.fixture(scope="session")
def load(real_data, rapport, tmp_path_factory) -> Callable[..., Loaded]:
    """Loads a project of this folder: as it is, or with its `sources.yaml` edited, or over other data."""

    def loaded(name: str, edit: Edit = str, data: Path = real_data, settings: Edit = str) -> Loaded:
        folder = tmp_path_factory.mktemp(name)
        for file, change in (("rapport.yaml", settings), ("sources.yaml", edit)):
            text = change((PROJECTS / name / file).read_text(encoding="utf-8"))
            (folder / file).write_text(text.replace(SHIPPED, data.as_posix()), encoding="utf-8")
        if (PROJECTS / name / "instruments").is_dir():
            shutil.copytree(PROJECTS / name / "instruments", folder / "instruments")
        store = folder / "store-elsewhere"
        done = rapport("refresh", "--json", "--project", folder, "--store", store)
        assert done.code == 0, done.err
        return Loaded(rapport, folder, store, done.json)

    return loaded


@pytest.fixture(scope="session")
def cdnow(load) -> Loaded:
    """Every row is an order."""
    return load("cdnow")


@pytest.fixture(scope="session")
def retail(load) -> Loaded:
    """Every invoice line as it is."""
    return load("online_retail")


def insert(text: str, after: str, lines: str) -> str:
    """`lines` put below the only line that ends with `after`, with its indentation."""
    found = [line for line in text.splitlines() if line.endswith(after)]
    assert len(found) == 1, f"{after!r} stands on {len(found)} lines"
    indent = found[0][: len(found[0]) - len(found[0].lstrip())]
    added = "\n".join(f"{indent}{line}" for line in lines.splitlines())
    return text.replace(found[0], f"{found[0]}\n{added}", 1)


@pytest.fixture(scope="session")
def inserted() -> Callable[[str, str, str], str]:
    """`inserted(text, after, lines)`: a YAML text with further lines below one of its own."""
    return insert


@pytest.fixture(scope="session")
def shuffled() -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Rows in another order, the same one every time."""
    return lambda frame: frame.sample(fraction=1, shuffle=True, seed=20261122)
