"""An incremental refresh writes what changed as layers, and gives what a full one of the same rows gives."""

import shutil
import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

import connectors.growth
from config.model import Project
from connectors.refresh import refresh
from connectors.sources import Sources
from connectors.store import Store, Version
from connectors.writer import exclusive
from metrics.marts import build
from metrics.periods import Calendar
from metrics.renewal import renew

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
COLUMNS = {
    "order_id": "id",
    "line_id": "line",
    "customer_id": "customer",
    "ordered_at": "placed",
    "category": "kind",
    "quantity": "units",
    "net_amount": "amount",
    "product_id": "product",
    "channel": "channel",
}
MARTS = ("customer_summary", "customer_totals", "customer_months", "customer_years", "category_tree")


class Shop:
    """A database of order lines, a file of customers, and two stores: one grows, one is made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stores = 0
        self.attributes: list[str] = []
        if (folder / "shop.db").exists():
            return
        with sqlite3.connect(folder / "shop.db") as connection:
            connection.execute(
                "CREATE TABLE lines (id TEXT, line INTEGER, customer TEXT, placed TEXT, kind TEXT,"
                " units REAL, amount NUMERIC, product TEXT, channel TEXT, changed TEXT,"
                " PRIMARY KEY (id, line))"
            )
        self.people({"C0": "north"})

    def people(self, regions: Mapping[str, str], header: str = "customer,region") -> None:
        rows = "".join(f"{name},{region}\n" for name, region in regions.items())
        (self.folder / "people.csv").write_text(f"{header}\n{rows}", encoding="utf-8")

    def put(self, *lines: Mapping[str, Any]) -> None:
        with sqlite3.connect(self.folder / "shop.db") as connection:
            for line in lines:
                marks = ", ".join("?" * len(line))
                names = ", ".join(line)
                connection.execute(
                    f"INSERT OR REPLACE INTO lines ({names}) VALUES ({marks})", [*line.values()]
                )

    def drop(self, order: str) -> None:
        with sqlite3.connect(self.folder / "shop.db") as connection:
            connection.execute("DELETE FROM lines WHERE id = ?", [order])

    def refreshed(self, store: str, *, days: int = 0, incremental: bool = True, **given: Any) -> Version:
        how = {"watermark": "changed", "key": ["id", "line"], "look_back": "9 days", "compare_keys": "1 day"}
        lines = {
            "name": "lines",
            "table": "order_lines",
            "kind": "database",
            "connection": "sqlite:///shop.db",
            "from": "lines",
            "columns": COLUMNS,
            "filters": [{"drop": "units = 99", "reason": "test order"}],
            **({"incremental": how} if incremental else {}),
        } | given
        people = {
            "name": "people",
            "table": "customers",
            "kind": "csv",
            "location": "people.csv",
            "columns": {"customer_id": "customer", "region": "region"},
            "attributes": self.attributes,
        }
        return refresh(
            self.folder,
            Project(name="Shop", currency="EUR"),
            Sources.model_validate({"sources": [lines, people]}),
            Store(self.folder / store),
            lambda tables, as_of: build(tables, Calendar(), as_of),
            renew=partial(renew, Calendar()),
            now=NOW + timedelta(days=days),
        )

    @property
    def served(self) -> Version:
        """What the growing store serves."""
        version = Store(self.folder / "store").current()
        assert version
        return version

    def anew(self, *, days: int = 0) -> Version:
        """What a first refresh of the same rows gives."""
        self.stores += 1
        return self.refreshed(f"anew-{self.stores}", days=days, incremental=False)


def line(
    order: int, customer: str | None = "C1", day: int = 1, amount: float = 9.5, *, at: int = 1, **more: Any
) -> dict[str, Any]:
    return {
        "id": f"O{order:03}",
        "line": at,
        "customer": customer,
        "placed": f"2026-02-{day:02} 10:00:00",
        "kind": "Ink",
        "units": 1.0,
        "amount": amount,
        "product": f"P{order % 3}",
        "channel": "web",
        "changed": f"2026-02-{more.pop('changed', day):02} 12:00:00",
    } | more


def orders_of(version: Version) -> pl.DataFrame:
    """Orders under their ids instead of their numbers, which may differ."""
    return version.scan("orders").collect().drop("order")


def baskets_of(version: Version) -> pl.DataFrame:
    ids = version.scan("orders").select("order", "order_id").unique().collect()
    assert ids["order"].is_unique().all()
    rows = version.scan("baskets").collect()
    return rows.join(ids, on="order", how="left", maintain_order="left").drop("order")


def assert_alike(grown: Version, whole: Version) -> None:
    """The same rows in the same order in every table and mart, the same counts and the same hash."""
    assert grown.manifest.content_hash == whole.manifest.content_hash
    assert grown.manifest.as_of == whole.manifest.as_of
    assert_frame_equal(grown.scan("order_lines").collect(), whole.scan("order_lines").collect())
    for name in MARTS:
        assert_frame_equal(grown.scan(name).collect(), whole.scan(name).collect())

    assert_frame_equal(orders_of(grown), orders_of(whole))
    assert_frame_equal(baskets_of(grown), baskets_of(whole))
    for ours, theirs in zip(grown.manifest.sources, whole.manifest.sources, strict=True):
        told = {"accepted", "quarantined", "filtered", "merged", "repeated", "repaired", "rows_read", "notes"}
        assert ours.model_dump(include=told) == theirs.model_dump(include=told)
    asked = ["column", "value", "reason", "id", "line"]
    aside = [version.quarantine("lines").collect() for version in (grown, whole)]
    if aside[1].columns:
        assert_frame_equal(*(rows.select(asked).sort("id", "line") for rows in aside))
    else:
        assert not aside[0].height


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop that was loaded once."""
    found = Shop(tmp_path_factory.mktemp("opened"))
    found.put(*(line(n, f"C{n % 15}", n % 20 + 1, n + 0.5, kind=f"Kind {n % 3}") for n in range(60)))
    found.refreshed("store")
    return found.folder


@pytest.fixture
def shop(opened: Path, tmp_path: Path) -> Shop:
    """A copy of that shop."""
    shutil.copytree(opened, tmp_path, dirs_exist_ok=True)
    return Shop(tmp_path)


def layers(version: Version, name: str = "order_lines") -> int:
    return len((version.manifest.tables.get(name) or version.manifest.marts[name]).layers)


def test_a_change_is_written_as_a_layer_and_read_as_if_all_were_new(shop: Shop):
    first = shop.served
    shop.put(line(100, "C3", 21, 7.25), line(7, "C7", 8, 99.0, changed=21))
    second = shop.refreshed("store")
    assert [layers(second, name) for name in ("order_lines", "orders", "baskets", "customer_months")] == [
        2
    ] * 4
    base = first.manifest.tables["order_lines"].parts
    assert second.manifest.tables["order_lines"].parts == base
    ids = second.manifest.tables["order_lines"].later[0]
    assert sum(part.rows for part in ids.parts) == 4 + 4 + 1  # the lines of two customers and the new one
    assert_alike(second, shop.anew())
    assert_alike(Store(shop.folder / "store").open(first.id), first)


@pytest.mark.parametrize(
    ("changed", "written"),
    [
        pytest.param([line(100, "C00", 20)], 2, id="a customer whose id comes before most"),
        pytest.param([line(100, None, 20), line(8, None, 9, changed=20)], 2, id="an unknown customer"),
        pytest.param([line(100, "C3", 20, kind="Another")], 2, id="a new category"),
        pytest.param([line(100, "C3", 20, kind=None, channel=None)], 2, id="no category"),
        pytest.param([line(100, "C3", 20, channel="A shop")], 2, id="a new dimension's value"),
        pytest.param([line(100, "C3", 20, placed="2027-01-01")], 1, id="a row for quarantine"),
        pytest.param([line(100, "C3", 20, units=99)], 1, id="a row that is filtered"),
        pytest.param([line(5, "C9", 6, changed=20)], 2, id="an order of another customer now"),
        pytest.param([line(100, "C3", 20, -4.0)], 2, id="a return"),
        pytest.param([line(5, "C5", 28, changed=20)], 2, id="another day, after the last one"),
        pytest.param([line(n, "C5", 20) for n in range(100, 190)], 1, id="more than a layer may hold"),
    ],
)
def test_any_change_of_a_row(shop: Shop, changed: list[dict[str, Any]], written: int):
    shop.put(*changed)
    grown = shop.refreshed("store")
    assert layers(grown) == layers(grown, "baskets") == written
    assert_alike(grown, shop.anew())


def test_deleted_rows_leave_their_customers(shop: Shop):
    first = shop.served
    for order in (4, 19, 34, 49, 0):  # all of C4, and the first of a product and category
        shop.drop(f"O{order:03}")
    grown = shop.refreshed("store", days=2)
    trees = [version.scan("category_tree").collect() for version in (first, grown)]
    since = [tree.filter(product_id="P0")["first_on"].to_list() for tree in trees]
    assert since == [[date(2026, 2, 1)], [date(2026, 2, 2)]]
    assert layers(grown) == 2
    assert_alike(grown, shop.anew(days=2))
    assert "C4" not in grown.scan("customer_summary").collect()["customer_id"]


def test_a_new_day_counts_the_lines_that_lay_after_the_last_one(shop: Shop):
    shop.put(line(200, "C8", 28), line(201, "C9", 28, placed="2026-03-01 08:00:00"))
    assert shop.refreshed("store").manifest.as_of == date(2026, 2, 28)
    shop.put(line(202, "C1", 28))
    grown = shop.refreshed("store", days=1)
    assert grown.manifest.as_of == date(2026, 3, 1)
    assert layers(grown, "orders") == 3
    assert_alike(grown, shop.anew(days=1))


def test_what_lay_in_the_future_is_accepted_when_its_day_has_come(shop: Shop):
    shop.put(line(200, "C8", 28, placed="2026-03-02 10:00:00"))
    assert sum(shop.refreshed("store").manifest.sources[0].quarantined.values()) == 1
    grown = shop.refreshed("store", days=3)
    assert not grown.manifest.sources[0].quarantined
    assert layers(grown) == 2
    assert_alike(grown, shop.anew(days=3))


def test_customers_that_another_source_names_move_the_others_up(shop: Shop):
    shop.people({"A1": "west", "C0": "south", "C10": "east", "Z": "north"})
    grown = shop.refreshed("store")
    assert (layers(grown), layers(grown, "orders")) == (1, 2)  # no line changed, every number did
    assert_alike(grown, shop.anew())


def test_merged_customers_are_one(shop: Shop):
    shop.people({"C3": "north,", "C4": "north,"}, header="customer,region,merged_into")
    shop.attributes = ["merged_into"]
    shop.refreshed("store")
    shop.people({"C3": "north,C4", "C4": "north,"}, header="customer,region,merged_into")
    shop.put(line(100, "C3", 21))
    grown = shop.refreshed("store")
    assert_alike(grown, shop.anew())
    people = grown.scan("customer_summary").collect()
    assert people.filter(customer_id="C4")["lines"].item() == 9


def test_columns_that_are_mapped_otherwise_are_read_anew(shop: Shop):
    shop.put(line(100, "C3", 21))
    other = COLUMNS | {"category": "channel"}
    grown = shop.refreshed("store", columns=other)
    assert layers(grown) == 1
    assert set(grown.scan("order_lines").collect()["category"]) == {"web"}


def test_many_layers_become_one(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connectors.growth, "MOST_LAYERS", 3)
    seen = []
    for number in range(4):
        shop.put(line(200 + number, f"C{number}", 21 + number), line(number, f"B{number}", 5, changed=21))
        grown = shop.refreshed("store")
        seen.append(layers(grown))
        assert_alike(grown, shop.anew())
    assert seen == [2, 3, 1, 2]


def test_many_rows_of_a_layer_are_merged_and_not_sorted_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connectors.growth, "MANY_ROWS", 1)
    shop.put(line(300, None, 3, changed=20), line(301, None, 4, changed=20))
    shop.refreshed("store")
    shop.put(line(302, None, 5, changed=21), line(303, "C3", 21), line(7, "C3", 8, 99.0, changed=21))
    grown, whole = shop.refreshed("store"), shop.anew()
    assert layers(grown) == 3
    lines = [version.scan("order_lines").collect() for version in (grown, whole)]
    assert_series_equal(lines[0]["customer_id"], lines[1]["customer_id"])
    assert_frame_equal(*(rows.sort("order_id", "line_id") for rows in lines))
    assert_frame_equal(*(version.scan("customer_months").collect() for version in (grown, whole)))


def test_files_of_layers_stay_while_a_version_needs_them(shop: Shop):
    first = shop.served
    for number in range(7):
        shop.put(line(200 + number, f"C{number}", 21 + number % 3))
        grown = shop.refreshed("store")
    store = Store(shop.folder / "store")
    assert first.id not in store.index().versions
    assert layers(grown) == 8
    assert_alike(grown, shop.anew())
    with exclusive(store, now=NOW):
        pass
    named = {part.path for version in store.versions() for part in version.manifest.parts()}
    there = {path.relative_to(store.root).as_posix() for path in store.root.rglob("*.parquet")}
    assert there == named


Lines = st.builds(
    line,
    st.integers(0, 40),
    st.one_of(st.none(), st.integers(0, 12).map("C{}".format)),
    st.integers(1, 28),
    st.sampled_from([1.5, 20.0, -3.25]),
    at=st.integers(1, 2),
    kind=st.sampled_from(["Ink", "Paper", "Pens", None]),
    units=st.sampled_from([1.0, 2.0, 99.0]),
    changed=st.just(27),
)
Batches = st.lists(
    st.tuples(st.lists(Lines, max_size=5), st.lists(st.integers(0, 40), max_size=3)), min_size=1, max_size=3
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(Lines, min_size=20, max_size=30), Batches)
def test_random_batches(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    start: list[Any],
    batches: list[Any],
):
    monkeypatch.setattr(connectors.growth, "MOST_CHANGED", 9)  # few customers: most batches reach nearly all
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.put(line(50, "C1", 20), *start)
    shop.refreshed("store")
    for day, (changed, dropped) in enumerate(batches, 1):
        shop.put(*changed)
        for number in dropped:
            shop.drop(f"O{number:03}")
        grown = shop.refreshed("store", days=2 * day)
    assert_alike(grown, shop.anew(days=2 * day))
