"""A report on paper: chapters, tables and charts are whole, and pages are full."""

import re
import subprocess

import polars as pl
import pytest

from dashboard.sheet import Head, Note, Number, Picture, Section, Table, Tiles
from dashboard.snapshots import pdf
from dashboard.snapshots.content import Content, PageSheet
from dashboard.snapshots.paper import chapters
from dashboard.snapshots.svg import svg

TILES = Tiles(numbers=(Number(label="Revenue", shown="$12"), Number(label="Orders", shown="34")))
HEADS = ("Region", "Customers", "Revenue")


def table(rows, title="Regions", heads=HEADS):
    lines = tuple(tuple(f"{head.lower()}-{row}" for head in heads) for row in range(rows))
    return Table(key="t", title=title, heads=heads, rows=lines)


def chart(title, height=300, **layout):
    data = [{"type": "bar", "name": "Won", "x": [0, 1], "y": [3, 4], "marker": {"color": "#0072B2"}}]
    figure = {"data": data, "layout": {"yaxis": {"range": [0, 5]}, **layout}}
    return Picture(key="c", title=title, figure=figure, alt=title, height=height)


def page(*blocks, path="retention", section="", scope="all customers"):
    address = {"retention.section": (section,)} if section else {}
    head = Head(title=path.title(), caption=scope)
    return PageSheet(path=path, title=path.title(), address=address, blocks=(head, *blocks))


def text(data, folder, *arguments):
    path = folder / "report.pdf"
    path.write_bytes(data)
    command = ["pdftotext", *arguments, str(path), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def printed(manifest, tmp_path):
    """The text of each sheet of paper that some pages fill."""

    def sheets(*pages):
        return text(pdf.report(Content(pages=pages), manifest), tmp_path, "-layout").split("\f")[:-1]

    return sheets


def test_pages_under_one_title_and_scope_are_one_chapter():
    pages = (page(TILES), page(TILES, table(2), section="Lifecycle"), page(TILES, scope="East"))
    first, second = chapters(Content(pages=pages))
    assert (first.title, first.scope, [part.name for part in first.parts]) == (
        "Retention",
        "all customers",
        ["", "Lifecycle"],
    )
    bodies = [[unit.body for unit in part.units] for part in first.parts]
    assert bodies == [[TILES], [table(2)]]  # the same figures once
    assert [unit.body for unit in second.parts[0].units] == [TILES]


def test_a_heading_stays_with_what_follows_and_a_note_with_what_it_is_about():
    section, note = Section(title="By region"), Note(text="Shares of all.")
    ((part,),) = (
        chapter.parts for chapter in chapters(Content(pages=(page(section, table(3), note, TILES),)))
    )
    about, figures = part.units
    assert (about.heading, about.body, about.notes) == (section, table(3), [note])
    assert (figures.heading, figures.body) == (None, TILES)


def test_a_long_table_repeats_its_head_and_keeps_every_row(printed):
    sheets = printed(page(table(120)))
    holding = [sheet for sheet in sheets if "customers-" in sheet]
    assert len(holding) > 2
    for sheet in holding:
        assert re.search(r"Region\s+Customers\s+Revenue", sheet)
    rows = re.findall(r"region-(\d+)\s+customers-\1\s+revenue-\1\s", "".join(sheets))
    assert rows == [str(row) for row in range(120)]


def test_a_row_of_several_lines_is_never_cut(printed):
    words = " ".join(f"word{at}" for at in range(60))
    rows = tuple((f"row{at}", f"{words} end{at}") for at in range(40))
    listed = Table(key="t", title="Long", heads=("Name", "Words"), kinds=("", "wide"), rows=rows)
    for sheet in printed(page(listed)):
        assert set(re.findall(r"row(\d+)", sheet)) == set(re.findall(r"end(\d+)", sheet))


def test_a_wide_table_goes_on_below_with_its_first_column(printed):
    heads = tuple(f"Head{at:02}" for at in range(26))
    (sheet,) = printed(page(table(3, heads=heads)))[:1]
    assert all(head in sheet for head in heads)
    assert len(re.findall("Head00", sheet)) == 2


def test_charts_share_the_page_with_the_figures_above_them(printed):
    (first, *_more) = printed(page(TILES, Section(title="Trend"), chart("Up it went"), chart("Down it went")))
    assert all(words in first for words in ("$12", "Trend", "Up it went", "Down it went"))


def test_a_report_of_several_pages_has_a_cover_with_contents(printed):
    pages = (page(TILES, path="overview"), page(table(4)), page(table(80), section="Lifecycle"))
    cover, *sheets = printed(*pages)
    found = dict(re.findall(r"(Overview|Retention|Lifecycle)\W+(\d+)\s", cover))
    assert set(found) == {"Overview", "Retention", "Lifecycle"}
    for name, number in found.items():
        assert name in sheets[int(number) - 2]
    assert "Contents" not in "".join(printed(pages[0]))


def test_a_legend_names_every_trace_above_or_below(tmp_path):
    def legend(**more):
        return chart("x", showlegend=True, legend=more, margin={"t": 40, "b": 160}).figure

    above, below = (svg(legend(y=y), 560, 220) for y in (1.02, -0.1))
    places = [float(re.search(r'y="([\d.]+)"[^>]*>Won<', drawing)[1]) for drawing in (above, below)]
    assert places[0] < 30
    assert places[1] > 190
    assert "Won" not in svg(legend() | {"layout": {"showlegend": False}}, 560, 220)


def test_a_tick_beyond_the_range_is_not_drawn():
    layout = {"yaxis": {"range": [0, 5], "tickvals": [-4, 0, 4], "ticktext": ["minus", "zero", "four"]}}
    drawn = svg(chart("x", **layout).figure, 400, 200)
    assert "zero" in drawn
    assert "four" in drawn
    assert "minus" not in drawn


def test_pages_of_a_report_are_full(report, tmp_path):
    """From the top to the last ink above the footer, on average; a chapter may begin on a page of its own."""
    drawn = subprocess.run(
        ["pdftoppm", "-r", "20", "-gray", str(report.folder / "report.pdf")], capture_output=True, check=True
    ).stdout
    used = [height_used(page) for page in pages_of(drawn)][1:]
    assert len(used) > 6
    assert sum(used) / len(used) > 0.7


def pages_of(images):
    """The pixels of each page of `pdftoppm -gray`, rows from the top."""
    while images:
        head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", images)
        width, height = int(head[1]), int(head[2])
        pixels = images[head.end() : head.end() + width * height]
        yield pl.Series(list(pixels)).reshape((height, width)).to_numpy()
        images = images[head.end() + width * height :]


def height_used(pixels):
    """How far down the last ink above the footer is, as a share of the page."""
    body = pixels[: int(len(pixels) * 0.93)]
    inked = [row for row, line in enumerate(body) if line.min() < 200]
    return (max(inked) + 1) / len(body)
