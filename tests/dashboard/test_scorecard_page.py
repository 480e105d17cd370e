"""The scorecard page: its sections, both kinds of segments, what-if, broken plans, SQL."""

import json
import re
import shutil
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard import scorecard_data as asked
from dashboard.scorecard_data import Split
from dashboard.scorecard_files import as_yaml, scorecard_plan, shipped_plan
from metrics.scorecard_changes import changed

SECTIONS = ("priorities", "segment", "balance", "flow", "what_if")


@pytest.fixture
def opened(open_page):
    def draw(section="priorities", **parameters):
        page = open_page("scorecard", **parameters)
        return page.get_by_key("scorecard.section").set_value(section).run()

    return draw


def visit(page):
    return page.session_state["desk"], page.session_state["filters.scope"]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_draws(opened, texts, section):
    page = opened(section)
    assert not page.exception
    assert "Something went wrong here" not in texts(page)


@pytest.mark.parametrize("by", ["region", "{segment}"])
def test_other_segments(opened, texts, by):
    page = opened()
    page = page.selectbox(key="scorecard.by").set_value(by).run()
    assert not page.exception
    said = texts(page)
    assert "Something went wrong here" not in said
    assert ("With every gap closed" in said) == (by == "region")


def test_drivers_are_what_sql_counts(opened, shop):
    """Oracle: DuckDB over the stored tables."""
    desk, scope = visit(opened())
    found = asked.facts(desk, scope, Split("channel"), shipped_plan())
    version = Store(shop / "store").current()
    lines, people, contacts = (
        version.scan(name).collect().to_arrow() for name in ("order_lines", "customers", "interactions")
    )
    assert lines.num_rows
    assert people.num_rows
    assert contacts.num_rows
    expected = duckdb.sql(
        """
        WITH ours AS (SELECT l.*, channel_of.channel AS segment FROM lines l
                      JOIN (SELECT customer_id, channel FROM people) channel_of USING (customer_id)),
        bought AS (SELECT DISTINCT segment, customer_id, ordered_on >= '2025-11-01' AS recent FROM ours
                   WHERE NOT is_return AND ordered_on BETWEEN '2024-11-01' AND '2026-10-31'),
        kept AS (SELECT segment, count(*) FILTER (b AND n) / count(*) FILTER (b) AS retention FROM
                 (SELECT segment, customer_id, bool_or(recent) AS n, bool_or(NOT recent) AS b
                  FROM bought GROUP BY ALL) GROUP BY 1),
        active AS (SELECT segment, customer_id FROM bought WHERE recent),
        sums AS (SELECT segment, sum(net_amount) AS net, sum(net_amount - cost) AS margin,
                        count(DISTINCT (customer_id, category)) FILTER (NOT is_return) AS held,
                        count(DISTINCT customer_id) AS n
                 FROM ours SEMI JOIN active USING (customer_id)
                 WHERE ordered_on BETWEEN '2025-11-01' AND '2026-10-31' GROUP BY 1)
        SELECT segment, retention, held / n AS categories, net / held AS revenue_per_category,
               margin / net AS margin_rate
        FROM sums JOIN kept USING (segment) ORDER BY 1
        """
    ).pl()
    ours = found.segments.pivot(on="driver", index="segment", values="value").sort("segment")
    for name in ("retention", "categories", "revenue_per_category", "margin_rate"):
        assert ours[name].to_list() == pytest.approx(expected[name].cast(pl.Float64).to_list()), name


def test_shares_add_up_and_closed_gaps_are_free(opened):
    desk, scope = visit(opened())
    plan = shipped_plan()
    table = asked.table(plan, asked.facts(desk, scope, Split("channel"), plan))
    closed = table.filter(~pl.col("open"), pl.col("expected").is_not_null())
    assert closed.select(pl.col("alone", "share", "cost", "expected").abs().sum()).row(0) == (0, 0, 0, 0)
    ranked = table.filter("open").drop_nulls("expected")
    assert ranked["expected"].is_sorted(descending=True)
    assert ranked["rank"].to_list() == list(range(1, len(ranked) + 1))


def test_the_page_says_whose_idea_and_whose_layout_it_is(opened, texts):
    assert "after Hansotia, layout ours" in texts(opened())[1]


def test_the_table_has_every_column_with_bars_in_cells(opened):
    page = opened()
    table = next(html.value for html in page.html if 'class="plain scorecard"' in html.value)
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", table)
    assert heads == [
        "Rank",
        "Segment and driver",
        "Today",
        "Target",
        "Expected net",
        "Equity, alone",
        "95 % interval",
        "Shapley share",
        "Cost",
        "Chance",
        "ROI",
        "Confidence",
        "Customers",
        "Gap",
        "Basis",
    ]
    assert table.count("inbar") == 2 * table.count("<tr class")


def test_the_reason_of_a_rank_can_be_checked_by_hand(opened):
    """Gap x share that can be closed x chance - cost, all four in the words, gives the figure at the end."""
    page = opened("segment")
    words = next(html.value for html in page.html if 'class="why"' in html.value)
    gap, closed, chance, likely, cost, net = re.search(
        r"worth \+\$([\d,.]+) of customer equity\. (\d+).% of it can be closed, with a chance of (\d+).%: "
        r"\$([\d,.]+)\. The programme costs \$([\d,.]+), which leaves \$([\d,.]+)\.",
        words,
    ).groups()
    gap, likely, cost, net = (float(each.replace(",", "")) for each in (gap, likely, cost, net))
    assert likely == pytest.approx(gap * float(closed) / 100 * float(chance) / 100, rel=0.01)
    assert net == pytest.approx(likely - cost, abs=1)
    assert "it pays in" in words


def test_soft_drivers_show_their_effect_on_a_hard_one_or_none(opened, texts):
    page = opened("balance")
    said = texts(page)
    assert {"hard", "soft"} <= set(said)
    desk, scope = visit(page)
    link = asked.facts(desk, scope, Split("channel"), shipped_plan()).link
    satisfaction = [text for text in said if text.startswith(("n/a: ", "retention: a point more"))]
    assert len(satisfaction) == 1
    assert satisfaction[0].startswith("n/a: ") == (link is None)
    assert "100 %" in [text.replace("\N{NO-BREAK SPACE}", " ").replace("\u202f", " ") for text in said]


def test_the_flow_adds_up_to_the_cent(opened):
    """Oracle: addition."""
    desk, scope = visit(opened("flow"))
    rows = asked.flow(desk, scope, Split("channel"))
    totals: dict[str, Decimal] = {}
    for part in rows.partition_by("segment"):
        amounts = dict(part.select("item", "amount").iter_rows())
        steps = sum(amount for item, amount in amounts.items() if item not in ("before", "after"))
        assert amounts["before"] + steps == amounts["after"]
        if part["segment"][0] is not None:
            for item, amount in amounts.items():
                totals[item] = totals.get(item, Decimal(0)) + amount
    whole = dict(rows.filter(pl.col("segment").is_null()).select("item", "amount").iter_rows())
    for item in ("new", "reactivated", "expansion", "contraction", "lost"):
        assert totals[item] == whole[item]


def linked(*changes):
    """A what-if as a link carries it."""
    return {"scorecard.if": [json.dumps(each) for each in changes]}


def best(said):
    """The expected value of the best move."""
    return next(text for text in said if re.fullmatch(r"\+\$[\d,.]+", text))


def test_what_if_changes_every_section_and_can_be_left(opened, texts):
    before = texts(opened("priorities"))
    sure = [(name, key, 1.0) for name in shipped_plan().by_driver for key in ("probability", "achievable")]
    page = opened("priorities", **linked(*sure))
    for section in SECTIONS:
        page = page.get_by_key("scorecard.section").set_value(section).run()
        assert any(text.startswith("What if:") for text in texts(page)), section
        assert len(page.query_params["scorecard.if"]) == len(sure)
    page = page.get_by_key("scorecard.section").set_value("priorities").run()
    assert best(texts(page)) != best(before)
    page = page.button(key="scorecard.reset").click().run()
    assert not any(text.startswith("What if:") for text in texts(page))
    assert best(texts(page)) == best(before)
    assert "scorecard.if" not in page.query_params


def test_a_what_if_of_one_segment_changes_its_rows_alone(opened, texts):
    desk, scope = visit(opened())
    plan = shipped_plan()
    found = asked.facts(desk, scope, Split("channel"), plan)
    said = {("web", "retention", "target"): 0.9, ("web", "retention", "cost"): 777.0}
    rows = asked.table(changed(plan, said)[0], found).filter(pl.col("driver") == "retention")
    written = asked.table(plan, found).filter(pl.col("driver") == "retention")
    ours = rows.row(by_predicate=pl.col("segment") == "web", named=True)
    assert (ours["target"], ours["cost"], ours["basis"]) == (0.9, 777.0, "manual")
    others = [
        each.filter(pl.col("segment") != "web").sort("segment").drop("rank") for each in (rows, written)
    ]
    assert others[0].equals(others[1])
    page = opened("what_if", **linked(("web", "retention", "cost", 777.0)))
    assert "web, Retention" in texts(page)
    assert not page.exception


def test_what_is_measured_can_be_changed_and_is_measured_anew(opened, texts):
    page = opened("what_if")
    for name, value in (("discount_rate", 0.25), ("periods", 3), ("acquisition_periods", 0)):
        page = page.number_input(key=f"scorecard.edit.{name}.0").set_value(value).run()
    page = page.selectbox(key="scorecard.edit.peers.0").set_value("region").run()
    page = page.selectbox(key="scorecard.edit.referral.0").set_value("").run()
    page = page.selectbox(key="scorecard.edit.satisfaction.0").set_value("").run()
    assert not page.exception
    said = " ".join(texts(page))
    for words in ("Discount rate a year 0.1 0.25", "Quarters of own best 8 3", "Years of new customers 1 0"):
        assert words in said
    for words in ("Peers by \N{EN DASH} region", "Referred channel: referral \N{EN DASH}"):
        assert words in said
    assert len(page.query_params["scorecard.if"]) == 6


def test_a_what_if_that_cannot_be_is_told_and_left_as_written(opened, texts):
    page = opened("what_if", **linked(("retention", "red", 0.99), ("retention", "weight", 0.5)))
    said = " ".join(texts(page))
    assert "red begins at 0.99" in said
    page = opened("what_if", **linked(("retention", "weight", 0.5)))
    assert "The weights sum to 1.30" in " ".join(texts(page))
    page = opened("what_if", **linked("nonsense", ["a"], ["retention", "colour", 1]))
    assert not any(text.startswith("What if:") for text in texts(page))


def test_a_project_overrides_drivers_by_name(tmp_path):
    (tmp_path / "scorecard.yaml").write_text(
        "drivers:\n  - {driver: retention, label: Loyalty, tag: hard, basis: manual, target: 0.6, weight: "
        "0.2}\n"
    )
    found = scorecard_plan(tmp_path)
    assert not found.problems
    assert found.plan.by_driver["retention"].target == 0.6
    assert found.plan.by_driver["categories"] == shipped_plan().by_driver["categories"]
    other = {
        ("discount_rate",): 0.2,
        ("referral",): None,
        ("satisfaction",): None,
        ("retention", "cost"): 9.0,
        ("web", "margin_rate", "probability"): 0.1,
    }
    plan, faults = changed(found.plan, other)
    assert not faults
    (tmp_path / "scorecard.yaml").write_text(as_yaml(plan))
    assert scorecard_plan(tmp_path).plan == plan


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("drivers:\n  - {driver: retension, label: R, tag: hard}\n", ":2:14", "retention"),
        (
            "drivers:\n  - {driver: retention, label: R, tag: hard, basis: manual, weight: 0.2}\n",
            ":2:",
            "target",
        ),
        ("drivers:\n  - {driver: retention, label: R, tag: hard, weight: 0.9}\n", ":2:3", "sum to 1.7"),
        ("drivers:\n  - {driver: retention, label: R, tag: hard, red: 0.95, weight: 0.2}\n", ":2:", "red"),
        ("discount_rate: lots\n", ":1:16", "number"),
    ],
)
def test_faults_are_told_at_their_place_and_the_shipped_plan_stands_in(tmp_path, text, place, words):
    (tmp_path / "scorecard.yaml").write_text(text)
    found = scorecard_plan(tmp_path)
    said = " ".join(problem.render() for problem in found.problems)
    assert place in said
    assert words in said
    assert found.plan == shipped_plan()


def test_a_broken_plan_is_told_on_the_page(open_page, texts, shop, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(shop, folder)
    (folder / "scorecard.yaml").write_text("drivers: []\nperiods: 1\n")
    page = open_page("scorecard", project=folder)
    assert not page.exception
    said = " ".join(texts(page))
    assert "scorecard.yaml:2:10" in said
    assert "Do these first" in said


def test_a_short_history_says_what_to_load(open_page, texts, tmp_path, rapport):
    folder = tmp_path / "young"
    assert rapport("demo", folder, "--customers", 60, "--months", 14).code == 0
    assert rapport("refresh", "--project", folder).code == 0
    said = " ".join(texts(open_page("scorecard", project=folder)))
    assert "two full years" in said
