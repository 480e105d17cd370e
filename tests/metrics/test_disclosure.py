"""Suppression: what may be shown can never give away a small cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.disclosure import withheld


@pytest.mark.parametrize(
    ("n", "hidden"),
    [
        ([100, 200, 300], [0, 0, 0]),
        ([100, 12, 300], [1, 1, 0]),
        ([100, 12, 14, 300], [1, 1, 1, 0]),
        ([100, 20, 14, 300], [0, 1, 1, 0]),
        ([0, 5], [0, 1]),
        ([], []),
    ],
)
def test_cells_that_are_kept_back(n, hidden):
    """12 alone is hidden with the smallest other; 12 + 14 are 26 of 30, so a third goes; 20 + 14 suffice."""
    assert withheld(n, 30).tolist() == [bool(each) for each in hidden]


@given(st.lists(st.integers(0, 500), max_size=12), st.integers(1, 60))
def test_a_hidden_cell_is_never_the_total_less_what_is_shown(n, least):
    counts, hidden = np.array(n, dtype=int), withheld(n, least)
    assert not (~hidden & (counts > 0) & (counts < least)).any()
    if hidden.any() and (~hidden & (counts > 0)).any():
        assert hidden.sum() >= 2
        assert counts[hidden].sum() >= least
