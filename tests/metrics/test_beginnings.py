"""Histories that begin in mid-business, by join dates and by counts; odd data: each counted, nothing lost."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

from metrics.beginnings import beginning, typical_gap_days
from metrics.cohort_differences import bounded, difference
from metrics.cohort_values import VALUES, acquisition_costs, layer_cake, payback, valued
from metrics.frames import Marts
from metrics.lives import Events, lives
from metrics.marts import build
from metrics.periods import Calendar, Grain
from metrics.recurring import impossible, movements, overlapping
from metrics.retention import Cohorts, cohort_table
from metrics.selection import Missing
from metrics.tallies import tally

CALENDAR = Calendar()
END = date(2024, 12, 31)


def lines(rows):
    frame = pl.DataFrame(
        rows, schema={"customer_id": pl.String, "ordered_on": pl.Date, "net": pl.Int64}, orient="row"
    )
    return frame.with_row_index("row").select(
        "customer_id",
        "ordered_on",
        order_id=pl.col("row").cast(pl.String),
        line_id=pl.lit("1"),
        ordered_at=pl.col("ordered_on").cast(pl.Datetime("us", "UTC")),
        net_amount=pl.col("net").cast(pl.Decimal(18, 4)),
        cost=(pl.col("net") // 2).cast(pl.Decimal(18, 4)),
        is_return=pl.col("net") < 0,
    )


def marts(rows, as_of=END, **tables):
    given = {name: table.lazy() for name, table in tables.items()}
    return Marts(build({"order_lines": lines(rows).lazy(), **given}, CALENDAR, as_of), CALENDAR, as_of)


def steady(customers, first, last, seed=1):
    """Customers who begin evenly between two days and order every month or so."""
    random = np.random.default_rng(seed)
    rows = []
    for at in range(customers):
        day = first + timedelta(days=int(random.integers(0, (last - first).days)))
        while day <= last:
            rows.append((f"c{at}", day, 10))
            day += timedelta(days=int(random.exponential(30)) + 1)
    return rows


def joined(rows, days):
    """A customers table with the day on which each joined."""
    return pl.DataFrame(
        {"customer_id": list(days), "joined_on": list(days.values())},
        schema={"customer_id": pl.String, "joined_on": pl.Date},
    )


def test_a_cut_history_is_seen_by_its_counts():
    """Orders since 2022, the data only since January 2024: the first months hold old customers."""
    rows = steady(600, date(2022, 1, 1), END)
    cut = marts([row for row in rows if row[1] >= date(2024, 1, 1)])
    found = beginning(cut, Grain.MONTH)
    assert found.basis == "counts"
    assert found.until is not None
    assert found.until > 2024 * 12
    assert beginning(marts(rows), Grain.MONTH).until is None


def test_join_dates_decide_where_they_are_known():
    """A launch with many new customers is no cut history: they joined on their first day."""
    rows = steady(300, date(2024, 1, 5), END) + [(f"l{at}", date(2024, 1, 2), 10) for at in range(200)]
    first = {}
    for who, day, _net in sorted(rows, key=lambda row: row[1]):
        first.setdefault(who, day)
    launch = marts(rows, customers=joined(rows, first))
    assert beginning(launch, Grain.MONTH) == beginning(launch, Grain.MONTH).__class__(None, "joined", 0)
    earlier = {who: day - timedelta(days=400) for who, day in first.items()}
    assert beginning(marts(rows, customers=joined(rows, earlier)), Grain.MONTH).until is not None


def test_orders_before_joining_are_counted():
    rows = [("a", date(2024, 1, 5), 10), ("b", date(2024, 2, 5), 10)]
    days = {"a": date(2024, 3, 1), "b": date(2024, 2, 5)}
    assert beginning(marts(rows, customers=joined(rows, days)), Grain.MONTH).joined_before == 1


def test_typical_gap():
    rows = [("a", date(2024, 1, 1) + timedelta(days=day), 10) for day in (0, 10, 20, 80)]
    assert typical_gap_days(marts(rows)) == 60
    assert typical_gap_days(marts(rows[:1])) == 0


def grid(found, **choices):
    cohorts = Cohorts(**choices)
    rows = lives(found, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)
    tallied = tally(rows, cohorts.grain, found.as_of)
    return cohort_table(tallied, cohorts, found.calendar, found.as_of)


@pytest.mark.parametrize("window", ["calendar", "rolling"])
@pytest.mark.parametrize(
    "rows",
    [[("a", date(2024, 3, 1), 10)], [("a", date(2024, 3, 1), 10)] * 5, [("a", END, 10), ("b", END, 10)]],
    ids=["one order", "one day", "the last day"],
)
def test_small_data_give_a_table(rows, window):
    table = grid(marts(rows), window=window)
    assert table["size"].max() == len({row[0] for row in rows})
    assert table.filter(pl.col("rate").is_null())["reason"].null_count() == 0


def test_as_of_before_the_data():
    table = grid(marts([("a", date(2024, 3, 1), 10)], as_of=date(2023, 1, 1)))
    assert table.is_empty()
    assert (
        beginning(marts([("a", date(2024, 3, 1), 10)], as_of=date(2023, 1, 1)), Grain.MONTH).basis == "none"
    )


def test_months_without_trade_are_zeros():
    table = grid(marts([("a", date(2024, 1, 5), 10), ("a", date(2024, 5, 5), 10)], as_of=date(2024, 6, 30)))
    assert table["active"].to_list() == [1, 0, 0, 0, 1, 0]


def test_a_cohort_day_with_a_changed_clock():
    """Berlin, 31 March 2024: the day has 23 hours; days are cut at local midnight all the same."""
    berlin = Calendar(timezone="Europe/Berlin")
    moments = [datetime(2024, 3, day, 23, 30, tzinfo=ZoneInfo("Europe/Berlin")) for day in (30, 31)]
    rows = [("a", moment.astimezone(UTC)) for moment in moments]
    frame = lines([("a", moment.date(), 10) for moment in moments]).with_columns(
        ordered_at=pl.Series([at for _who, at in rows], dtype=pl.Datetime("us", "UTC"))
    )
    found = Marts(build({"order_lines": frame.lazy()}, berlin, date(2024, 4, 2)), berlin, date(2024, 4, 2))
    table = grid(found, grain=Grain.DAY)
    assert table["active"].to_list() == [1, 1, 0, 0]


def test_layers_hold_every_sale_of_known_customers_from_their_start_on():
    """Returns in a month without an order are taken off; oracle: a plain sum."""
    rows = [
        ("a", date(2024, 1, 5), 100),
        ("a", date(2024, 2, 3), -30),
        ("b", date(2024, 2, 1), 50),
        (None, date(2024, 2, 2), 7),
    ]
    found = marts(rows)
    layers = layer_cake(tally(lives(found, Events(), Grain.MONTH), Grain.MONTH, found.as_of))
    january, february = 2024 * 12, 2024 * 12 + 1
    assert layers.rows() == [
        (january, january, 100),
        (february, january, -30),
        (february, february, 50),
    ]


def test_running_totals_and_payback():
    """Margin 50 in January and 25 in February against 60 spent: paid back with age 1."""
    rows = [("a", date(2024, 1, 5), 100), ("a", date(2024, 2, 3), 50)]
    spend = pl.DataFrame(
        {
            "spent_on": [date(2024, 1, 31), date(2024, 1, 31)],
            "channel": ["web", "web"],
            "purpose": ["acquisition", "service"],
            "amount": pl.Series([60, 999]).cast(pl.Decimal(18, 4)),
        }
    )
    found = marts(rows, as_of=date(2024, 4, 30), spend=spend)
    table = valued(grid(found))
    assert [float(each) for each in table["margin"]] == [50, 75, 75, 75]
    assert table["net_retention"].to_list() == [1, 0.5, 0, 0]
    row = payback(table, acquisition_costs(found, Grain.MONTH)).row(0, named=True)
    assert (row["payback_age"], row["cost_per_customer"], row["paid_back"]) == (1, 60.0, 1.25)
    with pytest.raises(Missing, match="spend"):
        acquisition_costs(marts(rows), Grain.MONTH)


def test_the_difference_of_two_tables():
    """Newcombe's example: 56/70 against 48/80, 0.2 with (0.0524, 0.3339)."""

    def table(hits, n):
        rows = [(f"c{at}", date(2024, 1, 1), 10) for at in range(n)]
        return grid(
            marts(rows + [(f"c{at}", date(2024, 2, 1), 10) for at in range(hits)], as_of=date(2024, 2, 29))
        )

    row = difference(table(48, 80), table(56, 70)).row(by_predicate=pl.col("age") == 1, named=True)
    assert (row["difference"], row["lower"], row["upper"]) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert row["size"] == 150


@pytest.fixture(scope="module")
def two():
    """Two shops of 60 and 90 customers over ten months, some of whom bring goods back."""
    random = np.random.default_rng(5)
    shops = []
    for n, orders in ((60, 300), (90, 500)):
        who = random.integers(0, n, orders)
        days = [date(2024, 1, 1) + timedelta(days=int(day)) for day in random.integers(0, 300, orders)]
        rows = [(f"c{each}", day, 10 + int(each)) for each, day in zip(who, days, strict=True)]
        shops.append(marts([*rows, *((name, day, -3) for name, day, _net in rows[::9])]))
    return shops


VALUED = {
    "orders_per_customer": lambda own, age: (own.get(age, {}).get("orders", 0), 1),
    "customer_value": lambda own, age: (sum(row["margin"] for at, row in own.items() if at <= age) / 1e4, 1),
    "net_retention": lambda own, age: (
        own.get(age, {}).get("net_amount", 0) / 1e4,
        own[0]["net_amount"] / 1e4,
    ),
}


@pytest.mark.parametrize("value", VALUED)
def test_differences_of_values_by_customer(two, value):
    """Of two means, or two ratios: the error of each from its customers, one by one in plain Python."""
    cohorts, age, cohort = Cohorts(), 2, 2024 * 12
    tables, by_hand = [], []
    for found in two:
        rows = lives(found, cohorts.events, cohorts.grain)
        tables.append(bounded(valued(grid(found)), rows, cohorts, value))
        members = {}
        for row in rows.filter(pl.col("cohort") == cohort).iter_rows(named=True):
            members.setdefault(row["life"], {})[row["age"]] = row
        pairs = [VALUED[value](own, age) for own in members.values()]
        top, base = (sum(each) for each in zip(*pairs, strict=True))
        n, share = len(pairs), top / base
        variance = sum((a - share * b) ** 2 for a, b in pairs) * n / (n - 1) / base**2
        by_hand.append((share, student.ppf(0.975, n - 1) * variance**0.5))
    apart = difference(*tables, value)
    row = apart.row(by_predicate=(pl.col("cohort") == cohort) & (pl.col("age") == age), named=True)
    (first, half), (second, other) = by_hand
    half = (half**2 + other**2) ** 0.5
    expected = (second - first, second - first - half, second - first + half)
    assert (row["difference"], row["lower"], row["upper"]) == pytest.approx(expected)


@pytest.mark.parametrize("value", ["customers", "revenue", "margin"])
def test_differences_of_sums_have_no_interval(two, value):
    cohorts = Cohorts()
    tables = [valued(grid(found)) for found in two]
    apart = difference(
        *(
            bounded(table, lives(found, cohorts.events, cohorts.grain), cohorts, value)
            for table, found in zip(tables, two, strict=True)
        ),
        value,
    ).drop_nulls("difference")
    assert len(apart) > 20
    assert apart["lower"].null_count() == apart["upper"].null_count() == len(apart)
    joined = tables[0].join(tables[1], on=["cohort", "age"])
    expected = (joined[f"{value}_right"].cast(pl.Float64) - joined[value].cast(pl.Float64)).drop_nulls()
    assert apart["difference"].to_list() == pytest.approx(expected.to_list())


def test_brackets_have_bounds_over_customers_too(two):
    """A customer with orders in two months of a bracket is one customer: as if all were of one month."""
    once = Cohorts(brackets=((0, 0), (1, 3)))
    rows = lives(two[0], once.events, once.grain)
    found = bounded(valued(grid(two[0], brackets=once.brackets)), rows, once, "orders_per_customer")
    merged = rows.with_columns(pl.when(pl.col("age").is_between(1, 3)).then(1).otherwise("age").alias("age"))
    counted = merged.filter(pl.col("age") <= 1).group_by("life", "cohort", "age").agg(pl.col("orders").sum())
    own = counted.filter(pl.col("cohort") == 2024 * 12, pl.col("age") == 1)["orders"].to_list()
    size = rows.filter(pl.col("cohort") == 2024 * 12)["life"].n_unique()
    orders = [*own, *[0] * (size - len(own))]
    middle = sum(orders) / size
    deviation = (sum((each - middle) ** 2 for each in orders) / (size - 1)) ** 0.5
    row = found.row(by_predicate=(pl.col("cohort") == 2024 * 12) & (pl.col("age") == 1), named=True)
    half = student.ppf(0.975, size - 1) * deviation / size**0.5
    assert (row["lower"], row["upper"]) == pytest.approx((middle - half, middle + half))


def test_values_of_few_customers_are_not_shown():
    rows = [("a", date(2024, 1, 1), 10), ("b", date(2024, 2, 1), 10), ("c", date(2024, 2, 1), 10)]
    table = valued(grid(marts(rows, as_of=date(2024, 3, 31)), min_n=2), 2)
    shown = table.select("cohort", pl.any_horizontal(pl.col(VALUES).is_not_null()).alias("any"))
    assert dict(shown.unique().iter_rows()) == {2024 * 12: False, 2024 * 12 + 1: True}


def test_other_starts_and_returns():
    """A contact starts a life; an order continues it. What was ordered before is left out."""
    rows = [("a", date(2024, 1, 5), 10), ("a", date(2024, 3, 5), 10), ("b", date(2024, 2, 5), 10)]
    contacts = pl.DataFrame(
        {
            "interaction_id": ["1", "2"],
            "customer_id": ["a", "z"],
            "occurred_at": [datetime(2024, 2, 1, tzinfo=UTC)] * 2,
            "kind": ["contact", "contact"],
        }
    )
    found = marts(rows, as_of=date(2024, 4, 30), interactions=contacts)
    table = grid(found, events=Events(start="contact"))
    assert table.select("cohort", "age", "size", "active").rows() == [
        (2024 * 12 + 1, 0, 2, 0),
        (2024 * 12 + 1, 1, 2, 1),
        (2024 * 12 + 1, 2, 2, 0),
    ]


def test_any_order_starts_a_life():
    """January and February are both cohorts of the customer."""
    rows = [("a", date(2024, month, 5), 10) for month in (1, 2, 3)]
    table = grid(marts(rows, as_of=date(2024, 3, 31)), events=Events(start="any_order"))
    assert table["active"].to_list() == [1, 1, 1, 1, 1, 1]
    assert table["size"].to_list() == [1] * 6


def test_brackets_count_once():
    rows = [("a", date(2024, month, 5), 10) for month in (1, 2, 3)] + [("b", date(2024, 1, 9), 10)]
    table = grid(marts(rows, as_of=date(2024, 7, 31)), brackets=((0, 0), (1, 3), (4, 6)))
    assert table.select("age", "until_age", "active").rows() == [(0, 0, 2), (1, 3, 1), (4, 6, 0)]


def contracts(*rows):
    schema = {"customer": pl.UInt32, "started_on": pl.Date, "ended_on": pl.Date, "amount": pl.Int64}
    frame = pl.LazyFrame(rows, schema=schema, orient="row")
    return frame.with_columns(
        pl.col("amount").cast(pl.Decimal(18, 4)), billing_period=pl.lit("month"), subscription_id=pl.lit("s")
    )


def test_impossible_and_overlapping_contracts_are_counted():
    january, june = date(2024, 1, 1), date(2024, 6, 1)
    rows = contracts(
        (1, june, january, 10),
        (2, january, None, 10),
        (2, june, None, 5),
        (3, january, june, 7),
        (3, june, None, 7),
    )
    assert impossible(rows) == 1
    assert overlapping(rows) == 1
    moved = movements(rows, [date(2024, 5, 31), date(2024, 6, 30)]).row(0, named=True)
    assert (moved["start"], moved["expansion"], moved["end"]) == (17, 5, 22)
