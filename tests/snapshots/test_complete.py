"""Whatever a page shows in tiles and tables is in its snapshot: tile = table = export."""

from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import PAGES
from dashboard.sheet import Picture, Table, Tiles
from dashboard.snapshots.compose import SHOWN
from dashboard.snapshots.drawing import SCRIPT
from dashboard.snapshots.reports import report

ASIDE = {
    "build",
    "what_if",
    "customers",
    "targets",
    "comments",
    "one",
    "calls",
}
"""Sections that ask instead of telling, and lists of customers: they are in no report."""
PAGES_ASIDE = {"snapshots", "definitions", "connect", "customers"}


class Shown(HTMLParser):
    """The texts of figures and table cells of a piece of HTML."""

    def __init__(self):
        super().__init__()
        self.found, self.open, self.spoken = [], None, False

    def handle_starttag(self, tag, attrs):
        kinds = dict(attrs).get("class") or ""
        self.spoken = tag == "span" and "spoken" in kinds  # a sign of colour in words, for those who hear
        if tag in ("td", "th") or (tag == "div" and kinds == "figure"):
            self.open = []

    def handle_endtag(self, tag):
        self.spoken = False
        if self.open is not None and tag in ("td", "th", "div"):
            self.found.append(" ".join("".join(self.open).split()))
            self.open = None

    def handle_data(self, data):
        if self.open is not None and not self.spoken:
            self.open.append(data)


def cells(page):
    """Every text that is a figure or stands in a table of the page."""
    parser = Shown()
    for element in page.html:
        parser.feed(element.value)
    return {text for text in parser.found if any(letter.isdigit() for letter in text)}


def kept(blocks):
    """Every text of the figures and tables of a sheet."""
    texts = set()
    for block in blocks:
        if isinstance(block, Tiles):
            texts |= {number.shown for number in block.numbers}
        if isinstance(block, Table | Picture):
            texts |= {
                text
                for row in (block.heads, *block.rows, getattr(block, "total", None) or ())
                for text in row
            }
    return {" ".join(text.replace("`", "").split()) for text in texts}


def sections():
    """Every section of every page that the shipped report has, as its address."""
    wanted = report(Path("nowhere"), "full")
    return [(page.page, page.address) for page in wanted.pages]


@pytest.mark.parametrize(("path", "address"), sections(), ids=lambda value: str(value))
def test_every_figure_of_a_page_is_kept(shop, monkeypatch, path, address):
    monkeypatch.setenv("RAPPORT_PROJECT", str(shop))
    page = AppTest.from_string(SCRIPT.format(path=path), default_timeout=120)
    for name, values in address.items():
        page.query_params[name] = list(values)
    page.run()
    assert not page.exception
    missing = cells(page) - kept(page.session_state[SHOWN].sheet.blocks())
    assert sorted(missing) == []


def test_the_shipped_report_has_every_section_that_reports():
    named = {(page, *values) for page, address in sections() for values in address.values()}
    for page in PAGES:
        if page.path in PAGES_ASIDE:
            continue
        found = getattr(import_module(page.view), "SECTIONS", {})
        for name, (label, _render) in found.items():
            if name not in ASIDE:
                assert (page.path, str(label)) in named, f"{page.path}: {label}"
        assert any(path == page.path for path, _address in sections())
