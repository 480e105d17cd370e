"""From a file on the disk to figures: connect, map, try, load, arrive at the first page."""

import time

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LINES = "order_no,customer_no,order_date,product,category,quantity,amount\n" + "".join(
    f"{1000 + at // 2},{at % 7:04},2026-{at % 9 + 1:02}-{at % 27 + 1:02},Ink,Pens,{at % 3 + 1},{at}.50\n"
    for at in range(200)
)
BROKEN = "2000,0001,2026-02-31,Ink,Pens,1,9.00\n2001,0001,2026-02-01,Ink,Pens,one,9.00\n"


@pytest.fixture(scope="session")
def folder(rapport, tmp_path_factory):
    """A project without a source."""
    folder = tmp_path_factory.mktemp("projects") / "blank"
    assert rapport("init", folder, "--blank", "--currency", "EUR").code == 0
    return folder


@pytest.fixture(scope="session")
def site(folder, serve):
    """The address of that project."""
    return serve(folder)


def test_from_a_file_to_figures_in_two_minutes(folder, visit, tmp_path):
    export = tmp_path / "shop orders.csv"
    export.write_text(LINES + BROKEN)
    began = time.monotonic()
    seen = visit("connect")
    seen.page.locator('input[type="file"]').set_input_files(export)
    expect(seen.page.get_by_role("region", name="First rows").first).to_contain_text("customer_no")
    seen.settle()
    seen.page.get_by_role("button", name="Try it").click()
    expect(seen.page.locator(".fate-key")).to_contain_text("202 rows read", timeout=30_000)
    expect(seen.page.locator(".fate-key")).to_contain_text("200 accepted")
    reasons = seen.page.get_by_role("region", name="Reasons")
    expect(reasons).to_contain_text("order_date is an impossible date")
    seen.page.get_by_role("button", name="Save and load").click()
    expect(seen.page.locator("h1")).to_have_text("Overview", timeout=60_000)
    seen.settle()
    assert seen.figures()["net_revenue"] != "\N{EN DASH}"
    assert time.monotonic() - began < 120
    written = (folder / "sources.yaml").read_text()
    assert "location: data/shop orders.csv" in written
    assert "customer_id: customer_no" in written
