"""The retention page: its numbers against SQL, its controls, its cells, and what it says of odd data."""

import re

import duckdb
import pytest

from connectors.store import Store


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


@pytest.mark.parametrize("definition", ["calendar", "rolling", "unbounded", "previous", "brackets"])
def test_every_definition_draws(opened, texts, definition):
    page = opened()
    page = select(page, "definition").set_value(definition).run()
    assert not page.exception
    assert "Something went wrong here" not in texts(page)


@pytest.mark.parametrize("value", ["customers", "revenue", "net_retention", "margin", "customer_value"])
def test_every_value_draws(opened, texts, value):
    page = opened()
    page = select(page, "value").set_value(value).run()
    assert "Something went wrong here" not in texts(page)


def test_both_definitions_stand_side_by_side(opened, texts):
    page = opened()
    said = texts(page)
    assert "Two definitions side by side" in said
    assert {"Calendar period", "Own periods", "Difference"} <= set(said)


@pytest.mark.parametrize(
    ("start", "back"), [("contact", "order"), ("contract", "contract"), ("any_order", "order")]
)
def test_other_events(opened, texts, start, back):
    page = opened()
    page = select(page, "start").set_value(start).run()
    page = select(page, "back").set_value(back).run()
    assert "Something went wrong here" not in texts(page)


def test_two_segments_and_their_difference(opened, texts):
    page = opened()
    page = select(page, "by").set_value("region").run()
    assert "Something went wrong here" not in texts(page)
    assert any("percentage points" in text for text in texts(page))


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


@pytest.mark.parametrize("name", ["new", "reactivated", "lost", "due", "seasonal"])
def test_lifecycle_lists(opened, texts, name):
    page = opened("Lifecycle")
    page = select(page, "list").set_value(name).run()
    assert "Something went wrong here" not in texts(page)


def test_the_bars_and_their_list_count_the_same_customers(opened, texts):
    """The number of those who did not order again, in the title of the bars and over their list."""
    said = texts(opened("Lifecycle"))
    title = next(text for text in said if "did not order again in" in text)
    gone = re.search(r"([\d,]+) did not order again", title)[1]
    assert f"{gone} customers" in said


@pytest.mark.parametrize("event", ["second_category", "lapse", "contract_end"])
def test_survival_events(opened, texts, event):
    page = opened("Survival", split="Region")
    page = select(page, "event").set_value(event).run()
    assert "Something went wrong here" not in texts(page)


def test_the_back_test_is_shown(opened, texts):
    said = texts(opened("Lifecycle"))
    assert {"Falsely called lost", "90 days", "365 days"} <= set(said)
