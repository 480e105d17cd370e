"""Files as people send them: every row comes back as it stands, or is rejected with a reason."""

import csv
import io
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import SourceError
from connectors.files import locate, read_files
from connectors.kinds import CsvSource, ExcelSource, ParquetSource, TextSource
from connectors.raw import REASON, ROW, VALUE, Raw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def csv_raw(folder: Path, data: bytes | str, **options: object) -> Raw:
    (folder / "t.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_files(CsvSource(name="t", kind="csv", location="t.csv", **options), folder, folder)


def rows(raw: Raw) -> list[tuple[object, ...]]:
    return raw.frame.drop(ROW).collect().rows()


def rejected(raw: Raw) -> list[tuple[int, str]]:
    return [(row[ROW] + 1, row[REASON]) for row in raw.rejected.iter_rows(named=True)]


@pytest.mark.parametrize(("mark", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_delimiter_is_detected_and_noted(folder: Path, mark: str, name: str) -> None:
    raw = csv_raw(folder, f"id{mark}total\n1{mark}2.50\n")
    assert rows(raw) == [("1", "2.50")]
    assert raw.notes == (f"t.csv: UTF-8, {name} between columns",)


def test_delimiter_may_be_named(folder: Path) -> None:
    assert rows(csv_raw(folder, "id~note\n1~a,b\n", delimiter="~")) == [("1", "a,b")]


def test_decimal_commas_do_not_pass_for_delimiters(folder: Path) -> None:
    assert rows(csv_raw(folder, "id;total\n1;2,50\n2;3,50\n")) == [("1", "2,50"), ("2", "3,50")]


def test_file_with_one_column_keeps_its_commas_and_blank_rows(folder: Path) -> None:
    assert rows(csv_raw(folder, "note\nwell, well\n\nyes\n")) == [("well, well",), ("",), ("yes",)]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("name\nJosé\n".encode(), "UTF-8"),
        ("\ufeffname\nJosé\n".encode(), "UTF-8"),
        ("name\nJosé\n".encode("cp1252"), "cp1252"),
        ("name\r\nJosé\r\n".encode(), "UTF-8"),
        ("name\rJosé\r".encode(), "UTF-8"),
    ],
)
def test_encoding_mark_and_line_ends_are_detected(folder: Path, data: bytes, encoding: str) -> None:
    raw = csv_raw(folder, data)
    assert raw.frame.collect().to_dict(as_series=False) == {ROW: [0], "name": ["José"]}
    assert raw.notes[0].startswith(f"t.csv: {encoding}")


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis", "cp1251", "latin-1", "UTF8"])
def test_any_encoding_may_be_named(folder: Path, encoding: str) -> None:
    word = {"shift_jis": "東京", "cp1251": "Москва"}.get(encoding, "Zoë")
    assert rows(csv_raw(folder, f"city,n\n{word},1\n".encode(encoding), encoding=encoding)) == [(word, "1")]


def test_cp1252_file_is_found_out_however_late_its_first_accent_comes(folder: Path) -> None:
    lines = "".join(f"{at},plain\n" for at in range(600_000))
    raw = csv_raw(folder, b"id,name\n" + lines.encode() + b"x,Jos\xe9\n")
    assert raw.frame.last().collect()["name"].item() == "José"


def test_quoted_line_breaks_quotes_and_delimiters_survive(folder: Path) -> None:
    raw = csv_raw(folder, 'id,note\n1,"two\nlines, ""quoted"""\n2,\n3,"""\n"\n')
    assert rows(raw) == [("1", 'two\nlines, "quoted"'), ("2", None), ("3", '"\n')]
    assert raw.rows == 3


def test_rows_keep_their_number_when_others_are_rejected(folder: Path) -> None:
    raw = csv_raw(folder, 'a,b\n1,2\n3\n\n4,"x\ny"\n5,6,7\n8,9\n')
    assert raw.frame.select(ROW, "a").collect().rows() == [(0, "1"), (2, "4"), (4, "8")]
    assert [row for row, _ in rejected(raw)] == [2, 4]
    assert raw.rows == 5
    assert "1 blank lines passed over" in raw.notes[1]


def test_one_open_quote_costs_one_row(folder: Path) -> None:
    lines = [f'{at},"name {at}"' for at in range(3_000)]
    lines[10] = '10,"never closed'
    raw = csv_raw(folder, "id,name\n" + "\n".join(lines) + "\n")
    assert rejected(raw) == [(11, "a quote is opened and never closed")]
    assert raw.frame.select("id").collect()["id"].to_list() == [str(at) for at in range(3_000) if at != 10]


def test_open_quote_before_nothing_but_plain_lines_costs_one_row(folder: Path) -> None:
    lines = [f"{at},name {at}" for at in range(3_000)]
    lines[10] = '10,"never closed'
    raw = csv_raw(folder, "id,name\n" + "\n".join(lines) + "\n")
    assert rejected(raw) == [(11, "a quote is opened and never closed")]
    assert raw.frame.select(pl.len()).collect().item() == 2_999


def test_rejected_rows_keep_what_they_say(folder: Path) -> None:
    raw = csv_raw(folder, "a,b,c\n1,2\n3,4,5\n")
    row = raw.rejected.row(0, named=True)
    assert (row[VALUE], row["a"], row["b"], row["c"]) == ("1,2", "1", "2", None)


def test_zero_bytes_reject_one_row(folder: Path) -> None:
    raw = csv_raw(folder, "id,name\n" + "1,plain text\n" * 20 + "2,\x00\n3,x\n")
    assert rejected(raw) == [(21, "the row holds a zero byte")]
    assert raw.rows == 22


def test_header_may_be_given_and_lines_above_it_passed_over(folder: Path) -> None:
    assert rows(csv_raw(folder, "Export of May\n\nid,n\n1,2\n", skip_rows=1)) == [("1", "2")]
    assert rows(csv_raw(folder, "1,2\n3,4\n", header=("id", "n"))) == [("1", "2"), ("3", "4")]


def test_header_may_run_over_several_lines(folder: Path) -> None:
    raw = csv_raw(folder, '"order\nno",n\n1,2\n')
    assert raw.frame.drop(ROW).collect().to_dict(as_series=False) == {"order\nno": ["1"], "n": ["2"]}


def test_copies_of_sources_with_dotted_names_stay_apart(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_bytes(f"x\n{name}\xe9\n".encode("latin-1"))
    raw = read_files(CsvSource(name="v1.0", kind="csv", location="*.csv"), folder, folder)
    assert rows(raw) == [("aé",), ("bé",)]


def test_names_are_trimmed_filled_and_told_apart(folder: Path) -> None:
    raw = csv_raw(folder, '" id ",,n,n,*\n1,2,3,4,5\n')
    assert list(raw.columns) == ["id", "column 2", "n", "n (2)", "column 5"]
    assert raw.twice == {"n"}


def test_several_files_are_one_source_with_rows_numbered_on(folder: Path) -> None:
    (folder / "o-2.csv").write_text("id,n\n3,c\n")
    (folder / "o-1.csv").write_text("n,id\na,1\nb,2\n")
    raw = read_files(CsvSource(name="t", kind="csv", location="o-*.csv"), folder, folder)
    assert raw.frame.select(ROW, "id").collect().rows() == [(0, "1"), (1, "2"), (2, "3")]
    assert [(file.path, file.rows) for file in raw.files] == [("o-1.csv", 2), ("o-2.csv", 1)]
    assert raw.starts == (0, 2)


def test_list_of_files_keeps_its_order_and_names_each_once(folder: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (folder / name).write_text("id\n1\n")
    source = CsvSource(name="t", kind="csv", location=("b.csv", "*.csv"))
    assert [path.name for path in locate(source, folder)] == ["b.csv", "a.csv"]


def test_fingerprint_changes_with_the_bytes(folder: Path) -> None:
    first = csv_raw(folder, "id\n1\n").files[0].fingerprint
    assert csv_raw(folder, "id\n1\n").files[0].fingerprint == first
    assert csv_raw(folder, "id\n2\n").files[0].fingerprint != first


def test_white_space_separated_text(folder: Path) -> None:
    (folder / "t.txt").write_text(" 00001 19970101  1   11.77\n\n 00002 1997\n 00003 19970104  2   20.76  \n")
    source = TextSource(name="t", kind="text", location="t.txt", header=("id", "day", "n", "total"))
    raw = read_files(source, folder, folder)
    assert rows(raw) == [("00001", "19970101", "1", "11.77"), ("00003", "19970104", "2", "20.76")]
    assert rejected(raw) == [(3, "the row has fewer columns than the header")]
    assert raw.rows == 3


def test_workbook_cells_are_text_as_they_are_shown(folder: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "May"
    for cells in (["no", "n", "day"], [536365, 0.1 + 0.2, "2010-12-01"], ["C5", -1e-7, None], [None] * 3):
        sheet.append(cells)
    book.save(folder / "t.xlsx")
    raw = read_files(ExcelSource(name="t", kind="excel", location="t.xlsx", sheet="May"), folder, folder)
    assert rows(raw) == [("536365", "0.3", "2010-12-01"), ("C5", "-0.0000001", None)]
    with pytest.raises(SourceError, match="no sheet `Mai`"):
        read_files(ExcelSource(name="t", kind="excel", location="t.xlsx", sheet="Mai"), folder, folder)


def test_parquet_keeps_types_and_leaves_nested_columns_out(folder: Path) -> None:
    frame = pl.DataFrame({"id": [1, 2], "tags": [["a"], []], "raw": [b"x", b"y"]})
    frame.write_parquet(folder / "t.parquet")
    raw = read_files(ParquetSource(name="t", kind="parquet", location="t.parquet"), folder, folder)
    assert raw.columns == {"id": pl.Int64(), "raw": pl.String()}
    assert raw.notes == ("t.parquet: column `tags` holds nested values and is left out",)
    (folder / "t.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SourceError, match="not Parquet"):
        read_files(ParquetSource(name="t", kind="parquet", location="t.parquet"), folder, folder)


cell = st.text(st.sampled_from('ab1 ,;"\né\t'), max_size=6)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_whatever_a_csv_writer_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]], ending: str
) -> None:
    # Oracle: Python's csv module wrote the file.
    written = io.StringIO()
    csv.writer(written, lineterminator=ending).writerows([("x", "y", "z"), *table])
    raw = csv_raw(tmp_path_factory.mktemp("csv"), written.getvalue(), delimiter=",")
    found = [tuple(value or "" for value in row) for row in rows(raw)]
    assert found == table
    assert raw.rejected.is_empty()


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(st.sampled_from('a1,"é\x00'), max_size=8), min_size=1, max_size=30))
def test_every_line_of_a_broken_file_is_read_rejected_or_blank(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    raw = csv_raw(
        tmp_path_factory.mktemp("csv"),
        "x,y\n" + "p,1\n" * 99 + "\n".join([*lines, "last,1"]) + "\n",
        delimiter=",",
    )
    numbers = [*raw.frame.collect()[ROW], *raw.rejected[ROW]]
    assert sorted(numbers) == list(range(raw.rows))
    joined = "".join(value or "" for row in rows(raw) for value in row) + "".join(raw.rejected[VALUE])
    letters = sum(text.count("a") for text in [*lines, "last"])
    assert joined.count("a") == letters  # nothing that stood in the file is lost
