"""Rules that the builder makes: they say what was clicked, read back, and let nothing out of its place."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.expressions import compile_rule
from dashboard.format import Formatter
from dashboard.segment_rules import (
    EVENTS,
    Condition,
    Did,
    Group,
    Inside,
    groups_of,
    literal,
    own_facts,
    rule_text,
)
from dashboard.segment_words import Words
from metrics.customer_facts import Fact
from metrics.segment_definitions import Segment

FACTS = {
    "orders": Fact(pl.Int64(), "Orders", "count"),
    "region": Fact(pl.String(), "Region"),
    "net_amount": Fact(pl.Decimal(18, 4), "Revenue", "money"),
    "last_order_on": Fact(pl.Date(), "Last order"),
    "vip": Fact(pl.Boolean(), "VIP"),
    "last_nps": Fact(pl.Float64(), "Last nps", "score"),
}
WORDS = Words(Formatter("en_US", "USD"), FACTS, {"loyal": "Loyal customers"})
JANUARY = date(2026, 1, 31)
TEXTS = st.text(max_size=30).filter(lambda text: "\x00" not in text)


def segment(groups, join="all"):
    return Segment(name="a", label="A", where=rule_text(groups, join), facts=own_facts(groups))


@given(
    value=TEXTS.filter(str.strip),
    rows=st.lists(
        st.sampled_from(["Bonn", "O'Brien", "x' OR '1'='1", "{loyal}", '"', "--", "/*"]), min_size=1
    ),
)
@settings(deadline=None)
def test_no_text_leaves_its_place(value, rows):
    """Oracle: a plain comparison in Python."""
    values = [value, *rows]
    where = rule_text([Group("all", (Condition("region", "in", tuple(values)),))])
    rule = compile_rule(where, {"region": pl.String()}, {})
    frame = pl.DataFrame({"region": [*values, "elsewhere", None, f"{value}x"]})
    found = frame.select(rule.expr.fill_null(value=False)).to_series().to_list()
    assert found == [text in values for text in frame["region"]]
    assert rule.columns == {"region"}
    assert rule.references == frozenset()


@given(
    category=TEXTS.filter(str.strip), days=st.one_of(st.none(), st.integers(1, 999)), least=st.integers(0, 9)
)
@settings(deadline=None)
def test_what_was_done_reads_back(category, days, least):
    groups = [Group("all", (Did("bought", least, days, category),))]
    assert groups_of(segment(groups), ()) == (groups, "all")


GROUPS = [
    ([Group("all", (Condition("orders", ">=", (3,)), Condition("vip", "yes")))], "all"),
    ([Group("any", (Condition("region", "in", ("East",)), Condition("region", "unknown")))], "all"),
    ([Group("none", (Inside("loyal"), Condition("vip", "no")))], "all"),
    (
        [
            Group("all", (Condition("orders", ">", (1,)), Did("complained", 0, 90))),
            Group(
                "any", (Inside("loyal", negated=True), Condition("last_order_on", "<", (date(2026, 1, 31),)))
            ),
        ],
        "all",
    ),
    (
        [
            Group("all", (Condition("orders", "=", (1,)), Condition("region", "not in", ("East", "West")))),
            Group("all", (Condition("orders", ">", (5,)), Condition("last_nps", "known"))),
        ],
        "any",
    ),
]


@pytest.mark.parametrize(("groups", "join"), GROUPS)
def test_groups_read_back_from_the_rule_they_made(groups, join):
    assert groups_of(segment(groups, join), ("loyal",)) == (groups, join)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("orders >= 3 AND region = 'East'", "Orders at least 3 and Region is East"),
        ("NOT {loyal}", "Not in Loyal customers"),
        ("last_order_on < DATE '2026-01-31'", "Last order before Jan 31, 2026"),
        ("net_amount BETWEEN 100 AND 2500", "Revenue from $100.00 to $2,500"),
        ("vip OR region IN ('East', 'West')", "VIP or Region is one of East, West"),
        (
            "orders > 1 AND (vip OR region IS NULL)",
            "Orders more than 1 and either VIP or Region is not known",
        ),
        ("NOT (vip AND orders > 1)", "Not (VIP and Orders more than 1)"),
        ("last_nps <= 6", "Last nps at most 6"),
        ("orders * 2 > 10", "`orders * 2` more than 10"),
    ],
)
def test_a_rule_reads_as_a_sentence(rule, said):
    assert WORDS.sentence(Segment(name="a", label="A", where=rule)) == said


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Did("ordered", 0, 90), "No orders in the last 90 days"),
        (Did("complained", 1), "At least one of the contacts where kind is complaint ever"),
        (Did("contacted", 3, 30), "Contacts in the last 30 days at least 3"),
    ],
)
def test_what_was_done_reads_as_a_sentence(done, said):
    assert WORDS.sentence(segment([Group("all", (done,))])) == said


@pytest.mark.parametrize(
    "rule", ["orders + 1 > 2", "orders > net_amount", "NOT (vip AND orders > 1)", "orders >"]
)
def test_what_the_builder_has_no_form_for_is_left_to_the_text(rule):
    assert groups_of(Segment(name="a", label="A", where=rule), ()) is None


def test_incomplete_conditions_say_nothing():
    rows = (Condition("orders", ">="), Did("bought"), Condition("region", "in"))
    assert rule_text([Group("all", rows), Group("none", ())]) == ""


def test_every_event_compiles_and_counts_rows_of_a_known_table():
    for name in EVENTS:
        (fact,) = own_facts([Group("all", (Did(name, 1, 30, "Tea" if EVENTS[name].by_category else None),))])
        assert fact.days == 30


def test_numbers_are_written_out():
    assert [literal(n) for n in (1, 2.5, 1e-5, Decimal("10.00"), 1e16)] == [
        *("1", "2.5", "0.00001", "10", "10000000000000000")
    ]
