"""Segments against hand-worked rules and against SQL in DuckDB."""

from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pydantic import TypeAdapter

from config.errors import Fault
from config.load import read_many
from metrics.fact_families import customer_facts
from metrics.frames import Marts
from metrics.past import past
from metrics.segment_definitions import Segment
from metrics.segments import SegmentBook, compiled_rule, draft_rule, segment_book, with_segments
from metrics.selection import SEGMENT, Selection

AS_OF = date(2024, 6, 20)


@pytest.fixture(scope="module")
def marts(shop, open_marts) -> Marts:
    return open_marts(shop)


def book(tmp_path: Path, text: str, marts: Marts) -> SegmentBook:
    path = tmp_path / "segments.yaml"
    path.write_text("segments:\n" + text)
    loaded = read_many([path], TypeAdapter(Segment), under="segments")
    assert loaded.problems == ()
    return segment_book(loaded.items, customer_facts(marts))


def ids(marts: Marts, belongs: pl.Series) -> set[str]:
    return set(marts.frame("customer_summary").filter(belongs)["customer_id"])


def asked(shop, query: str) -> set[str]:
    """The customer ids that SQL over the shop's own tables gives."""
    connection = duckdb.connect()
    for name, table in shop.items():
        connection.register(name, table.to_arrow())
    return {row[0] for row in connection.execute(query).fetchall()}


BUYERS = f"""
    WITH bought AS (
        SELECT customer_id, order_id, min(ordered_on) AS ordered_on, sum(net_amount) AS net
        FROM order_lines WHERE customer_id IS NOT NULL AND NOT is_return AND ordered_on <= DATE '{AS_OF}'
        GROUP BY 1, 2),
    people AS (
        SELECT DISTINCT customer_id FROM (
            SELECT customer_id FROM customers UNION ALL SELECT customer_id FROM order_lines
            UNION ALL SELECT customer_id FROM survey_answers UNION ALL SELECT customer_id FROM interactions)
        WHERE customer_id IS NOT NULL)
"""

RULES = {
    "region = 'East' AND vip": "SELECT customer_id FROM customers WHERE region = 'East' AND vip",
    "region <> 'East'": "SELECT customer_id FROM customers WHERE region <> 'East'",
    "NOT region = 'East' OR region IS NULL": BUYERS
    + "SELECT customer_id FROM people LEFT JOIN customers USING (customer_id) "
    "WHERE region IS DISTINCT FROM 'East'",
    "region LIKE 'E%'": "SELECT customer_id FROM customers WHERE region LIKE 'E%'",
    "recency_days <= 60": BUYERS
    + f"SELECT customer_id FROM bought GROUP BY 1 HAVING max(ordered_on) >= DATE '{AS_OF}' - 60",
    "complaints >= 2": "SELECT customer_id FROM interactions WHERE kind = 'complaint' "
    "AND customer_id IS NOT NULL GROUP BY 1 HAVING count(*) >= 2",
    "contacts = 0": BUYERS + "SELECT customer_id FROM people WHERE customer_id NOT IN "
    "(SELECT customer_id FROM interactions WHERE customer_id IS NOT NULL)",
    "last_nps >= 9": "SELECT customer_id FROM (SELECT *, row_number() OVER (PARTITION BY customer_id "
    "ORDER BY answered_at DESC, response_id DESC) AS place FROM survey_answers "
    "WHERE item = 'nps' AND customer_id IS NOT NULL) WHERE place = 1 AND score >= 9",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_for_those_whom_sql_finds(shop, marts, tmp_path, rule):
    found = book(tmp_path, f'  - {{name: a, label: A, where: "{rule}"}}\n', marts)
    assert ids(marts, found.members("a")) == asked(shop, RULES[rule])


OWN = {
    "did buy tea in the last 90 days": (
        "{name: n, table: baskets, expression: count(order), where: \"category = 'tea' AND purchases > 0\", "
        "days: 90}",
        "n > 0",
        "SELECT DISTINCT customer_id FROM order_lines WHERE category = 'tea' AND NOT is_return "
        f"AND ordered_on BETWEEN DATE '{AS_OF}' - 89 AND DATE '{AS_OF}' AND customer_id IS NOT NULL",
    ),
    "did not complain in the spring": (
        "{name: n, table: interactions, expression: count(*), where: \"kind = 'complaint'\", "
        "start: 2024-03-01, end: 2024-05-31}",
        "n = 0",
        BUYERS
        + "SELECT customer_id FROM people WHERE customer_id NOT IN (SELECT customer_id FROM interactions "
        "WHERE kind = 'complaint' AND customer_id IS NOT NULL "
        "AND occurred_at::TIMESTAMP::DATE BETWEEN DATE '2024-03-01' AND DATE '2024-05-31')",
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_did_and_did_not_in_a_window(shop, marts, tmp_path, name):
    fact, rule, query = OWN[name]
    found = book(tmp_path, f"  - name: a\n    label: A\n    where: {rule}\n    facts: [{fact}]\n", marts)
    assert ids(marts, found.members("a")) == asked(shop, query)


def test_segments_nest(marts, tmp_path):
    text = """
  - {name: outer, label: Outer, where: "{inner} AND NOT {east}"}
  - {name: inner, label: Inner, where: orders >= 2}
  - {name: east, label: East, where: "region = 'East'"}
"""
    found = book(tmp_path, text, marts)
    people = marts.frame("customer_summary")
    east = (people["region"].cast(pl.String) == "East").fill_null(value=False)
    assert found.members("outer").equals(((people["orders"] >= 2) & ~east).rename("in"), null_equal=True)


def test_a_circle_breaks_its_own_segments_and_no_other(marts, tmp_path):
    text = """
  - {name: a, label: A, where: "{b} OR orders > 1"}
  - {name: b, label: B, where: "NOT {a}"}
  - {name: c, label: C, where: orders > 1}
"""
    found = book(tmp_path, text, marts)
    assert set(found.rules) == {"c"}
    said = " ".join(problem.render() for problem in found.problems)
    assert "the segments refer to each other in a circle: a -> b -> a" in said
    assert "segments.yaml:4:32" in said
    with pytest.raises(Fault, match="broken"):
        found.members("a")


def test_a_draft_may_not_reach_itself(marts, tmp_path):
    found = book(
        tmp_path, '  - {name: a, label: A, where: orders > 1}\n  - {name: b, label: B, where: "{a}"}\n', marts
    )
    draft_rule(found, Segment(name="c", label="C", where="{a} AND {b}"))
    for rule in ("{b}", "{a}"):
        with pytest.raises(Fault, match="in a circle"):
            draft_rule(found, Segment(name="a", label="A", where=rule))


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("loyalty = 'gold'", "unknown fact `loyalty`"),
        ("orders > {nobody}", "unknown segment `nobody`"),
        ("orders", "`orders` is a number, not a condition"),
        ("sum(orders) > 1", "the aggregate `sum(orders)` is not allowed here"),
        ("email = 'a@b.c'", "unknown fact `email`"),
        ("orders > (SELECT 1)", "a query inside an expression is not allowed"),
    ],
)
def test_a_rule_that_cannot_be_is_said_at_its_place(marts, where, fault):
    with pytest.raises(Fault, match="^" + fault.replace("(", r"\(").replace(")", r"\)")) as found:
        compiled_rule(Segment(name="a", label="A", where=where), customer_facts(marts), ())
    assert found.value.at == ("where",)


def test_a_source_that_no_longer_delivers_breaks_only_what_reads_it(shop, open_marts, tmp_path):
    text = """
  - {name: complained, label: Complained, where: complaints > 0}
  - {name: best, label: VIP, where: vip}
  - {name: often, label: Often, where: orders > 2}
  - name: called
    label: Called
    where: n > 0
    facts: [{name: n, table: interactions, expression: count(*)}]
"""
    whole = book(tmp_path, text, open_marts(shop))
    assert set(whole.rules) == {"complained", "best", "often", "called"}
    fewer = {name: table for name, table in shop.items() if name != "interactions"}
    fewer["customers"] = fewer["customers"].drop("vip")
    found = book(tmp_path, text, open_marts(fewer))
    assert set(found.rules) == {"often"}
    said = {name: problems[0].fault for name, problems in found.broken.items()}
    assert said == {
        "complained": "unknown fact `complaints`",
        "best": "unknown fact `vip`",
        "called": "no source gives `interactions`",
    }


def test_an_empty_segment_is_empty_everywhere(marts, tmp_path):
    found = book(tmp_path, "  - {name: a, label: A, where: orders > 100000}\n", marts)
    assert found.members("a").sum() == 0
    chosen = with_segments(marts, found).select(Selection({SEGMENT: ("a",)}))
    assert chosen.mask is not None
    assert chosen.mask.sum() == 0


def test_any_of_several_segments_and_of_the_attributes(marts, tmp_path):
    text = "  - {name: a, label: A, where: orders > 3}\n  - {name: b, label: B, where: vip}\n"
    found = book(tmp_path, text, marts)
    chosen = with_segments(marts, found).select(Selection({SEGMENT: ("a", "b"), "region": ("West",)}))
    people = marts.frame("customer_summary")
    west = people["region"].cast(pl.String) == "West"
    expected = ((people["orders"] > 3) | people["vip"].fill_null(value=False)) & west
    assert chosen.mask is not None
    assert chosen.mask.equals(expected.fill_null(value=False).rename(chosen.mask.name))


def test_an_unknown_segment_is_named(marts, tmp_path):
    found = book(tmp_path, "  - {name: loyal, label: A, where: orders > 3}\n", marts)
    with pytest.raises(Fault, match=r"unknown segment `loyale`\. Did you mean `loyal`"):
        with_segments(marts, found).select(Selection({SEGMENT: ("loyale",)}))


def test_facts_of_an_earlier_day_are_those_of_data_that_end_there(shop, open_marts):
    """Oracle: the same shop loaded with that as-of day."""
    day = date(2024, 1, 31)
    then, back = open_marts(shop, as_of=day), past(open_marts(shop), day)
    facts, earlier = customer_facts(then), customer_facts(back)
    assert list(facts.offered) == list(earlier.offered)
    for name in facts.offered:
        column, other = facts.frame([name]).to_series(), earlier.frame([name]).to_series()
        assert column.cast(pl.String).equals(other.cast(pl.String), null_equal=True), name


def test_members_of_an_earlier_day(shop, marts, open_marts, tmp_path):
    found = book(tmp_path, "  - {name: a, label: A, where: orders >= 2 AND recency_days < 90}\n", marts)
    day = date(2023, 10, 31)
    then = open_marts(shop, as_of=day)
    expected = book(tmp_path, "  - {name: a, label: A, where: orders >= 2 AND recency_days < 90}\n", then)
    assert ids(marts, found.members_on("a", day)) == ids(then, expected.members("a"))
    assert found.members_on("a", AS_OF).equals(found.members("a"))


def test_a_segment_may_not_be_called_like_a_fact(marts):
    with pytest.raises(Fault, match="`vip` is the name of a customer fact"):
        compiled_rule(Segment(name="vip", label="A", where="orders > 1"), customer_facts(marts), ())
