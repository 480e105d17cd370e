"""Which cells of a table may not be shown, because somebody could be recognised in them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def withheld(n: ArrayLike, least: int) -> NDArray[np.bool_]:
    """Cells of one table to keep back: those of 1 to `least` - 1 people, and as many others as it takes.

    Where the total of the table is known, one hidden cell is the total less the others. So the smallest of
    the shown cells is kept back too (complementary suppression) until at least two cells and `least` people
    are hidden together. Empty cells hide nobody and stay.

    >>> withheld([120, 12, 45, 300], 30).tolist()
    [False, True, True, False]
    >>> withheld([120, 0, 45, 300], 30).tolist()
    [False, False, False, False]
    """
    counts = np.asarray(n, dtype=np.int64)
    hidden = (counts > 0) & (counts < least)
    while hidden.any() and (hidden.sum() < 2 or counts[hidden].sum() < least):
        shown = np.flatnonzero(~hidden & (counts > 0))
        if not shown.size:
            break
        hidden[shown[np.argmin(counts[shown])]] = True
    return hidden
