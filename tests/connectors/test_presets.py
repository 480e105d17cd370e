"""Exports of shops and CRM systems in the columns that they have, through their presets alone."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from config.model import Project
from connectors.presets import preset_of, presets
from connectors.sources import Sources
from connectors.staging import Staged, stage

NOW = datetime(2026, 3, 1, tzinfo=UTC)

EXPORTS: dict[str, str] = {
    "shopify_orders": (
        "Name,Email,Financial Status,Paid at,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
        "Lineitem sku,Lineitem discount,Vendor\n"
        "#1001,Zoe@Example.com,paid,2026-01-05 10:00:00 -0500,2026-01-05 23:30:00 -0500,2,Ink,4.5,INK,1.0,A\n"
        "#1001,Zoe@Example.com,,,2026-01-05 23:30:00 -0500,1,Pen,24.50,,0.00,B\n"
    ),
    "woocommerce_orders": (
        "Order Number,Order Status,Order Date,Email (Billing),SKU,Item Name,Quantity (- Refund),Item Cost\n"
        "11,Completed,2026-01-05 10:00,ann@example.com,INK,Ink,2,4.50\n"
        "12,Cancelled,2026-01-06 10:00,ann@example.com,INK,Ink,1,4.50\n"
    ),
    "stripe_charges": (
        "id,Description,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email\n"
        "ch_1,Ink,2026-01-05 10:00,24.50,4.50,eur,Paid,cus_1,zoe@example.com\n"
        "ch_2,Ink,2026-01-06 10:00,9.00,0.00,eur,Failed,cus_1,zoe@example.com\n"
        "ch_3,Ink,2026-01-07 10:00,9.00,0.00,eur,Paid,,Ann@example.com\n"
    ),
    "stripe_payments": (
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email\n"
        "py_1,2026-01-05 10:00:00,24.50,0.00,eur,Paid,cus_1,zoe@example.com\n"
    ),
    "hubspot_contacts": (
        "Record ID,First Name,Last Name,Email,Create Date,Lifecycle Stage\n"
        "501,Zoe,Ng, Zoe@Example.com,2026-01-05 10:00,Customer\n"
    ),
    "hubspot_deals": (
        "Record ID,Deal Name,Deal Stage,Close Date,Amount,Pipeline,Associated Contact IDs\n"
        "9001,Paper,Closed won,2026-01-05 10:00,1200.50,Sales,501;502\n"
        "9002,Ink,Closed lost,2026-01-06 10:00,10,Sales,501\n"
    ),
    "hubspot_tickets": (
        "Ticket ID,Ticket name,Create date,Close date,Ticket status,Associated Contact IDs\n"
        "7,Late,2026-01-05 10:00,2026-01-06 10:00,Closed,501\n"
    ),
    "salesforce_contacts": (
        "Id,AccountId,FirstName,LastName,Email,CreatedDate\n"
        "003A,001A,Zoe,Ng,zoe@example.com,2026-01-05T10:00:00.000Z\n"
    ),
    "salesforce_opportunities": (
        "Id,AccountId,Name,StageName,Amount,CloseDate,IsWon\n"
        "006A,001A,Paper,Closed Won,1200.5,2026-01-05,true\n006B,001A,Ink,Open,1,2026-01-06,false\n"
    ),
    "salesforce_cases": (
        "Id,CaseNumber,AccountId,Subject,Status,Origin,CreatedDate,ClosedDate\n"
        "500A,00001026,001A,Late,Closed,Phone,2026-01-05T10:00:00.000Z,2026-01-06T10:00:00.000Z\n"
    ),
}


def staged(folder: Path, name: str) -> Staged:
    (folder / "export.csv").write_text(EXPORTS[name])
    header = EXPORTS[name].split("\n")[0].split(",")
    found = preset_of(header)
    assert found is not None
    assert found.name == name
    given: dict[str, Any] = found.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for key in ("label", "found_by", "notes"):
        given.pop(key, None)
    source = {**given, "kind": "csv", "location": "export.csv"}
    sources = Sources.model_validate({"sources": [source]})
    return stage(folder, Project(name="Shop", currency="EUR"), sources, now=NOW, workdir=folder / "work")


@pytest.mark.parametrize("name", EXPORTS)
def test_every_row_of_an_export_is_understood(tmp_path: Path, name: str):
    report = staged(tmp_path, name).reports[0]
    assert report.quarantined == {}
    assert report.accepted >= 1


def test_every_preset_is_tried():
    assert {preset.name for preset in presets()} == set(EXPORTS)


def lines(folder: Path, name: str) -> pl.DataFrame:
    return staged(folder, name).tables["order_lines"].collect()


def test_shopify_lines_are_priced_after_their_discount_in_their_own_time_zone(tmp_path: Path):
    found = lines(tmp_path, "shopify_orders")
    assert found["net_amount"].to_list() == [Decimal("8.0000"), Decimal("24.5000")]
    assert found["ordered_at"][0] == datetime(2026, 1, 6, 4, 30, tzinfo=UTC)
    assert found["customer_id"].to_list() == ["zoe@example.com"] * 2
    assert found["product_id"].to_list() == ["INK", "Pen"]


def test_stripe_counts_what_was_kept_and_leaves_failed_charges_out(tmp_path: Path):
    found = lines(tmp_path, "stripe_charges")
    assert found["net_amount"].to_list() == [Decimal("20.0000"), Decimal("9.0000")]
    assert found["customer_id"].to_list() == ["cus_1", "ann@example.com"]


def test_crm_deals_are_those_that_were_won(tmp_path: Path):
    assert lines(tmp_path, "hubspot_deals")["customer_id"].to_list() == ["501"]
    assert lines(tmp_path, "salesforce_opportunities")["net_amount"].to_list() == [Decimal("1200.5000")]


def test_other_columns_have_no_preset():
    assert preset_of(["order_no", "customer_no", "amount"]) is None
