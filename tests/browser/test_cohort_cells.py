"""The cohort grid in a browser: a click on a cell lists its customers, with why each is counted or not."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_click_on_a_cell_lists_its_customers(visit):
    """The list counts what the cell says, a link to it shows the same, and each row has its reason."""
    seen = visit("retention")
    cell = seen.page.locator("table.cells button[data-cell]").nth(1)
    share, said = float(cell.inner_text()), cell.get_attribute("title")
    counted, of = (int(text.replace(",", "")) for text in re.search(r"([\d,]+) of ([\d,]+)", said).groups())
    assert share == pytest.approx(100 * counted / of, abs=0.06)
    cell.click()
    seen.settle()
    expect(seen.page.get_by_text(f"{counted:,} of {of:,} came back")).to_be_visible()
    reasons = seen.page.locator("table.plain", has_text="Why").locator("tbody tr")
    expect(reasons.first).to_contain_text("orders")
    other = visit(seen.page.url, fresh=True)
    expect(other.page.get_by_text(f"{counted:,} of {of:,} came back")).to_be_visible()


def test_a_click_on_a_difference_lists_the_customers_of_either_segment(visit):
    """First those of A, then those of B: all of a region each."""
    seen = visit("retention?retention.by=Region")
    seen.page.locator("table.cells button[data-cell]").nth(1).click()
    seen.settle()
    listed = seen.page.locator("table.plain", has_text="Why").locator("tbody tr").first
    sides = seen.page.get_by_role("radiogroup", name="Customers of").get_by_role("radio")
    for side in (sides.first, sides.last):
        side.click()
        seen.settle()
        expect(listed).to_contain_text(side.inner_text())
