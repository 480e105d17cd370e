"""Fixed width, JSON lines and encodings that bytes do not prove."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from connectors.errors import SourceError
from connectors.files import read_files
from connectors.guesses import guessed
from connectors.kinds import FileSource
from connectors.raw import REASON, ROW, VALUE, Raw

ADAPTER: TypeAdapter[Any] = TypeAdapter(FileSource)


def read(folder: Path, content: str | bytes, **given: Any) -> Raw:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "rows.txt").write_bytes(data)
    source = ADAPTER.validate_python({"name": "rows", "location": "rows.txt"} | given)
    return read_files(source, folder, folder)


def rows(raw: Raw) -> list[tuple[Any, ...]]:
    return raw.frame.sort(ROW).drop(ROW).collect().rows()


WIDTHS = {"id": 5, "name": 8, "amount": 7}
FIXED = "00007Zoë      12.50\r\n00012André     7.90\r\n\r\n00031    \r\n00032Ann       1.00 more\r\n"


def test_columns_of_fixed_width_are_cut_by_characters(tmp_path: Path):
    raw = read(tmp_path, FIXED, kind="fixed", widths=WIDTHS)
    assert rows(raw) == [("00007", "Zoë", "12.50"), ("00012", "André", "7.90")]
    assert raw.rejected.select(ROW, REASON).rows() == [
        (3, "the row ends before its last column"),
        (4, "text stands behind the last column"),
    ]
    assert raw.rows == 4


@pytest.mark.realdata
def test_cdnow_by_widths_is_cdnow_by_white_space(real_data: Path, tmp_path: Path):
    content = (real_data / "cdnow" / "CDNOW_master.txt").read_bytes()
    names = ("customer", "day", "units", "dollars")
    width = len(content.splitlines()[0])
    fixed = read(tmp_path, content, kind="fixed", widths=dict(zip(names, (6, 9, 3, width - 18), strict=True)))
    spaced = read(tmp_path, content, kind="text", header=list(names))
    assert fixed.rows == 69_659
    assert fixed.rejected.height == 0
    assert fixed.frame.collect().equals(spaced.frame.collect())


JSON = (
    '{"id": 9007199254740993, "amount": 1.10, "who": {"name": "Zoë", "vip": true}, "tags": ["a", 1]}\n'
    "\n"
    '{"id": "007", "amount": 12345678901234567890.123, "note": null, "who": {}}\n'
    "[1, 2]\n"
    '{"id": 1,\n'
    '{"id": "a\\u0000b"}\n'
)


def test_json_lines_keep_every_digit_and_reject_what_is_no_object(tmp_path: Path):
    raw = read(tmp_path, JSON, kind="jsonl")
    first = {
        "id": "9007199254740993",
        "amount": "1.10",
        "who.name": "Zoë",
        "who.vip": "true",
        "tags": '["a", "1"]',
    }
    assert raw.frame.drop(ROW).collect().to_dicts() == [
        first | {"note": None},
        dict.fromkeys(first) | {"id": "007", "amount": "12345678901234567890.123", "note": None},
    ]
    assert raw.rejected.select(ROW, VALUE).rows()[0] == (3, "[1, 2]")
    assert set(raw.rejected[REASON]) == {"the line is no JSON object"}
    assert raw.rows == 5
    assert raw.frame.collect()[ROW].to_list() == [0, 2]


def test_ten_thousand_columns_of_text(tmp_path: Path):
    header = ",".join(f"c{at}" for at in range(10_000))
    raw = read(tmp_path, f"{header}\n{','.join(['7'] * 10_000)}\n", kind="csv")
    assert len(raw.columns) == 10_000
    assert raw.frame.select("c9999").collect().item() == "7"


WRITTEN = {
    "cp949": ("주문번호,고객,상품\n", "1001,김민수,노트북 공책\n1002,이서연,만년필\n"),
    "gb18030": ("订单号,客户,产品\n", "1001,王小明,笔记本\n1002,李娜,钢笔\n"),
    "cp932": ("注文番号,顧客,商品\n", "1001,田中,ノートブック\n1002,山田,ペン\n"),
    "cp1251": ("заказ,клиент,город\n", "1001,Иван,Москва\n1002,Ольга,Казань\n"),
    "utf-16-le": ("주문번호,고객,상품\n", "1001,김민수,노트북\n"),
}


@pytest.mark.parametrize("encoding", WRITTEN)
def test_an_encoding_is_guessed_with_its_confidence_and_a_look_at_the_words(tmp_path: Path, encoding: str):
    header, body = WRITTEN[encoding]
    path = tmp_path / "orders.csv"
    path.write_bytes((header + body * 20).encode(encoding))
    found = guessed(path)[0]
    assert found.encoding == encoding
    assert found.confidence > 0.5
    assert header.split(",")[0] in found.words


def test_a_short_text_that_may_be_anything_is_said_to_be_unsure(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_bytes("id,name\n1,김민수\n".encode("cp949"))
    found = guessed(path)[0]
    assert found.confidence < 0.6
    assert "perhaps" in found.shown


@pytest.mark.parametrize("encoding", ["cp949", "gb18030"])
def test_a_guessed_encoding_is_told_and_read_once_it_is_named(tmp_path: Path, encoding: str):
    header, body = WRITTEN[encoding]
    content = (header + body * 20).encode(encoding)
    with pytest.raises(SourceError) as raised:
        read(tmp_path, content, kind="csv")
    assert f"probably {encoding}" in str(raised.value)
    assert f"Name it: add `encoding:`, such as `encoding: {encoding}`" in str(raised.value)
    raw = read(tmp_path, content, kind="csv", encoding=encoding)
    assert list(raw.columns) == header.strip().split(",")
    assert raw.frame.head(1).collect().row(0)[2] == body.split(",")[1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp949", "gb18030"])
def test_named_encodings_are_read_in_every_kind_of_text(tmp_path: Path, encoding: str):
    word = {"cp949": "김민수", "gb18030": "王小明"}.get(encoding, "Zoë")
    raw = read(tmp_path, f'{{"name": "{word}"}}\n'.encode(encoding), kind="jsonl", encoding=encoding)
    assert rows(raw) == [(word,)]
    raw = read(
        tmp_path, f"{word}  1\n".encode(encoding), kind="fixed", encoding=encoding, widths={"name": 5, "n": 1}
    )
    assert rows(raw) == [(word, "1")]


def test_bytes_that_are_no_text_cost_their_line(tmp_path: Path):
    raw = read(tmp_path, b'{"name": "Zo\xc3\xab"}\n' * 3 + b'{"name": "Zo\xeb\xff"}\n', kind="jsonl")
    assert rows(raw) == [("Zoë",)] * 3
    assert raw.rejected.height == 1
