"""Rows that stand twice are found by plain counting, whatever is compared at a time."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.duplicates import PART, repeated_keys, repeated_rows
from connectors.raw import ROW

CELL = st.sampled_from(["", "a", "b", "ab", None])
ROWS = st.lists(st.tuples(CELL, CELL), max_size=30)


def frame(rows: Sequence[tuple[str | None, str | None]]) -> pl.LazyFrame:
    table = pl.DataFrame(rows, schema={"x": pl.String, "y": pl.String}, orient="row")
    return table.with_row_index(ROW).lazy()


@settings(deadline=None, max_examples=100)
@given(ROWS, st.sampled_from([1, 3, 1_000]))
def test_every_equal_row_but_the_first_is_repeated(
    rows: list[tuple[str | None, str | None]], most: int
) -> None:
    expected = [at for at, row in enumerate(rows) if row in rows[:at]]
    assert repeated_rows(frame(rows), ["x", "y"], most=most).to_list() == expected


@settings(deadline=None, max_examples=100)
@given(ROWS, ROWS, st.sampled_from([1, 3, 1_000]))
def test_one_row_of_every_key_stays(
    first: list[tuple[str | None, str | None]], second: list[tuple[str | None, str | None]], most: int
) -> None:
    found = repeated_keys([frame(first), frame(second)], ["x"], most=most)
    repeated = set(found.select(PART, ROW).iter_rows())
    both = [(0, at, row) for at, row in enumerate(first)] + [(1, at, row) for at, row in enumerate(second)]
    kept = [(part, row) for part, at, row in both if (part, at) not in repeated]
    assert sorted(str(row[0]) for _, row in kept) == sorted({str(row[0]) for _, _, row in both})
    for part, (x, y) in kept:
        rivals = [(p, row[1]) for p, _, row in both if row[0] == x]
        assert (part, y is None, y or "") == min((p, v is None, v or "") for p, v in rivals)
    stays = {row[0]: row for _, row in kept}
    same = {(part, at): row == stays[row[0]] for part, at, row in both}
    assert all(same[part, at] == told for part, at, told in found.select(PART, ROW, "same").iter_rows())


@pytest.mark.parametrize("rows", [[], [("a", "b")]])
def test_nothing_stands_twice_in_nothing(rows: list[tuple[str | None, str | None]]) -> None:
    assert repeated_rows(frame(rows), ["x", "y"]).to_list() == []
    assert repeated_keys([frame(rows)], ["x"]).height == 0
