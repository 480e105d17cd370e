"""Where retention moved: customers of which region, channel or the like come back less, or more, than before.

Everybody's retention moves with season and business. What counts is whether those of one value moved apart
from all the others since the reference: the difference of two differences, its error over customers (one who
was asked four times is one customer), and false findings held down (Benjamini and Hochberg) over the
attributes first and over the values of each after that, so that a long list of attributes hides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from metrics.frames import Marts
from metrics.multiple import benjamini_hochberg
from metrics.periods import Grain, Window
from metrics.relations import PANEL, RELATIONS

Floats = NDArray[np.float64]

LEAST: Final = 30
"""Fewer customers than this on either side are not compared."""
SCHEMA: Final = {
    "attribute": pl.String,
    "value": pl.String,
    "n": pl.Int64,
    **dict.fromkeys(("now", "reference", "others_now", "others_reference"), pl.Float64),
    **dict.fromkeys(("shift", "lower", "upper", "p_value", "q_value"), pl.Float64),
}


def shifts(
    marts: Marts,
    grain: Grain,
    period: int,
    attributes: Sequence[str],
    *,
    count: int = 4,
    back: int | None = None,
) -> pl.DataFrame:
    """How far the retention of each value moved apart from that of all others.

    `count` periods up to `period`, against as many `back` periods earlier (as many as `count` when left out,
    so that four quarters stand against the four before them). Retention is that of `period_retention`: of
    those active in the period before each, the share active in it.

    One row a value with 30 customers at least on both sides, the smallest p-value first: attribute, value, n
    (customers asked, now), now, reference, others_now, others_reference (rates), shift (of the value, less
    that of the others), lower, upper (95 %), p_value, q_value (the larger one of the value's among those of
    its attribute, and of its attribute's, by Simes' test, among all attributes).
    """
    shift = count if back is None else back
    now, reference = (_asked(marts, grain, period - away, count) for away in (0, shift))
    people = marts.frame("customer_summary")
    rows = []
    for name in attributes:
        column = people[name].cast(pl.String)
        for value in column.drop_nulls().unique().sort():
            inside = (column == value).fill_null(value=False).to_numpy()
            found = _compared(now, reference, inside)
            if found is not None:
                rows.append((name, value, *found))
    table = pl.DataFrame(rows, schema={k: v for k, v in SCHEMA.items() if k != "q_value"}, orient="row")
    return _adjusted(table).sort("p_value", "attribute", "value")


def _adjusted(table: pl.DataFrame) -> pl.DataFrame:
    """With `q_value`. Simes' p-value of an attribute is the least adjusted one of its values."""
    within = table.with_columns(own=benjamini_hochberg(pl.col("p_value")).over("attribute"))
    families = within.group_by("attribute").agg(pl.col("own").min().alias("family"))
    judged = families.with_columns(family=benjamini_hochberg(pl.col("family")))
    joined = within.join(judged, on="attribute", how="left")
    return joined.with_columns(q_value=pl.max_horizontal("own", "family")).drop("own", "family")


@dataclass(frozen=True)
class _Asked:
    """By customer number, how often she was active before and how often again."""

    asked: Floats
    again: Floats


def _asked(marts: Marts, grain: Grain, last: int, count: int) -> _Asked:
    window = Window(grain, last, count)
    columns = frozenset({"orders", "active_before", "active_next"})
    rows = marts.rows(RELATIONS[PANEL], window, columns, before=1, exact=frozenset()).filter(
        pl.col("orders") > 0, pl.col("customer").is_not_null()
    )
    size = len(marts.frame("customer_summary"))

    def times(which: pl.DataFrame) -> Floats:
        return np.bincount(which["customer"].to_numpy(), minlength=size).astype(np.float64)

    return _Asked(
        times(rows.filter(pl.col("period") < last)),
        times(rows.filter(pl.col("period") >= window.first, pl.col("active_before"))),
    )


def _compared(now: _Asked, reference: _Asked, inside: NDArray[np.bool_]) -> tuple[float, ...] | None:
    """n, the four rates, the shift with its interval and p-value; None where too few were asked."""
    groups = [(side, who) for who in (inside, ~inside) for side in (now, reference)]
    if any(int((side.asked[who] > 0).sum()) < LEAST for side, who in groups):
        return None
    rates, variances = zip(*(_rate(side.asked[who], side.again[who]) for side, who in groups), strict=True)
    ours_now, ours_before, theirs_now, theirs_before = rates
    shift = (ours_now - ours_before) - (theirs_now - theirs_before)
    error = float(np.sqrt(sum(variances)))
    p_value = 2 * float(ndtr(-abs(shift) / error)) if error else 1.0
    half = float(ndtri(0.975)) * error
    n = int((now.asked[inside] > 0).sum())
    return n, *rates, shift, shift - half, shift + half, p_value


def _rate(asked: Floats, again: Floats) -> tuple[float, float]:
    """The pooled rate and its variance over customers."""
    total = float(asked.sum())
    rate = float(again.sum()) / total
    return rate, float(((again - rate * asked) ** 2).sum()) / total**2
