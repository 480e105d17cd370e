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
@pytest.mark.parametrize("path", ["overview", "data"])
def test_a_page_fits_its_screen(visit, path, size, scheme):
    seen = visit("" if path == "overview" else path, size=size, scheme=scheme)
    assert seen.page.evaluate(WIDER) <= 0
    taken(seen, f"{path}-{size}-{scheme}")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_drawer_fits_its_screen(visit, size, scheme):
    seen = visit(size=size, scheme=scheme)
    drawer = seen.open("retention_rate")
    box = drawer.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= seen.page.viewport_size["width"] + 1
    taken(seen, f"drawer-{size}-{scheme}", whole=False)


@pytest.mark.parametrize(("size", "rows"), [("desktop", 1), ("phone", 2)])
def test_tiles_stand_side_by_side(visit, size, rows):
    tiles = visit(size=size).page.locator('[class*="st-key-tile-"]').all()[:4]
    assert len({round(tile.bounding_box()["y"]) for tile in tiles}) == rows


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_tile_cuts_its_text(visit, size):
    assert visit(size=size).page.evaluate(CUT) == []
