"""The pages on lifetime value and customer equity: their figures against SQL, their sections, their gates."""

import re

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard import equity_data, lifetime_data
from dashboard.equity_data import Terms
from dashboard.lifetime_data import (
    COHORT,
    Horizon,
    class_counts,
    grouped,
    in_class,
    in_segment,
    sampled,
    value_edges,
)
from metrics.lifetime.outlook import margin_rate
from metrics.selection import SEGMENT

WHAT_IF = {"equity.section": "What if"}


def test_every_section_draws(open_page, texts):
    page = open_page("lifetime")
    for section in ("predictions", "customers", "contracts", "validation"):
        page = page.get_by_key("lifetime.section").set_value(section).run()
        assert not page.exception
        assert "Something went wrong here" not in texts(page)
    assert any("baseline" in text for text in texts(page))
    assert {"Orders in a month", "Leaves before a month", "The others are compared with it."} <= set(
        texts(page)
    )


def test_rising_and_falling_customers_are_listed(open_page, texts):
    where = {"lifetime.section": "Customers"}
    assert "Contribution so far" in texts(open_page("lifetime", **where))
    for order in ("Rising", "Falling"):
        said = texts(open_page("lifetime", **where, **{"lifetime.order": order}))
        assert f"{order} customers" in said
        first = said[said.index("Revenue so far", said.index("P(alive) before")) :]
        changes = [text for text in first if re.fullmatch(r"[+-]\$[\d,.]+", text)]
        assert changes
        assert {text[0] for text in changes} == {"+" if order == "Rising" else "-"}


@pytest.mark.parametrize(
    ("edges", "at", "left"), [([10.0, 100.0], 0, [1.0, 9.9]), ([10.0, 100.0], 2, [100.0])]
)
def test_classes_cut_at_their_edges(edges, at, left):
    rows = pl.DataFrame({"value": [1.0, 9.9, 10.0, 99.0, 100.0]})
    assert in_class(rows, edges, at)["value"].to_list() == left
    assert class_counts(rows["value"], edges) == [2, 2, 1]
    assert value_edges(pl.Series([0.0, -1.0])) == []


def test_terms_change_values(open_page, texts):
    def per_customer(**terms):
        said = texts(open_page("lifetime", **terms))
        return said[said.index("Per customer") + 1]

    usual, undiscounted = per_customer(), per_customer(**{"lifetime.discount_rate": "0"})
    begun = per_customer(**{"lifetime.convention": "at the beginning of each month"})
    worth = [float(text.removeprefix("$").replace(",", "")) for text in (usual, begun, undiscounted)]
    assert worth[0] < worth[1] < worth[2]


def test_retention_behind_equity_is_what_sql_counts(open_page, texts, shop):
    """Oracle: DuckDB over the stored order lines."""
    page = open_page("equity")
    lines = Store(shop / "store").current().scan("order_lines").collect().to_arrow()
    assert lines.num_rows
    kept, of = duckdb.sql(
        """
        WITH bought AS (SELECT DISTINCT customer_id, ordered_on FROM lines
                        WHERE NOT is_return AND customer_id IS NOT NULL),
             earlier AS (SELECT DISTINCT customer_id FROM bought
                         WHERE ordered_on BETWEEN '2024-11-01' AND '2025-10-31'),
             recent AS (SELECT DISTINCT customer_id FROM bought
                        WHERE ordered_on BETWEEN '2025-11-01' AND '2026-10-31')
        SELECT count(recent.customer_id), count(*) FROM earlier LEFT JOIN recent USING (customer_id)
        """
    ).fetchall()[0]
    said = next(text for text in texts(page) if text.endswith("ordered again"))
    assert said == f"{kept:,} of {of:,} ordered again"


def test_a_slider_moves_equity(open_page, texts):
    page = open_page("equity", **WHAT_IF)
    assert "nothing moved yet" in texts(page)
    page = page.slider(key="equity.order_value").set_value(10).run()
    said = texts(page)
    change = said[said.index("Change of equity") + 1]
    assert re.match(r"\+\$", change)
    again = texts(open_page("equity", **WHAT_IF, **{"equity.order_value": "10"}))
    assert again[again.index("Change of equity") + 1] == change


def test_every_section_of_equity_draws(open_page, texts):
    page = open_page("equity")
    for section in ("statement", "levers", "what_if", "programmes", "budgets", "concentration"):
        page = page.get_by_key("equity.section").set_value(section).run()
        assert not page.exception
        assert "Something went wrong here" not in texts(page)
        assert [text for text in texts(page) if text.startswith("no Gini")] == []


def test_the_period_moves_the_year_of_equity(open_page, texts):
    late, early = (texts(open_page("equity", period=month)) for month in ("Oct 2026", "Aug 2026"))
    assert "The twelve months to Oct 31, 2026 \N{MIDDLE DOT} all customers" in late
    assert "The twelve months to Aug 31, 2026 \N{MIDDLE DOT} all customers" in early
    kept = [next(text for text in said if text.endswith("ordered again")) for said in (late, early)]
    assert kept[0] != kept[1]
    assert "Equity cannot be computed yet" in texts(open_page("equity", period="Sep 2024"))


def test_lines_of_the_statement_are_their_lists(open_page, texts):
    page = open_page("equity")
    said = texts(page)
    lost = said[said.index("Lost customers") + 1].removeprefix("-")
    assert f"{lost} customers" in said
    page = page.get_by_key("equity.line").set_value("closing").run()
    closing = said[said.index("Before marketing") + 1]
    assert f"{closing} customers" in texts(page)


def test_rows_of_segments_open_as_many_customers_as_they_count(open_page):
    """Every row of every segment table against the rows of the list that it opens."""
    page, horizon, terms = open_page("lifetime"), Horizon(), Terms()
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    everybody = lifetime_data.values(desk, scope, horizon)
    for by in (COHORT, "channel", SEGMENT):
        table = lifetime_data.totals(desk, scope, horizon, by)
        known = set(lifetime_data.segments_of(desk, everybody, by))
        without_orders = {"Never ordered"} if by == SEGMENT else set()
        assert known - without_orders >= set(table[by]) > set()
        assert by == SEGMENT or set(table[by]) == known
        for name, count in table.select(by, "customers").iter_rows():
            assert len(in_segment(desk, everybody, by, name)) == count
    for name, found in equity_data.by(desk, scope, "channel", terms).items():
        assert len(equity_data.lists(desk, scope, "closing", ("channel", name))) == found.drivers.customers
    for name, count in equity_data.channels(desk, scope, 0.1).select("channel", "customers").iter_rows():
        assert len(equity_data.lists(desk, scope, "new", ("channel", name), back=1)) == count


def test_a_chosen_segment_lists_its_customers(open_page, texts):
    """What a click on a row chooses, as an address."""
    where = {"lifetime.section": "Customers", "lifetime.by": "Channel", "lifetime.segment": "web"}
    said = texts(open_page("lifetime", **where))
    assert "P(alive) at the end" in said
    assert said.count("web") == 25
    said = texts(
        open_page(
            "equity", **{"equity.section": "What moves it", "equity.segment": "web", "equity.by": "Channel"}
        )
    )
    assert "Customers of web" in said
    said = texts(open_page("equity", **{"equity.section": "Budgets", "equity.won": "web"}))
    assert "Revenue ever" in said


def test_a_scenario_is_kept_compared_and_removed(open_page, texts, shop):
    file = shop / "scenarios.yaml"
    shipped = file.read_text()
    page = open_page("equity", **WHAT_IF)
    page = page.slider(key="equity.retention").set_value(5).run()
    page = page.get_by_key("equity_what_if.keep").click().run()
    assert "Give the scenario a name first." in texts(page)
    page = page.get_by_key("equity_what_if.name").set_value("Keep more").run()
    change = texts(page)[texts(page).index("Change of equity") + 1]
    page = page.get_by_key("equity_what_if.keep").click().run()
    said = texts(page)
    assert said[said.index("Keep more") + 3] == change
    assert file.read_text() == f"{shipped}  - name: Keep more\n    retention_points: 5.0\n"
    page = page.get_by_key("equity_what_if.name").set_value("Keep more").run()
    page = page.get_by_key("equity_what_if.keep").click().run()
    assert any("stands twice" in text for text in texts(page))
    page = page.get_by_key("equity_what_if.old").set_value("Keep more").run()
    page.get_by_key("equity_what_if.remove").click().run()
    assert file.read_text() == shipped


def test_groups_split_at_the_best_fifth_and_at_even_odds():
    rows = pl.DataFrame({"net_amount": [10, 20, 30, 40, 50], "p_alive": [0.9, 0.1, 0.5, 0.49, 0.2]})
    assert grouped(rows)["group"].to_list() == ["develop", "let_go", "develop", "let_go", "win_back"]


@pytest.mark.parametrize("count", [0, 500, 501, 20_000])
def test_the_sample_is_small_ordered_and_has_both_ends(count):
    rows = pl.DataFrame({"rank": range(count)}, schema={"rank": pl.Int64})
    drawn = sampled(rows)["rank"].to_list()
    assert len(drawn) == min(count, 500)
    assert drawn == sorted(set(drawn))
    assert not count or (drawn[0], drawn[-1]) == (0, count - 1)


def test_margin_rate_is_unknown_without_cost():
    people = pl.DataFrame({"net_amount": [60.0, 40.0], "margin": [20.0, 10.0]})
    assert margin_rate(people) == pytest.approx(0.3)
    assert margin_rate(people.with_columns(margin=pl.lit(None, pl.Float64))) is None
    assert margin_rate(people.drop("margin")) is None


def test_concentration_needs_no_retention(open_page, texts):
    where = {"period": "Oct 2024", "equity.section": "Concentration"}
    said = texts(open_page("equity", **where))
    assert any("of revenue" in text for text in said)
    assert "Equity cannot be computed yet" not in said
