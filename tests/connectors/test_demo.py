"""The demonstration project: shape, determinism, settings, wrong rows."""

import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from config.load import read
from config.model import Project
from connectors.demo.project import write
from connectors.demo.truths import catalogue, truths
from connectors.sources import find_sources

MONEY = ("list_amount", "paid", "cost")


@pytest.fixture(scope="module")
def project(demo_project: Path) -> Path:
    return demo_project


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write(folder, customers=800, months=14)
    return folder


def text(folder: Path, pattern: str) -> pl.DataFrame:
    return pl.concat(
        [pl.read_csv(path, infer_schema=False) for path in sorted((folder / "data").glob(pattern))]
    )


@pytest.fixture(scope="module")
def lines(project: Path) -> pl.DataFrame:
    """Good lines, returns included."""
    good = text(project, "orders-*.csv").filter(
        pl.col("order_no").str.slice(1) < "9", pl.col("status") != "cancelled"
    )
    return good.with_columns(
        pl.col("order_time").str.to_datetime("%Y-%m-%d %H:%M"), pl.col(MONEY).cast(pl.Decimal(18, 2))
    ).unique(maintain_order=True)


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_same_seed_same_bytes(small, tmp_path):
    write(tmp_path / "again", customers=800, months=14)
    assert files(tmp_path / "again") == files(small)
    write(tmp_path / "other", customers=800, months=14, seed=5)
    assert files(tmp_path / "other") != files(small)


def test_a_second_writing_replaces_the_first(small, tmp_path):
    write(tmp_path, customers=800, months=30)
    write(tmp_path, customers=800, months=14)
    assert files(tmp_path) == files(small)


def test_settings_are_good(project):
    assert read(project / "rapport.yaml", Project).currency == "USD"
    assert {source.table for source in find_sources(project).sources} == {
        "customers", "order_lines", "products", "survey_answers", "interactions", "subscriptions", "spend"
    }  # fmt: skip


def test_large_projects_have_their_orders_as_parquet(tmp_path, monkeypatch):
    monkeypatch.setattr("connectors.demo.project.BLOCK", 300)
    write(tmp_path, customers=700, months=14)
    orders = {source.name: source for source in find_sources(tmp_path).sources}["orders"]
    assert (orders.kind, orders.location) == ("parquet", "data/orders-*.parquet")
    sold = pl.scan_parquet(tmp_path / "data" / "orders-*.parquet").collect()
    assert sold.select("order_no", "line").is_unique().all()
    assert sold["paid"].dtype == pl.Decimal(18, 2)
    assert not list((tmp_path / "data").glob("orders-*.csv"))
    customers = text(tmp_path, "customers.csv").drop_nulls("customer_no").unique()
    assert customers["customer_no"].n_unique() == customers.height == 701
    assert text(tmp_path, "subscriptions.csv").select("contract", "start").is_unique().all()


@pytest.mark.parametrize(("customers", "months"), [(1, 1), (5, 2), (60, 7)])
def test_tiny_projects_can_be_written(tmp_path, customers, months):
    write(tmp_path, customers=customers, months=months, end=date(2025, 3, 31))
    assert text(tmp_path, "customers.csv")["customer_no"].drop_nulls().n_unique() >= customers


def test_generating_takes_seconds(tmp_path):
    started = time.process_time()
    write(tmp_path)
    assert time.process_time() - started < 8


def test_rows_are_about_as_many_as_promised(project, lines):
    assert 225_000 < lines.height < 275_000
    assert text(project, "customers.csv").drop_nulls("customer_no")["customer_no"].n_unique() == 20_001
    assert text(project, "products.csv").height == 300
    assert 250_000 < text(project, "survey.csv").height < 400_000


def test_keys_are_unique(project, lines):
    assert lines.select("order_no", "line").is_unique().all()
    answers = text(project, "survey.csv").filter(pl.col("score") != "refused")
    assert answers.select("response", "item", "part").is_unique().all()
    contacts = pl.read_parquet(project / "data" / "contacts-000.parquet")
    assert contacts["contact_no"].is_unique().all()
    assert text(project, "subscriptions.csv").select("contract", "start").is_unique().all()
    assert text(project, "spend.csv").select("month", "channel", "purpose").is_unique().all()


def test_references_lead_somewhere(project, lines):
    customers = text(project, "customers.csv")["customer_no"]
    assert lines["customer_no"].drop_nulls().is_in(customers.implode()).all()
    assert lines["sku"].is_in(text(project, "products.csv")["sku"].implode()).all()
    sold = lines.filter(pl.col("returns_order").is_null())["order_no"]
    assert lines["returns_order"].drop_nulls().is_in(sold.implode()).all()
    for name in ("subscriptions.csv", "survey.csv"):
        assert text(project, name)["customer_no"].is_in(customers.implode()).all()


def test_business_looks_healthy(lines):
    sold = lines.filter(pl.col("returns_order").is_null())
    month = pl.col("order_time").dt.strftime("%Y-%m").alias("month")
    revenue = dict(lines.group_by(month).agg(pl.col("paid").sum().cast(pl.Float64)).sort("month").rows())
    assert len(revenue) == 36
    assert 2e6 < sum(v for k, v in revenue.items() if k.startswith("2025")) < 4e6
    before = sum(v for k, v in revenue.items() if "2024-11" <= k <= "2025-10")
    assert 1.05 < sum(v for k, v in revenue.items() if k >= "2025-11") / before < 1.5
    for year in (2024, 2025):
        assert revenue[f"{year}-12"] == max(v for k, v in revenue.items() if k.startswith(str(year)))
    assert 0.3 < 1 - float(lines["cost"].sum()) / float(lines["paid"].sum()) < 0.55
    assert 0.05 < 1 - sold.height / lines.height < 0.10
    buyers = sold.drop_nulls("customer_no").group_by("customer_no").agg(pl.col("order_no").n_unique())
    assert 0.4 < (buyers["order_no"] > 1).mean() < 0.6


def test_amounts_make_sense(lines):
    sold, back = lines.filter(pl.col("returns_order").is_null()), lines.drop_nulls("returns_order")
    assert (sold["paid"] >= 0).all()
    assert (sold["list_amount"] >= sold["paid"]).all()
    assert (back["paid"] <= 0).all()
    assert (back["quantity"].cast(pl.Int64) < 0).all()
    assert (sold.group_by("order_no").len()["len"] <= 6).all()


def test_people_have_names_of_many_scripts(project):
    names = text(project, "customers.csv")["name"]
    for letters in (r"\p{Han}", r"\p{Hangul}", "[éüøłñ]"):
        assert 0.02 < names.str.contains(letters).mean() < 0.3
    assert text(project, "customers.csv")["email"].str.contains(r"^[a-z.]+\d+@example\.(com|org|net)$").all()


def test_returns_come_after_their_order(lines):
    sold = lines.filter(pl.col("returns_order").is_null()).select("order_no", "line", "order_time")
    back = lines.drop_nulls("returns_order").join(
        sold, left_on=["returns_order", "line"], right_on=["order_no", "line"], suffix="_sold"
    )
    assert back.height == lines.drop_nulls("returns_order").height
    assert (back["order_time"] > back["order_time_sold"]).all()


def test_wrong_rows_are_as_many_as_said(project):
    orders, counts = text(project, "orders-*.csv"), truths().faults.orders
    assert orders.filter(pl.col("customer_no") == "TEST").height == counts.test_order
    assert orders.filter(pl.col("order_time") == "2026-02-30 11:20").height == counts.impossible_date
    assert orders["order_no"].null_count() == counts.no_order_number
    assert orders.filter(pl.col("paid") == "n/a").height == counts.no_amount
    assert orders.is_duplicated().sum() == 2 * counts.duplicate
    assert orders.filter(pl.col("returns_order") == "A0000000").height == counts.orphan_return
    assert 0.005 < (orders["status"] == "cancelled").mean() < 0.02
    customers = text(project, "customers.csv")
    assert customers.is_duplicated().sum() == 2 * truths().faults.customers.duplicate
    assert customers["customer_no"].null_count() == truths().faults.customers.no_number
    assert (customers["registered_on"] == "2025-13-05").sum() == truths().faults.customers.impossible_date
    assert (text(project, "survey.csv")["score"] == "refused").sum() == truths().faults.answers.refused


def test_documented_numbers_are_the_generators():
    plan = truths()
    assert sum(segment.share for segment in plan.segments.values()) == pytest.approx(1)
    assert sum(plan.regions.values()) == pytest.approx(1)
    assert sum(plan.seasonality) / 12 == pytest.approx(1)
    assert len(catalogue().categories) == 12
    for pair in plan.affinities:
        assert {pair.first, pair.second} <= set(catalogue().categories)


def test_no_source_reads_the_truth(project):
    locations = [str(getattr(source, "location", "")) for source in find_sources(project).sources]
    assert all(location.startswith("data/") for location in locations)
