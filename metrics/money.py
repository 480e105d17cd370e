"""Money in whole units of 0.0001: half as wide as a decimal and just as exact, for the heavy passes."""

import numpy as np
import polars as pl
import pyarrow as pa

from connectors.tables import MONEY


def units(amount: pl.Expr) -> pl.Expr:
    """Decimal amounts with four places as Int64 units of 0.0001; sums stay exact up to 9e14."""
    return amount.cast(MONEY).to_physical().cast(pl.Int64)


def amounts(whole: pl.Expr) -> pl.Expr:
    """Int64 units of 0.0001 as Decimal(18, 4) amounts, the inverse of `units`."""
    return whole.map_batches(_decimals, return_dtype=MONEY, is_elementwise=True)


def _decimals(whole: pl.Series) -> pl.Series:
    """The integers as the 128-bit integers that decimals are made of: low half, then the sign."""
    halves = np.empty((len(whole), 2), dtype=np.int64)
    halves[:, 0] = whole.fill_null(0).to_numpy()
    np.right_shift(halves[:, 0], 63, out=halves[:, 1])
    array = pa.Array.from_buffers(
        pa.decimal128(MONEY.precision or 18, MONEY.scale), len(whole), [None, pa.py_buffer(halves)]
    )
    decimals = pl.Series(whole.name, array)
    return (
        decimals.zip_with(whole.is_not_null(), decimals.clear(len(decimals)))
        if whole.null_count()
        else decimals
    )
