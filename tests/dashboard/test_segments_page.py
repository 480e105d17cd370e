"""The page *Segments*: the list, the builder and what it saves."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from dashboard import segment_data
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


def test_the_list_shows_every_segment_with_its_size(open_page, texts):
    page = open_page("segments")
    desk = page.session_state["desk"]
    shown = texts(page)
    for name, rule in desk.segments.book.rules.items():
        assert rule.segment.label in shown
        assert f"{int(desk.segments.book.members(name).sum()):,}" in shown


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
    assert "Good" in texts(page)
    page = build(open_page, own, "loyal")
    page.button(key="segments.build.save").click().run()
    assert "Not saved" not in " ".join(texts(page))


@pytest.mark.parametrize("section", ["Compare", "Overlap", "Migration", "RFM"])
def test_every_section_draws(open_page, texts, section):
    page = open_page("segments", **{"segments.section": section})
    assert not page.exception
    shown = texts(page)
    assert "Something went wrong here" not in shown
    wanted = {"Compare": "no clear difference", "Overlap": "customers in exactly", "RFM": "Champions"}
    assert wanted.get(section, "Not yet customers") in " ".join(shown)


def test_a_cell_of_the_migration_is_its_list(open_page, texts):
    page = open_page("segments", **{"segments.section": "Migration"})
    page.selectbox(key="segments.moves.to.rfm_segment").select("champions").run()
    desk = page.session_state["desk"]
    champions = int((desk.segments.book.members("rfm_champions")).sum())
    assert f"{champions} customers" in texts(page)


def test_size_over_time_ends_with_the_segment_as_it_was(open_page, texts):
    page = open_page("segments", **{"segments.section": "Compare", "segments.compare.time": "true"})
    assert not page.exception
    assert "Customers at the end of each period" in texts(page)
