"""The retention page: its numbers against SQL, its controls, its cells, and what it says of odd data."""

import re

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


SOURCES = """\
sources:
  - {name: orders, table: order_lines, kind: csv, location: orders.csv, columns: {order_id: order,
      line_id: order, customer_id: who, ordered_at: day, net_amount: paid}}
  - {name: people, table: customers, kind: csv, location: people.csv,
      columns: {customer_id: who, joined_on: joined}}
  - {name: boxes, table: subscriptions, kind: csv, location: boxes.csv, columns: {subscription_id: box,
      customer_id: who, plan: plan, started_on: start, ended_on: stop, amount: paid, billing_period: billed}}
"""
ODD = {
    "rapport.yaml": "name: Odd\ncurrency: EUR\n",
    "sources.yaml": SOURCES,
    "orders.csv": "order,who,day,paid\n1,ann,2024-05-01,10\n2,ann,2024-05-01,20\n",
    "people.csv": "who,joined\nann,2024-06-01\nbob,2024-01-01\n",
    "boxes.csv": (
        "box,who,plan,start,stop,paid,billed\n"
        "a,ann,S,2024-03-01,2024-02-01,5,month\n"
        "b,bob,S,2024-01-01,,5,month\nc,bob,S,2024-02-01,,7,year\n"
    ),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory, rapport):
    """A customer whose orders are all of one day, before she joined; contracts that cannot be, or overlap."""
    folder = tmp_path_factory.mktemp("odd")
    for name, text in ODD.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Cohorts", "1 customers ordered before the day on which they joined"),
        ("Lifecycle", "more months of history are needed"),
        ("Survival", "A curve needs"),
        ("Contracts", "1 contracts end on or before their first day"),
        ("Contracts", "1 customers have several contracts at once"),
        ("Movements", "Nothing to compare"),
    ],
)
def test_odd_data_have_a_word(open_page, texts, odd, section, words):
    page = open_page("retention", project=odd, **{"retention.section": section})
    said = " ".join(texts(page))
    assert not page.exception
    assert "Something went wrong here" not in said
    assert words in said
