"""Whatever stands in names, categories and answers, the dashboard shows it and runs none of it."""

from urllib.parse import quote

import polars as pl
import pytest

pytestmark = pytest.mark.browser

CATEGORY = "<img src=x onerror=alert(1)>"
REGION = '"><script>alert(2)</script>'
PRODUCT = "javascript:alert(3)"
NAME = "<svg/onload=alert(4)> \N{RIGHT-TO-LEFT OVERRIDE}eman"
COMMENT = "</script><script>alert(5)</script> =1+1"
HOSTILE = {
    "orders-*.csv": {"category": CATEGORY},
    "products.csv": {"category": CATEGORY, "product": PRODUCT},
    "customers.csv": {"region": REGION, "name": NAME},
    "survey.csv": {"comment": COMMENT},
}
ONE_OF = {"category": "Tableware", "region": "North"}
"""The value that is replaced where others stay."""
PAGES = (
    ("overview", ""),
    ("cross-buying", CATEGORY),
    (f"satisfaction?satisfaction.section={quote('Comments')}", COMMENT),
    ("lifetime", REGION),
    ("customers?customers.id=C0000002", NAME),
    ("data", ""),
)


def replaced(column, text):
    """A column with a hostile text in place of one value, or of every known one."""
    known = pl.col(column).is_not_null() & (pl.col(column) != "NA")
    wanted = pl.col(column) == ONE_OF[column] if column in ONE_OF else known
    return pl.when(wanted).then(pl.lit(text)).otherwise(column).alias(column)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, rapport, serve) -> str:
    """A served shop with hostile texts; names of customers are shown."""
    folder = tmp_path_factory.mktemp("hostile") / "shop"
    assert rapport("demo", folder, "--customers", 400, "--months", 26).code == 0
    for name, columns in HOSTILE.items():
        for path in (folder / "data").glob(name):
            rows = pl.read_csv(path, infer_schema=False)
            rows.with_columns(replaced(column, text) for column, text in columns.items()).write_csv(path)
    text = (folder / "rapport.yaml").read_text("utf-8")
    (folder / "rapport.yaml").write_text(f"{text}\naccess: {{personal_fields: shown}}\n", "utf-8")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return serve(folder)


@pytest.mark.parametrize(("address", "shown"), PAGES)
def test_a_page_shows_hostile_texts_and_runs_none(browser, hostile, address, shown):
    context = browser.new_context(viewport={"width": 1440, "height": 2400})
    page = context.new_page()
    ran, faults, asked = [], [], []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{hostile}/{address}")
    main = page.locator("[data-testid=stMain]")
    main.locator("h1").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(700)
    if shown:
        main.get_by_text(shown[:12]).first.wait_for(state="attached", timeout=10_000)
    assert ran == []
    assert faults == []
    assert [url for url in asked if not url.startswith((hostile, "data:", "blob:", "ws:"))] == []
    assert main.locator("img[onerror], svg[onload], a[href^='javascript'], script").count() == 0
    context.close()
