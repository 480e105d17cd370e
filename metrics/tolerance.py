"""The zone of tolerance: what customers would accept, what they wish, and where the service lies between."""

from typing import Any, Final

import numpy as np
import polars as pl

from metrics.answers import Answers, Flags, Matrix
from metrics.satisfaction import Row, dimension_scores, mean_row

LEVELS: Final = ("minimum", "desired", "perception")
_SCHEMA: Final[dict[str, Any]] = {
    "dimension": pl.String,
    "n": pl.Int64,
    "illogical": pl.Int64,
    **dict.fromkeys(
        (
            "minimum",
            "desired",
            "perception",
            "adequacy",
            "adequacy_lower",
            "adequacy_upper",
            "superiority",
            "superiority_lower",
            "superiority_upper",
            "below",
            "within",
            "above",
        ),
        pl.Float64,
    ),
}


def tolerance(answers: Answers, *, level: float = 0.95) -> pl.DataFrame:
    """The zone of tolerance: adequacy (perception - minimum) and superiority (perception - desired).

    A respondent is `below` where adequacy is negative, `above` where superiority is positive, else `within`.
    Respondents who desire less than their minimum contradict themselves: they are counted and left out. One
    row a dimension: dimension, n, illogical, minimum, desired, perception, adequacy, superiority, each of
    the two with lower and upper (t interval), below, within, above (shares). Sample weights count in means.
    """
    scores = [dimension_scores(answers, answers.parts[part]) for part in LEVELS]
    names = answers.instrument.dimensions
    rows = [
        {"dimension": name} | _zone([side[:, at] for side in scores], answers.weight, level)
        for at, name in enumerate(names)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


def respondent_levels(answers: Answers, dimension: str) -> pl.DataFrame:
    """What each respondent accepts, wishes and perceives in a dimension: minimum, desired, perception.

    One row a response; null where it does not count in `tolerance`.
    """
    at = list(answers.instrument.dimensions).index(dimension)
    sides = [dimension_scores(answers, answers.parts[part])[:, at] for part in LEVELS]
    kept, _illogical = _counted(*sides)
    columns = {name: np.where(kept, side, np.nan) for name, side in zip(LEVELS, sides, strict=True)}
    return pl.DataFrame(columns).fill_nan(None)


def _counted(minimum: Matrix, desired: Matrix, perceived: Matrix) -> tuple[Flags, Flags]:
    """Who gave all three levels in order, and who wishes less than the minimum."""
    complete = ~np.isnan(minimum + desired + perceived)
    illogical = complete & (desired < minimum)
    return complete & ~illogical, illogical


def _zone(sides: list[Matrix], weight: Matrix, level: float) -> Row:
    kept, illogical = _counted(*sides)
    low, high, seen, own = (values[kept] for values in (*sides, weight))
    n = len(seen)
    counted: Row = {"n": n, "illogical": int(illogical.sum())}
    if not n:
        return counted
    for name, values in zip(LEVELS, (low, high, seen), strict=True):
        counted[name] = mean_row(values, own, level)["mean"]
    for name, values in (("adequacy", seen - low), ("superiority", seen - high)):
        found = mean_row(values, own, level)
        counted |= {name: found["mean"], f"{name}_lower": found["lower"], f"{name}_upper": found["upper"]}
    below, above = float((seen < low).mean()), float((seen > high).mean())
    return counted | {"below": below, "within": 1 - below - above, "above": above}
