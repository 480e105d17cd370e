"""CDNOW: text without a header; repeaters by rows and by days. Oracle: the published file, by SQL and awk."""

import polars as pl
import pytest

from connectors.store import Store

pytestmark = pytest.mark.realdata

JANUARY = [7846, 1157, 964, 810, 679, 736, 720, 582, 559, 594, 673, 634, 528, 511, 664, 472, 497, 498]
FEBRUARY = [8476, 1312, 980, 783, 847, 786, 626, 619, 666, 721, 661, 545, 568, 718, 545, 548, 551]
MARCH = [7248, 1032, 752, 756, 674, 564, 561, 579, 634, 569, 464, 472, 678, 420, 443, 457]


@pytest.fixture(scope="session")
def by_day(load):
    """The rows of one customer and day are one order."""

    def edit(text: str) -> str:
        merged = text.replace("order_id: row_number", "order_id: customer_id || '-' || bought_on")
        return merged.replace("line_id: \"'1'\"", "line_id: row_number")

    return load("cdnow", edit)


def test_totals(cdnow):
    assert cdnow.value("customers") == 23570
    assert cdnow.value("orders") == 69659
    assert cdnow.figure("net_revenue")["amount"] == "2500315.6300"
    lines = Store(cdnow.store).current().scan("order_lines")
    assert lines.select(pl.col("quantity").sum()).collect().item() == 167881
    assert lines.select(pl.col("net_amount").eq(0).sum()).collect().item() == 80


def test_ids_keep_their_leading_zeros(cdnow):
    ids = Store(cdnow.store).current().scan("order_lines").select(pl.col("customer_id").unique()).collect()
    assert ids["customer_id"].str.len_chars().unique().to_list() == [5]
    assert "00001" in ids["customer_id"]


def test_repeaters_by_rows_and_by_days(cdnow, by_day):
    assert cdnow.value("repeat_customers") == 11662
    assert by_day.value("repeat_customers") == 11516
    assert by_day.figure("net_revenue")["amount"] == "2500315.6300"


def test_every_row_is_accounted_for(cdnow):
    source = cdnow.source("purchases")
    assert source["rows_read"] == source["accepted"] == 69659
    assert source["quarantined"] == source["filtered"] == {}


def test_exact_duplicate_rows_merge_when_asked_to(load, inserted):
    merged = load(
        "cdnow",
        lambda text: inserted(text, "header: [customer_id, bought_on, cds, dollars]", "duplicates: merge"),
    )
    source = merged.source("purchases")
    assert source["merged"] == 255
    assert source["accepted"] == 69659 - 255


@pytest.mark.parametrize(
    ("first", "last", "active"),
    [
        ("1997-01-01", "1997-01-31", JANUARY),
        ("1997-02-01", "1997-02-28", FEBRUARY),
        ("1997-03-01", "1997-03-31", MARCH),
    ],
    ids=["January", "February", "March"],
)
def test_cohorts_by_month_of_activity(cdnow, first, last, active):
    cohort = f"first_order_on >= DATE '{first}' AND first_order_on <= DATE '{last}'"
    rows = cdnow.ask("active_customers", "--by", "month", "--where", cohort, "--from", first)
    assert [row["value"] for row in rows] == active


def test_shuffled_rows_later_dates_and_another_layout_change_nothing(
    cdnow, load, real_data, shuffled, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("cdnow-moved")
    (folder / "cdnow").mkdir()
    lines = (real_data / "cdnow" / "CDNOW_master.txt").read_text().split("\n")
    fields = pl.DataFrame([line.split() for line in lines if line.strip()], orient="row", schema=list("idqa"))
    later = pl.col("d").str.to_date("%Y%m%d").dt.offset_by("4y").dt.strftime("%d.%m.%Y").alias("Kaufdatum")
    amount = pl.col("a").str.replace(".", ",", literal=True).alias("Betrag")
    moved = shuffled(fields).select(
        pl.col("i").alias("Kunde"), later, pl.col("q").alias("St\u00fcck"), amount
    )
    moved.write_csv(folder / "cdnow" / "CDNOW_master.txt", separator=";")

    def edit(text: str) -> str:
        columns = {"customer_id: customer_id": "customer_id: Kunde", "from: bought_on": "from: Kaufdatum"}
        columns |= {
            "%Y%m%d": "%d.%m.%Y",
            "quantity: cds": "quantity: St\u00fcck",
            "net_amount: dollars": "net_amount: Betrag",
        }
        columns |= {"kind: text": "kind: csv", "    header: [customer_id, bought_on, cds, dollars]\n": ""}
        for theirs, ours in columns.items():
            text = text.replace(theirs, ours)
        return text

    other = load("cdnow", edit, folder)
    names = ("customers", "orders", "net_revenue", "repeat_customers", "repeat_purchase_rate")
    assert [row["value"] for row in other.ask(*names)] == [row["value"] for row in cdnow.ask(*names)]
    months = cdnow.ask("new_customers", "net_revenue", "--by", "month")
    shifted = other.ask("new_customers", "net_revenue", "--by", "month")
    assert [row["value"] for row in shifted] == [row["value"] for row in months]
    assert [int(row["by"]["month"][:4]) - 4 for row in shifted] == [
        int(row["by"]["month"][:4]) for row in months
    ]
