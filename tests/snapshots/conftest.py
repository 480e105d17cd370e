"""A small demo project, and snapshots of it as the command line makes them."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import streamlit as st

from dashboard.snapshots.content import Data, Manifest
from dashboard.snapshots.library import Library, Snapshot

MONTH = """
reports:
  - {name: month, title: A month, pages: [{page: overview, with: {period: Sep 2026}}]}
  - name: house
    title: One page of every kind
    pages:
      - page: overview
      - {page: scorecard, with: {scorecard.section: Priorities}}
      - {page: retention, with: {retention.section: Cohorts}}
      - {page: retention, with: {retention.section: Lifecycle}}
      - {page: retention, with: {retention.section: Contracts}}
      - {page: satisfaction, with: {satisfaction.section: Service quality}}
      - {page: equity, with: {equity.section: Statement}}
      - {page: cross-buying, with: {crossbuying.section: Bought together}}
      - page: data
"""


@pytest.fixture(scope="session")
def shop(tmp_path_factory, rapport) -> Path:
    """The folder of a loaded demo project: 600 customers, 26 months."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    assert rapport("demo", folder, "--customers", 600, "--months", 26).code == 0
    (folder / "reports.yaml").write_text(MONTH, "utf-8")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


Keep = Callable[..., Snapshot]


@pytest.fixture(scope="session")
def keep(rapport) -> Keep:
    """Makes a snapshot of a project: `keep(folder, "--page", "overview")`."""

    def made(folder: Path, *arguments: object) -> Snapshot:
        st.cache_resource.clear()
        done = rapport("snapshot", "--project", folder, "--json", *arguments)
        assert done.code == 0, done.err
        return Library(folder / "snapshots").find(done.json["id"])

    yield made
    st.cache_resource.clear()


@pytest.fixture(scope="session")
def report(shop, keep) -> Snapshot:
    """A report with pages of every kind."""
    return keep(shop, "--report", "house", "--title", "Whole house", "--by", "Mina")


@pytest.fixture
def copy(shop, tmp_path) -> Path:
    """A copy of the shop that a test may change."""
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    return folder


@pytest.fixture
def manifest() -> Manifest:
    """What a snapshot without a project says about itself."""
    at = datetime(2026, 7, 1, 9, tzinfo=UTC)
    data = Data(version="v", content_hash="c", as_of=date(2026, 6, 30), refreshed_at=at)
    return Manifest(
        id="made",
        title="Made",
        created_at=at,
        product="1",
        project="Shop",
        locale="en_US",
        currency="USD",
        timezone="UTC",
        role="masked",
        data=data,
        definitions_hash="d",
        configuration_hash="f",
        content_hash="h",
    )
