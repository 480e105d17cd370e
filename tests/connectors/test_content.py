"""The content hash against its definition in plain Python, and against changes that must or must not show."""

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from struct import pack

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.content import Content, combined, content_of, digest

FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "c", None],
        "text": ["", "twelve bytes", "thirteen byte", "quite a long text, in 朝鮮말, of many words"],
        "amount": pl.Series([Decimal("1.10"), Decimal("-2.5"), None, Decimal("99999999999999.9999")]).cast(
            pl.Decimal(18, 4)
        ),
        "at": [datetime(2024, 1, 1, tzinfo=UTC), None, datetime(1969, 12, 31, tzinfo=UTC), None],
        "on": [date(2024, 1, 1), date(1969, 1, 1), None, None],
        "score": [1.5, -0.0, float("nan"), None],
        "flag": [True, False, None, True],
        "kind": pl.Series(["x", "y", None, "x"], dtype=pl.Enum(["y", "x"])),
        "nothing": pl.Series([None] * 4, dtype=pl.Null),
    }
)

TEXTS = st.none() | st.text(max_size=40)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)


def test_the_hash_is_the_documented_one():
    low, high = 0, 0
    for row in FRAME.iter_rows(named=True):
        mixed = mix(sum(cell(name, value) for name, value in row.items()))
        low, high = low + mixed, high + mix(mixed ^ 0x9E3779B97F4A7C15)
    assert content_of(FRAME) == Content(low % 2**64, high % 2**64, 4)


def test_the_hash_stays_what_it_was():
    """Stores on disk hold these digits: if this fails, every store looks changed after an upgrade."""
    assert content_of(FRAME).hex == "b16825abea2164b9cb76203197642837"
    assert digest(content_of(FRAME), FRAME.columns) == "9e9ef8cd535d51353dc065c33f755506"


def test_order_splitting_columns_and_dictionaries_do_not_show():
    expected = content_of(FRAME)
    assert content_of(FRAME.reverse().select(FRAME.columns[::-1])) == expected
    assert content_of(FRAME[:1]) + content_of(FRAME[1:]) == expected
    assert content_of(pl.concat([FRAME[2:], FRAME[:2]], rechunk=False)) == expected
    assert content_of(FRAME.with_columns(pl.col("kind").cast(pl.String))) == expected
    assert content_of(FRAME.with_columns(pl.col("score") * 1.0)) == expected


@pytest.mark.parametrize(
    "change",
    [
        pl.col("id").fill_null(""),
        pl.col("text") + " ",
        pl.col("amount").fill_null(0),
        pl.col("at").fill_null(datetime(1970, 1, 1, tzinfo=UTC)),
        pl.col("score").fill_nan(None),
        pl.col("flag").not_(),
        pl.col("text").reverse(),
        pl.col("on").alias("day"),
    ],
)
def test_every_change_shows(change: pl.Expr):
    assert content_of(FRAME.with_columns(change)) != content_of(FRAME)


def test_a_row_twice_shows():
    assert content_of(pl.concat([FRAME, FRAME])) != content_of(FRAME)
    assert content_of(pl.concat([FRAME] * 3)) != content_of(FRAME)


def test_values_that_swap_columns_show():
    frame = pl.DataFrame({"a": ["x"], "b": ["y"]})
    assert content_of(frame) != content_of(frame.rename({"a": "b", "b": "a"}))


def test_empty():
    assert content_of(FRAME[:0]) == Content()
    assert digest(Content(), ["a"]) != digest(Content(), ["b"])
    assert Content.parse(content_of(FRAME).hex, 4) == content_of(FRAME)


def test_nested_columns_are_refused():
    with pytest.raises(TypeError, match=r"column `tags` of type List\(String\) has no content hash"):
        content_of(pl.DataFrame({"tags": [["a"]]}))


def test_combined_keeps_names_apart():
    assert combined({"ab": "c"}) != combined({"a": "bc"})


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.none() | st.text(max_size=40), st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1
    )
)
def test_any_rows_hash_as_documented_after_any_detour(rows: list[tuple[str | None, int | None]]):
    frame = pl.DataFrame(rows, schema={"s": pl.String, "n": pl.Int64}, orient="row")
    detour = (
        pl.when(pl.col("s").is_null()).then(pl.lit(None)).otherwise(pl.lit("a longer text than a view holds"))
    )
    low = sum(mix(cell("s", s) + cell("n", n)) for s, n in rows) % 2**64
    assert content_of(frame).low == low
    assert (
        content_of(frame.with_columns(other=detour).drop("other").sample(fraction=1, shuffle=True)).low == low
    )


def cell(name: str, value: object) -> int:
    seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    if value is None:
        return mix(seed ^ 0xD6E8FEB86659FD93)
    for word in words(value):
        seed = mix(seed ^ word)
    return seed


def words(value: object) -> list[int]:
    match value:
        case str():
            raw = value.encode()
            raw = pack("<I", len(raw)) + raw
            raw = raw.ljust(max(16, -(-len(raw) // 8) * 8), b"\0")
        case float():
            raw = pack("<d", value if value else 0.0)
        case Decimal():
            raw = int(value.scaleb(4)).to_bytes(16, "little", signed=True)
        case datetime():
            raw = pack("<q", round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000))
        case date():
            raw = pack("<q", (value - date(1970, 1, 1)).days)
        case bool() | int():
            raw = pack("<q", value)
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]


def mix(x: int) -> int:
    x %= 2**64
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x ^= x >> 33
        x = x * multiplier % 2**64
    return x ^ (x >> 33)
