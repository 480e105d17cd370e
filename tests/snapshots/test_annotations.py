"""A note on a date stands on the charts of its figures and in every form of a report."""

import subprocess

from dashboard.annotations import Annotation, noted, read_annotations
from dashboard.sheet import Picture

NOTE = """
annotations:
  - {on: 2026-03-14, text: New warehouse opened, metrics: [net_revenue], by: Mina}
"""


def test_it_is_on_the_chart_in_the_html_and_on_paper(copy, keep):
    (copy / "annotations.yaml").write_text(NOTE, "utf-8")
    made = keep(copy, "--page", "overview")
    blocks = [block for page in made.content().pages for block in page.blocks if isinstance(block, Picture)]
    trend = next(block for block in blocks if block.key == "trend-net_revenue")
    assert [note["text"] for note in trend.figure["layout"]["annotations"]][-1] == "New warehouse opened"
    assert "New warehouse opened" in trend.definition.values()
    assert "New warehouse opened" in (made.folder / "report.html").read_text("utf-8")
    command = ["pdftotext", str(made.folder / "report.pdf"), "-"]
    paper = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "New warehouse opened" in " ".join(paper.split())


def test_notes_are_added_in_the_order_of_their_days(tmp_path):
    for day, text in ((20, "later"), (3, "earlier")):
        noted(tmp_path, Annotation.model_validate({"on": f"2026-05-{day:02}", "text": text}))
    assert [note.text for note in read_annotations(tmp_path).values] == ["earlier", "later"]


def test_a_broken_note_is_found_by_check(copy, rapport):
    (copy / "annotations.yaml").write_text("annotations:\n  - {on: 14 March, text: x}\n", "utf-8")
    done = rapport("check", "--project", copy)
    assert done.code == 1
    assert "annotations.yaml:2:" in done.out
