"""Refreshing by itself: how often, how fresh, what is noted; one customer across systems on the Data page."""

from datetime import UTC, datetime, timedelta

import pytest

from config.model import Project
from connectors.attempts import Attempt, attempts
from connectors.errors import SourceError
from connectors.store import Store
from dashboard.commands.refresh import load
from dashboard.commands.watch import watch
from dashboard.freshness import freshness
from dashboard.workspace import open_workspace

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def folder(rapport, tmp_path):
    """A project on the starter's example."""
    assert rapport("init", tmp_path / "shop").code == 0
    return tmp_path / "shop"


def project(**refresh: str) -> Project:
    return Project.model_validate({"name": "Shop", "currency": "EUR", "refresh": refresh})


@pytest.mark.parametrize(
    ("hours", "last", "state"),
    [
        (1, None, "fresh"),
        (47, None, "fresh"),
        (49, None, "late"),
        (1, "failed", "failed"),
        (49, "failed", "failed"),
        (1, "unchanged", "fresh"),
    ],
)
def test_data_are_fresh_late_or_failed_by_the_rule_of_the_project(hours, last, state):
    at = NOW - timedelta(hours=hours)
    attempt = Attempt(began_at=NOW, seconds=1.0, outcome=last) if last else None
    found = freshness(project(every="6 hours", late_after="2 days"), at, None, attempt, NOW)
    assert found.state == state
    assert found.due_at == at + timedelta(hours=6)


def test_a_look_at_unchanged_sources_makes_data_fresh():
    found = freshness(project(), NOW - timedelta(days=9), NOW - timedelta(hours=1), None, NOW)
    assert found.state == "fresh"


def test_a_success_after_a_failure_is_no_failure():
    failed = Attempt(began_at=NOW - timedelta(hours=3), seconds=1.0, outcome="failed")
    assert freshness(project(), NOW - timedelta(hours=1), None, failed, NOW).state == "fresh"


def test_every_refresh_is_noted_with_its_outcome(folder):
    workspace = open_workspace(folder)
    load(workspace, now=NOW)
    load(workspace, now=NOW + timedelta(hours=1))
    (folder / "data" / "orders.csv").unlink()
    with pytest.raises(SourceError):
        load(workspace, now=NOW + timedelta(hours=2))
    noted = attempts(workspace.store).attempts
    assert [one.outcome for one in noted] == ["published", "unchanged", "failed"]
    assert "orders.csv" in noted[-1].fault
    assert len({one.version for one in noted}) == 1


def test_watching_refreshes_when_it_is_due_and_goes_on_after_a_fault(folder):
    text = (folder / "rapport.yaml").read_text()
    (folder / "rapport.yaml").write_text(text + "refresh: {every: 6 hours}\n")
    clock = [NOW]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += timedelta(seconds=seconds)
        if len(slept) == 2:
            (folder / "data" / "orders.csv").rename(folder / "data" / "gone.csv")

    watch(folder, None, clock=lambda: clock[0], sleep=sleep, rounds=range(3))
    assert slept == [0.0, 21_600.0, 21_600.0]
    noted = attempts(folder / "store").attempts
    assert [one.outcome for one in noted] == ["published", "failed", "failed"]


def test_old_versions_are_pruned_by_the_policy_of_the_project(folder):
    text = (folder / "rapport.yaml").read_text()
    (folder / "rapport.yaml").write_text(text + "refresh: {keep: 2}\n")
    orders = folder / "data" / "orders.csv"
    for day in range(4):
        line = f"B{day},C01,2026-03-0{day + 1},Ink,Pens,1,7.90\n"
        orders.write_text(orders.read_text() + line)
        load(open_workspace(folder), now=NOW + timedelta(days=day + 5))
    assert len(Store(folder / "store").index().versions) == 2


def test_a_length_of_time_that_is_none_is_told(folder, rapport):
    text = (folder / "rapport.yaml").read_text()
    (folder / "rapport.yaml").write_text(text + "refresh: {every: daily}\n")
    done = rapport("check", "--project", folder)
    assert "`daily` is no length of time. Write one such as `1 day` or `6 hours`" in done.out + done.err


def test_the_data_page_says_how_fresh_it_is_and_every_page_has_the_badge(folder, rapport, open_page, texts):
    assert rapport("refresh", "--project", folder).code == 0
    page = open_page("data", folder)
    assert not page.exception
    shown = texts(page)
    assert "Fresh" in shown
    assert "Refreshed every day; late after 2 days (refresh: in rapport.yaml)" in shown
    assert "a new version" in shown
    assert "Fresh" in texts(open_page("overview", folder))


def test_a_failed_refresh_shows_on_every_page(folder, rapport, open_page, texts):
    assert rapport("refresh", "--project", folder).code == 0
    (folder / "data" / "orders.csv").unlink()
    assert rapport("refresh", "--project", folder).code == 2
    assert "The last refresh failed" in texts(open_page("overview", folder))


SOURCES = """
sources:
  - {name: shop, system: shop, table: customers, kind: csv, location: shop.csv,
     columns: {customer_id: no}, identity: {email: mail}}
  - {name: crm, system: crm, table: customers, kind: csv, location: crm.csv,
     columns: {customer_id: id}, identity: {email: mail}}
  - {name: orders, system: shop, table: order_lines, kind: csv, location: orders.csv,
     columns: {order_id: order, line_id: row_number, customer_id: no, ordered_at: at, net_amount: amount}}
"""


def test_matches_across_systems_stand_on_the_data_page(tmp_path, rapport, open_page, texts):
    folder = tmp_path / "two"
    assert rapport("init", folder, "--blank").code == 0
    (folder / "sources.yaml").write_text(SOURCES)
    (folder / "shop.csv").write_text("no,mail\n1,a@example.com\n2,b@example.com\n")
    (folder / "crm.csv").write_text("id,mail\n91,A@example.com\n92,z@example.com\n")
    (folder / "orders.csv").write_text("order,no,at,amount\n1,1,2026-01-05,10\n2,2,2026-01-06,20\n")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    page = open_page("data", folder)
    assert not page.exception
    shown = texts(page)
    assert "One customer across systems" in shown
    assert "no key in another system" in shown
    assert "crm:92" in shown
    answer = rapport("query", "customers", "--project", folder, "--json")
    assert answer.code == 0, answer.err
