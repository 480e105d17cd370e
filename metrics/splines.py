"""Restricted cubic splines: smooth curves that are straight beyond their outer knots."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PLACES: Final = (0.05, 0.35, 0.65, 0.95)
"""Quantiles at which the four knots lie (Harrell 2001)."""


def knots(values: Floats, places: Sequence[float] = PLACES) -> Floats:
    """Knots at quantiles, each once; fewer than three where the values are few."""
    found: Floats = np.unique(np.quantile(values, places)) if len(values) else np.empty(0)
    return found


def restricted_cubic(values: Floats, at: Floats) -> Floats:
    """The columns of a restricted cubic spline: the value itself, and one column less than two per knot.

    With knots t_1 to t_k and d = t_k - t_{k-1}, column j is `((x - t_j)+^3 - (x - t_{k-1})+^3 (t_k - t_j) / d
    + (x - t_k)+^3 (t_{k-1} - t_j) / d) / (t_k - t_1)^2` (Harrell 2001, eq. 2.25). Shape (values, knots - 1),
    or (values, 1) with under three knots.
    """
    if len(at) < 3:
        return values[:, None]
    last, before, scale = at[-1], at[-2], (at[-1] - at[0]) ** 2
    cubes = np.maximum(values[:, None] - at, 0.0) ** 3
    columns = [values]
    for j in range(len(at) - 2):
        inner = cubes[:, -2] * (last - at[j]) / (last - before)
        outer = cubes[:, -1] * (before - at[j]) / (last - before)
        columns.append((cubes[:, j] - inner + outer) / scale)
    return np.stack(columns, axis=1)
