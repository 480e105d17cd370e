"""Figures of real data as they were computed twice elsewhere, read with plain Polars."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from config.documents import Document
from config.load import Located
from connectors.tables import MONEY
from metrics.catalog import Catalog, catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Selection

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CALENDAR = Calendar()
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets do not lie beside the repository"),
]


def opened(lines: pl.DataFrame, as_of: date) -> Marts:
    tables = {"order_lines": lines.lazy()}
    return Marts({**tables, **build(tables, CALENDAR, as_of)}, CALENDAR, as_of)


def figure(shipped: Catalog, marts: Marts, name: str, window: Window = Window()) -> dict[str, Any]:  # noqa: B008 (frozen)
    return compute(shipped, [name], marts, window).row(0, named=True)


@pytest.fixture(scope="module")
def cdnow() -> Marts:
    rows = (DATA / "cdnow" / "CDNOW_master.txt").read_text(encoding="utf-8").split("\n")
    fields = [row.split() for row in rows if row.strip()]
    lines = pl.DataFrame(fields, schema=["customer_id", "day", "cds", "dollars"], orient="row").select(
        pl.int_range(pl.len()).cast(pl.String).alias("order_id"),
        pl.lit("1").alias("line_id"),
        "customer_id",
        pl.col("day").str.to_date("%Y%m%d").alias("ordered_on"),
        pl.col("cds").cast(pl.Float64).alias("quantity"),
        pl.col("dollars").str.to_decimal(scale=4).cast(MONEY).alias("net_amount"),
        pl.lit(value=False).alias("is_return"),
    )
    return opened(lines, date(1998, 6, 30))


@pytest.fixture(scope="module")
def retail() -> Marts:
    """Online Retail: every line, cancellations as returns."""
    source = pl.read_parquet(DATA / "online_retail" / "online_retail_2010_2011.parquet")
    lines = source.select(
        pl.col("InvoiceNo").cast(pl.String).alias("order_id"),
        pl.int_range(pl.len()).cast(pl.String).alias("line_id"),
        pl.col("CustomerID").cast(pl.Int64, strict=False).cast(pl.String).alias("customer_id"),
        pl.col("InvoiceDate").cast(pl.Datetime("us")).dt.date().alias("ordered_on"),
        pl.col("Quantity").cast(pl.Float64).alias("quantity"),
        pl.col("UnitPrice").cast(pl.Float64).alias("unit_price"),
        (pl.col("Quantity") * pl.col("UnitPrice")).round(4).cast(MONEY).alias("net_amount"),
        pl.col("InvoiceNo").cast(pl.String).str.starts_with("C").alias("is_return"),
        pl.col("Country").alias("country"),
    )
    return opened(lines, date(2011, 12, 9))


CLEAN = Selection(where="customer_id IS NOT NULL AND NOT is_return AND quantity > 0 AND unit_price > 0")


def test_cdnow_totals(cdnow: Marts, shipped: Catalog) -> None:
    assert figure(shipped, cdnow, "orders")["value"] == 69_659
    assert figure(shipped, cdnow, "customers")["value"] == 23_570
    assert str(figure(shipped, cdnow, "net_revenue")["amount"]) == "2500315.6300"
    units = figure(shipped, cdnow, "units_per_order")
    assert units["value"] == pytest.approx(167_881 / 69_659)


def test_cdnow_repeaters_by_rows_and_by_days(cdnow: Marts, shipped: Catalog) -> None:
    assert figure(shipped, cdnow, "repeat_customers")["value"] == 11_662
    by_days = shipped.definition("repeat_customers").model_copy(update={"where": "order_days >= 2"})
    changed = catalog([Located(by_days, Document("metrics.yaml"))])
    assert figure(changed, cdnow, "repeat_customers")["value"] == 11_516


@pytest.mark.parametrize(("month", "new"), [(1, 7846), (2, 8476), (3, 7248)])
def test_cdnow_cohorts(cdnow: Marts, shipped: Catalog, month: int, new: int) -> None:
    window = Window(Grain.MONTH, CALENDAR.code(date(1997, month, 1), Grain.MONTH))
    assert figure(shipped, cdnow, "new_customers", window)["value"] == new


def test_cdnow_who_came_back_in_the_second_month(cdnow: Marts, shipped: Catalog) -> None:
    """1,157 of the 7,846 customers of January 1997 bought in February: all that were active in January."""
    window = Window(Grain.MONTH, CALENDAR.code(date(1997, 2, 1), Grain.MONTH))
    kept = figure(shipped, cdnow, "retention_rate", window)
    assert (kept["value"], kept["n"]) == (pytest.approx(1157 / 7846), 7846)


def test_retail_clean_purchases(retail: Marts, shipped: Catalog) -> None:
    clean = retail.select(CLEAN)
    assert figure(shipped, clean, "customers")["value"] == 4_338
    assert figure(shipped, clean, "orders")["value"] == 18_532
    assert figure(shipped, clean, "repeat_customers")["value"] == 2_845
    assert str(figure(shipped, clean, "net_revenue")["amount"]) == "8911407.9040"


def test_retail_everything(retail: Marts, shipped: Catalog) -> None:
    assert figure(shipped, retail, "customers")["value"] == 4_372
    known = retail.select(Selection(where="customer_id IS NOT NULL"))
    assert str(figure(shipped, known, "net_revenue")["amount"]) == "8300065.8140"
    assert float(figure(shipped, known, "returned_value")["amount"]) == pytest.approx(611_342.09, abs=0.005)
    assert float(figure(shipped, retail, "returned_value")["amount"]) == pytest.approx(896_812.49, abs=0.005)
    assert float(figure(shipped, known, "return_rate")["value"]) == pytest.approx(0.0686, abs=1e-4)


def test_retail_value_per_customer_is_exact(retail: Marts) -> None:
    """41 customers are negative and 14 zero; float noise would say 42 and 8."""
    people = retail.frame("customer_summary")
    assert ((people["net_amount"] < 0).sum(), (people["net_amount"] == 0).sum()) == (41, 14)


def test_retail_december_cohort(retail: Marts, shipped: Catalog) -> None:
    """885 customers in December 2010, 324 of them in January; the last month ends on the 9th."""
    clean = retail.select(CLEAN)
    january = Window(Grain.MONTH, CALENDAR.code(date(2011, 1, 1), Grain.MONTH))
    kept = figure(shipped, clean, "retention_rate", january)
    assert (kept["n"], round(kept["value"] * kept["n"])) == (885, 324)
    months = Window(Grain.MONTH, CALENDAR.code(date(2011, 12, 1), Grain.MONTH), 13)
    figures = compute(shipped, ["active_customers", "new_customers"], clean, months)
    assert figures.filter(pl.col("metric") == "new_customers")["value"].to_list()[0] == 885
    assert figures["complete"].to_list() == ([True] * 12 + [False]) * 2
