"""The page *Segments*: the list, the builder and what it saves."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from dashboard import segment_data, segment_questions
from dashboard.segment_files import FILE


@pytest.fixture
def own(shop, tmp_path) -> Path:
    """A copy of the shop that may be written to."""
    folder = tmp_path / "own"
    shutil.copytree(shop, folder)
    return folder


def build(open_page, project, start=None):
    page = open_page("segments", project=project, **{"segments.section": "Build"})
    if start is not None:
        page.selectbox(key="segments.build.from").select(start).run()
    assert not page.exception
    return page


def row(page, number):
    """The key of a row of the builder, in the order of the page."""
    keys = [box.key for box in page.selectbox if box.key.endswith(".what")]
    return keys[number].removesuffix(".what")


def tables(page) -> dict[str, list[tuple[str, ...]]]:
    """The rows of every table and chart of a page by title, as its snapshot would keep them."""
    blocks = page.session_state["snapshot.shown"].sheet.blocks()
    return {block.title: list(block.rows) for block in blocks if hasattr(block, "rows")}


def listed(page) -> int:
    """How many customers the list of the page counts."""
    (count,) = (note.split()[0] for note in words_of(page) if re.fullmatch(r"[\d,]+ customers?", note))
    return int(count.replace(",", ""))


def words_of(page) -> list[str]:
    return [re.sub("<[^>]+>", "", html.value).strip() for html in page.html]


def first_list(page) -> pl.DataFrame:
    """All rows of the list of customers of a page."""
    blocks = page.session_state["snapshot.shown"].sheet.blocks()
    return next(
        b.frame for b in blocks if getattr(b, "frame", None) is not None and "reason" in b.frame.columns
    )


def test_the_list_shows_every_segment_with_its_size(open_page):
    page = open_page("segments")
    desk = page.session_state["desk"]
    people = len(desk.whole.frame("customer_summary"))
    shown = {row[0]: row for row in tables(page)["Segments"]}
    assert len(shown) == len(desk.segments.book.rules)
    for name, label in desk.segments.book.labels.items():
        count = int(desk.segments.book.members(name).sum())
        assert shown[label][1] == f"{count:,}"
        assert float(shown[label][2].split()[0].rstrip("%")) == pytest.approx(100 * count / people, abs=0.06)


def test_a_segment_opens_with_its_rule_in_words_and_its_customers(open_page, texts):
    page = open_page("segments", **{"segments.one": "Loyal customers"})
    count = int(page.session_state["desk"].segments.book.members("loyal").sum())
    shown = texts(page)
    assert "Orders at least 3 and Days since order at most 180" in shown
    assert f"{count} customers" in shown


def test_tile_list_and_export_of_a_segment_agree(open_page):
    page = open_page("overview", segment=["Loyal customers"])
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    tile = desk.tiles(["active_customers"], scope)[0]
    rows = desk.customers(tile, scope)
    assert len(rows) == tile.figure.value == desk.exported(["active_customers"], scope)["value"].to_list()[-1]
    members = desk.segments.book.members("loyal")
    loyal = desk.whole.frame("customer_summary").filter(members)["customer_id"]
    assert set(rows["customer_id"]) <= set(loyal)


def test_conditions_count_at_once_and_are_saved(open_page, own, texts):
    page = build(open_page, own)
    key = row(page, 0)
    page.selectbox(key=f"{key}.what").select("fact:orders").run()
    page.number_input(key=f"{key}.orders.number").set_value(3).run()
    desk = page.session_state["desk"]
    people = desk.whole.frame("customer_summary")
    count = f"{len(people.filter(pl.col('orders') >= 3)):,}"
    assert "Orders at least 3." in texts(page)
    assert count in texts(page)
    page.text_input(key="segments.build.label").set_value("Three orders; DROP TABLE").run()
    page.text_input(key="segments.build.name").set_value("three_orders").run()
    page.text_input(key="segments.build.owner").set_value("CRM: 'team' #1").run()
    page.button(key="segments.build.save").click().run()
    assert not page.exception
    saved = yaml.safe_load((own / FILE).read_text())["segments"]
    assert saved == [
        {
            "name": "three_orders",
            "label": "Three orders; DROP TABLE",
            "owner": "CRM: 'team' #1",
            "where": "orders >= 3",
        }
    ]
    page = open_page("overview", project=own, segment=["Three orders; DROP TABLE"])
    assert "Three orders; DROP TABLE" in " ".join(texts(page))
    assert page.session_state["filters.scope"].attributes == (("{segment}", ("three_orders",)),)


def test_an_edit_says_who_joins_and_leaves_and_can_be_taken_back(open_page, own, texts):
    page = build(open_page, own, "loyal")
    page.number_input(key=f"{row(page, 0)}.orders.number").set_value(2).run()
    assert sizes_of(page)["loyal"].customers > 0
    desk = page.session_state["desk"]
    before = desk.segments.book.members("loyal")
    people = desk.whole.frame("customer_summary")
    recent = (pl.lit(desk.as_of) - pl.col("last_order_on")).dt.total_days() <= 180
    after = people.select(((pl.col("orders") >= 2) & recent).fill_null(value=False)).to_series()
    joined = (after & ~before).sum()
    said = f"Against the saved rule {joined:,} customers join and 0 leave; {before.sum():,} stay."
    assert said in " ".join(texts(page))
    page.button(key="segments.build.save").click().run()
    assert page.session_state["desk"].segments.book.members("loyal").sum() == after.sum()
    assert sizes_of(page)["loyal"].customers == after.sum()
    page.button(key="segments.build.remove").click().run()
    assert not page.exception
    assert page.session_state["desk"].segments.book.members("loyal").sum() == before.sum()
    assert sizes_of(page)["loyal"].customers == before.sum()


@pytest.mark.parametrize("name", ["gone_quiet", "loyal", "slipping_best"])
def test_a_rule_that_is_only_opened_changes_nothing(open_page, shop, texts, name):
    page = build(open_page, shop, name)
    shown = texts(page)
    assert f"{int(page.session_state['desk'].segments.book.members(name).sum()):,}" in shown
    assert "Against the saved rule" not in " ".join(shown)


def sizes_of(page):
    """The sizes that the list of segments shows, by name."""
    return segment_data.sizes(page.session_state["desk"], page.session_state["filters.scope"])


def test_a_broken_file_of_segments_is_told_and_the_others_serve(open_page, own, texts):
    (own / FILE).write_text(
        "segments:\n  - {name: good, label: Good, where: orders > 1}\n"
        "  - {name: bad, label: Bad, where: ordres > 1}\n"
    )
    page = open_page("segments", project=own)
    shown = " ".join(texts(page))
    assert "unknown fact" in shown
    assert "segments.yaml:3:36" in shown
    assert "Did you mean" in shown
    assert "Good" in [row[0] for row in tables(page)["Segments"]]
    page = build(open_page, own, "loyal")
    page.button(key="segments.build.save").click().run()
    assert "Not saved" not in " ".join(texts(page))


def test_clusters_open_as_many_customers_as_they_count(open_page):
    page = open_page("segments", **{"segments.section": "Clusters"})
    assert not page.exception
    for row in tables(page)["Behaviour clusters"]:
        page.selectbox(key="segments.clusters.one").select(int(row[0].split()[-1])).run()
        rows = first_list(page)
        assert len(rows) == listed(page) == int(row[2].replace(",", ""))
        assert rows["reason"].unique().to_list() == [row[1]]


@pytest.mark.parametrize("section", ["Compare", "Overlap", "Migration", "RFM"])
def test_every_section_draws(open_page, texts, section):
    page = open_page("segments", **{"segments.section": section})
    assert not page.exception
    shown = texts(page)
    assert "Something went wrong here" not in shown
    cells = [cell for rows in tables(page).values() for row in rows for cell in row]
    wanted = {"Compare": "no clear difference", "Overlap": "yes", "RFM": "Champions"}
    assert wanted.get(section, "Not yet customers") in cells


def test_a_cell_of_the_migration_is_its_list_with_the_reason(open_page):
    page = open_page("segments", **{"segments.section": "Migration"})
    page.selectbox(key="segments.moves.to.rfm_segment").select("champions").run()
    desk = page.session_state["desk"]
    champions = int((desk.segments.book.members("rfm_champions")).sum())
    assert listed(page) == champions
    head = [column[0] for column in tables(page)["Migration"]]
    assert head[-1] == "All"
    page.selectbox(key="segments.moves.origin.rfm_segment").select("loyal").run()
    rows = first_list(page)
    assert len(rows) == listed(page) > 0
    year_before = desk.as_of - timedelta(days=365)
    orders = desk.whole.frame("orders").filter(pl.col("orders") > 0, pl.col("ordered_on") > year_before)
    people = desk.whole.frame("customer_summary")
    for who, reason in rows.select("customer_id", "reason").head(10).iter_rows():
        number = people.row(by_predicate=pl.col("customer_id") == who, named=True)["customer"]
        n = len(orders.filter(pl.col("customer") == number))
        between = {0: "no order in between", 1: "one order in between"}.get(n, f"{n} orders in between")
        assert reason == f"From Loyal to Champions; {between}"


@pytest.mark.parametrize(
    ("cell", "table", "row", "column"),
    [
        ("Champions", "RFM segments", "Champions", 1),
        ("Recency 5, value 4", "Customers by score", "5", 4),
        ("Recency 3", "Bins of recency", "Recency 3", 3),
        ("Frequency 1", "Bins of frequency", "Frequency 1", 3),
    ],
)
def test_cells_rows_and_bins_of_rfm_open_as_many_as_they_count(open_page, cell, table, row, column):
    page = open_page("segments", **{"segments.section": "RFM", "segments.rfm.cell": cell})
    assert not page.exception
    counted = next(cells[column] for cells in tables(page)[table] if cells[0] == row)
    assert listed(page) == int(counted.replace(",", "")) > 0
    assert set(page.selectbox(key="segments.rfm.cell").options) >= {"Lost", "Recency 1, value 1", "Money 5"}


def test_a_bar_of_the_overlap_opens_its_customers_and_becomes_a_segment(open_page, texts):
    page = open_page(
        "segments", **{"segments.section": "Overlap", "segments.overlap": ["Loyal customers", "Promoters"]}
    )
    bars = next(iter(tables(page).values()))
    counted = {row[:2]: int(row[2].replace(",", "")) for row in bars}
    page.selectbox(key="segments.overlap.cell").select("loyal").run()
    rows = first_list(page)
    assert len(rows) == listed(page) == counted["yes", ""] > 0
    reason = rows["reason"][0]
    assert reason.startswith("In Loyal customers (Orders at least 3 (")
    assert reason.endswith("; not in Promoters")
    page.button(key="segments.overlap.cell.keep").click().run()
    assert not page.exception
    assert page.text_input(key="segments.build.label").value == "Loyal customers alone"
    assert f"{counted['yes', '']:,}" in texts(page)


def test_a_point_of_size_over_time_opens_those_who_belonged_then(open_page):
    page = open_page("segments", **{"segments.section": "Compare", "segments.compare.time": "true"})
    assert not page.exception
    lines = tables(page)["Customers at the end of each period"]
    period, counted = lines[-4]
    page.selectbox(key="segments.compare.point").select(f"Loyal customers at the end of {period}").run()
    rows = first_list(page)
    assert len(rows) == listed(page) == int(counted.replace(",", "")) > 0
    assert set(rows["reason"].str.slice(0, 20)) == {"In Loyal customers ("}


def test_a_figure_of_the_comparison_opens_the_customers_that_add_up_to_it(open_page):
    where = {"segments.section": "Compare", "segments.compare.metric": "Net revenue"}
    page = open_page("segments", **where)
    assert not page.exception
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    day = segment_questions.began(desk, segment_questions.window(desk, scope, "year"))
    rows = first_list(page)
    figure = segment_questions.figures(desk, scope, ["loyal"], ["net_revenue"], "year", day)["amount"][0]
    assert rows["value"].sum() == figure
    assert all("Days since order at most 180" in reason for reason in rows["reason"])


def test_every_metric_can_be_compared(open_page):
    page = open_page("segments", **{"segments.section": "Compare"})
    offered = page.multiselect(key="segments.compare.metrics").options
    desk = page.session_state["desk"]
    assert len(offered) == len(desk.catalog.plans)
    page.multiselect(key="segments.compare.metrics").set_value(["rfm", "loyal_customer_share", "nps"]).run()
    assert not page.exception
    assert len(tables(page)["Comparison of segments"]) == 3
