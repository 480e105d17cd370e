import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.parts import downloads
from dashboard.parts.listing import matching

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("cell", DANGEROUS)
def test_a_csv_cell_never_begins_as_a_formula(cell):
    coded = pl.Series("group", [cell], dtype=pl.Enum([cell]))
    frame = pl.DataFrame({"name": [cell], "n": [-3], "note": ["fine"]}).with_columns(coded)
    row = list(csv.reader(io.StringIO(downloads.csv(frame).decode("utf-8-sig"), newline="")))[1]
    assert row == ["'" + cell, "-3", "fine", "'" + cell]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=10))
def test_csv_keeps_every_text_and_starts_none_as_a_formula(texts):
    written = downloads.csv(pl.DataFrame({"text": texts, "row": range(len(texts))})).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert len(rows) == len(texts)
    for (cell, _row), text in zip(rows, texts, strict=True):
        assert cell in (text, "'" + text)
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_heading_is_made_harmless_too():
    assert downloads.csv(pl.DataFrame({"=bad": [1]})).decode("utf-8-sig").startswith("'=bad")


def test_a_workbook_keeps_texts_as_texts_and_numbers_as_numbers():
    frame = pl.DataFrame({"name": ["=1+1", "Zoë"], "n": [1.5, None]})
    back = pl.read_excel(downloads.xlsx(frame))
    assert back.equals(frame)


def test_search_looks_into_every_text_column_whatever_the_case():
    frame = pl.DataFrame(
        {"id": ["A1", "B2"], "region": pl.Series(["East", None], dtype=pl.Enum(["East"])), "n": [1, 2]}
    )
    assert matching(frame, " east ")["id"].to_list() == ["A1"]
    assert matching(frame, "b2")["id"].to_list() == ["B2"]
    assert matching(frame, "a.")["id"].to_list() == []
    assert len(matching(frame, "")) == 2
