"""A segment from the builder to its export: one journey, and the same count everywhere."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def left_as_it_was(shop):
    """The shop, without what is saved into it meanwhile."""
    yield
    (shop / "segments.yaml").unlink(missing_ok=True)


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def test_a_segment_is_built_saved_filtered_by_listed_and_exported(visit, left_as_it_was):
    seen = visit("segments?segments.section=Build")
    page = seen.page
    page.get_by_label("What").first.click()
    page.keyboard.type("value · Orders", delay=5)
    page.get_by_role("option", name="Orders and value · Orders", exact=True).click()
    seen.settle()
    page.get_by_label("Value", exact=True).first.fill("3")
    page.keyboard.press("Enter")
    seen.settle()
    counted = page.locator(".st-key-tile-build-0 .figure")
    expect(counted).not_to_have_text("0")
    count = number(counted.inner_text())
    page.get_by_label("Label").fill("Three orders")
    page.get_by_label("Name", exact=True).fill("three_orders")
    page.keyboard.press("Enter")
    seen.settle()
    page.get_by_role("button", name="Save segment").click()
    expect(page.get_by_text("Saved in segments.yaml.")).to_be_visible()
    seen.settle()

    page.get_by_role("radio", name="Segments").click()
    page.get_by_role("button", name="Three orders", exact=True).click()
    seen.settle()
    expect(page.locator(".st-key-tile-segment-0 .figure")).to_have_text(f"{count:,}")
    expect(page.get_by_role("paragraph").filter(has_text=f"{count:,} customers").first).to_be_visible()
    taken = list(
        csv.reader(io.StringIO(seen.downloaded(page.get_by_role("button", name="CSV")).decode("utf-8-sig")))
    )
    assert len(taken) - 1 == count
    assert taken[1][taken[0].index("reason")].startswith("Orders at least 3 (")

    page.get_by_role("link", name="Overview").click()
    expect(page.locator("h1")).to_have_text("Overview")
    box = page.get_by_label("Segment", exact=True).first
    box.evaluate("each => each.scrollIntoView({block: 'center'})")
    box.click()
    page.keyboard.type("Three", delay=5)
    page.get_by_role("option", name="Three orders", exact=True).click()
    page.keyboard.press("Escape")
    seen.settle()
    expect(seen.scope).to_contain_text("Three orders")
    assert seen.parameters["segment"] == ["Three orders"]
    drawer = seen.open("repeat_purchase_rate")
    drawer.get_by_role("radio", name="Segment").click()
    effects = drawer.get_by_label("Effects on Repeat rate")
    expect(effects.locator("th").first).to_have_text("Segment")
    seen.settle()
    rows = list(
        csv.reader(io.StringIO(seen.downloaded(drawer.get_by_role("button", name="CSV")).decode("utf-8-sig")))
    )
    assert {row[0] for row in rows[1:]} <= {row[0] for row in taken[1:]}
    assert len(rows) > 1
