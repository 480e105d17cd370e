"""Snapshots stay as they were made, are checked when they arrive, and go only when told."""

import io
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest

from dashboard.sheet import Number, Tiles
from dashboard.snapshots.content import Content, PageSheet, content_hash
from dashboard.snapshots.errors import SnapshotError
from dashboard.snapshots.library import Library, opened


@pytest.fixture
def library(report, tmp_path) -> Library:
    """A library with one copy of the report."""
    folder = tmp_path / "snapshots"
    shutil.copytree(report.folder, folder / report.id)
    return Library(folder)


def test_it_is_whole_and_a_changed_byte_is_named(library):
    snapshot = library.snapshots()[0]
    assert snapshot.faults() == []
    figures = snapshot.folder / "figures.csv"
    data = bytearray(figures.read_bytes())
    data[-5] ^= 1
    figures.write_bytes(data)
    (snapshot.folder / "extra.txt").write_text("x")
    (snapshot.folder / "report.pdf").unlink()
    assert snapshot.faults() == [
        "`report.pdf` is missing",
        "`figures.csv` was changed",
        "`extra.txt` was added",
    ]


def test_a_manifest_cannot_be_moved_to_other_content(library):
    snapshot = library.snapshots()[0]
    text = (snapshot.folder / "manifest.json").read_text("utf-8")
    other = text.replace(snapshot.manifest.content_hash, "0" * 64)
    (snapshot.folder / "manifest.json").write_text(other, "utf-8")
    assert opened(snapshot.folder).faults() == ["`manifest.json` does not belong to the content"]


def test_what_is_opened_again_is_what_was_kept(library, report):
    again = library.snapshots()[0].content()
    kept = report.content()
    assert again.canonical() == kept.canonical()
    frames = kept.frames()
    assert again.frames().keys() == frames.keys()
    for name, frame in again.frames().items():
        assert frame.equals(frames[name])


def test_a_zip_goes_out_and_comes_back(library, tmp_path):
    snapshot = library.snapshots()[0]
    elsewhere = Library(tmp_path / "elsewhere")
    received = elsewhere.receive(snapshot.archive())
    assert received.faults() == []
    assert received.manifest.content_hash == snapshot.manifest.content_hash
    assert elsewhere.receive(snapshot.archive()).id == f"{snapshot.id}-2"


def rezipped(archive, change):
    """The archive with its files changed by `change(dict of bytes by name)`."""
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        files = {name: held.read(name) for name in held.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.csv",
        "/etc/evil",
        "x/../../../figures.csv",
        "x/run.sh",
        "x/frames/../../y.parquet",
        "x/frames/a/b.parquet",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(library, tmp_path, name):
    archive = rezipped(library.snapshots()[0].archive(), lambda files: files.update({name: b"x"}))
    target = Library(tmp_path / "in" / "target")
    with pytest.raises(SnapshotError, match="no file of a snapshot"):
        target.receive(archive)
    assert not list(tmp_path.rglob("evil*"))
    assert not list(target.folder.glob("*"))


def test_a_bomb_is_not_unpacked(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made, made.open("x/figures.csv", "w") as file:
        for _block in range(1_100):
            file.write(b"0" * 1_000_000)
    with pytest.raises(SnapshotError, match="more than a snapshot holds"):
        Library(tmp_path).receive(out.getvalue())


def test_a_changed_or_foreign_archive_is_refused(library, tmp_path):
    snapshot = library.snapshots()[0]
    name = f"{snapshot.id}/figures.csv"
    changed = rezipped(snapshot.archive(), lambda files: files.update({name: b"other"}))
    with pytest.raises(SnapshotError, match=r"`figures\.csv` is not as it was"):
        Library(tmp_path / "a").receive(changed)
    with pytest.raises(SnapshotError, match="no zip"):
        Library(tmp_path / "b").receive(b"hello")


def test_a_newer_format_says_so(library):
    snapshot = library.snapshots()[0]
    path = snapshot.folder / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"format": 2', '"format": 99'), "utf-8")
    with pytest.raises(SnapshotError, match=r"newer Rapport .*Upgrade"):
        opened(snapshot.folder)


KEPT = Path(__file__).with_name("format_1")
"""A snapshot as the first format wrote it; it stays as it is, whatever later releases write."""


def test_a_snapshot_of_the_first_format_still_opens():
    snapshot = opened(KEPT)
    assert snapshot.faults() == []
    (page,) = snapshot.content().pages
    revenue = next(number for number in page.numbers if number.metric == "net_revenue")
    row = snapshot.figures().filter(pl.col("metric") == "net_revenue").row(0, named=True)
    assert (revenue.shown, revenue.amount) == (row["shown"], row["amount"]) == ("$28,875", "28875.2000")
    assert all(len(frame) for frame in snapshot.content().frames().values())


def test_the_hash_overlooks_the_order_of_adding_up_and_nothing_else(manifest):
    def hashed(value, amount="12.34"):
        tiles = Tiles(numbers=(Number(label="Rate", shown="66.3 %", value=value, amount=amount),))
        page = PageSheet(path="p", title="p", blocks=(tiles,))
        return content_hash(Content(pages=(page,)), manifest.data.as_of)

    total = sum([0.1] * 10)
    assert total != 1.0
    assert hashed(total) == hashed(1.0)
    assert hashed(1.0001) != hashed(1.0)
    assert hashed(1.0, "12.35") != hashed(1.0)
