"""A refresh of small files: what it publishes, when it publishes nothing, what it leaves when it fails."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import connectors.writer
from config.model import Project
from connectors.errors import SourceError, StoreError
from connectors.refresh import refresh
from connectors.sources import Sources
from connectors.store import Store, Version

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HEADER = "order,line,customer,at,amount\n"
LINES = HEADER + "".join(
    f"O{n // 2},{n % 2},C{n * 7 % 10},2026-02-{n % 20 + 1:02}T10:00:00,{n}.5\n" for n in range(60)
)
COLUMNS = {
    "order_id": "order",
    "line_id": "line",
    "customer_id": "customer",
    "ordered_at": "at",
    "net_amount": "amount",
    "is_return": False,
}
ORDERS = {
    "name": "orders",
    "table": "order_lines",
    "kind": "csv",
    "location": "orders.csv",
    "columns": COLUMNS,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(LINES, encoding="utf-8")
    return tmp_path


def build(tables: Mapping[str, pl.LazyFrame], as_of: date) -> dict[str, pl.LazyFrame]:
    lines = tables["order_lines"].filter(pl.col("ordered_on") <= as_of)
    return {
        "customer_summary": lines.group_by("customer_id").agg(pl.col("net_amount").sum()).sort("customer_id")
    }


def run(folder: Path, *more: dict[str, Any], settings: dict[str, Any] | None = None, **given: Any) -> Version:
    project = Project.model_validate({"name": "Shop", "currency": "EUR"} | (settings or {}))
    sources = Sources.model_validate({"sources": [ORDERS, *more]})
    given = {"now": NOW, "build": build} | given
    return refresh(folder, project, sources, Store(folder / "store"), **given)


def files(folder: Path) -> dict[str, int]:
    store = folder / "store"
    return {p.relative_to(store).as_posix(): p.stat().st_size for p in store.rglob("*") if p.is_file()}


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "orders.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


# --- what is published


def test_lines_are_stored_by_customer_with_their_local_day_and_the_marts(folder: Path):
    version = run(folder)
    lines = version.scan("order_lines").collect()
    assert lines.height == 60
    assert lines.select("customer_id", "order_id", "line_id").rows() == sorted(
        lines.select("customer_id", "order_id", "line_id").rows()
    )
    assert lines["net_amount"].sum() == Decimal(sum(range(60))) + 30
    marts = version.scan("customer_summary").collect()
    assert marts["net_amount"].sum() == lines["net_amount"].sum()
    assert version.manifest.marts["customer_summary"].rows == marts.height == 10
    assert Store(folder / "store").current() == version


def test_the_report_of_every_source_and_its_quarantine_are_kept(folder: Path):
    rewrite(folder, ",7.5\n", ",much\n")
    version = run(folder)
    (report,) = version.manifest.sources
    assert (report.rows_read, report.accepted, sum(report.quarantined.values())) == (60, 59, 1)
    assert version.quarantine("orders").select("value").collect().item() == "much"
    assert version.quarantine("others").collect().is_empty()


def test_progress_runs_from_nothing_to_all(folder: Path):
    told: list[tuple[str, float]] = []
    threads: set[int] = set()

    def progress(text: str, share: float) -> None:
        told.append((text, share))
        threads.add(get_ident())

    run(folder, progress=progress)
    assert threads == {get_ident()}  # what shows it may belong to one thread
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[-1] == ("done", 1.0)
    assert "sorting order_lines" in dict(told)


# --- the as-of day


@pytest.mark.parametrize(
    ("now", "timezone", "expected"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), "UTC", date(2026, 2, 20)),  # the last day of the data
        (datetime(2026, 2, 20, 23, 0, tzinfo=UTC), "UTC", date(2026, 2, 19)),  # that day is not over yet
        (datetime(2026, 2, 20, 23, 0, tzinfo=UTC), "Asia/Seoul", date(2026, 2, 20)),  # there it is
        (datetime(2026, 2, 21, 3, 0, tzinfo=UTC), "America/Sao_Paulo", date(2026, 2, 20)),
        (datetime(2026, 2, 21, 2, 0, tzinfo=UTC), "America/Sao_Paulo", date(2026, 2, 19)),
    ],
)
def test_as_of_is_the_last_day_of_the_data_that_was_over(
    folder: Path, now: datetime, timezone: str, expected: date
):
    assert run(folder, now=now, settings={"timezone": timezone}).manifest.as_of == expected


def test_as_of_is_the_stated_day_where_one_is_stated(folder: Path):
    version = run(folder, settings={"as_of": "2026-02-05"})
    assert version.manifest.as_of == date(2026, 2, 5)
    assert version.scan("customer_summary").collect()["net_amount"].sum() < Decimal(1800)


def test_as_of_of_a_survey_alone_is_its_last_day(folder: Path):
    (folder / "answers.csv").write_text("r,i,s,at\n1,a,5,2026-01-31T23:30:00\n2,a,4,2026-01-05T00:00:00\n")
    columns = {
        "response_id": "r",
        "item": "i",
        "part": {"from": "i", "values": {"a": "score"}},
        "answered_at": "at",
        "instrument": {"from": "i"},
        "score": "s",
    }
    survey = {
        "name": "survey",
        "table": "survey_answers",
        "kind": "csv",
        "location": "answers.csv",
        "columns": columns,
    }
    version = refresh(
        folder,
        Project(name="Shop", currency="EUR"),
        Sources.model_validate({"sources": [survey]}),
        Store(folder / "store"),
        lambda tables, as_of: {},
        now=NOW,
    )
    assert version.manifest.as_of == date(2026, 1, 31)


# --- the same again


def test_the_same_data_again_publishes_nothing_and_says_so(folder: Path):
    first, before = run(folder), files(folder)
    told: list[str] = []
    later = NOW.replace(hour=12)
    again = run(folder, now=later, progress=lambda text, share: told.append(text))
    assert again == first
    assert told[-1] == "nothing changed"
    assert {**files(folder), "current.json": 0} == {**before, "current.json": 0}
    assert Store(folder / "store").index().checked_at == later


def test_shuffled_rows_over_several_files_are_a_new_version_with_the_old_parts(folder: Path):
    first, before = run(folder), files(folder)
    rows = LINES.removeprefix(HEADER).splitlines(keepends=True)[::-1]
    for name, some in (("orders-1.csv", rows[:17]), ("orders-2.csv", rows[17:])):
        (folder / name).write_text(HEADER + "".join(some), encoding="utf-8")
    sources = Sources.model_validate({"sources": [ORDERS | {"location": "orders-*.csv"}]})
    project = Project(name="Shop", currency="EUR")
    second = refresh(folder, project, sources, Store(folder / "store"), build, now=NOW)
    assert second.id != first.id
    assert second.manifest.content_hash == first.manifest.content_hash
    assert second.manifest.parts() == first.manifest.parts()
    new = {name for name in files(folder) if name not in before}
    assert new == {f"versions/{second.id}/manifest.json"}


@pytest.mark.parametrize(
    "change", [{"settings": {"week_start": "sunday"}}, {"settings": {"as_of": "2026-02-10"}}, {"rules": "2"}]
)
def test_other_definitions_make_new_marts_of_the_same_rows(folder: Path, change: dict[str, Any]):
    first = run(folder)
    second = run(folder, **change)
    assert second.id != first.id
    assert second.manifest.tables == first.manifest.tables


def test_a_changed_row_changes_the_content_and_only_that(folder: Path):
    first = run(folder)
    rewrite(folder, ",7.5\n", ",7.6\n")
    second = run(folder)
    assert second.manifest.content_hash != first.manifest.content_hash
    difference = second.scan("order_lines").collect()["net_amount"].sum() - Decimal("0.1")
    assert difference == first.scan("order_lines").collect()["net_amount"].sum()
    assert_frame_equal(
        Store(folder / "store").open(first.id).scan("order_lines").collect(),
        first.scan("order_lines").collect(),
    )


def test_old_versions_are_pruned(folder: Path):
    ids = []
    for amount in range(4):
        rewrite(folder, f",{'7' if not amount else 70 + amount - 1}.5\n", f",{70 + amount}.5\n")
        ids.append(run(folder, keep=2).id)
    assert [version.id for version in Store(folder / "store").versions()] == ids[2:]


# --- large tables, cut into parts while they are staged


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors.writer, "PART_ROWS", 7)


DIRTY = LINES.replace(",7.5\n", ",much\n").replace("O4,0", "O5,0").replace("C3,", ",")
OTHERS = {**ORDERS, "name": "more", "location": "more.csv"}
MORE = (
    HEADER
    + "".join(f"X{n},0,C{n % 3},2026-01-05T10:00:00,{n}\n" for n in range(20))
    + "O9,0,C1,2026-01-05T10:00:00,9\n"
)


def test_cutting_changes_neither_rows_nor_counts_nor_quarantine(folder: Path, request: pytest.FixtureRequest):
    (folder / "orders.csv").write_text(DIRTY, encoding="utf-8")
    (folder / "more.csv").write_text(MORE, encoding="utf-8")
    whole = run(folder, OTHERS)
    shutil.move(folder / "store", folder / "whole")
    request.getfixturevalue("small_parts")
    cut = run(folder, OTHERS)
    assert len(cut.manifest.tables["order_lines"].parts) > 5
    assert cut.manifest.content_hash == whole.manifest.content_hash
    assert cut.manifest.sources == whole.manifest.sources
    ids = cut.scan("order_lines").collect()["customer_id"]
    assert ids.is_sorted()
    assert ids.null_count()
    for source in ("orders", "more"):
        rejected = cut.quarantine(source).collect()
        assert rejected.height
        assert_frame_equal(rejected, Version(folder / "whole", whole.manifest).quarantine(source).collect())


@pytest.mark.usefixtures("small_parts")
def test_a_table_with_a_column_called_part_is_cut_too(folder: Path):
    answers = [f"R{n},Q{n % 2},score,C{n},2026-01-05,csat,{n % 5},s{n % 3}" for n in range(40)]
    head = "response_id,item,part,customer_id,answered_at,instrument,score,cut"
    (folder / "survey.csv").write_text("\n".join([head, *answers]) + "\n", encoding="utf-8")
    columns = {name: name for name in head.split(",")[:-1]}
    survey = {"name": "survey", "table": "survey_answers", "kind": "csv", "location": "survey.csv"}
    found = run(folder, {**survey, "columns": columns, "attributes": ["cut"]})
    assert len(found.manifest.tables["survey_answers"].parts) > 3
    rows = found.scan("survey_answers").collect()
    assert rows["part"].to_list() == ["score"] * 40
    assert sorted(rows["cut"]) == sorted(f"s{n % 3}" for n in range(40))


@pytest.mark.usefixtures("small_parts")
def test_the_parts_of_the_version_before_are_shared_where_they_are_equal(folder: Path):
    first = run(folder)
    rewrite(folder, ",7.5\n", ",7.6\n")
    second = run(folder)
    parts = [set(version.manifest.tables["order_lines"].parts) for version in (first, second)]
    assert len(parts[0] & parts[1]) == len(parts[0]) - 1 == len(parts[1]) - 1


@pytest.mark.usefixtures("small_parts")
def test_one_customer_with_most_lines_stays_in_one_part(folder: Path):
    few = "".join(f"Z{n},0,C{n},2026-01-05T10:00:00,1\n" for n in range(10))
    many = "".join(f"Y{n},0,C5,2026-01-05T10:00:00,1\n" for n in range(90))
    (folder / "orders.csv").write_text(HEADER + few + many, encoding="utf-8")
    version = run(folder)
    assert version.scan("order_lines").collect()["customer_id"].is_sorted()
    assert max(part.rows for part in version.manifest.tables["order_lines"].parts) >= 91


@pytest.mark.usefixtures("small_parts")
def test_a_cut_table_without_an_accepted_row_is_refused_in_words(folder: Path):
    rewrite(folder, ",2026-02", ",2027-02")
    with pytest.raises(SourceError, match="none of 60 rows is accepted"):
        run(folder)


# --- failures


def test_a_source_that_cannot_be_read_leaves_the_last_version(folder: Path):
    version, before = run(folder), files(folder)
    (folder / "orders.csv").unlink()
    with pytest.raises(SourceError, match=r"orders\.csv"):
        run(folder)
    assert Store(folder / "store").current() == version
    assert files(folder) == before


def test_marts_that_fail_leave_the_last_version(folder: Path):
    version, before = run(folder), files(folder)
    rewrite(folder, ",7.5\n", ",7.6\n")
    with pytest.raises(ZeroDivisionError):
        run(folder, build=lambda tables, as_of: 1 / 0)
    assert Store(folder / "store").current() == version
    assert files(folder) == before


def test_nothing_never_replaces_something(folder: Path):
    version = run(folder)
    rewrite(folder, ",2026-02", ",2027-02")
    with pytest.raises(SourceError) as raised:
        run(folder)
    assert str(raised.value) == (
        "source `orders`: none of 60 rows is accepted (`at` is in the future: 60). "
        "Correct the mapping or the export; the last good version stays in use"
    )
    assert Store(folder / "store").current() == version


def test_a_damaged_version_is_replaced_by_a_whole_one(folder: Path):
    version = run(folder)
    (folder / "store" / version.manifest.parts()[0].path).unlink()
    with pytest.raises(StoreError, match="Run `rapport refresh` to write a new version"):
        Store(folder / "store").current()
    repaired = run(folder)
    assert repaired.id != version.id
    assert repaired.scan("order_lines").collect().height == 60
    assert Store(folder / "store").current() == repaired


# --- two at once


def test_a_second_refresh_waits_for_the_first_and_finds_its_version(folder: Path):
    inside, told = Event(), list[str]()

    def slow(tables: Mapping[str, pl.LazyFrame], as_of: date) -> dict[str, pl.LazyFrame]:
        inside.set()
        while not told:
            pass
        return build(tables, as_of)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, folder, build=slow)
        inside.wait(20)
        second = pool.submit(run, folder, progress=lambda text, share: told.append(text))
        assert second.result(30) == first.result(30)
    assert told[0].startswith("waiting for the refresh of process ")
    assert told[-1] == "nothing changed"


def test_a_second_refresh_gives_up_after_its_limit(folder: Path):
    outcome: list[Exception] = []

    def meeting(tables: Mapping[str, pl.LazyFrame], as_of: date) -> dict[str, pl.LazyFrame]:
        with ThreadPoolExecutor() as pool:
            error = pool.submit(run, folder, wait=0.1).exception()
            outcome.extend([error] if isinstance(error, Exception) else [])
        return build(tables, as_of)

    version = run(folder, build=meeting)
    assert isinstance(outcome[0], StoreError)
    assert "is still writing to it after 0.1 seconds of waiting" in str(outcome[0])
    assert Store(folder / "store").current() == version
