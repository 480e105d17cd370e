"""Cross-buying: SQL, enumeration; losses; definitions and the customers behind them."""

from datetime import date
from itertools import combinations

import duckdb
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.stats import entropy
from statsmodels.duration.survfunc import SurvfuncRight

from config.documents import Document
from config.errors import Fault
from config.load import Located
from connectors.tables import INSTANT, MONEY
from metrics.affinity import association, pair_counts
from metrics.catalog import catalog
from metrics.cross_buyers import accounts, by_trait, losses, with_traits
from metrics.crossbuying import (
    basket_rows,
    breadth,
    cross_buy_rates,
    cross_buyers,
    first_categories,
    holdings,
    penetration,
    rarefaction,
    summary,
)
from metrics.crossbuying_definitions import Affinity, CrossBuying
from metrics.event_times import lives_until
from metrics.figures import compute
from metrics.lists import customers_behind
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Missing, Selection

QUARTER = Window(Grain.QUARTER, 2024 * 4 + 1, 3)
SAID = {"name": "figure", "label": "Figure", "description": "One.", "unit": "rate"}


@pytest.fixture(scope="module")
def bought(shop_marts):
    rows = basket_rows(shop_marts)
    held = holdings(rows)
    return rows, held, breadth(rows, held)


@pytest.fixture(scope="module")
def sql(shop, shop_marts):
    """Oracle: DuckDB over the order lines, `held` as the definition says it in words."""
    base = duckdb.connect()
    base.register("lines", shop["order_lines"].to_arrow())
    base.register("contacts", shop["interactions"].to_arrow())
    base.execute(
        f"""CREATE VIEW used AS SELECT * FROM lines WHERE ordered_on <= DATE '{shop_marts.as_of}'
            AND customer_id IS NOT NULL AND category IS NOT NULL;
        CREATE VIEW held AS SELECT customer_id, category, min(ordered_on) FILTER (NOT is_return) AS first_on
            FROM used GROUP BY ALL
            HAVING count(*) FILTER (NOT is_return) > 0
               AND NOT (count(*) FILTER (is_return) > 0 AND sum(quantity) <= 0)"""
    )
    return lambda query: base.sql(query).fetchall()


def test_holdings_net_of_what_came_back_in_full(bought, sql):
    _, held, customers = bought
    total, people, many = sql(
        """SELECT sum(k), count(*), count(*) FILTER (k >= 2)
           FROM (SELECT customer_id, count(*) AS k FROM held GROUP BY 1)"""
    )[0]
    assert len(held) == total
    row = summary(customers).row(0, named=True)
    assert (row["customers"], row["multi"]) == (people, many)
    assert row["categories"] == pytest.approx(total / people)
    assert row["categories_lower"] < row["categories"] < row["categories_upper"]


def test_focus_and_entropy_of_each_customer(bought, sql):
    """Oracle: SQL for the shares of revenue, scipy for their entropy."""
    customers = bought[2]
    shares: dict[str, list[float]] = {}
    for customer, net in sql(
        """SELECT customer_id, greatest(sum(net_amount), 0)::DOUBLE FROM used
           SEMI JOIN held USING (customer_id, category) GROUP BY customer_id, category"""
    ):
        shares.setdefault(customer, []).append(net)
    assert len(shares) == len(customers)
    found = sorted(customers.select("focus", "entropy").rows())
    expected = sorted((max(nets) / sum(nets), float(entropy(nets))) for nets in shares.values() if sum(nets))
    assert [row for row in found if row[0] is not None] == [pytest.approx(row) for row in expected]
    even = pl.DataFrame({"customer": [1, 1, 2], "category": ["a", "b", "a"], "net_amount": [5, 5, 9]})
    rows = even.with_columns(purchases=1, order=pl.col("customer"))
    table = breadth(rows, even)
    assert table["entropy"].to_list() == pytest.approx([np.log(2), 0.0])
    assert table["focus"].to_list() == [0.5, 1.0]


def test_what_came_back_in_full_is_in_no_measure(open_marts):
    """Ann keeps tea and sent back her toys; bob sent back one of two mugs, and holds both categories."""
    bought = [
        ("o1", "ann", date(2024, 1, 5), "tea", 1.0, False),
        ("o2", "ann", date(2024, 1, 9), "toys", 2.0, False),
        ("r2", "ann", date(2024, 1, 20), "toys", -2.0, True),
        ("o3", "bob", date(2024, 1, 5), "tea", 1.0, False),
        ("o4", "bob", date(2024, 2, 9), "mugs", 2.0, False),
        ("r4", "bob", date(2024, 2, 20), "mugs", -1.0, True),
    ]
    names = ["order_id", "customer_id", "ordered_on", "category", "quantity", "is_return"]
    lines = pl.DataFrame(bought, schema=names, orient="row").with_columns(
        line_id=pl.lit("1"),
        net_amount=(9 * pl.col("quantity")).cast(MONEY),
        ordered_at=pl.col("ordered_on").cast(INSTANT),
    )
    marts = open_marts({"order_lines": lines})
    rows = basket_rows(marts)
    held = holdings(rows)
    people = dict(marts.frame("customer_summary").select("customer", "customer_id").iter_rows())
    named = [
        (people[customer], category) for customer, category in held.select("customer", "category").rows()
    ]
    assert sorted(named) == [("ann", "tea"), ("bob", "mugs"), ("bob", "tea")]
    broad = breadth(rows, held)
    assert summary(broad)["multi_share"].to_list() == [0.5]
    assert broad["entropy"].to_list() == pytest.approx([0.0, entropy([9, 9])])
    shares = dict(penetration(held, broad).select("category", "share").iter_rows())
    assert shares == {"mugs": 0.5, "tea": 1.0}
    assert rarefaction(held, broad, 1)["categories"].to_list() == [1.0]
    lives = lives_until(marts, "second_category")
    assert lives.select("duration", "observed").rows() == [(167, False), (35, True)]
    begun = first_categories(held, lives).row(0, named=True)
    assert (begun["category"], begun["customers"], begun["categories"], begun["next"]) == (
        "tea",
        2,
        1.5,
        "mugs",
    )
    january = Window(Grain.MONTH, Calendar().code(date(2024, 2, 1), Grain.MONTH))
    rates = cross_buy_rates(cross_buyers(rows, held, Calendar(), january)).row(0, named=True)
    assert (rates["n"], rates["buyers"]) == (2, 1)


def test_penetration_of_groups_against_sql(bought, sql, shop, shop_marts):
    _, held, customers = bought
    people = shop_marts.frame("customer_summary")
    grouped = customers.with_columns(people["region"].gather(customers["customer"]))
    table = penetration(held, grouped.drop_nulls("region"), "region")
    duckdb_people = shop["customers"].to_arrow()
    assert duckdb_people.num_rows
    pairs = sql("SELECT customer_id, category FROM held")
    regions = dict(shop["customers"].select("customer_id", "region").iter_rows())
    expected: dict[tuple[str, str], int] = {}
    for customer, category in pairs:
        key = (regions.get(customer), category)
        expected[key] = expected.get(key, 0) + 1
    for row in table.iter_rows(named=True):
        assert row["holders"] == expected.get((row["by"], row["category"]), 0)
        assert row["share"] == pytest.approx(row["holders"] / row["n"])


def test_rarefaction_by_enumeration():
    """Oracle: every choice of k of a customer's orders, their categories counted one by one."""
    contents = {1: ["a", "a", "ab", "c", "bd"], 2: ["a", "b", "b"], 3: ["abc"]}
    rows = [
        {"customer": who, "order": 10 * who + at, "category": letter}
        for who, orders in contents.items()
        for at, letters in enumerate(orders)
        for letter in letters
    ]
    counted = pl.DataFrame(rows)
    held = counted.group_by("customer", "category").agg(pl.len().alias("orders"))
    customers = counted.group_by("customer").agg(pl.col("order").n_unique().alias("orders"))
    table = rarefaction(held, customers, 4)
    for k in (1, 2, 3, 4):
        means = [
            sum(len(set("".join(chosen))) for chosen in combinations(orders, k))
            / sum(1 for _ in combinations(orders, k))
            for orders in contents.values()
            if len(orders) >= k
        ]
        row = table.row(by_predicate=pl.col("orders") == k, named=True)
        assert row["customers"] == len(means)
        assert row["categories"] == pytest.approx(sum(means) / len(means))


def test_more_orders_alone_are_no_broader_taste():
    """Two groups choose alike, one orders five times as often: plain means differ, rarefied ones do not."""
    rows = [
        {"customer": customer, "orders": n, "category": category, "group": n}
        for customer in range(40)
        for n in ((4, 20)[customer % 2],)
        for category in "abcd"
    ]
    held = pl.DataFrame(rows).with_columns(orders=pl.col("orders") // 4)
    customers = held.group_by("customer").agg(
        pl.len().alias("categories"), (pl.col("orders").first() * 4).alias("orders"), pl.col("group").first()
    )
    table = rarefaction(held, customers, 1, "group")
    assert table["categories"].to_list() == pytest.approx([1.0, 1.0])


def test_cross_buy_rate_against_sql(bought, sql, shop_marts):
    rows, held, _ = bought
    window = Window(Grain.QUARTER, 2024 * 4)
    table = cross_buy_rates(cross_buyers(rows, held, Calendar(), window)).row(0, named=True)
    n, buyers = sql(
        """WITH every AS (SELECT count(DISTINCT category) AS k FROM held),
        had AS (SELECT customer_id, count(*) FILTER (first_on < DATE '2024-01-01') AS h,
                  count(*) FILTER (first_on BETWEEN DATE '2024-01-01' AND DATE '2024-03-31') AS added
                FROM held GROUP BY 1),
        active AS (SELECT DISTINCT customer_id FROM used WHERE NOT is_return
                   AND ordered_on >= DATE '2024-01-01' - 365 AND ordered_on < DATE '2024-01-01')
        SELECT count(*), count(*) FILTER (added > 0) FROM had JOIN active USING (customer_id), every
        WHERE h BETWEEN 1 AND k - 1"""
    )[0]
    assert n > 10
    assert (table["n"], table["buyers"]) == (n, buyers)
    assert table["lower"] <= table["rate"] <= table["upper"]


def test_first_categories_count_everybody_where_they_began(bought, sql, shop_marts):
    _, held, _ = bought
    table = first_categories(held, lives_until(shop_marts, "second_category"))
    counted = dict(
        sql(
            """SELECT category, count(*) FROM held JOIN (SELECT customer_id, min(first_on) AS began
               FROM held GROUP BY 1) USING (customer_id) WHERE first_on = began GROUP BY 1"""
        )
    )
    assert dict(table.select("category", "customers").iter_rows()) == counted
    days = sql(
        f"""WITH began AS (SELECT customer_id, min(first_on) AS began FROM held GROUP BY 1),
        second AS (SELECT customer_id, list_sort(list(first_on))[2] AS day FROM held GROUP BY 1)
        SELECT category, coalesce(day, DATE '{shop_marts.as_of}') - began, day IS NOT NULL
        FROM held JOIN began USING (customer_id) JOIN second USING (customer_id) WHERE first_on = began"""
    )
    for row in table.iter_rows(named=True):
        ours = [(waited, met) for category, waited, met in days if category == row["category"]]
        curve = SurvfuncRight(*(np.array(column) for column in zip(*ours, strict=True)))
        within = curve.surv_prob[curve.surv_times <= 365]
        assert row["second_year"] == pytest.approx(1 - within[-1])


def test_accounts_against_sql(bought, sql, shop_marts):
    rows, _, _ = bought
    found = with_traits(accounts(shop_marts, rows))
    contribution, lost, loss, all_loss = sql(
        f"""WITH account AS (SELECT customer_id, count(DISTINCT category) FILTER (NOT is_return) AS k,
              sum(net_amount - cost) AS margin FROM lines
              WHERE ordered_on <= DATE '{shop_marts.as_of}' AND customer_id IS NOT NULL GROUP BY 1),
        paid AS (SELECT customer_id, sum(cost) AS paid FROM contacts GROUP BY 1),
        whole AS (SELECT k, coalesce(margin, 0) - coalesce(paid, 0) AS c
                  FROM account LEFT JOIN paid USING (customer_id) WHERE k > 0)
        SELECT sum(c), count(*) FILTER (k >= 2 AND c < 0), sum(c) FILTER (k >= 2 AND c < 0),
               sum(c) FILTER (c < 0) FROM whole"""
    )[0]
    said = losses(found)
    assert found["contribution"].sum() == pytest.approx(float(contribution))
    assert said["losing"] == lost > 0
    assert (said["loss"], said["total_loss"]) == pytest.approx((float(loss), float(all_loss)))
    assert by_trait(found)["loss"].sum() == pytest.approx(said["loss"])


def test_traits_name_what_sets_a_customer_apart():
    """Eighty ordinary cross-buyers, and one for each way of losing money."""
    ordinary = {
        "orders": 4,
        "gross_amount": 200.0,
        "returned_amount": -10.0,
        "discount": 10.0,
        "net_amount": 190.0,
        "margin": 60.0,
        "contact_cost": 3.0,
        "categories": 3,
        "contribution": 57.0,
    }
    varied = [
        ordinary
        | {
            "customer": at,
            "gross_amount": 150.0 + at,
            "returned_amount": -(at % 20.0),
            "discount": float(at % 15),
            "contact_cost": at % 6.0,
        }
        for at in range(80)
    ]
    odd = {
        "service": {"contact_cost": 150.0},
        "returns": {"returned_amount": -180.0},
        "discount": {"discount": 200.0},
        "limit": {"gross_amount": 12.0, "returned_amount": 0.0, "discount": 0.0, "contact_cost": 0.0},
    }
    losing = [
        ordinary | {"customer": 100 + at, "contribution": -20.0} | change
        for at, change in enumerate(odd.values())
    ]
    quiet = ordinary | {"customer": 200, "contribution": -1.0}
    table = with_traits(pl.DataFrame([*varied, *losing, quiet])).filter("loses")
    assert table["trait"].to_list() == [*odd, None]


def test_losses_need_cost(open_marts, shop):
    marts = open_marts({**shop, "order_lines": shop["order_lines"].drop("cost")})
    with pytest.raises(Missing, match="cost of goods"):
        accounts(marts, basket_rows(marts))


def one(definition):
    found = catalog([Located(definition, Document("metrics.yaml"))])
    assert not found.problems
    return found


@pytest.mark.parametrize("selection", [Selection(), Selection({"region": ("North",)})])
def test_tile_and_list_are_the_same_rows(shipped, shop_marts, selection):
    marts = shop_marts.select(selection)
    names = [name for name, plan in shipped.plans.items() if isinstance(plan.definition, CrossBuying)]
    assert len(names) == 6
    for name in names:
        people = customers_behind(shipped, name, marts, QUARTER)
        for row in compute(shipped, [name], marts, QUARTER).iter_rows(named=True):
            ours = people.filter(pl.col("period") == row["period"])
            assert ours["numerator"].sum() / ours["denominator"].sum() == pytest.approx(row["value"])
            assert row["lower"] <= row["value"] <= row["upper"]


@pytest.mark.parametrize("value", ["lift", "leverage", "support", "confidence"])
def test_affinity_definitions_against_all_pairs(shop_marts, value):
    unit = "ratio" if value == "lift" else "rate"
    said = SAID | {"unit": unit}
    definition = Affinity(kind="affinity", first="toys", second="books", value=value, **said)
    found = compute(one(definition), ["figure"], shop_marts, Window())
    rows = basket_rows(shop_marts).filter(pl.col("purchases") > 0)
    pairs = association(*pair_counts(rows.lazy()))
    row = pairs.row(by_predicate=(pl.col("x") == "books") & (pl.col("y") == "toys"), named=True)
    expected = row["confidence_back"] if value == "confidence" else row[value]
    assert found["value"][0] == pytest.approx(expected)


def test_affinity_by_customer_lists_who_holds_the_first(shop_marts):
    definition = Affinity(
        kind="affinity", first="toys", second="books", per="customer", value="confidence", **SAID
    )
    found = one(definition)
    people = customers_behind(found, "figure", shop_marts, QUARTER)
    for row in compute(found, ["figure"], shop_marts, QUARTER).iter_rows(named=True):
        ours = people.filter(pl.col("period") == row["period"])
        assert ours["numerator"].sum() / ours["denominator"].sum() == pytest.approx(row["value"])


def test_definitions_that_say_nothing_sensible_are_refused(shop_marts):
    with pytest.raises(ValidationError, match="compares customers"):
        CrossBuying(kind="cross_buying", value="categories_in_orders", **SAID)
    with pytest.raises(ValidationError, match="compared with itself"):
        Affinity(kind="affinity", first="toys", second="toys", **SAID)
    unknown = Affinity(kind="affinity", first="toys", second="bocks", **SAID | {"unit": "ratio"})
    with pytest.raises(Fault, match="bocks") as caught:
        compute(one(unknown), ["figure"], shop_marts, QUARTER)
    assert "books" in caught.value.remedy


def test_nothing_bought_gives_empty_tables(open_marts, shop):
    marts = open_marts({**shop, "order_lines": shop["order_lines"].clear()})
    rows = basket_rows(marts)
    held = holdings(rows)
    customers = breadth(rows, held)
    assert summary(customers).is_empty()
    assert penetration(held, customers).is_empty()
    assert rarefaction(held, customers).is_empty()
