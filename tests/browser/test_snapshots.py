"""A page is kept by its button, opened again from its own figures, and handed out as files."""

import io
import zipfile

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_page_is_kept_opened_and_handed_out(visit, shop):
    seen = visit()
    figures = seen.figures()
    seen.page.get_by_role("button", name="Snapshot").click()
    dialog = seen.page.get_by_role("dialog")
    dialog.get_by_label("Title").fill("Board, October")
    dialog.get_by_label("Made by").fill("Mina")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog.get_by_role("status")).to_contain_text("Kept as")
    archive = seen.downloaded(dialog.get_by_role("button", name="Download all files"))
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        names = {name.split("/", 1)[1] for name in held.namelist()}
    assert {"report.html", "report.pdf", "report.xlsx", "figures.csv", "manifest.json"} <= names

    seen = visit("snapshots")
    seen.page.get_by_role("button", name="Open", exact=True).first.click()
    seen.settle()
    kept = seen.page.locator(".tiles .figure").all_inner_texts()
    assert kept[: len(figures)] == list(figures.values())
    expect(seen.page.locator("dl.facts")).to_contain_text("every file is as it was made")

    victim = next((shop / "snapshots").glob("*board*")) / "figures.csv"
    whole = victim.read_bytes()
    victim.write_bytes(whole + b"x")
    seen.page.reload()
    expect(seen.page.get_by_role("alert")).to_contain_text("figures.csv was changed")
    victim.write_bytes(whole)
