"""Old snapshots go by number; what is tagged or noted stays, and so does a version that one of them needs."""

import re
import shutil
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from connectors.store import Store
from dashboard.snapshots.drawing import SCRIPT
from dashboard.snapshots.library import Library, Marks, Remark

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.fixture
def library(copy, report) -> Library:
    """A project with the report and three older copies of it: `copy-2` is the oldest."""
    library = Library(copy / "snapshots")
    shutil.rmtree(library.folder)
    for number in range(-1, 3):
        name = report.id if number < 0 else f"copy-{number}"
        folder = library.folder / name
        shutil.copytree(report.folder, folder)
        text = (
            (folder / "manifest.json").read_text("utf-8").replace(f'"id": "{report.id}"', f'"id": "{name}"')
        )
        moment = f'"created_at": "2026-0{5 - number}-03T22:30:00Z"'
        (folder / "manifest.json").write_text(re.sub(r'"created_at": "[^"]*"', moment, text), "utf-8")
    return library


def names(library):
    return [each.id for each in library.snapshots()]


def test_the_newest_and_the_marked_stay(library, report):
    library.mark("copy-0", Marks(tags=("board",)))
    library.mark("copy-2", Marks(remarks=(Remark(text="As agreed", at=NOW),)))
    assert [each.id for each in library.due(1)] == ["copy-1"]
    assert library.due(4) == []
    assert [each.id for each in library.prune(1)] == ["copy-1"]
    assert names(library) == [report.id, "copy-0", "copy-2"]


def test_a_version_is_let_go_with_the_last_snapshot_of_it(library, copy, rapport):
    store = Store(copy / "store")
    version = library.snapshots()[0].manifest.data.version
    other = rapport("snapshots", "--project", copy, "--prune", 1)
    assert other.code == 0, other.err
    assert "3 deleted: copy-0, copy-1, copy-2" in other.err
    assert version in store.index().pinned

    newest = library.folder / "newest"
    shutil.copytree(library.snapshots()[0].folder, newest)
    text = (newest / "manifest.json").read_text("utf-8")
    later = text.replace(f'"version": "{version}"', '"version": "elsewhere"').replace("2026-06", "2026-09")
    (newest / "manifest.json").write_text(later, "utf-8")
    assert rapport("snapshots", "--project", copy, "--prune", 1).code == 0
    assert version not in store.index().pinned


def test_the_list_says_when_in_the_time_zone_of_the_project(library, copy, rapport):
    library.mark("copy-0", Marks(tags=("board",)))
    listed = rapport("snapshots", "--project", copy)
    row = next(line for line in listed.out.splitlines() if "copy-0" in line)
    assert "May 3, 2026, 6:30\N{NARROW NO-BREAK SPACE}PM EDT" in row
    assert "board" in row


def test_the_page_shows_what_would_go_and_deletes_it(library, copy, report, monkeypatch):
    monkeypatch.setenv("RAPPORT_PROJECT", str(copy))
    library.mark("copy-1", Marks(tags=("board",)))
    page = AppTest.from_string(SCRIPT.format(path="snapshots"), default_timeout=60).run()
    assert not page.exception
    assert page.number_input(key="snapshots.keep").value == 50
    page.number_input(key="snapshots.keep").set_value(1).run()
    shown = "".join(element.value for element in page.html)
    assert "2 of 4 would be deleted" in shown
    assert len(names(library)) == 4
    page.button(key="snapshots.prune").click().run()
    assert not page.exception
    assert names(library) == [report.id, "copy-1"]
    assert "2 snapshots were deleted." in "".join(element.value for element in page.html)
