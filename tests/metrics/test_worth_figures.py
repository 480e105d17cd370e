"""Definitions of worth: SQL, published numbers through a definition, tile = list, refusals."""

from datetime import date

import duckdb
import polars as pl
import pytest
from pydantic import ValidationError

from config.documents import Document
from config.load import Located
from metrics.catalog import catalog
from metrics.definitions import Computed
from metrics.equity import Drivers
from metrics.equity import customer_equity as equity_of
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Selection
from metrics.worth_definitions import Concentration, CustomerEquity, LifetimeValue, PAlive, Worth

SAID = {"name": "figure", "label": "Figure", "description": "One."}
CALENDAR = Calendar()
JUNE = Window(Grain.MONTH, 2024 * 12 + 5)


def figure(definition: Computed, marts: Marts, window: Window, by: str | None = None) -> pl.DataFrame:
    found = catalog([Located(definition, Document("metrics.yaml"))])
    assert not found.problems
    return compute(found, ["figure"], marts, window, by=by)


def behind(definition: Computed, marts: Marts, window: Window) -> pl.DataFrame:
    return customers_behind(catalog([Located(definition, Document("metrics.yaml"))]), "figure", marts, window)


def concentration(value: str, **choices: object) -> Concentration:
    unit = {"top_share": "rate", "customers_for_share": "count"}.get(value, "score")
    return Concentration(kind="concentration", value=value, unit=unit, **SAID, **choices)


@pytest.fixture(scope="module")
def cdnow(real_data) -> Marts:
    """The 1/10 sample of CDNOW as a store would hold it, a line an order, to the end of the calibration."""
    rows = [line.split() for line in (real_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()]
    lines = (
        pl.DataFrame(
            {"customer_id": [r[1] for r in rows], "day": [r[2] for r in rows], "paid": [r[4] for r in rows]}
        )
        .with_row_index("order_id")
        .select(
            pl.col("order_id").cast(pl.String),
            pl.lit("1").alias("line_id"),
            "customer_id",
            pl.col("day").str.to_date("%Y%m%d").alias("ordered_on"),
            pl.col("paid").cast(pl.Decimal(18, 4)).alias("net_amount"),
            pl.lit(value=False).alias("is_return"),
        )
        .with_columns(pl.col("ordered_on").cast(pl.Datetime("us", "UTC")).alias("ordered_at"))
    )
    until = date(1998, 6, 30)
    return Marts(build({"order_lines": lines.lazy()}, CALENDAR, until), CALENDAR, until)


@pytest.mark.realdata
def test_p_alive_of_cdnow_is_that_of_the_published_fit(cdnow):
    """September 1997 ends the calibration: the sum of P(alive) at the published optimum (Pareto/NBD)."""
    from metrics.lifetime.paretonbd import ParetoNBD

    definition = PAlive(kind="p_alive", value="customers", model="pareto_nbd", unit="count", **SAID)
    window = Window(Grain.MONTH, 1997 * 12 + 8)
    row = figure(definition, cdnow, window).row(0, named=True)
    assert row["n"] == 2357
    people = behind(definition, cdnow, window)
    assert len(people) == 2357
    assert people["value"].sum() == pytest.approx(row["value"])
    published = ParetoNBD(0.55327706, 10.57768361, 0.60624005, 11.66873696)
    orders = cdnow.frame("orders").filter(pl.col("ordered_on") <= date(1997, 9, 30)).to_arrow()
    assert orders.num_rows
    x, t_x, age = (
        duckdb.sql(
            """
        SELECT count(DISTINCT ordered_on) - 1, (max(ordered_on) - min(ordered_on)) / 7.0,
               (DATE '1997-09-30' - min(ordered_on)) / 7.0 FROM orders GROUP BY customer
        """
        )
        .fetchnumpy()
        .values()
    )
    assert row["value"] == pytest.approx(float(published.p_alive(x * 1.0, t_x, age).sum()), rel=1e-5)
    assert row["lower"] < row["value"] < row["upper"]


@pytest.mark.realdata
def test_values_of_cdnow_add_up_and_grow_with_the_horizon(cdnow):
    window = Window(Grain.MONTH, 1997 * 12 + 8)
    means = []
    for months in (6, 12):
        definition = LifetimeValue(kind="lifetime_value", months=months, discount=0, unit="money", **SAID)
        row = figure(definition, cdnow, window).row(0, named=True)
        people = behind(definition, cdnow, window)
        assert people["numerator"].sum() / people["denominator"].sum() == pytest.approx(row["value"])
        assert row["lower"] < row["value"] < row["upper"]
        means.append(row["value"])
    assert means[0] < means[1] < 2 * means[0]
    endless = LifetimeValue(kind="lifetime_value", value="residual_mean", discount=0.15, unit="money", **SAID)
    assert figure(endless, cdnow, window)["value"].item() > means[1]


def test_concentration_is_what_sql_counts(shop_marts):
    rows = shop_marts.frame("orders").filter(
        pl.col("customer").is_not_null(), pl.col("ordered_on").is_between(date(2024, 6, 1), date(2024, 6, 30))
    )
    sold = rows.select("customer", "orders", pl.col("net_amount").cast(pl.Float64)).to_arrow()
    assert sold.num_rows
    top, gini, hhi, n = duckdb.sql(
        """
        WITH brought AS (
                 SELECT customer, sum(net_amount) AS x FROM sold GROUP BY customer HAVING sum(orders) > 0),
             best AS (
                 SELECT x, row_number() OVER (ORDER BY x DESC) AS rank, count(*) OVER () AS n FROM brought),
             kept AS (
                 SELECT x, row_number() OVER (ORDER BY x) AS k, count(*) OVER () AS n
                 FROM brought WHERE x >= 0)
        SELECT (SELECT sum(x) FILTER (rank <= greatest(floor(n / 5.0), 1)) / sum(x) FROM best),
               (SELECT 2 * sum(k * x) / (max(n) * sum(x)) - (max(n) + 1.0) / max(n) FROM kept),
               (SELECT sum(x * x) / (sum(x) * sum(x)) FROM kept), (SELECT count(*) FROM brought)
        """
    ).fetchall()[0]
    for value, wanted in (("top_share", top), ("gini", gini), ("hhi", hhi)):
        row = figure(concentration(value), shop_marts, JUNE).row(0, named=True)
        assert (row["n"], row["value"]) == (n, pytest.approx(wanted)), value


@pytest.mark.parametrize("selection", [Selection(), Selection({"region": ("North",)})])
def test_the_list_adds_up_to_the_figure(shipped, shop_marts, selection):
    marts, window = shop_marts.select(selection), Window(Grain.MONTH, shop_marts.as_of.year * 12)
    names = [name for name, plan in shipped.plans.items() if isinstance(plan.definition, Worth)]
    assert len(names) >= 8
    for name in names:
        row = compute(shipped, [name], marts, window).row(0, named=True)
        if row["value"] is None or name in ("customer_equity", "revenue_gini"):
            continue
        people = customers_behind(shipped, name, marts, window)
        sums = {column: float(people[column].sum()) for column in people.columns[3:]}
        got = sums["value"] if "value" in sums else sums["numerator"] / sums["denominator"]
        assert got == pytest.approx(row["value"]), name


def small(*orders: tuple[str, date, float]) -> Marts:
    lines = pl.DataFrame(
        [(str(at), "1", who, day, amount, False) for at, (who, day, amount) in enumerate(orders)],
        schema={
            "order_id": pl.String,
            "line_id": pl.String,
            "customer_id": pl.String,
            "ordered_on": pl.Date,
            "net_amount": pl.Decimal(18, 4),
            "is_return": pl.Boolean,
        },
        orient="row",
    ).with_columns(pl.col("ordered_on").cast(pl.Datetime("us", "UTC")).alias("ordered_at"))
    until = date(2024, 12, 31)
    return Marts(build({"order_lines": lines.lazy()}, CALENDAR, until), CALENDAR, until)


TWO_YEARS = (
    ("ann", date(2023, 1, 1), 100.0),
    ("bob", date(2023, 1, 1), 100.0),
    ("ann", date(2024, 2, 1), 60.0),
    ("cara", date(2024, 3, 1), 40.0),
)


@pytest.mark.parametrize("value", ["total", "existing", "new", "per_customer", "retention"])
@pytest.mark.parametrize("convention", ["end", "begin", "certain_end"])
def test_equity_by_hand(value, convention):
    """Two customers at 50 a year, half of two came back, one is new and cost nothing."""
    unit = "rate" if value == "retention" else "money"
    definition = CustomerEquity(
        kind="customer_equity", value=value, convention=convention, discount=0.2, unit=unit, **SAID
    )
    multiple = {"end": 0.5, "begin": 1.2, "certain_end": 1.0}[convention] / 0.7
    existing, new = 2 * 50 * multiple, 50 * 1.2 / 0.7 / 1.2
    wanted = {
        "total": existing + new,
        "existing": existing,
        "new": new,
        "per_customer": existing / 2,
        "retention": 0.5,
    }[value]
    row = figure(definition, small(*TWO_YEARS), Window(Grain.YEAR, 2024)).row(0, named=True)
    assert row["value"] == pytest.approx(wanted)
    assert row["lower"] < row["value"] < row["upper"]
    assert isinstance(equity_of(Drivers(2, 0.5, 0.2, 1, 50, convention=convention)).total, float)


@pytest.mark.parametrize(
    ("definition", "window", "said"),
    [
        (
            CustomerEquity(kind="customer_equity", unit="money", **SAID),
            Window(Grain.YEAR, 2023),
            "two full years",
        ),
        (
            CustomerEquity(kind="customer_equity", unit="money", **SAID),
            Window(Grain.YEAR, 2025),
            "has not begun",
        ),
        (PAlive(kind="p_alive", unit="rate", **SAID), Window(Grain.YEAR, 2022), "nobody had ordered"),
        (LifetimeValue(kind="lifetime_value", unit="money", **SAID), Window(Grain.YEAR, 2023), "second day"),
        (concentration("gini"), Window(Grain.MONTH, 2024 * 12 + 7), "nobody ordered"),
    ],
)
def test_what_cannot_be_computed_says_why(definition, window, said):
    row = figure(definition, small(*TWO_YEARS), window).row(0, named=True)
    assert row["value"] is None
    assert said in row["reason"]


def test_whole_customers_do_not_split_by_category(shop_marts):
    marts = shop_marts.select(Selection(categories=shop_marts.categories[:1]))
    for definition in (
        CustomerEquity(kind="customer_equity", unit="money", **SAID),
        PAlive(kind="p_alive", unit="rate", **SAID),
    ):
        assert "category" in figure(definition, marts, JUNE)["reason"].item()


def test_a_share_without_a_meaning_is_refused():
    with pytest.raises(ValidationError, match="says nothing about gini"):
        concentration("gini", share=0.1)
