"""What a person does in a browser: open, filter, share, ask for the customers, take files along."""

import csv
import io
import json
import re
from urllib.request import urlopen

import polars as pl
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
FONTS = "[...document.fonts].filter(font => font.status == 'loaded').map(font => font.family)"


def rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_first_page_paints(visit):
    seen = visit()
    expect(seen.page.locator("h1")).to_have_text("Overview")
    assert len(seen.figures()) == 15
    assert "\N{EN DASH}" not in seen.figures().values()
    expect(seen.page.locator(".js-plotly-plot")).to_have_count(4)
    expect(seen.page).to_have_title("Overview \N{MIDDLE DOT} Rapport")
    assert "Inter" in seen.page.evaluate(FONTS)


def test_a_filter_changes_the_tiles_and_the_address_and_the_way_back_undoes_it(visit):
    seen = visit()
    before = seen.figures()
    seen.choose("Region", "East")
    assert seen.parameters["region"] == ["East"]
    after = seen.figures()
    assert after["active_customers"] != before["active_customers"]
    assert after["net_revenue"] != before["net_revenue"]
    expect(seen.scope).to_contain_text("East")
    seen.page.go_back()
    seen.settle()
    expect(seen.scope).not_to_contain_text("East")
    assert seen.figures() == before


def test_a_copied_link_shows_the_same_figures(visit):
    seen = visit()
    seen.choose("Region", "East")
    seen.choose("Channel", "app")
    seen.page.get_by_role("radio", name="Quarter").click()
    seen.settle()
    expect(seen.scope).to_contain_text("Q3 2026")
    other = visit(seen.page.url, fresh=True)
    assert other.figures() == seen.figures()
    assert other.scope.inner_text() == seen.scope.inner_text()


def test_filters_stay_across_pages(visit):
    seen = visit()
    seen.choose("Region", "East")
    shown = seen.figures()
    seen.page.get_by_role("link", name="Data").click()
    expect(seen.page.locator("h1")).to_have_text("Data")
    seen.page.get_by_role("link", name="Overview").click()
    expect(seen.page.locator("h1")).to_have_text("Overview")
    seen.settle()
    assert seen.figures() == shown
    assert seen.parameters["region"] == ["East"]


def test_a_tile_opens_its_customers_and_the_count_agrees(visit):
    seen = visit()
    count = seen.figures()["active_customers"]
    drawer = seen.open("active_customers")
    expect(drawer.get_by_role("paragraph").filter(has_text=f"{count} customers")).to_be_visible()
    expect(drawer.get_by_role("definition").filter(has_text=f"{count} customers")).to_be_visible()
    table = drawer.get_by_label("Customers behind Active customers")
    expect(table.locator("tbody tr")).to_have_count(25)
    taken = rows(seen.downloaded(drawer.get_by_role("button", name="CSV")))
    assert len(taken) - 1 == int(count.replace(",", ""))
    shown = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert shown[0] == taken[1][0]


def test_the_list_is_searched_and_paged(visit):
    seen = visit()
    drawer = seen.open("new_customers")
    table = drawer.get_by_label("Customers behind New customers")
    first = table.locator("tbody td").first.inner_text()
    drawer.get_by_role("button", name="Page 2", exact=True).click()
    expect(table.locator("tbody td").first).not_to_have_text(first)
    box = drawer.get_by_placeholder("Search by id, name or attribute")
    box.fill(first)
    box.press("Enter")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table.locator("tbody td").first).to_have_text(first)


def test_a_workbook_holds_the_same_list(visit):
    seen = visit()
    drawer = seen.open("repeat_purchase_rate")
    counted = drawer.get_by_role("paragraph").filter(has_text=re.compile(r"^[\d,]+ customers$")).inner_text()
    book = pl.read_excel(io.BytesIO(seen.downloaded(drawer.get_by_role("button", name="XLSX"))))
    assert len(book) == int(counted.split()[0].replace(",", ""))
    assert book["denominator"].sum() == len(book)


def test_a_tile_opens_by_keyboard_and_follows_the_split(visit):
    seen = visit()
    seen.page.locator(".st-key-open-net_revenue button").focus()
    seen.page.keyboard.press("Enter")
    drawer = seen.page.get_by_role("dialog")
    drawer.get_by_role("radio", name="Channel").click()
    effects = drawer.get_by_label("Effects on Net revenue")
    expect(effects.locator("th").first).to_have_text("Channel")
    expect(effects.locator("tr.total")).to_contain_text("Change")
    seen.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_the_quarantine_download_equals_the_page(visit):
    seen = visit("data")
    table = seen.page.get_by_label(re.compile("^Quarantined rows of"))
    heads = table.locator("th").count()
    shown = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    taken = rows(seen.downloaded(seen.page.get_by_role("button", name="CSV")))
    assert len(taken[0]) == heads
    assert len(taken) - 1 == len(shown)
    written = [[cell.strip().removeprefix("'").replace("`", "") for cell in row] for row in taken[1:]]
    assert written == [[cell.strip() for cell in row] for row in shown]


def test_a_link_with_unknown_values_says_so(visit):
    seen = visit("overview?region=Atlantis&period=Jan+1901")
    expect(seen.page.locator("h1")).to_have_text("Overview")
    expect(seen.page.locator(".notice")).to_contain_text("region=Atlantis")
    assert len(seen.figures()) == 15


def test_the_answer_carries_the_security_headers(site):
    with urlopen(site) as answer:
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    with urlopen(f"{site}/api/ready") as answer:
        assert json.load(answer)["ready"] is True
