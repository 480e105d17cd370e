"""The zone of tolerance: what customers would accept, what they wish, and where the service lies between."""

import numpy as np
import polars as pl

from metrics.answers import Answers, Matrix
from metrics.satisfaction import Row, dimension_scores


def tolerance(answers: Answers) -> pl.DataFrame:
    """The zone of tolerance: adequacy (perception - minimum) and superiority (perception - desired).

    A respondent is `below` where adequacy is negative, `above` where superiority is positive, else `within`.
    Respondents who desire less than their minimum contradict themselves: they are counted and left out. One
    row a dimension: dimension, n, illogical, minimum, desired, perception, adequacy, superiority, below,
    within, above (shares).
    """
    scores = [dimension_scores(answers, answers.parts[part]) for part in ("minimum", "desired", "perception")]
    names = answers.instrument.dimensions
    return pl.DataFrame(
        [{"dimension": name} | _zone(*(s[:, at] for s in scores)) for at, name in enumerate(names)]
    )


def _zone(minimum: Matrix, desired: Matrix, perceived: Matrix) -> Row:
    complete = ~np.isnan(minimum + desired + perceived)
    illogical = complete & (desired < minimum)
    low, high, seen = (values[complete & ~illogical] for values in (minimum, desired, perceived))
    n = len(seen)
    counted: Row = {"n": n, "illogical": int(illogical.sum())}
    if not n:
        return counted
    below, above = (seen < low).mean(), (seen > high).mean()
    means = {"minimum": low.mean(), "desired": high.mean(), "perception": seen.mean()}
    differences = {"adequacy": (seen - low).mean(), "superiority": (seen - high).mean()}
    shares = {"below": below, "within": 1 - below - above, "above": above}
    return counted | {name: float(value) for name, value in (means | differences | shares).items()}
