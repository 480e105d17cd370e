"""Adjusted p-values against statsmodels."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from metrics.multiple import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@settings(deadline=None, max_examples=60)
@given(values=p_values)
def test_equal_to_statsmodels(ours, theirs, values):
    adjusted = pl.DataFrame({"p": values}).select(ours(pl.col("p"))).to_series().to_list()
    assert adjusted == pytest.approx(list(multipletests(values, method=theirs)[1]))


@pytest.mark.parametrize("ours", [holm, benjamini_hochberg])
def test_nulls_do_not_count(ours):
    with_null = pl.DataFrame({"p": [0.01, None, 0.04]}).select(ours(pl.col("p"))).to_series().to_list()
    without = pl.DataFrame({"p": [0.01, 0.04]}).select(ours(pl.col("p"))).to_series().to_list()
    assert [with_null[0], with_null[2]] == pytest.approx(without)
    assert with_null[1] is None
