"""A loaded demo project, `rapport run` serving it, and a real Chromium to look at it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Locator, Page

READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
RESTING = '() => !document.querySelector(\'[data-stale="true"], [data-testid="stSkeleton"]\')'
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="session")
def shop(tmp_path_factory, rapport) -> Path:
    """The folder of a loaded demo project: 2,500 customers, 36 months."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    assert rapport("demo", folder, "--customers", 2500, "--months", 36).code == 0
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(folder: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """`rapport run` on a folder, ready to be visited."""
    command = Path(sys.executable).with_name("rapport")
    arguments = [str(command), "run", "--project", str(folder), "--port", str(port), "--no-browser"]
    with log.open("wb") as out:
        server = subprocess.Popen(arguments, stdout=out, stderr=out, env=os.environ.copy())
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            urlopen(f"http://127.0.0.1:{port}/api/ready", timeout=2).close()
        except HTTPError as error:
            if "nothing has been loaded" in error.read().decode():
                return server  # a project that is still to be connected
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
        else:
            return server
    server.kill()
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def serve(chromium, tmp_path_factory) -> Iterator[Callable[[Path], str]]:
    """Serves a loaded project until the tests are over; gives its address."""
    servers: list[subprocess.Popen[bytes]] = []

    def served(folder: Path) -> str:
        port = free_port()
        servers.append(started(folder, port, tmp_path_factory.mktemp("log") / "server.log"))
        return f"http://127.0.0.1:{port}"

    yield served
    for server in servers:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session")
def site(shop, serve) -> str:
    """The address of the served project."""
    return serve(shop)


class Visit:
    """One browser on one page, and what a person does there."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def settle(self) -> None:
        """Wait until the script has run and nothing is drawn any more."""
        self.page.wait_for_timeout(150)
        self.page.locator(READY).wait_for()
        self.page.wait_for_function(RESTING)

    def figures(self) -> dict[str, str]:
        """The figure of every tile by the name of its metric."""
        return {
            tile.get_attribute("class").split("st-key-tile-")[1].split()[0]: tile.locator(
                ".figure"
            ).inner_text()
            for tile in self.page.locator('[class*="st-key-tile-"]').all()
        }

    def choose(self, label: str, value: str) -> None:
        """Pick a value in a filter of the sidebar."""
        control = self.page.get_by_label(label).first
        # A list that opens at the edge of the screen would be closed by the scrolling that shows it.
        control.evaluate("each => each.scrollIntoView({block: 'center'})")
        control.click()
        self.page.get_by_role("option", name=value, exact=True).click()
        self.page.keyboard.press("Escape")
        self.settle()

    def open(self, metric: str) -> Locator:
        """The drawer behind the tile of a metric."""
        self.page.locator(f".st-key-open-{metric} button").click()
        drawer = self.page.get_by_role("dialog")
        drawer.locator("dl.facts").wait_for()
        self.settle()
        return drawer

    @property
    def parameters(self) -> dict[str, list[str]]:
        """What stands in the address."""
        return parse_qs(urlsplit(self.page.url).query)

    @property
    def scope(self) -> Locator:
        """The caption that states the scope."""
        return self.page.locator(".head p")

    def downloaded(self, button: Locator) -> bytes:
        """The file behind a button."""
        with self.page.expect_download() as download:
            button.click()
        return Path(download.value.path()).read_bytes()


@pytest.fixture(scope="session")
def contexts(browser) -> Iterator[Callable[[str, str], BrowserContext]]:
    """A browser profile for each kind of screen, its files kept from page to page."""
    opened: dict[tuple[str, str], BrowserContext] = {}

    def profile(size: str, scheme: str) -> BrowserContext:
        if (size, scheme) not in opened:
            opened[size, scheme] = browser.new_context(
                viewport=dict(zip(("width", "height"), SIZES[size], strict=True)),
                color_scheme=scheme,
                is_mobile=size == "phone",
                has_touch=size == "phone",
                reduced_motion="reduce",
            )
        return opened[size, scheme]

    yield profile
    for context in opened.values():
        context.close()


@pytest.fixture
def visit(browser, contexts, site) -> Iterator[Callable[..., Visit]]:
    """Opens a page of the site; `fresh` in a browser of its own. Faults of a page fail the test."""
    pages, faults = [], []

    def open_page(
        address: str = "", *, size: str = "desktop", scheme: str = "light", fresh: bool = False
    ) -> Visit:
        page = (browser.new_context() if fresh else contexts(size, scheme)).new_page()
        pages.append(page)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda request: faults.append(request.url) if _elsewhere(request.url, site) else None
        )
        seen = Visit(page)
        page.goto(address if address.startswith("http") else f"{site}/{address}")
        page.locator(".head h1").wait_for()
        seen.settle()
        return seen

    yield open_page
    for page in pages:
        page.close()
    assert faults == []


def _elsewhere(url: str, site: str) -> bool:
    """Whether a request leaves the server."""
    return not url.startswith((site, "data:", "blob:", "about:"))
