"""What tests share: services that may be absent, and the real data beside the repository.

A test that needs a database, a browser or the real data asks for the fixture of that name. Where it is
absent the test skips and says what to install; with `REQUIRE_SERVICES=1` the same absence is a failure.
"""

import ast
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy
from typer.testing import CliRunner

from connectors.demo.project import write
from connectors.demo.truths import control, truths
from dashboard.cli import app

REPOSITORY = Path(__file__).parents[1]
POSTGRES = ("postgresql://postgres@127.0.0.1:5432/postgres", "postgresql:///postgres")
MARIADB = ("mysql+pymysql://root@127.0.0.1:3306/mysql",)
_PASSED_OVER: dict[str, list[str]] = {}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REAL_DATA = (
    "airlinesat/airlinesat.csv",
    "cdnow/CDNOW_master.txt",
    "chinook/Chinook_Sqlite.sqlite",
    "northwind/northwind_original_830.sqlite",
    "olist/olist_customers_dataset.csv",
    "olist/olist_order_items_dataset.csv",
    "olist/olist_order_reviews_dataset.csv",
    "olist/olist_orders_dataset.csv",
    "olist/olist_products_dataset.csv",
    "olist/product_category_name_translation.csv",
    "online_retail/online_retail_2010_2011.parquet",
)


if find_spec("hypothesis"):
    from hypothesis import settings

    # A property is slow where the machine is busy, and no less true.
    settings.register_profile("rapport", deadline=None)
    settings.load_profile("rapport")


def _absent_tools(path: Path) -> list[str]:
    """The modules that a test file imports and that are not installed."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return sorted({name for name in (module.split(".")[0] for module in named) if find_spec(name) is None})


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Passes over a file that needs the test extra where that is not installed; the summary says so."""
    if collection_path.suffix != ".py" or REPOSITORY / "tests" not in collection_path.parents:
        return None
    absent = _absent_tools(collection_path)
    if not absent or os.environ.get("REQUIRE_SERVICES") == "1":
        return None
    _PASSED_OVER[collection_path.relative_to(REPOSITORY).as_posix()] = absent
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the files that were passed over, and what they need."""
    for name, absent in _PASSED_OVER.items():
        terminalreporter.write_line(f"SKIPPED {name}: needs {', '.join(absent)} (pip install -e '.[test]')")


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (REQUIRE_SERVICES=1: this may not skip)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def unavailable() -> Callable[[str], NoReturn]:
    """Skips with a reason, or fails when every service is required."""
    return _unavailable


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds README.md and the packages."""
    return REPOSITORY


@pytest.fixture(scope="session")
def chromium() -> Path:
    """An installed Chromium or Chrome."""
    named = os.environ.get("RAPPORT_TEST_BROWSER")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    return Path(found or _unavailable("no Chromium: install the package `chromium`"))


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Any]:
    """Chromium; as root it has no sandbox to offer."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(chromium), args=arguments)
        yield opened
        opened.close()


def _driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _answering(server: str, variable: str, usual: tuple[str, ...]) -> str:
    """The first account that the server lets in: the one that the environment names, else the usual ones."""
    for url in (os.environ[variable],) if variable in os.environ else usual:
        engine = sqlalchemy.create_engine(_driver(url), connect_args={"connect_timeout": 3})
        try:
            engine.connect().close()
        except sqlalchemy.exc.OperationalError:
            continue
        else:
            return url
        finally:
            engine.dispose()
    _unavailable(f"no {server} answers: start one, or set {variable} to the URL of an account there")


def _scratch(admin: str) -> Iterator[str]:
    """A new empty database on the server behind `admin`, dropped after the tests."""
    name = f"rapport_test_{uuid.uuid4().hex[:12]}"
    engine = sqlalchemy.create_engine(_driver(admin), isolation_level="AUTOCOMMIT")
    force = " WITH (FORCE)" if admin.startswith("postgresql") else ""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield sqlalchemy.make_url(admin).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """`postgresql://...` of a new empty database; `RAPPORT_TEST_POSTGRES` names another account."""
    yield from _scratch(_answering("PostgreSQL", "RAPPORT_TEST_POSTGRES", POSTGRES))


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """`mysql+pymysql://...` of a new empty database; `RAPPORT_TEST_MARIADB` names another account."""
    yield from _scratch(_answering("MariaDB", "RAPPORT_TEST_MARIADB", MARIADB))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: `RAPPORT_DATA`, or `../shared/data` beside the repository."""
    folder = Path(os.environ.get("RAPPORT_DATA", REPOSITORY.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real data absent: {folder} does not exist; set RAPPORT_DATA to its folder")
    missing = [name for name in REAL_DATA if not (folder / name).is_file()]
    if missing:
        _unavailable(f"real data incomplete: {folder} lacks {', '.join(missing)}")
    return folder


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def rapport() -> Callable[..., Done]:
    """Runs a command of the product: `rapport("query", "orders", "--json")`."""

    def run(*arguments: object) -> Done:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demonstration as it is shipped, not loaded."""
    folder = tmp_path_factory.mktemp("demo")
    write(folder)
    return folder


@pytest.fixture(scope="session")
def control_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same retailer with nothing planted."""
    folder = tmp_path_factory.mktemp("control")
    write(folder, truth=control(truths()))
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the demo and the log of the tests out of the folders of the person who runs them."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        patch.setenv(variable, str(home))
    for variable in ("RAPPORT_PROJECT", "RAPPORT_STORE"):
        patch.delenv(variable, raising=False)
    yield
    patch.undo()
