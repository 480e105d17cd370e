"""Online Retail: cancellations, unknown customers, duplicates, exact money. Oracles: Polars and SQLite."""

import polars as pl
import pytest

from connectors.content import content_of
from connectors.store import Store

pytestmark = pytest.mark.realdata

DECEMBER = [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235]
CLEAN = """\
filters:
  - {drop: "CustomerID IS NULL", reason: no customer}
  - {drop: "InvoiceNo LIKE 'C%'", reason: cancellation}
  - {drop: "Quantity <= 0 OR UnitPrice <= 0", reason: nothing sold}"""
AFTER = "attributes: {country: Country}"
DECEMBER_2010 = "first_order_on <= DATE '2010-12-31'"


@pytest.fixture(scope="session")
def clean(load, inserted):
    """Purchases of known customers alone."""
    return load("online_retail", lambda text: inserted(text, AFTER, CLEAN))


@pytest.fixture(scope="session")
def merged(load, inserted):
    """The same, with exact duplicate rows counted once."""
    return load("online_retail", lambda text: inserted(text, AFTER, f"{CLEAN}\nduplicates: merge"))


def summary(loaded) -> pl.DataFrame:
    return Store(loaded.store).current().scan("customer_summary").collect()


def test_every_line_is_accounted_for(retail, clean):
    assert retail.source("invoices")["accepted"] == 541909
    source = clean.source("invoices")
    assert source["accepted"] == 397884
    assert source["filtered"]["no customer"] == 135080
    assert source["rows_read"] == source["accepted"] + sum(source["filtered"].values())


def test_ids_lose_the_decimals_of_a_number_column(retail):
    assert sum(retail.source("invoices")["repaired"].values()) == 541909 - 135080
    assert summary(retail)["customer_id"].str.contains(r"^\d{5}$").all()


def test_clean_revenue_is_exact(clean):
    assert clean.figure("net_revenue")["amount"] == "8911407.9040"
    rows = clean.ask("customers", "orders", "repeat_customers")
    assert [row["value"] for row in rows] == [4338, 18532, 2845]


def test_merging_duplicates_is_declared_and_counted(merged):
    assert merged.figure("net_revenue")["amount"] == "8887208.8940"
    source = merged.source("invoices")
    assert (source["merged"], source["accepted"]) == (5268, 392692)


def test_a_condition_gives_the_same_as_filters_of_the_source(retail, clean):
    condition = "NOT is_return AND quantity > 0 AND net_amount > 0 AND customer_id IS NOT NULL"
    names = ("net_revenue", "orders", "customers", "repeat_customers", "repeat_purchase_rate")
    kept = ("metric", "value", "amount", "n")
    filtered = retail.ask(*names, "--where", condition)
    assert [[row.get(key) for key in kept] for row in filtered] == [
        [row.get(key) for key in kept] for row in clean.ask(*names)
    ]


def test_the_december_cohort_by_month_of_activity(clean):
    rows = clean.ask("active_customers", "--by", "month", "--where", DECEMBER_2010)
    assert [row["value"] for row in rows] == DECEMBER
    assert [row["complete"] for row in rows] == [True] * 12 + [False]


def test_cancellations(retail):
    lines = Store(retail.store).current().scan("order_lines").filter("is_return").collect()
    assert lines.height == 9288
    assert str(lines["net_amount"].sum()) == "-896812.4900"
    assert retail.figure("returned_value")["amount"] == "896812.4900"


def test_returns_without_a_purchase(retail, clean):
    people = summary(retail)
    without_purchase = people.filter(~pl.col("customer_id").is_in(summary(clean)["customer_id"].implode()))
    assert without_purchase.height == 34
    assert without_purchase.filter(pl.col("returned_amount") < 0).height == 33
    assert retail.value("customers", "--where", "orders = 0") == 33


def test_net_values_have_no_float_noise(retail):
    values = summary(retail)["net_amount"]
    assert (values.len(), (values < 0).sum(), (values == 0).sum()) == (4372, 41, 14)
    assert str(values.sum()) == "8300065.8140"


def test_sales_to_nobody_known_count_as_revenue_not_as_customers(retail):
    assert retail.value("customers") == 4372
    known = retail.figure("net_revenue", "--where", "customer_id IS NOT NULL")["amount"]
    assert known == "8300065.8140"
    assert float(retail.figure("net_revenue")["amount"]) > float(known)


def test_shuffled_rows_renamed_headers_and_later_dates(
    clean, load, real_data, shuffled, inserted, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("retail-moved")
    (folder / "online_retail").mkdir()
    name = "online_retail/online_retail_2010_2011.parquet"
    names = {"CustomerID": "Kunde", "InvoiceNo": "Beleg", "UnitPrice": "Preis", "InvoiceDate": "Zeit"}
    frame = shuffled(pl.read_parquet(real_data / name)).rename(names)
    frame.with_columns(pl.col("Zeit").dt.offset_by("4y")).write_parquet(folder / name)

    def edit(text: str) -> str:
        text = inserted(text, AFTER, CLEAN)
        for theirs, ours in names.items():
            text = text.replace(theirs, ours)
        return text

    moved = load("online_retail", edit, folder)
    asked = ("customers", "orders", "net_revenue", "repeat_customers", "average_order_value")
    assert [row["value"] for row in moved.ask(*asked)] == [
        pytest.approx(row["value"]) for row in clean.ask(*asked)
    ]
    assert moved.figure("net_revenue")["amount"] == "8911407.9040"
    cohort = moved.ask("active_customers", "--by", "month", "--where", DECEMBER_2010.replace("2010", "2014"))
    assert [row["value"] for row in cohort] == DECEMBER
    assert cohort[0]["by"] == {"month": "2014-12"}


def test_two_overlapping_halves_are_the_whole(load, inserted, merged, real_data, tmp_path):
    """Two extracts that share two months: with duplicates merged, as in the whole, no line counts twice."""
    whole = pl.scan_parquet(real_data / "online_retail" / "online_retail_2010_2011.parquet")
    at = pl.col("InvoiceDate").cast(pl.String).str.slice(0, 10)
    for name, some in (("1", at < "2011-07-01"), ("2", at >= "2011-05-01")):
        whole.filter(some).sink_parquet(tmp_path / f"half{name}.parquet")

    def halved(text: str) -> str:
        text = inserted(text, AFTER, f"{CLEAN}\nduplicates: merge")
        start = text.index("    location: ")
        end = text.index("\n", start)
        return f"{text[:start]}    location: {tmp_path.as_posix()}/half*.parquet{text[end:]}"

    halves = load("online_retail", halved)
    source, other = halves.source("invoices"), merged.source("invoices")
    assert source["rows_read"] > other["rows_read"]
    assert source["accepted"] == other["accepted"] == 392692
    lines = [
        Store(loaded.store).current().scan("order_lines").drop("line_id").collect()
        for loaded in (halves, merged)
    ]
    assert content_of(lines[0]) == content_of(lines[1])
