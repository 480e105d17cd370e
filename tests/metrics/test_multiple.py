"""Adjusted p-values against statsmodels."""

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.multitest import multipletests

from metrics.multiple import benjamini_hochberg, holm


def p_values():
    """Few and many, tied, at both ends; few in all, since statsmodels collects garbage at every call."""
    random = np.random.default_rng(7)
    return [
        [0.04],
        [0.5, 0.5],
        [0.0, 1.0, 0.3, 0.3, 0.01],
        [*random.random(40).round(1)],
        [*random.random(30)],
    ]


@pytest.mark.parametrize("values", p_values())
@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_equal_to_statsmodels(ours, theirs, values):
    adjusted = pl.DataFrame({"p": values}).select(ours(pl.col("p"))).to_series().to_list()
    assert adjusted == pytest.approx(list(multipletests(values, method=theirs)[1]))


@pytest.mark.parametrize("ours", [holm, benjamini_hochberg])
def test_nulls_do_not_count(ours):
    with_null = pl.DataFrame({"p": [0.01, None, 0.04]}).select(ours(pl.col("p"))).to_series().to_list()
    without = pl.DataFrame({"p": [0.01, 0.04]}).select(ours(pl.col("p"))).to_series().to_list()
    assert [with_null[0], with_null[2]] == pytest.approx(without)
    assert with_null[1] is None
