"""Figures of contacts, surveys and spend against plain Python over the rows of the shop."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from config.documents import Document
from config.load import Located
from metrics.catalog import Catalog, Definition, catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Grain, Window
from metrics.selection import Selection

Rows = list[dict[str, Any]]
MONTHS = Window(Grain.MONTH, 2024 * 12 + 4, 17)
"""January 2023 to May 2024."""


def month(day: date) -> int:
    return day.year * 12 + day.month - 1


def by_month(rows: Rows, day: str) -> dict[int, Rows]:
    found: dict[int, Rows] = {code: [] for code in MONTHS.periods}
    for row in rows:
        found.setdefault(month(row[day]), []).append(row)
    return found


def values(figures: pl.DataFrame, name: str) -> dict[int, float | None]:
    return dict(figures.filter(pl.col("metric") == name).select("period", "value").iter_rows())


@pytest.fixture(params=["everybody", "region", "vip"])
def asked(
    request: pytest.FixtureRequest, shop: Mapping[str, pl.DataFrame], shop_marts: Marts
) -> tuple[Any, Marts]:
    """Whom the figures are about: the ids that count (None: everybody, unknown people too), and the marts."""
    people = shop["customers"].to_dicts()
    match request.param:
        case "region":
            ids = {row["customer_id"] for row in people if row["region"] in ("North", "East")}
            return ids, shop_marts.select(Selection({"region": ("North", "East")}))
        case "vip":
            return {r["customer_id"] for r in people if r["vip"]}, shop_marts.select(Selection(where="vip"))
        case _:
            return None, shop_marts


def rows_of(shop: Mapping[str, pl.DataFrame], table: str, ids: set[str] | None) -> Rows:
    return [row for row in shop[table].to_dicts() if ids is None or row["customer_id"] in ids]


def test_contacts_and_what_they_cost(
    shop: Mapping[str, pl.DataFrame], asked: tuple[Any, Marts], shipped: Catalog
) -> None:
    ids, marts = asked
    names = ["contacts", "complaints", "complaints_per_1000_orders", "service_cost", "orders"]
    names += ["service_cost_per_active_customer", "active_customers"]
    figures = compute(shipped, names, marts, MONTHS)
    orders, active = values(figures, "orders"), values(figures, "active_customers")
    for code, rows in by_month(rows_of(shop, "interactions", ids), "occurred_at").items():
        complaints = sum(row["kind"] == "complaint" for row in rows)
        cost = sum(row["cost"] for row in rows)
        if code not in MONTHS.periods:
            continue
        assert values(figures, "contacts")[code] == len(rows)
        assert values(figures, "complaints")[code] == complaints
        assert values(figures, "service_cost")[code] == float(cost)
        assert values(figures, "complaints_per_1000_orders")[code] == pytest.approx(
            1000 * complaints / orders[code]
        )
        assert values(figures, "service_cost_per_active_customer")[code] == pytest.approx(
            float(cost) / active[code]
        )


def test_satisfaction_and_nps(
    shop: Mapping[str, pl.DataFrame], asked: tuple[Any, Marts], shipped: Catalog
) -> None:
    ids, marts = asked
    figures = compute(shipped, ["satisfaction", "nps"], marts, MONTHS)
    counted = {(r["metric"], r["period"]): r["n"] for r in figures.iter_rows(named=True)}
    for code, rows in by_month(rows_of(shop, "survey_answers", ids), "answered_at").items():
        if code not in MONTHS.periods:
            continue
        scores = {item: [row["score"] for row in rows if row["item"] == item] for item in ("overall", "nps")}
        overall = scores["overall"]
        assert values(figures, "satisfaction")[code] == (
            pytest.approx(sum(overall) / len(overall)) if overall else None
        )
        said = scores["nps"]
        balance = sum(score >= 9 for score in said) - sum(score <= 6 for score in said)
        assert values(figures, "nps")[code] == (pytest.approx(100 * balance / len(said)) if said else None)
        assert (counted["satisfaction", code], counted["nps", code]) == (len(overall), len(said))


def test_what_a_new_customer_costs(
    shop: Mapping[str, pl.DataFrame], shop_marts: Marts, shipped: Catalog
) -> None:
    names = ["acquisition_spend", "acquisition_cost_per_new_customer", "new_customers"]
    for channels in (("app", "store", "web"), ("app",), ("web", "store")):
        marts = shop_marts.select(Selection({"channel": channels})) if len(channels) < 3 else shop_marts
        figures = compute(shipped, names, marts, MONTHS)
        for code, rows in by_month(shop["spend"].to_dicts(), "spent_on").items():
            spent = sum(
                r["amount"] for r in rows if r["purpose"] == "acquisition" and r["channel"] in channels
            )
            if code in MONTHS.periods:
                new = values(figures, "new_customers")[code]
                wanted = pytest.approx(float(spent) / new) if new else None
                assert values(figures, "acquisition_spend")[code] == float(spent)
                assert values(figures, "acquisition_cost_per_new_customer")[code] == wanted


def test_spend_splits_by_its_own_channel_and_by_nothing_else(shop_marts: Marts, shipped: Catalog) -> None:
    split = compute(shipped, ["acquisition_spend"], shop_marts, MONTHS, by="channel")
    whole = compute(shipped, ["acquisition_spend"], shop_marts, MONTHS)
    assert split["by"].unique().sort().to_list() == ["app", "store", "web"]
    assert split["amount"].sum() == whole["amount"].sum()
    for marts in (
        shop_marts.select(Selection({"region": ("North",)})),
        shop_marts.select(Selection(where="vip")),
    ):
        row = compute(shipped, ["acquisition_cost_per_new_customer"], marts, Window()).row(0, named=True)
        assert row["value"] is None
        assert row["reason"] == "money spent cannot be split by customer"


def test_spend_that_is_about_all_channels_is_not_split(
    shop: Mapping[str, pl.DataFrame], shipped: Catalog, open_marts: Any
) -> None:
    spend = shop["spend"].with_columns(
        pl.when(pl.col("channel") == "web").then(pl.lit("all")).otherwise("channel").alias("channel")
    )
    marts = open_marts({**shop, "spend": spend}).select(Selection({"channel": ("app",)}))
    row = compute(shipped, ["acquisition_spend"], marts, Window()).row(0, named=True)
    assert (row["value"], row["reason"]) == (None, "part of the money spent is not split by channel")


def test_what_cannot_be_split_by_category_says_so(shop_marts: Marts, shipped: Catalog) -> None:
    names = ["satisfaction", "complaints_per_1000_orders", "acquisition_cost_per_new_customer", "orders"]
    rows = compute(shipped, names, shop_marts.select(Selection(categories=("tea",))), Window())
    said = dict(rows.select("metric", "reason").iter_rows())
    assert said["satisfaction"] == "survey answers cannot be split by category or order line"
    assert said["complaints_per_1000_orders"] == "contacts cannot be split by category or order line"
    assert (
        said["acquisition_cost_per_new_customer"] == "money spent cannot be split by category or order line"
    )
    assert said["orders"] == ""


def test_answers_off_the_scale_stop_the_score(shipped: Catalog, open_marts: Any) -> None:
    """Codes 1 to 11 for 0 to 10: refused as they are, right once the offset is declared."""
    scores = [1.0, 7, 8, 9, 10, 11, 11, 11]
    answers = pl.DataFrame(
        {
            "response_id": [f"q{at}" for at in range(len(scores))],
            "item": "nps",
            "part": "score",
            "answered_at": pl.Series([date(2024, 1, 3)] * len(scores)).cast(pl.Datetime("us", "UTC")),
            "instrument": "q",
            "customer_id": pl.Series([None] * len(scores), dtype=pl.String),
            "score": scores,
        }
    )
    marts = open_marts({"survey_answers": answers})
    nps = shipped.definition("nps")
    found = {}
    for change in ({}, {"off_scale": "drop"}, {"offset": -1}):
        document = located(nps.model_copy(update=change))
        row = compute(catalog([document]), ["nps"], marts, Window()).row(0, named=True)
        found[tuple(change)] = (row["value"], row["n"], row["excluded"], row["reason"])
    assert found[()] == (None, 5, 3, "3 answers lie off the scale 0 to 10: state the scale in the definition")
    assert found[("off_scale",)] == (pytest.approx(100 * (2 - 1) / 5), 5, 3, "")
    assert found[("offset",)] == (pytest.approx(100 * (4 - 2) / 8), 8, 0, "")


def located(definition: Definition) -> Located[Definition]:
    return Located(definition, Document("metrics.yaml"))
