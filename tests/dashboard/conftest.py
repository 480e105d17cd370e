"""A small demo project with its data loaded, and the pages as Streamlit's own test runner draws them."""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

SCRIPT = """
import sys
from dashboard import data, pages, shell, text
text.use(data.locale(), text.FOLDER)
shell.open_page(next(page for page in pages.PAGES if page.path == {path!r}))
"""

Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def shop(tmp_path_factory, rapport) -> Path:
    """The folder of a loaded demo project: 900 customers, 28 months."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    assert rapport("demo", folder, "--customers", 900, "--months", 28).code == 0
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def open_page(shop, monkeypatch) -> Open:
    """Draws a page of the shop, or of another project, with parameters in its URL."""

    def draw(path: str = "overview", project: Path = shop, **parameters: str | list[str]) -> AppTest:
        monkeypatch.setenv("RAPPORT_PROJECT", str(project))
        test = AppTest.from_string(SCRIPT.format(path=path), default_timeout=60)
        for name, value in parameters.items():
            test.query_params[name] = value
        return test.run()

    return draw


@pytest.fixture(autouse=True, scope="module")
def _forgotten() -> Iterator[None]:
    """What was kept for the pages of one file of tests is not kept for the next: it would only grow."""
    yield
    st.cache_resource.clear()


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(data.strip())


def words(html: str) -> list[str]:
    """The texts that a piece of HTML shows."""
    parser = _Words()
    parser.feed(html)
    return parser.found


@pytest.fixture(scope="session")
def texts() -> Callable[[AppTest], list[str]]:
    """The texts of all HTML of a page, in order."""
    return lambda page: [word for element in page.html for word in words(element.value)]
