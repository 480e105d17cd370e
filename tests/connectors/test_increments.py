"""Incremental reading shows what reading everything would show, whatever happened to the rows in between."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors.increments
import connectors.readers
import connectors.retries
from config.model import Project
from connectors.errors import SourceError
from connectors.refresh import refresh
from connectors.sources import Sources
from connectors.store import Store, Version

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
COLUMNS = {
    "order_id": "id",
    "line_id": "line",
    "customer_id": "customer",
    "ordered_at": "placed",
    "net_amount": "amount",
}
INCREMENTAL = {"watermark": "changed", "key": ["id", "line"], "look_back": "2 days", "compare_keys": "7 days"}


def build(tables: Mapping[str, pl.LazyFrame], as_of: date) -> dict[str, pl.LazyFrame]:
    return {"customer_summary": tables["order_lines"].select("customer_id").unique().sort("customer_id")}


class Shop:
    """A database whose rows change, and a project that reads it."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        self.given = {"incremental": INCREMENTAL} | given
        self.run(
            "CREATE TABLE lines (id INTEGER, line INTEGER, customer TEXT, placed TEXT,"
            " amount NUMERIC, changed TEXT)"
        )

    def run(self, statement: str, *values: Any) -> None:
        connection = sqlite3.connect(self.folder / "shop.db")
        connection.execute(statement, values)
        connection.commit()
        connection.close()

    def put(self, number: int, day: int, amount: float = 1.5, *, changed: int | None = None) -> None:
        self.run("DELETE FROM lines WHERE id = ?", number)
        at = f"2026-02-{day:02} 10:00:00"
        moved = f"2026-02-{changed or day:02} 12:00:00"
        self.run("INSERT INTO lines VALUES (?, 1, ?, ?, ?, ?)", number, f"C{number % 7}", at, amount, moved)

    def refresh(self, now: datetime = NOW, **given: Any) -> Version:
        source = {
            "name": "lines",
            "table": "order_lines",
            "kind": "database",
            "connection": "sqlite:///shop.db",
            "from": "lines",
            "columns": COLUMNS,
        } | self.given
        sources = Sources.model_validate({"sources": [source]})
        project = Project(name="Shop", currency="EUR")
        return refresh(self.folder, project, sources, Store(self.folder / "store"), build, now=now, **given)

    def lines(self, version: Version) -> list[tuple[Any, ...]]:
        return version.scan("order_lines").select("order_id", "net_amount").sort("order_id").collect().rows()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    found = Shop(tmp_path)
    for number in range(20):
        found.put(number, number % 20 + 1)
    return found


def test_only_what_changed_is_read_and_late_corrections_replace(shop: Shop):
    first = shop.refresh()
    shop.put(100, 21)
    shop.put(19, 20, 99.5, changed=21)
    told: list[str] = []
    second = shop.refresh(NOW + timedelta(hours=1), progress=lambda words, share: told.append(words))
    assert [words for words in told if words.endswith(" rows")][-1] == "Reading `lines`: 4 rows"
    assert second.manifest.sources[0].rows_read == 21
    assert dict(shop.lines(second))["19"] == 99.5
    (part, delta) = second.manifest.pulls["lines"].parts
    assert part == first.manifest.pulls["lines"].parts[0]
    assert delta.rows == 2


def test_reading_the_same_again_publishes_nothing(shop: Shop):
    first = shop.refresh()
    assert shop.refresh(NOW + timedelta(hours=1)).id == first.id


def test_deleted_rows_are_found_when_keys_are_compared(shop: Shop):
    shop.refresh()
    shop.run("DELETE FROM lines WHERE id = 3")
    early = shop.refresh(NOW + timedelta(days=1))
    assert early.manifest.sources[0].rows_read == 20
    late = shop.refresh(NOW + timedelta(days=8))
    assert late.manifest.sources[0].rows_read == 19
    assert "3" not in dict(shop.lines(late))


def test_rows_that_came_late_with_an_old_watermark_are_found_when_keys_are_compared(shop: Shop):
    shop.refresh()
    shop.put(200, 1)
    assert shop.refresh(NOW + timedelta(days=1)).manifest.sources[0].rows_read == 20
    assert shop.refresh(NOW + timedelta(days=8)).manifest.sources[0].rows_read == 21


def test_rows_that_cannot_be_used_stay_in_quarantine_until_they_are_mended(shop: Shop):
    shop.put(5, 20)
    shop.run("UPDATE lines SET customer = CAST(x'43e9' AS TEXT) WHERE id = 5")
    first = shop.refresh()
    assert sum(first.manifest.sources[0].quarantined.values()) == 1
    shop.put(100, 21)
    second = shop.refresh(NOW + timedelta(hours=1))
    assert sum(second.manifest.sources[0].quarantined.values()) == 1
    shop.put(5, 20)
    third = shop.refresh(NOW + timedelta(hours=2))
    assert third.manifest.sources[0].quarantined == {}
    assert third.manifest.sources[0].accepted == 21


def test_another_query_or_column_reads_everything_anew(shop: Shop):
    first = shop.refresh()
    shop.run("ALTER TABLE lines ADD COLUMN colour TEXT")
    second = shop.refresh(NOW + timedelta(hours=1))
    assert second.manifest.pulls["lines"].shape != first.manifest.pulls["lines"].shape
    assert second.manifest.notes == ("source `lines`: column `colour` is new (String)",)


def test_a_column_that_is_no_column_is_named(tmp_path: Path):
    shop = Shop(tmp_path, incremental=INCREMENTAL | {"watermark": "updated"})
    with pytest.raises(SourceError, match=r"`incremental:` names `updated`, which is no column. Known: `id`"):
        shop.refresh()


def test_many_parts_become_one(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connectors.increments, "MOST_PARTS", 3)
    for number in range(6):
        shop.put(300 + number, 22 + number % 3)
        version = shop.refresh(NOW + timedelta(hours=number))
        assert len(version.manifest.pulls["lines"].parts) <= 3
    assert len(shop.lines(version)) == 26


Changes = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 25), st.integers(1, 9), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(Changes, min_size=1, max_size=3))
def test_any_changes_within_the_look_back_give_what_reading_everything_gives(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[Any]
):
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.put(50, 20)
    day = 20
    for at, changes in enumerate(rounds):
        for number, placed, amount, _ in changes:
            shop.put(number, placed, amount, changed=day)
        version = shop.refresh(NOW + timedelta(hours=at))
        day += 1
    whole = shop.lines(version)
    shop.given.pop("incremental")
    assert shop.lines(shop.refresh(NOW + timedelta(hours=10))) == whole
    assert Store(shop.folder / "store").current().manifest.content_hash == version.manifest.content_hash  # type: ignore[union-attr]


# --- faults


def test_drift_can_stop_a_refresh(tmp_path: Path):
    shop = Shop(tmp_path, drift="stop", incremental=None)
    shop.put(1, 1)
    first = shop.refresh()
    shop.run("ALTER TABLE lines ADD COLUMN colour TEXT")
    with pytest.raises(SourceError, match="source `lines`: column `colour` is new") as raised:
        shop.refresh(NOW + timedelta(hours=1))
    assert "Nothing was published" in str(raised.value)
    assert Store(tmp_path / "store").current().id == first.id  # type: ignore[union-attr]


def test_a_column_of_another_type_and_one_that_is_gone_are_told(tmp_path: Path):
    shop = Shop(tmp_path, incremental=None)
    shop.run("ALTER TABLE lines ADD COLUMN colour TEXT")
    shop.run("INSERT INTO lines VALUES (1, 1, 'C1', '2026-02-01', 1.5, '2026-02-01', 'red')")
    shop.refresh()
    shop.run("ALTER TABLE lines DROP COLUMN colour")
    shop.run("UPDATE lines SET id = 'A1'")
    assert set(shop.refresh(NOW + timedelta(hours=1)).manifest.notes) == {
        "source `lines`: column `id` was Int64 and is String",
        "source `lines`: column `colour` is gone",
    }


def test_transient_faults_are_tried_again_and_others_are_not(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr(connectors.retries.time, "sleep", slept.append)
    tries: list[int] = []

    def work(*, retryable: bool, good: int) -> str:
        tries.append(1)
        if len(tries) < good:
            raise SourceError("source `shop`", "the connection broke", retryable=retryable)
        return "done"

    told: list[str] = []
    assert connectors.retries.retried(lambda: work(retryable=True, good=3), told.append) == "done"
    assert slept == [1.0, 4.0]
    assert told[0] == "source `shop`: the connection broke; trying again in 1 seconds"
    tries.clear()
    with pytest.raises(SourceError):
        connectors.retries.retried(lambda: work(retryable=False, good=9), told.append)
    assert len(tries) == 1
    tries.clear()
    with pytest.raises(SourceError):
        connectors.retries.retried(lambda: work(retryable=True, good=9), told.append)
    assert len(tries) == 4


@pytest.mark.database
def test_a_connection_that_dies_mid_read_publishes_nothing_and_names_the_source(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connectors.retries, "PAUSES", ())
    engine = sa.create_engine(postgres_url.replace("://", "+psycopg://", 1), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE mortal AS SELECT n AS id, 1 AS line, 'C1' AS customer,"
            " timestamp '2026-02-01' AS placed, 1.5 AS amount, repeat('x', 400) AS padding"
            " FROM generate_series(1, 100000) AS n"
        )
    shop = Shop(tmp_path, connection=postgres_url, incremental=None, **{"from": "mortal"})
    first = shop.refresh()

    def kill(words: str, share: float) -> None:
        if words.endswith(" rows"):
            with engine.connect() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE mortal SET amount = 2.5")
    monkeypatch.setattr(connectors.readers, "retried", lambda work, told: work())
    with pytest.raises(SourceError, match="source `lines`: "):
        shop.refresh(NOW + timedelta(hours=1), progress=kill)
    assert Store(tmp_path / "store").current().id == first.id  # type: ignore[union-attr]
    monkeypatch.undo()
    assert shop.refresh(NOW + timedelta(hours=1)).id != first.id
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE mortal")
    engine.dispose()


@pytest.mark.database
@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_increments_on_servers(tmp_path: Path, request: pytest.FixtureRequest, engine: str):
    url = request.getfixturevalue(f"{engine}_url")
    admin = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    stamp = "timestamptz" if engine == "postgres" else "timestamp NULL"
    with admin.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE grown (id int, line int, customer varchar(9), placed date,"
            f" amount numeric(10,2), changed {stamp})"
        )
        connection.exec_driver_sql(
            "INSERT INTO grown VALUES (1, 1, 'A', '2026-01-01', 1.10, '2026-02-01 10:00:00.123'),"
            " (2, 1, 'B', '2026-02-10', 2.20, '2026-02-20 10:00:00')"
        )
    shop = Shop(tmp_path, connection=url, **{"from": "grown"})
    assert [number for number, _ in shop.lines(shop.refresh())] == ["1", "2"]
    with admin.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE grown SET amount = 9.90, changed = '2026-02-21 10:00:00' WHERE id = 2"
        )
        connection.exec_driver_sql(
            "INSERT INTO grown VALUES (3, 1, 'C', '2026-02-21', 3.30, '2026-02-21 10:00:00')"
        )
    second = shop.refresh(NOW + timedelta(hours=1))
    assert [str(amount) for _, amount in shop.lines(second)] == ["1.1000", "9.9000", "3.3000"]
    assert [part.rows for part in second.manifest.pulls["lines"].parts] == [2, 2]
    with admin.begin() as connection:
        connection.exec_driver_sql("DROP TABLE grown")
    admin.dispose()
