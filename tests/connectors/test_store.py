"""The store: versions that share parts, a pointer that is swapped whole, words for whatever can go wrong."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from socket import gethostname
from time import sleep

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from connectors.errors import StoreError
from connectors.store import Manifest, SourceReport, Store, Version
from connectors.writer import Writer, exclusive

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ROWS = pl.DataFrame({"id": [f"{n:04}" for n in range(1000)], "amount": range(1000)})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def publish(store: Store, rows: pl.DataFrame = ROWS, *, part_rows: int = 250, now: datetime = NOW) -> Version:
    before = store.current()
    with exclusive(store, now=now) as writer:
        entry = table(writer, rows, before, part_rows)
        return writer.publish(manifest(writer, entry, now))


def table(writer: Writer, rows: pl.DataFrame, before: Version | None, part_rows: int):
    parts = type(writer.parts)(writer.draft, writer.parts.final, writer.work, part_rows)
    return parts.table("things", rows.lazy(), ("id",), before.manifest.tables["things"] if before else None)


def manifest(writer: Writer, entry, now: datetime = NOW) -> Manifest:
    return Manifest(
        id=writer.id,
        refreshed_at=now,
        as_of=date(2026, 2, 28),
        content_hash=entry.hash,
        tables={"things": entry},
    )


def files(store: Store) -> set[str]:
    return {path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file()}


# --- reading and publishing


def test_an_empty_store_has_no_version_and_creates_nothing(store: Store):
    assert store.current() is None
    assert store.versions() == []
    assert not store.root.exists()


def test_what_is_published_is_read_back_sorted(store: Store):
    version = publish(store, ROWS.sample(fraction=1, shuffle=True, seed=1))
    assert version.id == "20260301T093000Z"
    assert version == store.current() == store.open(version.id)
    assert_frame_equal(version.scan("things").collect(), ROWS)
    assert [part.rows for part in version.manifest.tables["things"].parts] == [250] * 4
    assert version.has("things")
    assert not version.has("others")
    with pytest.raises(KeyError):
        version.scan("others")
    assert version.quarantine("orders").collect().is_empty()


def test_nothing_but_the_version_stays(store: Store):
    version = publish(store)
    named = {part.path for part in version.manifest.parts()}
    assert files(store) == named | {"current.json", "refresh.lock", f"versions/{version.id}/manifest.json"}


def test_two_versions_of_one_second_have_two_names(store: Store):
    assert [publish(store).id, publish(store).id] == ["20260301T093000Z", "20260301T093000Z-2"]


def test_versions_are_listed_oldest_first(store: Store):
    ids = [publish(store, now=NOW.replace(hour=hour)).id for hour in (10, 11, 9)]
    assert [version.id for version in store.versions()] == ids
    current = store.current()
    assert current is not None
    assert current.id == ids[-1]


# --- parts


def test_the_same_rows_again_share_every_part(store: Store):
    first = publish(store)
    again = publish(store, ROWS.reverse().select("amount", "id"))
    assert again.manifest.content_hash == first.manifest.content_hash
    assert again.manifest.parts() == first.manifest.parts()


def test_one_changed_row_writes_one_part(store: Store):
    first = publish(store)
    changed = ROWS.with_columns(pl.when(pl.col("id") == "0600").then(-1).otherwise("amount").alias("amount"))
    second = publish(store, changed)
    shared = set(first.manifest.parts()) & set(second.manifest.parts())
    assert len(shared) == 3
    assert second.manifest.content_hash != first.manifest.content_hash
    assert_frame_equal(second.scan("things").collect(), changed)


def test_rows_that_grow_stay_sorted_under_the_old_cuts_and_are_cut_anew_when_too_many(store: Store):
    publish(store)
    more = pl.concat([ROWS, pl.DataFrame({"id": ["00000", "0250a", "zz"], "amount": [1, 2, 3]})])
    second = publish(store, more)
    assert_frame_equal(second.scan("things").collect(), more.sort("id"))
    assert len(second.manifest.tables["things"].parts) == 4
    much = pl.concat([more, more.with_columns(pl.col("id") + "x")])
    third = publish(store, much)
    assert_frame_equal(third.scan("things").collect(), much.sort("id"))
    assert len(third.manifest.tables["things"].parts) == 8


def test_a_share_of_rows_without_a_key_comes_first(store: Store):
    rows = ROWS.with_columns(pl.when(pl.col("amount") % 3 > 0).then("id").alias("id")).sort("id", "amount")
    version = publish(store, rows)
    assert_frame_equal(version.scan("things").collect().sort("id", "amount"), rows)
    assert version.scan("things").collect()["id"].is_sorted()


def test_a_table_without_rows_keeps_its_columns(store: Store):
    version = publish(store, ROWS[:0])
    assert version.scan("things").collect_schema() == ROWS.schema
    assert version.manifest.tables["things"].rows == 0


# --- pruning


def test_pruning_keeps_the_newest_the_current_and_the_pinned_and_every_shared_part(store: Store):
    versions = [
        publish(
            store, ROWS.with_columns(amount=pl.col("amount") + n * (pl.col("id") >= "0750").cast(pl.Int64))
        )
        for n in range(5)
    ]
    with exclusive(store, now=NOW) as writer:
        writer.pin(versions[1].id)
        assert writer.prune(keep=2) == (versions[0].id, versions[2].id)
    left = [versions[1], versions[3], versions[4]]
    assert [version.id for version in store.versions()] == [version.id for version in left]
    for version in left:  # three of their four parts lie in the folder of the pruned first version
        assert store.open(version.id).scan("things").collect().height == 1000
    assert len([name for name in files(store) if name.endswith(".parquet")]) == 3 + 3
    with exclusive(store, now=NOW) as writer:
        writer.unpin(versions[1].id)
        writer.prune(keep=0)
    assert [version.id for version in store.versions()] == [versions[4].id]
    assert len([name for name in files(store) if name.endswith(".parquet")]) == 4


def test_a_pruned_version_is_told_from_the_known_ones(store: Store):
    versions = [publish(store), publish(store)]
    with exclusive(store, now=NOW) as writer:
        writer.prune(keep=1)
    with pytest.raises(StoreError, match=rf"there is no such version\. Known: {versions[1].id}"):
        store.open(versions[0].id)


# --- writers that die, writers that meet


def test_a_writer_that_fails_leaves_no_trace(store: Store):
    version = publish(store)
    before = files(store)
    with suppress(ZeroDivisionError), exclusive(store, now=NOW) as writer:
        table(writer, ROWS.reverse(), None, 100)
        assert 1 / 0
    assert files(store) == before
    assert store.current() == version


def test_what_dead_writers_left_is_swept(store: Store):
    version = publish(store)
    before = files(store)
    for leftover in (
        "drafts/20250101T000000Z/x.parquet",
        "drafts/work/y",
        "versions/20250101T000000Z/z.parquet",
    ):
        (store.root / leftover).parent.mkdir(parents=True)
        (store.root / leftover).write_text("half")
    shutil.copy(
        store.root / "versions" / version.id / "manifest.json", store.root / "versions/20250101T000000Z"
    )
    with exclusive(store, now=NOW):
        pass
    assert files(store) == before


def test_a_second_writer_is_told_who_holds_the_store_and_gives_up(store: Store):
    told: list[str] = []
    with ThreadPoolExecutor() as pool, exclusive(store, now=NOW):
        error = pool.submit(enter, store, told, 0.2).exception()
    holder = f"the refresh of process {os.getpid()} on {gethostname()}, begun 2026-03-01T09:30:00+00:00,"
    assert told == [f"waiting for {holder}"]
    assert isinstance(error, StoreError)
    assert error.retryable
    assert str(error) == (
        f"store `{store.root}`: {holder} is still writing to it after 0.2 seconds of waiting. "
        "Wait for it to end and run `rapport refresh` again, or stop that process"
    )


def test_a_second_writer_waits_for_the_first(store: Store):
    told: list[str] = []
    with ThreadPoolExecutor() as pool:
        with exclusive(store, now=NOW) as writer:
            second = pool.submit(enter, store, told, 20)
            while not told:
                sleep(0.01)
            first = writer.publish(manifest(writer, table(writer, ROWS, None, 500)))
            assert not second.done()
        assert second.result() == first


def enter(store: Store, told: list[str], wait: float) -> Version | None:
    with exclusive(store, now=NOW, wait=wait, waiting=told.append):
        return store.current()


# --- faults


def test_a_missing_part_is_named(store: Store):
    version = publish(store)
    path = version.manifest.parts()[2].path
    (store.root / path).unlink()
    with pytest.raises(StoreError) as raised:
        store.current()
    assert str(raised.value) == (
        f"store `{store.root}`, version {version.id}: its part `{path}` is missing. "
        "Run `rapport refresh` to write a new version"
    )


def test_a_part_that_is_cut_short_is_named(store: Store):
    part = publish(store).manifest.parts()[0]
    (store.root / part.path).write_bytes((store.root / part.path).read_bytes()[:100])
    with pytest.raises(StoreError, match=rf"its part `{part.path}` has 100 bytes instead of {part.bytes:,}"):
        store.current()


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        (99, r"written by a newer Rapport \(layout 99, this one reads \d+\)\. Upgrade Rapport"),
        (0, r"written by an older Rapport \(layout 0, this one reads \d+\)\. Run `rapport refresh`"),
    ],
)
def test_another_layout_is_told_even_when_nothing_else_can_be_read(store: Store, layout: int, told: str):
    version = publish(store)
    (store.root / "versions" / version.id / "manifest.json").write_text(
        json.dumps({"schema_version": layout})
    )
    with pytest.raises(StoreError, match=told):
        store.current()
    assert store.versions() == []
    with exclusive(store, now=NOW):  # sweeps nothing that a version it cannot read may need
        pass
    assert len([name for name in files(store) if name.endswith(".parquet")]) == 4


@pytest.mark.parametrize("text", ["", "{", '{"current": 5}'])
def test_a_damaged_pointer_is_named_and_nothing_is_deleted(store: Store, text: str):
    publish(store)
    (store.root / "current.json").write_text(text)
    before = files(store)
    with pytest.raises(StoreError, match=r"store `.*`, current\.json: the file cannot be read\. Restore it"):
        store.current()
    with pytest.raises(StoreError, match=r"current\.json"), exclusive(store, now=NOW):
        pass
    assert files(store) == before


def test_a_file_in_the_place_of_the_store_is_told(tmp_path: Path):
    (tmp_path / "store").write_text("")
    for root in (tmp_path / "store", tmp_path / "store" / "below"):
        with (
            pytest.raises(StoreError, match=r"the place is taken by a file\. Name a folder with `--store`"),
            exclusive(Store(root), now=NOW),
        ):
            pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs the rights of an administrator")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", place], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_told_and_the_version_stays(disk: Path):
    store = Store(disk / "store")
    version = publish(store)
    numbers = pl.Series(range(300_000))
    large = pl.DataFrame({"id": numbers.cast(pl.String), "amount": numbers.hash().reinterpret(signed=True)})
    for part_rows in (10_000_000, 50_000):  # as the parts are written, and as rows are dealt to them
        with pytest.raises(StoreError) as raised:
            publish(store, large, part_rows=part_rows)
        assert raised.value.retryable
        assert str(raised.value) == (
            f"store `{store.root}`: the disk is full. "
            "The last version is intact: free some space, or name another folder with `--store`"
        )
        assert store.current() == version
        assert not (store.root / "drafts").exists()


def test_a_read_only_disk_is_told(disk: Path):
    store = Store(disk / "store")
    version = publish(store)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreError) as raised:
        publish(store)
    assert str(raised.value) == (
        f"store `{store.root}`: the folder cannot be written. "
        "Allow writing there, or name another folder with `--store`"
    )
    assert store.current() == version


# --- reports


def test_a_report_that_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match="source orders: 10 rows read, but 9 explained"):
        SourceReport(name="orders", rows_read=10, accepted=5, filtered={"no price": 3}, merged=1)
    report = SourceReport(
        name="orders", rows_read=9, accepted=5, filtered={"no price": 3, "late": 0}, merged=1
    )
    assert report.filtered == {"no price": 3}
