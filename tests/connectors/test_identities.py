"""One customer across systems: who is matched, who is not, and that undoing a rule undoes its merges."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from config.errors import ConfigError
from config.model import Project
from connectors.identities import ALONE, APART, JOINED, KEY_MAP, MATCHED, SHARED
from connectors.sources import Sources, read_sources
from connectors.staging import Staged, stage

NOW = datetime(2026, 3, 1, tzinfo=UTC)

SHOP = """no,mail,phone,region
0001,Zoe@Example.com ,+49 30 1234567,North
0002,ann@example.com,,South
0003,twin@example.com,,
0004,twin@example.com,,West
0005,,0049 89 7654321,East
"""
CRM = """id,email,tel,shop_no,name
501, zoe@example.com,,,Zoe Ng
502,other@example.com,+49-89-7654321,,Bo Lin
503,,,0002,Ann Ray
504,twin@example.com,,,Twin
505,nobody@example.com,,,No Body
"""
ORDERS = "order,customer,at,amount\n1,0001,2026-01-05,10\n2,0005,2026-01-06,20\n"
DEALS = "deal,contact,at,amount\nD1,501,2026-02-05,100\nD2,505,2026-02-06,200\n"


def sources(**shop: Any) -> list[dict[str, Any]]:
    lines = {
        "order_id": "order",
        "line_id": "row_number",
        "customer_id": "customer",
        "ordered_at": "at",
        "net_amount": "amount",
    }
    deals = {**lines, "order_id": "deal", "customer_id": "contact"}
    return [
        {"name": "shop", "system": "shop", "table": "customers", "kind": "csv", "location": "shop.csv",
         "columns": {"customer_id": "no", "region": "region", "email": "mail"},
         "identity": {"email": "mail", "phone": "phone"}} | shop,
        {"name": "crm", "system": "crm", "table": "customers", "kind": "csv", "location": "crm.csv",
         "columns": {"customer_id": "id", "name": "name", "email": "email"},
         "identity": {"email": "email", "phone": "tel", "shop": "shop_no"}},
        {"name": "orders", "system": "shop", "table": "order_lines", "kind": "csv",
         "location": "orders.csv", "columns": lines},
        {"name": "deals", "system": "crm", "table": "order_lines", "kind": "csv",
         "location": "deals.csv", "columns": deals},
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("shop", SHOP), ("crm", CRM), ("orders", ORDERS), ("deals", DEALS)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def staged(folder: Path, given: list[dict[str, Any]] | None = None, **more: Any) -> Staged:
    model = Sources.model_validate({"sources": given or sources(), **more})
    return stage(folder, Project(name="Shop", currency="EUR"), model, now=NOW, workdir=folder / "work")


def key_map(result: Staged) -> Mapping[tuple[str, str], tuple[str, str, str | None]]:
    rows = result.tables[KEY_MAP].collect().rows()
    return {(system, own): (customer, state, how) for system, own, customer, state, how in rows}


def test_ids_that_share_a_declared_key_are_one_customer(folder: Path):
    found = key_map(staged(folder))
    assert found["crm", "501"] == ("0001", MATCHED, "email")
    assert found["crm", "502"] == ("0005", MATCHED, "phone")
    assert found["crm", "503"] == ("0002", MATCHED, "shop")
    assert found["shop", "0001"] == ("0001", MATCHED, "email")


def test_a_key_that_stands_twice_in_one_system_matches_nobody(folder: Path):
    found = key_map(staged(folder))
    assert found["crm", "504"] == ("crm:504", ALONE, None)
    assert found["shop", "0003"] == ("0003", SHARED, None)
    assert found["crm", "505"] == ("crm:505", ALONE, None)


def test_the_map_is_applied_before_anything_is_counted(folder: Path):
    result = staged(folder)
    lines = result.tables["order_lines"].collect()
    assert sorted(lines["customer_id"]) == ["0001", "0001", "0005", "crm:505"]
    customers = result.tables["customers"].collect()
    assert customers.height == customers["customer_id"].n_unique() == 7
    zoe = customers.row(by_predicate=pl.col("customer_id") == "0001", named=True)
    assert (zoe["region"], zoe["name"], zoe["email"]) == ("North", "Zoe Ng", "Zoe@Example.com")


def test_rows_of_a_customer_whom_two_systems_know_count_as_merged(folder: Path):
    reports = {report.name: report for report in staged(folder).reports}
    assert (reports["shop"].accepted, reports["shop"].merged) == (5, 0)
    assert (reports["crm"].accepted, reports["crm"].merged) == (2, 3)


def test_ids_that_a_person_keeps_apart_stay_apart(folder: Path):
    found = key_map(staged(folder, apart=[["shop:0001", "crm:501"]]))
    assert found["crm", "501"] == ("crm:501", APART, None)
    assert found["crm", "502"][1] == MATCHED


def test_keys_that_would_join_two_ids_of_one_system_join_none(folder: Path):
    (folder / "crm.csv").write_text(CRM.replace("502,other@example.com", "502,ann@example.com"))
    found = key_map(staged(folder))
    assert {found["shop", own][1] for own in ("0002", "0005")} == {JOINED}
    assert found["crm", "502"] == ("crm:502", JOINED, None)


def test_without_the_rule_everything_is_as_it_was(folder: Path):
    plain = [
        {key: value for key, value in one.items() if key not in ("system", "identity")} for one in sources()
    ]
    del plain[1], plain[2]
    before = staged(folder, plain).tables["customers"].collect()
    staged(folder)
    assert staged(folder, plain).tables["customers"].collect().equals(before)
    assert KEY_MAP not in staged(folder, plain).tables


def test_a_matched_customer_does_not_depend_on_the_order_of_rows(folder: Path):
    first = staged(folder).tables[KEY_MAP].collect()
    for name, text in (("shop", SHOP), ("crm", CRM)):
        head, *lines = text.splitlines()
        (folder / f"{name}.csv").write_text("\n".join([head, *reversed(lines)]) + "\n")
    assert staged(folder).tables[KEY_MAP].collect().equals(first)


def test_a_key_of_no_kind_and_a_key_without_a_system_are_told(tmp_path: Path):
    (tmp_path / "sources.yaml").write_text(
        "sources:\n  - name: crm\n    table: customers\n    kind: csv\n    location: crm.csv\n"
        "    columns: {customer_id: id}\n    identity: {emial: email}\n"
    )
    with pytest.raises(ConfigError) as raised:
        read_sources(tmp_path / "sources.yaml")
    assert "`emial` is no kind of key and no system. Did you mean `email`?" in str(raised.value)
    assert "`identity:` without a `system:`. Name the system whose ids these are" in str(raised.value)
