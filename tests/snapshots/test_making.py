"""What a snapshot holds is what the pages showed, in every form, and nothing else."""

import csv
import io
import re
import subprocess
from decimal import Decimal

import openpyxl
import polars as pl
import pytest

from dashboard.sheet import Picture, Table


def test_the_figures_are_those_of_the_command_line(report, shop, rapport):
    figures = {row["metric"]: row for row in report.figures().iter_rows(named=True) if row["metric"]}
    names = ["net_revenue", "active_customers", "new_customers", "repeat_purchase_rate"]
    asked = rapport("query", *names, "--by", "month", "--from", "2026-10", "--project", shop, "--json").json
    for row in asked:
        kept = figures[row["metric"]]
        assert (kept["value"], kept["n"], kept["lower"]) == (row["value"], row["n"], row["lower"])
        if "amount" in row:
            assert Decimal(kept["amount"]) == Decimal(row["amount"])


def test_workbook_and_csv_hold_the_same_figures(report):
    figures = report.figures()
    book = openpyxl.load_workbook(report.folder / "report.xlsx", data_only=True)
    head, *rows = book["Figures"].iter_rows(values_only=True)
    values = [row[head.index("value")] for row in rows]
    assert [round(value, 9) for value in values if value is not None] == [
        round(value, 9) for value in figures["value"].drop_nulls().to_list()
    ]
    assert len(values) == len(figures)
    text = (report.folder / "figures.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert [line["amount"] or None for line in lines] == figures["amount"].to_list()


def test_every_chart_and_table_is_a_sheet_with_its_rows(report):
    book = openpyxl.load_workbook(report.folder / "report.xlsx")
    assert {"Figures", "Definitions", "About"} <= set(book.sheetnames)
    framed = report.content().frames()
    assert len(framed) > 10
    tables = [table for sheet in book.worksheets for table in sheet.tables.values()]
    assert len(tables) >= len([frame for frame in framed.values() if len(frame)])
    assert any(sheet._charts for sheet in book.worksheets)


EXPORT = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false"
"""Commas, quotes, UTF-8, numbers as they are and not as they look."""


def test_libreoffice_reads_the_same_total(report, tmp_path):
    command = [
        "soffice",
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--convert-to",
        EXPORT,
    ]
    command += ["--outdir", str(tmp_path), str(report.folder / "report.xlsx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text("utf-8"))))
    theirs = sum(float(row["value"]) for row in rows if row["value"])
    assert theirs == pytest.approx(report.figures()["value"].sum(), rel=1e-12)


def test_the_same_input_gives_the_same_hash_and_another_one_another(shop, keep):
    first, second = (keep(shop, "--page", "overview", "--title", title) for title in ("one", "two"))
    assert first.manifest.content_hash == second.manifest.content_hash
    assert first.id != second.id
    assert keep(shop, "--page", "equity").manifest.content_hash != first.manifest.content_hash


def test_the_manifest_counts_the_rows_of_every_table(report):
    named = [name for name in report.manifest.files if name.endswith(".parquet")]
    assert sorted(report.manifest.rows) == sorted(named)
    for name in named:
        assert len(pl.read_parquet(report.folder / name)) == report.manifest.rows[name]


def test_a_shortened_list_says_how_many_rows_it_leaves_out(report):
    lists = [
        b
        for page in report.content().pages
        for b in page.blocks
        if isinstance(b, Table) and b.frame is not None
    ]
    assert lists
    for block in lists:
        assert len(block.rows) + block.missing == len(block.frame)
    html = (report.folder / "report.html").read_text("utf-8")
    for block in lists:
        if block.missing:
            assert f"{block.missing:,} more rows" in html


def test_the_report_names_no_network_and_runs_only_its_own_scripts(report):
    text = (report.folder / "report.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-inline" not in re.search(r"script-src ([^;]*);", policy)[1]
    assert len(text.encode()) < 6_000_000 + (report.folder / "content.json").stat().st_size

    without_scripts = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    loads = re.findall(r"""(?:src|href)=["']([^"']*)""", without_scripts)
    assert loads
    assert not [address for address in loads if not address.startswith(("data:", "#"))]


def pdf_text(path):
    return subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout


def test_the_pdf_is_tagged_numbered_and_holds_every_figure(report):
    path = report.folder / "report.pdf"
    about = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", about)
    pages = int(re.search(r"Pages:\s+(\d+)", about)[1])
    text = pdf_text(path)
    assert re.search(rf"\b{pages} / {pages}\b", text)
    flat = re.sub(r"\s+", " ", text)
    for shown in report.figures()["shown"].to_list():
        assert re.sub(r"\s+", " ", shown) in flat
    for each in report.content().definitions:
        assert each.label in flat


def test_no_chart_of_the_report_is_lost_on_paper(report):
    from dashboard.snapshots.svg import svg

    charts = [b for p in report.content().pages for b in p.blocks if isinstance(b, Picture) and b.figure]
    assert len(charts) > 8
    for chart in charts:
        assert svg(chart.figure, 400, 300).count("<") > 5


def test_personal_fields_stay_masked(report):
    names = pl.read_csv(next(report.folder.parents[1].glob("data/customers*.csv")))
    text = (report.folder / "content.json").read_text("utf-8")
    mails = names["email"].drop_nulls().to_list()[:200]
    assert mails
    assert not [mail for mail in mails if mail in text]
