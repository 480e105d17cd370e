"""`rapport refresh`, `sources`, `check`, `demo`, `run`: what they print, and how they end."""

import socket
import sys

import pytest
from polars.testing import assert_frame_equal

from connectors.store import Store
from dashboard.commands import run as run_command

DIRTY = """order_no,customer_no,order_date,amount
1,ann,2026-01-05,10.00
2,bob,2026-13-31,5.00
3,cid,2026-02-05,7.00
4,test,2026-02-06,9.00
"""
SOURCES = """sources:
  - name: orders
    table: order_lines
    kind: csv
    location: orders.csv
    columns: {order_id: order_no, customer_id: customer_no, ordered_at: order_date, net_amount: amount}
    filters:
      - {drop: "customer_no = 'test'", reason: test order}
"""


@pytest.fixture
def shop(tmp_path):
    """A project of four lines: two good ones, an impossible date, a test order."""
    (tmp_path / "orders.csv").write_text(DIRTY, encoding="utf-8")
    (tmp_path / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (tmp_path / "rapport.yaml").write_text("name: Shop\ncurrency: EUR\n", encoding="utf-8")
    return tmp_path


def test_refresh_says_what_became_of_every_row(rapport, shop):
    done = rapport("refresh", "--project", shop)
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if line.strip().startswith("orders"))
    assert row.split()[:7] == ["orders", "order_lines", "4", "2", "1", "1", "0"]
    assert "impossible date: 1" in done.out
    assert "test order: 1" in done.out
    assert Store(shop / "store").current().id in done.out


def test_refresh_names_a_row_of_every_fault(rapport, shop):
    (shop / "orders.csv").write_text(DIRTY + "5,cid,2026-02-07,n/a\n6,cid,2026-02-08,?\n", encoding="utf-8")
    told = rapport("refresh", "--project", shop).err
    assert (
        "orders: row 2 of `orders.csv`, `order_date` is `2026-13-31`: `order_date` is an impossible" in told
    )
    assert "orders: row 5 of `orders.csv`, `amount` is `n/a`: `amount` is not a number" in told
    assert "row 6" not in told


@pytest.mark.parametrize(
    ("said", "again"), [("", 2), ("    duplicates: keep\n", 0), ("    duplicates: merge\n", 0)]
)
def test_rows_that_stand_twice_are_worth_a_word_until_it_is_said_what_they_mean(rapport, shop, said, again):
    line = "1,ann,2026-01-05,10.00\n"
    (shop / "orders.csv").write_text(DIRTY + line + line, encoding="utf-8")
    (shop / "sources.yaml").write_text(SOURCES + said, encoding="utf-8")
    told = rapport("refresh", "--project", shop).err
    (source,) = rapport("sources", "--project", shop, "--json").json
    assert source["repeated"] == again
    assert (source["accepted"], source["merged"]) == ((2, 2) if "merge" in said else (4, 0))
    assert ("2 rows equal another one in every column" in told) == bool(again)


def test_refresh_as_json(rapport, shop):
    report = rapport("refresh", "--project", shop, "--json").json
    (source,) = report["sources"]
    assert report["version"] == Store(shop / "store").current().id
    assert report["as_of"] == "2026-02-05"
    assert (source["rows_read"], source["accepted"], source["quarantined_rows"]) == (4, 2, 1)
    assert source["filtered"] == {"test order": 1}


def test_refreshing_equal_data_changes_nothing(rapport, shop):
    first, second = (rapport("refresh", "--project", shop, "--json").json for _ in range(2))
    assert first == second


def test_the_store_may_lie_elsewhere(rapport, shop, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "store"
    assert rapport("refresh", "--project", shop, "--store", elsewhere).code == 0
    assert not (shop / "store").exists()
    assert rapport("query", "orders", "--project", shop, "--store", elsewhere).code == 0


def test_sources_lists_what_the_refresh_counted(rapport, shop):
    rapport("refresh", "--project", shop)
    (source,) = rapport("sources", "--project", shop, "--json").json
    assert (source["name"], source["rows_read"], source["accepted"]) == ("orders", 4, 2)
    done = rapport("sources", "--project", shop)
    assert "orders.csv" in done.err


def test_a_source_that_is_gone_keeps_the_last_good_version(rapport, shop):
    rapport("refresh", "--project", shop)
    (shop / "orders.csv").unlink()
    done = rapport("refresh", "--project", shop)
    assert done.code == 2
    assert "orders.csv" in done.err
    assert "Traceback" not in done.err
    assert rapport("query", "orders", "--project", shop, "--json").json[0]["value"] == 2


def test_broken_yaml_cannot_be_refreshed_and_check_lists_every_problem(rapport, shop):
    (shop / "rapport.yaml").write_text("name: Shop\ncurency: EUR\n", encoding="utf-8")
    (shop / "sources.yaml").write_text(SOURCES.replace("order_lines", "order_line"), encoding="utf-8")
    (shop / "metrics").mkdir()
    (shop / "metrics" / "own.yaml").write_text(
        "metrics:\n  - {name: mine, kind: simple, unit: count, label: Mine, description: Mine.,"
        " table: order_lines, expression: count(*), were: amount > 1}\n",
        encoding="utf-8",
    )
    assert rapport("refresh", "--project", shop).code == 2
    done = rapport("check", "--project", shop)
    assert done.code == 1
    for told in (
        "rapport.yaml:2:1",
        "Did you mean `currency`?",
        "sources.yaml:3:",
        "Did you mean `order_lines`?",
    ):
        assert told in done.out
    assert "own.yaml:2:" in done.out
    assert "Did you mean `where`?" in done.out
    problems = rapport("check", "--project", shop, "--json").json
    assert len(problems) == len(done.out.splitlines())
    assert {problem["severity"] for problem in problems} == {"error"}


def test_check_of_a_good_project(rapport, shop):
    done = rapport("check", "--project", shop, "--json")
    assert (done.code, done.json) == (0, [])


def test_demo_of_a_size_and_a_seed(rapport, tmp_path):
    asked = ("--customers", 60, "--months", 6, "--json")
    made = rapport("demo", tmp_path / "a", *asked, "--seed", 7).json
    assert (made["customers"], made["months"], made["seed"]) == (60, 6, 7)
    rapport("demo", tmp_path / "b", *asked, "--seed", 7)
    rapport("demo", tmp_path / "c", *asked, "--seed", 8)
    first, same, other = (
        {file.name: file.read_bytes() for file in (tmp_path / name / "data").iterdir()} for name in "abc"
    )
    assert first == same
    assert first != other
    assert rapport("check", "--project", tmp_path / "a").code == 0


def test_demo_does_not_write_into_a_folder_in_use(rapport, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    done = rapport("demo", tmp_path)
    assert done.code == 2
    assert "not empty" in done.err


@pytest.fixture
def served(monkeypatch):
    """Takes the place of the server; what it was asked to serve."""
    asked = []
    monkeypatch.setattr("dashboard.server.serve", lambda *args, **named: asked.append((args, named)))
    return asked


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_run_loads_what_was_never_loaded_and_serves(rapport, shop, served):
    port = free_port()
    done = rapport("run", "--project", shop, "--port", port)
    assert done.code == 0
    assert f"http://127.0.0.1:{port}" in done.err
    ((folder, host, asked_port), named) = served[0]
    assert (folder, host, asked_port) == (shop, "127.0.0.1", port)
    assert named["store"] == shop / "store"
    assert Store(shop / "store").current() is not None


def test_run_does_not_load_again_what_is_there(rapport, shop, served, monkeypatch):
    rapport("refresh", "--project", shop)
    monkeypatch.setattr(run_command, "load", lambda *_, **__: pytest.fail("loaded again"))
    assert rapport("run", "--project", shop, "--port", free_port()).code == 0


def test_run_loads_again_when_the_settings_changed(rapport, shop, served):
    rapport("refresh", "--project", shop)
    before = Store(shop / "store").current().id
    (shop / "rapport.yaml").write_text("name: Shop\ncurrency: EUR\ntimezone: Asia/Tokyo\n", encoding="utf-8")
    done = rapport("run", "--project", shop, "--port", free_port())
    assert "loading again" in done.err
    assert Store(shop / "store").current().id != before


def test_run_serves_an_outdated_version_when_its_sources_are_gone(rapport, shop, served):
    rapport("refresh", "--project", shop)
    (shop / "orders.csv").unlink()
    (shop / "rapport.yaml").write_text("name: Shop\ncurrency: EUR\ntimezone: Asia/Tokyo\n", encoding="utf-8")
    done = rapport("run", "--project", shop, "--port", free_port())
    assert done.code == 0
    assert "stays served" in done.err
    assert served


def test_run_on_a_port_in_use_names_another(rapport, shop, served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = rapport("run", "--project", shop, "--port", port)
    assert done.code == 2
    assert f"--port {port + 1}" in done.err
    assert not served


@pytest.mark.parametrize(
    ("asked", "watched", "environ", "platform", "opens"),
    [
        (None, True, {"DISPLAY": ":0"}, "linux", True),
        (None, True, {}, "darwin", True),
        (None, True, {}, "linux", False),
        (None, False, {"WAYLAND_DISPLAY": "wayland-0"}, "linux", False),
        (True, False, {}, "linux", True),
        (False, True, {}, "win32", False),
    ],
)
def test_a_browser_opens_as_asked_or_where_a_person_sits_at_a_screen(
    asked, watched, environ, platform, opens
):
    found = run_command.opens_browser(asked, watched=watched, environ=environ, platform=platform)
    assert found is opens


@pytest.mark.parametrize(("engine", "needs"), [("duckdb", "duckdb"), ("spark", "pyspark.sql")])
def test_another_engine_gives_the_same_marts(tmp_path, rapport, engine, needs):
    """Oracle: the same project on Polars, mart by mart."""
    pytest.importorskip(needs)
    marts = {}
    for name in ("polars", engine):
        folder = tmp_path / name
        rapport("demo", folder, "--customers", 60, "--months", 14)
        settings = folder / "rapport.yaml"
        settings.write_text(f"{settings.read_text()}engine: {name}\n")
        done = rapport("refresh", "--project", folder)
        assert done.code == 0, done.err
        version = Store(folder / "store").current()
        marts[name] = {mart: version.scan(mart).collect() for mart in version.manifest.marts}
        assert not list((folder / "store").glob("engine-*"))
    assert marts["polars"].keys() == marts[engine].keys()
    for name, frame in marts["polars"].items():
        numbered = [each.drop("order", strict=False) for each in (frame, marts[engine][name])]
        assert_frame_equal(*(each.sort(each.columns) for each in numbered))  # orders are numbered otherwise


def test_an_engine_that_is_not_there_is_said(tmp_path, rapport, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    rapport("init", tmp_path / "shop")
    settings = tmp_path / "shop" / "rapport.yaml"
    settings.write_text(f"{settings.read_text()}engine: spark\n")
    done = rapport("refresh", "--project", tmp_path / "shop")
    assert done.code == 2
    assert "engine: Spark is not installed. Install it" in done.err
    assert "`pip install 'rapport-dashboard[spark]'`" in done.err
