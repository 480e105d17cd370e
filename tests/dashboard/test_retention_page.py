"""The retention page: its numbers against SQL, its controls, its cells, and what it says of odd data."""

import re
from functools import cache

import duckdb
import pytest

from connectors.store import Store
from dashboard.retention_choices import DEFINITIONS, MEANS, VALUES
from metrics.cohort_differences import TOTALS
from metrics.selection import SEGMENT


def select(page, name):
    return page.selectbox(key=f"retention.{name}")


@pytest.fixture
def opened(open_page):
    """Opens a section of the page."""

    def draw(section="Cohorts", **parameters):
        named = {f"retention.{name}": value for name, value in parameters.items()}
        return open_page("retention", **{"retention.section": section}, **named)

    return draw


def cell_counts(texts, page):
    """How many of how many came back, as the list of a cell says."""
    said = next(text for text in texts(page) if " came back" in text)
    counted, of = re.fullmatch(r"([\d,]+) of ([\d,]+) came back", said).groups()
    return int(counted.replace(",", "")), int(of.replace(",", ""))


def test_a_cell_lists_the_customers_that_sql_counts(opened, texts, shop):
    """Oracle: DuckDB over the stored order lines."""
    lines = Store(shop / "store").current().scan("order_lines").collect().to_arrow()
    assert lines.num_rows
    cohort, age = 2025 * 12 + 2, 3
    mine, theirs = duckdb.sql(
        """
        WITH bought AS (SELECT customer_id, year(ordered_on) * 12 + month(ordered_on) - 1 AS m FROM lines
                        WHERE NOT is_return AND customer_id IS NOT NULL),
             firsts AS (SELECT customer_id, min(m) AS first FROM bought GROUP BY 1)
        SELECT count(DISTINCT customer_id) FILTER (m = first + 3), count(DISTINCT customer_id)
        FROM bought JOIN firsts USING (customer_id) WHERE first = 2025 * 12 + 2
        """
    ).fetchall()[0]
    page = opened(cell=f"Mar 2025, month {age}")
    if select(page, "cell").value is None:
        page = select(page, "cell").select(f"{cohort}.{age}").run()
    assert not page.exception
    assert cell_counts(texts, page) == (mine, theirs)


def test_every_definition_and_value_draws(opened, texts):
    page = opened()
    for name, options in (("definition", DEFINITIONS), ("value", VALUES), ("mean", MEANS)):
        for option in options:
            page = select(page, name).set_value(option).run()
            assert not page.exception
            assert "Something went wrong here" not in texts(page), option


def test_both_definitions_stand_side_by_side(opened, texts):
    said = texts(opened())
    assert {"Two definitions side by side", "Calendar period", "Own periods", "Apart"} <= set(said)


def test_brackets_as_people_write_them(opened, texts):
    """What cannot be read is said, and the usual ones stay."""
    page = opened()
    page = select(page, "definition").set_value("brackets").run()
    field = page.text_input(key="retention.brackets-month")
    page = field.set_value("1-3, 4-7").run()
    cells = [option for option in select(page, "cell").options if "4–7" in option]  # noqa: RUF001
    assert cells
    page = page.text_input(key="retention.brackets-month").set_value("3-1").run()
    assert any("3-1 is no bracket" in text.replace("`", "") for text in [" ".join(texts(page))])


def test_the_payback_of_the_demo(opened, texts):
    assert any("is paid back in month" in text for text in texts(opened()))


@pytest.mark.parametrize(
    ("start", "back"), [("contact", "order"), ("contract", "contract"), ("any_order", "order")]
)
def test_other_events(opened, texts, start, back):
    page = opened()
    page = select(page, "start").set_value(start).run()
    page = select(page, "back").set_value(back).run()
    assert "Something went wrong here" not in texts(page)


@pytest.mark.parametrize("by", ["region", SEGMENT])
def test_two_segments_and_their_difference(opened, texts, by):
    page = opened()
    page = select(page, "by").set_value(by).run()
    assert "Something went wrong here" not in texts(page)
    assert any("percentage points" in text for text in texts(page))


def test_a_cell_of_either_segment_has_its_list(opened, texts, shop):
    """Of the difference the customers of A, or of B; oracle: DuckDB over the stored order lines."""
    store = Store(shop / "store").current()
    lines, people = (store.scan(name).collect().to_arrow() for name in ("order_lines", "customers"))
    assert lines.num_rows
    assert people.num_rows
    sizes = dict(
        duckdb.sql(
            """
            WITH firsts AS (SELECT customer_id, min(year(ordered_on) * 12 + month(ordered_on) - 1) AS first
                            FROM lines WHERE NOT is_return AND customer_id IS NOT NULL GROUP BY 1)
            SELECT region, count(*) FROM firsts JOIN people USING (customer_id)
            WHERE first = 2025 * 12 + 2 GROUP BY 1
            """
        ).fetchall()
    )
    page = opened(by="Region")
    a, b = (select(page, side).value for side in "ab")
    page = select(page, "cell").select(f"{2025 * 12 + 2}.1").run()
    assert cell_counts(texts, page)[1] == sizes[a]
    page = page.segmented_control(key="retention.of").set_value("B").run()
    assert cell_counts(texts, page)[1] == sizes[b] != sizes[a]
    page = page.segmented_control(key="retention.side").set_value("A").run()
    assert cell_counts(texts, page)[1] == sizes[a]


def test_differences_of_every_value(opened, texts):
    """Points for shares, intervals over customers for what is counted by customer, none for sums."""
    page = opened(by="Region")
    for value, (_label, unit) in VALUES.items():
        said = " ".join(texts(select(page, "value").set_value(value).run()))
        assert "Something went wrong here" not in said
        assert ("no interval" in said) == (value in TOTALS)
        assert ("percentage points" in said) == (unit == "rate")


@pytest.mark.parametrize(
    ("section", "title"),
    [
        ("Lifecycle", "When silence means lost"),
        ("Survival", "What goes with it"),
        ("Contracts", "Renewals"),
        ("Movements", "Pattern"),
    ],
)
def test_every_section_is_full_on_the_demo(opened, texts, section, title):
    page = opened(section)
    assert not page.exception
    said = texts(page)
    assert "Something went wrong here" not in said
    assert title in said


def test_lifecycle_lists(opened, texts):
    page = opened("Lifecycle")
    for name in ("new", "reactivated", "lost", "due", "seasonal"):
        page = select(page, "list").set_value(name).run()
        assert "Something went wrong here" not in texts(page), name


def test_a_list_can_be_sorted(opened):
    """By silent days: the table's own column falls from row to row."""
    page = opened("Lifecycle")
    page = page.selectbox(key="retention.customers-churned.sort").set_value("silent_days").run()
    table = next(block.value for block in page.html if "Silent days" in block.value)
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table, flags=re.S)
    heads = re.findall(r"<th[^>]*>(.*?)</th>", rows[0])
    at = heads.index("Silent days")
    days = [int(re.findall(r"<td[^>]*>(.*?)</td>", row)[at].replace(",", "")) for row in rows[1:]]
    assert len(days) > 5
    assert days == sorted(days, reverse=True)


def test_the_bars_and_their_list_count_the_same_customers(opened, texts):
    """The number of those who did not order again, in the title of the bars and over their list."""
    said = texts(opened("Lifecycle"))
    title = next(text for text in said if "did not order again in" in text)
    gone = re.search(r"([\d,]+) did not order again", title)[1]
    assert f"{gone} customers" in said


def test_survival_events(opened, texts):
    page = opened("Survival", split="Region")
    for event in ("second_category", "lapse", "contract_end"):
        page = select(page, "event").set_value(event).run()
        assert "Something went wrong here" not in texts(page), event


def test_the_back_test_is_shown(opened, texts):
    said = texts(opened("Lifecycle"))
    assert {"Falsely called lost", "90 days", "365 days"} <= set(said)


ORDERS = """\
sources:
  - {name: orders, table: order_lines, kind: csv, location: orders.csv, columns: {order_id: order,
      line_id: order, customer_id: who, ordered_at: day, net_amount: paid}}
"""
MORE = """\
  - {name: people, table: customers, kind: csv, location: people.csv,
      columns: {customer_id: who, joined_on: joined}}
  - {name: boxes, table: subscriptions, kind: csv, location: boxes.csv, columns: {subscription_id: box,
      customer_id: who, plan: plan, started_on: start, ended_on: stop, amount: paid, billing_period: billed}}
"""
HEAD = "order,who,day,paid\n"
ODD = {
    "impossible": {
        "sources.yaml": ORDERS + MORE,
        "orders.csv": HEAD + "1,ann,2024-05-01,10\n2,ann,2024-05-01,20\n",
        "people.csv": "who,joined\nann,2024-06-01\nbob,2024-01-01\n",
        "boxes.csv": (
            "box,who,plan,start,stop,paid,billed\n"
            "a,ann,S,2024-03-01,2024-02-01,5,month\n"
            "b,bob,S,2024-01-01,,5,month\nc,bob,S,2024-02-01,,7,year\n"
        ),
    },
    "one order": {"orders.csv": HEAD + "1,ann,2024-05-01,10\n"},
    "one day": {"orders.csv": HEAD + "1,ann,2024-05-01,10\n2,bob,2024-05-01,10\n3,bob,2024-05-01,10\n"},
    "one customer": {"orders.csv": HEAD + "1,ann,2024-03-01,10\n2,ann,2024-04-11,10\n3,ann,2024-05-31,10\n"},
    "single ones": {
        "orders.csv": HEAD
        + "1,ann,2024-03-01,10\n2,bob,2024-04-01,10\n3,cid,2024-05-01,10\n4,ann,2024-05-31,5\n"
    },
    "as of before": {
        "rapport.yaml": "as_of: 2020-01-31\n",
        "orders.csv": HEAD + "1,ann,2024-05-01,10\n2,bob,2024-06-01,10\n",
    },
}
ODD["clock change"] = {
    "rapport.yaml": "timezone: Europe/Berlin\n",
    "orders.csv": HEAD
    + "1,ann,2024-03-31T21:30:00Z,10\n2,bob,2024-03-31T22:30:00Z,10\n"
    + "3,ann,2024-04-07T21:59:00Z,5\n4,bob,2024-05-05T12:00:00Z,5\n",
}
SAID = [
    ("impossible", "Cohorts", "1 customer ordered before the day of joining", "n = 1 customer"),
    ("impossible", "Lifecycle", "more months of history are needed"),
    ("impossible", "Survival", "A curve needs"),
    (
        "impossible",
        "Contracts",
        "1 contract ends on or before its first day",
        "1 customer has several contracts",
    ),
    ("impossible", "Movements", "Nothing to compare"),
    ("one order", "Cohorts", "1 of 1 cohorts have fewer than 5 customers", "n = 1 customer"),
    ("one order", "Lifecycle", "Nobody has ordered on two days yet", "1 came or came back"),
    ("one order", "Survival", "Nobody has been followed for a day yet", "n = 1 customer"),
    ("one order", "Movements", "No two days of orders lie up to May 1, 2024"),
    ("one day", "Cohorts", "No period after the first is over yet", "n = 2 customers"),
    ("one day", "Lifecycle", "Nobody has ordered on two days yet", "2 came or came back"),
    ("one customer", "Cohorts", "No cohort is large enough", "n = 1 customer"),
    ("one customer", "Lifecycle", "1 of the 1 active in Apr 2024 ordered again in May 2024"),
    ("one customer", "Survival", "Share without a second order after 41 days: 0.0", "n = 1 customer"),
    ("single ones", "Cohorts", "3 of 3 cohorts have fewer than 5 customers", "n = 3 customers"),
    ("as of before", "Cohorts", "2 order lines lie after the as-of day, Jan 31, 2020", "No customers yet"),
    ("as of before", "Lifecycle", "and are not counted; the first is of May 1, 2024", "No orders in these"),
    ("as of before", "Movements", "No two days of orders lie up to Jan 31, 2020"),
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory, rapport):
    """Makes and loads an odd project, once."""

    @cache
    def loaded(name):
        folder = tmp_path_factory.mktemp("odd")
        files = {"sources.yaml": ORDERS, "rapport.yaml": "", **ODD[name]}
        files["rapport.yaml"] += "name: Odd\ncurrency: EUR\n"
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        done = rapport("refresh", "--project", folder)
        assert done.code == 0, done.err
        return folder

    return loaded


@pytest.mark.parametrize(("project", "section", *"ab"), [(*each, "")[:4] for each in SAID])
def test_odd_data_have_a_word_and_are_counted(open_page, texts, odd, project, section, a, b):
    page = open_page("retention", project=odd(project), **{"retention.section": section})
    said = " ".join(texts(page))
    assert not page.exception
    assert "Something went wrong here" not in said
    assert a in said
    assert b in said


def test_the_night_in_which_the_clock_changes(open_page, texts, odd):
    """Berlin, 31 March 2024: Sunday 23:30 is of the week that ends, Monday 0:30 of the one that begins.

    In UTC both are of the Sunday. A week later the first is back one minute before Sunday ends.
    """
    page = open_page("retention", project=odd("clock change"), grain="Week")
    box = select(page, "cell")
    assert [text for text in box.options if text.endswith("week 0")] == [
        "Week of Mar 25, 2024, week 0",
        "Week of Apr 1, 2024, week 0",
    ]
    counts = []
    for name in (
        "Week of Mar 25, 2024, week 1",
        "Week of Mar 25, 2024, week 2",
        "Week of Apr 1, 2024, week 4",
    ):
        page = select(page, "cell").select_index(box.options.index(name)).run()
        counts.append(cell_counts(texts, page))
    assert counts == [(1, 1), (0, 1), (1, 1)]
