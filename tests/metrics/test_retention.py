"""Cohort tables: published cohorts, independent SQL, hand-worked ages, identities."""

from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from metrics.frames import Marts
from metrics.line_cohorts import line_cohorts
from metrics.lives import Events, lives
from metrics.marts import build
from metrics.periods import Calendar, Grain
from metrics.retention import Cohorts, cohort_table, mean_curve
from metrics.tallies import tally

CALENDAR = Calendar()


def lines(customers, days):
    """Order lines: one order a row, worth 10."""
    frame = pl.DataFrame({"customer_id": customers, "ordered_on": days})
    return frame.with_row_index("row").select(
        order_id=pl.col("row").cast(pl.String),
        line_id=pl.lit("1"),
        customer_id=pl.col("customer_id").cast(pl.String),
        ordered_at=pl.col("ordered_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        ordered_on=pl.col("ordered_on"),
        net_amount=pl.lit("10.00").cast(pl.Decimal(18, 4)),
        is_return=pl.lit(value=False),
    )


def marts(frame, as_of, **tables):
    """Marts of these lines, and of other tables beside them."""
    made = build({"order_lines": frame.lazy(), **tables}, CALENDAR, as_of)
    return Marts(made, CALENDAR, as_of)


def table(frame, as_of, **choices):
    """The cohort table by calendar months, unless a choice says otherwise."""
    cohorts = Cohorts(**choices)
    found = lives(marts(frame, as_of), cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)
    return cohort_table(tally(found, cohorts.grain, as_of), cohorts, CALENDAR, as_of)


def active(frame, year, month):
    """Active customers by age of the cohort of a month."""
    code = year * 12 + month - 1
    return frame.filter(pl.col("cohort") == code)["active"].to_list()


def month(year, number):
    return year * 12 + number - 1


def random_lines(seed=4, n=4000, span=600):
    random = np.random.default_rng(seed)
    days = [date(2024, 1, 1) + timedelta(days=int(day)) for day in random.integers(0, span, n)]
    return lines(random.integers(0, 700, n), days)


@pytest.mark.realdata
def test_cohorts_of_a_music_shop(real_data):
    """Customers first seen in January, February and March 1997, active by month."""
    raw = pl.read_csv(
        real_data / "cdnow" / "CDNOW_master.txt", has_header=False, new_columns=["row"], infer_schema=False
    )
    words = pl.col("row").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    frame = raw.select(id=words.list.get(0), day=words.list.get(1).str.to_date("%Y%m%d"))
    found = table(lines(frame["id"], frame["day"]), date(1998, 6, 30))
    assert active(found, 1997, 1) == [
        *(7846, 1157, 964, 810, 679, 736, 720, 582, 559),
        *(594, 673, 634, 528, 511, 664, 472, 497, 498),
    ]
    assert active(found, 1997, 2)[:6] == [8476, 1312, 980, 783, 847, 786]
    assert active(found, 1997, 3)[-3:] == [420, 443, 457]


@pytest.mark.realdata
def test_cohort_of_a_gift_shop(real_data):
    """Customers first seen in December 2010 by month; the last month is seen up to the 9th and gives none."""
    raw = pl.read_parquet(real_data / "online_retail" / "online_retail_2010_2011.parquet")
    sold = raw.filter(
        pl.col("CustomerID").is_not_null(),
        ~pl.col("InvoiceNo").cast(pl.String).str.starts_with("C"),
        pl.col("Quantity") > 0,
        pl.col("UnitPrice") > 0,
    )
    frame, as_of = lines(sold["CustomerID"], sold["InvoiceDate"].cast(pl.Date)), date(2011, 12, 9)
    known = [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445]
    assert active(table(frame, as_of), 2010, 12) == [*known, None]
    assert active(line_cohorts(frame.lazy(), CALENDAR, as_of), 2010, 12) == [*known, 235]


def test_grid_equals_sql():
    frame, as_of = random_lines(), date(2025, 8, 15)
    found = table(frame, as_of)
    sql = """
        with visits as (
            select customer_id, date_diff('month', date '1970-01-01', ordered_on) as m from frame
            where ordered_on <= date '2025-08-15'
        ), firsts as (select customer_id, min(m) as cohort from visits group by 1)
        select cohort + 1970 * 12 as cohort, m - cohort as age, count(distinct customer_id) as active
        from visits join firsts using (customer_id) group by all order by all
    """
    theirs = duckdb.sql(sql).pl()
    ours = found.filter(pl.col("active") > 0).select("cohort", "age", "active")
    complete = theirs.filter(pl.col("cohort") + pl.col("age") < month(2025, 8))
    assert ours.rows() == complete.rows()


def test_lines_alone_give_the_same_grid():
    """With the lines by customer and shuffled; ages without anybody are there too."""
    frame, as_of = random_lines(), date(2025, 8, 31)
    grid = table(frame, as_of).select("cohort", "age", "active")
    for rows in (frame, frame.sort("customer_id"), frame.sample(fraction=1, shuffle=True, seed=1)):
        assert line_cohorts(rows.lazy(), CALENDAR, as_of).rows() == grid.rows()
    early = table(frame, date(2024, 7, 31)).select("cohort", "age", "active")
    assert line_cohorts(frame.lazy(), CALENDAR, date(2024, 7, 31)).rows() == early.rows()


def test_lines_alone_give_the_same_weeks_and_days():
    """More periods than a number of the processor has bits."""
    frame, as_of = random_lines(), date(2025, 8, 31)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    for grain in (Grain.WEEK, Grain.DAY):
        grid = table(frame, as_of, grain=grain).select("cohort", "age", pl.col("active").fill_null(0))
        ours = line_cohorts(shuffled.lazy(), CALENDAR, as_of, grain)
        over = ours.join(grid, on=["cohort", "age"], how="left", maintain_order="left")
        assert len(ours) == len(grid) > 1000
        assert over["active"].to_list() == over["active_right"].to_list()


def test_lines_of_nobody_and_returns_are_no_cohort():
    frame = lines(
        ["a", "a", None, "b"], [date(2024, 1, 3), date(2024, 2, 1), date(2024, 1, 9), date(2024, 1, 9)]
    )
    returned = frame.with_columns(is_return=pl.col("customer_id") == "b")
    assert line_cohorts(returned.lazy(), CALENDAR, date(2024, 2, 29))["active"].to_list() == [1, 1]
    assert line_cohorts(returned.lazy(), CALENDAR, date(2023, 2, 28)).is_empty()
    assert line_cohorts(returned.clear().lazy(), CALENDAR, date(2023, 2, 28)).is_empty()


def test_every_begun_period_stands_there():
    """A cohort of January seen on 15 May: ages 0 to 3 are over, 4 runs until 31 May."""
    frame = lines(["a", "a", "b"], [date(2024, 1, 3), date(2024, 4, 2), date(2024, 1, 9)])
    found = table(frame, date(2024, 5, 15))
    assert found["active"].to_list() == [2, 0, 0, 1, None]
    assert found["rate"].to_list() == [1.0, 0.0, 0.0, 0.5, None]
    assert found["complete"].to_list() == [True] * 4 + [False]
    last = found.row(-1, named=True)
    assert (last["closes_on"], last["reason"]) == (date(2024, 5, 31), "the period is not over")


def test_on_or_after_falls_and_ends_with_on():
    frame, as_of = random_lines(), date(2025, 8, 31)
    on, later = table(frame, as_of), table(frame, as_of, returns="on_or_after")
    steps = later.select(pl.col("active").diff().over("cohort")).to_series()
    assert (steps.drop_nulls() <= 0).all()
    both = on.join(later, on=["cohort", "age"])
    assert (both["active_right"] >= both["active"]).all()
    last = both.filter(pl.col("cohort") + pl.col("age") == month(2025, 8))
    assert last["active"].to_list() == last["active_right"].to_list()


def test_share_of_the_period_before():
    frame = lines(
        ["a", "b", "a", "b", "a"],
        [date(2024, 1, 1), date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 1), date(2024, 3, 1)],
    )
    found = table(frame, date(2024, 5, 31), base="previous")
    assert found["rate"].to_list() == [None, 1.0, 0.5, 0.0, None]
    assert found["reason"].to_list() == ["no period before", None, None, None, "nobody to come back"]


def test_small_cohorts_are_not_shown():
    frame = lines(["a", "b"], [date(2024, 1, 1), date(2024, 2, 1)])
    found = table(frame, date(2024, 3, 31), min_n=2)
    assert found["rate"].null_count() == len(found)
    assert set(found["reason"]) == {"fewer than 2 customers"}


def test_rolling_months_of_thirty_days():
    """First day 10 January: day 29 is age 0, day 30 age 1; on day 60 two months are over."""
    start = date(2024, 1, 10)
    frame = lines(["a"] * 3, [start, start + timedelta(days=29), start + timedelta(days=30)])
    as_of = start + timedelta(days=59)
    found = table(frame, as_of, window="rolling")
    assert found.select("age", "eligible", "active", "orders").rows()[:2] == [(0, 1, 1, 2), (1, 1, 1, 1)]
    day_before = table(frame, as_of - timedelta(days=1), window="rolling")
    assert day_before["eligible"].to_list()[:2] == [1, 0]
    assert day_before["rate"].to_list()[1] is None


BRACKETS = ((0, 0), (1, 2), (3, 7), (9, 30))
AS_OF = date(2027, 8, 15)
PERIODS = {
    "week": lambda day: (day.toordinal() - 1) // 7,
    "month": lambda day: month(day.year, day.month),
    "quarter": lambda day: month(day.year, day.month) // 3,
    "year": lambda day: day.year,
}
OWN_DAYS = {"week": 7, "month": 30, "quarter": 91, "year": 365}


@pytest.fixture(scope="module")
def few():
    """Some hundred orders of four years, and the marts of them."""
    frame = random_lines(n=1200, span=1400)
    return frame, marts(frame, AS_OF)


@pytest.mark.parametrize("grain", PERIODS)
@pytest.mark.parametrize("window", ["calendar", "rolling"])
@pytest.mark.parametrize("choices", [{}, {"returns": "on_or_after"}, {"brackets": BRACKETS}], ids=str)
def test_every_definition_equals_plain_python(few, grain, window, choices):
    frame, found = few
    cohorts = Cohorts(Grain(grain), window=window, **choices)
    rows = lives(found, cohorts.events, cohorts.grain, rolling=cohorts.is_rolling)
    table = cohort_table(tally(rows, cohorts.grain, AS_OF), cohorts, CALENDAR, AS_OF)
    over = table.filter(pl.col("eligible") > 0).sort("cohort", "age")
    ours = over.select(pl.col("cohort") - pl.col("cohort").min(), "age", "eligible", "active").rows()
    expected = by_hand(frame, grain, window, cohorts)
    first = min(cohort for cohort, _age in expected)
    assert len(expected) > 3
    assert ours == sorted((cohort - first, age, *counts) for (cohort, age), counts in expected.items())


def by_hand(frame, grain, window, cohorts):
    """Eligible and active customers by cohort and age, one customer at a time; periods that are over."""
    visits = {}
    for customer, day in frame.select("customer_id", "ordered_on").rows():
        if day <= AS_OF:
            visits.setdefault(customer, []).append(day)
    counts = {}
    for days in visits.values():
        first, cohort = min(days), PERIODS[grain](min(days))
        if window == "rolling":
            ages = {(day - first).days // OWN_DAYS[grain] for day in days}
            over = ((AS_OF - first).days + 1) // OWN_DAYS[grain]
        else:
            ages = {PERIODS[grain](day) - cohort for day in days}
            over = PERIODS[grain](AS_OF + timedelta(days=1)) - cohort
        for start, end in cohorts.brackets or ((age, age) for age in range(over)):
            if end >= over:
                continue
            until = max(ages) if cohorts.returns == "on_or_after" else end
            eligible, seen = counts.get((cohort, start), (0, 0))
            counts[cohort, start] = eligible + 1, seen + any(start <= age <= until for age in ages)
    return counts


ORDERED = """select any_value(customer_id) as who, min(ordered_on) as day from order_lines
             where not is_return {} group by order_id"""
EVENTS = {
    "order": ORDERED.format(""),
    "tea": ORDERED.format("and category = 'tea'"),
    "contact": "select customer_id as who, occurred_at as day from interactions",
    "answer": "select customer_id as who, answered_at as day from survey_answers",
    "begun": "select customer_id as who, started_on as day from subscriptions",
    "running": """select customer_id as who,
        unnest(range(started_on, coalesce(ended_on, date '2024-06-21'), interval 1 day)) as day
        from subscriptions""",
}
LIVED = {
    "a first order in a category, then any": ("tea", "order", {"start_category": "tea"}),
    "a first order, then one in a category": ("order", "tea", {"back_category": "tea"}),
    "a category both times": ("tea", "tea", {"start_category": "tea", "back_category": "tea"}),
    "a first contact, then an order": ("contact", "order", {"start": "contact"}),
    "an answer, then a contact": ("answer", "contact", {"start": "survey_answer", "back": "contact"}),
    "a first order, then an answer": ("order", "answer", {"back": "survey_answer"}),
    "a contract begun, and one that runs": ("begun", "running", {"start": "contract", "back": "contract"}),
    "a contract begun, then an order": ("begun", "order", {"start": "contract"}),
}


@pytest.fixture(scope="module")
def under_contract(shop, open_marts):
    """The shop with contracts of a third of its customers, some of which have ended, and its tables."""
    ids = shop["order_lines"]["customer_id"].drop_nulls().unique().sort().gather_every(3)
    random = np.random.default_rng(8)
    begun = [date(2023, 1, 1) + timedelta(days=int(day)) for day in random.integers(0, 500, len(ids))]
    ended = [None if at % 2 else day + timedelta(days=int(100 + 9 * at)) for at, day in enumerate(begun)]
    boxes = pl.DataFrame({"customer_id": ids, "started_on": begun, "ended_on": ended}).with_columns(
        subscription_id=pl.col("customer_id"),
        plan=pl.lit("A"),
        amount=pl.lit("5").cast(pl.Decimal(18, 4)),
        billing_period=pl.lit("month"),
    )
    tables = {**shop, "subscriptions": boxes}
    return tables, open_marts(tables)


@pytest.mark.parametrize("name", LIVED)
def test_every_start_and_return_equals_sql(under_contract, name):
    tables, found = under_contract
    start, back, choices = LIVED[name]
    cohorts = Cohorts(events=Events(**choices))
    rows = lives(found, cohorts.events, cohorts.grain)
    table = cohort_table(tally(rows, cohorts.grain, found.as_of), cohorts, CALENDAR, found.as_of)
    database = duckdb.connect()
    for each in ("order_lines", "interactions", "survey_answers", "subscriptions"):
        database.register(each, tables[each].to_arrow())
    database.execute("set timezone = 'UTC'")
    theirs = database.sql(
        f"""
        with starts as ({EVENTS[start]}), backs as ({EVENTS[back]}),
             s as (select who, year(day) * 12 + month(day) - 1 as m from starts where day < '2024-06-21'),
             b as (select who, year(day) * 12 + month(day) - 1 as m from backs where day < '2024-06-21'),
             f as (select who, min(m) as c from s where who is not null group by 1),
             sizes as (select c, count(*) as size from f group by 1)
        select c, m - c as age, any_value(size), count(distinct who)
        from b join f using (who) join sizes using (c) where m >= c and m < 2024 * 12 + 5
        group by all order by all
        """
    ).fetchall()
    ours = table.filter(pl.col("active") > 0).select("cohort", "age", "size", "active").rows()
    assert len(theirs) > 10
    assert ours == theirs


def test_bounds_are_those_of_statsmodels(few):
    _frame, found = few
    rows = lives(found, Cohorts().events, Grain.MONTH)
    table = cohort_table(tally(rows, Grain.MONTH, AS_OF), Cohorts(), CALENDAR, AS_OF).drop_nulls("rate")
    lower, upper = proportion_confint(table["active"].to_numpy(), table["size"].to_numpy(), method="wilson")
    assert table["lower"].to_list() == pytest.approx(lower.tolist(), abs=1e-12)
    assert table["upper"].to_list() == pytest.approx(upper.tolist(), abs=1e-12)


def test_shifted_dates_change_no_rate():
    frame = random_lines()
    moved = [pl.col(name).dt.offset_by("12y") for name in ("ordered_on", "ordered_at")]
    first, second = (
        table(frame, date(2025, 8, 31)),
        table(frame.with_columns(moved), date(2037, 8, 31)),
    )
    assert first["rate"].to_list() == second["rate"].to_list()


def test_mean_curves():
    """Cohorts of 2 and 1, of which 1 and 1 come back: weighted 2/3, plain 3/4."""
    frame = lines(
        ["a", "b", "a", "c", "c"],
        [date(2024, 1, 1), date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 1), date(2024, 3, 1)],
    )
    found = table(frame, date(2024, 3, 31))
    weighted, plain = mean_curve(found), mean_curve(found, weighted=False)
    assert weighted["rate"].to_list() == pytest.approx([1, 2 / 3, 0])
    assert plain["rate"].to_list() == pytest.approx([1, 3 / 4, 0])
    assert weighted["cohorts"].to_list() == [2, 2, 1]
    assert weighted["lower"][1] < 2 / 3 < weighted["upper"][1]


def test_no_lives_no_table():
    frame = lines([], []).with_columns(
        pl.col("ordered_on").cast(pl.Date), pl.col("ordered_at").cast(pl.Datetime("us", "UTC"))
    )
    assert table(frame, date(2024, 3, 31)).is_empty()
