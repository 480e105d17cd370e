"""Names, categories and answers may hold anything; no form of a snapshot runs, loses or hides it."""

import io
import subprocess
from datetime import UTC, date, datetime

import openpyxl
import polars as pl
import pytest

from dashboard.parts.downloads import csv
from dashboard.sheet import Head, Note, Number, Picture, Table, Tiles
from dashboard.snapshots import html, pdf, workbook
from dashboard.snapshots.content import Content, Data, Manifest, PageSheet

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "javascript:alert(1)",
    '"><svg/onload=alert(1)>',
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    '#import "evil.typ": *',
    "$x$ *bold* _it_ @ref <label> `raw`",
    "]]>&amp;{{7*7}}",
    "\N{RIGHT-TO-LEFT OVERRIDE}cod.exe",
    "张伟 김민수 José Ångström",
)
LONG = "x" * 1_000_000


def manifest() -> Manifest:
    data = Data(
        version="v", content_hash="c", as_of=date(2026, 6, 30), refreshed_at=datetime(2026, 7, 1, tzinfo=UTC)
    )
    return Manifest(
        id="hostile",
        title=HOSTILE[0],
        created_at=datetime(2026, 7, 1, tzinfo=UTC),
        created_by=HOSTILE[4],
        product="1",
        project=HOSTILE[1],
        locale="en_US",
        currency="USD",
        timezone="UTC",
        role="masked",
        data=data,
        definitions_hash="d",
        configuration_hash="f",
        content_hash="h",
    )


def content(texts=HOSTILE) -> Content:
    frame = pl.DataFrame({"name": list(texts), "amount": [float(-at) for at in range(len(texts))]})
    figure = {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [1, 2],
                "y": [0, 1],
                "text": list(texts[:2]),
                "customdata": list(texts[:2]),
            }
        ],
        "layout": {
            "yaxis": {"tickvals": [0, 1], "ticktext": list(texts[:2])},
            "annotations": [{"x": 1, "y": 0, "text": texts[0], "showarrow": False}],
        },
    }
    blocks = (
        Head(title=texts[0], caption=texts[1]),
        Note(text=texts[2]),
        Tiles(
            numbers=tuple(
                Number(label=text, shown=text, change=text, against=text, under=text) for text in texts
            )
        ),
        Table(
            key="t",
            title=texts[3],
            heads=texts[:2],
            rows=tuple((text, text) for text in texts),
            has_frame=True,
            frame=frame,
        ),
        Picture(
            key="c",
            title=texts[4],
            note=texts[0],
            figure=figure,
            alt=texts[1],
            heads=("name",),
            rows=tuple((text,) for text in texts),
            has_frame=True,
            frame=frame,
        ),
    )
    return Content(pages=(PageSheet(path="overview", title=texts[0], blocks=blocks),))


@pytest.mark.browser
def test_nothing_runs_in_the_html(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(html.report(content(), manifest()))
    page = browser.new_page()
    ran, asked = [], []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator(".chart").scroll_into_view_if_needed()
    page.locator(".chart svg.main-svg").first.wait_for()
    page.wait_for_timeout(300)
    shown = page.locator("main").inner_text()
    assert ran == []
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator("main script, main img, main svg[onload], main a[href^='javascript']").count() == 0
    for text in HOSTILE[:5]:
        assert text in shown
    page.close()


def test_the_pdf_sets_every_text_as_text(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf.report(content(), manifest()))
    text = subprocess.run(
        ["pdftotext", "-raw", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    for piece in ("<script>alert(1)</script>", "=1+1", "#import", "*bold*", "张伟", "김민수", "Ångström"):
        assert piece in text
    links = subprocess.run(["pdfinfo", "-url", str(path)], capture_output=True, text=True, check=True).stdout
    assert "javascript" not in links


def picture(letter, folder):
    """A page whose only difference is one letter, as pixels."""
    page = PageSheet(path="p", title="p", blocks=(Note(text=letter * 20),))
    path = folder / "letter.pdf"
    path.write_bytes(pdf.report(Content(pages=(page,)), manifest()))
    command = ["pdftoppm", "-r", "50", "-l", "1", str(path)]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("letters", ["张伟", "김민", "ÅÖ", "ŁŹ", "éè"])
def test_no_glyph_is_missing_on_paper(letters, tmp_path):
    # Two letters without a glyph would both be the same empty box.
    first, second = (picture(letter, tmp_path) for letter in letters)
    assert first != second


def test_texts_stay_texts_and_numbers_numbers_in_the_workbook():
    book = openpyxl.load_workbook(io.BytesIO(workbook.report(content(), manifest())))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert not [cell.hyperlink for cell in cells if cell.hyperlink]
    values = [cell.value for cell in cells if isinstance(cell.value, int | float)]
    assert -3 in values


def test_csv_neutralises_texts_and_heads_and_comes_back():
    frame = pl.DataFrame({"=head": list(HOSTILE), "amount": [-1.5] * len(HOSTILE)})
    data = csv(frame)
    again = pl.read_csv(io.BytesIO(data), encoding="utf8")
    assert again.columns == ["'=head", "amount"]
    assert again["amount"].to_list() == [-1.5] * len(HOSTILE)
    for before, after in zip(HOSTILE, again["'=head"], strict=True):
        dangerous = before[0] in "=+-@\t\r"
        assert after == (f"'{before}" if dangerous else before)


def test_a_text_of_a_megabyte_harms_nothing():
    huge = content((LONG, *HOSTILE[1:]))
    assert LONG in html.report(huge, manifest()).decode()
    assert workbook.report(huge, manifest())[:2] == b"PK"
