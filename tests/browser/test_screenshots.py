"""Pictures of the pages for a person to look at, in light and dark, on a desk and on a phone."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "screenshots"
LOOKS = [(size, scheme) for size in ("desktop", "phone") for scheme in ("light", "dark")]


WIDER = "(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))"
TALL = "document.querySelector('[data-testid=stMain]').scrollHeight"
CUT = """
[...document.querySelectorAll('.tile .label span:first-child, .tile .figure, .tile .chip')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)
"""


def taken(seen, name, *, whole=True):
    """Save a picture of the page under a name, at its full height."""
    FOLDER.mkdir(exist_ok=True)
    size = seen.page.viewport_size
    if whole:
        seen.page.set_viewport_size({**size, "height": max(seen.page.evaluate(TALL), size["height"])})
        seen.settle()
    seen.page.wait_for_timeout(400)
    seen.page.screenshot(path=FOLDER / f"{name}.png")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_overview_and_its_drawer_fit_the_screen(visit, size, scheme):
    seen = visit(size=size, scheme=scheme)
    width = seen.page.viewport_size["width"]
    assert seen.page.evaluate(WIDER) <= 0
    assert seen.page.evaluate(CUT) == []
    tiles = seen.page.locator('[class*="st-key-tile-"]').all()[:4]
    assert len({round(tile.bounding_box()["y"]) for tile in tiles}) == (1 if size == "desktop" else 2)
    taken(seen, f"overview-{size}-{scheme}")
    box = seen.open("retention_rate").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width + 1
    taken(seen, f"drawer-{size}-{scheme}", whole=False)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_data_page_fits_the_screen(visit, size, scheme):
    seen = visit("data", size=size, scheme=scheme)
    assert seen.page.evaluate(WIDER) <= 0
    taken(seen, f"data-{size}-{scheme}")
