"""The cross-buying page: its sections, controls and lists, and what it says without categories."""

import re
import shutil

import polars as pl
import pytest

from dashboard import crossbuying_data as asked
from dashboard.format import MISSING
from dashboard.parts.downloads import csv, xlsx
from dashboard.views.crossbuying_targets import told

SECTIONS = ("breadth", "together", "direction", "losses", "targets")


@pytest.fixture
def opened(open_page):
    def draw(section="breadth", **parameters):
        page = open_page("cross-buying", **parameters)
        return page.get_by_key("crossbuying.section").set_value(section).run()

    return draw


def visit(page):
    return page.session_state["desk"], page.session_state["filters.scope"]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_full_on_the_demo(opened, texts, section):
    page = opened(section)
    assert not page.exception
    assert "Something went wrong here" not in texts(page)
    assert any("<table" in html.value for html in page.html)


def test_planted_affinities_lead_the_pairs(opened):
    """Oracle: what the demo plants; every other pair goes together less than by chance."""
    page = opened("together")
    table = next(html.value for html in page.html if 'aria-label="Pairs with their measures"' in html.value)
    first = [row.split("</td>")[:2] for row in table.split("<tbody>")[1].split("<tr")[1:5]]
    pairs = {tuple(sorted(cell.rsplit(">", 1)[1] for cell in row)) for row in first}
    assert pairs == {
        ("Coffee and tea", "Tableware"),
        ("Fragrance", "Skincare"),
        ("Nursery", "Toys"),
        ("Camping", "Lighting"),
    }


@pytest.mark.parametrize(
    ("name", "value"), [("unit", "customer"), ("item", "product"), ("rank", "hyper_lift")]
)
def test_controls_of_pairs(opened, texts, name, value):
    page = opened("together")
    page = page.selectbox(key=f"crossbuying.{name}").set_value(value).run()
    assert not page.exception
    assert "Something went wrong here" not in texts(page)


def test_tile_figures_and_list_count_the_same_losing_customers(opened, texts):
    said = texts(opened("losses"))
    n = next(text for text in said if "with two categories or more" in text).split(" of ")[0]
    assert f"{n} customers" in said


def test_the_page_explains_once_why_counts_of_categories_mislead(opened, texts):
    assert [
        text.startswith("Whoever orders more often holds more categories") for text in texts(opened())
    ].count(True) == 1


def test_what_foretells_is_told_both_ways_with_a_caution(opened, texts):
    said = texts(opened("direction"))
    assert {"Loyalty, then breadth", "Breadth, then loyalty"} <= set(said)
    assert any("What foretells need not cause" in text for text in said)


def test_thin_pairs_are_masked(opened):
    """Products are rarer than categories: where fewer than five are expected there is no lift to read."""
    page = opened("together").selectbox(key="crossbuying.item").set_value("product").run()
    table = next(html.value for html in page.html if "expected together, too few" in html.value)
    thin = re.findall(r'<span class="few" title="([\d.]+) expected together, too few">([^<]*)<', table)
    assert len(thin) == table.count("too few") > 0
    assert all(float(expected) <= 5 and text == MISSING for expected, text in thin)
    known = re.findall(r"together, ([\d,]+) expected by chance", table)
    assert all(int(expected.replace(",", "")) >= 5 for expected in known)


def test_the_target_list_goes_to_files_with_a_reason_for_everybody(opened):
    desk, scope = visit(opened("targets"))
    rows = told(asked.targets(desk, scope, asked.following(desk, scope, 90)))
    written = pl.read_csv(csv(rows), encoding="utf8")
    sheet = pl.read_excel(xlsx(rows), engine="calamine")
    for file in (written, sheet):
        assert len(file) == len(rows) > 50
        assert file["reason"].null_count() == 0
        assert file["reason"].str.contains("last order").all()
        assert file["customer_id"].cast(pl.String).to_list() == rows["customer_id"].to_list()
        assert file["value"].to_list() == pytest.approx(rows["value"].to_list(), rel=1e-6)


def test_losing_customers_get_no_offer(opened):
    page = opened("losses")
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    losing = set(asked.losing_list(desk, scope)["customer_id"])
    assert losing
    offered = asked.targets(desk, scope, asked.following(desk, scope, 90))
    assert len(offered)
    assert not losing & set(offered["customer_id"])


def test_without_categories_the_page_says_what_to_map(open_page, texts, shop, tmp_path, rapport):
    folder = tmp_path / "plain"
    shutil.copytree(shop, folder, ignore=shutil.ignore_patterns("store"))
    sources = folder / "sources.yaml"
    text = sources.read_text()
    assert "category:" in text
    sources.write_text("\n".join(line for line in text.splitlines() if "category:" not in line))
    assert rapport("refresh", "--project", folder).code == 0
    page = open_page("cross-buying", project=folder)
    assert not page.exception
    said = " ".join(texts(page))
    assert "No categories yet" in said
    assert "sources.yaml" in said


def test_planted_losing_cross_buyers_are_found_with_their_trait(opened, shop):
    """Oracle: the demo's labels, which no page reads. Tiny orders make a single contact cost much, too."""
    desk, scope = visit(opened("losses"))
    found = asked.losing(desk, scope).filter("loses")
    ids = desk.whole.frame("customer_summary")["customer_id"]
    labels = pl.concat(pl.read_parquet(file) for file in sorted((shop / "truth").glob("customers-*.parquet")))
    planted = labels.filter(pl.col("group").is_in(["service", "returns", "discount", "limit"]))
    named = found.select(ids.gather(found["customer"]).alias("customer_no"), "trait", "contribution")
    both = named.join(planted.select("customer_no", "group"), on="customer_no")
    assert len(both) > 20
    assert (both["trait"] == both["group"]).mean() > 0.75
    lost = named["contribution"].sum()
    sent_back = labels.filter(pl.col("group") == "heavy_returner").select("customer_no")
    theirs = pl.concat([planted.select("customer_no"), sent_back])
    assert named.join(theirs, on="customer_no", how="semi")["contribution"].sum() / lost > 0.8
