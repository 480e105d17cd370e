"""An analyst changes what a figure means, on real data: CDNOW, 23,570 customers who began in early 1997.

Oracle: of these, 11,662 have two or more purchases, 11,516 purchases on two or more days (awk over the file).
"""

import re
import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.realdata]

expect.set_options(timeout=20_000)
PROJECT = Path(__file__).parents[1] / "projects" / "cdnow"
SHIPPED = "../../../../shared/data"
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
TALL = "document.querySelector('[data-testid=stMain]').scrollHeight"
WIDER = "(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))"


@pytest.fixture(scope="module")
def cdnow(real_data, rapport, tmp_path_factory) -> Path:
    """The loaded CDNOW project."""
    folder = tmp_path_factory.mktemp("cdnow")
    for file in ("rapport.yaml", "sources.yaml"):
        text = (PROJECT / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace(SHIPPED, real_data.as_posix()), encoding="utf-8")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def site(cdnow, serve) -> str:
    return serve(cdnow)


@pytest.fixture
def own(cdnow):
    """The project's own definitions of customers; taken away after the test."""
    yield cdnow / "metrics" / "customers.yaml"
    shutil.rmtree(cdnow / "metrics", ignore_errors=True)


def write(seen, line, text):
    """Put `text` in place of the line of the editor that holds `line`."""
    found = seen.page.locator(".cm-line", has_text=line).first
    indent = re.match(r"\s*", found.text_content())[0]
    found.click()
    seen.page.keyboard.press("Alt+l")  # the whole line, also where it goes on below on a phone
    seen.page.keyboard.insert_text(f"{indent}{text}\n")


def whole(seen):
    """The figure over all history at the head of the page."""
    return seen.page.locator(".st-key-card-figure-repeat_customers .new")


def test_the_glossary_is_searched_and_opens_a_metric(visit):
    seen = visit("definitions")
    rows = seen.page.locator("#glossary tbody tr:not(.family)")
    everything = rows.count()
    assert everything >= 34
    seen.page.get_by_role("searchbox").fill("repeat cust")
    expect(rows.filter(has_text="repeat_customers")).to_contain_text("11,662")
    expect(rows.filter(has_text="acquisition_spend")).to_have_count(0)
    assert 0 < rows.count() < everything / 4
    seen.page.get_by_role("searchbox").fill("repeat cust nonesuch")
    expect(rows).to_have_count(0)
    seen.page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(everything)
    seen.page.get_by_role("button", name="Repeat customers").click()
    expect(seen.page.locator("h1")).to_have_text("Repeat customers")
    expect(whole(seen)).to_have_text("11,662")
    assert seen.parameters["metric"] == ["repeat_customers"]
    seen.page.get_by_role("button", name="All definitions").click()
    expect(seen.page.get_by_role("heading", name="Definitions", exact=True)).to_be_visible()
    expect(seen.page.locator("h1")).to_have_count(1)


def test_two_orders_become_two_days_and_back(visit, own):
    overview = visit("overview")
    before = overview.figures()["repeat_purchase_rate"]
    seen = visit("definitions?metric=repeat_customers&part=Edit")
    preview = seen.page.locator(".st-key-card-preview-repeat_customers")
    expect(preview).to_contain_text("11,662")

    write(seen, "where: orders >= 2", "where: order_days >= 2")
    expect(preview.locator(".old")).to_contain_text("11,662")
    expect(preview.locator(".new")).to_have_text("11,516")
    effect = seen.page.get_by_role("region", name="What this edit does")
    expect(effect).to_contain_text("Repeat rate, which reads it")
    expect(effect).to_contain_text(re.compile(r"49\.48\s*%\s*48\.86\s*%"))
    assert not own.exists()

    seen.page.get_by_role("button", name="Save").click()
    expect(preview.locator(".new")).to_have_text("11,516")
    expect(preview.locator(".old")).to_have_count(0)
    assert "where: order_days >= 2" in own.read_text()
    expect(overview.page.locator(".st-key-tile-repeat_purchase_rate .figure")).not_to_have_text(before)

    write(seen, "where: order_days", "where: order_dayz >= 2")
    found = seen.page.locator(".found li")
    expect(found).to_contain_text("metrics/customers.yaml:8:12")
    expect(found).to_contain_text("unknown column order_dayz. Did you mean order_days?", use_inner_text=True)
    expect(seen.page.locator(".cm-lintRange-error")).to_have_count(1)
    expect(seen.page.locator(".cm-lineNumbers .cm-gutterElement", has_text="8").last).to_be_visible()
    seen.page.get_by_role("button", name="Save with 1 error").click()
    for page in (seen.page, overview.page):
        expect(page.get_by_role("alert").first).to_contain_text("1 problem in the definitions")
        expect(page.get_by_role("alert").first).to_contain_text("metrics/customers.yaml:8:12")
    expect(preview).to_contain_text("Served until it is mended")
    expect(preview.locator(".new")).to_have_text("11,516")

    seen.page.get_by_text("History", exact=True).click()
    seen.settle()  # the last version of a list that is still being drawn would be another
    seen.page.get_by_role("button", name="Restore").last.click()
    seen.page.get_by_text("Definition", exact=True).click()
    expect(whole(seen)).to_have_text("11,662")
    assert not own.exists()
    expect(overview.page.locator(".st-key-tile-repeat_purchase_rate .figure")).to_have_text(before)


def test_a_saved_file_shows_within_a_second_and_a_resting_one_costs_no_run(visit, cdnow, own):
    seen = visit("definitions?metric=repeat_customers")
    runs = []
    seen.page.evaluate(
        "window.runs = 0; new MutationObserver(all => all.forEach(m => "
        "{ if (m.target.getAttribute('data-test-script-state') === 'running') window.runs += 1 }))"
        ".observe(document.querySelector('[data-testid=stApp]'), "
        "{attributes: true, attributeFilter: ['data-test-script-state']})"
    )
    seen.page.wait_for_timeout(2500)
    assert seen.page.evaluate("window.runs") == 0
    text = (
        "metrics:\n  - {name: repeat_customers, kind: simple, label: Repeat customers, description: Days., "
        "table: customer_periods, expression: count(customer), where: order_days >= 2, unit: count}\n"
    )
    own.parent.mkdir(exist_ok=True)
    for condition, figure in (("order_days >= 2", "11,516"), ("orders >= 2", "11,662")):
        own.write_text(text.replace("order_days >= 2", condition))
        saved = time.perf_counter()
        expect(whole(seen)).to_have_text(figure)
        runs.append(time.perf_counter() - saved)
    assert min(runs) < 1, runs


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_definitions_fit_the_screen(visit, own, size):
    SCREENSHOTS.mkdir(exist_ok=True)
    for part in ("all", "Definition", "Edit", "broken", "History"):
        if part == "all":
            seen = visit("definitions", size=size)
        elif part != "broken":
            seen = visit(f"definitions?metric=repeat_customers&part={part}", size=size)
        if part == "Edit":
            write(seen, "where: orders >= 2", "where: order_days >= 2")
            expect(seen.page.locator(".st-key-card-preview-repeat_customers .new")).to_have_text("11,516")
        if part == "broken":
            seen.page.get_by_role("button", name="Save").click()
            write(seen, "where: order_days", "where: order_dayz >= 2")
            seen.page.get_by_role("button", name="Save with 1 error").click()
            expect(seen.page.get_by_role("alert").first).to_contain_text("1 problem")
        seen.settle()
        assert seen.page.evaluate(WIDER) <= 0
        shape = seen.page.viewport_size
        seen.page.set_viewport_size({**shape, "height": max(seen.page.evaluate(TALL), shape["height"])})
        seen.settle()
        for scheme in ("light", "dark"):
            seen.page.emulate_media(color_scheme=scheme)
            seen.page.wait_for_timeout(400)
            seen.page.screenshot(path=SCREENSHOTS / f"definitions-{part.lower()}-{size}-{scheme}.png")
        seen.page.emulate_media(color_scheme="light")
        seen.page.set_viewport_size(shape)
