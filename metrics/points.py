"""Points: figures that a function of their kind computes, one a period, placed in a grid of cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import nan
from typing import Final

import numpy as np
import polars as pl

from metrics.cells import AMOUNT, Cells
from metrics.periods import Grain, Window
from metrics.selection import Missing

NOT_PERIODS: Final = "ask for whole periods, such as months: it compares one with the one before"
NO_FIGURE: Final = "no figure in this period"


@dataclass(frozen=True)
class Point:
    """One figure: its value, the `n` that it rests on, bounds with their method; without a value the reason.

    `amount` is the exact form of money, where there is one; `excluded` counts what was left out for a fault.
    """

    value: float | None
    n: int
    lower: float | None = None
    upper: float | None = None
    method: str = ""
    reason: str = ""
    excluded: int = 0
    amount: Decimal | None = None


Points = Mapping[tuple[str | None, int], Point]
"""Points by value of the column that is split by (None without one) and period."""


def check_periods(window: Window, *, all_time: bool = True) -> None:
    """Raise Missing for days that are no periods, and for all of history where it is none either."""
    if window.is_cut or (window.grain is Grain.ALL and not all_time):
        raise Missing(NOT_PERIODS)


def nothing(window: Window, reason: str) -> dict[int, Point]:
    """The same reason for every period of a window."""
    return dict.fromkeys(window.periods, Point(None, 0, reason=reason))


def cells_of_points(points: Points, keys: pl.DataFrame) -> Cells:
    """Points in the order of the cells, whose columns are `period` and, where it is split, `by`."""
    by = keys["by"].to_list() if "by" in keys.columns else [None] * len(keys)
    none = Point(None, 0, reason=NO_FIGURE)
    found = [
        points.get((value, code)) or points.get((None, code), none)
        for value, code in zip(by, keys["period"].to_list(), strict=True)
    ]
    lower, upper = (np.array([_number(getattr(each, end)) for each in found]) for end in ("lower", "upper"))
    exact = any(each.amount is not None for each in found)
    return Cells(
        np.array([_number(each.value) for each in found], dtype=np.float64),
        np.array([each.n for each in found], dtype=np.int64),
        np.array([each.reason for each in found], dtype=np.object_),
        pl.Series([each.amount for each in found], dtype=AMOUNT) if exact else None,
        (lower.astype(np.float64), upper.astype(np.float64)),
        next((each.method for each in found if each.lower is not None), ""),
        np.array([each.excluded for each in found], dtype=np.int64),
    )


def _number(value: float | None) -> float:
    return nan if value is None else float(value)
