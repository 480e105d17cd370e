"""The report opens from disk with the network cut; its charts can be clicked."""

import time

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_and_a_chart_answers(browser, report, scheme):
    context = browser.new_context(color_scheme=scheme, offline=True, viewport={"width": 1200, "height": 1400})
    page = context.new_page()
    faults, asked = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    began = time.monotonic()
    page.goto((report.folder / "report.html").as_uri())
    chart = page.locator(".chart").first
    chart.locator("svg.main-svg").first.wait_for()
    assert time.monotonic() - began < 10
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    picked = page.locator(".picked").first
    page.wait_for_function("() => document.querySelector('.picked').textContent.length > 2")
    assert "$" in picked.inner_text()
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (ink == "rgb(17, 24, 39)") == (scheme == "light")
    assert faults == []
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_it_fits_a_phone(browser, report):
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 844}, is_mobile=True)
    page = context.new_page()
    page.goto((report.folder / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
