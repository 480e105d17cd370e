"""What customers are worth, in a real browser: clicks on charts lead to the customers behind them."""

from playwright.sync_api import expect


def press(seen, mark) -> None:
    """Click in the middle of a mark of a chart, over which Plotly lays a sheet that takes the clicks."""
    mark.wait_for()
    mark.scroll_into_view_if_needed()
    seen.settle()
    box = mark.bounding_box()
    seen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.settle()


def test_clicks_on_charts_lead_to_customers(visit):
    seen = visit("equity?equity.line=Closing: ordered in the year")
    lost = seen.page.locator(".st-key-card-equity-lines tr", has_text="Lost customers").locator("td").nth(1)
    count = lost.inner_text().removeprefix("-")
    press(seen, seen.page.locator(".st-key-card-equity-statement .waterfalllayer .point").nth(2))
    expect(seen.page.get_by_text(f"{count} customers", exact=True)).to_be_visible()

    seen = visit("lifetime")
    press(seen, seen.page.locator(".st-key-card-lifetime-distribution .barlayer .point").nth(2))
    expect(seen.page.get_by_text("Customers by predicted value").first).to_be_visible()
    assert seen.parameters["lifetime.section"] == ["Customers"]
    seen.page.locator("td.customer a").first.click()
    expect(seen.page.locator(".head h1")).to_have_text("Customers")
